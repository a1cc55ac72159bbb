//! What an import does to the store.

use std::collections::HashMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::conflicts::{aside, expired, newer, reservation};
use super::*;
use crate::leasefile::ledger::{Ledger, Step};
use crate::leasefile::places::Places;
use crate::store::{Log, LogOptions, StoreError};

#[test]
fn a_newer_statement_supersedes_what_the_store_says() {
    let one = |row: Row| vec![row];
    for (had, row, generation) in [
        (lease(10, 1), newer(lease(10, 1)), 4),
        (lease(10, 1), newer(released(10, 1)), 4),
        (released(10, 2), lease(10, 1), 4),
        (expired(10, 2), lease(10, 1), 4),
        (
            Row {
                generation: 9,
                ..released(10, 2)
            },
            lease(10, 1),
            10,
        ),
        (
            Row {
                generation: 1,
                ..released(10, 2)
            },
            lease(10, 1),
            3,
        ),
    ] {
        let scene = Scene::new();
        scene.fill(&one(had));
        assert_eq!(scene.take(&one(row.clone())).written, 1);
        assert_eq!(scene.rows(), [Row { generation, ..row }]);
    }
    let scene = Scene::new();
    scene.fill(&one(reservation(50, 1)));
    let removed = Row {
        kind: RecordKind::ReservationRemoved,
        ..newer(reservation(50, 1))
    };
    assert_eq!(scene.take(&one(removed.clone())).written, 1);
    assert_eq!(scene.rows(), [removed]);
}

#[test]
fn a_client_that_moved_is_taken_with_both_its_addresses() {
    let scene = Scene::new();
    scene.fill(&[lease(11, 1)]);
    let ended = Row {
        kind: RecordKind::Ended,
        ..newer(lease(11, 1))
    };
    assert_eq!(scene.take(&[ended, newer(lease(10, 1))]).written, 2);
}

#[test]
fn to_import_again_changes_nothing() {
    let scene = Scene::new();
    let rows = [lease(10, 1), released(11, 2), aside(12), reservation(50, 1)];
    for (written, unchanged) in [(4, 0), (0, 4), (0, 4)] {
        let outcome = scene.take(&rows);
        assert_eq!((outcome.written, outcome.unchanged), (written, unchanged));
    }
    // Also where the store had to take a higher generation.
    let scene = Scene::new();
    let had = Row {
        generation: 8,
        ..released(10, 2)
    };
    scene.fill(&[had]);
    assert_eq!(scene.take(&[lease(10, 1)]).written, 1);
    assert_eq!(scene.take(&[lease(10, 1)]).unchanged, 1);
    assert_eq!(scene.rows()[0].generation, 9);
}

#[test]
fn an_import_that_was_interrupted_is_completed_by_the_next() {
    let rows: Vec<_> = (10..90).map(|n| lease(n, n)).collect();
    for part in [0, 1, 40, 80] {
        let scene = Scene::new();
        scene.take(&rows[..part]);
        let outcome = scene.take(&rows);
        let part = part as u64;
        assert_eq!((outcome.written, outcome.unchanged), (80 - part, part));
        assert_eq!(scene.rows(), rows);
    }
}

#[test]
fn of_a_client_the_lease_comes_last_whatever_the_order_of_the_file() {
    let rows = [lease(10, 1), released(11, 1), expired(12, 1)];
    let last = |scene: &Scene| scene.rows().last().cloned();
    let scene = Scene::new();
    scene.take(&rows);
    assert_eq!(last(&scene), Some(lease(10, 1)));
    // The lease alone first: it is written again behind what the client had before.
    let scene = Scene::new();
    scene.take(&rows[..1]);
    assert_eq!(scene.take(&rows).written, 3);
    assert_eq!(last(&scene), Some(lease(10, 1)));
    assert_eq!(scene.take(&rows).written, 0);
}

#[test]
fn what_the_store_has_newer_is_left_out_if_so_wished() {
    let mut scene = Scene::new();
    scene.lenience.skip_older = true;
    let had = [
        newer(lease(10, 1)),
        newer(lease(21, 2)),
        newer(lease(30, 9)),
    ];
    scene.fill(&had);
    // The client's other rows are left out with it: its lease in the store is to stay.
    let rows = [
        lease(10, 1),
        released(11, 1),
        lease(20, 2),
        lease(30, 3),
        lease(40, 4),
    ];
    let outcome = scene.take(&rows);
    assert_eq!((outcome.written, outcome.older), (1, 4));
    let mut due = had.to_vec();
    due.push(lease(40, 4));
    assert_eq!(scene.rows(), due);
}

#[test]
fn outside_addresses_are_taken_if_so_wished() {
    let mut scene = Scene::new();
    scene.lenience.allow_outside = true;
    let row = Row {
        space: 7,
        ..lease(10, 1)
    };
    assert_eq!(scene.take(std::slice::from_ref(&row)).written, 1);
    assert_eq!(scene.rows(), [row]);
}

