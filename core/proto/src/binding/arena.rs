//! Octets that do not fit into a slot: long identities and option 82.
//!
//! Pages of 4 KiB, each cut into blocks of one size while it is in use. A page that holds nothing
//! goes back and may be cut anew, so space freed by one size serves every other. Taking and giving
//! back a block touch the block and the heads of at most three pages, whatever is stored.

use super::page::{BLOCKS, Page, SIZES, UNIT, class_for};

/// A handle counts units of a page, its head's among them.
const PAGE_UNITS: usize = size_of::<Page>() / UNIT;
const HEAD_UNITS: usize = (size_of::<Page>() - BLOCKS) / UNIT;

/// The most pages of one arena, 16 GiB: a handle has 32 bits.
const MAX_PAGES: usize = (u32::MAX as usize) / PAGE_UNITS;

/// No room in the arena, or more octets than a block can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArenaFull;

/// A block in the arena, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob(pub(super) u32);

impl Blob {
    /// No block. (Unit 0 is in the head of page 0.)
    pub(super) const NONE: Self = Self(0);

    fn page(self) -> usize {
        self.0 as usize / PAGE_UNITS
    }

    /// Where the block begins in its page's blocks; `None` for a handle into a page's head.
    fn offset(self) -> Option<usize> {
        let units = (self.0 as usize % PAGE_UNITS).checked_sub(HEAD_UNITS)?;
        Some(units * UNIT)
    }
}

/// The pages, and who has room.
#[derive(Debug)]
pub(super) struct Arena {
    pages: &'static mut [Page],
    /// Pages from here on were never used.
    fresh: u32,
    /// Pages that were used and hold nothing; index plus 1, as all links of pages.
    unused: u32,
    /// How many pages hold something.
    in_use: u32,
    /// The first page with room, of each class.
    with_room: [u32; SIZES.len()],
}

impl Arena {
    pub(super) fn new(pages: &'static mut [Page]) -> Self {
        let count = pages.len().min(MAX_PAGES);
        Self {
            pages: pages.get_mut(..count).unwrap_or_default(),
            fresh: 0,
            unused: 0,
            in_use: 0,
            with_room: [0; SIZES.len()],
        }
    }

    /// How many pages hold `octets`.
    pub(super) const fn pages_for(octets: usize) -> usize {
        octets.div_ceil(size_of::<Page>())
    }

    /// Octets in pages that hold nothing.
    pub(super) fn free_octets(&self) -> usize {
        self.pages.len().saturating_sub(self.in_use as usize) * size_of::<Page>()
    }

    /// The content of a block; of [`Blob::NONE`] it is empty.
    pub(super) fn octets(&self, blob: Blob) -> &[u8] {
        blob.offset()
            .and_then(|at| self.pages.get(blob.page())?.content(at))
            .unwrap_or_default()
    }

    /// Puts `parts`, one behind the other, into the place of what `blob` holds; nothing at all
    /// gives the block back. On an error nothing changed; it cannot happen if the octets are no
    /// more than those that are replaced.
    pub(super) fn store(&mut self, blob: &mut Blob, parts: [&[u8]; 2]) -> Result<(), ArenaFull> {
        let [first, second] = parts;
        let len = first.len() + second.len();
        if len == 0 {
            self.free(core::mem::replace(blob, Blob::NONE));
            return Ok(());
        }
        let class = class_for(len).ok_or(ArenaFull)?;
        let old = *blob;
        if self.class_of(old) != Some(class) {
            *blob = self
                .allocate(class)
                // Without room for a smaller block the larger one will do.
                .or_else(|| {
                    self.class_of(old)
                        .filter(|of_old| *of_old > class)
                        .map(|_| old)
                })
                .ok_or(ArenaFull)?;
        }
        let content = blob
            .offset()
            .and_then(|at| self.pages.get_mut(blob.page())?.resized(at, len));
        if let Some((front, back)) =
            content.and_then(|octets| octets.split_at_mut_checked(first.len()))
        {
            front.copy_from_slice(first);
            back.copy_from_slice(second);
        }
        if *blob != old {
            self.free(old);
        }
        Ok(())
    }

    fn class_of(&self, blob: Blob) -> Option<u16> {
        blob.offset()?;
        self.pages.get(blob.page()).map(|page| page.class)
    }

    fn allocate(&mut self, class: u16) -> Option<Blob> {
        let head = usize::from(class);
        if *self.with_room.get(head)? == 0 {
            self.open_page(class)?;
        }
        let number = self.with_room.get(head)?.checked_sub(1)?;
        let page = self.pages.get_mut(number as usize)?;
        let at = page.take()?;
        if !page.has_room() {
            self.unchain(number);
        }
        let unit = number as usize * PAGE_UNITS + HEAD_UNITS + at / UNIT;
        u32::try_from(unit).ok().map(Blob)
    }

