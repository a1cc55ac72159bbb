//! Octets that are taken off one by one; behind the end come zeros.

pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn octet(&mut self) -> u8 {
        let Some((octet, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *octet
    }

    pub(super) fn number(&mut self) -> usize {
        usize::from(u16::from_le_bytes([self.octet(), self.octet()]))
    }

    pub(super) fn octets(&mut self, count: usize) -> &'a [u8] {
        let (octets, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        octets
    }

    /// One of the places of `all`.
    pub(super) fn place(&mut self, all: usize) -> usize {
        usize::from(self.octet()) % all.max(1)
    }

    /// A place in `all` octets, at their front or at their end as often as in their middle.
    pub(super) fn offset(&mut self, all: usize) -> usize {
        let number = self.number();
        let fine = number & 0x3fff;
        let offset = match number >> 14 {
            0 => fine,
            1 => all.saturating_sub(1 + fine % 256),
            2 => (fine & 0x3f) * 4096 + (fine >> 6),
            _ => fine << 4,
        };
        offset % all.max(1)
    }

    /// A number that is seldom met, or one near `old`.
    pub(super) fn hostile(&mut self, old: u64) -> u64 {
        match self.octet() % 24 {
            0 => 0,
            1 => 1,
            2 => 2,
            3 => old.wrapping_add(1),
            4 => old.wrapping_sub(1),
            5 => old.wrapping_mul(2),
            6 => u64::MAX,
            7 => u64::MAX - 1,
            8 => 1 << 63,
            9 => (1 << 63) - 1,
            10 => 1 << 53,
            11 => (1 << 53) - 1,
            12 => 1 << 32,
            13 => (1 << 32) - 1,
            14 => 4096,
            15 => old.wrapping_add(4096),
            16 => old.wrapping_sub(4096),
            17 => u64::MAX - 4096,
            18 => !old,
            19 => old.wrapping_sub(u64::from(self.octet())),
            20 => old.wrapping_add(u64::from(self.octet())),
            21 => self.number() as u64,
            _ => u64::from(self.octet()),
        }
    }
}
