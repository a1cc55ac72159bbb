//! The Internet checksum: RFC 1071, and its update in place, RFC 1624.

/// Whether a checksum is looked at on receive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// Compute and compare it.
    #[default]
    Verify,
    /// The device has looked at it, or the operator does not want it looked at.
    Trusted,
}

/// A ones' complement sum under way.
///
/// Words are added in the order of the machine and turned at the end, which RFC 1071 §2 (B)
/// allows; so every part but the last must have an even number of octets.
#[derive(Debug, Clone, Copy, Default)]
#[must_use]
pub struct Sum(u64);

impl Sum {
    /// Adds `octets`; an odd last one counts as if a zero octet followed.
    #[inline]
    pub fn add_octets(self, octets: &[u8]) -> Self {
        let (words, rest) = octets.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // Halves of 32 bits cannot overflow 64 in 2^32 words; `wrapping_add` lets this vectorise.
        let mut sum = self.0.wrapping_add(halves(last));
        for word in words {
            sum = sum.wrapping_add(halves(*word));
        }
        Self(sum)
    }

    /// Adds one 16-bit word.
    #[inline]
    pub fn add_word(self, word: u16) -> Self {
        let word = u16::from_ne_bytes(word.to_be_bytes());
        Self(self.0.wrapping_add(word.into()))
    }

    /// The sum itself, as a device wants the pseudo-header's for an offload.
    #[inline]
    #[must_use]
    pub fn folded(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let [.., high, low] = sum.to_be_bytes();
        u16::from_be_bytes(u16::from_be_bytes([high, low]).to_ne_bytes())
    }

    /// The checksum: the complement of the sum. 0 over octets that hold a right checksum.
    #[inline]
    #[must_use]
    pub fn checksum(self) -> u16 {
        !self.folded()
    }
}

/// The sum of the two halves of a word.
#[inline]
fn halves(word: [u8; 8]) -> u64 {
    let word = u64::from_ne_bytes(word);
    (word & 0xffff_ffff).wrapping_add(word >> 32)
}

/// The checksum after a word it covers changed from `old` to `new`, RFC 1624 §3 (eqn. 3).
#[inline]
#[must_use]
pub fn update(checksum: u16, old: u16, new: u16) -> u16 {
    Sum::default()
        .add_word(!checksum)
        .add_word(!old)
        .add_word(new)
        .checksum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 1071 §1, word by word.
    fn by_the_book(octets: &[u8]) -> u16 {
        let mut sum: u32 = octets
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
            .sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !u16::try_from(sum).unwrap()
    }

    #[test]
    fn sums_the_example_of_rfc_1071() {
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::default().add_octets(&octets).folded(), 0xddf2);
    }

    #[test]
    fn updates_the_example_of_rfc_1624() {
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    proptest! {
        #[test]
        fn agrees_with_the_sum_word_by_word(
            octets in prop::collection::vec(any::<u8>(), 0..700),
            cut in 0usize..350,
        ) {
            let expected = by_the_book(&octets);
            prop_assert_eq!(Sum::default().add_octets(&octets).checksum(), expected);
            let (head, tail) = octets.split_at((cut * 2).min(octets.len() & !1));
            prop_assert_eq!(Sum::default().add_octets(head).add_octets(tail).checksum(), expected);
        }

        #[test]
        fn an_update_agrees_with_a_new_sum(
            mut octets in prop::array::uniform20(any::<u8>()),
            new in any::<u16>(),
        ) {
            // All zero sums to the other zero: no header does.
            octets[0] = 0x45;
            let before = Sum::default().add_octets(&octets).checksum();
            let old = u16::from_be_bytes([octets[8], octets[9]]);
            octets[8..10].copy_from_slice(&new.to_be_bytes());
            prop_assert_eq!(update(before, old, new), Sum::default().add_octets(&octets).checksum());
        }
    }
}
