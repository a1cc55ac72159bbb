//! Hardware addresses of next hops, one table that all workers share.
//!
//! ```text
//!              solicit                    learn
//!   absent ──────────────► incomplete ──────────────► reachable
//!     ▲                     │  ▲                       │   ▲
//!     │ no answer           │  │ no answer to polls    │   │ learn
//!     ├─────────────────────┘  │                  30 s │   │
//!     │                        │                       ▼   │
//!     └────────────────────────┴────────────────────── stale
//!       not used
//! ```
//!
//! Only what we send to gets an entry, never what talks to us, so that ARP from random stations
//! changes nothing; an entry in use is never given up for another. A stale address is used while
//! it is asked after (RFC 1122 §2.3.2.1: unicast polls), so that a refresh delays no packet.
//!
//! Everything is atomic and nothing is ever waited for. The table is open addressing with keys
//! that workers insert by compare-and-swap; a key is taken out by [`Neighbors::maintain`] only,
//! which one worker at a time calls for a place. A place that changes its key changes the
//! generation beside the hardware address, so that what was read of the old key, or is being
//! learnt for it, cannot pass for the new one's:
//!
//! | reader | `station`, then the key is ours, then the same `station`: the address was our key's |
//! | learner | `station`, then the key is ours, then compare-and-swap from that `station` |
//! | remover | key to `CLOSED`, then `station` to (none, next generation), then key to `GONE` |

mod entry;
mod key;

use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Duration;

use crossbeam_utils::CachePadded;
use dhcp_proto::time::Instant;
use dhcp_wire::ethernet::{Mac, Tags};

use entry::{Entry, Probe, ROUTER, Station};
pub use key::Key;

/// How long a hardware address counts as confirmed.
pub const REACHABLE: Duration = Duration::from_secs(30);
/// How long an entry that nobody uses is kept up.
pub const IDLE: Duration = Duration::from_mins(1);
/// Time between two polls of a stale entry, and between the first two requests of a new one.
pub const RETRY: Duration = Duration::from_secs(1);
/// Longest time between two requests for a router that does not answer.
pub const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Requests after which a next hop is given up; a router never is.
const REQUESTS: u8 = 3;
/// Polls of a stale entry at the address it had, and after them polls of everybody.
const UNICAST_POLLS: u8 = 3;
const POLLS: u8 = 6;

/// Places looked at for one key. The table is at most half full, so runs are far shorter.
const WINDOW: usize = 64;

/// No key has ever stood here.
const EMPTY: u64 = 0;
/// A key stood here; another may come.
const GONE: u64 = u64::MAX;
/// A key is on its way out.
const CLOSED: u64 = u64::MAX - 1;

/// What is known of a next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHop {
    /// Its hardware address.
    Known(Mac),
    /// Nothing; it has been asked for already.
    Asked,
    /// Nothing; the caller is to ask for it.
    Ask,
    /// Nothing, and there is no place to remember the question.
    Full,
}

/// A request that is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Who is asked for.
    pub key: Key,
    /// The tags of its link.
    pub tags: Tags,
    /// Where to: its last address, or everybody.
    pub dst: Mac,
}

/// The table.
#[derive(Debug)]
pub struct Neighbors {
    keys: Box<[AtomicU64]>, // workers: write, read
    entries: Box<[CachePadded<Entry>]>,
    /// Entries without a hardware address. // workers: write, read; control: write
    incomplete: CachePadded<AtomicUsize>,
    /// Most of them, routers aside.
    most_incomplete: usize,
    seed: u64,
}

impl Neighbors {
    /// A table for `capacity` next hops, of which a quarter may be unresolved at a time. `seed` is
    /// a secret, so that nobody can choose addresses that meet in one place.
    #[must_use]
    pub fn new(capacity: usize, seed: u64) -> Self {
        let capacity = capacity.clamp(WINDOW, 1 << 20);
        let places = (2 * capacity).next_power_of_two();
        Self {
            keys: (0..places).map(|_| AtomicU64::new(EMPTY)).collect(),
            entries: (0..places).map(|_| CachePadded::default()).collect(),
            incomplete: CachePadded::default(),
            most_incomplete: capacity / 4,
            seed,
        }
    }

    /// Number of places, for [`Neighbors::maintain`].
    #[must_use]
    pub fn places(&self) -> usize {
        self.keys.len()
    }

