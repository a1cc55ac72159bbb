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
        // Its script is told RENEW after the broadcast of T2 too.
        let mut extended = Event::Renewed;
        let mut events = Vec::new();
        for line in log.lines() {
            if line.starts_with("DHCPREQUEST") && line.contains("to 255.255.255.255") {
                extended = Event::Rebound;
                events.push(Event::Broadcast);
            } else if line.starts_with("DHCPREQUEST") {
                extended = Event::Renewed;
                events.push(Event::Unicast);
            } else if line.starts_with("DHCPRELEASE") {
                events.push(Event::Released);
            } else if line.starts_with("DHCPDECLINE") {
                events.push(Event::Declined);
            } else if let Some(reason) = line.strip_prefix("hook: ") {
                match reason {
                    "BOUND" => events.push(Event::Bound),
                    "RENEW" | "REBIND" => events.push(extended),
                    "REBOOT" => events.push(Event::Rebooted),
                    _ => {}
                }
            }
        }
        events
    }

    fn release(&self, client: &Client) {
        // A second dhclient ends the first and speaks in its place.
        client.run_beside(&format!(
            "exec dhclient -r {}",
            Self::arguments(&client.dir)
        ));
    }
}
