//! What is kept of a next hop, in words that all workers read and write.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use dhcp_proto::time::Instant;
use dhcp_wire::ethernet::{Mac, Tag, Tags};

use super::{IDLE, Key};

/// Last use of a router's entry, which counts as used for ever.
pub(super) const ROUTER: u64 = u64::MAX;

/// A hardware address and the generation of its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Station(pub(super) u64);

impl Station {
    pub(super) fn mac(self) -> Option<Mac> {
        let [mac @ .., _, _] = self.0.to_be_bytes();
        let mac = Mac(mac);
        (!mac.is_zero()).then_some(mac)
    }

    /// Another address, or none, for the same key.
    pub(super) fn with(self, mac: Mac) -> Self {
        let mut octets = self.0.to_be_bytes();
        octets[..6].copy_from_slice(&mac.0);
        Self(u64::from_be_bytes(octets))
    }

    /// No address, for another key.
    pub(super) fn next(self) -> Self {
        let [.., high, low] = self.0.to_be_bytes();
        Self(u16::from_be_bytes([high, low]).wrapping_add(1).into())
    }
}

/// Requests sent since the last answer, and the time of the next: milliseconds in the upper 56
/// bits, requests in the lower 8.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) requests: u8,
    pub(super) next: Instant,
}

impl Probe {
    pub(super) fn load(word: &AtomicU64) -> Self {
        let bits = word.load(Relaxed);
        Self {
            requests: bits.to_be_bytes()[7],
            next: Instant(bits >> 8),
        }
    }

    pub(super) fn store(self, word: &AtomicU64) {
        word.store(self.next.0 << 8 | u64::from(self.requests), Relaxed);
    }
}

#[derive(Debug, Default)]
pub(super) struct Entry {
    /// [`Station`] // workers: write, read
    pub(super) station: AtomicU64,
    /// When the address was last heard, in milliseconds. // workers: write, read
    pub(super) confirmed: AtomicU64,
    /// When a packet last needed it, or [`ROUTER`]. // workers: write, read; control: write
    pub(super) used: AtomicU64,
    /// [`Probe`] // workers: write, read
    pub(super) probe: AtomicU64,
    /// Ethertypes of the outer and the inner tag, 0 if unknown. // workers: write, read
    pub(super) tpids: AtomicU32,
}

impl Entry {
    /// Notes that a packet needs the entry, once a second at most: the line is shared.
    #[inline]
    pub(super) fn touch(&self, now: Instant) {
        let used = self.used.load(Relaxed);
        if used != ROUTER && used.saturating_add(1000) <= now.0 {
            // Lost against control, which makes it a router's.
            let _ = self.used.compare_exchange(used, now.0, Relaxed, Relaxed);
        }
    }

    pub(super) fn is_router(&self) -> bool {
        self.used.load(Relaxed) == ROUTER
    }

    pub(super) fn is_used(&self, now: Instant) -> bool {
        self.is_router() || now < Instant(self.used.load(Relaxed)).after(IDLE)
    }

    /// Notes what announces the tags on this link.
    #[inline]
    pub(super) fn note(&self, tags: &Tags) {
        let tpid = |tag: Option<Tag>| tag.map_or(0, |tag| u32::from(tag.tpid));
        let tpids = tpid(tags.outer) << 16 | tpid(tags.inner);
        if self.tpids.load(Relaxed) != tpids {
            self.tpids.store(tpids, Relaxed);
        }
    }

    pub(super) fn tags(&self, key: Key) -> Tags {
        let [a, b, c, d] = self.tpids.load(Relaxed).to_be_bytes();
        let known = |tag: Option<Tag>, tpid| tag.map(|tag| Tag { tpid, ..tag });
        let usual = key.usual_tags();
        match (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])) {
            (0, _) => usual,
            (outer, inner) => Tags {
                outer: known(usual.outer, outer),
                inner: known(usual.inner, inner),
            },
        }
    }
}
