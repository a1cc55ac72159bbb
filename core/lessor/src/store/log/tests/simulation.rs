//! Seeded rounds of a server's whole life on the simulated disk: shards that write through their
//! rings, a housekeeper, faults, power cuts, and other numbers of shards.
//!
//! `LESSOR_ROUNDS` says how many rounds, `LESSOR_SEED` which one is the first.

use super::merging::Kept;
use super::power::Dice;
use super::restored::{self, FIRST};
use super::*;
use crate::store::Store as _;
use crate::store::batch::Batch;
use crate::store::log::house::Step;
use crate::store::log::repair::repair_on;
use crate::store::log::verify::report;
use crate::store::medium::memory::{Faults, SECTOR};
use crate::store::ring::{Drain, JournalRing, ring};
use dhcp_proto::record::Journal as _;
use std::collections::VecDeque;

const ADDRESSES: u64 = 300;
const CLIENTS: u64 = 200;
const ROUNDS: u64 = 1000;

/// What an address's word says: who has it, under which generation, and in which state.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    client: u8,
    generation: u64,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Free,
    Bound,
    Remembered,
}

/// One life of the server: its shards write, its clients are told.
struct Server {
    words: BTreeMap<u32, Word>,
    rings: Vec<(JournalRing, Drain)>,
    /// What each ring has been given and no batch has taken yet.
    waiting: Vec<VecDeque<Told>>,
    now: u64,
}

/// What clients were told, over all lives.
#[derive(Default)]
struct Truth {
    /// The newest acknowledged statement about each address, with its number.
    acked: BTreeMap<u32, (Told, Lsn)>,
    /// Everything that was ever said.
    said: BTreeMap<u32, Vec<Told>>,
}

impl Server {
    /// A server of `shards` shards that starts with what the store knows.
    fn start(known: &Known, shards: usize, now: u64) -> Self {
        let word = |told: &Told| Word {
            client: told.client,
            generation: told.generation,
            state: if told.kind == RecordKind::Active {
                State::Bound
            } else {
                State::Remembered
            },
        };
        let words = known.iter().map(|(addr, (told, _))| (*addr, word(told)));
        Self {
            words: words.collect(),
            rings: (0..shards).map(|_| ring(512)).collect(),
            waiting: vec![VecDeque::new(); shards],
            now,
        }
    }

    fn shard(&self, client: u8) -> usize {
        ((usize::from(client) * 2_654_435_761) >> 7) % self.rings.len()
    }

    fn write(&mut self, told: Told, truth: &mut Truth) {
        let shard = self.shard(told.client);
        let ring = &mut self.rings[shard].0;
        if ring.has_room() {
            with_record(told, |record| ring.append(record));
            self.waiting[shard].push_back(told);
            truth.said.entry(told.addr).or_default().push(told);
        }
    }

    /// A message of some client: a renewal, a release, or a new lease, of a remembered address of
    /// somebody else too.
    fn message(&mut self, dice: &mut Dice, truth: &mut Truth) {
        let addr = FIRST.to_bits() + u32::try_from(dice.roll(ADDRESSES)).unwrap();
        let word = self.words.entry(addr).or_default();
        self.now += 1 + dice.roll(3);
        let kind = match word.state {
            State::Bound if dice.roll(6) == 0 => {
                word.state = State::Remembered;
                RecordKind::Released
            }
            State::Bound => RecordKind::Active,
            State::Free | State::Remembered => {
                *word = Word {
                    client: u8::try_from(dice.roll(CLIENTS)).unwrap(),
                    generation: word.generation + 1,
                    state: State::Bound,
                };
                RecordKind::Active
            }
        };
        let told = Told {
            addr,
            generation: word.generation,
            kind,
            client: word.client,
            expiry: self.now + LEASE,
        };
        self.write(told, truth);
    }

    /// A batch of what is in the rings, which are asked in some order and not always to their end.
    fn batch(&mut self, first: Lsn, dice: &mut Dice) -> (Batch, Vec<Told>) {
        let mut batch = Batch::new(first);
        let mut told = Vec::new();
        let shards = self.rings.len();
        let turn = usize::try_from(dice.roll(8)).unwrap();
        for i in 0..shards {
            let shard = (turn + i) % shards;
            let most = usize::try_from(dice.roll(60)).unwrap();
            let taken = self.rings[shard].1.take(shard, &mut batch, most);
            told.extend(self.waiting[shard].drain(..taken));
        }
        (batch, told)
    }
}

impl Truth {
    fn acked(&mut self, first: Lsn, told: &[Told]) {
        for (lsn, told) in (first.0..).map(Lsn).zip(told) {
            let newest = self.acked.entry(told.addr).or_insert((*told, lsn));
            if (told.generation, lsn) >= (newest.0.generation, newest.1) {
                *newest = (*told, lsn);
            }
        }
    }

