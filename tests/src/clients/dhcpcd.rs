//! Roy Marples' dhcpcd.

use std::path::Path;

use super::{Client, Driver, Event, INTERFACE};

/// dhcpcd. Its lease file makes a second start an INIT-REBOOT.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dhcpcd {
    /// Whether it looks for another user of the address before it takes it.
    pub checks_address: bool,
}

impl Dhcpcd {
    /// What a command of dhcpcd's needs to meet the running one.
    fn mounts(dir: &Path) -> String {
        let dir = dir.display();
        format!(
            "mkdir -p {dir}/run {dir}/lib
             mount --bind {dir}/run /run
             mount --bind {dir}/lib /var/lib/dhcpcd\n"
        )
    }
}

impl Driver for Dhcpcd {
    fn name(&self) -> &'static str {
        "dhcpcd"
    }

    fn script(&self, dir: &Path) -> String {
        let check = if self.checks_address { "" } else { "--noarp" };
        // Killed, it leaves the file of its pid, and would take itself for running.
        Self::mounts(dir)
            + &format!(
                "rm -rf /run/dhcpcd*
                 exec dhcpcd -4 -B -d -f /dev/null -c /bin/true -t 0 {check} {INTERFACE}"
            )
    }

    fn events(&self, log: &str) -> Vec<Event> {
        log.lines()
            .filter_map(|line| line.split_once(": "))
            .filter_map(|(_, said)| match said {
                "executing: /bin/true BOUND" => Some(Event::Bound),
                "executing: /bin/true RENEW" => Some(Event::Renewed),
                "executing: /bin/true REBIND" => Some(Event::Rebound),
                "executing: /bin/true REBOOT" => Some(Event::Rebooted),
                _ if said.starts_with("sending RELEASE") => Some(Event::Released),
                _ if said.starts_with("sending DECLINE") => Some(Event::Declined),
                _ if said.starts_with("renewing lease") => Some(Event::Unicast),
                _ if said.starts_with("failed to renew") => Some(Event::Broadcast),
                _ => None,
            })
            .collect()
    }

    fn release(&self, client: &Client) {
        let command = format!("exec dhcpcd -4 -k -f /dev/null {INTERFACE}");
        client.run_beside(&(Self::mounts(&client.dir) + &command));
    }
}
