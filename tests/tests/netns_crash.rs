//! SIGKILL under load, again and again: an address that a client was told it holds is its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use lessor_tests::agent::Agent;
use lessor_tests::config::Config;
use lessor_tests::holders::{Held, Load, Traffic, WINDOW};
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::{may_make_namespaces, wait};

const ROUNDS: u32 = 50;
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Clients before the first kill: with few, one renews again before its last ACK is sent.
const FIRST: u32 = 2000;
/// New clients of a round, as long as it lasts.
const NEWCOMERS: u32 = 400;
/// Clients that ask for their address after each restart; the store is asked for all.
const ASKING: usize = 250;

/// A time of less than that.
fn moment(most: Duration) -> Duration {
    let most = u64::try_from(most.as_millis()).expect("a short time");
    Duration::from_millis(RandomState::new().hash_one(0) % most)
}

/// Merged segments and snapshots that are in the store.
fn upkeep(store: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(store).expect("the store").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.starts_with("merged-") || name.starts_with("snapshot"))
        .collect()
}

/// The first clients.
fn populate(agent: &mut Agent, held: &mut Held) {
    let traffic = Traffic::default();
    let mut load = Load::new(held, 0..FIRST, SERVER, &traffic);
    load.coming = 1;
    thread::scope(|scope| {
        scope.spawn(|| {
            wait::until_true("the first clients", || traffic.acks() >= u64::from(FIRST));
            traffic.end();
        });
        agent.converse(&mut load, WINDOW);
    });
}

/// Load until a kill at some moment, now and then while the server is about to end by itself.
fn load(agent: &mut Agent, server: &mut Lessor, held: &mut Held, round: u32) -> u64 {
    let traffic = Traffic::default();
    let first = FIRST + round * NEWCOMERS;
    let newcomers = first..first + NEWCOMERS;
    let mut load = Load::new(held, newcomers, SERVER, &traffic);
    thread::scope(|scope| {
        scope.spawn(|| {
            wait::until_true("the first ACK", || traffic.acks() > 0);
            thread::sleep(moment(Duration::from_millis(400)));
            if round % 5 == 2 {
                // It writes a snapshot at the end.
                server.begin_stop();
                thread::sleep(moment(Duration::from_millis(300)));
            }
            server.kill();
            traffic.end();
        });
        agent.converse(&mut load, WINDOW);
    });
    traffic.acks()
}

#[test]
fn every_ack_that_a_client_saw_outlives_kill_nine() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (relay, server) = lab.relay_and_server(GIADDR, 16);
    let store = lab.dir().join("leases");
    let config = Config {
        address: format!("{SERVER}/16"),
        subnet: "10.77.0.0/16".into(),
        store: Some(store.clone()),
        // The kills are to hit merges and snapshots.
        segment_size: Some("1MiB".into()),
        ..Config::new("10.77.1.0-10.77.250.255")
    };
    let mut server = Lessor::start(&lab, &server, &config);
    let mut agent = Agent::relay(&relay, GIADDR, SERVER).with_moving_clients();
    let mut held = Held::default();
    populate(&mut agent, &mut held);
    let mut upkept = BTreeSet::new();
    let (mut acks, mut merges) = (0, 0);
    for round in 0..ROUNDS {
        acks += load(&mut agent, &mut server, &mut held, round);
        merges += server.events("store.merged").len();
        upkept.append(&mut upkeep(&store));
        server.verify_store();
        if round % 4 == 0 {
            // A start may be killed too.
            server.begin_restart();
            thread::sleep(moment(Duration::from_millis(400)));
            server.kill();
        }
        server.restart();
        held.verify(&server);
        held.reboot(&mut agent, ASKING, round as usize);
        eprintln!(
            "round {round}: {} holders, {acks} ACKs, {merges} merges",
            held.count()
        );
    }
    // Fewer leave than come.
    assert!(held.count() >= FIRST as usize / 2);
    assert!(merges >= ROUNDS as usize / 10, "{merges} merges");
    assert!(upkept.iter().any(|name| name.starts_with("merged-")));
    assert!(upkept.iter().any(|name| name.starts_with("snapshot")));
}
