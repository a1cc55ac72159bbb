//! Probe before offer, where a real kernel answers:
//!
//! ```text
//!   squatter ──┐
//!   udhcpc ────┴── 10.77.0.0/24 ────────────────────────────────────────── Lessor    ARP
//!
//!   squatter ──┐
//!   dhclient ──┴── 10.80.0.0/24 ── dhcrelay, router ── 10.77.0.0/24 ────── Lessor    ICMP echo
//! ```

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::clients::{Client, Dhclient, Event, INTERFACE, Udhcpc};
use lessor_tests::config::Config;
use lessor_tests::lab::{Lab, Link, Namespace};
use lessor_tests::lessor::{Lessor, State};
use lessor_tests::may_make_namespaces;
use lessor_tests::relay::Dhcrelay;

/// A host that has all addresses of a pool but the last.
fn squatter(lab: &Lab, link: &Link, addresses: &[Ipv4Addr]) -> Namespace {
    let squatter = lab.plugged(link, "squatter");
    for addr in addresses {
        squatter.ip(&format!("addr add {addr}/24 dev {INTERFACE}"));
    }
    squatter
}

/// The client has the one address that nobody had; the others are set aside, and stay so over a
/// restart.
fn is_told_apart(server: &mut Lessor, client: &mut Client, taken: &[Ipv4Addr], free: Ipv4Addr) {
    client.wait_for(Event::Bound);
    assert_eq!(client.address(), free);
    assert_eq!(server.state(free), Some(State::Active));
    server.wait_for_events("lease.busy", taken.len());
    let all_set_aside = |server: &Lessor| {
        let mut states = taken.iter().map(|addr| server.state(*addr));
        states.all(|state| state == Some(State::Abandoned))
    };
    assert!(all_set_aside(server));
    server.stop();
    server.restart();
    assert!(all_set_aside(server));
}

#[test]
fn a_client_gets_another_address_than_a_host_of_its_link_has() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let taken = [10, 11, 12].map(|n| Ipv4Addr::new(10, 77, 0, n));
    let _squatter = squatter(&lab, &link, &taken);
    let client = lab.plugged(&link, "client");
    let server = lab.plugged(&link, "server");
    let config = Config {
        probe: "auto".into(),
        ..Config::new("10.77.0.10-10.77.0.13")
    };
    let mut server = Lessor::start(&lab, &server, &config);
    let mut client = Client::start(&lab, &client, Udhcpc::default());
    let free = Ipv4Addr::new(10, 77, 0, 13);
    is_told_apart(&mut server, &mut client, &taken, free);
}

#[test]
fn a_client_behind_a_relay_gets_another_address_than_a_host_there_has() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (access, core) = (lab.link("access"), lab.link("core"));
    let taken = [10, 11].map(|n| Ipv4Addr::new(10, 80, 0, n));
    let squatter = squatter(&lab, &access, &taken);
    squatter.ip("route add default via 10.80.0.1");
    let client = lab.plugged(&access, "client");
    let relay = lab.plugged(&access, "relay");
    core.plug(&relay, "eth1");
    relay.ip("addr add 10.80.0.1/24 dev eth0");
    relay.ip("addr add 10.77.0.2/24 dev eth1");
    let server = lab.plugged(&core, "server");
    let config = Config {
        probe: "auto".into(),
        subnet: "10.80.0.0/24".into(),
        router: Ipv4Addr::new(10, 80, 0, 1),
        routes: vec![("10.80.0.0/24".into(), Ipv4Addr::new(10, 77, 0, 2))],
        ..Config::new("10.80.0.10-10.80.0.12")
    };
    let mut server = Lessor::start(&lab, &server, &config);
    let us = Ipv4Addr::new(10, 77, 0, 1);
    let _relay = Dhcrelay::start(&lab, &relay, ("eth0", "eth1"), us);
    let mut client = Client::start(&lab, &client, Dhclient);
    let free = Ipv4Addr::new(10, 80, 0, 12);
    is_told_apart(&mut server, &mut client, &taken, free);
}
