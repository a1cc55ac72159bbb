//! Damage of every kind, and what a repair makes of it.

use super::merging::{Kept, options};
use super::*;
use crate::store::Store as _;
use crate::store::log::repair::{Plan, repair_on};
use crate::store::log::verify::report;
use crate::store::medium::Medium as _;
use crate::store::medium::memory::Faults;

/// A store of several segments, some of them merged; each address has one record that is alone.
fn written() -> MemoryMedium {
    let medium = MemoryMedium::default();
    let mut store = Kept::open(&medium, options(5));
    let mut addr = 0;
    for generation in 1..=30 {
        let batch: Vec<_> = (0..20).map(|i| active(1000 + i, generation, 1)).collect();
        assert!(commit(&mut store.log, &batch));
        let fresh: Vec<_> = (addr..addr + 8).map(|addr| active(addr, 1, 2)).collect();
        addr += 8;
        assert!(commit(&mut store.log, &fresh));
        if generation == 15 {
            store.settle();
        }
    }
    store.close();
    medium
}

/// Every record that counts: file, offset, number and address.
fn places(medium: &MemoryMedium) -> Vec<(String, usize, Lsn, u32)> {
    let (recovered, _log) = open(&medium.after_kill()).unwrap();
    recovered.places()
}

fn repaired(disk: &MemoryMedium) -> Plan {
    let plan = repair_on(disk).unwrap();
    let report = report(disk).unwrap();
    assert_eq!(report.faults, [], "{plan:?}");
    assert!(repair_on(disk).unwrap().is_empty());
    plan
}

fn copies(disk: &MemoryMedium) -> usize {
    let names = disk.list().unwrap();
    names
        .iter()
        .filter(|name| name.starts_with("damaged-"))
        .count()
}

/// All of `before` is there but for what only the records `lost` said.
fn check(disk: &MemoryMedium, before: &Known, lost: &dyn Fn(Lsn) -> bool) {
    let after = reopened(disk);
    for (addr, (told, lsn)) in before {
        if !lost(*lsn) {
            assert_eq!(after.get(addr), Some(&(*told, *lsn)), "{addr}");
        }
    }
}

#[test]
fn a_sound_store_has_nothing_to_repair() {
    let medium = written();
    let before = medium.list().unwrap();
    assert!(repair_on(&medium).unwrap().is_empty());
    assert_eq!(medium.list().unwrap(), before);
}

#[test]
fn one_damaged_record_is_lost_and_no_other() {
    let medium = written();
    let known = reopened(&medium);
    for (i, (file, offset, lsn, _)) in places(&medium).into_iter().enumerate() {
        let Ok(_) = medium.open(&file) else { continue };
        // Its length, its middle, or its checksum.
        let at = offset + [0, 1, 30, 93][i % 4];
        let disk = medium.after_kill();
        disk.alter(&file, |octets| octets[at] ^= 0x24);
        let plan = repaired(&disk);
        let [replaced] = &plan.replaced[..] else {
            panic!("{plan:?}");
        };
        assert_eq!(replaced.files[0].to_string(), file);
        assert!(replaced.faults[0].offset <= offset as u64);
        if !file.starts_with("merged") {
            assert_eq!(replaced.lost, 1, "{plan:?}");
        }
        assert!((90..100).contains(&replaced.lost_octets), "{plan:?}");
        assert!(plan.snapshot);
        assert_eq!(copies(&disk), 2);
        check(&disk, &known, &|other| other == lsn);
    }
}

#[test]
fn a_damaged_batch_header_loses_nothing_if_a_later_batch_bounds_it() {
    let medium = written();
    let known = reopened(&medium);
    for segment in medium.segments() {
        let content = medium.content(&segment);
        let batches: Vec<_> = (4096..content.len())
            .step_by(4096)
            .filter(|at| content[*at..].starts_with(b"LESSORBT"))
            .collect();
        for (i, at) in batches.iter().enumerate() {
            let disk = medium.after_kill();
            disk.alter(&segment, |octets| octets[at + 20] ^= 0x11);
            let last = i + 1 == batches.len();
            if report(&disk).unwrap().faults.is_empty() {
                continue;
            }
            let plan = repaired(&disk);
            assert!(last || plan.replaced[0].lost == 0, "{plan:?}");
            let merged = segment.starts_with("merged");
            if !last && !merged {
                check(&disk, &known, &|_| false);
            }
        }
    }
}

#[test]
fn a_segment_without_a_first_block_is_saved_by_its_batches() {
    let medium = written();
    let known = reopened(&medium);
    for segment in medium.segments() {
        let disk = medium.after_kill();
        disk.alter(&segment, |octets| octets[30] ^= 1);
        let plan = repaired(&disk);
        assert_eq!(plan.replaced.len(), 1, "{plan:?}");
        assert_eq!(plan.replaced[0].lost_octets, 0);
        check(&disk, &known, &|_| false);
    }
}

