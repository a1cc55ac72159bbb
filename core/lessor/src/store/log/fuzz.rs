//! A whole store directory as hostile input: for the fuzzer, and for the tests that run its corpus.
//!
//! ```text
//!   octets ──► a program: commits, merges, snapshots, stops, power cuts ──► a sound store
//!          └─► damage to its files, checksums mended or not ─────────────► a hostile one
//!                     │
//!                     ▼ verify, read, open, more commits and merges, stop, open again
//! ```
//!
//! Random octets never get past a checksum, so most of the damage mends the checksums behind
//! itself: then hostile numbers reach the code that has to bear them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a harness of tests")]

mod damage;
pub(super) mod disk;
mod input;
mod program;

use super::chain::segment_files;
use super::house::{Housekeeper, Step};
use super::index::Entry;
use super::look::read_once;
use super::recovery::Recovered;
use super::verify::report;
use super::{Log, LogOptions};
use crate::store::batch::Batch;
use crate::store::encode::{self, Lsn, MAX_RECORD};
use crate::store::medium::memory::MemoryMedium;
use crate::store::{Store as _, StoreError};
use dhcp_proto::record::{Record, RecordKind};
use input::Input;
use program::{Statement, statement};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a record speaks about: space, address, and the identity if it is a reservation.
type Subject = (u16, u32, Option<Vec<u8>>);
/// What a store says of each subject; nothing of reservations that are gone.
type Known = BTreeMap<Subject, (Lsn, Vec<u8>)>;

/// Makes a store of `data` and asks for all that must hold of any directory: nothing panics or
/// runs for ever, what opens is verified without fault, reads as it was, and takes more.
pub fn store(data: &[u8]) {
    let mut input = Input::new(data);
    let options = LogOptions {
        segment_octets: 4096 * (2 + u64::from(input.octet() % 8)),
        slice_octets: 4096 * (1 + usize::from(input.octet() % 3)),
    };
    let disk = program::run(&mut input, options);
    check(&disk, options);
}

fn check(disk: &MemoryMedium, options: LogOptions) {
    let before = report(&disk.after_kill());
    let read = read_once(&Arc::new(disk.after_kill())).and_then(|recovered| known(&recovered));
    let disk = disk.after_kill();
    let opened = Log::open_on(disk.clone(), options)
        .and_then(|(recovered, log)| Ok((known(&recovered)?, recovered, log)));
    let (known, recovered, log) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            assert!(read.is_err(), "refused to open what can be read: {error}");
            return;
        }
    };
    match (read, before) {
        (Ok(read), Ok(before)) => {
            assert_eq!(read, known, "read and opened differ");
            assert_eq!(before.faults, [], "opened what is damaged");
            // A forged record behind a snapshot that is proven: verifying finds it, a start does not.
            if before.is_sound() {
                assert_eq!(records(&recovered), known, "not the newest of its records");
            }
        }
        (Err(StoreError::NoStore { .. }), Err(StoreError::NoStore { .. })) => {
            assert!(known.is_empty());
        }
        (read, before) => panic!("opened, but {:?}, {before:?}", read.err()),
    }
    // No store comes near these; what opens just in front of the limit is refused behind it.
    let newest = segment_files(&disk)
        .unwrap()
        .last()
        .map_or(0, |file| file.id);
    if newest.max(log.next_lsn().0) < 1 << 63 {
        live(&disk, (log, recovered), known, options);
    }
}

/// What `recovered` hands out.
fn known(recovered: &Recovered<MemoryMedium>) -> Result<Known, StoreError> {
    let mut known = Known::new();
    let mut last = Lsn(0);
    recovered.for_each_newest(|lsn, record| {
        assert!(lsn > last, "records come in the order of the log");
        last = lsn;
        if record.kind != RecordKind::ReservationRemoved {
            let twice = known.insert(subject(record), (lsn, octets(record)));
            assert_eq!(twice, None, "one record an address");
        }
    })?;
    Ok(known)
}