    /// Gives a block back; of [`Blob::NONE`] there is nothing to give.
    pub(super) fn free(&mut self, blob: Blob) {
        let Some(at) = blob.offset() else { return };
        let Some(page) = self.pages.get_mut(blob.page()) else {
            return;
        };
        let had_room = page.has_room();
        page.give_back(at);
        let holds_nothing = page.used == 0;
        let Ok(number) = u32::try_from(blob.page()) else {
            return;
        };
        if holds_nothing {
            if had_room {
                self.unchain(number);
            }
            self.close_page(number);
        } else if !had_room {
            self.chain(number);
        }
    }

    /// Cuts a page that holds nothing into blocks of `class`.
    fn open_page(&mut self, class: u16) -> Option<()> {
        let number = if let Some(number) = self.unused.checked_sub(1) {
            self.unused = self.pages.get(number as usize)?.next;
            number
        } else {
            self.pages.get(self.fresh as usize)?;
            self.fresh += 1;
            self.fresh - 1
        };
        let page = self.pages.get_mut(number as usize)?;
        page.cut(class);
        self.in_use += 1;
        self.chain(number);
        Some(())
    }

    fn close_page(&mut self, number: u32) {
        if let Some(page) = self.pages.get_mut(number as usize) {
            page.next = self.unused;
            self.unused = number + 1;
            self.in_use = self.in_use.saturating_sub(1);
        }
    }

    /// Puts a page in front of those of its class with room.
    fn chain(&mut self, number: u32) {
        let Some(page) = self.pages.get_mut(number as usize) else {
            return;
        };
        let Some(head) = self.with_room.get_mut(usize::from(page.class)) else {
            return;
        };
        page.prev = 0;
        page.next = core::mem::replace(head, number + 1);
        let next = page.next;
        if let Some(next) = self.neighbour(next) {
            next.prev = number + 1;
        }
    }

    fn unchain(&mut self, number: u32) {
        let Some(page) = self.pages.get_mut(number as usize) else {
            return;
        };
        let (class, next, prev) = (page.class, page.next, page.prev);
        page.next = 0;
        page.prev = 0;
        if let Some(neighbour) = self.neighbour(next) {
            neighbour.prev = prev;
        }
        if let Some(neighbour) = self.neighbour(prev) {
            neighbour.next = next;
        } else if let Some(head) = self.with_room.get_mut(usize::from(class)) {
            *head = next;
        }
    }