#[test]
fn a_missing_segment_loses_what_it_held_and_the_rest_goes_on() {
    let medium = written();
    let known = reopened(&medium);
    let all = places(&medium);
    let segments = medium.segments();
    for segment in &segments[..segments.len() - 1] {
        let disk = medium.after_kill();
        disk.unlink(segment).unwrap();
        disk.sync_dir().unwrap();
        assert!(open(&disk.after_kill()).is_err());
        let plan = repaired(&disk);
        assert!(plan.replaced[0].files.is_empty());
        let held = |lsn: Lsn| {
            all.iter()
                .any(|(file, _, at, _)| file == segment && *at == lsn)
        };
        check(&disk, &known, &held);
    }
}

#[test]
fn a_segment_cut_short_loses_its_end() {
    let medium = written();
    let known = reopened(&medium);
    let all = places(&medium);
    let segments = medium.segments();
    for segment in &segments[..segments.len() - 1] {
        let length = medium.content(segment).len();
        for cut in (0..length).step_by(700) {
            let disk = medium.after_kill();
            disk.alter(segment, |octets| octets.truncate(cut));
            if report(&disk).unwrap().faults.is_empty() {
                continue;
            }
            repaired(&disk);
            let lost = |lsn: Lsn| {
                all.iter()
                    .any(|(file, at, l, _)| file == segment && *l == lsn && *at + 94 > cut)
            };
            // Without its first block a segment of one batch says nothing.
            if cut >= 2 * 4096 {
                check(&disk, &known, &lost);
            }
        }
    }
}

#[test]
fn several_faults_and_a_lost_format_are_repaired_together() {
    let medium = written();
    let segments = medium.segments();
    let disk = medium.after_kill();
    disk.alter(&segments[0], |octets| octets[0] ^= 1);
    disk.alter(&segments[2], |octets| octets[4096 + 70] ^= 1);
    disk.unlink(&segments[1]).unwrap();
    disk.unlink("format").unwrap();
    let plan = repaired(&disk);
    assert!(plan.format && plan.replaced.len() >= 2, "{plan:?}");
    assert!(!reopened(&disk).is_empty());
}

/// Power that goes at each step of a repair; it is begun again.
#[test]
fn a_repair_that_was_cut_off_is_begun_again_and_saves_the_same() {
    let medium = written();
    let (file, offset, lsn, _) = places(&medium).swap_remove(40);
    let known = reopened(&medium);
    medium.alter(&file, |octets| octets[offset + 40] ^= 1);
    let mut cuts = 0;
    for after in 0.. {
        let disk = medium.after_kill();
        disk.fail(Faults {
            power_after: Some(after),
            ..Faults::default()
        });
        let done = repair_on(&disk).is_ok();
        let mut toss = after;
        let disk = disk.after_power_cut(|| {
            toss = toss.wrapping_mul(0x5851_f42d) ^ toss >> 7 ^ 0x1405;
            toss % 5 > 1
        });
        repaired_or_sound(&disk);
        assert!(copies(&disk) >= 1);
        check(&disk, &known, &|other| other == lsn);
        if done {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
}

fn repaired_or_sound(disk: &MemoryMedium) {
    repair_on(disk).unwrap();
    assert_eq!(report(disk).unwrap().faults, []);
}

/// A client that has whole records in its option 82 gets none of them into the store.
#[test]
fn records_in_a_clients_octets_are_not_taken_for_records() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    let mut fake = Vec::new();
    for lsn in 3..5 {
        let mut octets = [0; MAX_RECORD];
        let length = with_record(active(666, 9, 6), |r| encode::encode(r, &mut octets)).unwrap();
        encode::seal(&mut octets[..length], Lsn(lsn));
        fake.extend_from_slice(&octets[..length]);
    }
    let mut batch = Batch::new(Lsn(1));
    push(&mut batch, active(1, 1, 1));
    let mut octets = [0; MAX_RECORD];
    let length = with_record(active(2, 1, 2), |record| {
        let record = Record {
            agent_info: &fake,
            ..*record
        };
        encode::encode(&record, &mut octets)
    });
    batch.push(&octets[..length.unwrap()], &[]);
    for addr in 3..9 {
        push(&mut batch, active(addr, 1, 3));
    }
    log.submit(batch);
    assert!(log.completed().is_some());
    assert!(commit(&mut log, &[active(99, 1, 9)]));
    drop(log);
    let segment = medium.segments().pop().unwrap();
    // The record that carries the others has a length that it has not.
    medium.alter(&segment, |octets| octets[4096 + 64 + 94] ^= 0x18);
    repaired(&medium);
    let known = reopened(&medium);
    assert!(!known.contains_key(&666), "{known:?}");
    assert!((3..9).all(|addr| known.contains_key(&addr)));
}
