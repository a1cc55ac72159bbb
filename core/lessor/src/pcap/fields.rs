//! Numbers and options in the octet order of who wrote them.

/// The octet order of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

/// Octets with fields in them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'o> {
    octets: &'o [u8],
    order: Order,
}

impl<'o> Fields<'o> {
    pub(super) fn new(octets: &'o [u8], order: Order) -> Self {
        Self { octets, order }
    }

    pub(super) fn octets(&self) -> &'o [u8] {
        self.octets
    }

    /// The number of two octets at `at`, if they are there.
    pub(super) fn u16(&self, at: usize) -> Option<u16> {
        let octets = *self.octets.get(at..)?.first_chunk()?;
        Some(match self.order {
            Order::Little => u16::from_le_bytes(octets),
            Order::Big => u16::from_be_bytes(octets),
        })
    }

    /// The number of four octets at `at`.
    pub(super) fn u32(&self, at: usize) -> Option<u32> {
        let octets = *self.octets.get(at..)?.first_chunk()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(octets),
            Order::Big => u32::from_be_bytes(octets),
        })
    }

    /// The number of eight octets at `at`.
    pub(super) fn u64(&self, at: usize) -> Option<u64> {
        let octets = *self.octets.get(at..)?.first_chunk()?;
        Some(match self.order {
            Order::Little => u64::from_le_bytes(octets),
            Order::Big => u64::from_be_bytes(octets),
        })
    }

    /// The options from `at` on, each with its code, up to their end or to one that is not whole.
    pub(super) fn options(self, at: usize) -> impl Iterator<Item = (u16, Fields<'o>)> {
        let mut rest = Self {
            octets: self.octets.get(at..).unwrap_or_default(),
            order: self.order,
        };
        std::iter::from_fn(move || {
            let (code, len) = (rest.u16(0)?, usize::from(rest.u16(2)?));
            let value = rest.octets.get(4..)?.get(..len)?;
            let behind = (4 + len).next_multiple_of(4);
            rest.octets = rest.octets.get(behind..).unwrap_or_default();
            let order = rest.order;
            let octets = value;
            (code != 0).then_some((code, Self { octets, order }))
        })
    }
}
