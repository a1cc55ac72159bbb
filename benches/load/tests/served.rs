//! Against Lessor itself, over memif: its replies are right, and what is expected wrongly is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "functions beside the tests fail as tests do"
)]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Few enough for a debug build on a busy machine.
const CLIENTS: u64 = 3000;

/// A server on a memif, ended when it is dropped.
struct Server {
    dir: TempDir,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// The server's program: `$LESSOR`, or what cargo has built beside this test.
fn lessor() -> PathBuf {
    if let Some(path) = env::var_os("LESSOR") {
        return path.into();
    }
    let test = env::current_exe().unwrap();
    let path = test.ancestors().nth(2).map(|dir| dir.join("lessor"));
    path.filter(|path| path.exists())
        .expect("target/…/lessor is built: cargo build -p lessor")
}

impl Server {
    fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let at = dir.path().display();
        let config = format!(
            r#"
[server]
max_parked = 1024
max_probes = 64
mbufs = 4096
bindings = 40000
max_offers = 1.0
control = "{at}/control.sock"
[store]
directory = "{at}/store"
[eal]
no_huge = true
single_file_segments = true
file_prefix = "load-served"
[[ports]]
device = "net_memif0,role=server,id=0,socket-abstract=no,socket={at}/memif.sock"
addresses = ["10.0.0.1/8"]
[[networks]]
name = "access"
[[networks.subnets]]
prefix = "10.0.0.0/8"
pools = ["10.1.0.0-10.1.255.255"]
lease_time = "1h"
"#
        );
        fs::write(dir.path().join("lessor.toml"), config).unwrap();
        fs::create_dir(dir.path().join("store")).unwrap();
        let log = dir.path().join("log");
        let process = Command::new(lessor())
            .args(["run", "--config"])
            .arg(dir.path().join("lessor.toml"))
            .stderr(File::create(&log).unwrap())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { dir, process };
        server.wait_until_ready(&log);
        server
    }

    fn wait_until_ready(&mut self, log: &Path) {
        let end = Instant::now() + Duration::from_mins(1);
        loop {
            let text = fs::read_to_string(log).unwrap();
            if text.contains("server.ready") {
                return;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < end, "{ended:?}: {text}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs the generator against it. What a busy machine loses is sent again soon.
    fn load(&self, arguments: &str) -> (Output, Value) {
        let socket = self.dir.path().join("memif.sock");
        let device = format!(
            "net_memif0,role=client,id=0,zero-copy=yes,socket-abstract=no,socket={}",
            socket.display()
        );
        let fixed = format!(
            "--no-huge -m 64 --mbufs 8191 --clients {CLIENTS} --exchanges {CLIENTS} --retry 0.25 \
             --lease-range 10.1.0.0-10.1.255.255 --json -"
        );
        let output = Command::new(env!("CARGO_BIN_EXE_lessor-load"))
            .args(["--device", &device])
            .args(fixed.split_whitespace())
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        let report = serde_json::from_slice(&output.stdout);
        let report = report.unwrap_or_else(|_| panic!("{output:?}"));
        (output, report)
    }
}

#[test]
fn lessor_answers_rightly_in_every_mode_and_on_every_path() {
    let server = Server::start();
    let relayed = "--relays 5 --relay-base 10.0.0.2 --server-ip 10.0.0.1 --option82";
    // Each time other clients, for that is another seed.
    for (seed, (mode, path)) in [
        ("discover", ""),
        ("dora", ""),
        ("renew", ""),
        ("reboot", ""),
        ("release", ""),
        ("mixed", ""),
        ("dora", relayed),
        ("renew", relayed),
    ]
    .into_iter()
    .enumerate()
    {
        let line = format!("--mode {mode} --tries 10 --seed {seed} --lease-time 3600 {path}");
        let (output, report) = server.load(&line);
        assert_eq!(output.status.code(), Some(0), "{line}: {report}");
        assert_eq!(report["exchanges"], CLIENTS, "{line}: {report}");
        assert_eq!(
            (&report["timeouts"], &report["naks"]),
            (&0.into(), &0.into()),
            "{report}"
        );
        let first = if matches!(mode, "discover" | "dora") {
            0
        } else {
            CLIENTS
        };
        assert_eq!(report["leases_first"], first, "{report}");
        assert_eq!(report["violations"], Value::Object(serde_json::Map::new()));
        let kind = if mode == "discover" { "offer" } else { "ack" };
        let counted = report["latency_us"][kind]["count"].as_u64().unwrap();
        assert!(counted >= CLIENTS, "{report}");
    }
}

#[test]
fn what_is_expected_wrongly_ends_with_1_and_its_name() {
    let server = Server::start();
    let (output, report) = server.load("--mode discover --lease-time 1800 --tries 1 --window 3000");
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(
        report["violations"]["lease_time"].as_u64().unwrap() > 0,
        "{report}"
    );
    assert_eq!(
        report["violations"].as_object().unwrap().len(),
        1,
        "{report}"
    );
}
