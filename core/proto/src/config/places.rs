//! From an address to the subnet that it lies in, whether there is one subnet or a hundred thousand.
//!
//! ```text
//!   address ─► tops: the first address of each line ─► line: four subnets, one cache line
//! ```
//!
//! The tops of ten thousand subnets are 20 KiB and stay in the cache by being searched for every
//! message; the line is the one miss, and can be fetched ahead.

use super::lookup::Range;
use super::{NetworkIndex, Place, SubnetIndex};
use crate::address::Space;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Subnets of a line.
const SUBNETS: usize = 4;

/// Where a subnet is.
#[derive(Debug, Clone, Copy)]
struct Leaf {
    first: u32,
    last: u32,
    place: Place,
}

/// Subnets of one space, rising.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([Leaf; SUBNETS]);

const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    /// No address is in it.
    const EMPTY: Self = Self(
        [Leaf {
            first: 1,
            last: 0,
            place: Place {
                network: NetworkIndex(u32::MAX),
                subnet: SubnetIndex(u32::MAX),
            },
        }; SUBNETS],
    );
}

/// The number of a line of subnets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceLine(usize);

/// The subnets of all networks, by space and address.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Space and first address of each line.
    tops: Vec<u64>,
    lines: Vec<Line>,
}

impl Places {
    /// Subnets that rise by space and first address and do not overlap.
    pub(super) fn new(ranges: &[Range]) -> Self {
        let mut places = Self::default();
        let of_spaces = ranges.chunk_by(|a, b| a.space == b.space);
        for ranges in of_spaces.flat_map(|ranges| ranges.chunks(SUBNETS)) {
            let mut line = Line::EMPTY;
            for (leaf, range) in line.0.iter_mut().zip(ranges) {
                let Range {
                    first, last, place, ..
                } = *range;
                *leaf = Leaf { first, last, place };
            }
            let top = ranges
                .first()
                .map_or(0, |range| key(range.space, range.first));
            places.tops.push(top);
            places.lines.push(line);
        }
        places
    }

    /// The line that `addr` is in, if any is.
    pub(super) fn line(&self, space: Space, addr: Ipv4Addr) -> Option<PlaceLine> {
        let addr = addr.to_bits();
        let after = self.tops.partition_point(|top| *top <= key(space, addr));
        let line = after.checked_sub(1)?;
        let top = self.tops.get(line)?;
        (*top >= key(space, 0)).then_some(PlaceLine(line))
    }

    /// A line, to be fetched ahead.
    pub(super) fn at(&self, line: PlaceLine) -> Option<&(impl Sized + use<>)> {
        self.lines.get(line.0)
    }

    /// The subnet of `addr` on the line that [`Self::line`] has said.
    pub(super) fn find(&self, line: PlaceLine, addr: Ipv4Addr) -> Option<Place> {
        let addr = addr.to_bits();
        let mut leaves = self.lines.get(line.0)?.0.iter();
        let leaf = leaves.find(|leaf| leaf.first <= addr && addr <= leaf.last)?;
        Some(leaf.place)
    }
}

/// Space and address, in one number.
fn key(space: Space, addr: u32) -> u64 {
    u64::from(space.0) << 32 | u64::from(addr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_subnet_that_holds_an_address_is_found_in_its_space_alone(
            gaps in proptest::collection::vec((0_u16..3, 1_u32..9, 0_u32..9), 0..40),
            asked in proptest::collection::vec((0_u16..4, 0_u32..400), 1..60),
        ) {
            let mut ends = [0_u32; 3];
            let mut ranges: Vec<_> = (0..).zip(&gaps).map(|(n, (space, gap, length))| {
                let end = &mut ends[usize::from(*space)];
                let first = *end + gap;
                *end = first + length;
                Range {
                    space: Space(*space),
                    first,
                    last: *end,
                    place: Place { network: NetworkIndex(n), subnet: SubnetIndex(n + 1) },
                }
            }).collect();
            ranges.sort_by_key(|range| (range.space, range.first));
            let places = Places::new(&ranges);
            for (space, addr) in asked {
                let space = Space(space);
                let holds = |r: &&Range| r.space == space && r.first <= addr && addr <= r.last;
                let expected = ranges.iter().find(holds).map(|range| range.place);
                let addr = addr.into();
                let line = places.line(space, addr);
                prop_assert_eq!(line.and_then(|line| places.find(line, addr)), expected);
            }
        }
    }
}
