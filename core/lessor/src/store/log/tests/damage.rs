//! Cut and changed octets: what is torn is cut and reported, what is damaged is refused.

use super::*;
use crate::store::log::What;
use crate::store::log::fuzz::disk::mend;
use crate::store::log::verify::report;

/// A store of one segment, and where each of its batches begins and ends.
fn written(batches: &[Vec<Told>]) -> (MemoryMedium, Log<MemoryMedium>, Vec<(usize, usize)>) {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    let segment = medium.segments()[0].clone();
    let mut places = Vec::new();
    for batch in batches {
        let from = medium.content(&segment).len();
        assert!(commit(&mut log, batch));
        places.push((from, medium.content(&segment).len()));
    }
    (medium, log, places)
}

/// Three batches; the last is longer than two blocks.
fn three() -> [Vec<Told>; 3] {
    [
        (0..10).map(|addr| active(addr, 1, 1)).collect(),
        (5..15).map(|addr| active(addr, 2, 2)).collect(),
        (10..110).map(|addr| active(addr, 3, 3)).collect(),
    ]
}

#[test]
fn a_store_cut_at_each_octet_of_its_last_batch_has_it_whole_or_not_at_all() {
    let (medium, _log, places) = written(&three());
    let segment = &medium.segments()[0];
    let (from, to) = places[2];
    assert!(to - from > 2 * 4096);
    let records_end = medium
        .content(segment)
        .iter()
        .rposition(|octet| *octet != 0)
        .unwrap()
        + 1;
    for cut in from..=to {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets.truncate(cut));
        let (recovered, log) = open(&disk).unwrap();
        let torn = recovered.summary().torn.clone();
        if cut < records_end {
            assert_eq!(recovered.summary().records, 20, "cut at {cut}");
            assert_eq!(recovered.summary().highest_generation, 2);
            assert_eq!(log.next_lsn(), Lsn(21));
            let tail = torn.map(|torn| (torn.offset, torn.octets));
            let expected = (cut > from).then_some((from as u64, (cut - from) as u64));
            assert_eq!(tail, expected, "cut at {cut}");
        } else {
            assert_eq!(recovered.summary().records, 120, "cut at {cut}");
            assert_eq!((log.next_lsn(), torn), (Lsn(121), None));
        }
    }
}

#[test]
fn what_is_written_behind_a_cut_is_found_again() {
    let (medium, _log, places) = written(&three());
    let segment = &medium.segments()[0];
    for cut in [
        places[2].0,
        places[2].0 + 1,
        places[2].0 + 4096,
        places[2].1 - 4097,
    ] {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets.truncate(cut));
        let (_, mut log) = open(&disk).unwrap();
        assert!(commit(&mut log, &[active(999, 9, 9)]));
        drop(log);
        let (recovered, _) = open(&disk).unwrap();
        assert_eq!(recovered.summary().torn, None);
        let known = known(&recovered);
        assert_eq!(known.len(), 16);
        assert_eq!(known[&999], (active(999, 9, 9), Lsn(21)));
        assert_eq!(report(&disk).unwrap().faults, []);
    }
}

#[test]
fn a_changed_octet_of_the_last_batch_is_a_torn_tail() {
    let (medium, _log, places) = written(&three());
    let segment = &medium.segments()[0];
    let (from, to) = places[2];
    for at in from..to {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets[at] ^= 0x41);
        let (recovered, _) = open(&disk).unwrap();
        let summary = recovered.summary();
        match &summary.torn {
            Some(torn) => {
                assert_eq!(torn.offset, from as u64);
                assert_eq!(summary.records, 20);
            }
            // The zeros behind the records are nobody's.
            None => assert_eq!(summary.records, 120),
        }
    }
}

#[test]
fn a_changed_octet_of_an_acknowledged_batch_is_refused_with_its_place() {
    let (medium, _log, places) = written(&three());
    let segment = &medium.segments()[0];
    let content = medium.content(segment);
    for (from, to) in &places[..2] {
        let used = content[*from..*to]
            .iter()
            .rposition(|octet| *octet != 0)
            .unwrap()
            + 1;
        for at in *from..from + used {
            let disk = medium.after_kill();
            disk.alter(segment, |octets| octets[at] ^= 0x41);
            let error = open(&disk).unwrap_err();
            let StoreError::Damaged { file, offset, .. } = &error else {
                panic!("{error}");
            };
            assert!(file.ends_with(segment));
            assert_eq!(*offset, *from as u64, "octet {at}");
            assert!(error.to_string().contains("lessor store verify"));
            let report = report(&disk).unwrap();
            let places: Vec<_> = report.faults.iter().map(|fault| fault.offset).collect();
            assert_eq!(places, [*from as u64], "octet {at}");
        }
    }
}

#[test]
fn a_changed_octet_of_a_segment_header_is_refused() {
    let (medium, _log, _) = written(&three());
    let segment = &medium.segments()[0];
    for at in 0..128 {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets[at] ^= 0x41);
        assert!(matches!(
            open(&disk),
            Err(StoreError::Damaged { offset: 0, .. })
        ));
        assert_eq!(report(&disk).unwrap().faults.len(), 1);
    }
}

