//! Where a pool's free and remembered addresses may be found. A hint is a guess that costs a look
//! at the word; [`super`] says in which order words and hints are changed.

use alloc::boxed::Box;
use core::fmt;

use super::atomic::AtomicU64;
use super::atomic::Ordering::Relaxed;
use super::bitmap::{Bitmap, pack};
use super::block::Cell;
use super::word::{AddressState, Worker};

/// What a pool knows of an address when its hints are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hint {
    /// It is free.
    Free,
    /// It is remembered for a client.
    Reclaimable,
    /// It is in use; it may be hinted later.
    None,
    /// It is reserved or excluded: not to be hinted, unless [`Hints::open`] says so.
    Never,
}

/// The hints of one pool, by the index of the address in it: two bitmaps, free and reclaimable.
///
/// Shared by all workers. A search reads a bounded number of words (a few, if nobody else searches
/// at the same place), and one if there is nothing.
///
/// Hints belong to a configuration snapshot, words do not. When a reload makes new hints of an
/// address, workers that still run on the old snapshot put into the old ones; so once all workers
/// have left it, every address of the new hints must be settled once ([`Self::settle`], from any
/// thread, in steps).
pub struct Hints {
    /// Those that may be hinted. // control: write, all workers: read
    open: Box<[AtomicU64]>,
    free: Bitmap,
    reclaimable: Bitmap,
}

impl Hints {
    /// Hints for `len` addresses, as `initial` says of each.
    #[must_use]
    pub fn new(len: u32, initial: impl Fn(u32) -> Hint) -> Self {
        let open = pack(len, |index| initial(index) != Hint::Never);
        Self {
            open: open.into_iter().map(AtomicU64::new).collect(),
            free: Bitmap::new(len, |index| initial(index) == Hint::Free),
            reclaimable: Bitmap::new(len, |index| initial(index) == Hint::Reclaimable),
        }
    }

    /// Hints that `index` is free; call it after its word became so. Nothing happens to what is
    /// never to be hinted.
    pub fn put_free(&self, index: u32) {
        if self.is_open(index) {
            self.free.put(index);
        }
    }

    /// Hints that `index` is remembered; call it after its word became so. Nothing happens to what
    /// is never to be hinted.
    pub fn put_reclaimable(&self, index: u32) {
        if self.is_open(index) {
            self.reclaimable.put(index);
        }
    }

    /// Takes the hint of the first address at or cyclically after `start` that looks free.
    ///
    /// Look at its word then, and claim it or settle it. None if there is no hint, or if other
    /// workers took 64 in a row from under this search.
    #[must_use]
    pub fn take_free(&self, start: u32) -> Option<u32> {
        self.free.take(start)
    }

    /// Takes the hint of the first address at or cyclically after `start` that looks remembered;
    /// as [`Self::take_free`].
    #[must_use]
    pub fn take_reclaimable(&self, start: u32) -> Option<u32> {
        self.reclaimable.take(start)
    }

    /// Takes the hint that `index` is free away, after it was claimed by its address. Never
    /// before: if the claim failed, the hint could be of a later release, and was lost.
    pub fn drop_free(&self, index: u32) {
        self.free.drop(index);
    }

    /// Takes the hint that `index` is remembered away: after it was claimed by its address, or
    /// before it is forgotten, and then settle it.
    pub fn drop_reclaimable(&self, index: u32) {
        self.reclaimable.drop(index);
    }

    /// Hints what the word of `index` says now. Due whenever a hint was taken or dropped and the
    /// address was not claimed; harmless at any time. Who did not want the address and searches on
    /// starts behind it, or finds it again.
    pub fn settle(&self, index: u32, cell: Cell) {
        match cell.load().state() {
            AddressState::Free => self.put_free(index),
            AddressState::Remembered => self.put_reclaimable(index),
            AddressState::Held | AddressState::Bound | AddressState::SetAside => {}
        }
    }

    /// From here on `index` is not hinted: it is reserved. From any thread, before the workers
    /// learn of the reservation and once more when all have; in between a hint may come back, and
    /// whoever takes it has to see that the address is not for anybody.
    pub fn close(&self, index: u32) {
        if let Some((word, bit)) = self.open_at(index) {
            word.fetch_and(!bit, Relaxed);
        }
        self.drop_free(index);
        self.drop_reclaimable(index);
    }

    /// From here on `index`, whose word is in `cell`, is hinted again. From any thread, before the
    /// workers learn that the reservation is gone and once more when all have: what becomes free in
    /// between may find it closed, and the second settling sees it.
    pub fn open(&self, index: u32, cell: Cell) {
        if let Some((word, bit)) = self.open_at(index) {
            word.fetch_or(bit, Relaxed);
        }
        self.settle(index, cell);
    }

    /// How many addresses look free, at most.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free.count()
    }

    /// How many addresses look remembered, at most.
    #[must_use]
    pub fn reclaimable(&self) -> u32 {
        self.reclaimable.count()
    }

    /// The first address at or after `start` that looks free, which [`Self::take_free`] is likely to
    /// take next; it may be gone by then.
    #[must_use]
    pub fn first_free(&self, start: u32) -> Option<u32> {
        self.free.first(start)
    }

    /// Where the hints of `index` stand, to be fetched ahead of a claim.
    #[must_use]
    pub fn lines(&self, index: u32) -> [Option<&(impl Sized + use<>)>; 2] {
        [self.free.line(index), self.reclaimable.line(index)]
    }

    fn is_open(&self, index: u32) -> bool {
        // Relaxed: who has passed a quiet point since it was changed sees it.
        self.open_at(index)
            .is_some_and(|(word, bit)| word.load(Relaxed) & bit != 0)
    }

    fn open_at(&self, index: u32) -> Option<(&AtomicU64, u64)> {
        let word = self.open.get((index / u64::BITS) as usize)?;
        Some((word, 1 << (index % u64::BITS)))
    }
}

