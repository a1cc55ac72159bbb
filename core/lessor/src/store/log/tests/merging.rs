//! The housekeeper, driven step by step on the simulated disk.

use super::*;
use crate::store::Store as _;
use crate::store::crc32c;
use crate::store::log::HouseView;
use crate::store::log::house::{Housekeeper, Step};
use crate::store::log::verify::report;
use crate::store::medium::Medium as _;
use crate::store::medium::memory::Faults;

const BLOCK: usize = 4096;

/// The record that comes n-th.
type Load<'l> = &'l dyn Fn(u32) -> Told;

pub(super) fn options(blocks: u64) -> LogOptions {
    LogOptions {
        segment_octets: blocks * BLOCK as u64,
        slice_octets: 2 * BLOCK,
    }
}

/// A log and its housekeeper, which runs when it is told to.
pub(super) struct Kept {
    pub(super) medium: MemoryMedium,
    pub(super) log: Log<MemoryMedium>,
    pub(super) house: Housekeeper<MemoryMedium>,
}

impl Kept {
    pub(super) fn open(medium: &MemoryMedium, options: LogOptions) -> Self {
        let (recovered, log) = Log::open_on(medium.clone(), options).unwrap();
        Self::of(medium.clone(), log, recovered)
    }

    pub(super) fn of(
        medium: MemoryMedium,
        mut log: Log<MemoryMedium>,
        recovered: Recovered<MemoryMedium>,
    ) -> Self {
        let house = log.housekeeper(recovered);
        Self { medium, log, house }
    }

    pub(super) fn view(&self) -> HouseView {
        self.log.house_meter().view()
    }

    /// Steps until there is nothing more to do.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            match self.house.step() {
                Step::Worked | Step::Yielded => {}
                Step::Idle | Step::Ended => return,
            }
        }
        panic!("the housekeeper never rests");
    }

    /// Ends the log in order, snapshot and all.
    pub(super) fn close(mut self) {
        self.log.close().unwrap();
        self.settle();
    }
}

/// Commits `told` in batches of `size`, the housekeeper working in between.
fn fill(store: &mut Kept, told: impl IntoIterator<Item = Told>, size: usize) {
    let told: Vec<_> = told.into_iter().collect();
    for batch in told.chunks(size) {
        assert!(commit(&mut store.log, batch), "{:?}", store.log.trouble());
        store.house.step();
    }
}

fn sound(medium: &MemoryMedium) {
    let report = report(medium).unwrap();
    assert_eq!((report.faults, report.torn_tail), (vec![], None));
}

fn snapshots(medium: &MemoryMedium) -> bool {
    medium.list().unwrap().iter().any(|name| name == "snapshot")
}

#[test]
fn what_is_merged_is_read_as_what_was_written() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(8));
    for generation in 1..=60 {
        fill(&mut store, (0..100).map(|a| active(a, generation, 1)), 20);
    }
    fill(&mut store, [released(7, 60, 1), active(8, 61, 9)], 1);
    store.settle();
    let view = store.view();
    assert!(view.merges > 3, "{view:?}");
    assert_eq!(view.addresses, 100);
    let files = medium.segments();
    assert!(files.iter().any(|name| name.starts_with("merged-")));
    sound(&medium);
    for disk in [medium.after_kill(), medium.after_power_cut(|| false)] {
        let known = reopened(&disk);
        assert_eq!(known.len(), 100);
        for (addr, (told, _)) in known {
            let expected = match addr {
                7 => released(7, 60, 1),
                8 => active(8, 61, 9),
                addr => active(addr, 60, 1),
            };
            assert_eq!(told, expected);
        }
    }
}