#[test]
fn damage_to_the_last_batch_of_a_closed_store_is_not_taken_for_a_torn_tail() {
    let (medium, mut log, places) = written(&three());
    log.close().unwrap();
    let segment = &medium.segments()[0];
    for at in [places[2].0, places[2].0 + 100, places[2].0 + 5000] {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets[at] ^= 0x41);
        assert!(matches!(open(&disk), Err(StoreError::Damaged { .. })));
    }
    assert_eq!(reopened(&medium).len(), 110);
}

/// Gives the store's first record another number, checksums and all.
fn renumbered(first: u64) -> MemoryMedium {
    let (medium, _log, _) = written(&[vec![active(1, 1, 1)]]);
    let disk = medium.after_kill();
    let segment = &disk.segments()[0];
    disk.alter(segment, |octets| {
        for at in [40, 4096 + 16, 4096 + 64 + 24] {
            octets[at..at + 8].copy_from_slice(&first.to_le_bytes());
        }
        mend(segment, octets);
    });
    disk
}

#[test]
fn numbers_that_no_log_comes_to_are_refused() {
    for first in [2, 1 << 62] {
        let disk = renumbered(first);
        let (recovered, log) = open(&disk).unwrap();
        assert_eq!(log.next_lsn(), Lsn(first + 1));
        assert_eq!(known(&recovered).len(), 1);
    }
    for first in [0, u64::MAX - 1, u64::MAX] {
        let disk = renumbered(first);
        assert!(matches!(open(&disk), Err(StoreError::Damaged { .. })));
        assert_eq!(report(&disk).unwrap().faults[0].what, What::Sequence);
    }
}

#[test]
fn a_close_batch_with_records_is_refused() {
    let (medium, mut log, _) = written(&[vec![active(1, 1, 1)]]);
    log.close().unwrap();
    drop(log);
    let segment = &medium.segments()[0];
    medium.alter(segment, |octets| {
        octets[8192 + 32] = 5;
        mend(segment, octets);
    });
    assert!(matches!(open(&medium), Err(StoreError::Damaged { .. })));
    assert_eq!(report(&medium).unwrap().faults[0].what, What::Count);
}

fn rolled() -> MemoryMedium {
    let medium = MemoryMedium::default();
    let options = LogOptions {
        segment_octets: 3 * 4096,
        ..LogOptions::default()
    };
    let (_, mut log) = Log::open_on(medium.clone(), options).unwrap();
    for generation in 1..=10 {
        assert!(commit(&mut log, &[active(1, generation, 1)]));
    }
    assert_eq!(medium.segments().len(), 5);
    medium.after_kill()
}

#[test]
fn any_damage_to_a_segment_that_another_follows_is_refused() {
    let medium = rolled();
    let segment = &medium.segments()[2];
    for at in [4096, 4096 + 60, 8192, 8192 + 150] {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets[at] ^= 1);
        assert!(
            matches!(open(&disk), Err(StoreError::Damaged { .. })),
            "octet {at}"
        );
    }
    for cut in [0, 4095, 4096, 8192, 3 * 4096 - 1] {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets.truncate(cut));
        assert!(
            matches!(open(&disk), Err(StoreError::Damaged { .. })),
            "cut at {cut}"
        );
        assert_eq!(report(&disk).unwrap().faults[0].what, What::Short);
    }
}

#[test]
fn a_missing_segment_is_refused() {
    use crate::store::medium::Medium as _;
    let medium = rolled();
    for (i, segment) in medium.segments().iter().enumerate().take(4) {
        let disk = medium.after_kill();
        disk.unlink(segment).unwrap();
        assert!(matches!(open(&disk), Err(StoreError::Damaged { .. })));
        let faults = report(&disk).unwrap().faults;
        assert_eq!(faults[0].what, What::Missing(i as u64 + 1));
        assert_eq!(faults[0].file.id, i as u64 + 2);
    }
}

#[test]
fn all_damage_is_reported_not_only_the_first() {
    let medium = rolled();
    let segments = medium.segments();
    medium.alter(&segments[0], |octets| octets[4096 + 70] ^= 1);
    medium.alter(&segments[3], |octets| octets[4096] ^= 1);
    let report = report(&medium).unwrap();
    let places: Vec<_> = report
        .faults
        .iter()
        .map(|f| (f.file.id, f.offset))
        .collect();
    assert_eq!(places, [(1, 4096), (4, 4096)]);
    assert_eq!((report.segments, report.batches, report.records), (5, 8, 8));
    assert_eq!((report.first_lsn, report.last_lsn), (Lsn(1), Lsn(10)));
}

/// A client writes what it likes into its identity; it cannot make a batch of it.
#[test]
fn octets_of_another_segment_are_not_taken_for_a_batch_of_this_one() {
    let (medium, _log, places) = written(&three());
    let mut more = three().to_vec();
    more.push(vec![active(1, 9, 9)]);
    let (other, _, others) = written(&more);
    let (from, _) = places[2];
    // A batch whose header calls all of this segment durable, if it were one of this segment's.
    let foreign = other.content(&other.segments()[0])[others[3].0..others[3].1].to_vec();
    let segment = &medium.segments()[0];
    medium.alter(segment, |octets| {
        // The last batch lost its first block, and a copied one lies behind.
        octets[from..from + 4096].fill(0);
        octets.extend(foreign);
    });
    let (recovered, _) = open(&medium.after_kill()).unwrap();
    assert_eq!(recovered.summary().records, 20);
    assert_eq!(
        recovered.summary().torn.as_ref().unwrap().offset,
        from as u64
    );
}
