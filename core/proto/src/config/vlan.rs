//! From a port and VLAN tags to the link that has them, whether it has one VLAN or millions.
//!
//! ```text
//!   port ─► outer VLAN ─► rows of inner VLANs, sorted and disjoint ─► link
//!                100 ───┐
//!            101-199 ───┴─► 0 … 0 ──────────► link 3
//!                200 ─────► 1 … 99 ─────────► link 4
//!                           100 … 4094 ─────► link 5
//! ```
//!
//! Outer VLANs between two ends of ranges share their rows, so that a range of 4,000 by 4,000 takes
//! one. A look-up reads one place of the outer VLANs and one binary search of its rows.

use super::{Link, LinkIndex};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The largest VLAN that a tag has room for.
const LAST: u16 = 4095;

/// The VLANs of a link: those of the outer tag, and those of the tag behind it; each first and
/// last, (0, 0) where there is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vlans {
    /// Of the outer tag.
    pub outer: (u16, u16),
    /// Of the inner tag.
    pub inner: (u16, u16),
}

impl Vlans {
    /// Outer and inner VLAN, 0 where there is none; `None` if there are several.
    #[must_use]
    pub fn one(self) -> Option<(u16, u16)> {
        let Self { outer, inner } = self;
        (outer.0 == outer.1 && inner.0 == inner.1).then_some((outer.0, inner.0))
    }
}

impl From<(u16, u16)> for Vlans {
    /// One outer and one inner VLAN, 0 where there is none.
    fn from((outer, inner): (u16, u16)) -> Self {
        Self {
            outer: (outer, outer),
            inner: (inner, inner),
        }
    }
}

/// The pairs of links that have tags of one port in common: the later one, and the first one that
/// it overlaps.
#[must_use]
pub fn overlapping(links: &[Link]) -> Vec<(LinkIndex, LinkIndex)> {
    let mut pairs = ByTags::new(links).1;
    pairs.sort_by_key(|(later, earlier)| (later.0, earlier.0));
    pairs
}

/// Links by port and tags.
#[derive(Debug, Default)]
pub(super) struct ByTags {
    /// By the port's number.
    ports: Vec<OnPort>,
}

#[derive(Debug, Default)]
struct OnPort {
    /// First row and the one behind the last, of each outer VLAN up to the largest in use.
    outer: Vec<(u32, u32)>,
    rows: Vec<Row>,
}

/// Inner VLANs of one link.
#[derive(Debug, Clone, Copy)]
struct Row {
    first: u16,
    last: u16,
    link: LinkIndex,
}

/// An end of a range of outer VLANs: where it begins, or the first VLAN behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    at: u16,
    begins: bool,
    link: u32,
}

type Overlaps = Vec<(LinkIndex, LinkIndex)>;

impl ByTags {
    /// The table of `links`, and those that overlap, of which one is left out.
    pub(super) fn new(links: &[Link]) -> (Self, Overlaps) {
        let ports = links.iter().map(|link| usize::from(link.port) + 1).max();
        let mut ends = alloc::vec![Vec::new(); ports.unwrap_or(0)];
        for (link, Link { port, vlans, .. }) in (0u32..).zip(links) {
            let (first, last) = (vlans.outer.0.min(LAST), vlans.outer.1.min(LAST));
            if let Some(ends) = ends.get_mut(usize::from(*port)) {
                let end = |at, begins| End { at, begins, link };
                ends.extend([end(first, true), end(last + 1, false)]);
            }
        }
        let mut overlaps = Overlaps::new();
        let ports = ends.into_iter();
        let ports = ports.map(|ends| OnPort::new(ends, links, &mut overlaps));
        let ports = ports.collect();
        (Self { ports }, overlaps)
    }

    /// The link of a port and its tags, 0 where there is none.
    pub(super) fn find(&self, port: u8, (outer, inner): (u16, u16)) -> Option<LinkIndex> {
        let on_port = self.ports.get(usize::from(port))?;
        let (from, to) = *on_port.outer.get(usize::from(outer))?;
        let rows = on_port.rows.get(from as usize..to as usize)?;
        let after = rows.partition_point(|row| row.first <= inner);
        let row = rows.get(after.checked_sub(1)?)?;
        (inner <= row.last).then_some(row.link)
    }
}

impl OnPort {
    /// Goes through the outer VLANs from one end of a range to the next.
    fn new(mut ends: Vec<End>, links: &[Link], overlaps: &mut Overlaps) -> Self {
        ends.sort_unstable();
        let mut all = Self::default();
        let mut now = Standing::default();
        let mut rest = &ends[..];
        while let Some(End { at, .. }) = rest.first() {
            let here = rest.partition_point(|end| end.at <= *at);
            let (ending, behind) = rest.split_at(here);
            for end in ending {
                now.change(*end, links, overlaps);
            }
            let next = behind.first().map_or(*at, |end| end.at);
            all.push(usize::from(*at), usize::from(next), &now);
            rest = behind;
        }
        all
    }

