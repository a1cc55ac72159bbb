//! Real traffic, and `lessor why` about it: each decision with its rule, also about a lease that an
//! operator ends.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what fails ends the test with its message"
)]

use std::net::Ipv4Addr;

use lessor_tests::agent::{Agent, Answer, Query, Request, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::may_make_namespaces;
use serde_json::Value;

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// Hardware address of a subscriber.
fn hw(subscriber: Subscriber) -> String {
    let octets = subscriber.chaddr().map(|octet| format!("{octet:02x}"));
    octets.join(":")
}

/// What the server says of a client: message, answer, rule.
fn why(server: &Lessor, client: &str) -> Vec<[String; 3]> {
    let text = server.cli(&["why", client, "--json"]);
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        ["message", "answer", "rule"].map(|key| row[key].as_str().unwrap().to_owned())
    };
    text.lines().map(row).collect()
}

fn rows(rows: &[[&str; 3]]) -> Vec<[String; 3]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

#[test]
fn each_decision_about_a_client_is_told_with_its_rule() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let (relay, server) = lab.relay_and_server(GIADDR, 24);
    let server = Lessor::start(&lab, &server, &Config::new("10.77.0.10-10.77.0.10"));
    let mut agent = Agent::relay(&relay, GIADDR, SERVER);
    let (first, second) = (Subscriber(1), Subscriber(2));
    let offer = agent.ask(Query::new(first, Request::Discover));
    let select = Request::Select(offer.address, offer.server);
    let ack = agent.ask(Query::new(first, select));
    assert_eq!(ack.answer, Answer::Ack);
    agent.tell(&Query::new(second, Request::Discover));
    let nak = agent.ask(Query::new(second, Request::Rebind(ack.address)));
    assert_eq!(nak.answer, Answer::Nak);
    assert_eq!(
        why(&server, &hw(first)),
        rows(&[
            ["discover", "offer", "new"],
            ["request", "ack", "offer_taken"]
        ])
    );
    assert_eq!(
        why(&server, &hw(second)),
        rows(&[
            ["discover", "none", "no_address"],
            ["request", "nak", "in_use"]
        ])
    );
    let address = ack.address.to_string();
    let shown = server.cli(&["why", &address, "-n", "2"]);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 2, "{shown}");
    assert!(lines[0].contains("REQUEST (selecting)"), "{shown}");
    assert!(
        lines[0].contains("It takes our offer (RFC 2131 §4.3.2, C41)."),
        "{shown}"
    );
    assert!(lines[0].contains("Sent when durable, after "), "{shown}");
    assert!(
        lines[1].contains("NAK") && lines[1].contains(&hw(second)),
        "{shown}"
    );
    // Ended by an operator, the address is the other one's.
    let said = server.cli(&["leases", "release", &hw(first)]);
    assert!(said.starts_with("released: 10.77.0.10 of "), "{said}");
    let ended = why(&server, &hw(first)).pop();
    assert_eq!(ended, rows(&[["none", "ended", "operator"]]).pop());
    let offer = agent.ask(Query::new(second, Request::Discover));
    assert_eq!(offer.address, ack.address);
}
