//! A real server under traffic whose file changes again and again.

#![allow(
    clippy::unwrap_used,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use lessor_tests::agent::{Agent, Answer, Query, Request, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::may_make_namespaces;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

fn lease(agent: &mut Agent, client: Subscriber) -> Ipv4Addr {
    let offer = agent.ask(Query::new(client, Request::Discover));
    let select = Request::Select(offer.address, offer.server);
    let reply = agent.ask(Query::new(client, select));
    assert_eq!(reply.answer, Answer::Ack);
    reply.address
}

#[test]
fn clients_keep_their_leases_while_the_file_changes() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (relay, server) = lab.relay_and_server(GIADDR, 24);
    let mut config = Config::new("10.77.0.10-10.77.0.99");
    config.workers = 2;
    let mut server = Lessor::start(&lab, &server, &config);
    let mut agent = Agent::relay(&relay, GIADDR, SERVER);
    let mut held = BTreeMap::new();
    for round in 1..=8 {
        for number in 0..4 {
            let client = Subscriber(round * 100 + number);
            held.insert(client, lease(&mut agent, client));
        }
        let hours = 1 + round % 3;
        config.lease_time = format!("{hours}h");
        server.reconfigure(&config);
        server.hang_up();
        server.wait_for_events("config.reloaded", round as usize);
        for (client, address) in &held {
            let reply = agent.ask(Query::new(*client, Request::Rebind(*address)));
            assert_eq!((reply.answer, reply.address), (Answer::Ack, *address));
            assert_eq!(reply.lease_time, hours * 3600);
        }
    }
    config.pool = "10.77.0.10-10.99.0.99".into();
    server.reconfigure(&config);
    server.hang_up();
    server.wait_for_events("config.reload_refused", 1);
    let (client, address) = held.iter().next().unwrap();
    let reply = agent.ask(Query::new(*client, Request::Rebind(*address)));
    assert_eq!((reply.answer, reply.address), (Answer::Ack, *address));
    // A pool elsewhere: leases run on as they were granted, and newcomers get none of them.
    config.pool = "10.77.0.150-10.77.0.199".into();
    server.reconfigure(&config);
    let told = server.cli(&["reload"]);
    assert!(told.contains("kept to their end: 32 leases"), "{told}");
    for (client, address) in &held {
        let reply = agent.ask(Query::new(*client, Request::Rebind(*address)));
        assert_eq!((reply.answer, reply.address), (Answer::Ack, *address));
    }
    let new = lease(&mut agent, Subscriber(5000));
    assert!(new >= Ipv4Addr::new(10, 77, 0, 150));
    server.stop();
    server.verify_store();
}
