//! One worker's bindings and what may happen to them.
//!
//! A client is one slot, found by its network and identity. What the slot's state says, the word
//! of its address says too:
//!
//! ```text
//!   slot        word
//!   Available   –                              declines are counted, no address
//!   Offered     held
//!   Active      bound
//!   Expired     bound until the grace is over, then remembered
//!   Released    remembered
//!   Abandoned   set aside                      the slot is the address's, not a client's
//! ```
//!
//! `remembered` may be lost to another worker at any time: then the word's generation is no longer
//! the slot's, the slot is stale, and the sweep removes it. An offer of another address beside a
//! lease stands in a second slot, under the same identity and `BESIDE`, so that the lease is
//! left as it is until the client takes the offer. A lease of a client that has another one on the
//! same network, since two networks were joined, stands in a slot of its own too, under `KEPT`: it
//! runs to its end, and when the networks are divided it is the client's again.

mod ahead;
mod assign;
mod claim;
mod held;
mod housekeeping;
mod lease;
mod offers;
mod operator;
mod probe;
mod regroup;
mod restore;
mod terms;
mod view;

use crate::address::{AddressState, Cell, Space, Word, Worker};
use crate::binding::{BindingState, Bindings, ListId, SlotIndex};
use crate::config::{Config, Network, NetworkKey};
use crate::identity::HashKey;
use crate::record::Sequence;
use crate::time::Wall;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

pub(crate) use assign::{Assigned, Wanted};
pub use claim::Unavailable;
pub(crate) use claim::{InUse, Mercy, Timed, Want};
pub use housekeeping::Turned;
pub use operator::EndedByOperator;
pub use regroup::Room;
pub use restore::Restored;
pub(crate) use terms::Keys;
pub use terms::{Ask, Found, Over, Parked, Probe, Seek, Yielded};
pub use view::BindingView;

/// Set in the network of a slot that holds an offer beside the client's lease.
pub(crate) const BESIDE: u32 = 1 << 31;

/// Set in the network of a slot that holds a lease whose client has another one there.
pub(crate) const KEPT: u32 = 1 << 30;

/// The network in `network` of a slot.
pub(crate) fn key_of(network: u32) -> NetworkKey {
    NetworkKey(network & !(BESIDE | KEPT))
}

/// Slot flag: the offered address was this client's before, and stays remembered if the offer
/// comes to nothing.
const RETURNING: u8 = 1;

/// Slot flag: an offer to a client that nothing but its DISCOVER speaks for. It may be cut.
const STRANGER: u8 = 4;

/// Slot flag: the lease was offered to its client again, shortly before it runs out.
const OFFERED_AGAIN: u8 = 8;

/// Questions to other workers that are remembered: clients whose reserved address another one is
/// using and that ask for it at the same time.
const ASKED: usize = 16;

/// The bindings of one worker.
#[derive(Debug)]
pub struct Shard {
    me: Worker,
    workers: u16,
    key: HashKey,
    wall: Wall,
    pub(crate) bindings: Bindings,
    lists: Vec<Lists>,
    sweep: SlotIndex,
    /// Whether leases that the clock held expire as the sweep passes.
    accepting: bool,
    /// How far its bindings are in the configuration's regrouping.
    regrouping: regroup::Progress,
    /// The last questions to other workers, newest first.
    asked: [Option<Ask>; ASKED],
    /// Networks whose addresses other workers were asked for, and when.
    sought: [(u32, u32); probe::SOUGHT],
    counts: Counts,
    /// Offers to strangers that the table has room for.
    most_offers: usize,
    /// The network whose refused clients are looked after next.
    relief: usize,
}

/// Slots of one network, oldest first.
#[derive(Debug, Clone, Copy)]
struct Lists {
    /// Offers to strangers, in the order in which their holds end.
    holds: ListId,
    /// How many these are.
    held: u32,
    /// Remembered bindings, in the order in which they ended.
    remembered: ListId,
    /// Addresses set aside, in the order in which they were.
    aside: ListId,
}

