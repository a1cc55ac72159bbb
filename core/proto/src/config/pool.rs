//! A range of addresses that are assigned, with the hints that find a free one.

use crate::address::{AddressState, Directory, Hint, Hints, Space};
use core::net::Ipv4Addr;

/// A pool as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSpec {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address.
    pub last: Ipv4Addr,
}

/// A pool.
#[derive(Debug)]
pub struct Pool {
    /// First address.
    pub first: Ipv4Addr,
    /// Last address.
    pub last: Ipv4Addr,
    /// Where free and remembered addresses are; an index is the distance from `first`.
    pub hints: Hints,
}

impl Pool {
    /// The pool of `spec`; its hints tell what the words of `directory` say now, and never name
    /// an address that is not `open` (excluded or reserved).
    pub(super) fn new(
        spec: PoolSpec,
        space: Space,
        directory: &Directory,
        open: impl Fn(Ipv4Addr) -> bool,
    ) -> Self {
        let (first, last) = (spec.first, spec.last);
        let hint = |i: u32| {
            let addr = Ipv4Addr::from_bits(first.to_bits().saturating_add(i));
            if !open(addr) {
                return Hint::Never;
            }
            match directory.cell(space, addr).map(|cell| cell.load().state()) {
                Some(AddressState::Free) => Hint::Free,
                Some(AddressState::Remembered) => Hint::Reclaimable,
                Some(AddressState::Held | AddressState::Bound | AddressState::SetAside) => {
                    Hint::None
                }
                None => Hint::Never,
            }
        };
        let mut pool = Self {
            first,
            last,
            hints: Hints::new(0, |_| Hint::Never),
        };
        pool.hints = Hints::new(pool.len(), hint);
        pool
    }

    /// The index of an address of this pool in its hints.
    #[must_use]
    pub fn index(&self, addr: Ipv4Addr) -> Option<u32> {
        let index = addr.to_bits().checked_sub(self.first.to_bits())?;
        (addr <= self.last).then_some(index)
    }

    /// How many addresses it spans.
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a pool has at least one address"
    )]
    pub fn len(&self) -> u32 {
        let span = self.last.to_bits().saturating_sub(self.first.to_bits());
        span.saturating_add(1)
    }

    /// The address of an index.
    #[must_use]
    pub fn addr(&self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.first.to_bits().saturating_add(index))
    }
}
