//! Model check of the address words together with the hints, over the transition table: loom runs
//! two or three workers in every order, and with every old value a load may return, up to a bound
//! of preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p dhcp-proto --test model --release`
//!
//! In every run:
//!
//! * an address is held or bound by one worker at a time, and its next owner sees all that the
//!   one before did;
//! * each claim and each forgetting has a generation of its own, so who acts on an old word fails;
//! * a reservation that comes or goes beside them leaves no hint, or the right one;
//! * at rest, a free address is found by `take_free`, a remembered one by `take_reclaimable`, and
//!   the counts are the numbers of bits.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a test fails by panic")]
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "loom runs its threads on one of the machine's, and wants them to share all the same"
)]

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use dhcp_proto::address::AddressState::{self, Bound, Free, Held, Remembered, SetAside};
use dhcp_proto::address::{Cell, Claim, Directory, Generation, Hint, Hints, Space, Word, Worker};
use loom::cell::{MutPtr, UnsafeCell};
use loom::model::Builder;
use loom::thread;

/// The addresses of the pool, by index; those between them are excluded. The two are in different
/// words of the bitmap, so that its summary is walked, too.
const INDICES: [u32; 2] = [0, 64];
const LEN: u32 = 65;

/// How a worker comes to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// It has it when the run begins.
    Owning,
    /// By a hint, free ones first.
    Hint,
    /// The client asks for the first address.
    Address,
    /// Its client comes back to the first address, which the worker remembers for it.
    Memory,
}

/// What a worker does in a run.
#[derive(Clone, Copy, Debug)]
enum Life {
    /// Comes by an address, and takes it through these states.
    Use(By, Claim, &'static [AddressState]),
    /// Sweeps the first address, which it remembers.
    Forget,
    /// Takes a hint, free ones first, and does not want the address.
    Refuse,
}

/// An address as the model sees it.
struct Address {
    index: u32,
    cell: Cell,
    /// Written by who holds the address; loom complains of two at once, and of one that does not
    /// see the other's end.
    witness: UnsafeCell<()>,
    /// The generation when the run began.
    before: u64,
    /// The generations of all claims and forgettings.
    generations: Mutex<Vec<Generation>>,
}

struct World {
    addresses: Vec<Address>,
    hints: Hints,
    /// The first address as it was when the run began.
    first: Word,
}

impl World {
    /// The first address in the state given, owned by worker 0; the second one, if there is one,
    /// free.
    fn new(count: usize, state: AddressState) -> Arc<Self> {
        let mut builder = Directory::builder(None);
        let (space, base) = (Space(0), Ipv4Addr::new(10, 0, 0, 0));
        builder.name(space, base);
        let directory = builder.build();
        let names = INDICES.into_iter().zip(directory.addresses()).take(count);
        let first = Word::new(state, Worker(0), Generation::new(7).unwrap());
        let owned = |index| {
            if index == INDICES[0] {
                first
            } else {
                Word::default()
            }
        };
        let addresses: Vec<_> = names
            .map(|(index, (_, _, cell))| Address {
                index,
                cell,
                witness: UnsafeCell::new(()),
                before: owned(index).generation().number(),
                generations: Mutex::default(),
            })
            .collect();
        addresses[0].cell.restore(first);
        let hints = Hints::new(LEN, |index| {
            let address = addresses.iter().find(|address| address.index == index);
            match address.map(|address| address.cell.load().state()) {
                Some(Free) => Hint::Free,
                Some(Remembered) => Hint::Reclaimable,
                Some(Held | Bound | SetAside) => Hint::None,
                None => Hint::Never,
            }
        });
        Arc::new(Self {
            addresses,
            hints,
            first,
        })
    }

    fn live(&self, me: Worker, life: Life) {
        let (by, claim, path) = match life {
            Life::Use(by, claim, path) => (by, claim, path),
            Life::Forget => return self.forget(),
            Life::Refuse => return self.refuse(),
        };
        let claimed = match by {
            By::Owning => Some((&self.addresses[0], self.first)),
            By::Hint => self.claim_by_hint(me, claim),
            By::Address => self.claim_first(me, claim, self.addresses[0].cell.load()),
            By::Memory => self.claim_first(me, claim, self.first),
        };
        if let Some((address, word)) = claimed {
            let held = address.witness.get_mut();
            self.walk(address, held, word, path);
        }
    }

