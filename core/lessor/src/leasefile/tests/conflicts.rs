//! What a file says against itself, the configuration and the store.

use super::*;

/// The faults of importing `rows` where the store has `had`; then it has them still.
fn against(had: &[Row], rows: &[Row]) -> Vec<String> {
    let scene = Scene::new();
    if !had.is_empty() {
        scene.fill(had);
    }
    let outcome = scene
        .import(Layout::Jsonl, text(rows, Format::Jsonl))
        .unwrap();
    if !had.is_empty() && !outcome.faults.is_empty() {
        assert_eq!(scene.rows(), had);
    }
    told(&outcome)
}

pub(super) fn newer(row: Row) -> Row {
    Row {
        time: row.time + 30,
        expiry: row.expiry + 30,
        ..row
    }
}

pub(super) fn aside(last: u8) -> Row {
    Row {
        kind: RecordKind::SetAside,
        identity: Vec::new(),
        chaddr: Vec::new(),
        ..lease(last, 0)
    }
}

pub(super) fn reservation(last: u8, client: u8) -> Row {
    Row {
        kind: RecordKind::ReservationAdded,
        ..lease(last, client)
    }
}

pub(super) fn expired(last: u8, client: u8) -> Row {
    Row {
        expiry: NOW - 1,
        ..lease(last, client)
    }
}

#[test]
fn what_a_file_says_against_itself_or_the_configuration_is_told() {
    let elsewhere = Row {
        addr: Ipv4Addr::new(10, 7, 0, 1),
        ..lease(0, 3)
    };
    let other_space = Row {
        space: 1,
        ..lease(10, 3)
    };
    for (rows, due) in [
        (
            vec![lease(10, 1), lease(11, 2), lease(10, 3)],
            "3: 10.0.0.10 has a row already, in line 1",
        ),
        (
            vec![lease(10, 1), released(10, 1)],
            "2: 10.0.0.10 has a row already, in line 1",
        ),
        (
            vec![lease(10, 1), lease(11, 1)],
            "2: the client has 10.0.0.10 leased on network `home`, in line 1",
        ),
        (
            vec![lease(10, 1), elsewhere],
            "2: 10.7.0.1 is in no configured network of space 0; --allow-outside",
        ),
        (
            vec![other_space],
            "1: 10.0.0.10 is in no configured network of space 1",
        ),
        (
            vec![lease(1, 1)],
            "1: 10.0.0.1 is the appliance's own address",
        ),
        (
            vec![lease(99, 1)],
            "1: 10.0.0.99 is reserved for another client in the configuration",
        ),
        (
            vec![reservation(99, 1)],
            "1: 10.0.0.99 is reserved for another client in the configuration",
        ),
        (
            vec![reservation(50, 1), reservation(50, 2)],
            "2: 10.0.0.50 is reserved for another client, in line 1",
        ),
        (
            vec![reservation(50, 1), reservation(50, 1)],
            "2: 10.0.0.50 has a row already, in line 1",
        ),
    ] {
        let told = against(&[], &rows);
        assert!(
            told.len() == 1 && told[0].starts_with(due),
            "{told:#?} instead of {due}"
        );
    }
}

#[test]
fn a_time_that_is_still_to_come_is_told_if_clocks_cannot_differ_so_much() {
    let at = |time| {
        against(
            &[],
            &[Row {
                time,
                ..lease(10, 3)
            }],
        )
    };
    assert_eq!(at(NOW + 300), [""; 0]);
    assert_eq!(at(NOW + 301), ["1: 2027-01-15T08:05:01Z is in the future"]);
}

#[test]
fn what_goes_together_is_taken() {
    let other_network = Row {
        addr: Ipv4Addr::new(10, 1, 0, 10),
        ..lease(0, 1)
    };
    for rows in [
        // One client on two networks; what it had before; a memory of a reserved address.
        vec![lease(10, 1), other_network],
        vec![lease(10, 1), released(11, 1), expired(12, 1)],
        vec![lease(99, 0x99), released(10, 0x99)],
        vec![released(99, 1), reservation(50, 1), lease(50, 2)],
        vec![reservation(99, 0x99), aside(10), aside(11)],
    ] {
        assert_eq!(against(&[], &rows), [""; 0]);
    }
    let by_client_id = Row {
        identity: vec![1, 0, 7],
        ..lease(99, 0x99)
    };
    assert_eq!(
        against(&[], &[by_client_id]),
        [""; 0],
        "its hardware has the right"
    );
}

fn each_is_told(cases: impl IntoIterator<Item = (Row, Row, &'static str)>) {
    for (had, row, due) in cases {
        let told = against(&[had], &[row]);
        let fits = told.len() == 1 && told[0].starts_with(&format!("1: {due}"));
        assert!(fits, "{told:#?} instead of {due}");
    }
}

#[test]
fn an_address_or_a_client_with_a_lease_in_the_store_is_told() {
    let forever = Row {
        expiry: u64::MAX,
        ..lease(10, 2)
    };
    let held = "10.0.0.10 is active for another client in the store, until 2027-01-15T09:00:00Z";
    let held_for_ever = "10.0.0.10 is active for another client in the store, for ever";
    let aside_for_nobody = "10.0.0.10 is abandoned for another client in the store";
    let second = "the client has 10.0.0.11 leased on network `home`, in the store";
    each_is_told([
        (lease(10, 2), newer(lease(10, 1)), held),
        (lease(10, 2), newer(released(10, 1)), held),
        (forever, newer(lease(10, 1)), held_for_ever),
        (aside(10), newer(lease(10, 1)), aside_for_nobody),
        (lease(11, 1), newer(lease(10, 1)), second),
        (lease(11, 1), released(10, 1), second),
    ]);
}

#[test]
fn what_the_store_knows_better_is_told() {
    let last = Row {
        generation: (1 << 53) - 1,
        ..lease(10, 1)
    };
    let older = "the store has a newer record of 10.0.0.10, of 2027-01-15T07:59:30Z";
    let reserved = "10.0.0.50 is reserved for another client, in the store";
    let exhausted = "the store has the last possible generation of 10.0.0.10";
    let new = newer(reservation(50, 1));
    each_is_told([
        (newer(lease(10, 1)), lease(10, 1), older),
        (newer(released(10, 2)), lease(10, 1), older),
        (new.clone(), reservation(50, 1), "the store has a newer"),
        (reservation(50, 2), new, reserved),
        (last, newer(lease(10, 1)), exhausted),
    ]);
}
