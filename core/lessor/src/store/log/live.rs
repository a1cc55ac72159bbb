//! Which records of each segment are the newest of their addresses, by their numbers.
//!
//! To ask the index for each record that is read would cost a miss of every cache each time. Sorted
//! by number, what the index knows lies in the order in which a segment is read.

use super::chain::Link;
use super::frame::Placed;
use super::index::Index;
use crate::store::encode::Lsn;
use std::sync::{Mutex, PoisonError};

/// The newest record of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Newest {
    lsn: Lsn,
    addr: u32,
    space: u16,
}

/// The newest records of each segment, to be walked once.
pub(super) struct Live(Vec<Mutex<Vec<Newest>>>);

impl Live {
    /// What `index` knows of the segments `links`.
    pub(super) fn of<F>(index: &Index, links: &[Link<F>]) -> Self {
        let firsts: Vec<Lsn> = links.iter().map(|link| link.header.first).collect();
        let mut segments = vec![Vec::new(); links.len()];
        index.each_address(|lsn, space, addr| {
            let behind = firsts.partition_point(|first| *first <= lsn);
            let segment = behind.checked_sub(1).and_then(|at| segments.get_mut(at));
            // What is in no segment is missing in the end.
            if let Some(segment) = segment {
                segment.push(Newest { lsn, addr, space });
            }
        });
        Self(segments.into_iter().map(Mutex::new).collect())
    }

    /// Those of the segment at a place.
    pub(super) fn walk(&self, place: usize) -> Walk {
        let mut newest = self.0.get(place).map_or_else(Vec::new, |newest| {
            core::mem::take(&mut *newest.lock().unwrap_or_else(PoisonError::into_inner))
        });
        newest.sort_unstable_by_key(|newest| newest.lsn);
        Walk { newest, at: 0 }
    }
}

/// The newest records of a segment, in their order.
pub(super) struct Walk {
    newest: Vec<Newest>,
    at: usize,
}

impl Walk {
    /// Whether a record is one of them. Records must come in their order.
    pub(super) fn has(&mut self, placed: &Placed<'_>) -> bool {
        while let Some(next) = self.newest.get(self.at)
            && next.lsn <= placed.lsn
        {
            self.at += 1;
            if next.lsn == placed.lsn {
                let (space, addr) = (placed.record.space, placed.record.addr.to_bits());
                return (next.space, next.addr) == (space, addr);
            }
        }
        false
    }
}
