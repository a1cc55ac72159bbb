//! A disk that refuses writes under the server as it is: what an operator and the clients see.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::agent::{Agent, Answer, Query, Request, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::{may_make_namespaces, wait};
use serde_json::Value;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
/// The log of the server stays shorter, its segment does not.
const LIMIT: u64 = 64 << 10;
/// Commits of a block each that make the segment longer than that.
const FILLERS: u32 = 20;

struct World {
    server: Lessor,
    agent: Agent,
    _lab: Lab,
}

impl World {
    fn new(on_store_failure: &str) -> Self {
        let lab = Lab::new();
        let link = lab.link("link");
        let client = lab.namespace("client");
        let server = lab.namespace("server");
        link.plug(&client, "eth0");
        link.plug(&server, "eth0");
        let config = Config {
            on_store_failure: on_store_failure.into(),
            ..Config::new("10.77.0.10-10.77.0.250")
        };
        let server = Lessor::start(&lab, &server, &config);
        let mut world = Self {
            agent: Agent::direct(&client, "eth0"),
            server,
            _lab: lab,
        };
        for client in 0..FILLERS {
            let addr = world.offered(client);
            world.acknowledged(client, addr);
        }
        world
    }

    fn offered(&mut self, client: u32) -> Ipv4Addr {
        let reply = self
            .agent
            .ask(Query::new(Subscriber(client), Request::Discover));
        assert_eq!(reply.answer, Answer::Offer);
        reply.address
    }

    fn acknowledged(&mut self, client: u32, addr: Ipv4Addr) {
        let reply = self.agent.ask(select(client, addr));
        assert_eq!((reply.answer, reply.address), (Answer::Ack, addr));
    }

    fn stats(&self) -> Value {
        let text = self.server.cli(&["stats", "--json"]);
        serde_json::from_str(&text).expect("statistics in JSON")
    }

    fn acks(&self) -> Value {
        self.stats()["counters"]["messages_out"]["ack"].clone()
    }
}

fn select(client: u32, addr: Ipv4Addr) -> Query {
    Query::new(Subscriber(client), Request::Select(addr, SERVER))
}

#[test]
fn a_disk_that_refuses_writes_is_told_with_its_beginning_and_service_resumes() {
    if !may_make_namespaces() {
        return;
    }
    let mut world = World::new("retry");
    let addr = world.offered(100);
    world.server.limit_files(Some(LIMIT));
    world.agent.tell(&select(100, addr));
    wait::until_true("the alarm", || !world.stats()["store_trouble"].is_null());
    let trouble = world.stats()["store_trouble"].clone();
    assert_eq!(trouble["state"], "failed");
    let text = |key: &str| trouble[key].as_str().unwrap_or_default().to_owned();
    assert!(text("reason").contains("File too large"), "{trouble}");
    assert!(text("file").contains("/store/segment-"), "{trouble}");
    assert!(text("since").starts_with("20") && text("since").ends_with('Z'));
    let shown = world.server.cli(&["stats"]);
    let line = format!("store failed since {}: ", text("since"));
    assert!(shown.contains(&line), "{shown}");

    // Offers go on, requests are shed, nobody is acknowledged.
    let other = world.offered(101);
    world.agent.tell(&select(101, other));
    wait::until_true("the REQUEST is shed", || {
        world.stats()["counters"]["silences"]["journal_full"] != 0
    });
    assert_eq!(
        world.acks(),
        u64::from(FILLERS) + 1,
        "one is written and parked"
    );
    assert_eq!(world.server.active().len(), FILLERS as usize);

    world.server.limit_files(None);
    world.acknowledged(100, addr);
    world.acknowledged(101, other);
    assert!(world.stats()["store_trouble"].is_null());
    let log = world.server.log();
    let failed = format!("since={}", text("since"));
    for event in ["event=store.failed", "event=store.recovered"] {
        let line = log.lines().find(|line| line.contains(event));
        let line = line.unwrap_or_else(|| panic!("{event} in {log}"));
        assert!(line.contains(&failed), "{line}");
    }
    world.server.stop();
    world.server.verify_store();
}

#[test]
fn a_server_that_is_to_stop_when_its_store_fails_stops_with_74() {
    if !may_make_namespaces() {
        return;
    }
    let mut world = World::new("stop");
    let addr = world.offered(100);
    world.server.limit_files(Some(LIMIT));
    world.agent.tell(&select(100, addr));
    assert_eq!(world.server.ended(), Some(74));
    let log = world.server.log();
    for text in [
        "event=store.failed",
        "event=server.failed",
        "the store has failed: File too large",
    ] {
        assert!(log.contains(text), "{text} in {log}");
    }
    world.server.verify_store();
    assert_eq!(world.server.active().len(), FILLERS as usize);
    world.server.restart();
    world.acknowledged(100, addr);
}
