//! Timers of the bindings: a hierarchical wheel of seconds, threaded through the slots.
//!
//! Six levels of 64 buckets cover every `u32` second. A timer stands in the lowest level in which
//! its second and the wheel's position differ only below that level's digit, so buckets behind the
//! position are empty, and the bitmap of the lowest level in use names the next one:
//!
//! ```text
//!   position  …  13 . 07 . 41        level 2 . level 1 . level 0, six bits each
//!   timer     …  13 . 07 . 55        level 0, bucket 55: fires when the position is there
//!   timer     …  13 . 20 . 02        level 1, bucket 20: moves to level 0 at 13.20.00
//! ```
//!
//! A timer that is put off stays where it is and is moved when its bucket's turn comes, so a
//! renewal does not touch the neighbours' slots.

use super::Bindings;
use super::chain::{Chains, TIMER};
use super::slot::{Slot, SlotIndex};
use crate::time::INFINITE;

/// Bits of a second that a level's bucket is chosen by.
const DIGIT: u32 = 6;
const BUCKETS: u32 = 1 << DIGIT;
const LEVELS: u32 = 6;

const _: () = assert!(LEVELS * DIGIT >= u32::BITS && BUCKETS == u64::BITS);

/// The wheel's heads; the timers are in the slots.
#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Chains<TIMER>,
    /// The buckets in use, a bit each.
    used: [u64; LEVELS as usize],
    /// The second up to which all is handed out. Every timer is at or after it.
    position: u32,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            buckets: Chains::new(LEVELS * BUCKETS),
            used: [0; LEVELS as usize],
            position: 0,
        }
    }

    /// Arms the slot's timer for second `at`, instead of what it was armed for.
    pub(super) fn schedule(&mut self, slots: &mut [Slot], index: SlotIndex, at: u32) {
        let armed = Chains::<TIMER>::contains(slots, index);
        let Some(slot) = slots.get_mut(index.position()) else {
            return;
        };
        let put_off = armed && slot.until <= at;
        slot.until = at;
        if at == INFINITE {
            self.cancel(slots, index);
        } else if !put_off {
            self.place(slots, index, at);
        }
    }

    /// Disarms the slot's timer.
    pub(super) fn cancel(&mut self, slots: &mut [Slot], index: SlotIndex) {
        let emptied = self.buckets.unlink(slots, index);
        self.note_empty(emptied);
    }

    /// Takes out a timer whose second is not after `now`, the earliest first.
    ///
    /// Each timer that is taken out, or moved to a lower level, takes one from `budget`, and at 0
    /// the turn is over. The work of a call is bounded by that, however far the time jumped.
    pub(super) fn due(
        &mut self,
        slots: &mut [Slot],
        now: u32,
        budget: &mut usize,
    ) -> Option<SlotIndex> {
        while *budget > 0 {
            let Some((number, start)) = self.next_bucket().filter(|next| next.1 <= now) else {
                self.position = self.position.max(now);
                break;
            };
            self.position = self.position.max(start);
            *budget -= 1;
            let Some(index) = self.buckets.first(number) else {
                self.note_empty(Some(number));
                continue;
            };
            self.cancel(slots, index);
            let until = slots.get(index.position()).map_or(0, Slot::until);
            if until <= self.position {
                return Some(index);
            }
            self.place(slots, index, until);
        }
        None
    }

    fn place(&mut self, slots: &mut [Slot], index: SlotIndex, at: u32) {
        let at = at.max(self.position);
        let level = (at ^ self.position)
            .checked_ilog2()
            .map_or(0, |bit| bit / DIGIT);
        let bucket = (at >> (level * DIGIT)) % BUCKETS;
        let emptied = self
            .buckets
            .push_back(slots, level * BUCKETS + bucket, index);
        self.note_empty(emptied);
        self.used[level as usize % self.used.len()] |= 1 << bucket;
    }

    /// The bucket whose turn is next, and the second it begins at.
    ///
    /// The bucket of an upper level that the position is in goes first: the timers that are left
    /// in it may be due before all others.
    fn next_bucket(&self) -> Option<(u32, u32)> {
        let levels = (0..LEVELS).zip(self.used);
        let begun = levels.clone().skip(1).rev().find_map(|(level, used)| {
            let bucket = (self.position >> (level * DIGIT)) % BUCKETS;
            (used & 1 << bucket != 0).then_some((level, bucket))
        });
        let (level, bucket) = begun.or_else(|| {
            levels
                .clone()
                .find(|(_, used)| *used != 0)
                .map(|(level, used)| (level, used.trailing_zeros()))
        })?;
        let below = level * DIGIT;
        let above = self
            .position
            .checked_shr(below + DIGIT)
            .map_or(0, |digits| digits << (below + DIGIT));
        Some((level * BUCKETS + bucket, above | bucket << below))
    }

    fn note_empty(&mut self, number: Option<u32>) {
        let Some(number) = number else { return };
        if self.buckets.first(number).is_none()
            && let Some(used) = self.used.get_mut((number / BUCKETS) as usize)
        {
            *used &= !(1 << (number % BUCKETS));
        }
    }
}

