//! Who believes to have which address, and how far the server can know of it.
//!
//! A server reads the ends of leases off the wall clock when it starts. A clock that is then ahead
//! of the one that was written down has leases end early, and no server can help that: a belief is
//! covered until the lease is over by that clock. A held clock (`design.md` §3) covers it whole.

use super::client::{Lease, Millis};
use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

/// Who asks again soon is told what was written down before.
const REPEATED: Millis = 60_000;

#[derive(Debug, Clone, Copy)]
struct Belief {
    client: u32,
    device: u32,
    ends: Millis,
    /// Until when the server can know of it.
    covered: Millis,
    /// How far the wall clock was ahead since the client asked for it, at the least and at the most:
    /// a repeated request may be written down again.
    ahead: (i64, i64),
}

#[derive(Debug, Default)]
pub(super) struct Beliefs {
    of: BTreeMap<Ipv4Addr, Vec<Belief>>,
    /// From when on the wall clock was so far ahead.
    wall: VecDeque<(Millis, i64)>,
    /// Beliefs that a clock has cut short.
    pub(super) cut: u64,
}

impl Beliefs {
    /// The wall clock is so far ahead from now on.
    pub(super) fn step_wall(&mut self, now: Millis, ahead: i64) {
        self.wall.push_back((now, ahead));
        for belief in self.of.values_mut().flatten() {
            let (low, high) = belief.ahead;
            belief.ahead = (low.min(ahead), high.max(ahead));
        }
    }

    fn ahead_since(&self, then: Millis) -> (i64, i64) {
        let before = self
            .wall
            .iter()
            .rev()
            .take_while(|(at, _)| *at >= then)
            .count();
        let from = self.wall.len().saturating_sub(before + 1);
        let all = self.wall.iter().skip(from).map(|(_, ahead)| *ahead);
        all.fold((i64::MAX, i64::MIN), |(low, high), ahead| {
            (low.min(ahead), high.max(ahead))
        })
    }

    /// From now on the client believes in this lease and no other.
    pub(super) fn hold(&mut self, client: u32, device: u32, lease: &Lease) {
        let belief = Belief {
            client,
            device,
            ends: lease.ends,
            covered: lease.ends,
            ahead: self.ahead_since(lease.asked.saturating_sub(REPEATED)),
        };
        self.of.entry(lease.addr).or_default().push(belief);
    }

    /// The client does not believe to have the address.
    pub(super) fn forget(&mut self, client: u32, addr: Ipv4Addr) {
        if let Some(beliefs) = self.of.get_mut(&addr) {
            beliefs.retain(|belief| belief.client != client);
        }
    }

    /// Another device that has the address now, as the server can know.
    pub(super) fn rival(&mut self, addr: Ipv4Addr, device: u32, now: Millis) -> Option<u32> {
        let beliefs = self.of.get_mut(&addr)?;
        beliefs.retain(|belief| belief.ends > now);
        let rival = |belief: &&Belief| belief.device != device && belief.covered > now;
        beliefs.iter().find(rival).map(|belief| belief.client)
    }

    /// The server has started with a clock that is so far ahead of the truth, and held or not.
    pub(super) fn restart(&mut self, ahead: i64, held: bool) {
        for belief in self.of.values_mut().flatten() {
            let then = if held { belief.ahead.1 } else { ahead };
            let early = u64::try_from(then - belief.ahead.0).unwrap_or(0);
            let covered = belief.ends.saturating_sub(early);
            if covered < belief.covered {
                self.cut += 1;
                belief.covered = covered;
            }
        }
    }
}
