//! What must hold of words and slots, at any moment and at the end.

use super::scenario::Subnet;
use super::world::World;
use dhcp_proto::address::AddressState;
use dhcp_proto::record::RecordKind;
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
        let pools = self.scenario.subnets.iter().flat_map(Subnet::addresses);
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

    /// A start makes of the disk what is written there: each lease and each probation that is not
    /// over, by the server's clock, and nothing of what was released or ended.
    pub(super) fn check_started(&self) {
        use AddressState::{Bound, Free, Held, Remembered, SetAside};
        let Some(server) = &self.server else { return };
        for (addr, state) in self.states() {
            let noted = self.ledger.of(addr);
            let kind = noted.as_ref().map(|noted| noted.kind);
            let lasts = noted
                .as_ref()
                .is_some_and(|noted| noted.expiry > server.start.now);
            let is_right = match kind {
                Some(RecordKind::Active) if lasts => state == Bound,
                Some(RecordKind::Active) => matches!(state, Bound | Remembered | Free),
                Some(RecordKind::Declined | RecordKind::SetAside) if lasts => state == SetAside,
                Some(RecordKind::Declined | RecordKind::SetAside) => {
                    matches!(state, SetAside | Free)
                }
                Some(RecordKind::Released) => matches!(state, Remembered | Free),
                Some(
                    RecordKind::Ended
                    | RecordKind::ProbationEnded
                    | RecordKind::ReservationAdded
                    | RecordKind::ReservationRemoved
                    | RecordKind::Time,
                )
                | None => state == Free,
            };
            assert!(
                is_right && state != Held,
                "{addr} is {state:?} by {noted:?}"
            );
        }
    }

    /// A start makes of the store what there was when the server had stopped in order, and no lease
    /// more.
    pub(super) fn check_restored(&self, left: &BTreeMap<Ipv4Addr, AddressState>) {
        use AddressState::{Bound, SetAside};
        for (addr, now) in self.states() {
            let Some(before) = left.get(&addr).copied() else {
                continue;
            };
            let told = format!("{addr} was {before:?} at the end and is {now:?} after the start");
            assert!(now != Bound || before == Bound, "{told}");
            assert!(now != SetAside || before == SetAside, "{told}");
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
        let open = self.scenario.within_reach(home).filter(|addr| {
            let state = server.word(*addr).state();
            matches!(state, AddressState::Free | AddressState::Remembered)
                && !self.is_reserved(*addr)
                && !self.strangers.has(*addr)
        });
        open.take(wanted + 1).count() > wanted
    }

    /// A client that has asked for an address again and again, while there are more than are
    /// wanted.
    pub(super) fn starving(&self) -> Option<u32> {
        // Two clients of one device take its reserved address from one another.
        let mut waiting = self
            .clients
            .iter()
            .filter(|client| client.is_ignored() && !self.has_reservation(client.nature.device));
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
