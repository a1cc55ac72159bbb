//! What is exported and imported again is the same.

use proptest::collection::{hash_set, vec};
use proptest::prelude::*;

use super::*;
use crate::leasefile::column::Column;
use crate::leasefile::row::is_reservation;

/// Any record that a store may hold.
fn any_row() -> impl Strategy<Value = Row> {
    let what = (0..8usize, any::<u16>(), 0..1u64 << 53, 0..=NOW);
    let expiry = prop_oneof![Just(u64::MAX), 0..=253_402_300_799u64];
    let origin = (any::<u8>(), 0..4096u16, 0..4096u16);
    let whom = (
        vec(any::<u8>(), 0..=256),
        any::<u8>(),
        vec(any::<u8>(), 0..=16),
    );
    let rest = (any::<u32>(), any::<u32>(), vec(any::<u8>(), 0..=512));
    (what, expiry, origin, whom, rest).prop_map(|(what, expiry, origin, whom, rest)| {
        let (kind, space, generation, time) = what;
        let (mut identity, htype, chaddr) = whom;
        let kind = RecordKind::ALL[kind];
        let of_client = matches!(kind, RecordKind::Active | RecordKind::Released);
        if identity.is_empty() && (of_client || is_reservation(kind)) {
            identity.push(1);
        }
        Row {
            kind,
            space,
            addr: Ipv4Addr::UNSPECIFIED,
            generation,
            time,
            expiry,
            lease: rest.0,
            origin: Origin {
                port: origin.0,
                outer_vid: origin.1,
                inner_vid: origin.2,
            },
            giaddr: rest.1.into(),
            identity,
            htype,
            chaddr,
            agent_info: rest.2,
        }
    })
}

/// Rows of different addresses.
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    hash_set(any::<u32>(), 0..8).prop_flat_map(|addrs| {
        let addrs: Vec<_> = addrs.into_iter().collect();
        vec(any_row(), addrs.len()).prop_map(move |mut rows| {
            for (row, addr) in rows.iter_mut().zip(&addrs) {
                row.addr = (*addr).into();
            }
            rows
        })
    })
}

fn sorted(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| row.addr);
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_store_is_the_same_after_export_and_import(rows in any_rows(), csv: bool) {
        let format = if csv { Format::Csv } else { Format::Jsonl };
        let (from, mut to) = (Scene::new(), Scene::new());
        to.lenience.allow_outside = true;
        from.fill(&rows);
        let text = exported(&from.path("store"), format);
        let outcome = to.import(layout(format), &text).unwrap();
        prop_assert_eq!(told(&outcome), [""; 0]);
        prop_assert_eq!(outcome.written, rows.len() as u64);
        prop_assert_eq!(sorted(to.rows()), sorted(rows));
    }

    #[test]
    fn a_mutated_file_is_taken_or_refused(
        format in prop_oneof![Just(Format::Csv), Just(Format::Jsonl)],
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6),
    ) {
        let scene = Scene::new();
        let mut octets = text(&[lease(10, 1), released(11, 2)], format).into_bytes();
        for (at, octet, how) in changes {
            let at = at.index(octets.len());
            match how {
                0 => octets[at] = octet,
                1 => drop(octets.remove(at)),
                2 => octets.insert(at, octet),
                _ => octets[at] ^= 1 << (octet % 8),
            }
        }
        for layout in [Layout::Jsonl, Layout::Csv, Layout::KeaCsv] {
            let outcome = scene.check(layout, &octets);
            prop_assert!(!outcome.faults.is_empty() || layout == super::layout(format));
        }
    }
}

