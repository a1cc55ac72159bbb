//! Workers on threads of the machine claim, lease and release the addresses of one pool, with no
//! order between them; whatever they do, no address ever has two owners, and none gets lost.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "a test fails by panic")]

use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::thread;

use dhcp_proto::address::{
    AddressState, Cell, Claim, Directory, Generation, Hint, Hints, Space, Word, Worker, start_for,
};

const WORKERS: u8 = 4;
const ADDRESSES: u32 = 1000;
const STEPS: u32 = 1_000_000;

struct Pool {
    directory: Directory,
    hints: Hints,
    /// By address: the worker that holds it, plus one. The witness, apart from the words.
    holders: Vec<AtomicU8>,
    /// By address: how often it was claimed or forgotten.
    turns: Vec<AtomicU32>,
}

impl Pool {
    fn new() -> Self {
        let mut builder = Directory::builder(None);
        builder.name_range(Space(0), Self::addr(0), Self::addr(ADDRESSES - 1));
        Self {
            directory: builder.build(),
            hints: Hints::new(ADDRESSES, |_| Hint::Free),
            holders: (0..ADDRESSES).map(|_| AtomicU8::new(0)).collect(),
            turns: (0..ADDRESSES).map(|_| AtomicU32::new(0)).collect(),
        }
    }

    fn addr(index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(0x0a00_0080 + index)
    }

    fn cell(&self, index: u32) -> Cell {
        self.directory.cell(Space(0), Self::addr(index)).unwrap()
    }
}

/// One worker and what it holds.
struct Shard<'a> {
    pool: &'a Pool,
    me: Worker,
    random: u64,
    mine: Vec<(u32, Word)>,
    /// What it gave up but keeps in mind, as it was then.
    memories: Vec<(u32, Word)>,
}

impl Shard<'_> {
    fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below.max(1) as u64).unwrap()
    }

    fn step(&mut self) {
        match self.random(8) {
            0 | 1 => self.claim_by_hint(),
            2 => self.claim_by_address(),
            3 => self.return_of_a_client(),
            4 => self.forget(),
            _ => self.give_up(),
        }
    }

    fn won(&mut self, index: u32, word: Word) {
        let turn = self.pool.turns[index as usize].fetch_add(1, Ordering::Relaxed);
        let before = self.pool.holders[index as usize].swap(self.me.0 + 1, Ordering::Relaxed);
        assert_eq!(before, 0, "address {index} has two owners");
        assert!(
            word.generation().number() > u64::from(turn),
            "a generation came twice"
        );
        assert_eq!(
            self.pool.cell(index).slot(),
            u32::from(self.me.0) << 24 | index
        );
        self.mine.push((index, word));
    }

    fn claim(&mut self, index: u32, seen: Word) -> bool {
        let to = [Claim::Held, Claim::Bound][self.random(2)];
        let slot = u32::from(self.me.0) << 24 | index;
        let claimed = self.pool.cell(index).claim(seen, to, self.me, slot);
        claimed.map(|word| self.won(index, word)).is_ok()
    }

    fn claim_by_hint(&mut self) {
        let start = start_for(self.me, u16::from(WORKERS), ADDRESSES);
        let hints = &self.pool.hints;
        let found = hints
            .take_free(start)
            .or_else(|| hints.take_reclaimable(start));
        if let Some(index) = found {
            let cell = self.pool.cell(index);
            if !self.claim(index, cell.load()) {
                self.pool.hints.settle(index, cell);
            }
        }
    }

    fn claim_by_address(&mut self) {
        let index = u32::try_from(self.random(ADDRESSES as usize)).unwrap();
        if self.claim(index, self.pool.cell(index).load()) {
            self.pool.hints.drop_free(index);
            self.pool.hints.drop_reclaimable(index);
        }
    }

    fn return_of_a_client(&mut self) {
        if let Some((index, seen)) = self.memories.pop()
            && self.claim(index, seen)
        {
            self.pool.hints.drop_reclaimable(index);
        }
    }

    fn forget(&mut self) {
        if let Some((index, seen)) = self.memories.pop() {
            self.pool.hints.drop_reclaimable(index);
            if self.pool.cell(index).forget(seen).is_ok() {
                self.pool.turns[index as usize].fetch_add(1, Ordering::Relaxed);
            }
            self.pool.hints.settle(index, self.pool.cell(index));
        }
    }

    fn give_up(&mut self) {
        let at = self.random(self.mine.len());
        if at >= self.mine.len() {
            return;
        }
        let (index, mine) = self.mine.swap_remove(at);
        let cell = self.pool.cell(index);
        let before = self.pool.holders[index as usize].swap(0, Ordering::Relaxed);
        assert_eq!(
            before,
            self.me.0 + 1,
            "address {index} was held by another as well"
        );
        if self.random(2) == 0 {
            let free = match self.random(2) {
                0 => mine,
                _ => cell.advance(mine, AddressState::SetAside).unwrap(),
            };
            cell.advance(free, AddressState::Free).unwrap();
            self.pool.hints.put_free(index);
        } else {
            let word = cell.advance(mine, AddressState::Remembered).unwrap();
            self.pool.hints.put_reclaimable(index);
            self.memories.push((index, word));
        }
    }
}

#[test]
fn four_workers_share_a_thousand_addresses_and_none_has_two_owners_or_is_lost() {
    let pool = Pool::new();
    let barrier = Barrier::new(usize::from(WORKERS));
    thread::scope(|scope| {
        for me in 0..WORKERS {
            let (pool, barrier) = (&pool, &barrier);
            scope.spawn(move || {
                let mut shard = Shard {
                    pool,
                    me: Worker(me),
                    random: 0x9e37_79b9_7f4a_7c15 ^ u64::from(me + 1),
                    mine: Vec::new(),
                    memories: Vec::new(),
                };
                barrier.wait();
                for _ in 0..STEPS {
                    shard.step();
                }
                while !shard.mine.is_empty() {
                    shard.give_up();
                }
            });
        }
    });
    let claims: u32 = pool
        .turns
        .iter()
        .map(|turns| turns.load(Ordering::Relaxed))
        .sum();
    assert!(claims > STEPS, "the workers did something");
    for index in 0..ADDRESSES {
        let generation = pool.cell(index).load().generation();
        let turns = pool.turns[index as usize].load(Ordering::Relaxed);
        assert_eq!(
            Some(generation),
            Generation::new(turns.into()),
            "address {index}"
        );
    }
    let state = |index: u32| pool.cell(index).load().state();
    let mut free: Vec<_> = std::iter::from_fn(|| pool.hints.take_free(0)).collect();
    let mut remembered: Vec<_> = std::iter::from_fn(|| pool.hints.take_reclaimable(0)).collect();
    free.retain(|&index| state(index) == AddressState::Free);
    remembered.retain(|&index| state(index) == AddressState::Remembered);
    assert_eq!(free.len() + remembered.len(), ADDRESSES as usize);
    assert_eq!((pool.hints.free(), pool.hints.reclaimable()), (0, 0));
}
