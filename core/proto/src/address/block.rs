//! Where the words are: blocks of 256 that live as long as the process, and the operations on one
//! address.

use core::array;
use core::fmt;

use super::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::atomic::{AtomicU32, AtomicU64};
use super::transition::Who;
use super::word::{AddressState, Claim, Word, Worker};

/// Addresses in a block. The model check has few, for each atomic costs it time.
pub(super) const ADDRESSES: usize = if cfg!(loom) { 2 } else { 256 };

/// The words of 256 addresses that differ in the last octet, and beside each the slot of its
/// binding.
///
/// A block is made by [`super::DirectoryBuilder`] when configuration or store first name an
/// address in it, and is then shared by all snapshots; it is never copied, moved or freed. The
/// two arrays are apart, so that what belongs to one address is in exactly two cache lines.
#[repr(align(64))]
pub struct Block {
    words: [AtomicU64; ADDRESSES], // all workers: read and write, as the transition table says
    slots: [AtomicU32; ADDRESSES], // owner: read and write
}

impl Default for Block {
    fn default() -> Self {
        Self {
            words: array::from_fn(|_| AtomicU64::new(Word::default().bits())),
            slots: array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl Block {
    /// The address whose last octet is `index`.
    #[must_use]
    pub fn cell(&'static self, index: u8) -> Cell {
        Cell { block: self, index }
    }

    /// All addresses of the block, by last octet.
    pub fn cells(&'static self) -> impl Iterator<Item = Cell> {
        (0..=u8::MAX).take(ADDRESSES).map(|index| self.cell(index))
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self
            .words
            .iter()
            .map(|word| Word::from_bits(word.load(Relaxed)));
        f.debug_list().entries(words).finish()
    }
}

/// One address: its word, and the slot of its binding.
#[derive(Clone, Copy)]
pub struct Cell {
    block: &'static Block,
    index: u8,
}

impl Cell {
    /// The word now. What is free or remembered may be another's a moment later; what is held,
    /// bound or set aside by the caller stays so.
    #[must_use]
    pub fn load(self) -> Word {
        // Acquire: whoever sees a word sees what its owner wrote before it.
        Word::from_bits(self.word().load(Acquire))
    }

    /// The slot of the binding, in the table of the worker that the word names.
    ///
    /// Only that worker can use it. Of a word that is merely remembered another worker's claim may
    /// be under way: the binding found there must be checked for this address and generation.
    #[must_use]
    pub fn slot(self) -> u32 {
        // Relaxed: the owner reads what it wrote itself.
        self.slots().load(Relaxed)
    }

    /// Where word and slot number lie, for prefetching.
    #[must_use]
    pub fn lines(self) -> (&'static AtomicU64, &'static AtomicU32) {
        (self.word(), self.slots())
    }

    /// Says where the binding is now. Only for the owner of a held, bound or set aside address;
    /// [`Self::claim`] has set it first.
    pub fn set_slot(self, slot: u32) {
        self.slots().store(slot, Relaxed);
    }

    /// Claims an address that was `seen` free or remembered; its binding will be at `slot` of the
    /// table of `me`. The new word has the next generation.
    ///
    /// # Errors
    /// The word as it is now, and nothing has changed. It is another than `seen` if another worker
    /// came first (a further attempt may win), and the same if `seen` cannot be claimed at all.
    pub fn claim(self, seen: Word, to: Claim, me: Worker, slot: u32) -> Result<Word, Word> {
        let Some(next) = seen.after(Who::Anyone, to.into(), me) else {
            return Err(self.load());
        };
        self.exchange(seen, next)?;
        self.set_slot(slot);
        Ok(next)
    }

    /// Takes the owner's step out of held, bound or set aside. `mine` is what the caller's own
    /// claim or last step returned; it keeps the generation.
    ///
    /// # Errors
    /// The word as it is now, and nothing has changed: the table has no such step, or the word is
    /// not `mine`, which is a bug of the caller.
    pub fn advance(self, mine: Word, to: AddressState) -> Result<Word, Word> {
        let now = self.load();
        match mine.after(Who::Owner, to, mine.owner()) {
            Some(next) if now == mine => {
                // No other worker may leave this state, so nothing comes between load and store.
                // Release: the next owner sees what this one wrote, the slot among it.
                self.word().store(next.bits(), Release);
                Ok(next)
            }
            Some(_) | None => Err(now),
        }
    }

    /// Frees an address that was `seen` remembered; for the sweep of the worker it names. The new
    /// word has the next generation.
    ///
    /// # Errors
    /// The word as it is now, and nothing has changed.
    pub fn forget(self, seen: Word) -> Result<Word, Word> {
        let Some(next) = seen.after(Who::OldOwner, AddressState::Free, seen.owner()) else {
            return Err(self.load());
        };
        self.exchange(seen, next)?;
        Ok(next)
    }

    /// Sets the word to what the store says of the address. Only at start, before any worker runs:
    /// no transition is checked.
    pub fn restore(self, word: Word) {
        self.word().store(word.bits(), Release);
    }

    fn exchange(self, seen: Word, next: Word) -> Result<(), Word> {
        self.word()
            .compare_exchange(seen.bits(), next.bits(), AcqRel, Acquire)
            .map(|_| ())
            .map_err(Word::from_bits)
    }

    fn word(self) -> &'static AtomicU64 {
        &self.block.words[usize::from(self.index)]
    }

    fn slots(self) -> &'static AtomicU32 {
        &self.block.slots[usize::from(self.index)]
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at slot {}", self.load(), self.slot())
    }
}

#[cfg(test)]
mod tests {
    use core::mem;

