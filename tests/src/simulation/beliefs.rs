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

    /// The client was told that it has not, whether it hears that or not.
    pub(super) fn uncover(&mut self, client: u32, addr: Ipv4Addr, now: Millis) {
        let mut beliefs = self.of.get_mut(&addr).into_iter().flatten();
        if let Some(belief) = beliefs.find(|belief| belief.client == client) {
            belief.covered = now;
        }
    }

    /// Another client of the device was given the reserved address, and nobody told this one.
    pub(super) fn pass_on(&mut self, addr: Ipv4Addr, (to, device): (u32, u32), now: Millis) {
        for belief in self.of.get_mut(&addr).into_iter().flatten() {
            if belief.device == device && belief.client != to {
                belief.covered = belief.covered.min(now);
            }
        }
    }

    /// Another client that has the address now, as the server can know. Clients of one `device`
    /// take its reserved address from one another, and each goes on to believe in it.
    pub(super) fn rival(
        &mut self,
        addr: Ipv4Addr,
        (client, device): (u32, Option<u32>),
        now: Millis,
    ) -> Option<u32> {
        let beliefs = self.of.get_mut(&addr)?;
        beliefs.retain(|belief| belief.ends > now);
        let rival = |belief: &&Belief| {
            belief.client != client && Some(belief.device) != device && belief.covered > now
        };
        beliefs.iter().find(rival).map(|belief| belief.client)
    }

    /// Whether the client has the address now, as the server must know.
    pub(super) fn is_covered(&self, client: u32, addr: Ipv4Addr, now: Millis) -> bool {
        let mut beliefs = self.of.get(&addr).into_iter().flatten();
        beliefs.any(|belief| belief.client == client && belief.covered > now)
    }

    /// Whether anybody believes in the address.
    pub(super) fn is_believed(&self, addr: Ipv4Addr, now: Millis) -> bool {
        let mut beliefs = self.of.get(&addr).into_iter().flatten();
        beliefs.any(|belief| belief.ends > now)
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

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);

    fn beliefs() -> Beliefs {
        let mut beliefs = Beliefs::default();
        beliefs.step_wall(0, 0);
        beliefs.hold(1, 7, &Lease::of(ADDR, (0, 60_000)));
        beliefs
    }

    #[test]
    fn an_address_that_one_client_has_is_no_other_clients() {
        let mut beliefs = beliefs();
        assert_eq!(beliefs.rival(ADDR, (1, None), 59_999), None);
        assert_eq!(beliefs.rival(ADDR, (2, None), 59_999), Some(1));
        assert_eq!(beliefs.rival(ADDR, (2, None), 60_000), None);
        assert!(beliefs.is_believed(ADDR, 1) == beliefs.is_covered(1, ADDR, 1));
    }

    #[test]
    fn two_clients_of_one_device_share_what_is_reserved_for_it_and_nothing_else() {
        let mut beliefs = beliefs();
        assert_eq!(beliefs.rival(ADDR, (2, Some(7)), 1000), None);
        assert_eq!(beliefs.rival(ADDR, (2, None), 1000), Some(1));
        assert_eq!(beliefs.rival(ADDR, (3, Some(8)), 1000), Some(1));
    }

    #[test]
    fn what_another_client_of_the_device_was_given_is_no_longer_the_first_ones() {
        let mut beliefs = beliefs();
        beliefs.pass_on(ADDR, (3, 8), 1000);
        beliefs.pass_on(ADDR, (1, 7), 1000);
        assert_eq!(beliefs.rival(ADDR, (9, None), 1000), Some(1));
        beliefs.pass_on(ADDR, (2, 7), 1000);
        assert_eq!(beliefs.rival(ADDR, (9, None), 1000), None);
    }

    #[test]
    fn a_clock_that_went_ahead_cuts_a_belief_short() {
        let mut beliefs = beliefs();
        beliefs.step_wall(1000, 40_000);
        beliefs.restart(40_000, false);
        assert_eq!(beliefs.cut, 1);
        assert!(beliefs.is_covered(1, ADDR, 19_999));
        assert!(!beliefs.is_covered(1, ADDR, 20_000));
        assert_eq!(beliefs.rival(ADDR, (2, None), 20_000), None);
    }

    #[test]
    fn who_forgets_has_nothing() {
        let mut beliefs = beliefs();
        beliefs.forget(1, ADDR);
        assert_eq!(beliefs.rival(ADDR, (2, None), 1000), None);
    }
}
