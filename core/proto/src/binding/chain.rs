//! Chains through the slots: doubly linked, their heads outside.
//!
//! A chain is a ring that closes in its head, so a slot leaves it without knowing which chain it
//! is in. A slot is in at most one chain of each kind.

use super::slot::{Link, Links, Slot, SlotIndex};
use alloc::vec::Vec;

/// The pair of links that chains of timers use.
pub(super) const TIMER: usize = 0;
/// The pair of links that lists, and the free slots, use.
pub(super) const LIST: usize = 1;

/// A number of chains, threaded through pair `WHICH` of the slots' links.
#[derive(Debug)]
pub(super) struct Chains<const WHICH: usize> {
    heads: Vec<Links>,
}

impl<const WHICH: usize> Chains<WHICH> {
    pub(super) fn new(count: u32) -> Self {
        let mut chains = Self { heads: Vec::new() };
        for _ in 0..count {
            chains.add();
        }
        chains
    }

    /// Adds an empty chain and says its number; `None` after 2^31 of them.
    pub(super) fn add(&mut self) -> Option<u32> {
        let number = u32::try_from(self.heads.len()).ok()?;
        let head = Link::head(number);
        if head.as_head() != Some(number) || number >> 31 != 0 {
            return None;
        }
        self.heads.push(Links {
            next: head,
            prev: head,
        });
        Some(number)
    }

    /// Moves the heads to `memory` and leaves there what they had, unless it is too small.
    pub(super) fn move_to(&mut self, memory: &mut Vec<Links>) {
        memory.clear();
        if memory.capacity() >= self.heads.len() {
            memory.extend_from_slice(&self.heads);
            core::mem::swap(memory, &mut self.heads);
        }
    }

    pub(super) fn first(&self, chain: u32) -> Option<SlotIndex> {
        self.heads.get(chain as usize)?.next.as_slot()
    }

    pub(super) fn last(&self, chain: u32) -> Option<Link> {
        self.heads.get(chain as usize).map(|head| head.prev)
    }

    pub(super) fn head(&self, chain: u32) -> Option<&Links> {
        self.heads.get(chain as usize)
    }

    pub(super) fn next(slots: &[Slot], index: SlotIndex) -> Option<SlotIndex> {
        slots
            .get(index.position())?
            .links
            .get(WHICH)?
            .next
            .as_slot()
    }

    pub(super) fn contains(slots: &[Slot], index: SlotIndex) -> bool {
        slots
            .get(index.position())
            .is_some_and(|slot| slot.links[WHICH].next != Link::NONE)
    }

    /// Puts a slot behind the last one of `chain`, out of the chain that it is in. Says which
    /// chain that left empty, see [`Chains::unlink`].
    pub(super) fn push_back(
        &mut self,
        slots: &mut [Slot],
        chain: u32,
        index: SlotIndex,
    ) -> Option<u32> {
        let emptied = self.unlink(slots, index);
        let head = Link::head(chain);
        let last = self.heads.get(chain as usize)?.prev;
        let slot = slots.get_mut(index.position())?;
        slot.links[WHICH] = Links {
            next: head,
            prev: last,
        };
        let link = Link::slot(index);
        if let Some(links) = self.at(slots, last) {
            links.next = link;
        }
        if let Some(links) = self.at(slots, head) {
            links.prev = link;
        }
        emptied
    }

    /// Takes a slot out of its chain, if it is in one. Says which chain that left empty.
    pub(super) fn unlink(&mut self, slots: &mut [Slot], index: SlotIndex) -> Option<u32> {
        let slot = slots.get_mut(index.position())?;
        let Links { next, prev } = core::mem::replace(&mut slot.links[WHICH], Links::NONE);
        if let Some(links) = self.at(slots, prev) {
            links.next = next;
        }
        if let Some(links) = self.at(slots, next) {
            links.prev = prev;
        }
        if next == prev { next.as_head() } else { None }
    }

    fn at<'a>(&'a mut self, slots: &'a mut [Slot], link: Link) -> Option<&'a mut Links> {
        if let Some(head) = link.as_head() {
            return self.heads.get_mut(head as usize);
        }
        let slot = slots.get_mut(link.as_slot()?.position())?;
        slot.links.get_mut(WHICH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::vec;

    const SLOTS: u32 = 12;
    const CHAINS: u32 = 3;

    fn walk(chains: &Chains<LIST>, slots: &[Slot], chain: u32) -> VecDeque<u32> {
        let mut found = VecDeque::new();
        let mut at = chains.first(chain);
        while let Some(index) = at {
            found.push_back(index.0);
            at = Chains::<LIST>::next(slots, index);
        }
        found
    }

    proptest! {
        #[test]
        fn chains_hold_what_was_pushed_in_order(
            steps in prop::collection::vec((0..SLOTS, prop::option::of(0..CHAINS)), 1..200),
        ) {
            let mut slots = vec![Slot::EMPTY; SLOTS as usize];
            let mut chains = Chains::<LIST>::new(CHAINS);
            let mut model: Vec<VecDeque<u32>> = vec![VecDeque::new(); CHAINS as usize];
            for (slot, chain) in steps {
                let index = SlotIndex(slot);
                let was_in = (0..CHAINS).find(|was| model[*was as usize].contains(&slot));
                for list in &mut model {
                    list.retain(|other| *other != slot);
                }
                let emptied = match chain {
                    Some(chain) => {
                        let emptied = chains.push_back(&mut slots, chain, index);
                        model[chain as usize].push_back(slot);
                        emptied
                    }
                    None => chains.unlink(&mut slots, index),
                };
                prop_assert_eq!(Chains::<LIST>::contains(&slots, index), chain.is_some());
                let emptied_chain = was_in.filter(|was| {
                    let left = &model[*was as usize];
                    left.iter().all(|other| *other == slot && Some(*was) == chain)
                });
                prop_assert_eq!(emptied, emptied_chain);
                for chain in 0..CHAINS {
                    prop_assert_eq!(&walk(&chains, &slots, chain), &model[chain as usize]);
                }
            }
        }
    }

    #[test]
    fn numbers_out_of_range_change_nothing() {
        let mut slots = vec![Slot::EMPTY; 1];
        let mut chains = Chains::<LIST>::new(1);
        assert_eq!(chains.push_back(&mut slots, 1, SlotIndex(0)), None);
        assert_eq!(chains.push_back(&mut slots, 0, SlotIndex(1)), None);
        assert_eq!(chains.unlink(&mut slots, SlotIndex::NONE), None);
        assert_eq!(chains.first(0), None);
        assert_eq!(chains.first(7), None);
        assert!(!Chains::<LIST>::contains(&slots, SlotIndex(0)));
    }
}
