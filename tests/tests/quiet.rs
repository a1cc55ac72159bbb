//! The poll path asks nothing of the kernel: `strace` sees no system call of a worker that polls
//! as fast as it can. The device hands over 32 frames at every poll, for ever.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what fails ends the test with its message"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use lessor_tests::lab::{Lab, Namespace};
use lessor_tests::process::{Process, run};
use lessor_tests::{lessor, may_make_namespaces, wait};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a thread is watched.
const WATCH: Duration = Duration::from_secs(1);

struct Server {
    process: Process,
    config: PathBuf,
}

impl Server {
    fn start(dir: &Path, namespace: &Namespace) -> Self {
        let config = dir.join("lessor.toml");
        fs::write(&config, text(dir)).expect("the configuration");
        let mut command = namespace.command("sh");
        // EAL keeps a folder under /run even where it shares nothing.
        command
            .args(["-ec", "mount -t tmpfs none /run; exec \"$0\" \"$@\""])
            .arg(lessor::binary())
            .args(["run", "--config"])
            .arg(&config);
        let mut process = Process::start(command, &dir.join("lessor.log"));
        process.wait_for("server.ready");
        Self { process, config }
    }

    /// Frames received so far.
    fn received(&self) -> u64 {
        let mut command = Command::new(lessor::binary());
        command.args(["stats", "--json", "--config"]);
        let text = run(command.arg(&self.config));
        let stats: Value = serde_json::from_str(&text).expect("`--json` writes JSON");
        let received = stats.pointer("/counters/events/received");
        received.and_then(Value::as_u64).expect("a counter")
    }
}

fn text(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        r#"
[server]
workers = 1
bindings = 1024
max_parked = 64
mbufs = 1024
control = "{dir}/control.sock"

[store]
engine = "none"

[eal]
no_huge = true
memory = "64MiB"
in_memory = true

[[ports]]
name = "access"
device = "net_null0"
addresses = ["10.77.0.1/24"]

[[networks]]
name = "home"

[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.20"]
"#
    )
}

/// The thread of that name of the server with this control socket.
fn thread_of(config: &Path, name: &str) -> Pid {
    let is_server = |dir: &Path| {
        let line = fs::read(dir.join("cmdline")).unwrap_or_default();
        let mut words = line.split(|octet| *octet == 0);
        words.any(|word| word == config.as_os_str().as_encoded_bytes())
    };
    let threads = || {
        let processes = fs::read_dir("/proc").ok()?;
        let server = processes
            .flatten()
            .map(|entry| entry.path())
            .find(|dir| is_server(dir))?;
        let threads = fs::read_dir(server.join("task")).ok()?;
        let mut threads = threads.flatten().map(|entry| entry.path());
        let is_it = |dir: &PathBuf| {
            fs::read_to_string(dir.join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let found = threads.find(is_it)?;
        found.file_name()?.to_str()?.parse().ok()
    };
    Pid::from_raw(wait::until(&format!("thread {name}"), threads)).expect("a thread")
}

/// Whether a tracer has the thread.
fn is_traced(thread: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap_or_default();
    let tracer = status
        .lines()
        .find_map(|line| line.strip_prefix("TracerPid:"));
    tracer.is_some_and(|tracer| tracer.trim() != "0")
}

/// The system calls of one thread while it is watched, one a line.
fn calls(dir: &Path, thread: Pid, during: impl FnOnce()) -> String {
    let trace = dir.join(format!("strace.{thread}"));
    let mut strace: Child = Command::new("strace")
        .args(["-qq", "-o"])
        .arg(&trace)
        .args(["-p", &thread.to_string()])
        .spawn()
        .expect("strace starts");
    wait::until_true("strace is attached", || {
        let ended = strace.try_wait().expect("a child can be waited for");
        assert_eq!(ended, None, "strace may not attach here");
        is_traced(thread)
    });
    during();
    let pid = i32::try_from(strace.id()).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("the kernel's pids fit"), Signal::INT).expect("strace runs");
    strace.wait().expect("strace ends");
    fs::read_to_string(trace).expect("what strace wrote")
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        eprintln!("SKIPPED, NOTHING WAS TESTED: strace is not installed");
    }
    found
}

#[test]
fn a_worker_makes_no_system_call() {
    if !may_make_namespaces() || !has_strace() {
        return;
    }
    let lab = Lab::new();
    let namespace = lab.namespace("server");
    let mut server = Server::start(lab.dir(), &namespace);
    let worker = thread_of(&server.config, "worker-0");
    let seen = calls(lab.dir(), worker, || {
        let before = server.received();
        thread::sleep(WATCH);
        let polling = || server.received() > before + 1_000_000;
        wait::until_true("the worker polls", polling);
    });
    assert_eq!(seen, "", "system calls of a worker");

    // The eye is open: of the store thread, which sleeps between two looks, it sees calls.
    let store = thread_of(&server.config, "store");
    let seen = calls(lab.dir(), store, || thread::sleep(WATCH));
    assert!(seen.contains("nanosleep"), "{seen}");

    server.process.signal(Signal::TERM);
    assert!(server.process.wait().success());
}
