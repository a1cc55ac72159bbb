//! The command as a process: what it writes and how it ends.
#![allow(clippy::unwrap_used, reason = "a test ends where its ground is gone")]

use dhcp_proto::record::{Cause, Journal as _, Origin, Record, RecordKind};
use lessor::store::{CommitOptions, Committer, Log, LogOptions, ring};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const GOOD: &str = r#"
[[ports]]
device = "net_null0"
addresses = ["10.77.0.1/24"]

[[networks]]
name = "home"
[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.20"]
"#;

/// A directory with a configuration in it.
struct Scene {
    directory: tempfile::TempDir,
}

impl Scene {
    /// With `text`, and store and control socket in the directory.
    fn new(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let places = format!(
            "[server]\ncontrol = \"{path}/socket\"\n[store]\ndirectory = \"{path}/store\"\n"
        );
        fs::write(directory.path().join("lessor.toml"), places + text).unwrap();
        Self { directory }
    }

    fn config(&self) -> String {
        self.path("lessor.toml").display().to_string()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// Runs `lessor` with `arguments` and this configuration.
    fn lessor(&self, arguments: &[&str]) -> Output {
        lessor(&[arguments, &["--config", &self.config()]].concat())
    }
}

fn lessor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lessor"))
        .args(arguments)
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// Checks exit code and what standard error says.
fn ends(output: &Output, code: i32, says: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(says), "{stderr}");
}

#[test]
fn a_good_file_is_summed_up() {
    let output = Scene::new(GOOD).lessor(&["check"]);
    ends(&output, 0, "");
    let stdout = text(&output.stdout);
    assert!(
        stdout.ends_with("ok, 1 port, 1 network, 1 subnet, 0 reservations\n"),
        "{stdout}"
    );
}

#[test]
fn a_bad_file_is_named_with_all_its_faults_and_ends_in_78() {
    let scene = Scene::new(
        &GOOD
            .replace("pools", "pool")
            .replace("10.77.0.1/24", "10.77.0.1"),
    );
    let output = scene.lessor(&["check"]);
    ends(&output, 78, "");
    let (stdout, file) = (text(&output.stdout), scene.config());
    for fault in [
        ":8:14: ports[0].addresses[0]: is not a prefix",
        "did you mean `pools`?",
        ": 2 faults",
    ] {
        assert!(
            stdout.contains(fault) && stdout.starts_with(&file),
            "{stdout}"
        );
    }
    let output = scene.lessor(&["run"]);
    ends(&output, 78, "did you mean `pools`?");
    assert!(text(&output.stderr).contains("config.invalid"));
    assert!(!scene.path("store").exists() && !scene.path("socket").exists());
}

#[test]
fn faults_are_read_by_machines_too() {
    let output = Scene::new("").lessor(&["check", "--json"]);
    ends(&output, 78, "");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["ok"], false);
    assert_eq!(json["faults"][0]["message"], "`ports` is missing");
    assert_eq!(json["faults"][0]["line"], 1);
    let output = Scene::new(GOOD).lessor(&["check", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], output.status.code()), (&true.into(), Some(0)));
}

#[test]
fn the_command_line_is_checked() {
    ends(&lessor(&[]), 64, "Usage: lessor <COMMAND>");
    ends(&lessor(&["chek"]), 64, "similar subcommand exists: 'check'");
    ends(&lessor(&["check", "--jsn"]), 64, "--json");
    let output = lessor(&["--version"]);
    ends(&output, 0, "");
    assert_eq!(
        text(&output.stdout),
        format!("lessor {}\n", env!("CARGO_PKG_VERSION"))
    );
    assert!(text(&lessor(&["--help"]).stdout).contains("leases"));
}

#[test]
fn a_file_that_is_not_there_ends_in_66() {
    ends(
        &lessor(&["check", "--config", "/nowhere/lessor.toml"]),
        66,
        "cannot read /nowhere",
    );
    ends(&lessor(&["run", "--config", "/"]), 66, "cannot read /");
}

#[test]
fn without_a_server_stats_end_in_69() {
    ends(
        &Scene::new(GOOD).lessor(&["stats"]),
        69,
        "no server runs here",
    );
    ends(
        &lessor(&["stats", "--socket", "/nowhere/socket"]),
        69,
        "start it with `lessor run`",
    );
}

#[test]
fn without_a_store_there_is_nothing_to_list() {
    let scene = Scene::new(GOOD);
    for command in [
        &["leases", "list"][..],
        &["leases", "show", "10.77.0.10"],
        &["store", "verify"],
    ] {
        ends(&scene.lessor(command), 66, "there is no lease store in");
    }
    let output = scene.lessor(&["leases", "list", "--network", "office"]);
    ends(&output, 64, "no network `office`; there are: home");
}

