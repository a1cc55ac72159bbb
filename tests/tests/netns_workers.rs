//! Several workers on one veth, whose `af_packet` device has one queue: every client that is not
//! the first worker's is handed over.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails ends the test with its message"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use lessor_tests::agent::{Agent, Answer, Query, Request, Subscriber};
use lessor_tests::clients::{Client, Dhclient, Dhcpcd, Event, INTERFACE, Udhcpc};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::{Lessor, State};
use lessor_tests::{may_make_namespaces, wait};
use serde_json::Value;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

fn count(server: &Lessor, group: &str, name: &str) -> u64 {
    let stats: Value = serde_json::from_str(&server.cli(&["stats", "--json"])).unwrap();
    let count = stats["counters"][group][name].as_u64();
    count.unwrap_or_else(|| unreachable!("{group} {name} in {stats}"))
}

#[test]
fn leases_outlast_any_change_of_the_number_of_workers() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (relay, server) = lab.relay_and_server(GIADDR, 24);
    let mut config = Config::new("10.77.0.10-10.77.0.99");
    config.workers = 2;
    let mut server = Lessor::start(&lab, &server, &config);
    assert!(
        server.log().contains("event=port.queues"),
        "{}",
        server.log()
    );
    let mut agent = Agent::relay(&relay, GIADDR, SERVER);
    let mut held = BTreeMap::new();
    for number in 0..40 {
        let client = Subscriber(number);
        let offer = agent.ask(Query::new(client, Request::Discover));
        let select = Request::Select(offer.address, offer.server);
        let reply = agent.ask(Query::new(client, select));
        assert_eq!((reply.answer, reply.address), (Answer::Ack, offer.address));
        held.insert(client, reply.address);
    }
    let addresses: BTreeSet<_> = held.values().copied().collect();
    assert_eq!(addresses.len(), held.len());
    assert!(count(&server, "worker_0", "handed_over") > 0);
    assert!(count(&server, "worker_1", "taken_over") > 0);
    assert!(count(&server, "worker_0", "carried") > 0);
    let shares = ["worker_0", "worker_1"].map(|worker| count(&server, worker, "bindings"));
    assert_eq!(shares.iter().sum::<u64>(), 40);
    for workers in [1, 3, 2] {
        server.stop();
        config.workers = workers;
        server.reconfigure(&config);
        server.restart();
        assert_eq!(server.active().len(), held.len());
        for (client, address) in &held {
            let reply = agent.ask(Query::new(*client, Request::Rebind(*address)));
            assert_eq!((reply.answer, reply.address), (Answer::Ack, *address));
            let shown = server.cli(&["leases", "show", &address.to_string(), "--json"]);
            assert!(shown.contains("active"), "{shown}");
        }
        // A newcomer gets none of them.
        let offer = agent.ask(Query::new(Subscriber(1000), Request::Discover));
        assert!(!addresses.contains(&offer.address));
        assert_eq!(count(&server, "bindings", "inconsistent"), 0);
        assert_eq!(count(&server, "drops", "hand_over_full"), 0);
    }
    server.stop();
    server.verify_store();
}

#[test]
fn udhcpc_dhclient_and_dhcpcd_are_served_by_two_workers() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let server_namespace = lab.namespace("server");
    link.plug(&server_namespace, "eth0");
    let namespaces = ["a", "b", "c", "d", "e", "f"].map(|role| {
        let namespace = lab.namespace(role);
        link.plug(&namespace, INTERFACE);
        namespace
    });
    let mut config = Config::new("10.77.0.10-10.77.0.200").with_terms("300s", "4s", "10s");
    config.workers = 2;
    let server = Lessor::start(&lab, &server_namespace, &config);
    let clients = namespaces
        .iter()
        .enumerate()
        .map(|(n, namespace)| match n % 3 {
            0 => Client::start(&lab, namespace, Udhcpc::default()),
            1 => Client::start(&lab, namespace, Dhclient),
            _ => Client::start(&lab, namespace, Dhcpcd::default()),
        });
    let mut clients: Vec<_> = clients.collect();
    let mut addresses = BTreeSet::new();
    for client in &mut clients {
        client.wait_for(Event::Bound);
        assert_eq!(server.state(client.address()), Some(State::Active));
        assert!(addresses.insert(client.address()));
    }
    for client in clients.iter_mut().skip(1).step_by(3) {
        client.wait_for(Event::Renewed);
    }
    // The kernel drops a RELEASE for whose next hop it still asks when the client takes its address
    // away, which it does at once: with two workers that poll there is no core left to answer ARP
    // in time.
    let shown = server_namespace.ip("-o link show eth0");
    let link_layer = shown.split("link/ether ").nth(1).unwrap();
    let link_layer = link_layer.split(' ').next().unwrap();
    for namespace in &namespaces {
        let to = format!("neigh replace {SERVER} lladdr {link_layer}");
        namespace.ip(&format!("{to} dev {INTERFACE} nud permanent"));
    }
    for mut client in clients {
        let address = client.address();
        client.release();
        wait::until_true("the server hears the RELEASE", || {
            server.state(address) == Some(State::Released)
        });
    }
}
