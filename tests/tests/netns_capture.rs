//! What a real client and the server say to each other, as `lessor capture` shows it to tcpdump.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use lessor_tests::clients::{Client, Dhclient, Event, INTERFACE};
use lessor_tests::config::Config;
use lessor_tests::lab::{Lab, Link, Namespace};
use lessor_tests::lessor::{Lessor, binary};
use lessor_tests::process::{Process, run};
use lessor_tests::{may_make_namespaces, wait};
use rustix::process::Signal;
use serde_json::Value;

const POOL: &str = "10.77.0.10-10.77.0.20";

/// A server, the place of a client, and captures in a folder.
struct Scene {
    // Dropped in this order: processes, then what they run in.
    server: Lessor,
    client: Namespace,
    _link: Link,
    lab: Lab,
}

impl Scene {
    fn new(config: &Config) -> Self {
        let lab = Lab::new();
        let link = lab.link("link");
        let server = lab.plugged(&link, "server");
        let client = lab.namespace("client");
        link.plug(&client, INTERFACE);
        Self {
            server: Lessor::start(&lab, &server, config),
            client,
            _link: link,
            lab,
        }
    }

    /// Captures to `name` what `wanted` says, until it is ended.
    fn capture(&mut self, name: &str, wanted: &[&str]) -> Process {
        let file = self.lab.dir().join(name);
        let file = file.to_str().expect("a path without odd octets");
        let arguments = [&["capture", "-w", file], wanted].concat();
        let log = self.lab.dir().join(format!("{name}.log"));
        let before = self.server.events("capture.begun").len();
        let process = Process::start(self.server.command(&arguments), &log);
        self.server.wait_for_events("capture.begun", before + 1);
        process
    }

    /// What was captured comes out the same of the server's own configuration, and otherwise of
    /// another one.
    fn replays(&self, name: &str) {
        let file = self.lab.dir().join(name);
        let file = file.to_str().expect("a path without odd octets");
        let same = self.server.cli(&["replay", file]);
        let expected =
            "2 queries, 2 replies captured: 2 the same, 0 different, 0 missing, 0 unexpected";
        assert!(same.ends_with(&format!("{expected}\n")), "{same}");
        let mut other = Config::new(POOL);
        other.lease_time = "2h".into();
        let text = other.text(self.lab.dir(), "eth0");
        let config = self.lab.dir().join("other.toml");
        fs::write(&config, text).expect("the configuration");
        let mut command = Command::new(binary());
        let command = command
            .args(["replay", "--json", file, "--config"])
            .arg(config);
        let output = command.output().expect("the command runs");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
        assert_eq!(report["different"], 2, "{report}");
        let field = &report["differences"][1]["fields"][0];
        assert_eq!(field["field"], "option 51 (dhcp-lease-time)", "{report}");
        assert_eq!(
            (&field["captured"], &field["replayed"]),
            (&"3600 s".into(), &"7200 s".into())
        );
    }

    fn hw_address(&self) -> String {
        let link = self.client.ip(&format!("link show dev {INTERFACE}"));
        let mut words = link
            .split_whitespace()
            .skip_while(|word| *word != "link/ether");
        words.nth(1).expect("a hardware address").to_owned()
    }

    /// What tcpdump makes of a capture.
    fn shown(&self, name: &str) -> String {
        shown(&self.lab.dir().join(name))
    }
}

fn shown(file: &Path) -> String {
    // As any user, it would not be allowed to read it.
    run(Command::new("tcpdump")
        .args(["-Z", "root", "-nnvr"])
        .arg(file))
}

/// The types of the DHCP messages, in order.
fn messages(shown: &str) -> Vec<&str> {
    let mark = "DHCP-Message (53), length 1: ";
    let lines = shown.lines();
    lines
        .filter_map(|line| Some(line.split_once(mark)?.1.trim()))
        .collect()
}

fn end(process: &mut Process) -> String {
    process.signal(Signal::INT);
    let status = process.wait();
    assert!(status.success(), "{status}: {}", process.log());
    process.log()
}

#[test]
fn tcpdump_reads_what_a_client_and_the_server_said() {
    if !may_make_namespaces() {
        return;
    }
    let mut scene = Scene::new(&Config::new(POOL));
    let hw = scene.hw_address();
    let mut all = scene.capture("all.pcapng", &[]);
    // Nor does it touch the file of the one that runs.
    let file = scene.lab.dir().join("all.pcapng").display().to_string();
    let refused = scene.server.command(&["capture", "-w", &file]);
    let refused = { refused }.output().expect("the command runs");
    assert_eq!(
        refused.status.code(),
        Some(69),
        "one at a time: {refused:?}"
    );
    let mut holder = Client::start(&scene.lab, &scene.client, Dhclient);
    holder.wait_for(Event::Bound);
    assert!(end(&mut all).contains(" captured, 0 lost on their way"));
    let text = scene.shown("all.pcapng");
    assert_eq!(
        messages(&text),
        ["Discover", "Offer", "Request", "ACK"],
        "{text}"
    );
    scene.replays("all.pcapng");
    let address = holder.address().to_string();
    assert!(text.contains(&format!("Your-IP {address}")), "{text}");

    let other = "02:99:99:99:99:99";
    let mut none = scene.capture("none.pcapng", &["--client", other, "--duration", "1h"]);
    holder.release();
    wait::until_true("the release", || {
        scene
            .server
            .cli(&["leases", "list", "--state", "released"])
            .contains(&address)
    });
    assert!(end(&mut none).contains("0 frames captured, 0 lost"));
    assert_eq!(messages(&scene.shown("none.pcapng")), [""; 0]);

    let mut some = scene.capture(
        "some.pcapng",
        &["--client", &hw, "--count", "4", "--port", "access"],
    );
    holder.restart();
    assert!(some.wait().success(), "{}", some.log());
    assert!(
        some.log().contains("4 frames captured, 0 lost"),
        "{}",
        some.log()
    );
    let text = scene.shown("some.pcapng");
    // The client's kernel may say something too.
    let expected = ["Discover", "Offer", "Request", "ACK"];
    assert!(expected.starts_with(&messages(&text)), "{text}");
    assert!(text.contains(&hw), "{text}");
    scene.server.stop();
}

#[test]
fn a_capture_ends_with_its_reader_and_with_its_server() {
    if !may_make_namespaces() {
        return;
    }
    let mut scene = Scene::new(&Config::new(POOL));
    // Into a pipe, whose reader leaves after the first message.
    let mut capture = scene.server.command(&["capture", "-w", "-"]);
    let mut capture = capture
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    scene.server.wait_for_events("capture.begun", 1);
    let out = capture.stdout.take().expect("a pipe");
    let dump = Command::new("tcpdump")
        .args(["-Z", "root", "-nnv", "-c1", "-r", "-", "udp port 67"])
        .stdin(out)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tcpdump");
    let _holder = Client::start(&scene.lab, &scene.client, Dhclient);
    let text = dump.wait_with_output().expect("tcpdump ends");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert_eq!(messages(&text), ["Discover"], "{text}");
    assert!(capture.wait().expect("it ends").success());
    scene.server.wait_for_events("capture.ended", 1);

    let mut capture = scene.capture("cut.pcapng", &[]);
    scene.server.stop();
    let code = capture.wait().code();
    assert!(matches!(code, Some(0 | 69)), "{code:?}: {}", capture.log());
    shown(&scene.lab.dir().join("cut.pcapng"));
}