    /// Nothing acknowledged is missing or older, nothing found was never said.
    fn check(&mut self, known: &Known, why: &str) {
        for (addr, (acked, lsn)) in &self.acked {
            let Some((found, at)) = known.get(addr) else {
                panic!("{why}: {addr} is lost");
            };
            assert!(
                (found.generation, at) >= (acked.generation, lsn),
                "{why}: {addr} is older: {found:?} at {at}, {acked:?} at {lsn}"
            );
            if at == lsn {
                assert_eq!(found, acked, "{why}: {addr}");
            }
        }
        for (addr, (found, _)) in known {
            assert!(
                self.said[addr].contains(found),
                "{why}: {addr} was never said"
            );
        }
        // What is found is what this server tells its clients from now on.
        self.acked.clone_from(known);
    }
}

/// What a round has gone through.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    acked: u64,
    merges: u64,
    snapshots: u64,
    torn: u64,
    troubles: u64,
    repairs: u64,
}

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self {
            acked: self.acked + other.acked,
            merges: self.merges + other.merges,
            snapshots: self.snapshots + other.snapshots,
            torn: self.torn + other.torn,
            troubles: self.troubles + other.troubles,
            repairs: self.repairs + other.repairs,
        }
    }

    /// What the simulation is for has happened often enough to speak of.
    fn is_rich(self, rounds: u64) -> bool {
        let least = [
            self.merges,
            self.snapshots * 2,
            self.torn * 20,
            self.troubles,
            self.repairs * 4,
        ];
        least.iter().all(|count| *count >= rounds)
    }
}

fn faults(dice: &mut Dice) -> Faults {
    let mut one_in = |n| usize::from(dice.roll(n) == 0);
    Faults {
        writes: one_in(12),
        syncs: one_in(12),
        dir_syncs: one_in(12),
        creates: one_in(12),
        reads: one_in(16),
        ..Faults::default()
    }
}

/// One life: until a fault that is not got over, the end of the power, or a stop in order.
fn live(store: &mut Kept, server: &mut Server, truth: &mut Truth, dice: &mut Dice) -> Tally {
    let mut tally = Tally::default();
    let troubled = dice.roll(3) == 0;
    for _ in 0..dice.roll(40) {
        for _ in 0..dice.roll(80) {
            server.message(dice, truth);
        }
        if troubled {
            store.medium.fail(faults(dice));
        }
        let (batch, told) = server.batch(store.log.next_lsn(), dice);
        let first = batch.first();
        if batch.count() == 0 {
            continue;
        }
        store.log.submit(batch);
        let mut done = store.log.completed().is_some();
        tally.troubles += u64::from(!done);
        for _ in 0..dice.roll(6) {
            store.house.retry_now();
            store.house.step();
            if !done {
                store.log.retry_now();
                done = store.log.completed().is_some();
            }
        }
        tally.merges = store.view().merges;
        if !done {
            return tally;
        }
        tally.acked += told.len() as u64;
        truth.acked(first, &told);
        if dice.roll(20) == 0 {
            store.house.look_around();
        }
    }
    tally
}

/// Ends a life, and leaves what the next process finds.
fn end(mut store: Kept, dice: &mut Dice) -> MemoryMedium {
    let medium = store.medium.clone();
    if dice.roll(4) == 0 {
        medium.fail(Faults::default());
        // Power may go in the middle of it.
        if dice.toss() {
            let after = usize::try_from(dice.roll(30)).unwrap();
            medium.fail(Faults {
                power_after: Some(after),
                ..Faults::default()
            });
        }
        let _closed = store.log.close();
        for _ in 0..10_000 {
            if store.house.step() == Step::Ended {
                break;
            }
        }
    }
    drop(store);
    match dice.roll(3) {
        0 => medium.after_kill(),
        1 => medium.after_power_cut(|| dice.toss()),
        _ => medium.after_torn_power_cut(|| match dice.roll(3) {
            0 => 0,
            1 => SECTOR,
            _ => usize::try_from(dice.roll(SECTOR as u64)).unwrap(),
        }),
    }
}

/// Damage to a record that counts is refused, wherever it is.
fn damage(disk: &MemoryMedium, dice: &mut Dice, why: &str) -> bool {
    let disk = disk.after_kill();
    let (recovered, log) = Log::open_on(disk.clone(), LogOptions::default()).unwrap();
    let places = recovered.places();
    drop((recovered, log));
    let Some((file, offset, _, addr)) =
        places.get(usize::try_from(dice.roll(places.len() as u64 + 1)).unwrap())
    else {
        return false;
    };
    // The last batch may be torn, all others are vouched for.
    let before = reopened(&disk);
    let at = offset + usize::try_from(dice.roll(60)).unwrap();
    disk.alter(file, |octets| octets[at] ^= 0x55);
    match Log::open_on(disk.clone(), LogOptions::default()) {
        Err(StoreError::Damaged { .. }) => {
            assert!(!report(&disk).unwrap().faults.is_empty(), "{why}");
            repair(disk, dice, (&before, *addr, why));
            true
        }
        Err(error) => panic!("{why}: {error}"),
        // Of a segment in front of the snapshot the second reading finds it.
        Ok((recovered, log)) => {
            let torn = recovered.summary().torn.is_some();
            let read = recovered.for_each_newest(|_, _| {});
            assert!(torn || read.is_err(), "{why}: {file} at {at}");
            if !torn {
                drop((recovered, log));
                repair(disk, dice, (&before, *addr, why));
            }
            !torn
        }
    }
}