/// The same, told from all records without an index.
fn records(recovered: &Recovered<MemoryMedium>) -> Known {
    let mut newest = BTreeMap::new();
    recovered.each_record(|lsn, record| {
        let rank = match record.kind {
            RecordKind::Time => return,
            RecordKind::ReservationAdded | RecordKind::ReservationRemoved => (0, lsn),
            RecordKind::Active
            | RecordKind::Released
            | RecordKind::Ended
            | RecordKind::Declined
            | RecordKind::SetAside
            | RecordKind::ProbationEnded => {
                (Entry::new(record.generation, lsn, 0).generation(), lsn)
            }
        };
        let this = (rank, record.kind, octets(record));
        let entry = newest
            .entry(subject(record))
            .or_insert_with(|| this.clone());
        if rank > entry.0 {
            *entry = this;
        }
    });
    let standing = newest
        .into_iter()
        .filter(|(_, (_, kind, _))| *kind != RecordKind::ReservationRemoved);
    standing
        .map(|(subject, ((_, lsn), _, octets))| (subject, (lsn, octets)))
        .collect()
}

fn subject(record: &Record<'_>) -> Subject {
    let reservation = matches!(
        record.kind,
        RecordKind::ReservationAdded | RecordKind::ReservationRemoved
    );
    let identity = reservation.then(|| record.identity.to_vec());
    (record.space, record.addr.to_bits(), identity)
}

fn octets(record: &Record<'_>) -> Vec<u8> {
    let mut octets = [0; MAX_RECORD];
    let length = encode::encode(record, &mut octets).unwrap();
    octets[..length].to_vec()
}

/// A store that was opened takes records, merges, ends in order, and has all of it twice over.
fn live(
    disk: &MemoryMedium,
    (mut log, recovered): (Log<MemoryMedium>, Recovered<MemoryMedium>),
    mut known: Known,
    options: LogOptions,
) {
    let space = (0..=u16::MAX).find(|space| known.keys().all(|(used, ..)| used != space));
    let space = space.unwrap();
    let mut house = log.housekeeper(recovered);
    settled(disk, &log, &mut house, options);
    for generation in 1..=4 {
        for addr in [0, 9, 18] {
            let batch: Vec<_> = (addr..addr + 9)
                .map(|addr| Statement {
                    space,
                    addr,
                    generation,
                    ..Statement::default()
                })
                .collect();
            known.extend(commit(&mut log, &batch));
            house.step();
        }
    }
    settled(disk, &log, &mut house, options);
    log.close().unwrap();
    rest(&mut house);
    assert_eq!(log.house_meter().view().trouble, None);
    drop((log, house));
    for disk in [disk.after_power_cut(|| false), disk.after_kill()] {
        let report = report(&disk).unwrap();
        let is_sound = report.is_sound();
        assert_eq!((report.faults, report.torn_tail), (vec![], None));
        for _ in 0..2 {
            let (recovered, _log) = Log::open_on(disk.clone(), options).unwrap();
            assert_eq!(self::known(&recovered).unwrap(), known, "other records");
            if is_sound {
                assert_eq!(records(&recovered), known, "not the newest of its records");
            }
        }
    }
}

/// Commits a batch, and says what is to be found of it.
fn commit(log: &mut Log<MemoryMedium>, batch: &[Statement]) -> Known {
    let mut octets = Batch::new(log.next_lsn());
    let mut known = Known::new();
    for told in batch {
        let lsn = octets.next();
        statement(*told, |record| {
            known.insert(subject(record), (lsn, self::octets(record)));
            octets.push(&self::octets(record), &[]);
        });
    }
    log.submit(octets);
    assert!(log.completed().is_some(), "{:?}", log.trouble());
    known
}

/// The housekeeper comes to rest without trouble, and a snapshot that it has written is one that
/// the next start uses.
fn settled(
    disk: &MemoryMedium,
    log: &Log<MemoryMedium>,
    house: &mut Housekeeper<MemoryMedium>,
    options: LogOptions,
) {
    rest(house);
    let view = log.house_meter().view();
    assert_eq!(view.trouble, None);
    if view.snapshot_octets > 0 {
        let (recovered, _log) = Log::open_on(disk.after_kill(), options).unwrap();
        let used = recovered.summary().snapshot.0;
        assert_eq!(used, view.snapshot_lsn, "a snapshot of no use");
    }
}

/// Steps until there is nothing more to do.
fn rest(house: &mut Housekeeper<MemoryMedium>) {
    for _ in 0..10_000 {
        match house.step() {
            Step::Worked | Step::Yielded => {}
            Step::Idle | Step::Ended => return,
        }
    }
    panic!("the housekeeper never rests");
}
