//! How many DISCOVERs are answered: of one client, by one circuit, through one relay. Token
//! buckets, exact over all workers, without a lock.
//!
//! A bucket is a time (the "theoretical arrival time" of the generic cell rate algorithm): the
//! moment at which it will be full again. A token moves it one interval on; a message is refused if
//! that would put it further ahead of now than the burst allows. One that has come to pass says
//! nothing any more, so that only what was charged lately has to be kept: a table of fixed size
//! does, and one compare-and-swap charges a bucket.
//!
//! A key has the eight words of one set to choose from: its own, else the one with the least time
//! (of equal ones the first), **whose time it goes on from**. So a time never goes back, and:
//!
//! * No key is ever charged in two words. Suppose two workers enter one key into the words A and B
//!   of a set. Neither saw the other's, so each saw of the other's word what was there before, or
//!   earlier and thus less. The first took A: A ≤ B as it saw them, and what it saw of B is no more
//!   than what the other replaced there; the other took B: B ≤ A likewise. All are equal then, and
//!   the first of the two words was the choice of both.
//! * However many keys there are, none is let through more often than its rate: who loses its word
//!   to another key comes back to one that is no earlier.
//! * With more live keys than words a key pays for others of its set and may be refused too early,
//!   never too late. The table has room for four times as many keys as there are clients.
//!
//! Two keys of one set whose tags are equal share a bucket: one pair in 65,536.

use crate::config::Network;
use crate::identity::HashKey;
use crate::server::{Client, Query, Silence};
use crate::time::Instant;
use alloc::boxed::Box;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use dhcp_wire::dhcp::MessageType;

const WAYS: usize = 8;
/// Bits of a time: microseconds of nine years.
const TIME: u32 = 48;
const LATEST: u64 = (1 << TIME) - 1;
/// A burst is refilled within a day.
const LONGEST: u64 = 86_400_000_000;
/// Sets of the smallest and of the largest table.
const SETS: core::ops::RangeInclusive<usize> = 64..=1 << 17;
/// Relays that have words of their own, at least.
const RELAYS: usize = 4096;

/// How often something may happen, and how many times at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Microseconds from token to token.
    interval: u64,
    /// How far ahead of now a bucket may be before it is charged.
    ahead: u64,
}

impl Rate {
    /// `count` in each `period`, `burst` of them at once; `None` if either is 0, if there is less
    /// than a microsecond to each, or if it takes more than a day to refill the burst.
    #[must_use]
    pub fn new(count: u32, period: Duration, burst: u32) -> Option<Self> {
        let period = u64::try_from(period.as_micros()).ok()?;
        let interval = period.checked_div(u64::from(count))?;
        let ahead = interval.checked_mul(u64::from(burst.checked_sub(1)?))?;
        let refill = ahead.checked_add(interval)?;
        (interval > 0 && refill <= LONGEST).then_some(Self { interval, ahead })
    }
}

/// The rates of a network; each may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// DISCOVERs of one client.
    pub identity: Option<Rate>,
    /// DISCOVERs by one circuit (C175).
    pub circuit: Option<Rate>,
    /// DISCOVERs through one relay.
    pub relay: Option<Rate>,
}

impl Rates {
    fn are_off(&self) -> bool {
        self.identity.is_none() && self.circuit.is_none() && self.relay.is_none()
    }
}

/// The words of one set, in a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Set([AtomicU64; WAYS]); // all workers: read and write

/// Buckets of one kind.
#[derive(Debug)]
struct Buckets {
    /// A power of two.
    sets: Box<[Set]>,
}

impl Buckets {
    /// Room for `keys` keys that are charged at a time.
    fn new(keys: usize) -> Self {
        let wanted = keys.saturating_mul(4) / WAYS;
        let sets = wanted.clamp(*SETS.start(), *SETS.end()).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Set::default()).collect(),
        }
    }

    /// Takes a token of the key that hashes to `hash`, at microsecond `now`; whether there was one.
    fn take(&self, hash: u64, rate: &Rate, now: u64) -> bool {
        let place = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0);
        let Some(Set(words)) = self.sets.get(place & (self.sets.len() - 1)) else {
            return true;
        };
        let tag = (hash >> TIME).max(1);
        loop {
            let Some((word, seen)) = choose(words, tag) else {
                return true;
            };
            let full = (seen & LATEST).max(now);
            if full - now > rate.ahead {
                return false;
            }
            let next = (full + rate.interval).min(LATEST) | tag << TIME;
            if word.compare_exchange(seen, next, Relaxed, Relaxed).is_ok() {
                return true;
            }
        }
    }
}

/// The word of the key with this tag, or the one it would go to, and what is in it.
fn choose(words: &[AtomicU64; WAYS], tag: u64) -> Option<(&AtomicU64, u64)> {
    let mut least: Option<(&AtomicU64, u64)> = None;
    for word in words {
        let seen = word.load(Relaxed);
        if seen >> TIME == tag {
            return Some((word, seen));
        }
        if least.is_none_or(|(_, other)| seen & LATEST < other & LATEST) {
            least = Some((word, seen));
        }
    }
    least
}

/// The buckets of all workers. They are made at the start and outlive a reload.
#[derive(Debug)]
pub struct Limits {
    identities: Buckets,
    circuits: Buckets,
    relays: Buckets,
    since: Instant,
}

impl Limits {
    /// Full buckets, for about as many clients; it is `now`.
    #[must_use]
    pub fn new(clients: usize, now: Instant) -> Self {
        Self {
            identities: Buckets::new(clients),
            circuits: Buckets::new(clients),
            relays: Buckets::new(RELAYS),
            since: now,
        }
    }