impl Bindings {
    /// Sets when the hold, lease or probation of a binding ends, and arms its timer for that
    /// second, instead of what it was armed for; `u32::MAX` arms none.
    pub fn schedule(&mut self, index: SlotIndex, until: u32) {
        if self.slot(index).is_some() {
            self.wheel.schedule(self.slots, index, until);
        }
    }

    /// Disarms the timer of a binding; what [`Slot::until`] says remains.
    pub fn cancel(&mut self, index: SlotIndex) {
        self.wheel.cancel(self.slots, index);
    }

    /// Disarms the timer of a binding, and sets what [`Slot::until`] says.
    pub fn disarm(&mut self, index: SlotIndex, until: u32) {
        self.cancel(index);
        if let Some(slot) = self.slot_mut(index) {
            slot.until = until;
        }
    }

    /// The next binding whose timer is at or before second `now`; its timer is disarmed. The
    /// earliest comes first; those of one second in the order in which they were armed, as a rule.
    ///
    /// Each timer that is handed out, or moved within the wheel, takes one from `budget`; with 0
    /// left the answer is `None`, and the next call goes on. Before the first bindings are read
    /// from the store, one call sets the wheel to the clock, and saves moving all of them.
    pub fn due(&mut self, now: u32, budget: &mut usize) -> Option<SlotIndex> {
        self.wheel.due(self.slots, now, budget)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    const SLOTS: u32 = 24;

    #[derive(Debug, Clone)]
    enum Step {
        Schedule(u32, u32),
        Cancel(u32),
        Advance(u32, usize),
    }

    fn any_second() -> impl Strategy<Value = u32> {
        prop_oneof![
            0..200_u32,
            3_590..3_610_u32,
            86_000..87_000_u32,
            Just(u32::MAX),
            Just(u32::MAX - 1),
            any::<u32>(),
        ]
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..SLOTS, any_second()).prop_map(|(slot, at)| Step::Schedule(slot, at)),
            1 => (0..SLOTS).prop_map(Step::Cancel),
            2 => (any_second(), 0..40_usize).prop_map(|(by, budget)| Step::Advance(by, budget)),
        ]
    }

    /// Takes out all that is due, in turns of `budget`.
    fn drain(wheel: &mut Wheel, slots: &mut [Slot], now: u32, budget: usize) -> Vec<u32> {
        let mut fired = Vec::new();
        // A timer moves down at most once a level, then fires.
        for _ in 0..=slots.len() * (LEVELS as usize + 1) {
            let mut left = budget;
            while let Some(index) = wheel.due(slots, now, &mut left) {
                fired.push(index.0);
            }
        }
        fired
    }

    proptest! {
        #[test]
        fn timers_fire_once_in_order_never_early_and_never_missing(
            steps in prop::collection::vec(any_step(), 1..120),
        ) {
            let mut slots = vec![Slot::EMPTY; SLOTS as usize];
            let mut wheel = Wheel::new();
            let mut armed: Vec<Option<u32>> = vec![None; SLOTS as usize];
            let mut now = 0_u32;
            for step in steps {
                match step {
                    Step::Schedule(slot, at) => {
                        wheel.schedule(&mut slots, SlotIndex(slot), at);
                        armed[slot as usize] = (at != INFINITE).then_some(at);
                        prop_assert_eq!(slots[slot as usize].until(), at);
                    }
                    Step::Cancel(slot) => {
                        wheel.cancel(&mut slots, SlotIndex(slot));
                        armed[slot as usize] = None;
                    }
                    Step::Advance(by, budget) => {
                        now = now.saturating_add(by);
                        let mut left = budget;
                        let mut last = 0;
                        let past = wheel.position;
                        while let Some(index) = wheel.due(&mut slots, now, &mut left) {
                            let at = armed[index.position()].take();
                            prop_assert!(at.is_some_and(|at| at <= now));
                            // What was scheduled for the past has its turn at once.
                            let turn = at.unwrap_or(0).max(past);
                            prop_assert!(last <= turn);
                            last = turn;
                        }
                        prop_assert!(left <= budget);
                        if left > 0 {
                            prop_assert!(armed.iter().flatten().all(|at| *at > now));
                            prop_assert_eq!(wheel.position, now.max(past));
                        }
                    }
                }
            }
            let mut fired = drain(&mut wheel, &mut slots, u32::MAX, 1);
            fired.sort_unstable();
            let expected: Vec<u32> =
                (0..SLOTS).filter(|slot| armed[*slot as usize].is_some()).collect();
            prop_assert_eq!(fired, expected);
            prop_assert_eq!(wheel.used, [0; LEVELS as usize]);
        }
    }

    #[test]
    fn a_jump_of_years_costs_what_the_timers_cost() {
        let mut slots = vec![Slot::EMPTY; 3];
        let mut wheel = Wheel::new();
        let year = 365 * 86_400;
        for (slot, at) in [(0, 10), (1, year), (2, 30 * year)] {
            wheel.schedule(&mut slots, SlotIndex(slot), at);
        }
        let mut budget = 3 * (LEVELS as usize + 1);
        let mut fired = Vec::new();
        while let Some(index) = wheel.due(&mut slots, 50 * year, &mut budget) {
            fired.push(index.0);
        }
        assert_eq!(fired, [0, 1, 2]);
        assert_eq!(wheel.position, 50 * year);
    }

    #[test]
    fn a_turn_ends_with_its_budget_while_one_bucket_moves_down() {
        let mut slots = vec![Slot::EMPTY; 100];
        let mut wheel = Wheel::new();
        for slot in 0..100 {
            wheel.schedule(&mut slots, SlotIndex(slot), 5_000);
        }
        let mut turns = 0;
        let mut fired = Vec::new();
        while fired.len() < 100 {
            let mut budget = 7;
            while let Some(index) = wheel.due(&mut slots, 6_000, &mut budget) {
                fired.push(index.0);
            }
            turns += 1;
            assert!(turns < 100);
        }
        assert!(turns > 100 / 7);
        assert_eq!(fired, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn putting_off_leaves_the_links_alone_and_fires_at_the_later_second() {
        let mut slots = vec![Slot::EMPTY; 2];
        let mut wheel = Wheel::new();
        wheel.schedule(&mut slots, SlotIndex(0), 60);
        wheel.schedule(&mut slots, SlotIndex(1), 60);
        let before = slots[0].links;
        wheel.schedule(&mut slots, SlotIndex(0), 3_600);
        assert_eq!(slots[0].links, before);
        assert_eq!(drain(&mut wheel, &mut slots, 3_599, 9), [1]);
        assert_eq!(drain(&mut wheel, &mut slots, 3_600, 9), [0]);
    }

    #[test]
    fn an_earlier_second_replaces_a_later_one_and_infinite_means_never() {
        let mut slots = vec![Slot::EMPTY; 2];
        let mut wheel = Wheel::new();
        wheel.schedule(&mut slots, SlotIndex(0), 3_600);
        wheel.schedule(&mut slots, SlotIndex(0), 60);
        wheel.schedule(&mut slots, SlotIndex(1), 60);
        wheel.schedule(&mut slots, SlotIndex(1), INFINITE);
        assert_eq!(drain(&mut wheel, &mut slots, 60, 9), [0]);
        assert_eq!(drain(&mut wheel, &mut slots, u32::MAX, 9), [0; 0]);
    }

    #[test]
    fn a_clock_that_stands_or_goes_back_fires_nothing_early() {
        let mut slots = vec![Slot::EMPTY; 1];
        let mut wheel = Wheel::new();
        assert_eq!(drain(&mut wheel, &mut slots, 1_000, 9), [0; 0]);
        wheel.schedule(&mut slots, SlotIndex(0), 500);
        assert_eq!(drain(&mut wheel, &mut slots, 400, 9), [0; 0]);
        assert_eq!(wheel.position, 1_000);
        assert_eq!(drain(&mut wheel, &mut slots, 1_000, 9), [0]);
    }

    #[test]
    fn numbers_out_of_range_change_nothing() {
        let mut slots = vec![Slot::EMPTY; 1];
        let mut wheel = Wheel::new();
        wheel.schedule(&mut slots, SlotIndex(1), 5);
        wheel.cancel(&mut slots, SlotIndex::NONE);
        assert_eq!(wheel.next_bucket(), None);
    }
}
