//! The real clients, each behind the same few steps.
//!
//! A client runs in a network namespace of its own and in the mount namespace that `ip netns exec`
//! makes, where `/run` and whatever else it writes to is a folder of the laboratory. So it meets
//! neither the host's instance nor another test's, and what it remembers outlives its process.

mod dhclient;
mod dhcpcd;
mod networkd;
mod udhcpc;

use std::fmt::Debug;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::lab::{Lab, Namespace};
use crate::process::Process;
use crate::wait;

pub use dhclient::Dhclient;
pub use dhcpcd::Dhcpcd;
pub use networkd::Networkd;
pub use udhcpc::Udhcpc;

/// The interface of every client.
pub const INTERFACE: &str = "eth0";

/// What a client has come through, as told by its own log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// An ACK ended DISCOVER, OFFER, REQUEST.
    Bound,
    /// An ACK answered the unicast REQUEST of T1.
    Renewed,
    /// An ACK answered the broadcast REQUEST of T2.
    Rebound,
    /// An ACK answered the REQUEST of INIT-REBOOT.
    Rebooted,
    /// It sent the unicast REQUEST of T1.
    Unicast,
    /// It sent the broadcast REQUEST of T2.
    Broadcast,
    /// It sent a RELEASE.
    Released,
    /// It found the address in use and sent a DECLINE.
    Declined,
}

/// How one kind of client is driven.
pub trait Driver: Debug {
    /// Its name; also that of its folder.
    fn name(&self) -> &'static str;

    /// The shell script that mounts what the client needs and becomes the client. `dir` is kept
    /// over restarts.
    fn script(&self, dir: &Path) -> String;

    /// The events in its log, oldest first.
    fn events(&self, log: &str) -> Vec<Event>;

    /// Makes a running client release its lease.
    fn release(&self, client: &Client);
}

/// A client in its namespace. Dropping it ends it.
#[derive(Debug)]
pub struct Client {
    driver: Box<dyn Driver>,
    namespace: Namespace,
    dir: PathBuf,
    starts: u32,
    process: Process,
    seen: usize,
}

impl Client {
    /// Starts a client in `namespace`, whose [`INTERFACE`] is up.
    pub fn start(lab: &Lab, namespace: &Namespace, driver: impl Driver + 'static) -> Self {
        let dir = lab.dir().join(namespace.role());
        fs::create_dir_all(&dir).expect("the client's folder");
        let driver: Box<dyn Driver> = Box::new(driver);
        let process = launch(driver.as_ref(), namespace, &dir, 1);
        Self {
            driver,
            namespace: namespace.clone(),
            dir,
            starts: 1,
            process,
            seen: 0,
        }
    }

    /// Waits for the next event of this kind after the last one that was waited for.
    pub fn wait_for(&mut self, event: Event) {
        let what = format!("{} is {event:?}", self.driver.name());
        let seen = self.seen;
        self.seen = wait::until(&what, || {
            let events = self.driver.events(&self.process.log());
            let later = events.iter().skip(seen).position(|e| *e == event)?;
            Some(seen + later + 1)
        });
    }

    /// Every event of this run so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.driver.events(&self.process.log())
    }

    /// The address that it has put on its interface, waited for.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        let what = format!("{} configures an address", self.driver.name());
        wait::until(&what, || self.namespace.address(INTERFACE))
    }

    /// Makes it release its lease, and waits until it says so.
    pub fn release(&mut self) {
        self.driver.release(self);
        self.wait_for(Event::Released);
    }

    /// Ends it without a word, as a power cut would.
    pub fn kill(&mut self) {
        // Some clients are several processes.
        self.namespace.kill_all();
        self.process.wait();
    }

    /// Starts it again with what it remembers; its events begin anew. The interface keeps the
    /// address, as it does when only the client dies.
    pub fn restart(&mut self) {
        self.kill();
        self.starts += 1;
        self.seen = 0;
        self.process = launch(
            self.driver.as_ref(),
            &self.namespace,
            &self.dir,
            self.starts,
        );
    }

    /// Starts it again after what a reboot does to the interface.
    pub fn reboot(&mut self) {
        self.kill();
        self.namespace
            .ip(&format!("addr flush dev {INTERFACE} scope global"));
        self.restart();
    }

    /// Sends a signal to the client.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Runs a second command of the client's package where the client runs, its output in the
    /// client's log.
    fn run_beside(&self, script: &str) {
        let mut command = self.namespace.command("sh");
        command.args(["-ec", script]);
        Process::start(command, &log_path(&self.dir, self.starts)).wait();
    }
}

fn launch(driver: &dyn Driver, namespace: &Namespace, dir: &Path, start: u32) -> Process {
    let mut command = namespace.command("sh");
    command.args(["-ec", &driver.script(dir)]);
    Process::start(command, &log_path(dir, start))
}

/// Beside the folder, so that a failed test finds it with the other logs.
fn log_path(dir: &Path, start: u32) -> PathBuf {
    dir.with_extension(format!("{start}.log"))
}

/// Writes the hook script that udhcpc and dhclient run, and returns its path. It configures the
/// interface, and writes dhclient's reason to the log.
fn write_hook(dir: &Path) -> PathBuf {
    let path = dir.join("hook");
    fs::write(&path, HOOK).expect("the hook script");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, executable).expect("the hook script's mode");
    path
}

const HOOK: &str = r#"#!/bin/sh
# udhcpc: $1, $ip, $mask (a prefix length), $router; dhclient: $reason, $new_…
echo "hook: ${1:-$reason}"
interface=${interface:-eth0}
configure() {
    ip addr replace "$1/$2" dev "$interface"
    [ -z "$3" ] || ip route replace default via "${3%% *}" dev "$interface"
}
case "${1:-$reason}" in
bound | renew) configure "$ip" "$mask" "$router" ;;
BOUND | RENEW | REBIND | REBOOT)
    configure "$new_ip_address" "$new_subnet_mask" "$new_routers" ;;
deconfig | EXPIRE | FAIL | RELEASE | STOP)
    ip addr flush dev "$interface" scope global ;;
esac
exit 0
"#;
