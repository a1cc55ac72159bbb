//! The bindings of one shard, and what finds, times and orders them.
//!
//! ```text
//!   (hash, network) ──► bucket: ten tags, ten slot numbers      one cache line
//!                          └──► slot: the binding                two cache lines
//!                                ├── arena: long identity, option 82
//!                                ├── timer ──► wheel
//!                                └── list  ──► holds, remembered bindings
//! ```
//!
//! One thread owns a table. Its memory is lent to it at the start, its capacity is fixed, and
//! nothing allocates after that but [`Bindings::add_list`].
//!
//! A burst is looked up in three passes, so that its cache misses overlap: prefetch
//! [`Bindings::bucket`] of each message, then [`Bindings::probe`] of each and prefetch that slot
//! and its [`Slot::end`], then [`Bindings::find`].

mod ahead;
mod arena;
mod chain;
mod client;
mod list;
mod page;
mod slot;
mod storage;
mod table;
mod wheel;

pub use arena::ArenaFull;
pub use list::{ListId, ListMemory};
pub use page::Page;
pub use slot::{BindingState, Slot, SlotIndex};
pub use storage::{Sizes, Storage};
pub use table::Bucket;

use arena::Arena;
use chain::{Chains, LIST};
use slot::{Link, MAX_SLOTS};
use table::{Place, Table};
use wheel::Wheel;

/// Why a binding was not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The table has as many bindings as it was made for.
    Slots,
    /// The identity is long, and the arena has no block for it.
    Arena,
}

/// The bindings of one shard.
#[derive(Debug)]
pub struct Bindings {
    table: Table,
    slots: &'static mut [Slot],
    arena: Arena,
    wheel: Wheel,
    lists: Chains<LIST>,
    len: u32,
    capacity: u32,
    /// Slots from here on were never used.
    fresh: u32,
    /// The newest slot that was freed; its list link leads to the next.
    freed: SlotIndex,
}