    /// Adds the rows of the outer VLANs from `at` up to before `next`.
    fn push(&mut self, at: usize, next: usize, now: &Standing) {
        let from = self.rows.len();
        let row = |(first, (last, link)): (&u16, &(u16, u32))| Row {
            first: *first,
            last: *last,
            link: LinkIndex(*link),
        };
        self.rows.extend(now.0.iter().map(row));
        let [from, to] = [from, self.rows.len()].map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        self.outer.resize(at, (0, 0));
        self.outer.resize(next.max(at), (from, to));
    }
}

/// The links at one outer VLAN, by the first of their inner VLANs, with the last.
#[derive(Debug, Default)]
struct Standing(BTreeMap<u16, (u16, u32)>);

impl Standing {
    fn change(&mut self, end: End, links: &[Link], overlaps: &mut Overlaps) {
        let Some(Link { vlans, .. }) = links.get(end.link as usize) else {
            return;
        };
        let (first, last) = vlans.inner;
        if !end.begins {
            // One that was left out ends nobody else's.
            if self
                .0
                .get(&first)
                .is_some_and(|(_, link)| *link == end.link)
            {
                self.0.remove(&first);
            }
            return;
        }
        match self.0.range(..=last).next_back() {
            Some((_, (until, other))) if *until >= first => {
                let (a, b) = (end.link.min(*other), end.link.max(*other));
                overlaps.push((LinkIndex(b), LinkIndex(a)));
            }
            Some(_) | None => {
                self.0.insert(first, (last, end.link));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(port: u8, vlans: impl Into<Vlans>) -> Link {
        Link::new(port, vlans, Vec::new())
    }

    fn range(outer: (u16, u16), inner: (u16, u16)) -> Vlans {
        Vlans { outer, inner }
    }

    #[test]
    fn tags_name_the_link_whose_ranges_hold_them() {
        let links = [
            link(1, (0, 0)),
            link(1, range((100, 199), (0, 0))),
            link(1, range((200, 299), (1, 99))),
            link(1, range((200, 299), (100, 4094))),
            link(2, (150, 0)),
        ];
        let (table, overlaps) = ByTags::new(&links);
        assert_eq!(overlaps, []);
        let find = |port, vids| table.find(port, vids).map(|link| link.0);
        let expected = [
            (1, (0, 0), Some(0)),
            (1, (100, 0), Some(1)),
            (1, (199, 0), Some(1)),
            (1, (150, 1), None),
            (1, (200, 0), None),
            (1, (250, 99), Some(2)),
            (1, (250, 100), Some(3)),
            (1, (299, 4094), Some(3)),
            (1, (300, 1), None),
            (2, (150, 0), Some(4)),
            (2, (0, 0), None),
            (0, (0, 0), None),
            (3, (0, 0), None),
            (1, (u16::MAX, u16::MAX), None),
        ];
        for (port, vids, link) in expected {
            assert_eq!(find(port, vids), link, "{port} {vids:?}");
        }
    }

    #[test]
    fn a_range_of_all_pairs_takes_one_row() {
        let (table, _) = ByTags::new(&[link(0, range((1, 4094), (1, 4094)))]);
        let [on_port] = &table.ports[..] else {
            panic!("one port")
        };
        assert_eq!((on_port.rows.len(), on_port.outer.len()), (1, 4095));
        assert_eq!(table.find(0, (4094, 4094)), Some(LinkIndex(0)));
        assert_eq!(table.find(0, (4095, 1)), None);
    }

    #[test]
    fn the_links_that_overlap_are_named() {
        let links = [
            link(0, range((100, 199), (0, 0))),
            link(0, (150, 0)),
            link(0, (150, 7)),
            link(1, (150, 0)),
            link(0, range((1, 4094), (7, 9))),
        ];
        let found = overlapping(&links);
        let found: Vec<_> = found.iter().map(|(a, b)| (a.0, b.0)).collect();
        assert_eq!(found, [(1, 0), (4, 2)]);
    }

    proptest! {
        #[test]
        fn a_look_up_finds_what_a_search_of_all_links_finds(
            given in proptest::collection::vec((0_u16..12, 0_u16..6, 0_u16..6, 0_u16..4), 0..8),
            vids in (0_u16..20, 0_u16..12),
        ) {
            let mut links = Vec::new();
            for (outer, width, inner, depth) in given {
                links.push(link(0, range((outer, outer + width), (inner, inner + depth))));
                if !overlapping(&links).is_empty() {
                    links.pop();
                }
            }
            let holds = |(first, last): (u16, u16), vid| first <= vid && vid <= last;
            let found = links.iter().position(|link| {
                holds(link.vlans.outer, vids.0) && holds(link.vlans.inner, vids.1)
            });
            let (table, _) = ByTags::new(&links);
            prop_assert_eq!(table.find(0, vids).map(|link| link.0 as usize), found);
        }
    }
}