    fn take_hint(&self) -> Option<&Address> {
        let free = self.hints.take_free(0);
        let taken = free.or_else(|| self.hints.take_reclaimable(0))?;
        self.addresses.iter().find(|address| address.index == taken)
    }

    fn claim_by_hint(&self, me: Worker, claim: Claim) -> Option<(&Address, Word)> {
        let address = self.take_hint()?;
        let won = address.claim(me, claim, address.cell.load());
        if won.is_none() {
            self.hints.settle(address.index, address.cell);
        }
        won.map(|word| (address, word))
    }

    fn refuse(&self) {
        if let Some(address) = self.take_hint() {
            self.hints.settle(address.index, address.cell);
        }
    }

    fn claim_first(&self, me: Worker, claim: Claim, seen: Word) -> Option<(&Address, Word)> {
        let address = &self.addresses[0];
        let word = address.claim(me, claim, seen)?;
        self.hints.drop_free(address.index);
        self.hints.drop_reclaimable(address.index);
        Some((address, word))
    }

    fn walk(&self, address: &Address, held: MutPtr<()>, mut word: Word, path: &[AddressState]) {
        let mut held = Some(held);
        for &state in path {
            if matches!(state, Free | Remembered) {
                held = None;
            }
            word = address.cell.advance(word, state).unwrap();
            match state {
                Free => self.hints.put_free(address.index),
                Remembered => self.hints.put_reclaimable(address.index),
                Held | Bound | SetAside => {}
            }
        }
        drop(held);
    }

    fn forget(&self) {
        let address = &self.addresses[0];
        self.hints.drop_reclaimable(address.index);
        if let Ok(word) = address.cell.forget(self.first) {
            address.generations.lock().unwrap().push(word.generation());
        }
        self.hints.settle(address.index, address.cell);
    }

    /// All workers have ended.
    fn check_at_rest(&self) {
        let drain =
            |take: &dyn Fn() -> Option<u32>| -> Vec<_> { std::iter::from_fn(take).collect() };
        let counts = [self.hints.free(), self.hints.reclaimable()];
        let free = drain(&|| self.hints.take_free(0));
        let remembered = drain(&|| self.hints.take_reclaimable(0));
        assert_eq!(
            counts.map(|count| count as usize),
            [free.len(), remembered.len()]
        );
        assert_eq!([self.hints.free(), self.hints.reclaimable()], [0, 0]);
        for address in &self.addresses {
            let word = address.cell.load();
            match word.state() {
                Free => assert!(free.contains(&address.index), "{word:?} is in no hint"),
                Remembered => assert!(
                    remembered.contains(&address.index),
                    "{word:?} is in no hint"
                ),
                Held | Bound | SetAside => {}
            }
            let mut generations = address.generations.lock().unwrap().clone();
            generations.sort_unstable();
            let last = word.generation().number();
            let all = (address.before + 1..=last).map(|number| Generation::new(number).unwrap());
            assert!(
                all.eq(generations),
                "each generation once, up to that of {word:?}"
            );
        }
    }
}

impl Address {
    fn claim(&self, me: Worker, claim: Claim, seen: Word) -> Option<Word> {
        let slot = 10 + u32::from(me.0);
        let word = self.cell.claim(seen, claim, me, slot).ok()?;
        assert_eq!(self.cell.slot(), slot);
        self.generations.lock().unwrap().push(word.generation());
        Some(word)
    }
}

/// Runs workers with these lives at once, worker 0 the first, in every order with so many
/// preemptions. The number of runs.
fn explore(
    preemptions: usize,
    addresses: usize,
    state: AddressState,
    workers: &[&[Life]],
) -> usize {
    let workers: Vec<_> = workers.iter().map(|lives| lives.to_vec()).collect();
    explore_in(preemptions, move || {
        let world = World::new(addresses, state);
        let work = |me, lives: Vec<Life>| {
            let world = Arc::clone(&world);
            move || {
                for life in lives {
                    world.live(Worker(me), life);
                }
            }
        };
        let mut work: Vec<_> = (0..)
            .zip(workers.clone())
            .map(|(me, lives)| work(me, lives))
            .collect();
        let last = work.pop().unwrap();
        let others: Vec<_> = work.into_iter().map(thread::spawn).collect();
        last();
        for other in others {
            other.join().unwrap();
        }
        world.check_at_rest();
    })
}

/// What control does to the hint of the first address while workers live: it is reserved, or its
/// reservation goes. Once beside them, and once more when they have passed a quiet point.
fn explore_reserving(reserve: bool, state: AddressState, worker: Life) -> usize {
    explore_in(3, move || {
        let world = World::new(1, state);
        let index = world.addresses[0].index;
        if !reserve {
            world.hints.close(index);
        }
        let change = |world: &World| {
            if reserve {
                world.hints.close(index);
            } else {
                world.hints.open(index, world.addresses[0].cell);
            }
        };
        let other = Arc::clone(&world);
        let worker = thread::spawn(move || other.live(Worker(0), worker));
        change(&world);
        worker.join().unwrap();
        change(&world);
        if reserve {
            assert_eq!([world.hints.free(), world.hints.reclaimable()], [0, 0]);
            assert_eq!(world.hints.take_free(0), None);
            assert_eq!(world.hints.take_reclaimable(0), None);
        } else {
            world.check_at_rest();
        }
    })
}

fn explore_in(preemptions: usize, run: impl Fn() + Send + Sync + 'static) -> usize {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        run();
    });
    runs.load(Ordering::Relaxed)
}

