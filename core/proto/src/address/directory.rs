//! Which block holds an address: an immutable map that each configuration snapshot has its own
//! of, over blocks that they all share.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use super::block::{Block, Cell};

/// An address space, which is a VRF; 0 if the configuration names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Space(pub u16);

/// Space and the first three octets of an address: what names a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(u64);

const OCTETS: u32 = 24;

impl Key {
    fn new(space: Space, addr: Ipv4Addr) -> Self {
        Self(u64::from(space.0) << OCTETS | u64::from(addr.to_bits() >> u8::BITS))
    }

    fn space(self) -> Space {
        let [.., high, low, _, _, _] = self.0.to_be_bytes();
        Space(u16::from_be_bytes([high, low]))
    }

    fn addr(self, last: u8) -> Ipv4Addr {
        let [.., a, b, c] = self.0.to_be_bytes();
        Ipv4Addr::new(a, b, c, last)
    }

    /// Fibonacci hashing: the upper bits spread runs of consecutive keys, which is what
    /// configured ranges are, almost evenly.
    fn home(self, shift: u32) -> usize {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        usize::try_from(self.0.wrapping_mul(GOLDEN) >> shift).unwrap_or(usize::MAX)
    }
}

/// A block and its name. Four of them share a cache line.
#[derive(Clone, Copy)]
struct Entry {
    key: Key,
    block: &'static Block,
}

/// The blocks by address. A look-up mostly costs one cache line and never more than the longest
/// run of the index, which is at most half full.
pub struct Directory {
    /// In the order of space and address.
    sorted: Box<[Entry]>,
    /// Open addressing, linear; a power of two, at least 2.
    index: Box<[Option<Entry>]>,
    /// What a hash is shifted by to be a place in `index`.
    shift: u32,
}

impl Directory {
    /// Begins a directory that has all blocks of `previous`.
    ///
    /// All directories of a process must form one line: `previous` is the newest one that was
    /// built, in use or not, so that no block is ever made twice.
    #[must_use]
    pub fn builder(previous: Option<&Self>) -> DirectoryBuilder {
        let blocks = previous.map(|directory| directory.sorted.to_vec());
        DirectoryBuilder {
            blocks: blocks.unwrap_or_default(),
            added: BTreeSet::new(),
        }
    }

    /// The address, if a block holds it.
    #[inline]
    #[must_use]
    pub fn cell(&self, space: Space, addr: Ipv4Addr) -> Option<Cell> {
        let [.., last] = addr.octets();
        self.block(space, addr).map(|block| block.cell(last))
    }

    /// The block that holds the address and those that share its first three octets.
    #[inline]
    #[must_use]
    pub fn block(&self, space: Space, addr: Ipv4Addr) -> Option<&'static Block> {
        let key = Key::new(space, addr);
        let mask = self.index.len() - 1;
        let mut at = key.home(self.shift);
        // At least half of the index is empty, so this ends.
        while let Some(Some(entry)) = self.index.get(at) {
            if entry.key == key {
                return Some(entry.block);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Where a look-up of `addr` begins, to be fetched ahead.
    #[must_use]
    pub fn line(&self, space: Space, addr: Ipv4Addr) -> Option<&(impl Sized + use<>)> {
        self.index.get(Key::new(space, addr).home(self.shift))
    }

    /// All blocks in the order of space and address, each with its first address. Skipping is
    /// cheap, so a sweep in steps can go on where it stopped.
    #[must_use]
    pub fn blocks(
        &self,
    ) -> impl ExactSizeIterator<Item = (Space, Ipv4Addr, &'static Block)> + Clone + use<'_> {
        let named = |entry: &Entry| (entry.key.space(), entry.key.addr(0), entry.block);
        self.sorted.iter().map(named)
    }

    /// All addresses of all blocks, in the order of space and address.
    pub fn addresses(&self) -> impl Iterator<Item = (Space, Ipv4Addr, Cell)> + use<'_> {
        self.sorted.iter().flat_map(|entry| {
            let named = |(last, cell)| (entry.key.space(), entry.key.addr(last), cell);
            (0..=u8::MAX).zip(entry.block.cells()).map(named)
        })
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |(space, addr, _): (Space, Ipv4Addr, &Block)| (space, addr);
        f.debug_set().entries(self.blocks().map(named)).finish()
    }
}

/// A directory in the making.
pub struct DirectoryBuilder {
    /// Those of the previous directory, sorted.
    blocks: Vec<Entry>,
    added: BTreeSet<Key>,
}

impl DirectoryBuilder {
    /// Sees to it that a block holds `addr`.
    pub fn name(&mut self, space: Space, addr: Ipv4Addr) -> &mut Self {
        self.name_range(space, addr, addr)
    }

    /// Sees to it that blocks hold all addresses from `first` to `last`; none if `last` comes
    /// before `first`.
    pub fn name_range(&mut self, space: Space, first: Ipv4Addr, last: Ipv4Addr) -> &mut Self {
        let last = Key::new(space, last).0;
        for key in (Key::new(space, first).0..=last).map(Key) {
            if self
                .blocks
                .binary_search_by_key(&key, |entry| entry.key)
                .is_err()
            {
                self.added.insert(key);
            }
        }
        self
    }

    /// How many blocks are to be made: the memory that the build will take for good.
    #[must_use]
    pub fn added(&self) -> usize {
        self.added.len()
    }

    /// The directory, its new blocks on the heap.
    #[must_use]
    pub fn build(self) -> Directory {
        self.build_in(|_| Default::default())
    }

    /// The directory, its new blocks in `storage`, which is asked once for so many. Those that it
    /// has no room for come on the heap.
    #[must_use]
    pub fn build_in(self, storage: impl FnOnce(usize) -> &'static mut [Block]) -> Directory {
        let Self { mut blocks, added } = self;
        if !added.is_empty() {
            let given: &'static [Block] = storage(added.len());
            let missing = added.len().saturating_sub(given.len());
            let heap: Vec<_> = (0..missing).map(|_| Block::default()).collect();
            let made = given.iter().chain(heap.leak().iter());
            let entry = |(key, block)| Entry { key, block };
            blocks.extend(added.into_iter().zip(made).map(entry));
            blocks.sort_unstable_by_key(|entry| entry.key);
        }
        Directory::index(blocks.into_boxed_slice())
    }
}

impl fmt::Debug for DirectoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (present, added) = (self.blocks.len(), self.added.len());
        write!(
            f,
            "DirectoryBuilder {{ present: {present}, added: {added} }}"
        )
    }
}

