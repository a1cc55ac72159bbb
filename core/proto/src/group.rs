//! Groups of address blocks: what one appliance of several owns or does not, as a whole.
//!
//! A store that several appliances share refuses the records of a group that another one has
//! taken over. From then on nothing about an address of that group is told to a client, until the
//! group is this appliance's again. On one machine there is one group, and it is never refused.

use core::net::Ipv4Addr;

/// Most groups: finer ones would be thousands of keys, and nothing gained.
pub const MAX_GROUPS: u16 = 256;
/// Words of a set.
const WORDS: usize = MAX_GROUPS as usize / 64;

/// How addresses are divided into groups: by blocks of 256 of an address space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Groups {
    count: u16,
}

impl Groups {
    /// All addresses are one group.
    pub const ONE: Self = Self { count: 1 };

    /// `count` groups, at least one and at most [`MAX_GROUPS`].
    #[must_use]
    pub const fn new(count: u16) -> Self {
        let count = match count {
            0 => 1,
            1..=MAX_GROUPS => count,
            _ => MAX_GROUPS,
        };
        Self { count }
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// The group of an address. All appliances have to agree on it, so it never changes.
    #[must_use]
    pub fn of(self, space: u16, addr: Ipv4Addr) -> u16 {
        if self.count == 1 {
            return 0;
        }
        let block = u64::from(space) << 24 | u64::from(addr.to_bits() >> 8);
        // Neighbouring blocks are spread, so that no group has a pool for itself.
        let mixed = block.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let group = (mixed * u64::from(self.count)) >> 32;
        u16::try_from(group).unwrap_or(0)
    }
}

/// Some of the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupSet([u64; WORDS]);

impl GroupSet {
    /// None of them.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// The set whose members are the bits of `words`, the lowest first.
    #[must_use]
    pub const fn of_words(words: [u64; WORDS]) -> Self {
        Self(words)
    }

    /// The members as bits, the lowest first.
    #[must_use]
    pub const fn words(self) -> [u64; WORDS] {
        self.0
    }

    /// This set and `group`. A number beyond [`MAX_GROUPS`] is no group's.
    #[must_use]
    pub fn with(mut self, group: u16) -> Self {
        if let Some(word) = self.0.get_mut(usize::from(group / 64)) {
            *word |= 1 << (group % 64);
        }
        self
    }

    /// Whether `group` is one of them.
    #[must_use]
    pub fn contains(self, group: u16) -> bool {
        let word = self.0.get(usize::from(group / 64));
        word.is_some_and(|word| word & 1 << (group % 64) != 0)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// The members, the lowest first.
    pub fn iter(self) -> impl Iterator<Item = u16> {
        (0..MAX_GROUPS).filter(move |group| self.contains(*group))
    }
}

impl FromIterator<u16> for GroupSet {
    fn from_iter<I: IntoIterator<Item = u16>>(groups: I) -> Self {
        groups.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// Which addresses are another appliance's, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fenced {
    /// How addresses are divided.
    pub groups: Groups,
    /// The groups that are another's.
    pub lost: GroupSet,
}

impl Fenced {
    /// Whether an address is another appliance's.
    #[must_use]
    pub fn contains(&self, space: u16, addr: Ipv4Addr) -> bool {
        self.lost.contains(self.groups.of(space, addr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_has_every_address() {
        for groups in [Groups::ONE, Groups::new(0), Groups::new(1)] {
            assert_eq!(groups.of(7, Ipv4Addr::new(10, 1, 2, 3)), 0);
            assert_eq!(groups.count(), 1);
        }
    }

    #[test]
    fn the_group_of_an_address_is_the_same_in_every_release() {
        let groups = Groups::new(64);
        let of = |space, octets: [u8; 4]| groups.of(space, octets.into());
        let now = [
            of(0, [10, 0, 0, 1]),
            of(0, [10, 0, 1, 1]),
            of(1, [10, 0, 0, 1]),
            of(65_535, [255; 4]),
        ];
        assert_eq!(now, [48, 23, 30, 43]);
    }

    #[test]
    fn a_block_is_in_one_group_and_blocks_are_spread_evenly() {
        let groups = Groups::new(3);
        let mut blocks = [0; 3];
        for block in 0..3000_u32 {
            let at = |host| groups.of(0, Ipv4Addr::from_bits(0x0a00_0000 | block << 8 | host));
            assert!((1..256).all(|host| at(host) == at(0)));
            blocks[usize::from(at(0))] += 1;
        }
        assert!(blocks.iter().all(|n| (900..1100).contains(n)), "{blocks:?}");
    }

    #[test]
    fn a_set_has_its_members_and_no_others() {
        let set: GroupSet = [0, 63, 64, 255, 256, 9999].into_iter().collect();
        assert!(set.iter().eq([0, 63, 64, 255]));
        assert!(!set.contains(1) && !set.contains(256) && !set.is_empty());
        assert_eq!(GroupSet::of_words(set.words()), set);
        assert!(GroupSet::EMPTY.is_empty() && GroupSet::EMPTY.iter().next().is_none());
    }
}