/// A check that walks few orders proves nothing.
fn assert_many(runs: usize) {
    assert!(runs > 100, "only {runs} runs");
}

fn uses(by: By) -> Vec<Life> {
    let paths: &[(Claim, &[AddressState])] = &[
        (Claim::Held, &[Free]),
        (Claim::Held, &[Remembered]),
        (Claim::Held, &[Bound, Remembered]),
        (Claim::Bound, &[Free]),
        (Claim::Bound, &[SetAside, Free]),
        (Claim::Held, &[SetAside]),
    ];
    paths
        .iter()
        .map(|&(claim, path)| Life::Use(by, claim, path))
        .collect()
}

fn newcomers() -> Vec<Life> {
    [uses(By::Hint), uses(By::Address), vec![Life::Refuse]].concat()
}

/// Every life of the one worker with every life of the other.
fn explore_pairs(state: AddressState, some: &[Life], others: &[Life]) {
    let pairs = some
        .iter()
        .flat_map(|&one| others.iter().map(move |&other| [one, other]));
    assert_many(
        pairs
            .map(|[one, other]| explore(3, 1, state, &[&[one], &[other]]))
            .sum(),
    );
}

/// Every two newcomers.
fn explore_newcomers(state: AddressState) {
    let mut lives = newcomers();
    let mut runs = 0;
    while let Some(&one) = lives.last() {
        runs += lives
            .iter()
            .map(|&other| explore(3, 1, state, &[&[one], &[other]]))
            .sum::<usize>();
        lives.pop();
    }
    assert_many(runs);
}

const BY_HINT: Life = Life::Use(By::Hint, Claim::Held, &[Free]);
const BY_ADDRESS: Life = Life::Use(By::Address, Claim::Held, &[Free]);
const LEASE: Life = Life::Use(By::Hint, Claim::Held, &[Bound, Remembered]);
const REQUEST: Life = Life::Use(By::Address, Claim::Bound, &[Remembered]);
const RETURN: Life = Life::Use(By::Memory, Claim::Bound, &[Remembered]);

const fn ends(path: &'static [AddressState]) -> Life {
    Life::Use(By::Owning, Claim::Held, path)
}

#[test]
fn a_reservation_comes_or_goes_while_its_address_is_used() {
    let mut runs = 0;
    for reserve in [true, false] {
        for state in [Free, Remembered] {
            let lives = [newcomers(), vec![RETURN, Life::Forget]].concat();
            let lives = lives.into_iter().filter(|life| match life {
                Life::Use(By::Memory, ..) | Life::Forget => state == Remembered,
                Life::Use(..) | Life::Refuse => true,
            });
            runs += lives
                .map(|life| explore_reserving(reserve, state, life))
                .sum::<usize>();
        }
        for (state, path) in [
            (Held, &[Free][..]),
            (Held, &[Remembered]),
            (Held, &[Bound, Remembered]),
            (Bound, &[Free]),
            (Bound, &[SetAside, Free]),
        ] {
            runs += explore_reserving(reserve, state, ends(path));
        }
    }
    assert_many(runs);
}

#[test]
fn two_newcomers_to_a_free_address() {
    explore_newcomers(Free);
}

#[test]
fn two_newcomers_steal_a_remembered_address() {
    explore_newcomers(Remembered);
}