#[test]
fn beside_a_running_server_nothing_is_imported_and_all_may_be_checked() {
    let scene = Scene::new();
    scene.fill(&[lease(10, 1)]);
    let (_, log) = Log::open(&scene.path("store"), LogOptions::default()).unwrap();
    let file = text(&[lease(11, 2)], Format::Csv);
    let refused = scene.import(Layout::Csv, &file);
    let locked = matches!(refused, Err(ImportError::Store(StoreError::Locked { .. })));
    assert!(locked, "{refused:?}");
    assert_eq!(scene.check(Layout::Csv, &file).written, 1);
    let held = text(&[lease(10, 2)], Format::Csv);
    assert_eq!(told(&scene.check(Layout::Csv, held)).len(), 1);
    drop(log);
    assert_eq!(scene.rows(), [lease(10, 1)]);
    assert_eq!(scene.import(Layout::Csv, &file).unwrap().written, 1);
}

#[test]
fn what_is_no_file_is_refused() {
    let scene = Scene::new();
    fs::create_dir(scene.path("file")).unwrap();
    let store = scene.path("store");
    let import = |file: &Path| {
        let import = Import {
            file,
            layout: Layout::Csv,
            directory: &store,
            spec: &scene.spec,
            now: NOW,
            lenience: scene.lenience,
            dry_run: false,
        };
        import.run()
    };
    let refused = import(&scene.path("file"));
    assert!(
        matches!(refused, Err(ImportError::NotAFile(_))),
        "{refused:?}"
    );
    let refused = import(&scene.path("nowhere"));
    assert!(
        matches!(refused, Err(ImportError::Unreadable { .. })),
        "{refused:?}"
    );
    assert!(!store.exists());
}

#[test]
fn a_row_that_is_not_what_was_checked_comes_to_nothing() {
    let scene = Scene::new();
    let places = Places::new(&scene.spec);
    let mut ledger = Ledger::new(&places, scene.lenience, NOW);
    ledger.note(1, &lease(10, 1));
    assert_eq!(ledger.step(1, &lease(10, 1)), Some(Step::Write(3)));
    let generation = 4;
    let other = Row {
        generation,
        ..lease(10, 1)
    };
    for (line, row) in [
        (2, lease(10, 1)),
        (1, newer(lease(10, 1))),
        (1, other),
        (1, lease(11, 1)),
        (1, reservation(10, 1)),
    ] {
        assert_eq!(ledger.step(line, &row), None);
    }
}

/// Rows of few addresses and clients on one network, so that they meet.
fn few_rows() -> impl Strategy<Value = Vec<Row>> {
    let row = (10..16u8, 0..4u8, 0..6usize, 0..4u64, 0..3u64, 0..4u64);
    let row = row.prop_map(|(last, client, kind, time, expiry, generation)| Row {
        kind: RecordKind::ALL[kind],
        time: NOW - 100 + time,
        expiry: NOW - 1 + expiry,
        generation,
        ..lease(last, client)
    });
    vec(row, 0..6).prop_map(|rows| {
        let mut seen = std::collections::HashSet::new();
        let mut rows = rows;
        rows.retain(|row| seen.insert(row.addr));
        rows
    })
}

fn is_lease(row: &Row) -> bool {
    row.kind == RecordKind::Active && row.expiry > NOW
}

/// Who has what address when a server has read the store: of a client the last one counts.
fn served(rows: &[Row]) -> HashMap<Vec<u8>, Ipv4Addr> {
    let mut last = HashMap::new();
    for row in rows {
        if matches!(row.kind, RecordKind::Active | RecordKind::Released) {
            last.insert(row.identity.clone(), row.clone());
        }
    }
    last.retain(|_, row| is_lease(row));
    last.into_iter()
        .map(|(client, row)| (client, row.addr))
        .collect()
}

fn leases(rows: &[Row]) -> HashMap<Vec<u8>, Ipv4Addr> {
    let leases = rows.iter().filter(|row| is_lease(row));
    leases.map(|row| (row.identity.clone(), row.addr)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_import_takes_a_lease_away_or_gives_an_address_to_two(
        had in few_rows(),
        rows in few_rows(),
        skip_older: bool,
    ) {
        let mut scene = Scene::new();
        let file = |rows: &[Row]| text(rows, Format::Jsonl);
        let outcome = scene.import(Layout::Jsonl, file(&had)).unwrap();
        let had = if outcome.faults.is_empty() { scene.rows() } else { Vec::new() };
        scene.lenience.skip_older = skip_older;
        let outcome = scene.import(Layout::Jsonl, file(&rows)).unwrap();
        if !outcome.faults.is_empty() {
            if !had.is_empty() {
                prop_assert_eq!(scene.rows(), had);
            }
            return Ok(());
        }
        let has = scene.rows();
        let leased = has.iter().filter(|row| is_lease(row)).count();
        // One lease a client, and a server serves each.
        prop_assert_eq!(leased, leases(&has).len());
        prop_assert_eq!(&served(&has), &leases(&has));
        for row in &rows {
            let now = has.iter().find(|other| other.addr == row.addr);
            let same = now.is_some_and(|now| Row { generation: row.generation, ..now.clone() } == *row);
            prop_assert!(same || outcome.older > 0, "{row:?} became {now:?}");
        }
        // What the store had is there, or the file says something newer about that address.
        for old in had.iter().filter(|row| is_lease(row)) {
            let kept = has.iter().any(|row| row.addr == old.addr && row.identity == old.identity);
            prop_assert!(kept, "{old:?}");
        }
        let again = scene.import(Layout::Jsonl, file(&rows)).unwrap();
        prop_assert_eq!((told(&again).len(), again.written), (0, 0));
    }
}