    fn neighbour(&mut self, link: u32) -> Option<&mut Page> {
        self.pages.get_mut(link.checked_sub(1)? as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::MAX_BLOB;
    use super::*;
    use alloc::boxed::Box;
    use proptest::prelude::*;
    use std::collections::HashMap;
    use std::vec;
    use std::vec::Vec;

    fn arena(pages: usize) -> Arena {
        Arena::new(Box::leak(vec![Page::EMPTY; pages].into_boxed_slice()))
    }

    fn stored(arena: &mut Arena, octets: &[u8]) -> Option<Blob> {
        let mut blob = Blob::NONE;
        arena.store(&mut blob, [octets, &[]]).ok()?;
        Some(blob)
    }

    /// Every page in use that has room is in the chain of its class, and no other page is.
    fn assert_sound(arena: &Arena) {
        let mut chained = Vec::new();
        for (class, head) in arena.with_room.iter().enumerate() {
            let (mut prev, mut link) = (0, *head);
            while let Some(page) = link.checked_sub(1).map(|at| &arena.pages[at as usize]) {
                assert_eq!((usize::from(page.class), page.prev), (class, prev));
                chained.push(link - 1);
                (prev, link) = (link, page.next);
            }
        }
        chained.sort_unstable();
        let with_room: Vec<u32> = (0..arena.fresh)
            .filter(|at| {
                let page = &arena.pages[*at as usize];
                page.used > 0 && page.has_room()
            })
            .collect();
        assert_eq!(chained, with_room);
    }

    fn any_len() -> impl Strategy<Value = usize> {
        prop_oneof![0..40_usize, 0..=MAX_BLOB, Just(MAX_BLOB + 1)]
    }

    proptest! {
        #[test]
        fn an_arena_keeps_every_block_whatever_is_stored_beside_it(
            steps in prop::collection::vec((0..60_u8, any_len(), any_len()), 1..400),
        ) {
            let mut arena = arena(4);
            let mut model: HashMap<u8, (Blob, Vec<u8>)> = HashMap::new();
            for (turn, (key, first, second)) in (0_u8..=255).cycle().zip(steps) {
                let first = vec![turn; first];
                let second = vec![!key; second % 64];
                let (blob, octets) = model.entry(key).or_insert((Blob::NONE, Vec::new()));
                let before = *blob;
                if arena.store(blob, [&first, &second]).is_ok() {
                    *octets = [first, second].concat();
                } else {
                    prop_assert_eq!(*blob, before);
                }
                assert_sound(&arena);
                for (blob, octets) in model.values() {
                    prop_assert_eq!(arena.octets(*blob), octets);
                    prop_assert_eq!(octets.is_empty(), *blob == Blob::NONE);
                }
            }
            for (blob, _) in model.values_mut() {
                arena.store(blob, [&[], &[]]).unwrap();
            }
            // All of it is there again, for a size that nobody had.
            prop_assert_eq!(arena.free_octets(), 4 * 4096);
            let largest = vec![1; MAX_BLOB];
            let blocks = (0..).map_while(|_: u32| stored(&mut arena, &largest)).count();
            prop_assert_eq!(blocks, 4 * (BLOCKS / 580));
        }
    }

    #[test]
    fn sixteen_octets_take_little_more_than_twenty() {
        let mut arena = arena(10);
        let blocks = (0..)
            .map_while(|_: u32| stored(&mut arena, &[7; 16]))
            .count();
        assert_eq!(blocks, 10 * 204);
    }

    #[test]
    fn pages_of_one_size_come_and_go_in_any_order() {
        let mut arena = arena(5);
        let mut blobs: Vec<_> = (0..)
            .map_while(|_: u32| stored(&mut arena, &[7; 500]))
            .collect();
        assert_eq!(blobs.len(), 5 * 8);
        // One of each page, then the rest: all orders of full, with room, and empty.
        for at in [3, 11, 19, 27, 35, 12, 13, 14, 8, 9, 10, 15, 4, 5]
            .into_iter()
            .chain(0..40)
        {
            arena.free(core::mem::replace(&mut blobs[at], Blob::NONE));
            assert_sound(&arena);
        }
        assert_eq!(arena.free_octets(), 5 * 4096);
    }

    #[test]
    fn a_block_that_was_given_back_is_used_again_before_another_page() {
        let mut arena = arena(2);
        let mut blobs: Vec<_> = (0..204)
            .map_while(|_| stored(&mut arena, &[7; 16]))
            .collect();
        assert_eq!(arena.free_octets(), 4096);
        arena.store(&mut blobs[77], [&[], &[]]).unwrap();
        stored(&mut arena, &[8; 18]).unwrap();
        assert_eq!(arena.free_octets(), 4096);
    }

    #[test]
    fn fewer_octets_take_a_smaller_block_or_stay_where_they_are() {
        let mut arena = arena(2);
        let mut blob = stored(&mut arena, &[7; 500]).unwrap();
        arena.store(&mut blob, [&[8; 16], &[]]).unwrap();
        assert_eq!(arena.free_octets(), 4096);
        assert_eq!(arena.pages[blob.page()].class, 1);
        let mut other = stored(&mut arena, &[7; 500]).unwrap();
        arena.store(&mut other, [&[9; 40], &[]]).unwrap();
        assert_eq!(arena.octets(other), [9; 40]);
        assert_eq!(arena.store(&mut blob, [&[9; 40], &[]]), Err(ArenaFull));
        assert_eq!(arena.octets(blob), [8; 16]);
    }

    #[test]
    fn a_full_arena_still_replaces_octets_of_the_same_size() {
        let mut arena = arena(1);
        let mut blobs: Vec<_> = (0..)
            .map_while(|_: u32| stored(&mut arena, &[7; 16]))
            .collect();
        let last = blobs.last_mut().unwrap();
        assert_eq!(arena.store(last, [&[8; 17], &[]]), Ok(()));
        assert_eq!(arena.octets(*last), [8; 17]);
        assert_eq!(arena.store(last, [&[9; 40], &[]]), Err(ArenaFull));
        assert_eq!(arena.octets(*last), [8; 17]);
    }

    #[test]
    fn an_arena_without_pages_stores_nothing_and_handles_out_of_range_are_empty() {
        let mut arena = arena(0);
        assert_eq!(stored(&mut arena, &[1]), None);
        assert_eq!(arena.octets(Blob(u32::MAX)), [0; 0]);
        arena.free(Blob(u32::MAX));
        arena.free(Blob(2));
        assert_eq!(arena.free_octets(), 0);
    }
}
