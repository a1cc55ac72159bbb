//! busybox's udhcpc.

use std::path::Path;

use rustix::process::Signal;

use super::{Client, Driver, Event, INTERFACE, write_hook};

/// udhcpc. It knows no T1 and T2: it asks by unicast after half of its lease and after half of the
/// rest, as long as that is half a minute, then by broadcast. It remembers nothing over a restart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Udhcpc {
    /// Whether it looks for another user of the address before it takes it.
    pub checks_address: bool,
}

impl Driver for Udhcpc {
    fn name(&self) -> &'static str {
        "udhcpc"
    }

    fn script(&self, dir: &Path) -> String {
        let hook = write_hook(dir);
        let check = if self.checks_address { "-a" } else { "" };
        format!(
            "mount -t tmpfs none /run
             exec udhcpc -f -i {INTERFACE} -s {} -t 10 -T 5 -A 3 {check}",
            hook.display()
        )
    }

    fn events(&self, log: &str) -> Vec<Event> {
        let mut asked = Event::Bound;
        let mut events = Vec::new();
        for line in log.lines() {
            if line.contains("broadcasting select") {
                asked = Event::Bound;
            } else if line.contains("sending renew") {
                asked = Event::Renewed;
                events.push(Event::Unicast);
            } else if line.contains("broadcasting renew") {
                asked = Event::Rebound;
                events.push(Event::Broadcast);
            } else if line.contains("lease of") && line.contains("obtained") {
                events.push(asked);
            } else if line.contains("sending release") {
                events.push(Event::Released);
            } else if line.contains("sending decline") || line.contains("broadcasting decline") {
                events.push(Event::Declined);
            }
        }
        events
    }

    fn release(&self, client: &Client) {
        client.signal(Signal::USR2);
    }
}
