//! The life of a real client's lease as others see it: in the file of the event log, at a
//! collector of syslog, and in the metrics, all in the server's namespace.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails ends the test with its message"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};

use lessor_tests::clients::{Client, Dhclient, Event, INTERFACE};
use lessor_tests::config::Config;
use lessor_tests::lab::{Lab, Link, Namespace};
use lessor_tests::lessor::Lessor;
use lessor_tests::{may_make_namespaces, wait};
use serde_json::Value;

const ADDRESS: &str = "10.77.0.10";

fn config(file: &Path) -> Config {
    let file = file.display();
    Config {
        more: format!(
            r#"
[event_log]
file = "{file}"
syslog = "127.0.0.1:5514"
facility = "local3"

[metrics]
listen = "127.0.0.1:9547"
"#
        ),
        ..Config::new("10.77.0.10-10.77.0.10").with_terms("15s", "4s", "10s")
    }
}

/// What a scraper is told.
fn scraped(server: &Namespace) -> String {
    server.inside(|| {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, 9547)).expect("metrics");
        connection
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n")
            .expect("a request");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        answer
    })
}

/// The value of a line of the metrics.
fn figure(server: &Namespace, name: &str) -> f64 {
    let page = scraped(server);
    let line = page.lines().find_map(|line| line.strip_prefix(name));
    let line = line.unwrap_or_else(|| panic!("{name} in {page}"));
    line.trim().parse().expect("a number")
}

/// Waits until the metrics say that the one address is so; a page is up to a second old.
fn wait_until_it_is(server: &Namespace, state: &str) {
    let pool = format!("network=\"home\",pool=\"{ADDRESS}-{ADDRESS}\"");
    let name = format!("lessor_pool_addresses{{{pool},state=\"{state}\"}}");
    wait::until_true(state, || figure(server, &name) > 0.0);
}

/// The lines of a file of the log.
fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    text.lines().map(line).collect()
}

fn wait_for(file: &Path, event: &str) -> Value {
    wait::until(&format!("{event} in the log"), || {
        lines(file).into_iter().find(|line| line["event"] == event)
    })
}

/// A server with all that listens to it, and the place of a client.
struct Scene {
    // Dropped in this order: processes, then what they run in.
    server: Lessor,
    namespace: Namespace,
    client: Namespace,
    collector: UdpSocket,
    file: PathBuf,
    rotated: PathBuf,
    _link: Link,
    lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new();
        let link = lab.link("link");
        let namespace = lab.namespace("server");
        let client = lab.namespace("client");
        link.plug(&namespace, "eth0");
        link.plug(&client, INTERFACE);
        namespace.ip("link set lo up");
        let bind = || UdpSocket::bind("127.0.0.1:5514").expect("a collector");
        let file = lab.dir().join("log").join("leases.jsonl");
        Self {
            collector: namespace.inside(bind),
            server: Lessor::start(&lab, &namespace, &config(&file)),
            namespace,
            client,
            rotated: file.with_extension("rotated"),
            file,
            _link: link,
            lab,
        }
    }

    /// A client obtains a lease, renews it, and gives it back; its hardware address.
    fn first_life(&mut self, holder: &mut Client) -> String {
        holder.wait_for(Event::Bound);
        let granted = wait_for(&self.file, "granted");
        assert_eq!(granted["address"], ADDRESS);
        assert_eq!(granted["port"], "access");
        assert_eq!(granted["lease_time"], 15);
        let hw = granted["hw_address"].as_str().expect("a hardware address");
        let link = self.client.ip(&format!("link show dev {INTERFACE}"));
        assert!(link.contains(hw), "{hw} in {link}");
        wait_until_it_is(&self.namespace, "bound");
        self.server.wait_for_events("pool.filling", 1);
        holder.wait_for(Event::Renewed);
        let renewed = wait_for(&self.file, "renewed");
        assert!(renewed["lsn"].as_u64() > granted["lsn"].as_u64());
        holder.release();
        wait_for(&self.file, "released");
        self.server.wait_for_events("pool.relieved", 1);
        wait_until_it_is(&self.namespace, "remembered");
        hw.to_owned()
    }

    /// The file is renamed, as logrotate does; then a lease begins and runs out.
    fn second_life(&self, holder: &mut Client, hw: &str) {
        fs::rename(&self.file, &self.rotated).expect("the file is there");
        wait::until_true("a new file", || self.file.exists());
        holder.restart();
        holder.wait_for(Event::Bound);
        wait_for(&self.file, "granted");
        holder.kill();
        let expired = wait_for(&self.file, "expired");
        assert_eq!(expired["address"], ADDRESS);
        assert_eq!(expired["hw_address"], hw);
        assert!(expired.get("lsn").is_none());
        let before = lines(&self.rotated);
        assert!(before.iter().any(|line| line["event"] == "released"));
    }

    fn figures_are_told(&self) {
        let replies = "lessor_reply_seconds_count{worker=\"0\",kind=";
        for (name, least) in [
            ("lessor_messages_sent_total{type=\"ack\"}".into(), 3.0),
            (format!("{replies}\"durable\"}}"), 3.0),
            (format!("{replies}\"direct\"}}"), 2.0),
            ("lessor_commit_seconds_count{kind=\"commit\"}".into(), 3.0),
            (
                "lessor_port_total{port=\"access\",what=\"rx_packets\"}".into(),
                4.0,
            ),
            (
                "lessor_stat{group=\"event_log\",name=\"written\"}".into(),
                5.0,
            ),
            (
                "lessor_stat{group=\"memory\",name=\"mbufs_free\"}".into(),
                1.0,
            ),
        ] {
            wait::until_true(&name, || figure(&self.namespace, &name) >= least);
        }
        let shown = self.server.cli(&["stats"]);
        assert!(
            shown.contains("p99.9") && shown.contains("access"),
            "{shown}"
        );
    }

    /// What the collector has is what the two files have.
    fn syslog_says_the_same(&self, hw: &str) {
        self.collector.set_nonblocking(true).expect("a socket");
        let mut room = [0; 2048];
        let mut events = Vec::new();
        while let Ok(length) = self.collector.recv(&mut room) {
            let message = String::from_utf8_lossy(&room[..length]).into_owned();
            assert!(message.starts_with("<158>1 20"), "local3, info: {message}");
            assert!(
                message.contains(&format!("hw_address=\"{hw}\"")),
                "{message}"
            );
            events.push(message.split(' ').nth(5).unwrap_or_default().to_owned());
        }
        let files = [&self.rotated, &self.file].into_iter();
        let told: Vec<_> = files.flat_map(|file| lines(file)).collect();
        let told: Vec<_> = told
            .iter()
            .filter_map(|line| line["event"].as_str())
            .collect();
        assert_eq!(events, told);
    }
}

#[test]
fn a_lease_is_told_to_the_file_to_syslog_and_to_the_metrics() {
    if !may_make_namespaces() {
        return;
    }
    let mut scene = Scene::new();
    wait_until_it_is(&scene.namespace, "free");
    let mut holder = Client::start(&scene.lab, &scene.client, Dhclient);
    let hw = scene.first_life(&mut holder);
    scene.second_life(&mut holder, &hw);
    scene.figures_are_told();
    scene.server.stop();
    scene.syslog_says_the_same(&hw);
}