impl Directory {
    fn index(sorted: Box<[Entry]>) -> Self {
        let len = (sorted.len() * 2).next_power_of_two().max(2);
        let shift = u64::BITS - len.trailing_zeros();
        let mut index = alloc::vec![None; len].into_boxed_slice();
        for entry in &sorted {
            let mut at = entry.key.home(shift);
            while index[at].is_some() {
                at = (at + 1) & (len - 1);
            }
            index[at] = Some(*entry);
        }
        Self {
            sorted,
            index,
            shift,
        }
    }

    /// The most entries that a look-up reads.
    #[cfg(test)]
    fn longest_run(&self) -> usize {
        let runs = self.index.split(Option::is_none).map(<[_]>::len);
        runs.max().unwrap_or(0) + 1
    }
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use std::boxed::Box;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::address::{Claim, Worker};

    const DEFAULT: Space = Space(0);

    fn addr(text: &str) -> Ipv4Addr {
        text.parse().unwrap()
    }

    fn range(first: &str, last: &str) -> Directory {
        let mut builder = Directory::builder(None);
        builder.name_range(DEFAULT, addr(first), addr(last));
        builder.build()
    }

    #[test]
    fn an_empty_directory_holds_nothing() {
        let directory = Directory::builder(None).build();
        assert!(directory.cell(DEFAULT, addr("0.0.0.0")).is_none());
        assert!(
            directory
                .cell(Space(u16::MAX), addr("255.255.255.255"))
                .is_none()
        );
        assert_eq!(directory.blocks().len(), 0);
    }

    #[test]
    fn a_range_has_the_blocks_it_touches_and_no_other() {
        let directory = range("10.0.0.250", "10.0.2.3");
        let firsts: Vec<_> = directory.blocks().map(|(_, first, _)| first).collect();
        assert_eq!(firsts, ["10.0.0.0", "10.0.1.0", "10.0.2.0"].map(addr));
        assert!(directory.cell(DEFAULT, addr("10.0.0.0")).is_some());
        assert!(directory.cell(DEFAULT, addr("10.0.2.255")).is_some());
        assert!(directory.cell(DEFAULT, addr("9.255.255.255")).is_none());
        assert!(directory.cell(DEFAULT, addr("10.0.3.0")).is_none());
        assert!(directory.cell(Space(1), addr("10.0.1.0")).is_none());
    }

    #[test]
    fn a_reversed_range_names_nothing() {
        assert_eq!(range("10.0.9.0", "10.0.2.0").blocks().len(), 0);
    }

    #[test]
    fn the_ends_of_spaces_and_addresses_are_found_under_their_names() {
        let (first, last) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
        let mut builder = Directory::builder(None);
        for space in [Space(0), Space(u16::MAX)] {
            builder.name(space, first).name(space, last);
        }
        let directory = builder.build();
        let ends: Vec<_> = directory
            .addresses()
            .map(|(space, addr, _)| (space, addr))
            .collect();
        assert_eq!(ends.len(), 4 * 256);
        assert_eq!(ends.first(), Some(&(Space(0), first)));
        assert_eq!(ends.last(), Some(&(Space(u16::MAX), last)));
        assert!(ends.is_sorted());
    }

