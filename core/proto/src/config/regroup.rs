//! From one configuration to the next: a network keeps its key, one that is gone stays known to
//! its bindings, and bindings whose address another network has now are found under it.
//!
//! ```text
//!   key of a binding      its address now          what becomes of it
//!   ────────────────      ───────────────          ──────────────────
//!   same network          same network             nothing
//!   any                   another network          a shard moves it there, now or when its client comes
//!   any                   no network               kept to its end, then forgotten
//! ```

use super::{Indexed, Network, NetworkKey, Range, Spec};
use crate::address::{Directory, Space};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Which bindings may stand under another network than the one that has their address.
///
/// Configurations that differ in other things only share one.
#[derive(Debug, Default)]
pub struct Regroup {
    /// Counts up with each configuration whose networks have other addresses than before.
    number: u64,
    /// Networks with bindings that may belong elsewhere, by key.
    moved: Vec<u64>,
    /// A network and one that had some of its addresses, sorted.
    former: Vec<(NetworkKey, NetworkKey)>,
    /// Networks that are gone, sorted, and whether a shard has bindings of them.
    departed: Vec<(NetworkKey, AtomicBool)>, // workers: set, control: read
    /// Where bindings of the moved networks may be.
    spans: Vec<Span>,
}

/// Addresses that a network has or had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) space: Space,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) key: NetworkKey,
}

impl Regroup {
    /// Its number; a shard that has taken its bindings through it says so.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether any binding may have to move or end.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.moved.iter().all(|word| *word == 0)
    }

    /// Whether bindings of the network may belong elsewhere.
    #[must_use]
    pub fn moves(&self, key: NetworkKey) -> bool {
        let word = self.moved.get((key.0 / u64::BITS) as usize);
        word.is_some_and(|word| word >> (key.0 % u64::BITS) & 1 == 1)
    }

    /// The networks that bindings of this one may still stand under.
    pub fn former(&self, key: NetworkKey) -> impl Iterator<Item = NetworkKey> + use<'_> {
        let first = self.former.partition_point(|(now, _)| *now < key);
        let rest = self.former.get(first..).unwrap_or(&[]).iter();
        rest.take_while(move |(now, _)| *now == key)
            .map(|(_, before)| *before)
    }

    /// Whether the network is gone.
    #[must_use]
    pub fn is_departed(&self, key: NetworkKey) -> bool {
        self.departed(key).is_some()
    }

    /// Notes that bindings of a network that is gone are kept, and with them its key.
    pub fn keep(&self, key: NetworkKey) {
        if let Some(kept) = self.departed(key) {
            kept.store(true, Relaxed);
        }
    }

    fn departed(&self, key: NetworkKey) -> Option<&AtomicBool> {
        let at = self.departed.binary_search_by_key(&key, |(key, _)| *key);
        self.departed.get(at.ok()?).map(|(_, kept)| kept)
    }

    fn mark(&mut self, key: NetworkKey) {
        let at = (key.0 / u64::BITS) as usize;
        if self.moved.len() <= at {
            self.moved.resize(at + 1, 0);
        }
        if let Some(word) = self.moved.get_mut(at) {
            *word |= 1 << (key.0 % u64::BITS);
        }
    }
}

impl Indexed {
    /// Indexes `spec`, which takes the place of `previous`, as [`super::Config::new`] does. The keys in
    /// it do not matter: a network that was there by the same name and space has the key it had.
    ///
    /// `done` is the least [`crate::shard::Shard::regrouped`] of all shards. A network that is
    /// gone is forgotten by the first successor that finds it done and nothing of it kept.
    pub(super) fn succeed(
        mut spec: Spec,
        directory: &Directory,
        previous: &Self,
        done: u64,
    ) -> Self {
        let done = done >= previous.regroup.number;
        let known: Vec<&Network> = previous
            .networks
            .iter()
            .filter(|n| !done || !previous.is_forgotten(n.key))
            .collect();
        intern(&mut spec, &known);
        let here: BTreeSet<_> = spec.networks.iter().map(|n| n.key).collect();
        let departed = known.into_iter().filter(|n| !here.contains(&n.key));
        let departed: Vec<_> = departed.map(Network::departed).collect();
        let mut config = Self::new(spec, directory, departed);
        // Of a network that is gone something may be left, or nothing any more: it is looked again.
        let asks = done && !previous.regroup.departed.is_empty();
        config.regroup = if !asks && config.spans().eq(previous.spans()) {
            Arc::clone(&previous.regroup)
        } else {
            Arc::new(config.regroup_from(previous, done))
        };
        config
    }

    /// What changes for bindings with this configuration.
    #[must_use]
    pub fn regroup(&self) -> &Regroup {
        &self.regroup
    }

    /// Whether nothing is left of a network that is gone.
    fn is_forgotten(&self, key: NetworkKey) -> bool {
        let kept = self.regroup.departed(key);
        kept.is_some_and(|kept| !kept.load(Relaxed))
    }

    fn spans(&self) -> impl Iterator<Item = Span> + use<'_> {
        let span = |range: &Range| Span {
            space: range.space,
            first: range.first,
            last: range.last,
            key: self
                .network(range.place.network)
                .map_or(NetworkKey(u32::MAX), |network| network.key),
        };
        self.ranges.iter().map(span)
    }

    fn regroup_from(&self, previous: &Self, done: bool) -> Regroup {
        let before = &previous.regroup;
        let left = before.spans.iter();
        let left = left.filter(|s| !done || before.is_departed(s.key));
        let mut sources: Vec<_> = previous.spans().chain(left.copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        let now: Vec<_> = self.spans().collect();
        let gone = self.networks.iter().skip(self.live);
        let mut departed: Vec<_> = gone.map(|n| (n.key, AtomicBool::new(false))).collect();
        departed.sort_unstable_by_key(|(key, _)| *key);
        let mut regroup = Regroup {
            number: before.number + 1,
            departed,
            ..Regroup::default()
        };
        for source in &sources {
            let mut stays = false;
            for target in overlapping(&now, source) {
                if target.key == source.key {
                    stays |= target.first <= source.first && source.last <= target.last;
                } else {
                    regroup.former.push((target.key, source.key));
                }
            }
            if !stays {
                regroup.mark(source.key);
            }
        }
        regroup.former.sort_unstable();
        regroup.former.dedup();
        sources.retain(|source| regroup.moves(source.key));
        regroup.spans = sources;
        regroup
    }
}

/// Those of `sorted`, which are disjoint, that have addresses in common with `span`.
fn overlapping<'s>(sorted: &'s [Span], span: &Span) -> impl Iterator<Item = &'s Span> + use<'s> {
    let (space, first, last) = (span.space, span.first, span.last);
    let at = sorted.partition_point(|s| (s.space, s.last) < (space, first));
    let rest = sorted.get(at..).unwrap_or(&[]).iter();
    rest.take_while(move |s| (s.space, s.first) <= (space, last))
}

/// Gives the networks of `spec` the keys of those that are known, and new ones to the others.
fn intern(spec: &mut Spec, known: &[&Network]) {
    let mut keys = BTreeMap::new();
    for network in known {
        // Names are unique in their space; should they not be, the first has the key.
        keys.entry((network.space, network.name.as_str()))
            .or_insert(network.key);
    }
    let used: BTreeSet<_> = known.iter().map(|n| n.key.0).collect();
    let mut unused = (0..).filter(|key| !used.contains(key));
    for network in &mut spec.networks {
        let known = keys.remove(&(network.space, network.name.as_str()));
        network.key = known.unwrap_or_else(|| NetworkKey(unused.next().unwrap_or(u32::MAX)));
    }
}
