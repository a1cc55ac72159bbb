//! Lists of bindings: holds and remembered bindings, the oldest first.

use super::Bindings;
use super::chain::{Chains, LIST};
use super::slot::{Links, SlotIndex};
use alloc::vec::Vec;

/// The number of a list of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListId(pub(super) u32);

/// Memory for lists.
#[derive(Debug)]
pub struct ListMemory(pub(super) Vec<Links>);

impl ListMemory {
    /// Room for `lists` lists.
    #[must_use]
    pub fn new(lists: usize) -> Self {
        Self(Vec::with_capacity(lists))
    }
}

impl Bindings {
    /// Moves the lists to `memory`, which then is what they had. Nothing happens if that is too
    /// small. Nothing is allocated here, nor by [`Bindings::add_list`] while there is room.
    pub fn move_lists(&mut self, memory: &mut ListMemory) {
        self.lists.move_to(&mut memory.0);
    }

    /// Makes an empty list. It allocates, and is there for good: a matter of configuration.
    ///
    /// `None` after 2^31 lists.
    pub fn add_list(&mut self) -> Option<ListId> {
        self.lists.add().map(ListId)
    }

    /// Puts a binding behind the last of a list, out of the list that it is in.
    pub fn push_back(&mut self, list: ListId, index: SlotIndex) {
        if self.slot(index).is_some() {
            self.lists.push_back(self.slots, list.0, index);
        }
    }

    /// Takes a binding out of the list that it is in, if it is in one.
    pub fn unlist(&mut self, index: SlotIndex) {
        if self.slot(index).is_some() {
            self.lists.unlink(self.slots, index);
        }
    }

    /// Whether a binding is in a list.
    #[must_use]
    pub fn is_listed(&self, index: SlotIndex) -> bool {
        self.slot(index).is_some() && Chains::<LIST>::contains(self.slots, index)
    }

    /// The first binding of a list: the one that has been in it longest.
    #[must_use]
    pub fn front(&self, list: ListId) -> Option<SlotIndex> {
        self.lists.first(list.0)
    }

    /// The binding behind `index` in its list.
    #[must_use]
    pub fn next_in_list(&self, index: SlotIndex) -> Option<SlotIndex> {
        self.slot(index)?;
        Chains::<LIST>::next(self.slots, index)
    }
}