#[test]
fn the_old_owner_takes_back_or_forgets_what_a_newcomer_steals() {
    let old_owner = [uses(By::Memory), vec![Life::Forget]].concat();
    explore_pairs(Remembered, &old_owner, &newcomers());
}

#[test]
fn a_hold_ends_while_a_newcomer_looks() {
    let ends = [
        ends(&[Free]),
        ends(&[Remembered]),
        ends(&[Bound, Free]),
        ends(&[SetAside, Free]),
    ];
    explore_pairs(Held, &ends, &newcomers());
}

#[test]
fn a_lease_or_a_probation_ends_while_a_newcomer_looks() {
    let lease_ends = [ends(&[Free]), ends(&[Remembered]), ends(&[SetAside, Free])];
    explore_pairs(Bound, &lease_ends, &newcomers());
    explore_pairs(SetAside, &[ends(&[Free])], &newcomers());
}

#[test]
fn a_client_returns_after_theft_release_and_theft() {
    let thief = [LEASE, REQUEST];
    assert_many(explore(3, 1, Remembered, &[&[RETURN, RETURN], &thief]));
    assert_many(explore(
        3,
        1,
        Remembered,
        &[&[Life::Forget, RETURN], &thief],
    ));
}

#[test]
fn one_gives_up_what_two_want() {
    let mut runs = 0;
    for end in [ends(&[Free]), ends(&[Remembered])] {
        for others in [[BY_HINT, BY_HINT], [BY_HINT, BY_ADDRESS], [LEASE, REQUEST]] {
            runs += explore(2, 1, Bound, &[&[end], &[others[0]], &[others[1]]]);
        }
    }
    assert_many(runs);
}

#[test]
fn one_remembers_what_two_want() {
    let mut runs = 0;
    for old_owner in [RETURN, Life::Forget] {
        for others in [[BY_HINT, BY_ADDRESS], [LEASE, REQUEST]] {
            runs += explore(
                2,
                1,
                Remembered,
                &[&[old_owner], &[others[0]], &[others[1]]],
            );
        }
    }
    assert_many(runs);
}

#[test]
fn two_workers_come_and_go_at_two_addresses() {
    let mut runs = 0;
    for state in [Free, Remembered] {
        runs += explore(3, 2, state, &[&[BY_HINT, BY_HINT], &[BY_HINT]]);
        runs += explore(3, 2, state, &[&[BY_HINT, BY_ADDRESS], &[LEASE]]);
        runs += explore(3, 2, state, &[&[LEASE], &[REQUEST, BY_HINT]]);
    }
    assert_many(runs);
}

/// Bits far apart in a bitmap of three levels, taken and put by two or three workers.
fn explore_summaries(
    preemptions: usize,
    workers: &'static [&'static [u32]],
    taken: &[u32],
) -> usize {
    let hinted = taken.to_vec();
    explore_in(preemptions, move || {
        let hint = |index| {
            if hinted.contains(&index) {
                Hint::Free
            } else {
                Hint::None
            }
        };
        let hints = Arc::new(Hints::new(4097, hint));
        let work = |indices: &'static [u32]| {
            let hints = Arc::clone(&hints);
            move || {
                let taken = hints.take_free(0);
                for &index in indices {
                    hints.put_free(index);
                }
                taken
            }
        };
        let others: Vec<_> = workers[1..]
            .iter()
            .map(|indices| thread::spawn(work(indices)))
            .collect();
        let mut taken = vec![work(workers[0])()];
        taken.extend(others.into_iter().map(|other| other.join().unwrap()));
        let mut left = hinted.clone();
        left.extend(workers.concat());
        for index in taken.into_iter().flatten() {
            // Taken once for each time it was put.
            let at = left.iter().position(|&one| one == index).unwrap();
            left.swap_remove(at);
        }
        left.sort_unstable();
        assert_eq!(hints.free() as usize, left.len());
        let found: Vec<_> = std::iter::from_fn(|| hints.take_free(0)).collect();
        assert_eq!(found, left);
        assert_eq!(hints.free(), 0);
    })
}

#[test]
fn no_bit_is_lost_below_its_summaries() {
    assert_many(explore_summaries(3, &[&[1], &[2]], &[0]));
    assert_many(explore_summaries(3, &[&[64], &[4096]], &[0]));
    assert_many(explore_summaries(3, &[&[1, 4096], &[]], &[0, 64]));
    assert_many(explore_summaries(1, &[&[1], &[64], &[]], &[0]));
}
