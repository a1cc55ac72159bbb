//! From key to slot: open addressing over buckets of one cache line.
//!
//! A bucket has ten lanes, each a tag of the key's hash beside a slot number. A key that finds its
//! home bucket full goes to the next one, and each bucket it passes counts it; a look-up ends at
//! the first bucket that nobody passed, and a removal leaves no tombstone.

use super::slot::SlotIndex;

const LANES: usize = 10;

/// Lanes of a bucket that are filled at most, on the average, at capacity.
const FILLED: usize = 8;

/// One cache line of the table.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Bucket {
    /// Tag of each lane, 0 if it is empty.
    tags: [u16; LANES],
    /// How many keys passed this bucket because it was full.
    passed: u32,
    slots: [u32; LANES],
}

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    /// A bucket without a key; all its octets are zero.
    pub const EMPTY: Self = Self {
        tags: [0; LANES],
        passed: 0,
        slots: [0; LANES],
    };

    /// The slots whose tag is `tag`.
    fn tagged(&self, tag: u16) -> impl Iterator<Item = SlotIndex> + '_ {
        let mut lanes = 0_u16;
        for (lane, other) in self.tags.iter().enumerate() {
            lanes |= u16::from(*other == tag) << lane;
        }
        core::iter::from_fn(move || {
            let lane = lanes.trailing_zeros() as usize;
            let slot = self.slots.get(lane).filter(|_| lanes != 0)?;
            lanes &= lanes - 1;
            Some(SlotIndex(*slot))
        })
    }

    fn vacant(&self) -> Option<usize> {
        self.tags.iter().position(|tag| *tag == 0)
    }

    fn lane_of(&self, index: SlotIndex) -> Option<usize> {
        let lanes = self.tags.iter().zip(&self.slots);
        lanes
            .enumerate()
            .find(|(_, (tag, slot))| **tag != 0 && **slot == index.0)
            .map(|(lane, _)| lane)
    }
}

/// Where a key belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Home bucket, as a share of the table.
    home: u32,
    pub(super) tag: u16,
}

impl Place {
    /// The place of the identity with this hash on `network`.
    ///
    /// Only the lower half of the hash counts: the upper one chose the shard, and the slot keeps
    /// the lower one alone. The network is mixed in, so that one identity on many networks is
    /// spread like many identities.
    #[inline]
    pub(super) fn of(hash: u32, network: u32) -> Self {
        // The finalizer of MurmurHash3: a bijection, every bit of it depends on every input bit.
        let mut mixed = u64::from(hash) | (u64::from(network) << 32);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^= mixed >> 33;
        Self {
            home: (mixed >> 32) as u32,
            tag: ((mixed & 0xffff) as u16).max(1),
        }
    }
}

#[derive(Debug)]
pub(super) struct Table {
    buckets: &'static mut [Bucket],
}

impl Table {
    pub(super) fn new(buckets: &'static mut [Bucket]) -> Self {
        Self { buckets }
    }

    /// How many buckets `keys` keys want.
    pub(super) const fn buckets_for(keys: usize) -> usize {
        keys.div_ceil(FILLED)
    }

    /// How many keys the table takes; below that, [`Table::insert`] always finds a lane.
    pub(super) fn capacity(&self) -> usize {
        self.buckets.len().saturating_mul(FILLED)
    }

    /// The home bucket of a key, for prefetching.
    #[inline]
    pub(super) fn home(&self, place: Place) -> Option<&Bucket> {
        self.buckets.get(self.home_number(place))
    }

    /// The first slot with the key's tag for which `is_key` holds.
    #[inline]
    pub(super) fn find(
        &self,
        place: Place,
        mut is_key: impl FnMut(SlotIndex) -> bool,
    ) -> Option<SlotIndex> {
        for number in self.probe(place) {
            let bucket = self.buckets.get(number)?;
            if let Some(index) = bucket.tagged(place.tag).find(|index| is_key(*index)) {
                return Some(index);
            }
            if bucket.passed == 0 {
                return None;
            }
        }
        None
    }

    /// Enters a slot. Says whether there was a lane for it; if not, nothing changed.
    pub(super) fn insert(&mut self, place: Place, index: SlotIndex) -> bool {
        let mut found = None;
        for number in self.probe(place) {
            let lane = self.buckets.get(number).and_then(Bucket::vacant);
            if let Some(lane) = lane {
                found = Some((number, lane));
                break;
            }
        }
        let Some((at, lane)) = found else {
            return false;
        };
        for number in self.probe(place) {
            let Some(bucket) = self.buckets.get_mut(number) else {
                break;
            };
            if number == at {
                bucket.tags[lane] = place.tag;
                bucket.slots[lane] = index.0;
                break;
            }
            bucket.passed = bucket.passed.saturating_add(1);
        }
        true
    }

    /// Removes a slot that was entered at `place`.
    pub(super) fn remove(&mut self, place: Place, index: SlotIndex) {
        let found = self.probe(place).find_map(|number| {
            let lane = self.buckets.get(number)?.lane_of(index)?;
            Some((number, lane))
        });
        let Some((at, lane)) = found else {
            return;
        };
        for number in self.probe(place) {
            let Some(bucket) = self.buckets.get_mut(number) else {
                break;
            };
            if number == at {
                bucket.tags[lane] = 0;
                break;
            }
            bucket.passed = bucket.passed.saturating_sub(1);
        }
    }

