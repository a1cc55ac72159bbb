//! `perfdhcp` as the relay of many clients, at rates far below what the server can do: no answer is
//! missing, late or wrong.
//!
//! It never repeats itself, so one commit that takes longer than a reply may wait shows as ACKs that
//! are missing. On a disk that writes back what the tests of full and failing disks have left, an
//! `fdatasync` may take that long: the store is in memory here. What is durable is proved elsewhere.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::may_make_namespaces;
use lessor_tests::perfdhcp::{Load, Perfdhcp, Report};
use serde_json::Value;
use tempfile::TempDir;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// A folder in memory.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a folder on tmpfs")
}

/// Both sides agree, and nothing is missing; if anything is, what the server says of itself is
/// told.
fn compare(server: &Lessor, reports: &[Report]) {
    if !reports.iter().all(Report::is_faultless) {
        for report in reports {
            eprintln!("{report:?}");
        }
        eprintln!("{}\n{}", server.cli(&["stats", "--json"]), server.log());
        panic!("perfdhcp has not got all answers");
    }
    let stats: Value = serde_json::from_str(&server.cli(&["stats", "--json"])).unwrap();
    let count = |group: &str, name: &str| stats["counters"][group][name].as_u64().unwrap();
    let sum = |of: fn(&Report) -> u64| reports.iter().map(of).sum::<u64>();
    assert_eq!(count("messages_out", "offer"), sum(|r| r.offers.received));
    let acks = sum(|r| r.acks.received + r.renewals.received);
    assert_eq!(count("messages_out", "ack"), acks);
    assert_eq!(count("messages_out", "nak"), 0);
    assert_eq!(count("silences", "released"), sum(|r| r.releases.sent));
    assert_eq!(count("bindings", "inconsistent"), 0);
    let active = sum(|r| r.acks.received - r.releases.sent);
    assert_eq!(count("bindings", "active"), active);
    assert_eq!(server.active().len() as u64, active);
}

#[test]
fn perfdhcp_has_all_answers_behind_one_relay() {
    if !may_make_namespaces() {
        return;
    }
    let (lab, store) = (Lab::new(), in_memory());
    let (relay, server) = lab.relay_and_server(RELAY, 24);
    relay.ip("addr add 10.78.0.1/32 dev eth0");
    let mut config = Config::new("10.78.1.0-10.78.255.200");
    config.store = Some(store.path().to_owned());
    config.subnet = "10.78.0.0/16".into();
    config.routes = vec![("10.78.0.0/16".into(), RELAY)];
    let server = Lessor::start(&lab, &server, &config);
    let load = Load {
        first: 0,
        clients: 100_000,
        rate: 200,
        renewals: 60,
        releases: 30,
        period: 10,
    };
    let giaddr = Ipv4Addr::new(10, 78, 0, 1);
    let report = Perfdhcp::start(&lab, &relay, (giaddr, SERVER), &load).wait();
    compare(&server, &[report]);
    assert!(report.acks.received > 1000, "{report:?}");
    assert!(report.renewals.received > 100, "{report:?}");
    assert!(report.releases.sent > 50, "{report:?}");
}

#[test]
fn perfdhcp_has_all_answers_behind_many_relays() {
    if !may_make_namespaces() {
        return;
    }
    let (lab, store) = (Lab::new(), in_memory());
    let (relay, server) = lab.relay_and_server(RELAY, 24);
    let mut config = Config::new("10.78.1.0-10.78.255.200");
    config.workers = 2;
    config.store = Some(store.path().to_owned());
    config.subnet = "10.78.0.0/16".into();
    config.routes = vec![("10.78.0.0/16".into(), RELAY)];
    let server = Lessor::start(&lab, &server, &config);
    let relays = 0..8;
    let started = relays.map(|n| {
        let giaddr = Ipv4Addr::new(10, 78, 0, 10 + n);
        relay.ip(&format!("addr add {giaddr}/32 dev eth0"));
        let load = Load {
            first: u32::from(n) << 16,
            clients: 12_500,
            rate: 25,
            renewals: 8,
            releases: 4,
            period: 10,
        };
        Perfdhcp::start(&lab, &relay, (giaddr, SERVER), &load)
    });
    let started: Vec<_> = started.collect();
    let reports = started.into_iter().map(|mut perfdhcp| perfdhcp.wait());
    let reports: Vec<_> = reports.collect();
    compare(&server, &reports);
    for report in reports {
        assert!(report.acks.received > 150, "{report:?}");
    }
}