impl Lists {
    /// Empty ones; `None` if there are more than a table has.
    fn new(bindings: &mut Bindings) -> Option<Self> {
        Some(Self {
            holds: bindings.add_list()?,
            held: 0,
            remembered: bindings.add_list()?,
            aside: bindings.add_list()?,
        })
    }
}

/// How many bindings a shard has of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Addresses held for clients that were offered them.
    pub offered: u64,
    /// Those of them that are for strangers.
    pub strangers: u64,
    /// Leases, those in their grace included.
    pub active: u64,
    /// Of the leases, those that are over by a clock that nobody has accepted.
    pub clock_held: u64,
    /// Addresses set aside.
    pub set_aside: u64,
    /// Option 82 or a long chaddr that was too long to be stored.
    pub not_stored: u64,
    /// Offers that were taken before their hold ended, because addresses ran low.
    pub holds_cut: u64,
    /// Words that did not say what their slot said. Always 0, or this program has a fault.
    pub inconsistent: u64,
}

/// Who a slot is of: what a query says of its client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientInfo<'q> {
    pub(crate) network: &'q Network,
    pub(crate) identity: &'q [u8],
    pub(crate) hash: u64,
    pub(crate) htype: u8,
    pub(crate) chaddr: &'q [u8],
}

impl Shard {
    /// A shard of the bindings in `bindings`, for worker `me` of `workers`, on the networks of
    /// `config`; `None` if there are more networks than a table has lists.
    #[must_use]
    pub fn new(
        (me, workers): (Worker, u16),
        key: HashKey,
        mut bindings: Bindings,
        config: &Config,
    ) -> Option<Self> {
        let mut lists = Vec::new();
        for _ in 0..config.keys() {
            lists.push(Lists::new(&mut bindings)?);
        }
        let (wall, sweep) = (Wall::default(), SlotIndex(0));
        let most_offers = offers::share(bindings.capacity(), offers::SHARE);
        Some(Self {
            me,
            workers,
            key,
            wall,
            bindings,
            lists,
            sweep,
            accepting: false,
            regrouping: regroup::Progress::done(config),
            asked: [None; ASKED],
            sought: [(0, 0); probe::SOUGHT],
            counts: Counts::default(),
            most_offers,
            relief: 0,
        })
    }

    /// The secret of the hash.
    #[must_use]
    pub fn key(&self) -> &HashKey {
        &self.key
    }

    /// The worker it belongs to.
    #[must_use]
    pub fn worker(&self) -> Worker {
        self.me
    }

    /// How many shards there are.
    #[must_use]
    pub fn workers(&self) -> u16 {
        self.workers
    }

    /// What the counts are now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bindings in the table, and how many fit.
    #[must_use]
    pub fn fill(&self) -> (usize, usize) {
        (self.bindings.len(), self.bindings.capacity())
    }

    /// The bindings, for look-ups ahead of a decision (prefetch).
    #[must_use]
    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Tells how far the wall clock is ahead of the inner one; records speak wall time.
    pub fn set_wall(&mut self, wall: Wall) {
        self.wall = wall;
    }

    /// How far the wall clock is ahead.
    #[must_use]
    pub fn wall(&self) -> Wall {
        self.wall
    }

    /// Whether a parked reply still says what its binding says: the same lease, no newer record,
    /// no newer reply on its way.
    #[must_use]
    pub fn stands(&self, parked: &Parked) -> bool {
        self.bindings
            .slot(SlotIndex(parked.slot))
            .is_some_and(|slot| {
                slot.state == BindingState::Active
                    && slot.generation() == parked.generation
                    && slot.sequence() == parked.sequence
                    && slot.ticket == parked.ticket
            })
    }