    /// The buckets a key may be in, in order, each once.
    #[inline]
    fn probe(&self, place: Place) -> impl Iterator<Item = usize> + use<> {
        let home = self.home_number(place);
        (home..self.buckets.len()).chain(0..home)
    }

    #[inline]
    fn home_number(&self, place: Place) -> usize {
        ((u64::from(place.home) * self.buckets.len() as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use proptest::prelude::*;
    use std::collections::{HashMap, HashSet};
    use std::vec;
    use std::vec::Vec;

    fn table(buckets: usize) -> Table {
        Table::new(Box::leak(vec![Bucket::EMPTY; buckets].into_boxed_slice()))
    }

    /// All slots that a look-up at `place` is shown.
    fn seen(table: &Table, place: Place) -> HashSet<u32> {
        let mut seen = HashSet::new();
        table.find(place, |index| {
            seen.insert(index.0);
            false
        });
        seen
    }

    fn any_place() -> impl Strategy<Value = Place> {
        // Few homes and tags: full buckets, long probes and equal tags are the rule.
        let home = prop_oneof![Just(0), Just(u32::MAX), 0..u32::MAX];
        (home, 1_u16..4).prop_map(|(home, tag)| Place { home, tag })
    }

    proptest! {
        #[test]
        fn a_table_finds_what_was_entered_and_nothing_that_was_removed(
            buckets in 1_usize..6,
            steps in prop::collection::vec((any::<bool>(), 0..64_u32, any_place()), 1..300),
        ) {
            let mut table = table(buckets);
            let mut model: HashMap<u32, Place> = HashMap::new();
            for (enter, slot, place) in steps {
                if let Some(place) = model.remove(&slot) {
                    table.remove(place, SlotIndex(slot));
                } else if enter {
                    let entered = table.insert(place, SlotIndex(slot));
                    prop_assert_eq!(entered, model.len() < buckets * LANES);
                    if entered {
                        model.insert(slot, place);
                    }
                } else {
                    table.remove(place, SlotIndex(slot));
                }
                for (slot, place) in &model {
                    prop_assert!(seen(&table, *place).contains(slot));
                    prop_assert_eq!(
                        table.find(*place, |index| index.0 == *slot),
                        Some(SlotIndex(*slot))
                    );
                }
                let lanes: Vec<_> = table.buckets.iter().flat_map(|b| b.tags).collect();
                prop_assert_eq!(lanes.iter().filter(|tag| **tag != 0).count(), model.len());
            }
            for (slot, place) in model {
                table.remove(place, SlotIndex(slot));
            }
            prop_assert!(table.buckets.iter().all(|b| b.passed == 0 && b.tags == [0; LANES]));
        }
    }

    #[test]
    fn a_full_table_refuses_and_a_look_up_in_it_ends() {
        let mut table = table(3);
        let place = Place { home: 7, tag: 9 };
        for slot in 0..30 {
            assert!(table.insert(place, SlotIndex(slot)));
        }
        let before: Vec<u32> = table.buckets.iter().map(|bucket| bucket.passed).collect();
        assert!(!table.insert(place, SlotIndex(30)));
        let after: Vec<u32> = table.buckets.iter().map(|bucket| bucket.passed).collect();
        assert_eq!(before, after);
        assert_eq!(seen(&table, place).len(), 30);
        assert_eq!(table.find(place, |_| false), None);
    }

    #[test]
    fn a_look_up_goes_no_further_than_a_key_has_gone() {
        let mut table = table(2);
        let (first, second) = (
            Place { home: 0, tag: 9 },
            Place {
                home: 1 << 31,
                tag: 9,
            },
        );
        table.insert(second, SlotIndex(20));
        for slot in 0..10 {
            table.insert(first, SlotIndex(slot));
        }
        assert_eq!(seen(&table, first).len(), 10);
        table.insert(first, SlotIndex(10));
        assert_eq!(seen(&table, first).len(), 12);
        table.remove(first, SlotIndex(10));
        assert_eq!(seen(&table, first).len(), 10);
    }

    #[test]
    fn a_table_without_buckets_is_empty_and_takes_nothing() {
        let mut table = table(0);
        let place = Place::of(1, 2);
        assert!(table.home(place).is_none());
        assert!(!table.insert(place, SlotIndex(0)));
        table.remove(place, SlotIndex(0));
        assert_eq!(table.find(place, |_| true), None);
    }

    #[test]
    fn one_identity_on_many_networks_is_spread_over_the_buckets() {
        let table = table(1 << 10);
        let homes: HashSet<_> = (0..512)
            .map(|network| table.home_number(Place::of(0x1234_5678, network)))
            .collect();
        // 512 balls in 1,024 bins fill some 403 of them.
        assert!(homes.len() > 350, "{}", homes.len());
    }

    #[test]
    fn at_capacity_nearly_every_key_is_in_its_home_bucket_or_the_next() {
        let mut table = table(Table::buckets_for(80_000));
        let mut lines = 0_usize;
        for slot in 0..80_000_u32 {
            // Hashes of clients are uniform; so are those of a counter times an odd number.
            assert!(table.insert(
                Place::of(slot.wrapping_mul(0x9e37_79b9), 1),
                SlotIndex(slot)
            ));
        }
        for slot in 0..80_000_u32 {
            let place = Place::of(slot.wrapping_mul(0x9e37_79b9), 1);
            let at = table
                .probe(place)
                .position(|number| table.buckets[number].lane_of(SlotIndex(slot)).is_some());
            lines += at.unwrap() + 1;
        }
        assert!(lines < 80_000 * 13 / 10, "{lines} lines");
    }
}