/// Renewals, new clients, and both; large batches and single records.
#[test]
fn octets_on_disk_are_bound_by_twice_what_lives_and_four_segments() {
    let blocks = 32;
    let segment = usize::try_from(blocks).unwrap() * BLOCK;
    let renewals = |n: u32| active(n * 7919 % 2000, u64::from(n), 1);
    let newcomers = |n: u32| active(n, 1, 2);
    let both = |n: u32| match n % 3 {
        0 => active(10_000 + n, 1, 3),
        _ => active(n * 31 % 700, u64::from(n), 4),
    };
    let few = |n: u32| active(n % 3, u64::from(n), 5);
    for (load, size) in [
        (&renewals as Load<'_>, 100),
        (&renewals, 1),
        (&newcomers, 64),
        (&both, 40),
        (&few, 1),
        (&few, 200),
    ] {
        let medium = MemoryMedium::default();
        let mut store = Kept::open(&medium, options(blocks));
        let mut live = std::collections::BTreeSet::new();
        for n in 0..4000_u32 {
            let batch: Vec<_> = (0..size).map(|i| load(n * size + i)).collect();
            if n * size > 60_000 {
                break;
            }
            live.extend(batch.iter().map(|told| told.addr));
            assert!(commit(&mut store.log, &batch));
            // A housekeeper has at least as many steps as there are blocks.
            for _ in 0..4 + batch.len() * 120 / BLOCK {
                store.house.step();
            }
            if n % 16 == 0 {
                store.settle();
                let live = live.len() * 94;
                let most = 2 * live + 4 * segment;
                assert!(medium.used() <= most, "{} > {most} at {n}", medium.used());
            }
        }
        store.settle();
        sound(&medium);
        assert_eq!(reopened(&medium).len(), live.len());
    }
}

#[test]
fn a_stop_in_order_leaves_a_snapshot_and_the_next_start_reads_the_rest_once() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(8));
    fill(&mut store, (0..500).map(|a| active(a, 1, 1)), 50);
    fill(&mut store, (0..500).map(|a| active(a, 2, 1)), 50);
    let expected = store.log.next_lsn();
    store.close();
    assert!(snapshots(&medium));
    let (recovered, log) = Log::open_on(medium.after_kill(), options(8)).unwrap();
    assert_eq!(log.next_lsn(), expected);
    let summary = recovered.summary();
    assert_eq!(summary.snapshot, expected.before());
    assert_eq!((summary.addresses, summary.highest_generation), (500, 2));
    assert_eq!(summary.newest_time, 1_800_000_002);
    // Of the segments in front of the last one nothing was read yet.
    assert!(summary.records <= 100, "{summary:?}");
    assert_eq!(known(&recovered).len(), 500);
    // What comes behind the snapshot counts.
    let mut store = Kept::open(&medium, options(8));
    fill(&mut store, [active(3, 3, 9), active(777, 1, 9)], 1);
    let known = reopened(&medium.after_power_cut(|| false));
    assert_eq!(known.len(), 501);
    assert_eq!(known[&3].0, active(3, 3, 9));
}

#[test]
fn a_long_log_gets_a_snapshot_while_it_runs_and_merges_do_not_spoil_it() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    for generation in 1..=40 {
        fill(&mut store, (0..60).map(|a| active(a, generation, 1)), 12);
        store.settle();
    }
    let view = store.view();
    assert!(
        view.snapshot_lsn > 0 && view.snapshot_octets > 0,
        "{view:?}"
    );
    let lsn = view.snapshot_lsn;
    // Merges go on behind the snapshot's back.
    for generation in 41..=43 {
        fill(&mut store, (0..60).map(|a| active(a, generation, 1)), 12);
    }
    while store.house.step() == Step::Worked && store.view().snapshot_lsn == lsn {}
    let (recovered, _log) = Log::open_on(medium.after_kill(), options(4)).unwrap();
    assert!(recovered.summary().snapshot >= Lsn(lsn));
    let known = known(&recovered);
    assert!(known.values().all(|(told, _)| told.generation == 43));
}

#[test]
fn a_damaged_snapshot_is_ignored_and_the_segments_are_read() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(8));
    fill(&mut store, (0..300).map(|a| active(a, 1, 1)), 30);
    store.close();
    let length = medium.content("snapshot").len();
    for at in (0..length).step_by(37) {
        let disk = medium.after_kill();
        disk.alter("snapshot", |octets| octets[at] ^= 0x10);
        let (recovered, _log) = open(&disk).unwrap();
        assert_eq!(recovered.summary().snapshot, Lsn(0), "octet {at}");
        assert_eq!(known(&recovered).len(), 300);
    }
}