impl fmt::Debug for Hints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (free, reclaimable) = (self.free(), self.reclaimable());
        write!(f, "Hints {{ free: {free}, reclaimable: {reclaimable} }}")
    }
}

/// Where worker `me` of `workers` begins to search among `len` addresses: the places are as far
/// from each other as they can be.
#[must_use]
pub fn start_for(me: Worker, workers: u16, len: u32) -> u32 {
    let place = u64::from(me.0) * u64::from(len) / u64::from(workers.max(1));
    u32::try_from(place).map_or(0, |place| place.min(len.saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// One level of words, then two, three and four.
    const LENGTHS: [u32; 8] = [1, 63, 64, 65, 4096, 4097, 262_144, 300_000];

    fn all(len: u32, hint: Hint) -> Hints {
        Hints::new(len, |_| hint)
    }

    #[test]
    fn hints_of_no_address_find_none() {
        let hints = all(0, Hint::Free);
        hints.put_free(0);
        assert_eq!(hints.take_free(0), None);
        assert_eq!((hints.free(), hints.reclaimable()), (0, 0));
    }

    #[test]
    fn every_address_of_a_pool_is_found_once_beginning_at_the_start() {
        for len in LENGTHS {
            let hints = all(len, Hint::Free);
            assert_eq!(hints.free(), len);
            let start = len / 3;
            let found: Vec<_> = (0..len).map_while(|_| hints.take_free(start)).collect();
            assert!(
                found.iter().copied().eq((start..len).chain(0..start)),
                "{len}"
            );
            assert_eq!((hints.take_free(start), hints.free()), (None, 0));
        }
    }

    #[test]
    fn a_start_behind_the_end_goes_on_from_the_first() {
        let hints = all(65, Hint::Reclaimable);
        assert_eq!(hints.take_reclaimable(64), Some(64));
        assert_eq!(hints.take_reclaimable(65), Some(0));
        assert_eq!(hints.take_reclaimable(u32::MAX), Some(1));
    }

    #[test]
    fn what_is_never_to_be_hinted_is_not() {
        let hints = all(100, Hint::Never);
        for index in [0, 99, 100, u32::MAX] {
            hints.put_free(index);
            hints.put_reclaimable(index);
        }
        assert_eq!((hints.free(), hints.reclaimable()), (0, 0));
        assert_eq!(
            (hints.take_free(0), hints.take_reclaimable(0)),
            (None, None)
        );
    }

    #[test]
    fn what_is_in_use_at_first_is_hinted_later() {
        let hints = all(100, Hint::None);
        hints.put_free(7);
        hints.put_free(7);
        assert_eq!(hints.free(), 1);
        assert_eq!(hints.take_free(50), Some(7));
    }

    #[test]
    fn workers_start_apart_and_inside_the_pool() {
        let starts: Vec<_> = (0..4).map(|me| start_for(Worker(me), 4, 1000)).collect();
        assert_eq!(starts, [0, 250, 500, 750]);
        assert_eq!(start_for(Worker(255), 256, u32::MAX), 4_278_190_079);
        assert_eq!(start_for(Worker(9), 4, 10), 9);
        assert_eq!(start_for(Worker(9), 0, 0), 0);
    }

    #[derive(Clone, Debug)]
    enum Act {
        Put(u32),
        Take(u32),
        Drop(u32),
    }

    fn act() -> impl Strategy<Value = (bool, Act)> {
        // A few indices far apart in each level, so that they meet.
        let index = prop_oneof![0_u32..4, 62_u32..66, 4094_u32..4098, 262_142_u32..262_146];
        let act = prop_oneof![
            4 => index.clone().prop_map(Act::Put),
            3 => index.clone().prop_map(Act::Take),
            1 => index.prop_map(Act::Drop),
        ];
        (any::<bool>(), act)
    }

    proptest! {
        #[test]
        fn hints_are_two_sets(
            len in proptest::sample::select(LENGTHS.as_slice()),
            acts in proptest::collection::vec(act(), 0..200),
        ) {
            let open = |index| index % 7 != 3 && index < len;
            let hints = Hints::new(len, |index| {
                if open(index) { Hint::None } else { Hint::Never }
            });
            let mut sets = [BTreeSet::new(), BTreeSet::new()];
            for (free, act) in acts {
                let set = &mut sets[usize::from(free)];
                match (act, free) {
                    (Act::Put(index), free) => {
                        if free { hints.put_free(index) } else { hints.put_reclaimable(index) }
                        if open(index) {
                            set.insert(index);
                        }
                    }
                    (Act::Drop(index), free) => {
                        if free { hints.drop_free(index) } else { hints.drop_reclaimable(index) }
                        set.remove(&index);
                    }
                    (Act::Take(start), free) => {
                        let found =
                            if free { hints.take_free(start) } else { hints.take_reclaimable(start) };
                        let expected = set.range(start..).chain(set.iter()).next().copied();
                        prop_assert_eq!(found, expected);
                        expected.map(|index| set.remove(&index));
                    }
                }
                let counts = sets.each_ref().map(|set| u32::try_from(set.len()).unwrap());
                prop_assert_eq!([hints.reclaimable(), hints.free()], counts);
            }
        }
    }
}