fn record(last: u8, kind: RecordKind) -> Record<'static> {
    Record {
        kind,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::new(10, 77, 0, last),
        generation: 1,
        time: 1_700_000_000,
        expiry: u64::MAX,
        lease: u32::MAX,
        origin: Origin::default(),
        giaddr: Ipv4Addr::new(10, 9, 0, 1),
        identity: &[2, 1, 2, 0, 0, 0, 0, 5],
        htype: 1,
        chaddr: &[2, 0, 0, 0, 0, 5],
        agent_info: &[1, 1, 7],
    }
}

/// Leaves a store with one lease, one that was given back, and one in no network.
fn fill(directory: &Path) {
    let (_, log) = Log::open(directory, LogOptions::default()).unwrap();
    let (mut journal, drain) = ring(64);
    let committer = Committer::start(log, vec![drain], CommitOptions::default()).unwrap();
    journal.append(&record(10, RecordKind::Active));
    journal.append(&record(11, RecordKind::Released));
    let elsewhere = Record {
        addr: Ipv4Addr::new(10, 99, 0, 1),
        ..record(0, RecordKind::Active)
    };
    journal.append(&elsewhere);
    committer.stop().unwrap();
}

#[test]
fn leases_are_listed_and_shown_without_a_server() {
    let scene = Scene::new(GOOD);
    fill(&scene.path("store"));
    let lines = |arguments: &[&str]| {
        let output = scene.lessor(arguments);
        ends(&output, 0, "");
        text(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let list = lines(&["leases", "list"]);
    assert_eq!(list.len(), 4, "{list:#?}");
    let row = "10.77.0.10       active     never                 hw 02:00:00:00:00:05            10.9.0.1";
    assert_eq!(list[1], row);
    assert_eq!(lines(&["leases", "list", "--state", "released"]).len(), 2);
    assert_eq!(lines(&["leases", "list", "--network", "home"]).len(), 3);
    let both = [
        "leases",
        "list",
        "--json",
        "--network",
        "home",
        "--state",
        "active",
    ];
    let json: serde_json::Value = serde_json::from_str(&lines(&both).concat()).unwrap();
    assert_eq!(
        (&json["address"], &json["expires"]),
        (&"10.77.0.10".into(), &().into())
    );
    let shown = lines(&["leases", "show", "10.77.0.11"]);
    assert_eq!(
        (shown[0].as_str(), shown[1].as_str()),
        ("address      10.77.0.11", "state        released")
    );
    assert_eq!(
        lines(&["leases", "show", "--json", "02:00:00:00:00:05"]).len(),
        3
    );
    ends(
        &scene.lessor(&["leases", "show", "10.77.0.12"]),
        1,
        "no lease of 10.77.0.12",
    );
    let directory = scene.path("store").display().to_string();
    ends(
        &lessor(&["leases", "list", "--directory", &directory]),
        0,
        "",
    );
}

#[test]
fn a_sound_store_is_verified_and_a_damaged_one_ends_in_65() {
    let scene = Scene::new(GOOD);
    let store = scene.path("store");
    fill(&store);
    let output = scene.lessor(&["store", "verify", "--json"]);
    ends(&output, 0, "");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["ok"], &json["segments"]), (&true.into(), &1.into()));
    // Another generation on top, so that the first batch is proven to have been durable.
    fill(&store);
    let largest = fs::read_dir(&store).unwrap().map(|entry| entry.unwrap());
    let largest = largest
        .max_by_key(|entry| entry.metadata().unwrap().len())
        .unwrap()
        .path();
    let mut octets = fs::read(&largest).unwrap();
    let at = octets
        .windows(6)
        .position(|w| w == [2, 0, 0, 0, 0, 5])
        .unwrap();
    octets[at] ^= 1;
    fs::write(&largest, octets).unwrap();
    let output = scene.lessor(&["store", "verify"]);
    ends(&output, 65, "");
    assert!(
        text(&output.stdout).contains("1 faults;"),
        "{}",
        text(&output.stdout)
    );
    ends(&scene.lessor(&["leases", "list"]), 65, "store is damaged");
    ends(&scene.lessor(&["run"]), 65, "store is damaged");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scene = Scene::new(GOOD);
    let mut child = Command::new(env!("CARGO_BIN_EXE_lessor"))
        .args(["check", "--config", &scene.config()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    ends(&output, 0, "");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_store_directory_that_cannot_be_written_ends_the_start() {
    let scene = Scene::new(GOOD);
    let directory = scene.path("store");
    fs::write(&directory, "a file").unwrap();
    let output = scene.lessor(&["run"]);
    ends(&output, 73, "is not a directory");
    assert!(text(&output.stderr).contains("server.failed"));
    assert!(Path::new(&directory).is_file());
    let mode = fs::metadata(&directory).unwrap().permissions().mode();
    assert_ne!(mode & 0o400, 0);
}