/// A newer snapshot beside older segments, and one of another store.
#[test]
fn a_snapshot_of_other_segments_is_ignored() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(8));
    fill(&mut store, (0..50).map(|a| active(a, 1, 1)), 10);
    let old = medium.after_kill();
    fill(&mut store, (0..50).map(|a| active(a, 2, 1)), 10);
    store.close();
    let newer = medium.content("snapshot");
    let other = MemoryMedium::default();
    Kept::open(&other, options(8)).close();
    let mut store = Kept::open(&other, options(8));
    fill(&mut store, (0..50).map(|a| active(a, 7, 7)), 10);
    store.close();
    for disk in [old, other.after_kill()] {
        disk.put("snapshot", &newer);
        let (recovered, _log) = open(&disk).unwrap();
        assert_eq!(recovered.summary().snapshot, Lsn(0));
        assert_eq!(known(&recovered).len(), 50);
    }
}

#[test]
fn a_full_disk_is_compacted_and_service_resumes_by_itself() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(16));
    fill(&mut store, (0..200).map(|a| active(a, 1, 1)), 100);
    store.settle();
    // No room for anything but what the store has already.
    medium.set_capacity(medium.used());
    let mut resumed = 0;
    for generation in 2..=200 {
        let batch: Vec<_> = (0..40).map(|a| active(a, generation, 1)).collect();
        if !commit(&mut store.log, &batch) {
            assert!(store.log.trouble().is_some());
            resumed += 1;
            let mut left = 200;
            while store.log.trouble().is_some() {
                store.house.retry_now();
                store.house.step();
                store.log.retry_now();
                store.log.completed();
                left -= 1;
                assert!(left > 0, "generation {generation}: {:?}", store.view());
            }
        }
    }
    assert!(resumed > 0);
    assert!(store.view().merges > 0);
    // A start on the full disk finds the reserve as well.
    let (recovered, _log) = Log::open_on(medium.after_kill(), options(16)).unwrap();
    let known = known(&recovered);
    assert_eq!(known.len(), 200);
    assert!((0..40).all(|a| known[&a].0.generation == 200));
}

#[test]
fn what_cannot_be_read_is_left_alone_and_the_rest_is_merged() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    for generation in 1..=12 {
        let batch: Vec<_> = (0..30).map(|a| active(a, generation, 1)).collect();
        assert!(commit(&mut store.log, &batch));
    }
    medium.fail(Faults {
        reads: 1,
        ..Faults::default()
    });
    store.settle();
    assert!(store.view().trouble.unwrap().contains("segment-0000000001"));
    store.house.retry_now();
    store.settle();
    let files = medium.segments();
    assert!(files.contains(&"segment-0000000001.log".to_owned()));
    assert!(
        files.iter().any(|name| name.starts_with("merged-")),
        "{files:?}"
    );
    sound(&medium);
    let known = reopened(&medium);
    assert!(known.values().all(|(told, _)| told.generation == 12));
}

/// Each read of a start fails once: it is refused by what cannot be read, and loses nothing.
#[test]
fn a_start_that_cannot_read_is_refused_and_the_next_one_finds_all() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(8));
    fill(&mut store, (0..300).map(|a| active(a, 1, 1)), 30);
    store.close();
    let mut refused = 0;
    for nth in 0.. {
        let disk = medium.after_kill();
        disk.fail(Faults {
            reads: 1,
            reads_before: nth,
            ..Faults::default()
        });
        let read = Log::open_on(disk.clone(), options(8))
            .and_then(|(recovered, _log)| recovered.for_each_newest(|_, _| {}));
        match read {
            Err(StoreError::Io { what, .. }) => assert!(what.starts_with("read"), "{what}"),
            // The snapshot is no more than a help.
            Ok(()) if disk.faults().reads == 0 => {}
            Ok(()) => break,
            Err(error) => panic!("{error}"),
        }
        refused += 1;
        disk.fail(Faults::default());
        assert_eq!(reopened(&disk).len(), 300);
    }
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_directory_that_is_gone_acknowledges_nothing_until_it_is_back() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    assert!(commit(&mut store.log, &[active(1, 1, 1)]));
    medium.set_gone(true);
    store.house.look_around();
    assert!(!commit(&mut store.log, &[active(2, 1, 1)]));
    let trouble = store.log.trouble().unwrap().to_string();
    assert!(trouble.contains("not where it was"), "{trouble}");
    medium.set_gone(false);
    store.house.look_around();
    store.log.retry_now();
    assert!(store.log.completed().is_some());
    assert_eq!(reopened(&medium).len(), 2);
}

