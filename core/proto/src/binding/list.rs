//! Lists of bindings: holds and remembered bindings, the oldest first.

use super::Bindings;
use super::chain::{Chains, LIST};
use super::slot::SlotIndex;

/// The number of a list of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListId(pub(super) u32);

impl Bindings {
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
