//! The memory of a table: how much it wants, and who lends it.

use super::arena::Arena;
use super::page::Page;
use super::slot::Slot;
use super::table::{Bucket, Table};
use alloc::boxed::Box;
use alloc::vec;

/// How many elements of each kind a table wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Buckets of the look-up table.
    pub buckets: usize,
    /// Slots, one a binding.
    pub slots: usize,
    /// Pages of the arena.
    pub pages: usize,
}

impl Sizes {
    /// What `bindings` bindings want, and beside them `arena_octets` octets of option 82 and long
    /// identities, each rounded up by the arena: 16 octets to 20, others by at most a third.
    #[must_use]
    pub const fn for_capacity(bindings: usize, arena_octets: usize) -> Self {
        Self {
            buckets: Table::buckets_for(bindings),
            slots: bindings,
            pages: Arena::pages_for(arena_octets),
        }
    }

    /// All of it in octets.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.buckets
            .saturating_mul(size_of::<Bucket>())
            .saturating_add(self.slots.saturating_mul(size_of::<Slot>()))
            .saturating_add(self.pages.saturating_mul(size_of::<Page>()))
    }
}

/// The memory of one table, all of it `EMPTY`.
#[derive(Debug)]
pub struct Storage {
    /// Buckets of the look-up table.
    pub buckets: &'static mut [Bucket],
    /// Slots, one a binding.
    pub slots: &'static mut [Slot],
    /// Pages of the arena.
    pub pages: &'static mut [Page],
}

impl Storage {
    /// Memory from the heap, never given back: for tests and tools. A worker's is huge pages.
    #[must_use]
    pub fn leaked(sizes: Sizes) -> Self {
        Self {
            buckets: Box::leak(vec![Bucket::EMPTY; sizes.buckets].into_boxed_slice()),
            slots: Box::leak(vec![Slot::EMPTY; sizes.slots].into_boxed_slice()),
            pages: Box::leak(vec![Page::EMPTY; sizes.pages].into_boxed_slice()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binding_takes_104_octets_and_16_of_option_82_take_21_more() {
        let bindings = 10_000_000;
        let plain = Sizes::for_capacity(bindings, 0).octets();
        assert_eq!(plain, bindings * 104);
        // 204 blocks of 20 octets a page.
        let arena = bindings.div_ceil(204) * size_of::<Page>();
        let with_82 = Sizes::for_capacity(bindings, arena).octets();
        assert!(with_82 <= bindings * 125);
    }
}
