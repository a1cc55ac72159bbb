//! Many clients, a relay in between, a second server beside.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use lessor_tests::agent::{Acquire, Agent, Answer, Query, Request, Subscriber};
use lessor_tests::clients::{Client, Dhclient, Event, INTERFACE};
use lessor_tests::config::Config;
use lessor_tests::dnsmasq::{Dnsmasq, Range};
use lessor_tests::lab::{Lab, Link};
use lessor_tests::lessor::{Lessor, State};
use lessor_tests::relay::Dhcrelay;
use lessor_tests::{may_make_namespaces, wait};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

#[test]
fn two_hundred_clients_at_once_get_an_address_each() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let clients = lab.plugged(&link, "clients");
    let server = lab.plugged(&link, "server");
    let server = Lessor::start(&lab, &server, &Config::new("10.77.0.10-10.77.0.209"));
    let mut agent = Agent::direct(&clients, "eth0");
    let mut acquire = Acquire::new(1, 200);
    agent.converse(&mut acquire, 200);
    let addresses: BTreeSet<Ipv4Addr> = acquire.held.values().copied().collect();
    let pool: BTreeSet<Ipv4Addr> = (10..=209).map(|n| Ipv4Addr::new(10, 77, 0, n)).collect();
    assert_eq!(addresses, pool);
    assert_eq!(server.active().len(), 200);
}

/// ```text
///   dhclient ── 10.80.0.0/24 ── dhcrelay ── 10.77.0.0/24 ── Lessor
/// ```
#[test]
fn a_client_behind_debians_relay_obtains_renews_rebinds_and_releases() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (access, core) = (lab.link("access"), lab.link("core"));
    let client = lab.plugged(&access, "client");
    let relay = lab.plugged(&access, "relay");
    core.plug(&relay, "eth1");
    relay.ip("addr add 10.80.0.1/24 dev eth0");
    relay.ip("addr add 10.77.0.2/24 dev eth1");
    let server = lab.plugged(&core, "server");
    let config = Config {
        subnet: "10.80.0.0/24".into(),
        router: Ipv4Addr::new(10, 80, 0, 1),
        routes: vec![("10.80.0.0/24".into(), Ipv4Addr::new(10, 77, 0, 2))],
        ..Config::new("10.80.0.10-10.80.0.200").with_terms("300s", "4s", "10s")
    };
    let mut server = Lessor::start(&lab, &server, &config);
    let _relay = Dhcrelay::start(&lab, &relay, ("eth0", "eth1"), SERVER);

    let mut client = Client::start(&lab, &client, Dhclient);
    client.wait_for(Event::Bound);
    let address = client.address();
    client.wait_for(Event::Unicast);
    client.wait_for(Event::Renewed);
    server.stop();
    client.wait_for(Event::Broadcast);
    server.restart();
    client.wait_for(Event::Rebound);
    assert_eq!(client.address(), address);
    assert_eq!(server.state(address), Some(State::Active));
    client.release();
    wait::until_true("the server hears the RELEASE", || {
        server.state(address) == Some(State::Released)
    });
}

/// A server with one address offers it; the client takes the longer lease of another server, and
/// the address can be offered to the next client at once.
fn gives_way(lab: &Lab, link: &Link) {
    let config = Config {
        address: "10.77.0.3/24".into(),
        // Longer than this test, so that only the client's choice can end it.
        offer_hold: "1h".into(),
        ..Config::new("10.77.0.50-10.77.0.50")
    };
    let second = lab.plugged(link, "second");
    let _second = Lessor::start(lab, &second, &config);
    let only = Ipv4Addr::new(10, 77, 0, 50);

    let clients = lab.plugged(link, "clients");
    let mut agent = Agent::direct(&clients, INTERFACE);
    for subscriber in 1..=3 {
        let offers = agent.collect_offers(Subscriber(subscriber), 2);
        assert!(offers.iter().any(|offer| offer.address == only));
        let longest = offers.iter().max_by_key(|offer| offer.lease_time);
        let longest = longest.expect("there are two");
        assert_eq!(longest.server, SERVER);
        let request = Request::Select(longest.address, longest.server);
        let ack = agent.ask(Query::new(Subscriber(subscriber), request));
        assert_eq!((ack.answer, ack.address), (Answer::Ack, longest.address));
    }
}

#[test]
fn the_address_of_a_server_not_chosen_is_free_again_beside_another_lessor() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let config = Config {
        lease_time: "4h".into(),
        ..Config::new("10.77.0.10-10.77.0.40")
    };
    let first = lab.plugged(&link, "first");
    let first = Lessor::start(&lab, &first, &config);
    gives_way(&lab, &link);
    assert_eq!(first.active().len(), 3);
}

#[test]
fn the_address_of_a_server_not_chosen_is_free_again_beside_dnsmasq() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let first = lab.plugged(&link, "first");
    first.ip(&format!("addr add {SERVER}/24 dev eth0"));
    let range = Range {
        first: Ipv4Addr::new(10, 77, 0, 10),
        last: Ipv4Addr::new(10, 77, 0, 40),
        lease_time: 4 * 3600,
        t1_t2: None,
    };
    let _first = Dnsmasq::start(&lab, &first, range);
    gives_way(&lab, &link);
}
