//! Which groups of addresses are another appliance's, as one worker sees it.
//!
//! ```text
//!   committer                                    worker
//!     bits, refused up to       (relaxed)          watermark          (acquire)
//!     groups                    (relaxed)          groups, bits, …    (relaxed)
//!     watermark                 (release)          the ACK leaves or is dropped
//! ```
//!
//! A worker sends an ACK only after it has seen the watermark pass the ACK's record, and only then
//! asks here. Its load of the watermark acquires what the committer wrote before it published it,
//! so of a record that was refused it is always seen that it was; the loads here may be relaxed.
//!
//! Two things are kept. The *bits* say which groups are another's now, and go when a group comes
//! back. *Refused up to* says which records of a group are nowhere although the watermark has
//! passed them, and stays: a fence that rises and falls between two polls must not make an ACK of
//! a refused record leave.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU16, AtomicU64, Ordering::Relaxed};
use dhcp_proto::group::{Fenced, GroupSet, Groups, MAX_GROUPS};
use dhcp_proto::record::Sequence;

const WORDS: usize = GroupSet::EMPTY.words().len();

/// committer: write, worker: read
#[derive(Debug)]
pub(super) struct Fence {
    /// How many groups there are; 0 until one is fenced for the first time, and then no worker
    /// looks further.
    groups: AtomicU16,
    /// Apart, so that the rest of the ring's words stay on one line.
    sets: Box<Sets>,
}

#[derive(Debug)]
struct Sets {
    /// The groups that are another's.
    lost: [AtomicU64; WORDS],
    /// Of each group the place up to which its records may have been refused.
    refused: [AtomicU64; MAX_GROUPS as usize],
}

impl Default for Fence {
    fn default() -> Self {
        let sets = Sets {
            lost: [const { AtomicU64::new(0) }; WORDS],
            refused: [const { AtomicU64::new(0) }; MAX_GROUPS as usize],
        };
        Self {
            groups: AtomicU16::new(0),
            sets: Box::new(sets),
        }
    }
}

impl Fence {
    /// The groups of `lost` are another's.
    pub(super) fn raise(&self, groups: Groups, lost: GroupSet) {
        for (word, bits) in self.sets.lost.iter().zip(lost.words()) {
            word.fetch_or(bits, Relaxed);
        }
        self.groups.store(groups.count(), Relaxed);
    }

    /// The groups of `ours` are this appliance's again.
    pub(super) fn lower(&self, ours: GroupSet) {
        for (word, bits) in self.sets.lost.iter().zip(ours.words()) {
            word.fetch_and(!bits, Relaxed);
        }
    }

    /// Records of the groups of `lost` up to `upto` were refused.
    pub(super) fn refuse(&self, lost: GroupSet, upto: Sequence) {
        for group in lost.iter() {
            if let Some(refused) = self.sets.refused.get(usize::from(group)) {
                refused.fetch_max(upto, Relaxed);
            }
        }
    }

    /// The groups that are another's; `None` as long as none ever was.
    #[inline]
    pub(super) fn fenced(&self) -> Option<Fenced> {
        self.groups().map(|groups| self.sets.fenced(groups))
    }

    /// Whether the record at `sequence` may have been refused. What came from the store (0) was
    /// not.
    #[inline]
    pub(super) fn refused(&self, space: u16, addr: Ipv4Addr, sequence: Sequence) -> bool {
        let groups = self.groups();
        groups.is_some_and(|groups| self.sets.refused(groups.of(space, addr), sequence))
    }

    fn groups(&self) -> Option<Groups> {
        let count = self.groups.load(Relaxed);
        (count > 0).then(|| Groups::new(count))
    }
}

impl Sets {
    #[cold]
    fn fenced(&self, groups: Groups) -> Fenced {
        let lost = core::array::from_fn(|i| self.lost[i].load(Relaxed));
        let lost = GroupSet::of_words(lost);
        Fenced { groups, lost }
    }

    #[cold]
    fn refused(&self, group: u16, sequence: Sequence) -> bool {
        let refused = self.refused.get(usize::from(group));
        let upto = refused.map_or(0, |upto| upto.load(Relaxed));
        (1..=upto).contains(&sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    #[test]
    fn until_a_group_is_lost_there_is_no_fence() {
        let fence = Fence::default();
        assert_eq!(fence.fenced(), None);
        assert!(!fence.refused(0, ADDR, 1));
    }

    #[test]
    fn what_was_refused_stays_so_when_the_group_comes_back() {
        let fence = Fence::default();
        let groups = Groups::new(3);
        let lost = GroupSet::EMPTY.with(groups.of(0, ADDR));
        fence.raise(groups, lost);
        fence.refuse(lost, 7);
        assert!(fence.fenced().unwrap().contains(0, ADDR));
        fence.lower(lost);
        assert!(!fence.fenced().unwrap().contains(0, ADDR));
        assert!(fence.refused(0, ADDR, 7) && fence.refused(0, ADDR, 1));
        assert!(!fence.refused(0, ADDR, 8), "a record of after");
        assert!(!fence.refused(0, ADDR, 0), "a binding from the store");
    }
}
