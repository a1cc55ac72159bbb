//! A place with all that one server has: configuration, store, control socket, log.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use lessor::store::encode::{MAX_RECORD, encode};
use lessor::store::{Batch, Log, LogOptions, Store as _};
use lessor_tests::lessor::binary;
use lessor_tests::process::Process;
use tempfile::TempDir;

/// A server's place. Dropping it removes it.
pub(crate) struct Site {
    dir: TempDir,
}

impl Site {
    /// With a configuration that works.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        // Other users may enter it, to be refused further inside.
        fs::set_permissions(site.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let (dir, pid) = (site.dir.path().display(), process::id());
        let text = format!(
            r#"[server]
workers = 1
max_parked = 256
mbufs = 2048
bindings = 1000
control = "{dir}/control.sock"

[store]
engine = "log"
directory = "{dir}/store"

[eal]
no_huge = true
in_memory = true
file_prefix = "operate-{pid}-{number}"

[[ports]]
name = "access"
device = "net_ring0"
addresses = ["10.77.0.1/24"]

[[networks]]
name = "home"

[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.99"]
"#
        );
        fs::write(site.path("lessor.toml"), text).unwrap();
        site
    }

    /// The same with another text in the configuration.
    pub(crate) fn but(self, from: &str, to: &str) -> Self {
        self.change(from, to);
        self
    }

    /// Replaces a text of the configuration.
    pub(crate) fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("lessor.toml")).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(self.path("lessor.toml"), text.replace(from, to)).unwrap();
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `lessor` with `arguments` and this configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--config");
        command.arg(self.path("lessor.toml"));
        self.keep_here(&mut command);
        command
    }

    /// `lessor run` by way of another program, which is given the rest of its command line.
    pub(crate) fn run_by(&self, program: &str, arguments: &[&str]) -> Command {
        // A copy, for users who may not enter the folder that it was built in.
        let own = self.path("lessor");
        if !own.exists() {
            fs::copy(binary(), &own).unwrap();
        }
        let mut command = Command::new(program);
        command.args(arguments).arg(own).args(["run", "--config"]);
        command.arg(self.path("lessor.toml"));
        self.keep_here(&mut command);
        command
    }

    /// EAL keeps a folder even where it shares nothing.
    fn keep_here(&self, command: &mut Command) {
        command.env("RUNTIME_DIRECTORY", self.dir.path());
        command.env_remove("LESSOR_LOG");
    }

    /// Runs a command of `lessor` to its end.
    pub(crate) fn lessor(&self, arguments: &[&str]) -> Ended {
        Ended::of(&mut self.command(arguments))
    }

    /// Starts a server that must not come up, and waits for its end.
    pub(crate) fn refused(&self) -> Ended {
        self.refused_as(self.command(&["run"]))
    }

    /// The same, started by `command`.
    pub(crate) fn refused_as(&self, command: Command) -> Ended {
        let mut process = Process::start(command, &self.path("refused.log"));
        Ended {
            code: process.wait().code(),
            stdout: String::new(),
            stderr: process.log(),
        }
    }

    /// Starts the server and waits until it serves.
    pub(crate) fn serve(&self) -> Process {
        let mut process = self.start();
        process.wait_for("server.ready");
        process
    }

    /// Starts the server. The log of an earlier one is gone.
    pub(crate) fn start(&self) -> Process {
        let log = self.path("log");
        if log.exists() {
            fs::remove_file(&log).unwrap();
        }
        Process::start(self.command(&["run"]), &log)
    }

    /// The segments of the store, the oldest first.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path("store")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = paths.filter(|path| is_segment(path)).collect();
        segments.sort();
        segments
    }

    /// Fills a new store with `batches` leases, each in a batch of its own.
    pub(crate) fn fill_store(&self, batches: u8) {
        self.fill_store_with((0..batches).map(|_| (1_700_000_000, u64::MAX)));
    }

    /// Fills a new store with leases that were granted at the first second and end at the other.
    pub(crate) fn fill_store_with(&self, times: impl IntoIterator<Item = (u64, u64)>) {
        let (_, mut log) = Log::open(&self.path("store"), LogOptions::default()).unwrap();
        for (host, times) in (0..).zip(times) {
            let mut batch = Batch::new(log.next_lsn());
            let mut octets = [0; MAX_RECORD];
            let length = encode(&lease(host, times, &[host; 7]), &mut octets).unwrap();
            batch.push(&octets[..length], &[]);
            log.submit(batch);
            assert!(log.completed().is_some());
        }
    }
}

fn is_segment(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.starts_with("segment-")
}

fn lease(host: u8, (time, expiry): (u64, u64), identity: &[u8]) -> Record<'_> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::new(10, 77, 0, 10 + host),
        generation: 1,
        time,
        expiry,
        lease: u32::try_from(expiry - time).unwrap_or(u32::MAX),
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity,
        htype: 1,
        chaddr: &identity[1..],
        agent_info: &[],
    }
}

/// How a command ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Runs a command to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        Self {
            code: status.code(),
            stdout: String::from_utf8(stdout).unwrap(),
            stderr: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Checks how it ended and that each of `texts` is in what it complained of.
    pub(crate) fn complains(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "{text:?} in {self:?}");
        }
    }
}
