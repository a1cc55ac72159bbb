//! The word of an address: state, owner and generation in 64 bits. A plain value; the atomic
//! that holds it is in [`super::block`].

use core::fmt;

use super::transition::{self, Step, Who};

/// What an address is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AddressState {
    /// Nobody's.
    Free = 0,
    /// Offered to a client that has not answered.
    Held = 1,
    /// Leased.
    Bound = 2,
    /// Not leased, but kept in mind for the client that had it.
    Remembered = 3,
    /// In probation: declined, or found in use by a probe.
    SetAside = 4,
}

impl AddressState {
    /// All states, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Free,
        Self::Held,
        Self::Bound,
        Self::Remembered,
        Self::SetAside,
    ];
}

/// What an address is claimed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// An OFFER.
    Held,
    /// An ACK without an offer on record.
    Bound,
}

impl From<Claim> for AddressState {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Held => Self::Held,
            Claim::Bound => Self::Bound,
        }
    }
}

/// A worker by its number; there are at most 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Worker(pub u8);

/// How often an address was claimed or forgotten: tells an old view of a word from the present.
///
/// It has 53 bits and does not wrap. An address at [`Generation::LAST`] is never claimed or
/// forgotten again; a million claims of that one address a second reach it after 285 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// Width in a word.
    const BITS: u32 = 53;
    /// Of an address that was never claimed.
    pub const FIRST: Self = Self(0);
    /// The last there is.
    pub const LAST: Self = Self((1 << Self::BITS) - 1);

    /// The generation of that number, as a record has it; none if it is above [`Self::LAST`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number <= Self::LAST.0 {
            Some(Self(number))
        } else {
            None
        }
    }

    /// The number, for a record.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The one after this, if this is not the last.
    const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// State, owner and generation of an address at one moment.
///
/// The default is an address that was never claimed. A free word names its last owner.
///
/// ```text
///  63   61 60        53 52                              0
/// ┌───────┬────────────┬────────────────────────────────┐
/// │ state │   worker   │           generation           │
/// └───────┴────────────┴────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Word(u64);

const OWNER_SHIFT: u32 = Generation::BITS;
const STATE_SHIFT: u32 = OWNER_SHIFT + u8::BITS;

impl Word {
    /// The word that says so.
    #[must_use]
    pub const fn new(state: AddressState, owner: Worker, generation: Generation) -> Self {
        Self((state as u64) << STATE_SHIFT | (owner.0 as u64) << OWNER_SHIFT | generation.0)
    }

    /// What the address is used for.
    #[must_use]
    pub const fn state(self) -> AddressState {
        match self.0 >> STATE_SHIFT {
            0 => AddressState::Free,
            1 => AddressState::Held,
            2 => AddressState::Bound,
            3 => AddressState::Remembered,
            // Only `new` makes words, so this is 4.
            _ => AddressState::SetAside,
        }
    }

    /// The worker that has the address, or had it last.
    #[must_use]
    pub const fn owner(self) -> Worker {
        let [.., owner] = (self.0 >> OWNER_SHIFT).to_be_bytes();
        Worker(owner)
    }

    /// The generation; a record about the address carries it.
    #[must_use]
    pub const fn generation(self) -> Generation {
        Generation(self.0 & Generation::LAST.0)
    }

    /// The bits, for the atomic.
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The word of bits that [`Self::bits`] gave.
    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// This word after a transition by `who`, the address then `owner`'s; none if the table has
    /// no such transition, or it needs a generation and there is no further one.
    pub(super) fn after(self, who: Who, to: AddressState, owner: Worker) -> Option<Self> {
        let generation = match transition::step(self.state(), who, to)? {
            Step::Kept => self.generation(),
            Step::Next => self.generation().next()?,
        };
        Some(Self::new(to, owner, generation))
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, owner, generation) = (self.state(), self.owner().0, self.generation().0);
        write!(f, "{state:?}(worker {owner}, generation {generation})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_default_word_is_free_and_was_never_claimed() {
        let word = Word::default();
        assert_eq!(word.state(), AddressState::Free);
        assert_eq!(word.generation(), Generation::FIRST);
    }

    #[test]
    fn a_generation_of_more_than_53_bits_is_refused() {
        assert_eq!(Generation::new((1 << 53) - 1), Some(Generation::LAST));
        assert_eq!(Generation::new(1 << 53), None);
        assert_eq!(Generation::LAST.next(), None);
    }

    #[test]
    fn a_word_prints_what_it_says() {
        let word = Word::new(AddressState::Held, Worker(3), Generation(7));
        assert_eq!(std::format!("{word:?}"), "Held(worker 3, generation 7)");
    }

    proptest! {
        #[test]
        fn a_word_keeps_its_three_fields(
            state in 0_usize..5,
            owner: u8,
            number in 0..=Generation::LAST.number(),
        ) {
            let state = AddressState::ALL[state];
            let generation = Generation(number);
            let word = Word::new(state, Worker(owner), generation);
            prop_assert_eq!(word.state(), state);
            prop_assert_eq!(word.owner(), Worker(owner));
            prop_assert_eq!(word.generation(), generation);
            prop_assert_eq!(Word::from_bits(word.bits()), word);
        }
    }
}
