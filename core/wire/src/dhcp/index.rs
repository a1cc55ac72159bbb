//! Where the options of a message stand, found once and kept in a hundred octets.

/// Instances that the index has room for. Real clients send six to fifteen; behind that the
/// message is walked again for each question, so that nothing is lost but time.
const ROOM: usize = 32;

const _: () = assert!(ROOM <= 32, "`Hits` has a bit for each instance");

/// Codes and places of the first instances, in the order of the walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    codes: [u8; ROOM],
    places: [u16; ROOM],
    len: usize,
    overflowed: bool,
}

/// What an index knows of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hits {
    None,
    /// The place of the only instance.
    One(usize),
    /// The place of the first of several, and how many there are.
    Several(usize, usize),
    /// Only a walk can tell.
    Unknown,
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            codes: [0; ROOM],
            places: [0; ROOM],
            len: 0,
            overflowed: false,
        }
    }

    /// Adds an instance at `at`, a place within a UDP payload.
    #[inline]
    pub(super) fn push(&mut self, code: u8, at: usize) {
        let slots = self
            .codes
            .get_mut(self.len)
            .zip(self.places.get_mut(self.len));
        let (Some((slot, place)), Ok(at)) = (slots, u16::try_from(at)) else {
            self.overflowed = true;
            return;
        };
        *slot = code;
        *place = at;
        self.len += 1;
    }

    /// Looks for `code`, which is not PAD: empty slots hold that.
    #[inline]
    pub(super) fn find(&self, code: u8) -> Hits {
        if self.overflowed {
            return Hits::Unknown;
        }
        let hits = self.hits(code);
        if hits == 0 {
            return Hits::None;
        }
        let first = self.places.get(hits.trailing_zeros() as usize);
        let at = first.map_or(0, |place| usize::from(*place));
        if hits.is_power_of_two() {
            Hits::One(at)
        } else {
            Hits::Several(at, hits.count_ones() as usize)
        }
    }

    /// A bit for each slot that holds `code`: eight slots are compared at a time.
    #[inline]
    fn hits(&self, code: u8) -> u32 {
        const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
        /// Gathers the top bits of eight octets in the topmost octet.
        const GATHER: u64 = 0x0002_0408_1020_4081;
        let (words, _) = self.codes.as_chunks::<8>();
        words
            .iter()
            .take(self.len.div_ceil(8))
            .enumerate()
            .fold(0, |hits, (i, word)| {
                // The top bit of each octet that is zero, and of no other.
                let unlike = u64::from_le_bytes(*word) ^ u64::from_le_bytes([code; 8]);
                let alike = !(((unlike & LOW) + LOW) | unlike | LOW);
                let [octet, ..] = alike.wrapping_mul(GATHER).to_be_bytes();
                hits | u32::from(octet) << (8 * i)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_a_scan_finds(
            codes in prop::collection::vec(prop_oneof![1u8..=255, 1u8..=8], 0..=ROOM),
            asked in prop_oneof![1u8..=255, 1u8..=8],
        ) {
            let mut index = Index::new();
            for (i, &code) in codes.iter().enumerate() {
                index.push(code, 240 + 3 * i);
            }
            let mut places = (0..codes.len()).filter(|&i| codes[i] == asked).map(|i| 240 + 3 * i);
            let expected = match (places.next(), places.count()) {
                (None, _) => Hits::None,
                (Some(at), 0) => Hits::One(at),
                (Some(at), more) => Hits::Several(at, more + 1),
            };
            prop_assert_eq!(index.find(asked), expected);
        }
    }

    #[test]
    fn knows_that_it_does_not_know() {
        let mut index = Index::new();
        for at in 0..=ROOM {
            index.push(1, at);
        }
        assert_eq!(index.find(2), Hits::Unknown);
    }
}
