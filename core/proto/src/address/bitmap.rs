//! A set of indices that many workers change at once and search in few steps: one bit each, and
//! above it levels of summaries.
//!
//! A bit of a summary stands for a word of the level below: 1 if that word may be other than
//! zero. The lowest level is the truth. **A word that stays other than zero has its summary bit
//! set in the end**:
//!
//! * whoever turns a word from zero sets its summary bit afterwards, by an unconditional
//!   read-modify-write with release;
//! * whoever clears a summary bit, because it turned the word to zero or found it so, reads the
//!   word again afterwards, and sets the bit again if the word is not zero.
//!
//! Let a word be turned from zero for the last time and its bit be set for it; a clear that comes
//! after reads, through read-modify-writes alone, from that set, so it sees the word other than
//! zero and sets the bit again. The reverse, a set bit over a word of zero, is only a detour: the
//! search that runs into it clears it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::atomic::Ordering::{Acquire, Relaxed, Release};
use super::atomic::{AtomicU32, AtomicU64};

/// Rounds of a search, of which one suffices if nobody else searches at the same place.
const ROUNDS: usize = 64;

/// Levels over 2^32 indices.
const LEVELS: usize = 6;

/// log2 of the bits in a word.
const FAN: u32 = u64::BITS.trailing_zeros();

#[repr(align(64))] // apart from the words' address, which is only read
struct Count(AtomicU32);

/// The set; see the module.
pub(super) struct Bitmap {
    /// All levels from the lowest, the last of one word, in one piece: those of an ordinary pool
    /// share a cache line. // all workers: read and write
    words: Box<[AtomicU64]>,
    /// The word behind the last one of each level; levels that are not there end where they begin.
    ends: [u32; LEVELS],
    /// Bits set, or more while a put is under way. // all workers: read and write
    count: Count,
}

/// What a search from some index found.
enum Seek {
    At(u32),
    Stale,
    End,
}

impl Bitmap {
    /// The set of those below `len` that are `inside`.
    pub(super) fn new(len: u32, inside: impl Fn(u32) -> bool) -> Self {
        let mut level = pack(len, inside);
        let count = level.iter().map(|word| word.count_ones()).sum();
        let mut words = Vec::new();
        let mut ends = [0; LEVELS];
        for end in &mut ends {
            let above = u32::try_from(level.len()).unwrap_or(u32::MAX);
            let summary = pack(above, |index| level[index as usize] != 0);
            words.extend(level.drain(..).map(AtomicU64::new));
            *end = u32::try_from(words.len()).unwrap_or(u32::MAX);
            if above > 1 {
                level = summary;
            }
        }
        Self {
            words: words.into_boxed_slice(),
            ends,
            count: Count(AtomicU32::new(count)),
        }
    }

    /// How many are in the set; may be too many while a put is under way, and a little old.
    pub(super) fn count(&self) -> u32 {
        self.count.0.load(Relaxed)
    }

    /// Puts `index` in, if it is below the length. Always writes, though it may be in already:
    /// who takes it afterwards sees what the caller did before.
    pub(super) fn put(&self, index: u32) {
        // Before the bit, so that the count is never too low and never passes zero downwards.
        self.count.0.fetch_add(1, Relaxed);
        if !self.raise(0, index) {
            self.count.0.fetch_sub(1, Relaxed);
        }
    }

    /// Takes `index` out, if it is in.
    pub(super) fn drop(&self, index: u32) {
        // A bit left by a put that this load does not see is merely stale.
        if self
            .word(0, index)
            .is_some_and(|word| word.load(Relaxed) & bit(index) != 0)
        {
            self.lower(index);
        }
    }

    /// Takes out the first at or after `start`, going on from 0 after the end. An empty set costs
    /// one load.
    ///
    /// None if the set looks empty, or others were faster in 64 rounds in a row. A round reads at
    /// most 2L - 1 words and writes at most L, where L levels have room for 64^L: four for the
    /// 2^24 addresses of a /8.
    pub(super) fn take(&self, start: u32) -> Option<u32> {
        if self.count() == 0 {
            return None;
        }
        let mut from = start;
        let mut again = start > 0;
        for _ in 0..ROUNDS {
            match self.seek(from) {
                Seek::At(index) if self.lower(index) => return Some(index),
                Seek::At(_) | Seek::Stale => {}
                Seek::End if again => (from, again) = (0, false),
                Seek::End => return None,
            }
        }
        None
    }