    /// The address that a reply states, and its space; `None` if its network is gone.
    #[must_use]
    pub fn stated(&self, config: &Config, parked: &Parked) -> Option<(Space, Ipv4Addr)> {
        let slot = SlotIndex(parked.slot);
        let network = key_of(self.bindings.slot(slot)?.network());
        let network = config.network_by_key(network)?;
        Some((network.space, self.addr(slot)?))
    }

    /// The parked entry of a reply that states the binding in `slot` now; older ones are
    /// cancelled.
    pub(crate) fn park(&mut self, slot: SlotIndex) -> Option<Parked> {
        let binding = self.bindings.slot_mut(slot)?;
        binding.ticket = binding.ticket.wrapping_add(1);
        Some(Parked {
            slot: slot.0,
            generation: binding.generation(),
            sequence: binding.sequence(),
            ticket: binding.ticket,
        })
    }

    /// The slot of a client on a network.
    #[must_use]
    pub fn find(&self, hash: u64, network: NetworkKey, identity: &[u8]) -> Option<SlotIndex> {
        self.bindings.find(hash, network.0, identity)
    }

    /// The slot of the client's offer beside its lease.
    pub(crate) fn find_beside(&self, client: &ClientInfo<'_>) -> Option<SlotIndex> {
        self.bindings
            .find(client.hash, client.network.key.0 | BESIDE, client.identity)
    }

    /// The address of a slot, unless it has none.
    #[must_use]
    pub fn addr(&self, slot: SlotIndex) -> Option<Ipv4Addr> {
        let addr = self.bindings.slot(slot)?.addr;
        (addr != 0).then(|| Ipv4Addr::from_bits(addr))
    }

    /// What a slot is.
    #[must_use]
    pub fn state(&self, slot: SlotIndex) -> Option<BindingState> {
        self.bindings.slot(slot).map(|s| s.state)
    }

    /// The slot that holds `addr` here: its word names this worker and a slot of that address.
    #[must_use]
    pub fn holder(&self, config: &Config, space: Space, addr: Ipv4Addr) -> Option<SlotIndex> {
        let cell = config.cell(space, addr)?;
        let word = cell.load();
        let held = match word.state() {
            AddressState::Held | AddressState::Bound => true,
            AddressState::Free | AddressState::Remembered | AddressState::SetAside => false,
        };
        let slot = SlotIndex(cell.slot());
        (held && word.owner() == self.me && self.addr(slot) == Some(addr)).then_some(slot)
    }

    /// Whether the right of a slot to its address stands: nobody took it since.
    pub(crate) fn is_own(&self, cell: Cell, slot: SlotIndex) -> bool {
        self.own_word(cell, slot).is_some()
    }

    /// The word of a slot's address, if it still says what the slot says. One that is merely
    /// remembered may be another's a moment later, so it is this word that has to be exchanged.
    pub(crate) fn own_word(&self, cell: Cell, slot: SlotIndex) -> Option<Word> {
        let word = cell.load();
        let binding = self.bindings.slot(slot)?;
        let own = word.state() != AddressState::Free
            && word.owner() == self.me
            && word.generation().number() == binding.generation();
        own.then_some(word)
    }

    /// [`Self::own_word`] of the address that the slot has.
    fn word_of(&self, config: &Config, network: &Network, slot: SlotIndex) -> Option<Word> {
        let cell = config.cell(network.space, self.addr(slot)?)?;
        self.own_word(cell, slot)
    }

    /// Sets the timers to the second it is, before the first binding is read from the store.
    pub fn begin(&mut self, now: u32) {
        let none = self.bindings.due(now, &mut 1);
        debug_assert_eq!(none, None);
    }

    fn lists(&self, network: u32) -> Option<Lists> {
        self.lists.get(key_of(network).0 as usize).copied()
    }

    /// The newest record of a slot.
    #[must_use]
    pub fn sequence(&self, slot: SlotIndex) -> Sequence {
        self.bindings
            .slot(slot)
            .map_or(0, crate::binding::Slot::sequence)
    }
}