    #[test]
    fn two_snapshots_see_one_word() {
        let old = range("10.0.0.0", "10.0.0.255");
        let mut builder = Directory::builder(Some(&old));
        builder.name_range(DEFAULT, addr("10.0.0.7"), addr("10.0.1.7"));
        builder.name(DEFAULT, addr("9.0.0.0"));
        assert_eq!(builder.added(), 2);
        let new = builder.build();
        let seen = old.cell(DEFAULT, addr("10.0.0.7")).unwrap();
        let mine = seen
            .claim(seen.load(), Claim::Bound, Worker(1), 42)
            .unwrap();
        let same = new.cell(DEFAULT, addr("10.0.0.7")).unwrap();
        assert_eq!((same.load(), same.slot()), (mine, 42));
    }

    #[test]
    fn a_block_that_the_new_configuration_does_not_name_stays() {
        let old = range("10.0.0.0", "10.0.0.255");
        let new = Directory::builder(Some(&old)).build();
        let (_, _, before) = old.blocks().next().unwrap();
        let (_, _, after) = new.blocks().next().unwrap();
        assert!(ptr::eq(before, after));
    }

    #[test]
    fn blocks_come_in_the_storage_given_and_the_rest_on_the_heap() {
        let blocks: Vec<_> = (0..2).map(|_| Block::default()).collect();
        let storage = blocks.leak();
        let inside = storage.as_ptr_range();
        let mut builder = Directory::builder(None);
        builder.name_range(DEFAULT, addr("10.0.0.0"), addr("10.0.2.255"));
        let directory = builder.build_in(|count| {
            assert_eq!(count, 3);
            storage
        });
        let places = directory
            .blocks()
            .map(|(_, _, block)| inside.contains(&ptr::from_ref(block)));
        assert_eq!(places.collect::<Vec<_>>(), [true, true, false]);
    }

    #[test]
    fn storage_is_not_asked_for_nothing() {
        let old = range("10.0.0.0", "10.0.0.255");
        let same = Directory::builder(Some(&old)).build_in(|_| panic!("asked"));
        assert_eq!(same.blocks().len(), 1);
    }

    #[test]
    fn a_look_up_reads_few_entries_whatever_is_configured() {
        // Nothing is claimed here, so all blocks may be one.
        let block: &'static Block = Box::leak(Box::default());
        let index = |keys: Vec<Key>| {
            let entry = |key| Entry { key, block };
            Directory::index(keys.into_iter().map(entry).collect()).longest_run()
        };
        let key = |space, addr: u32| Key::new(Space(space), Ipv4Addr::from_bits(addr));
        let ten_slash_8 = (0..1 << 16).map(|block| key(0, 10 << 24 | block << 8));
        let one_slash_24_in_1000_spaces = (0..1000).map(|space| key(space, 0xc0a8_0100));
        let one_slash_16_in_500_spaces = (0..500)
            .flat_map(|space| (0..256).map(move |block| key(space, 0x0a01_0000 | block << 8)));
        let every_second_slash_20 =
            (0..1000).flat_map(|net| (0..16).map(move |block| key(0, net << 13 | block << 8)));
        assert!(index(ten_slash_8.collect()) <= 4);
        assert!(index(one_slash_24_in_1000_spaces.collect()) <= 8);
        assert!(index(one_slash_16_in_500_spaces.collect()) <= 16);
        assert!(index(every_second_slash_20.collect()) <= 8);
        assert_eq!(size_of::<Option<Entry>>(), 16);
    }

    proptest! {
        #[test]
        fn exactly_the_named_blocks_are_found(
            named in proptest::collection::vec((0_u16..3, 0_u32..64), 0..40),
            later in proptest::collection::vec((0_u16..3, 0_u32..64), 0..40),
        ) {
            let place = |&(space, block): &(u16, u32)| {
                (Space(space), Ipv4Addr::from_bits(block << 8 | 5))
            };
            let mut builder = Directory::builder(None);
            named.iter().map(place).for_each(|(space, addr)| { builder.name(space, addr); });
            let first = builder.build();
            let mut builder = Directory::builder(Some(&first));
            later.iter().map(place).for_each(|(space, addr)| { builder.name(space, addr); });
            let second = builder.build();
            for pair in (0..3).flat_map(|space| (0..64).map(move |block| (space, block))) {
                let (space, addr) = place(&pair);
                let (old, new) = (named.contains(&pair), later.contains(&pair));
                prop_assert_eq!(first.cell(space, addr).is_some(), old);
                prop_assert_eq!(second.cell(space, addr).is_some(), old || new);
            }
        }
    }
}