    /// The first at or after `from`, as far as one round of a search tells.
    pub(super) fn first(&self, from: u32) -> Option<u32> {
        match self.seek(from) {
            Seek::At(index) => Some(index),
            Seek::Stale | Seek::End => None,
        }
    }

    /// The first at or after `from`: up while there is nothing further on, then down.
    fn seek(&self, from: u32) -> Seek {
        let (mut level, mut index) = (0, from);
        index = loop {
            let Some(word) = self.word(level, index) else {
                return Seek::End;
            };
            // Relaxed: what a search sees is a guess, until `lower` makes sure.
            let rest = word.load(Relaxed) & (u64::MAX << (index % u64::BITS));
            if rest != 0 {
                break first(index >> FAN, rest);
            }
            (level, index) = (level + 1, (index >> FAN) + 1);
        };
        while level > 0 {
            level -= 1;
            let below = self
                .word(level, index << FAN)
                .map_or(0, |word| word.load(Relaxed));
            if below == 0 {
                self.clear_summary(level, index);
                return Seek::Stale;
            }
            index = first(index, below);
        }
        Seek::At(index)
    }

    /// Sets the bit `index` of `level`, and the summaries above as far as words were zero. Whether
    /// it was not set.
    fn raise(&self, mut level: usize, mut index: u32) -> bool {
        let mut raised = false;
        let lowest = level;
        while let Some(word) = self.word(level, index) {
            let before = word.fetch_or(bit(index), Release);
            raised |= level == lowest && before & bit(index) == 0;
            if before != 0 {
                break;
            }
            (level, index) = (level + 1, index >> FAN);
        }
        raised
    }

    /// Clears the bit `index` of the lowest level. Whether it was set.
    fn lower(&self, index: u32) -> bool {
        let Some(word) = self.word(0, index) else {
            return false;
        };
        let before = word.fetch_and(!bit(index), Acquire);
        if before & bit(index) == 0 {
            return false;
        }
        if before == bit(index) {
            self.clear_summary(0, index >> FAN);
        }
        self.count.0.fetch_sub(1, Relaxed);
        true
    }

    /// Clears the summary bit of word `index` of `level`, which was zero, and sets it again if it
    /// is not zero any more. Goes up at most once a level.
    fn clear_summary(&self, level: usize, index: u32) {
        let Some(summary) = self.word(level + 1, index) else {
            return;
        };
        if summary.fetch_and(!bit(index), Acquire) == bit(index) {
            self.clear_summary(level + 1, index >> FAN);
        }
        let word = self.word(level, index << FAN);
        if word.is_some_and(|word| word.load(Relaxed) != 0) {
            self.raise(level + 1, index);
        }
    }

    /// The word of `level` that has the bit `index`.
    fn word(&self, level: usize, index: u32) -> Option<&AtomicU64> {
        let end = *self.ends.get(level)?;
        let begin = level.checked_sub(1).map_or(0, |below| self.ends[below]);
        let at = begin + (index >> FAN);
        if at < end {
            self.words.get(at as usize)
        } else {
            None
        }
    }

    /// The word of an index, to be fetched ahead.
    pub(super) fn line(&self, index: u32) -> Option<&AtomicU64> {
        self.word(0, index)
    }
}

/// The bit of an index in its word.
fn bit(index: u32) -> u64 {
    1 << (index % u64::BITS)
}

/// The index of the lowest bit set in `word`, which is number `place` of its level.
fn first(place: u32, word: u64) -> u32 {
    place << FAN | word.trailing_zeros()
}

/// Bits in words: those below `len` that are `inside`. At least one word.
pub(super) fn pack(len: u32, inside: impl Fn(u32) -> bool) -> Vec<u64> {
    let mut words = alloc::vec![0; (len.div_ceil(u64::BITS) as usize).max(1)];
    for index in (0..len).filter(|&index| inside(index)) {
        words[(index >> FAN) as usize] |= bit(index);
    }
    words
}