impl Bindings {
    /// A table in this memory, which must be [`Bucket::EMPTY`], [`Slot::EMPTY`] and
    /// [`Page::EMPTY`] throughout.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        let Storage {
            buckets,
            slots,
            pages,
        } = storage;
        let table = Table::new(buckets);
        let capacity = slots.len().min(table.capacity()).min(MAX_SLOTS);
        Self {
            table,
            slots,
            arena: Arena::new(pages),
            wheel: Wheel::new(),
            lists: Chains::new(0),
            len: 0,
            capacity: u32::try_from(capacity).unwrap_or(0),
            fresh: 0,
            freed: SlotIndex::NONE,
        }
    }

    /// How many bindings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bindings there can be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// How many more bindings there can be.
    #[must_use]
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.len) as usize
    }

    /// Octets of the arena in pages that hold nothing.
    #[must_use]
    pub fn arena_free(&self) -> usize {
        self.arena.free_octets()
    }

    /// The binding of an identity on a network. `hash` is the keyed hash of the identity alone.
    #[inline]
    #[must_use]
    pub fn find(&self, hash: u64, network: u32, identity: &[u8]) -> Option<SlotIndex> {
        let hash = lower(hash);
        self.table.find(Place::of(hash, network), |index| {
            self.slots.get(index.position()).is_some_and(|slot| {
                slot.hash == hash
                    && slot.network == network
                    && usize::from(slot.identity_len) == identity.len()
                    && self.identity_of(slot) == identity
            })
        })
    }

    /// The bucket where a look-up begins, for prefetching.
    #[inline]
    #[must_use]
    pub fn bucket(&self, hash: u64, network: u32) -> Option<&Bucket> {
        self.table.home(Place::of(lower(hash), network))
    }

    /// The slot that a look-up will most likely end at, for prefetching: by the bucket's tags
    /// alone, the slot is not read.
    #[inline]
    #[must_use]
    pub fn probe(&self, hash: u64, network: u32) -> Option<&Slot> {
        let index = self.table.find(Place::of(lower(hash), network), |_| true)?;
        self.slots.get(index.position())
    }

    /// Enters a binding; its slot says nothing yet but whose it is. [`Bindings::find`] must have
    /// said that there is none: of two, either one would be found.
    ///
    /// # Errors
    ///
    /// Returns [`Full`], and nothing changed.
    pub fn insert(&mut self, hash: u64, network: u32, identity: &[u8]) -> Result<SlotIndex, Full> {
        if self.len >= self.capacity {
            return Err(Full::Slots);
        }
        let hash = lower(hash);
        let mut slot = Slot::fresh(network, hash);
        self.store_identity(&mut slot, identity)
            .map_err(|ArenaFull| Full::Arena)?;
        let index = self.vacant();
        let entered = self.table.insert(Place::of(hash, network), index);
        let Some(room) = self.slots.get_mut(index.position()).filter(|_| entered) else {
            self.free_blocks(&slot);
            return Err(Full::Slots);
        };
        let next = room.links[LIST].next.as_slot();
        *room = slot;
        if index == self.freed {
            self.freed = next.unwrap_or(SlotIndex::NONE);
        } else {
            self.fresh += 1;
        }
        self.len += 1;
        Ok(index)
    }

    /// Takes a binding out of the table, its timer and its list. Does nothing for a free slot.
    pub fn remove(&mut self, index: SlotIndex) {
        let Some(&slot) = self.slot(index) else {
            return;
        };
        self.wheel.cancel(self.slots, index);
        self.lists.unlink(self.slots, index);
        self.table.remove(Place::of(slot.hash, slot.network), index);
        self.free_blocks(&slot);
        if let Some(room) = self.slots.get_mut(index.position()) {
            *room = Slot::EMPTY;
            room.links[LIST].next = Link::slot(self.freed);
            self.freed = index;
            self.len -= 1;
        }
    }

    /// Moves a binding to another network, on which the identity must have none.
    pub fn rekey_network(&mut self, index: SlotIndex, network: u32) {
        let Some(slot) = self.slot_mut(index) else {
            return;
        };
        let old = Place::of(slot.hash, slot.network);
        let new = Place::of(slot.hash, network);
        slot.network = network;
        self.table.remove(old, index);
        // The lane that was just left is room enough.
        self.table.insert(new, index);
    }

    /// A binding's slot; `None` if it is free or there is no such slot.
    #[inline]
    #[must_use]
    pub fn slot(&self, index: SlotIndex) -> Option<&Slot> {
        self.slots
            .get(index.position())
            .filter(|slot| slot.is_used())
    }

    /// A binding's slot, to change; `None` if it is free or there is no such slot.
    #[inline]
    #[must_use]
    pub fn slot_mut(&mut self, index: SlotIndex) -> Option<&mut Slot> {
        self.slots
            .get_mut(index.position())
            .filter(|slot| slot.is_used())
    }

    /// The first binding behind `index` in the order of the slots; behind [`SlotIndex::NONE`] is
    /// the first of all.
    ///
    /// Free slots in between are passed over, at most as many as there have been bindings at
    /// once. A walk in bounded steps asks [`Bindings::slot`] of the numbers below
    /// [`Bindings::slots_used`] instead, some in each turn.
    #[must_use]
    pub fn next_after(&self, index: SlotIndex) -> Option<SlotIndex> {
        let first = index.0.wrapping_add(1);
        (first..self.fresh)
            .map(SlotIndex)
            .find(|index| self.slot(*index).is_some())
    }

    /// Every binding is in a slot of a number below this one.
    #[must_use]
    pub fn slots_used(&self) -> u32 {
        self.fresh
    }

    /// The slot that the next binding goes to.
    fn vacant(&self) -> SlotIndex {
        if self.freed == SlotIndex::NONE {
            SlotIndex(self.fresh)
        } else {
            self.freed
        }
    }
}

/// The half of a hash that the table uses.
fn lower(hash: u64) -> u32 {
    (hash & 0xffff_ffff) as u32
}

#[cfg(test)]
mod tests;
