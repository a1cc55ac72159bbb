//! Ranges that do not overlap, by their first address.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Where ranges begin and which they are; nothing where there are less than two, because then
/// there is nothing to choose.
#[derive(Debug, Default)]
pub(super) struct Sorted(Vec<(u32, u32)>);

impl Sorted {
    pub(super) fn new(firsts: impl ExactSizeIterator<Item = Ipv4Addr>) -> Self {
        if firsts.len() < 2 {
            return Self::default();
        }
        let mut all: Vec<_> = firsts.map(Ipv4Addr::to_bits).zip(0..).collect();
        all.sort_unstable();
        Self(all)
    }

    /// The only range that may hold `addr`; of no ranges, the one that is not there.
    pub(super) fn find(&self, addr: Ipv4Addr) -> Option<usize> {
        if self.0.is_empty() {
            return Some(0);
        }
        let addr = addr.to_bits();
        let after = self.0.partition_point(|(first, _)| *first <= addr);
        let (_, at) = self.0.get(after.checked_sub(1)?)?;
        usize::try_from(*at).ok()
    }
}

/// The ranges of `all` without overlaps, rising.
pub(super) fn merged(mut all: Vec<(Ipv4Addr, Ipv4Addr)>) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    all.sort_unstable();
    let mut merged: Vec<(Ipv4Addr, Ipv4Addr)> = Vec::new();
    for (first, last) in all {
        match merged.last_mut() {
            Some((_, end)) if first <= *end => *end = (*end).max(last),
            Some(_) | None => merged.push((first, last)),
        }
    }
    merged
}

/// Whether one of `ranges`, which are [`merged`], holds `addr`.
pub(super) fn holds(ranges: &[(Ipv4Addr, Ipv4Addr)], addr: Ipv4Addr) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= addr);
    let last = after.checked_sub(1).and_then(|before| ranges.get(before));
    last.is_some_and(|(_, last)| addr <= *last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn addr(n: u32) -> Ipv4Addr {
        n.into()
    }

    #[test]
    fn the_range_that_begins_before_an_address_is_found_whatever_the_order() {
        let firsts = [30, 10, 20].map(addr);
        let sorted = Sorted::new(firsts.into_iter());
        let expected = [
            (9, None),
            (10, Some(1)),
            (19, Some(1)),
            (25, Some(2)),
            (99, Some(0)),
        ];
        for (at, range) in expected {
            assert_eq!(sorted.find(addr(at)), range, "{at}");
        }
        assert_eq!(
            Sorted::new(vec![addr(5)].into_iter()).find(addr(1)),
            Some(0)
        );
    }

    proptest! {
        #[test]
        fn what_is_merged_holds_what_the_parts_hold(
            parts in proptest::collection::vec((0_u32..60, 0_u32..9), 0..12),
            at in 0_u32..80,
        ) {
            let parts: Vec<_> = parts.into_iter().map(|(n, len)| (addr(n), addr(n + len))).collect();
            let held = parts.iter().any(|(first, last)| *first <= addr(at) && addr(at) <= *last);
            let merged = merged(parts);
            prop_assert_eq!(holds(&merged, addr(at)), held);
            prop_assert!(merged.windows(2).all(|pair| pair[0].1 < pair[1].0));
        }
    }
}
