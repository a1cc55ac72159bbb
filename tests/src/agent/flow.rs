//! Many conversations at once.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Instant;

use super::{Agent, Answer, Query, REPEAT, Reply, Request, Subscriber};
use crate::wait::PATIENCE;

/// What the agent's clients say, and what they make of the answers.
pub trait Script {
    /// The next conversation's first message; `None` when there is no more to begin.
    fn next_query(&mut self) -> Option<Query>;

    /// The answer to a query, and the message that follows it.
    fn on_reply(&mut self, query: &Query, reply: &Reply) -> Option<Query>;

    /// Whether the conversations are to go on. When not, what has already arrived is read, and the
    /// rest is left.
    fn goes_on(&self) -> bool {
        true
    }
}

struct Waiting {
    query: Query,
    begun: Instant,
    sent: Instant,
}

impl Agent {
    /// Holds the conversations of `script`, at most `window` at once, until all have ended or the
    /// script stops them. Panics when a query has no answer for too long.
    pub fn converse(&mut self, script: &mut impl Script, window: usize) {
        let mut waiting: HashMap<u32, Waiting> = HashMap::new();
        let mut repeated = Instant::now();
        while script.goes_on() {
            self.begin(script, &mut waiting, window);
            if waiting.is_empty() {
                return;
            }
            self.take_reply(script, &mut waiting);
            if repeated.elapsed() > REPEAT / 4 {
                repeated = Instant::now();
                self.repeat(&mut waiting);
            }
        }
        while self.take_reply(script, &mut waiting) {}
    }

    fn begin(
        &mut self,
        script: &mut impl Script,
        waiting: &mut HashMap<u32, Waiting>,
        window: usize,
    ) {
        while waiting.len() < window {
            let Some(query) = script.next_query() else {
                return;
            };
            let xid = self.next_xid();
            self.send(&query, xid);
            if query.is_answered() {
                waiting.insert(xid, Waiting::new(query));
            }
        }
    }

    /// Reads one reply and sends what follows it. `false` when none has arrived.
    fn take_reply(&self, script: &mut impl Script, waiting: &mut HashMap<u32, Waiting>) -> bool {
        let mut any = false;
        for reply in self.receive() {
            any = true;
            let xid = reply.xid;
            let Some(asked) = waiting.get(&xid).filter(|w| w.query.takes(&reply)) else {
                continue;
            };
            let query = asked.query;
            waiting.remove(&xid);
            if let Some(next) = script.on_reply(&query, &reply) {
                self.send(&next, xid);
                waiting.insert(xid, Waiting::new(next));
            }
        }
        any
    }

    fn repeat(&self, waiting: &mut HashMap<u32, Waiting>) {
        for (xid, asked) in waiting {
            assert!(
                asked.begun.elapsed() < PATIENCE,
                "no answer to {:?} within {} s",
                asked.query,
                PATIENCE.as_secs()
            );
            if asked.sent.elapsed() > REPEAT {
                asked.sent = Instant::now();
                self.send(&asked.query, *xid);
            }
        }
    }
}

impl Waiting {
    fn new(query: Query) -> Self {
        let now = Instant::now();
        Self {
            query,
            begun: now,
            sent: now,
        }
    }
}

/// New clients that each obtain a lease; a client that is refused begins again.
#[derive(Debug)]
pub struct Acquire {
    next: u32,
    end: u32,
    /// Who holds what.
    pub held: BTreeMap<Subscriber, Ipv4Addr>,
}

impl Acquire {
    /// `count` clients from number `first`.
    #[must_use]
    pub fn new(first: u32, count: u32) -> Self {
        Self {
            next: first,
            end: first + count,
            held: BTreeMap::new(),
        }
    }
}

impl Script for Acquire {
    fn next_query(&mut self) -> Option<Query> {
        (self.next < self.end).then(|| {
            let subscriber = Subscriber(self.next);
            self.next += 1;
            Query::new(subscriber, Request::Discover)
        })
    }

    fn on_reply(&mut self, query: &Query, reply: &Reply) -> Option<Query> {
        let request = match reply.answer {
            Answer::Offer => Request::Select(reply.address, reply.server),
            Answer::Nak => Request::Discover,
            Answer::Ack => {
                self.held.insert(query.subscriber, reply.address);
                return None;
            }
        };
        Some(Query::new(query.subscriber, request))
    }
}
