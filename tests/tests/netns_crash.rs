//! SIGKILL under load, again and again: an address that a client was told it holds is its own.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "what fails ends the test with its message"
)]

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use lessor_tests::agent::{Agent, Answer, Query, Reply, Request, Script, Subscriber};
use lessor_tests::config::Config;
use lessor_tests::lab::Lab;
use lessor_tests::lessor::Lessor;
use lessor_tests::{may_make_namespaces, wait};

const ROUNDS: u32 = 20;
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const GIADDR: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
/// Conversations at the same time.
const WINDOW: usize = 64;
/// New clients of a round, as long as it lasts.
const NEWCOMERS: u32 = 1000;

/// What the clients know: who holds what by an ACK and has not begun to give it up.
#[derive(Debug, Default)]
struct Held {
    by_client: BTreeMap<Subscriber, Ipv4Addr>,
    by_address: BTreeMap<Ipv4Addr, Subscriber>,
}

impl Held {
    fn ack(&mut self, subscriber: Subscriber, address: Ipv4Addr) {
        let other = self.by_address.insert(address, subscriber);
        assert!(
            other.is_none_or(|other| other == subscriber),
            "{address} is {subscriber:?}'s, and {other:?} holds it"
        );
        let before = self.by_client.insert(subscriber, address);
        assert!(
            before.is_none_or(|before| before == address),
            "{subscriber:?} holds {before:?} and was given {address}"
        );
    }

    fn forget(&mut self, subscriber: Subscriber) -> Option<Ipv4Addr> {
        let address = self.by_client.remove(&subscriber)?;
        self.by_address.remove(&address);
        Some(address)
    }
}

/// Newcomers obtain leases, those of earlier rounds extend theirs, and some release, until the
/// server is killed.
struct Load<'a> {
    held: &'a mut Held,
    newcomers: Range<u32>,
    turn: u32,
    flows: &'a AtomicBool,
    killed: &'a AtomicBool,
}

impl Load<'_> {
    fn newcomer(&mut self) -> Option<Query> {
        let newcomer = self.newcomers.next()?;
        Some(Query::new(Subscriber(newcomer), Request::Discover))
    }

    /// A holder, spread over all of them.
    fn holder(&self) -> Option<(Subscriber, Ipv4Addr)> {
        let start = Subscriber(self.turn.wrapping_mul(7919) % self.newcomers.end);
        let held = &self.held.by_client;
        let found = held.range(start..).next().or_else(|| held.iter().next());
        found.map(|(&subscriber, &address)| (subscriber, address))
    }
}

impl Script for Load<'_> {
    fn next_query(&mut self) -> Option<Query> {
        self.turn += 1;
        if self.turn.is_multiple_of(8)
            && let Some(query) = self.newcomer()
        {
            return Some(query);
        }
        let Some((subscriber, address)) = self.holder() else {
            return self.newcomer();
        };
        // Fewer leave than come.
        let leaves = self.turn.is_multiple_of(20) && !self.newcomers.is_empty();
        let request = if leaves {
            // From here on the client may or may not hold it.
            self.held.forget(subscriber);
            Request::Release(address, SERVER)
        } else {
            Request::Rebind(address)
        };
        Some(Query::new(subscriber, request))
    }

    fn on_reply(&mut self, query: &Query, reply: &Reply) -> Option<Query> {
        let next = |request| Some(Query::new(query.subscriber, request));
        match (reply.answer, query.request) {
            (Answer::Offer, _) => next(Request::Select(reply.address, reply.server)),
            (Answer::Ack, Request::Rebind(_)) => {
                // It may have released in the meantime; then this says nothing.
                let held = self.held.by_client.get(&query.subscriber);
                assert!(held.is_none_or(|held| *held == reply.address));
                None
            }
            (Answer::Ack, _) => {
                self.flows.store(true, Ordering::Release);
                self.held.ack(query.subscriber, reply.address);
                None
            }
            (Answer::Nak, Request::Rebind(_)) => {
                let held = self.held.by_client.get(&query.subscriber);
                assert_eq!(held, None, "{query:?} of a holder was refused");
                None
            }
            (Answer::Nak, _) => next(Request::Discover),
        }
    }

    fn goes_on(&self) -> bool {
        !self.killed.load(Ordering::Acquire)
    }
}

/// Each client asks for what it holds as after a reboot, and must be told that it is so.
struct Check<'a> {
    queries: Vec<Query>,
    held: &'a Held,
}

impl Script for Check<'_> {
    fn next_query(&mut self) -> Option<Query> {
        self.queries.pop()
    }

    fn on_reply(&mut self, query: &Query, reply: &Reply) -> Option<Query> {
        let held = self.held.by_client.get(&query.subscriber);
        let told = (reply.answer == Answer::Ack).then_some(&reply.address);
        assert_eq!(told, held, "{query:?} after the restart: {reply:?}");
        None
    }
}

/// A time of up to 1.2 s.
fn moment() -> Duration {
    Duration::from_millis(RandomState::new().hash_one(0) % 1200)
}

#[test]
fn every_ack_that_a_client_saw_outlives_kill_nine() {
    if !may_make_namespaces() {
        return;
    }
    let lab = Lab::new();
    let link = lab.link("link");
    let relay = lab.namespace("relay");
    let server = lab.namespace("server");
    link.plug(&relay, "eth0");
    link.plug(&server, "eth0");
    relay.ip(&format!("addr add {GIADDR}/16 dev eth0"));
    let config = Config {
        address: format!("{SERVER}/16"),
        subnet: "10.77.0.0/16".into(),
        ..Config::new("10.77.1.0-10.77.250.255")
    };
    let mut server = Lessor::start(&lab, &server, &config);
    let mut agent = Agent::relay(&relay, GIADDR, SERVER);
    let mut held = Held::default();
    for round in 0..ROUNDS {
        let (flows, killed) = (AtomicBool::new(false), AtomicBool::new(false));
        let mut load = Load {
            held: &mut held,
            newcomers: round * NEWCOMERS..(round + 1) * NEWCOMERS,
            turn: 0,
            flows: &flows,
            killed: &killed,
        };
        let after = moment();
        thread::scope(|scope| {
            scope.spawn(|| {
                wait::until_true("the first ACK", || flows.load(Ordering::Acquire));
                thread::sleep(after);
                server.kill();
                killed.store(true, Ordering::Release);
            });
            agent.converse(&mut load, WINDOW);
        });
        server.verify_store();
        server.restart();
        check(&mut agent, &held, &server);
        let holders = held.by_client.len();
        eprintln!("round {round}: killed after {after:?}, {holders} clients hold what they held");
    }
    // Every round has seen an ACK, and a third of those who come leave again.
    assert!(held.by_client.len() >= ROUNDS as usize / 2);
}

fn check(agent: &mut Agent, held: &Held, server: &Lessor) {
    let reboot = |(client, address): (&Subscriber, &Ipv4Addr)| {
        Query::new(*client, Request::Reboot(*address))
    };
    let mut check = Check {
        queries: held.by_client.iter().map(reboot).collect(),
        held,
    };
    agent.converse(&mut check, WINDOW);
    let mut owners = BTreeMap::new();
    for lease in server.active() {
        let other = owners.insert(lease.address, lease.chaddr);
        assert!(other.is_none(), "{} has two owners", lease.address);
    }
    for (address, subscriber) in &held.by_address {
        assert_eq!(owners.get(address), Some(&Some(subscriber.chaddr())));
    }
}
