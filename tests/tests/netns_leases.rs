//! Leases that were exported and imported into an empty store are their clients' still.

#![allow(
    clippy::unwrap_used,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;

use lessor_tests::agent::{Agent, Answer, Query, Request, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::may_make_namespaces;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

#[test]
fn clients_renew_what_was_imported() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (relay, server) = lab.relay_and_server(GIADDR, 24);
    let store = lab.dir().join(server.role()).join("store");
    let config = Config::new("10.77.0.10-10.77.0.99");
    let mut server = Lessor::start(&lab, &server, &config);
    let mut agent = Agent::relay(&relay, GIADDR, SERVER);
    let mut held = BTreeMap::new();
    for number in 0..20 {
        let client = Subscriber(number);
        let offer = agent.ask(Query::new(client, Request::Discover));
        let select = Request::Select(offer.address, offer.server);
        let reply = agent.ask(Query::new(client, select));
        assert_eq!(reply.answer, Answer::Ack);
        held.insert(client, reply.address);
    }
    for (name, rounds) in [("leases.csv", 1), ("leases.jsonl", 2)] {
        let file = lab.dir().join(name).display().to_string();
        let format = name.rsplit('.').next().unwrap();
        drop(server.cli(&["leases", "export", "--format", format, "-o", &file]));
        server.stop();
        fs::remove_dir_all(&store).unwrap();
        drop(server.cli(&["leases", "import", &file]));
        server.verify_store();
        server.restart();
        assert_eq!(server.active().len(), held.len());
        for (client, address) in &held {
            for _ in 0..rounds {
                let reply = agent.ask(Query::new(*client, Request::Rebind(*address)));
                assert_eq!((reply.answer, reply.address), (Answer::Ack, *address));
            }
        }
        // A newcomer gets none of them.
        let offer = agent.ask(Query::new(Subscriber(1000), Request::Discover));
        assert!(!held.values().any(|address| *address == offer.address));
    }
}
