//! Clients that obtain, extend and release leases while the server or its disk is being broken,
//! and what they know of it: an address that a client was told it holds is its own.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::agent::{Agent, Answer, Query, Reply, Request, Script, Subscriber};
use crate::lessor::Lessor;

/// Conversations at the same time.
pub const WINDOW: usize = 64;

/// What the clients know: who holds what by an ACK and has not begun to give it up.
#[derive(Clone, Debug, Default)]
pub struct Held {
    by_client: BTreeMap<Subscriber, Ipv4Addr>,
    by_address: BTreeMap<Ipv4Addr, Subscriber>,
}

impl Held {
    /// How many hold an address.
    #[must_use]
    pub fn count(&self) -> usize {
        self.by_client.len()
    }

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

    fn forget(&mut self, subscriber: Subscriber) {
        if let Some(address) = self.by_client.remove(&subscriber) {
            self.by_address.remove(&address);
        }
    }

    /// Everybody's lease is in the server's list, which it reads from its store when it does not
    /// run, with its owner, and no address has two.
    pub fn verify(&self, server: &Lessor) {
        let mut owners = BTreeMap::new();
        for lease in server.active() {
            let other = owners.insert(lease.address, lease.chaddr);
            assert!(other.is_none(), "{} has two owners", lease.address);
        }
        for (address, subscriber) in &self.by_address {
            let owner = owners.get(address);
            assert_eq!(owner, Some(&Some(subscriber.chaddr())), "{address}");
        }
    }

    /// About `most` of the clients, the `turn`th of the ways to choose them, ask for what they
    /// hold as after a reboot, and must be told that it is so.
    pub fn reboot(&self, agent: &mut Agent, most: usize, turn: usize) {
        let step = self.by_client.len().div_ceil(most).max(1);
        let chosen = self.by_client.iter().skip(turn % step).step_by(step);
        let query = |(client, address): (&Subscriber, &Ipv4Addr)| {
            Query::new(*client, Request::Reboot(*address))
        };
        let mut check = Check {
            queries: chosen.map(query).collect(),
            held: self,
        };
        agent.converse(&mut check, WINDOW);
    }
}

/// What the load and those who break its server tell one another.
#[derive(Debug, Default)]
pub struct Traffic {
    /// ACKs to newcomers and holders.
    acks: AtomicU64,
    /// The load is to end.
    ended: AtomicBool,
    /// What is acknowledged from here on may be lost.
    doubtful: AtomicBool,
}

impl Traffic {
    /// ACKs so far.
    #[must_use]
    pub fn acks(&self) -> u64 {
        self.acks.load(Ordering::Acquire)
    }

    /// Ends the load.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// From here on a newcomer's ACK does not make it a holder.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::Release);
    }

    fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Acquire)
    }
}

/// Newcomers obtain leases, holders extend theirs, and some release, until it is ended.
#[derive(Debug)]
pub struct Load<'a> {
    /// Who holds what.
    pub held: &'a mut Held,
    /// Who is to come. They come as long as the load lasts.
    pub newcomers: Range<u32>,
    /// Of how many queries one is a newcomer's.
    pub coming: u32,
    /// Of how many queries one is a release, while somebody comes.
    pub leaving: u32,
    /// The server's identifier.
    pub server: Ipv4Addr,
    /// Counts, and says when to end.
    pub traffic: &'a Traffic,
    turn: u32,
}

impl<'a> Load<'a> {
    /// One of eight queries is a newcomer's, and one of twenty a release.
    pub fn new(
        held: &'a mut Held,
        newcomers: Range<u32>,
        server: Ipv4Addr,
        traffic: &'a Traffic,
    ) -> Self {
        Self {
            held,
            newcomers,
            coming: 8,
            leaving: 20,
            server,
            traffic,
            turn: 0,
        }
    }

    fn newcomer(&mut self) -> Option<Query> {
        let newcomer = self.newcomers.next()?;
        Some(Query::new(Subscriber(newcomer), Request::Discover))
    }

    /// A holder, spread over all of them.
    fn holder(&self) -> Option<(Subscriber, Ipv4Addr)> {
        let start = Subscriber(self.turn.wrapping_mul(7919) % self.newcomers.end.max(1));
        let held = &self.held.by_client;
        let found = held.range(start..).next().or_else(|| held.iter().next());
        found.map(|(&subscriber, &address)| (subscriber, address))
    }

    fn acknowledged(&mut self, query: &Query, reply: &Reply) {
        self.traffic.acks.fetch_add(1, Ordering::AcqRel);
        if let Request::Rebind(_) = query.request {
            // It may have released in the meantime; then this says nothing.
            let held = self.held.by_client.get(&query.subscriber);
            assert!(held.is_none_or(|held| *held == reply.address));
        } else if !self.traffic.is_doubtful() {
            self.held.ack(query.subscriber, reply.address);
        }
    }
}

impl Script for Load<'_> {
    fn next_query(&mut self) -> Option<Query> {
        self.turn += 1;
        if self.turn.is_multiple_of(self.coming)
            && let Some(query) = self.newcomer()
        {
            return Some(query);
        }
        let Some((subscriber, address)) = self.holder() else {
            return self.newcomer();
        };
        // Fewer leave than come.
        let leaves = self.turn.is_multiple_of(self.leaving) && !self.newcomers.is_empty();
        let request = if leaves {
            // From here on the client may or may not hold it.
            self.held.forget(subscriber);
            Request::Release(address, self.server)
        } else {
            Request::Rebind(address)
        };
        Some(Query::new(subscriber, request))
    }

    fn on_reply(&mut self, query: &Query, reply: &Reply) -> Option<Query> {
        let next = |request| Some(Query::new(query.subscriber, request));
        match (reply.answer, query.request) {
            (Answer::Offer, _) => next(Request::Select(reply.address, reply.server)),
            (Answer::Ack, _) => {
                self.acknowledged(query, reply);
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
        !self.traffic.ended.load(Ordering::Acquire)
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