    /// Whether `query` is within the rates of its network. To be asked once for each message.
    ///
    /// The narrowest is asked first, and who is refused costs those behind nothing: one client's
    /// flood takes no token of its circuit, one circuit's none of its relay.
    ///
    /// # Errors
    ///
    /// The rate that is exceeded.
    #[inline]
    pub fn admit(
        &self,
        query: &Query<'_>,
        network: &Network,
        key: &HashKey,
        now: Instant,
    ) -> Result<(), Silence> {
        if query.kind != MessageType::Discover || network.rules.rates.are_off() {
            return Ok(());
        }
        let micros = now.0.saturating_sub(self.since.0).saturating_mul(1000);
        self.charge(query, network, key, micros.min(LATEST))
    }

    fn charge(
        &self,
        query: &Query<'_>,
        network: &Network,
        key: &HashKey,
        now: u64,
    ) -> Result<(), Silence> {
        let rates = &network.rules.rates;
        let spread = |hash: u64| {
            let mixed = hash ^ u64::from(network.key.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 32)).wrapping_mul(0xff51_afd7_ed55_8ccd)
        };
        if let (Some(rate), Client::Known(_, hash)) = (&rates.identity, &query.client)
            && !self.identities.take(spread(*hash), rate, now)
        {
            return Err(Silence::IdentityRate);
        }
        if let Some(rate) = &rates.circuit
            && let Some(circuit) = query.circuit()
            && !self
                .circuits
                .take(spread(key.hash(circuit.as_slice())), rate, now)
        {
            return Err(Silence::CircuitRate);
        }
        let giaddr = query.message.giaddr();
        if let Some(rate) = &rates.relay
            && !giaddr.is_unspecified()
            && !self
                .relays
                .take(spread(key.hash(&giaddr.octets())), rate, now)
        {
            return Err(Silence::RelayRate);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const SECOND: u64 = 1_000_000;

    fn rate(count: u32, burst: u32) -> Rate {
        Rate::new(count, Duration::from_secs(1), burst).unwrap()
    }

    #[test]
    fn a_rate_has_at_least_a_microsecond_to_each_and_a_day_to_its_burst() {
        let second = Duration::from_secs(1);
        assert!(Rate::new(1_000_000, second, 1_000_000).is_some());
        assert_eq!(Rate::new(1_000_001, second, 1), None);
        assert_eq!(Rate::new(0, second, 1), None);
        assert_eq!(Rate::new(1, second, 0), None);
        assert!(Rate::new(1, second, 86_400).is_some());
        assert_eq!(Rate::new(1, second, 86_401), None);
    }

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_its_rate_from_there() {
        let buckets = Buckets::new(1000);
        let rate = rate(10, 5);
        let take = |now| buckets.take(42, &rate, now);
        assert_eq!((0..9).filter(|_| take(7)).count(), 5);
        let taken = (0..100).filter(|n| take(7 + n * SECOND / 100)).count();
        assert_eq!(taken, 9, "one each tenth of a second");
        // What was refused costs nothing, and an idle bucket fills up to the burst.
        assert_eq!((0..9).filter(|_| take(100 * SECOND)).count(), 5);
    }

    #[test]
    fn keys_do_not_pay_for_one_another_while_their_set_has_room() {
        let buckets = Buckets::new(0);
        let rate = rate(1, 2);
        // All of one set, with tags of their own.
        let keys = (1..=8).map(|tag: u64| tag << TIME | 3);
        for key in keys.clone() {
            assert!(buckets.take(key, &rate, 1) && buckets.take(key, &rate, 1));
        }
        assert!(keys.clone().all(|key| !buckets.take(key, &rate, 1)));
        // One too many goes on from the least, and nobody gains by it.
        let ninth = 9 << TIME | 3;
        assert!(!buckets.take(ninth, &rate, 1));
        assert!(buckets.take(ninth, &rate, 1 + SECOND));
        let later = || {
            let taken = |key: &u64| buckets.take(*key, &rate, 1 + SECOND);
            keys.clone().filter(taken).count()
        };
        assert_eq!((later(), later()), (7, 0));
    }

    #[test]
    fn ten_thousand_keys_that_churn_in_one_set_never_exceed_its_eight_buckets() {
        let buckets = Buckets::new(0);
        let rate = rate(10, 1);
        let keys = (1..=10_000).map(|tag: u64| tag << TIME);
        let taken = |now| {
            keys.clone()
                .filter(|key| buckets.take(*key, &rate, now))
                .count()
        };
        let all: usize = (0..100).map(|n| taken(n * SECOND / 100)).sum();
        assert_eq!(all, 8 * 10);
    }

    #[test]
    fn four_threads_get_no_more_from_a_bucket_than_one_would() {
        for round in 0..50 {
            let buckets = Buckets::new(0);
            let rate = rate(1000, 100);
            let worker = |_| {
                // Neighbours that come and go, so that keys are entered while others are.
                let keys = |n: u64| (n % 7 + 1) << TIME | round;
                let take = |n: &u64| buckets.take(keys(*n), &rate, *n) && keys(*n) >> TIME == 3;
                (0..7000).filter(take).count()
            };
            let taken = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || worker(n))).collect();
                let taken = threads.into_iter().map(|thread| thread.join().unwrap());
                taken.sum::<usize>()
            });
            // 7 ms pass: the burst, and seven more.
            assert!((100..=107).contains(&taken), "{taken}");
        }
    }
}
