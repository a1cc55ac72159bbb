//! A permutation of the numbers of so many bits, named by a seed, and its inverse.
//!
//! It makes the order of clients, their hardware addresses and their transactions look like
//! chance without a table: a client's number gives each of them, and a transaction gives the
//! client's number back.

/// A permutation of the numbers below `2^bits`.
#[derive(Debug, Clone, Copy)]
pub struct Scramble {
    mask: u64,
    shift: u32,
    rounds: [Round; 2],
}

#[derive(Debug, Clone, Copy)]
struct Round {
    key: u64,
    /// Odd, and so a permutation modulo each power of two.
    factor: u64,
    /// Its inverse modulo 2^64.
    inverse: u64,
}

/// The next number of the sequence `SplitMix64`.
#[must_use]
pub const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Scramble {
    /// The permutation of `bits`, 1 to 63, that `seed` names.
    #[must_use]
    pub fn new(bits: u32, seed: u64) -> Self {
        let mut state = seed ^ u64::from(bits).rotate_left(32);
        let mut round = || {
            let key = split_mix(&mut state);
            let factor = split_mix(&mut state) | 1;
            let inverse = inverse(factor);
            Round {
                key,
                factor,
                inverse,
            }
        };
        Self {
            mask: (1 << bits.clamp(1, 63)) - 1,
            shift: bits.clamp(1, 63).div_ceil(2),
            rounds: [round(), round()],
        }
    }

    /// Where `number` goes; bits beyond those of the permutation do not count.
    #[inline]
    #[must_use]
    pub const fn forth(&self, number: u64) -> u64 {
        let [first, second] = &self.rounds;
        self.step(self.step(number, first), second)
    }

    /// What goes to `number`.
    #[inline]
    #[must_use]
    pub const fn back(&self, number: u64) -> u64 {
        let [first, second] = &self.rounds;
        self.step_back(self.step_back(number & self.mask, second), first)
    }

    /// The largest number of these bits.
    #[inline]
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.mask
    }

    #[inline]
    const fn step(&self, number: u64, round: &Round) -> u64 {
        let mixed = (number ^ round.key).wrapping_mul(round.factor) & self.mask;
        // The upper half, which depends on all bits below it, goes into the lower.
        mixed ^ (mixed >> self.shift)
    }

    #[inline]
    const fn step_back(&self, number: u64, round: &Round) -> u64 {
        let mixed = number ^ (number >> self.shift);
        (mixed.wrapping_mul(round.inverse) ^ round.key) & self.mask
    }
}

/// The inverse of an odd number modulo 2^64, by Newton's steps: each doubles the right bits, of
/// which the number itself has three.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn is_a_permutation_with_an_inverse() {
        for bits in [1, 2, 3, 7, 12] {
            for seed in 0..20 {
                let scramble = Scramble::new(bits, seed);
                let images: BTreeSet<u64> = (0..1 << bits).map(|n| scramble.forth(n)).collect();
                assert_eq!(images, (0..1 << bits).collect(), "{bits} bits, seed {seed}");
            }
        }
        for bits in [24, 32, 40, 63] {
            let scramble = Scramble::new(bits, 7);
            for number in (0..100_000).map(|n| (n << 20 | n) & scramble.mask) {
                assert_eq!(scramble.back(scramble.forth(number)), number);
            }
        }
    }

    #[test]
    fn neighbours_part() {
        let scramble = Scramble::new(24, 1);
        let steps = (0..1000).map(|n| scramble.forth(n + 1).abs_diff(scramble.forth(n)));
        let far = steps.filter(|step| *step > 1 << 16).count();
        assert!(far > 900, "{far} of 1000");
    }
}