    use super::super::transition::TRANSITIONS;
    use super::super::word::Generation;
    use super::*;

    const MINE: Worker = Worker(1);
    const OTHER: Worker = Worker(2);

    fn cell() -> Cell {
        std::boxed::Box::leak(std::boxed::Box::<Block>::default()).cell(9)
    }

    fn generation(number: u64) -> Generation {
        Generation::new(number).unwrap()
    }

    fn attempt(cell: Cell, who: Who, to: AddressState) -> std::vec::Vec<Result<Word, Word>> {
        let seen = cell.load();
        let claim = match to {
            AddressState::Held => Some(Claim::Held),
            AddressState::Bound => Some(Claim::Bound),
            AddressState::Free | AddressState::Remembered | AddressState::SetAside => None,
        };
        match (who, claim, to) {
            (Who::Owner, _, _) => std::vec![cell.advance(seen, to)],
            (Who::OldOwner, _, AddressState::Free) => std::vec![cell.forget(seen)],
            (Who::Anyone, Some(claim), _) => {
                let by_owner = cell.claim(seen, claim, seen.owner(), 77);
                cell.restore(seen);
                std::vec![by_owner, cell.claim(seen, claim, OTHER, 77)]
            }
            // The interface cannot even say it.
            (Who::Anyone | Who::OldOwner, _, _) => std::vec![],
        }
    }

    #[test]
    fn a_step_succeeds_if_the_table_has_it_and_changes_nothing_otherwise() {
        let mut taken = 0;
        for from in AddressState::ALL {
            for who in Who::ALL {
                for to in AddressState::ALL {
                    let cell = cell();
                    let before = Word::new(from, MINE, generation(5));
                    cell.restore(before);
                    let row = TRANSITIONS
                        .iter()
                        .find(|row| (row.from, row.who, row.to) == (from, who, to));
                    let results = attempt(cell, who, to);
                    taken += usize::from(row.is_some());
                    for result in &results {
                        assert_eq!(result.is_ok(), row.is_some(), "{from:?} {who:?} {to:?}");
                    }
                    match (row, results.last()) {
                        (Some(row), Some(&Ok(word))) => {
                            assert_eq!(cell.load(), word);
                            assert_eq!(word.state(), to);
                            let claimed = row.who == Who::Anyone;
                            assert_eq!(word.owner(), if claimed { OTHER } else { MINE });
                            let owned = row.who == Who::Owner;
                            assert_eq!(word.generation(), generation(if owned { 5 } else { 6 }));
                        }
                        (Some(_), _) => panic!("{from:?} {who:?} {to:?} cannot be taken"),
                        (None, _) => {
                            assert_eq!(cell.load(), before);
                            assert_eq!(cell.slot(), 0);
                        }
                    }
                }
            }
        }
        assert_eq!(taken, TRANSITIONS.len());
    }

    #[test]
    fn a_claim_on_an_old_view_loses_though_state_and_owner_are_the_same() {
        let cell = cell();
        let seen = cell.load();
        let mine = cell.claim(seen, Claim::Held, seen.owner(), 1).unwrap();
        let free = cell.advance(mine, AddressState::Free).unwrap();
        assert_eq!((free.state(), free.owner()), (seen.state(), seen.owner()));
        assert_eq!(cell.claim(seen, Claim::Held, OTHER, 2), Err(free));
        assert_eq!(cell.slot(), 1);
    }

    #[test]
    fn the_old_owner_cannot_take_back_or_forget_what_was_stolen_and_remembered_again() {
        let cell = cell();
        let mine = cell.claim(cell.load(), Claim::Bound, MINE, 1).unwrap();
        let remembered = cell.advance(mine, AddressState::Remembered).unwrap();
        let stolen = cell.claim(remembered, Claim::Bound, OTHER, 2).unwrap();
        let now = cell.advance(stolen, AddressState::Remembered).unwrap();
        assert_eq!(cell.claim(remembered, Claim::Bound, MINE, 1), Err(now));
        assert_eq!(cell.forget(remembered), Err(now));
        assert_eq!(cell.load(), now);
    }

    #[test]
    fn an_owner_whose_word_is_stale_advances_nothing() {
        let cell = cell();
        let held = cell.claim(cell.load(), Claim::Held, MINE, 1).unwrap();
        let bound = cell.advance(held, AddressState::Bound).unwrap();
        assert_eq!(cell.advance(held, AddressState::Free), Err(bound));
        assert_eq!(cell.load(), bound);
    }

    #[test]
    fn an_address_at_the_last_generation_is_never_claimed_or_forgotten() {
        let cell = cell();
        for state in [AddressState::Free, AddressState::Remembered] {
            let last = Word::new(state, MINE, Generation::LAST);
            cell.restore(last);
            assert_eq!(cell.claim(last, Claim::Held, MINE, 1), Err(last));
            assert_eq!(cell.forget(last), Err(last));
            assert_eq!(cell.load(), last);
        }
    }

    #[test]
    fn what_belongs_to_an_address_is_in_two_cache_lines() {
        assert_eq!(size_of::<Block>(), 256 * (8 + 4));
        assert_eq!(align_of::<Block>(), 64);
        assert_eq!(mem::offset_of!(Block, words) % 64, 0);
        assert_eq!(mem::offset_of!(Block, slots) % 64, 0);
    }
}
