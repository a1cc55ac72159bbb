//! Lessor itself, started as an operator starts it.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::Value;

use crate::config::Config;
use crate::lab::{Lab, Namespace};
use crate::process::{Process, run};
use crate::wait;

/// A server in its namespace. Dropping it ends it.
#[derive(Debug)]
pub struct Lessor {
    namespace: Namespace,
    dir: PathBuf,
    starts: u32,
    process: Process,
}

impl Lessor {
    /// Starts a server on `eth0` of `namespace`, and waits until it serves.
    #[must_use]
    pub fn start(lab: &Lab, namespace: &Namespace, config: &Config) -> Self {
        let dir = lab.dir().join(namespace.role());
        fs::create_dir_all(dir.join("store")).expect("the server's folder");
        fs::write(dir.join("lessor.toml"), config.text(&dir, "eth0")).expect("the configuration");
        let mut process = launch(namespace, &dir, 1);
        process.wait_for("server.ready");
        Self {
            namespace: namespace.clone(),
            dir,
            starts: 1,
            process,
        }
    }

    /// Ends it as an operator does, and checks that it took it well.
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        let status = self.process.wait();
        assert!(status.success(), "the server stopped with {status}");
    }

    /// All that it has written since it was started last.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The lines that it has logged of an event since it was started last.
    #[must_use]
    pub fn events(&self, event: &str) -> Vec<String> {
        let word = format!("event={event}");
        let log = self.log();
        let lines = log.lines();
        let lines = lines.filter(|line| line.split(' ').any(|found| found == word));
        lines.map(str::to_owned).collect()
    }

    /// Waits until it has logged an event `times` times since it was started last.
    pub fn wait_for_events(&mut self, event: &str, times: usize) {
        let what = format!("{event}, {times} times");
        wait::until_true(&what, || {
            let ended = self.process.ended();
            assert!(ended.is_none(), "{what}: the server ended with {ended:?}");
            self.events(event).len() >= times
        });
    }

    /// Asks it to end, and does not wait.
    pub fn begin_stop(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Has it take its configuration again.
    pub fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Waits until it ends by itself, and says with what exit status.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.wait().code()
    }

    /// Lets no file of it become longer than this: writes behind that fail.
    ///
    /// # Panics
    ///
    /// When the server does not run.
    pub fn limit_files(&self, octets: Option<u64>) {
        let pid = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        let limit = Rlimit {
            current: octets,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).expect("the server runs");
    }

    /// Writes it another configuration, for when it is started again.
    pub fn reconfigure(&self, config: &Config) {
        let text = config.text(&self.dir, "eth0");
        fs::write(self.dir.join("lessor.toml"), text).expect("the configuration");
    }

    /// Starts it again with the store that it left.
    pub fn restart(&mut self) {
        self.begin_restart();
        self.process.wait_for("server.ready");
    }

    /// Starts it again; false if it ends with this complaint instead of serving.
    pub fn restart_unless(&mut self, complaint: &str) -> bool {
        self.begin_restart();
        wait::until("a server that serves or ends", || {
            let ended = self.process.ended();
            let log = self.log();
            assert!(
                ended.is_none() || log.contains(complaint),
                "{ended:?}: {log}"
            );
            let ready = log.contains("server.ready");
            (ready || ended.is_some()).then_some(ended.is_none())
        })
    }

    /// Starts it again, without waiting until it serves.
    pub fn begin_restart(&mut self) {
        self.starts += 1;
        self.process = launch(&self.namespace, &self.dir, self.starts);
    }

    /// All that its store knows, as `lessor leases list` says.
    #[must_use]
    pub fn leases(&self) -> Vec<Lease> {
        let text = self.cli(&["leases", "list", "--json"]);
        let lease = |line| {
            let row: Value = serde_json::from_str(line).ok()?;
            Lease::read(&row)
        };
        text.lines()
            .map(|line| lease(line).unwrap_or_else(|| panic!("a lease: {line}")))
            .collect()
    }

    /// The leases that have a holder.
    #[must_use]
    pub fn active(&self) -> Vec<Lease> {
        let mut leases = self.leases();
        leases.retain(|lease| lease.state == State::Active);
        leases
    }

    /// What its store says of an address.
    #[must_use]
    pub fn state(&self, address: Ipv4Addr) -> Option<State> {
        let mut leases = self.leases().into_iter();
        leases.find(|l| l.address == address).map(|l| l.state)
    }

    /// Reads the whole store of a server that does not run, and panics at any fault in it.
    pub fn verify_store(&self) {
        drop(self.cli(&["store", "verify"]));
    }

    /// Runs another of its commands, with `--config`, and returns what that writes.
    #[must_use]
    pub fn cli(&self, arguments: &[&str]) -> String {
        run(&mut self.command(arguments))
    }

    /// Another of its commands, with `--config`.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = binary();
        let program = program.to_str().expect("a path without odd octets");
        let mut command = self.namespace.command(program);
        command.args(arguments).arg("--config");
        command.arg(self.dir.join("lessor.toml"));
        command
    }
}

/// A row of `lessor leases list`.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The holder's hardware address, where there is one.
    pub chaddr: Option<[u8; 6]>,
    /// What became of it.
    pub state: State,
}

/// The states of a binding, in the words of RFC 6926.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Acknowledged, and its term has not ended.
    Active,
    /// Its term has ended.
    Expired,
    /// The client gave it back.
    Released,
    /// Declined.
    Abandoned,
    /// Anybody's.
    Available,
}

impl Lease {
    fn read(row: &Value) -> Option<Self> {
        let text = |key: &str| row.get(key).and_then(Value::as_str);
        let state = match text("state")? {
            "active" => State::Active,
            "expired" => State::Expired,
            "released" => State::Released,
            "abandoned" => State::Abandoned,
            "available" => State::Available,
            _ => return None,
        };
        Some(Self {
            address: text("address")?.parse().ok()?,
            chaddr: hardware_address(text("hw_address")?),
            state,
        })
    }
}

fn hardware_address(text: &str) -> Option<[u8; 6]> {
    let octets = text.split(':').map(|digits| u8::from_str_radix(digits, 16));
    octets.collect::<Result<Vec<u8>, _>>().ok()?.try_into().ok()
}

fn launch(namespace: &Namespace, dir: &Path, start: u32) -> Process {
    let mut command = namespace.command("sh");
    // EAL keeps a folder under /run even where it shares nothing.
    command
        .args([
            "-ec",
            // A file too large is an error of the write, and not the end of the process.
            "mount -t tmpfs none /run; trap '' XFSZ; exec \"$0\" \"$@\"",
        ])
        .arg(binary())
        .args(["run", "--config"])
        .arg(dir.join("lessor.toml"))
        // Merges are logged too.
        .env("LESSOR_LOG", "info,lessor::store::log=debug");
    Process::start(command, &dir.with_extension(format!("{start}.log")))
}

/// The server's program: `$LESSOR`, or what cargo has built beside this test.
///
/// # Panics
///
/// When there is none; `make test` and `make netns` build it.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = env::var_os("LESSOR") {
        return path.into();
    }
    let test = env::current_exe().expect("the path of this test");
    // target/debug/deps/TEST
    let path = test.ancestors().nth(2).map(|dir| dir.join("lessor"));
    let path = path.filter(|path| path.exists());
    path.expect("target/…/lessor is built: cargo build -p lessor")
}