#[test]
fn a_segment_that_was_removed_under_the_server_acknowledges_nothing() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    assert!(commit(&mut store.log, &[active(1, 1, 1)]));
    let segment = medium.segments().pop().unwrap();
    let content = medium.content(&segment);
    medium.unlink(&segment).unwrap();
    assert!(!commit(&mut store.log, &[active(2, 1, 1)]));
    let trouble = store.log.trouble().unwrap().to_string();
    assert!(
        trouble.contains("missing") && trouble.contains(&segment),
        "{trouble}"
    );
    medium.put(&segment, &content);
    store.log.retry_now();
    assert!(store.log.completed().is_some());
    assert_eq!(reopened(&medium).len(), 2);
}

/// What a start finds last is written again in the active segment, which no snapshot covers.
#[test]
fn a_snapshot_soon_after_a_start_is_one_that_the_next_start_uses() {
    let medium = MemoryMedium::default();
    let mut log = open(&medium).unwrap().1;
    for generation in 1..=60 {
        let batch: Vec<_> = (0..30).map(|a| active(a, generation, 1)).collect();
        assert!(commit(&mut log, &batch));
    }
    drop(log);
    let used = |medium: &MemoryMedium| {
        let (recovered, _log) = open(&medium.after_kill()).unwrap();
        recovered.summary().snapshot.0
    };
    let mut store = Kept::open(&medium, options(4));
    store.settle();
    assert_eq!(used(&medium), store.view().snapshot_lsn);
    let mut generation = 61;
    while store.view().snapshot_lsn == 0 {
        let batch = (0..30).map(|a| active(a, generation, 1));
        fill(&mut store, batch, 30);
        store.settle();
        generation += 1;
        assert!(generation < 100, "no snapshot at all");
    }
    assert_eq!(used(&medium), store.view().snapshot_lsn);
}

/// The numbers of a log that was put back from a copy come to those of its later snapshot again.
#[test]
fn a_snapshot_that_is_ahead_of_the_log_is_not_taken_for_one_of_it_later() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(64));
    fill(&mut store, (0..10).map(|a| active(a, 1, 1)), 10);
    let copy = medium.after_kill();
    fill(&mut store, (10..20).map(|a| active(a, 1, 1)), 10);
    store.close();
    copy.put("snapshot", &medium.content("snapshot"));
    let mut store = Kept::open(&copy, options(64));
    assert!(!snapshots(&copy));
    fill(&mut store, (30..60).map(|a| active(a, 1, 1)), 10);
    drop(store);
    let addrs: Vec<_> = reopened(&copy).into_keys().collect();
    assert_eq!(addrs, (0..10).chain(30..60).collect::<Vec<_>>());
}

