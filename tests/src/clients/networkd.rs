//! systemd-networkd.

use std::path::Path;

use rustix::process::Signal;

use super::{Client, Driver, Event, INTERFACE};

/// systemd-networkd. It releases when it is told to end, unless it keeps its configuration; then a
/// second start finds the address on the interface and asks for it by INIT-REBOOT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Networkd {
    /// Whether it keeps the address over a restart.
    pub keeps_configuration: bool,
}

impl Driver for Networkd {
    fn name(&self) -> &'static str {
        "networkd"
    }

    fn script(&self, dir: &Path) -> String {
        let keep = if self.keeps_configuration {
            "dhcp"
        } else {
            "no"
        };
        let netif = "/run/systemd/netif";
        // Where /sys can be written it waits for udev, which knows nothing of namespaces.
        format!(
            "umount -l /sys
             mount -t sysfs -o ro sysfs /sys
             mkdir -p {dir}/run
             mount --bind {dir}/run /run
             mkdir -p {netif}/links {netif}/leases {netif}/lldp
             chown -R systemd-network {netif}
             mount -t tmpfs none /etc/systemd/network
             cat >/etc/systemd/network/client.network <<END
[Match]
Name={INTERFACE}
[Network]
DHCP=ipv4
KeepConfiguration={keep}
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
UseHostname=no
END
             SYSTEMD_LOG_LEVEL=debug exec /lib/systemd/systemd-networkd",
            dir = dir.display()
        )
    }

    fn events(&self, log: &str) -> Vec<Event> {
        let mut asked = None;
        let mut events = Vec::new();
        for line in log.lines() {
            let Some((_, said)) = line.split_once(": DHCPv4 client: ") else {
                continue;
            };
            match said {
                "REQUEST (requesting)" => asked = Some(Event::Bound),
                "REQUEST (renewing)" => {
                    asked = Some(Event::Renewed);
                    events.push(Event::Unicast);
                }
                "REQUEST (rebinding)" => {
                    asked = Some(Event::Rebound);
                    events.push(Event::Broadcast);
                }
                "REQUEST (init-reboot)" => asked = Some(Event::Rebooted),
                "ACK" => events.extend(asked.take()),
                "RELEASE" => events.push(Event::Released),
                "DECLINE" => events.push(Event::Declined),
                _ => {}
            }
        }
        events
    }

    fn release(&self, client: &Client) {
        client.signal(Signal::TERM);
    }
}