#[test]
fn a_row_says_all_there_is_in_the_terms_of_the_field() {
    let rows = [lease(10, 5)];
    let json = text(&rows, Format::Jsonl);
    let mut lines = json.lines();
    assert_eq!(
        lines.next().unwrap(),
        concat!(
            r#"{"address":"10.0.0.10","space":0,"kind":"active","state":"active","#,
            r#""identity_type":"chaddr","identity":"01:02:00:00:00:00:05","#,
            r#""hw_type":1,"hw_address":"02:00:00:00:00:05","#,
            r#""since":1799999940,"since_utc":"2027-01-15T07:59:00Z","#,
            r#""expires":1800003600,"expires_utc":"2027-01-15T09:00:00Z","lease_time":3660,"#,
            r#""generation":3,"relay":"10.9.0.1","port":1,"outer_vlan":200,"inner_vlan":30,"#,
            r#""agent_info":"0102ab07"}"#,
        )
    );
    assert_eq!(lines.next(), Some(r#"{"end":true,"rows":1,"version":1}"#));
    let csv = text(&rows, Format::Csv);
    let due = "address,space,kind,state,identity_type,identity,hw_type,hw_address,since,since_utc,\
               expires,expires_utc,lease_time,generation,relay,port,outer_vlan,inner_vlan,agent_info\n\
               10.0.0.10,0,active,active,chaddr,01:02:00:00:00:00:05,1,02:00:00:00:00:05,1799999940,\
               2027-01-15T07:59:00Z,1800003600,2027-01-15T09:00:00Z,3660,3,10.9.0.1,1,200,30,0102ab07\n\
               end,1,1,,,,,,,,,,,,,,,,\n";
    assert_eq!(csv, due);
}

#[test]
fn what_is_absent_is_null_or_nothing() {
    let row = Row {
        kind: RecordKind::SetAside,
        expiry: u64::MAX,
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: Vec::new(),
        chaddr: Vec::new(),
        agent_info: Vec::new(),
        ..lease(10, 1)
    };
    let json = text(&[row], Format::Jsonl);
    let value: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let is_null =
        |(name, value): (&String, &serde_json::Value)| value.is_null().then(|| name.clone());
    let mut nulls: Vec<_> = value
        .as_object()
        .unwrap()
        .iter()
        .filter_map(is_null)
        .collect();
    nulls.sort_unstable();
    let due = [
        "agent_info",
        "expires",
        "expires_utc",
        "hw_address",
        "identity",
        "identity_type",
        "relay",
    ];
    assert_eq!(nulls, due);
    assert_eq!(value["state"], "abandoned");
}

#[test]
fn a_file_made_by_hand_needs_few_columns() {
    let mut scene = Scene::new();
    scene.lenience.no_end_mark = true;
    let text = "identity,identity_type,address,kind,expires,since,lease_time,hw_address\r\n\
                0102, client-id,10.0.0.10,active,,1800000000,4294967295,\n";
    let outcome = scene.check(Layout::Csv, text);
    assert!(told(&outcome)[0].starts_with("2: identity_type: ` client-id` is not client-id,"));
    let outcome = scene.import(Layout::Csv, text.replace(" client", "client"));
    assert_eq!(told(&outcome.unwrap()), [""; 0]);
    let [row] = &scene.rows()[..] else {
        panic!("one row");
    };
    let due = Row {
        generation: 1,
        time: NOW,
        expiry: u64::MAX,
        lease: u32::MAX,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: vec![1, 1, 2],
        htype: 0,
        chaddr: Vec::new(),
        agent_info: Vec::new(),
        ..lease(10, 1)
    };
    assert_eq!(*row, due);
}

#[test]
fn a_hundred_thousand_leases_are_streamed() {
    let scene = Scene::new();
    let other = Scene {
        lenience: Lenience {
            allow_outside: true,
            ..Lenience::default()
        },
        ..Scene::new()
    };
    let rows = (0..100_000u32).map(|n| Row {
        addr: Ipv4Addr::from_bits(0x0a02_0000 + n),
        identity: [&[1, 0][..], &n.to_be_bytes()].concat(),
        ..lease(0, 0)
    });
    scene.fill(&rows.collect::<Vec<_>>());
    for format in [Format::Csv, Format::Jsonl] {
        let text = exported(&scene.path("store"), format);
        let outcome = other.import(layout(format), text).unwrap();
        assert_eq!(told(&outcome), [""; 0]);
        let done = outcome.written + outcome.unchanged;
        assert_eq!((outcome.rows, done), (100_000, 100_000));
    }
    assert_eq!(other.rows().len(), 100_000);
}

#[test]
fn the_columns_are_those_that_are_documented() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/leases.md");
    let docs = fs::read_to_string(docs).unwrap();
    let rows = docs.lines().skip_while(|line| *line != "### Columns");
    let rows = rows.skip(1).take_while(|line| !line.starts_with("### "));
    let names: Vec<_> = rows
        .filter_map(|row| row.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(names, Column::ALL.map(Column::name));
}
