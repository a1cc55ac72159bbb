//! ISC's dhclient.

use std::path::Path;

use super::{Client, Driver, Event, INTERFACE, write_hook};

/// dhclient. Its lease file makes a second start an INIT-REBOOT.
#[derive(Clone, Copy, Debug)]
pub struct Dhclient;

impl Dhclient {
    fn arguments(dir: &Path) -> String {
        let dir = dir.display();
        format!("-4 -d -cf /dev/null -sf {dir}/hook -lf {dir}/leases -pf {dir}/pid {INTERFACE}")
    }
}

impl Driver for Dhclient {
    fn name(&self) -> &'static str {
        "dhclient"
    }

    fn script(&self, dir: &Path) -> String {
        write_hook(dir);
        format!(
            "mount -t tmpfs none /run
             exec dhclient {}",
            Self::arguments(dir)
        )
    }

    fn events(&self, log: &str) -> Vec<Event> {
        log.lines()
            .filter_map(|line| match line {
                "hook: BOUND" => Some(Event::Bound),
                "hook: RENEW" => Some(Event::Renewed),
                "hook: REBIND" => Some(Event::Rebound),
                "hook: REBOOT" => Some(Event::Rebooted),
                _ if line.starts_with("DHCPRELEASE") => Some(Event::Released),
                _ if line.starts_with("DHCPDECLINE") => Some(Event::Declined),
                _ if line.starts_with("DHCPREQUEST") && line.contains("to 255.255.255.255") => {
                    Some(Event::Broadcast)
                }
                _ if line.starts_with("DHCPREQUEST") => Some(Event::Unicast),
                _ => None,
            })
            .collect()
    }

    fn release(&self, client: &Client) {
        // A second dhclient ends the first and speaks in its place.
        client.run_beside(&format!(
            "exec dhclient -r {}",
            Self::arguments(&client.dir)
        ));
    }
}
