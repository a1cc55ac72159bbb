//! How much more there is to do than can be done, and what is refused then.
//!
//! Work queues up in four places. What each refuses first is a matter of [`Rank`]; 64 is full:
//!
//! | where | how full it is | refused |
//! | --- | --- | --- |
//! | receive queues and hand-over rings, at the worker that empties them | polls in a row that found a whole burst | each rank from its own level on, and only if something of a higher rank came lately: otherwise the queue may as well overflow |
//! | parked replies, and the journal ring | their entries | REQUESTs from 7/8 on, then renewals; DISCOVERs need neither |
//! | hand-over ring, at the worker that fills it | its entries | DISCOVERs from 5/8 on, then the others |
//!
//! In a worker under pressure an older copy of a client's message makes way for the newer one in
//! the same burst.

use dhcp_proto::record::FULL;
use dhcp_proto::server::Rank;

use super::counters::DropReason;

/// Polls that found a whole burst for each 1/64.
const POLLS: u16 = 4;
const MOST: u16 = POLLS * FULL as u16;
/// Polls after which what came lately came long ago.
const LATELY: u8 = 64;
/// How full the queues are, in 1/64, when the lowest rank is refused, and each next one.
const FIRST: u8 = 8;
const STEP: u8 = 5;
/// How full the way to the disk is when REQUESTs are refused.
const DISK: u8 = 56;
/// How full a ring to another worker is when the lowest rank is refused, and each next one.
const RING: u8 = 40;
const RING_STEP: u8 = 2;

/// How a worker keeps up with its queues.
#[derive(Debug, Default)]
pub struct Load {
    /// Polls that found a whole burst, less those that did not.
    backlog: u16,
    polls: u8,
    /// Ranks that came lately, a bit each, and those before them.
    seen: u16,
    before: u16,
}

impl Load {
    /// Notes a poll, and whether it left a queue that may hold more.
    #[inline]
    pub fn note(&mut self, full: bool) {
        if full {
            self.backlog = (self.backlog + 1).min(MOST);
        } else {
            self.backlog = self.backlog.saturating_sub(1);
        }
        self.polls += 1;
        if self.polls == LATELY {
            self.polls = 0;
            self.before = core::mem::take(&mut self.seen);
        }
    }

    /// How far behind the worker is, in 1/64.
    #[inline]
    fn fill(&self) -> u8 {
        u8::try_from(self.backlog / POLLS).unwrap_or(FULL)
    }

    /// Whether anything would be refused.
    #[inline]
    #[must_use]
    pub fn is_high(&self) -> bool {
        self.fill() >= FIRST
    }

    /// Notes that a message of this rank came; whether it is to be refused.
    #[must_use]
    pub fn refuses(&mut self, rank: Rank) -> bool {
        let bit = 1 << rank.number();
        self.seen |= bit;
        let higher = (self.seen | self.before) > (bit << 1) - 1;
        higher && self.fill() >= FIRST + STEP * rank.number()
    }
}

/// Whether the way to the disk is too full for a message of this rank.
#[must_use]
pub fn disk_refuses(fill: u8, rank: Rank) -> bool {
    if rank.is_discover() || rank == Rank::REBINDING {
        return false;
    }
    // REQUESTs at 56, renewals at 58, 60, 62 and 64.
    let steps = rank.number().saturating_sub(Rank::REQUEST.number());
    fill >= DISK + 2 * steps
}

/// Whether the way to the disk is so full that any rank may be refused.
#[must_use]
#[inline]
pub fn is_disk_high(fill: u8) -> bool {
    fill >= DISK
}

/// Whether a ring to another worker is so full that any rank may be refused.
#[inline]
#[must_use]
pub fn is_ring_high(fill: u8) -> bool {
    fill >= RING
}

/// Whether a ring to another worker is too full for a message of this rank.
#[must_use]
pub fn ring_refuses(fill: u8, rank: Rank) -> bool {
    rank != Rank::REBINDING && fill >= RING + RING_STEP * rank.number()
}

/// What a refused message of this rank is counted as.
#[must_use]
pub fn shed(rank: Rank) -> DropReason {
    if rank.is_discover() {
        DropReason::ShedDiscover
    } else if rank.is_renewal() {
        DropReason::ShedRenewal
    } else {
        DropReason::ShedRequest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn behind(polls: u16) -> Load {
        let mut load = Load::default();
        for _ in 0..polls {
            load.note(true);
        }
        load
    }

    /// How many of the ten ranks are refused.
    fn refused(load: &mut Load) -> usize {
        let mut refused = |rank: &Rank| load.refuses(*rank);
        Rank::ALL.iter().filter(|rank| refused(rank)).count()
    }

    #[test]
    fn the_further_behind_the_higher_the_ranks_that_are_refused_and_the_highest_never() {
        for (polls, ranks) in [
            (0, 0),
            (31, 0),
            (32, 1),
            (52, 2),
            (132, 6),
            (256, 9),
            (9999, 9),
        ] {
            let mut load = behind(polls);
            assert_eq!(load.is_high(), ranks > 0, "{polls}");
            // The first look tells it what there is.
            let _first = refused(&mut load);
            assert_eq!(refused(&mut load), ranks, "{polls}");
        }
    }

    #[test]
    fn nothing_is_refused_for_the_sake_of_nobody() {
        let mut load = behind(9999);
        assert!(!load.refuses(Rank::ALL[0]));
        assert!(!load.refuses(Rank::ALL[3]), "it is the highest that came");
        assert!(load.refuses(Rank::ALL[0]));
        for _ in 0..2 * LATELY {
            load.note(true);
        }
        assert!(!load.refuses(Rank::ALL[0]), "that was long ago");
    }

    #[test]
    fn a_worker_that_catches_up_refuses_nobody() {
        let mut load = behind(9999);
        let _first = refused(&mut load);
        for _ in 0..225 {
            load.note(false);
        }
        assert!(!load.is_high());
        assert_eq!(refused(&mut load), 0);
    }

    #[test]
    fn the_disk_refuses_requests_before_renewals_and_discovers_never() {
        let refused = |fill| {
            let refused = Rank::ALL.map(|rank| disk_refuses(fill, rank));
            refused.map(u8::from)
        };
        assert_eq!(refused(55), [0; 10]);
        assert_eq!(refused(56), [0, 0, 0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(refused(60), [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]);
        assert_eq!(refused(64), [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn a_ring_refuses_the_lowest_rank_first() {
        assert!(!Rank::ALL.iter().any(|rank| ring_refuses(39, *rank)));
        let at = |fill| {
            Rank::ALL
                .iter()
                .filter(|rank| ring_refuses(fill, **rank))
                .count()
        };
        assert_eq!([40, 48, 56, 64].map(at), [1, 5, 9, 9]);
    }
}
