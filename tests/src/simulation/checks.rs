//! What must hold of words and slots, at any moment and at the end.

use super::scenario::Home;
use super::world::World;
use dhcp_proto::address::AddressState;
use dhcp_proto::shard::{Counts, Shard};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// Addresses of each state that belong to one worker.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Words {
    held: u64,
    bound: u64,
    set_aside: u64,
    remembered: u64,
}

impl World {
    fn addresses(&self) -> Vec<Ipv4Addr> {
        let pools = self.scenario.homes.iter().flat_map(Home::addresses);
        let mut all: Vec<_> = pools
            .chain(self.scenario.reserved.keys().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn words(&self) -> Vec<Words> {
        let Some(server) = &self.server else {
            return Vec::new();
        };
        let mut words = vec![Words::default(); server.workers()];
        for addr in self.addresses() {
            let word = server.word(addr);
            let Some(owned) = words.get_mut(usize::from(word.owner().0)) else {
                continue;
            };
            match word.state() {
                AddressState::Free => {}
                AddressState::Held => owned.held += 1,
                AddressState::Bound => owned.bound += 1,
                AddressState::SetAside => owned.set_aside += 1,
                AddressState::Remembered => owned.remembered += 1,
            }
        }
        words
    }

    /// Each address is in one state, and each shard has what its words say.
    pub(super) fn check_words(&self) {
        let Some(server) = &self.server else { return };
        for (shard, words) in server.shards().zip(self.words()) {
            let counts = shard.counts();
            assert_eq!(counts.inconsistent, 0, "a word contradicts its slot");
            let told = (counts.offered, counts.active, counts.set_aside);
            assert_eq!(
                told,
                (words.held, words.bound, words.set_aside),
                "{words:?} of worker {} and {counts:?}",
                shard.worker().0
            );
        }
    }

    /// What the words say of every address.
    pub(super) fn states(&self) -> BTreeMap<Ipv4Addr, AddressState> {
        let server = self.server.iter();
        let states = server.flat_map(|server| {
            let all = self.addresses().into_iter();
            all.map(|addr| (addr, server.word(addr).state()))
        });
        states.collect()
    }

    /// A start makes of the store what there was when the server had stopped in order: no lease
    /// more, and none less but for those that are over.
    pub(super) fn check_restored(&self, left: &BTreeMap<Ipv4Addr, AddressState>) {
        use AddressState::{Bound, Free, SetAside};
        for (addr, now) in self.states() {
            let Some(before) = left.get(&addr).copied() else {
                continue;
            };
            let told = format!("{addr} was {before:?} at the end and is {now:?} after the start");
            assert!(now != Bound || before == Bound, "{told}");
            assert!(now != SetAside || before == SetAside, "{told}");
            assert!(before != Bound || now != Free, "{told}");
        }
    }

    /// Whether there are more addresses for a network's clients than clients that want one.
    pub(super) fn is_plenty(&self, home: usize) -> bool {
        let Some(server) = &self.server else {
            return false;
        };
        let wanting = self
            .clients
            .iter()
            .filter(|c| c.nature.home == home && c.is_wanting());
        let wanted = wanting.count();
        let reserved = &self.scenario.reserved;
        let open = self.scenario.homes[home].addresses().filter(|addr| {
            let state = server.word(*addr).state();
            matches!(state, AddressState::Free | AddressState::Remembered)
                && !reserved.contains_key(addr)
        });
        open.take(wanted + 1).count() > wanted
    }

    /// A client that has asked for an address again and again, while there are more than are
    /// wanted.
    pub(super) fn starving(&self) -> Option<u32> {
        // Two clients of one device take its reserved address from one another.
        let reserved = &self.scenario.reserved;
        let mut waiting = self.clients.iter().filter(|client| {
            let has_one = reserved
                .values()
                .any(|device| *device == client.nature.device);
            client.is_ignored() && !has_one
        });
        let starving = waiting.find(|client| self.is_plenty(client.nature.home));
        starving.map(|client| client.nature.number)
    }

    /// Nothing is leaked: every address is free or remembered, every slot is a memory, and no
    /// packet is missing.
    pub(super) fn check_end(&self) {
        self.check_words();
        let server = self.server.as_ref().expect("a server at the end");
        assert_eq!(server.held(), (0, 0), "packets held and parked");
        for (shard, words) in server.shards().zip(self.words()) {
            let counts = shard.counts();
            let Counts {
                offered,
                active,
                set_aside,
                ..
            } = counts;
            assert_eq!((offered, active, set_aside), (0, 0, 0), "{counts:?}");
            let slots = shard.fill().0 as u64;
            assert_eq!(
                slots,
                words.remembered,
                "slots of worker {}",
                shard.worker().0
            );
        }
    }

    /// Whether anything is left to end.
    pub(super) fn is_at_rest(&self) -> bool {
        let at_rest = |shard: &Shard| {
            let counts = shard.counts();
            counts.offered + counts.active + counts.set_aside == 0
        };
        self.server
            .as_ref()
            .is_some_and(|server| server.shards().all(at_rest))
    }
}