    /// How many next hops are in the table, and how many of them are resolved.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        let keys = self.keys.iter();
        let known = keys.filter(|key| !matches!(key.load(Relaxed), EMPTY | GONE | CLOSED));
        let all = known.count();
        (all, all.saturating_sub(self.incomplete.load(Relaxed)))
    }

    /// The hardware address of `key`, which a packet with `tags` is to be sent to. If it is not
    /// known, it is remembered that it is wanted.
    #[inline]
    pub fn resolve(&self, key: Key, tags: &Tags, now: Instant) -> NextHop {
        let Some((at, entry)) = self.find(key) else {
            return self.solicit(key, tags, now);
        };
        entry.touch(now);
        entry.note(tags);
        match self.station(at, entry, key).and_then(Station::mac) {
            Some(mac) => NextHop::Known(mac),
            None => NextHop::Asked,
        }
    }

    /// The hardware address of `key`, if it is known.
    #[must_use]
    pub fn mac(&self, key: Key) -> Option<Mac> {
        let (at, entry) = self.find(key)?;
        self.station(at, entry, key)?.mac()
    }

    /// Notes what ARP says of a station, if it is a next hop of ours; else says so.
    pub fn learn(&self, key: Key, mac: Mac, now: Instant) -> bool {
        if mac.is_zero() || mac.is_multicast() {
            return false;
        }
        let Some((at, entry)) = self.find(key) else {
            return false;
        };
        let Some(old) = self.station(at, entry, key) else {
            return false;
        };
        let new = old.with(mac);
        if entry
            .station
            .compare_exchange(old.0, new.0, AcqRel, Relaxed)
            .is_err()
        {
            // Another worker hears the same, or the entry is given up this moment.
            return false;
        }
        if old.mac().is_none() {
            self.incomplete.fetch_sub(1, Relaxed);
        }
        entry.confirmed.store(now.0, Relaxed);
        entry.probe.store(0, Relaxed);
        true
    }

    /// Makes `routers` the next hops that are resolved whether a packet needs them or not.
    ///
    /// For control, with each configuration. The requests come from [`Neighbors::maintain`].
    pub fn keep_routers(&self, routers: &[Key], now: Instant) {
        for (key, entry) in self.keys.iter().zip(&self.entries) {
            let key = key.load(Acquire);
            let is_router = routers.iter().any(|router| router.0 == key);
            if !is_router && entry.used.load(Relaxed) == ROUTER {
                entry.used.store(now.0, Relaxed);
            }
        }
        for &router in routers {
            if let Some(entry) = self
                .find(router)
                .map(|(_, entry)| entry)
                .or(self.insert(router))
            {
                entry.used.store(ROUTER, Relaxed);
            }
        }
    }

    /// Looks after the place `at`: asks again, polls what is stale, takes out what is not needed.
    /// Each place is looked after by one worker only.
    pub fn maintain(&self, at: usize, now: Instant) -> Option<Request> {
        let (word, entry) = (self.keys.get(at)?, self.entries.get(at)?);
        let key = Key(word.load(Acquire));
        if matches!(key.0, EMPTY | GONE | CLOSED) {
            return None;
        }
        let station = Station(entry.station.load(Acquire));
        let Some(mac) = station.mac() else {
            return self.ask_again(key, (word, entry), now);
        };
        if now < Instant(entry.confirmed.load(Relaxed)).after(REACHABLE) {
            return None;
        }
        if !entry.is_used(now) {
            self.remove(key, word, entry);
            return None;
        }
        let probe = Probe::load(&entry.probe);
        if now < probe.next {
            return None;
        }
        if probe.requests >= POLLS {
            let none = station.with(Mac::default());
            if entry
                .station
                .compare_exchange(station.0, none.0, AcqRel, Relaxed)
                .is_ok()
            {
                self.incomplete.fetch_add(1, Relaxed);
                entry.probe.store(0, Relaxed);
            }
            return self.ask_again(key, (word, entry), now);
        }
        let requests = probe.requests.saturating_add(1);
        Probe {
            requests,
            next: now.after(RETRY),
        }
        .store(&entry.probe);
        let dst = if probe.requests < UNICAST_POLLS {
            mac
        } else {
            Mac::BROADCAST
        };
        Some(Request {
            key,
            tags: entry.tags(key),
            dst,
        })
    }

    /// The next request for an entry without an address, or the end of it.
    fn ask_again(
        &self,
        key: Key,
        (word, entry): (&AtomicU64, &Entry),
        now: Instant,
    ) -> Option<Request> {
        let probe = Probe::load(&entry.probe);
        if now < probe.next {
            return None;
        }
        if probe.requests >= REQUESTS && !entry.is_router() {
            self.remove(key, word, entry);
            return None;
        }
        let wait = RETRY
            .saturating_mul(1 << probe.requests.min(8))
            .min(LONGEST_RETRY);
        let requests = probe.requests.saturating_add(1);
        Probe {
            requests,
            next: now.after(wait),
        }
        .store(&entry.probe);
        Some(Request {
            key,
            tags: entry.tags(key),
            dst: Mac::BROADCAST,
        })
    }

    /// An entry for a next hop that has none yet.
    #[cold]
    fn solicit(&self, key: Key, tags: &Tags, now: Instant) -> NextHop {
        if self.incomplete.load(Relaxed) >= self.most_incomplete {
            return NextHop::Full;
        }
        let Some(entry) = self.insert(key) else {
            return NextHop::Full;
        };
        Probe {
            requests: 1,
            next: now.after(RETRY),
        }
        .store(&entry.probe);
        entry.touch(now);
        entry.note(tags);
        NextHop::Ask
    }

    fn home(&self, key: Key) -> usize {
        let mixed = (key.0 ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(self.seed | 1);
        usize::try_from(mixed >> 32).unwrap_or(0) & self.keys.len().wrapping_sub(1)
    }

    /// The places where `key` may be.
    fn window(&self, key: Key) -> impl Iterator<Item = usize> + use<> {
        let (home, mask) = (self.home(key), self.keys.len().wrapping_sub(1));
        (0..WINDOW).map(move |step| home.wrapping_add(step) & mask)
    }

    #[inline]
    fn find(&self, key: Key) -> Option<(usize, &Entry)> {
        for at in self.window(key) {
            match self.keys.get(at)?.load(Acquire) {
                EMPTY => return None,
                found if found == key.0 => return Some((at, self.entries.get(at)?)),
                _ => {}
            }
        }
        None
    }

    /// The station at a place, if `key` is what stands there.
    #[inline]
    fn station(&self, at: usize, entry: &Entry, key: Key) -> Option<Station> {
        let station = entry.station.load(Acquire);
        let same_key = self.keys.get(at)?.load(Acquire) == key.0;
        let same = entry.station.load(Relaxed) == station;
        (same_key && same).then_some(Station(station))
    }

    /// A place for `key`, which had none when the caller looked.
    fn insert(&self, key: Key) -> Option<&Entry> {
        if matches!(key.0, EMPTY | GONE | CLOSED) {
            return None;
        }
        for at in self.window(key) {
            let word = self.keys.get(at)?;
            let mut found = word.load(Acquire);
            if matches!(found, EMPTY | GONE) {
                match word.compare_exchange(found, key.0, AcqRel, Acquire) {
                    Ok(_) => {
                        self.incomplete.fetch_add(1, Relaxed);
                        return self.entries.get(at).map(|entry| &**entry);
                    }
                    Err(other) => found = other,
                }
            }
            if found == key.0 {
                return self.entries.get(at).map(|entry| &**entry);
            }
        }
        None
    }

    fn remove(&self, key: Key, word: &AtomicU64, entry: &Entry) {
        if word
            .compare_exchange(key.0, CLOSED, AcqRel, Relaxed)
            .is_err()
        {
            return;
        }
        let mut old = Station(entry.station.load(Acquire));
        while let Err(now) =
            entry
                .station
                .compare_exchange_weak(old.0, old.next().0, AcqRel, Acquire)
        {
            old = Station(now);
        }
        if old.mac().is_none() {
            self.incomplete.fetch_sub(1, Relaxed);
        }
        entry.confirmed.store(0, Relaxed);
        entry.used.store(0, Relaxed);
        entry.probe.store(0, Relaxed);
        entry.tpids.store(0, Relaxed);
        word.store(GONE, Release);
    }
}

#[cfg(test)]
mod tests;