/// A repair in which the power goes now and then loses the damaged record and no other.
fn repair(mut disk: MemoryMedium, dice: &mut Dice, (before, addr, why): (&Known, u32, &str)) {
    for _ in 0..dice.roll(4) {
        let after = usize::try_from(dice.roll(40)).unwrap();
        disk.fail(Faults {
            power_after: Some(after),
            ..Faults::default()
        });
        let _cut = repair_on(&disk);
        disk = disk.after_power_cut(|| dice.toss());
    }
    disk.fail(Faults::default());
    repair_on(&disk).unwrap();
    let mut after = reopened(&disk);
    let mut before = before.clone();
    after.remove(&addr);
    before.remove(&addr);
    assert_eq!(after, before, "{why}");
}

fn round(seed: u64) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice::new(seed);
    let mut disk = MemoryMedium::default();
    let mut truth = Truth::default();
    let mut now = 1_800_000_000;
    for life in 0..2 + dice.roll(6) {
        let shards = usize::try_from(1 + dice.roll(4)).unwrap();
        let why = format!("seed {seed} life {life}");
        if dice.roll(3) > 0 {
            let after = usize::try_from(dice.roll(150)).unwrap();
            disk.fail(Faults {
                power_after: Some(after),
                ..Faults::default()
            });
        }
        if dice.roll(6) == 0 {
            let more = usize::try_from(dice.roll(200)).unwrap() * 4096;
            disk.set_capacity(disk.used() + more + 8192);
        } else {
            disk.set_capacity(0);
        }
        let options = LogOptions {
            segment_octets: 4096 * (2 + dice.roll(20)),
            slice_octets: 4096 * usize::try_from(1 + dice.roll(4)).unwrap(),
        };
        match Log::open_on(disk.clone(), options) {
            Ok((recovered, log)) => {
                let known = known(&recovered);
                truth.check(&known, &why);
                tally.torn += u64::from(recovered.summary().torn.is_some());
                tally.snapshots += u64::from(recovered.summary().snapshot > Lsn(0));
                let mut store = Kept::of(disk.clone(), log, recovered);
                let mut server = Server::start(&known, shards, now);
                tally = tally.plus(live(&mut store, &mut server, &mut truth, &mut dice));
                now = server.now;
                disk = end(store, &mut dice);
            }
            // Without power or room before the store is open, nobody is told anything.
            Err(StoreError::Damaged { .. } | StoreError::ForeignSnapshot { .. }) => {
                panic!("{why}: refused after an ordinary cut")
            }
            Err(_) => disk = disk.after_power_cut(|| dice.toss()),
        }
    }
    let disk = disk.after_kill();
    disk.set_capacity(0);
    let why = format!("seed {seed}");
    truth.check(&reopened(&disk), &why);
    drop(open(&disk).unwrap());
    let report = report(&disk).unwrap();
    assert_eq!(report.faults, [], "{why}");
    // Tables for tests are never given back.
    if seed.is_multiple_of(4) {
        let (recovered, _log) = open(&disk.after_kill()).unwrap();
        let known = known(&recovered);
        for workers in [1, 2, 3] {
            let size = (workers, u32::try_from(ADDRESSES).unwrap(), now);
            restored::check(&recovered, &known, size, &why);
        }
    }
    tally.repairs += u64::from(damage(&disk, &mut dice, &why));
    tally
}

fn number(name: &str, usual: u64) -> u64 {
    let told = std::env::var(name).ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

#[test]
fn what_was_acknowledged_is_there_whatever_happens() {
    let first = number("LESSOR_SEED", 1);
    let rounds = number("LESSOR_ROUNDS", ROUNDS);
    let mut tally = Tally::default();
    for seed in first..first + rounds {
        let Ok(told) = std::panic::catch_unwind(|| round(seed)) else {
            panic!("LESSOR_SEED={seed} LESSOR_ROUNDS=1 repeats it");
        };
        tally = tally.plus(told);
    }
    eprintln!("{rounds} rounds: {tally:?}");
    assert!(rounds < 100 || tally.is_rich(rounds), "{tally:?}");
}