/// The numbers fit, but not what they stand for.
#[test]
fn a_snapshot_of_another_branch_of_the_log_is_refused() {
    let branch = |disk: &MemoryMedium, addrs: core::ops::Range<u32>| {
        let mut store = Kept::open(disk, options(4));
        for generation in 2..12 {
            let batch = addrs.clone().map(|a| active(a, generation, 1));
            fill(&mut store, batch, 10);
        }
        store.settle();
        store.close();
        disk.after_kill()
    };
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    fill(&mut store, (0..10).map(|a| active(a, 1, 1)), 10);
    drop(store);
    let one = branch(&medium.after_kill(), 0..10);
    // This one goes on with an address that the other never had.
    let other = branch(&medium.after_kill(), 1..11);
    other.alter("snapshot", |octets| {
        // Segment and salt are those of this branch, the addresses those of the other.
        let ours = octets[..40].to_vec();
        *octets = one.content("snapshot");
        octets[..40].copy_from_slice(&ours);
        let checksum = crc32c::crc32c(&octets[..124]);
        octets[124..128].copy_from_slice(&checksum.to_le_bytes());
    });
    let (recovered, _log) = open(&other).unwrap();
    assert!(recovered.summary().snapshot > Lsn(0));
    let read = recovered.for_each_newest(|_, _| {});
    assert!(
        matches!(read, Err(StoreError::ForeignSnapshot { differing, .. }) if differing > 0),
        "{read:?}"
    );
}

/// The merge writes into the reserve, whose name and the new one may both survive a power cut.
#[test]
fn a_merged_segment_is_no_reserve_after_a_power_cut() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    store.house.look_around();
    let begun = |name: &String| name.starts_with("merged-");
    let mut generation = 1;
    while !medium.list().unwrap().iter().any(begun) {
        let batch = (0..20).map(|a| active(a, generation, 1));
        fill(&mut store, batch, 20);
        generation += 1;
    }
    medium.fail(Faults {
        dir_syncs: 1,
        ..Faults::default()
    });
    while store.view().trouble.is_none() {
        store.house.step();
    }
    for kept in 0..64_u32 {
        let mut name = 0;
        let disk = medium.after_power_cut(|| {
            name += 1;
            kept >> (name - 1) & 1 != 0
        });
        let mut store = Kept::open(&disk, options(4));
        for generation in generation..generation + 10 {
            fill(&mut store, (0..20).map(|a| active(a, generation, 1)), 20);
            store.settle();
        }
        sound(&disk);
        assert_eq!(reopened(&disk).len(), 20);
    }
}

/// A reservation that is gone leaves nothing behind, once nothing older is left.
#[test]
fn what_says_that_a_reservation_is_gone_goes_with_the_last_that_says_it_was_there() {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(4));
    let reservation = |kind, n: u32, client| Told {
        kind,
        ..active(n, 0, client)
    };
    for round in 0..40_u8 {
        let added = reservation(RecordKind::ReservationAdded, 5, round);
        let removed = reservation(RecordKind::ReservationRemoved, 5, round);
        fill(&mut store, [added, removed], 1);
        fill(
            &mut store,
            (0..30).map(|a| active(a, u64::from(round), 1)),
            30,
        );
        store.settle();
    }
    let view = store.view();
    assert!(view.reservations < 10, "{view:?}");
    let mut records = Vec::new();
    let (recovered, _log) = open(&medium.after_kill()).unwrap();
    recovered
        .for_each_newest(|_, record| records.push(record.kind))
        .unwrap();
    assert!(!records.contains(&RecordKind::ReservationAdded));
    sound(&medium);
}

/// A store as the release before wrote it.
#[test]
fn a_store_of_version_1_is_read_and_goes_on() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    assert!(commit(&mut log, &[active(1, 1, 1), active(2, 1, 2)]));
    drop(log);
    for segment in medium.segments() {
        medium.alter(&segment, |octets| {
            octets[8..12].copy_from_slice(&1_u32.to_le_bytes());
            octets[72..80].fill(0);
            let checksum = crc32c::crc32c(&octets[..124]);
            octets[124..128].copy_from_slice(&checksum.to_le_bytes());
        });
    }
    medium.put("format", b"lessor-store 1\n");
    sound(&medium);
    let mut store = Kept::open(&medium, options(4));
    assert_eq!(medium.content("format"), b"lessor-store 3\n");
    for generation in 2..20 {
        fill(&mut store, (1..40).map(|a| active(a, generation, 1)), 20);
    }
    store.close();
    sound(&medium);
    assert_eq!(reopened(&medium).len(), 39);
}
