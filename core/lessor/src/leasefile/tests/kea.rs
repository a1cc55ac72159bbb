//! Kea's lease file.

use super::*;

const HEADER: &str = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,\
                      hostname,state,user_context,pool_id\n";

/// The rows of a Kea file in the store, and what was wrong.
fn imported(lines: &[&str]) -> (Vec<Row>, Vec<String>) {
    let scene = Scene::new();
    let text = format!("{HEADER}{}\n", lines.join("\n"));
    let outcome = scene.import(Layout::KeaCsv, text).unwrap();
    let told = told(&outcome);
    let rows = if told.is_empty() {
        scene.rows()
    } else {
        Vec::new()
    };
    (rows, told)
}

/// A lease as Kea tells of it.
fn of_kea(last: u8, client: u8) -> Row {
    Row {
        generation: 1,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        agent_info: Vec::new(),
        ..lease(last, client)
    }
}

#[test]
fn leases_are_taken_with_the_identity_that_the_network_goes_by() {
    let (rows, told) = imported(&[
        "10.0.0.10,02:00:00:00:00:05,,3660,1800003600,1,0,0,,0,,0",
        r#"10.0.0.11,02:00:00:00:00:06,01:02:00:00:00:00:06,3660,1800003600,1,1,1,host.example,0,{ "a": 1&#x2c "b": 2 },0"#,
        "10.0.0.12,02:00:00:00:00:07,ff:00,4294967295,6094967236,1,0,0,,0,,0",
        "10.0.0.13,,,86400,1800003600,1,0,0,,1,,0",
        "10.0.0.14,02:00:00:00:00:08,,60,1799990000,1,0,0,,2,,0",
        "10.0.0.15,02:00:00:00:00:09,,3660,1800003600,1,0,0,,3,,0",
    ]);
    assert_eq!(told, [""; 0]);
    let with_id = Row {
        identity: vec![1, 1, 2, 0, 0, 0, 0, 6],
        ..of_kea(11, 6)
    };
    // A client-id of ff:00 says nothing (C158), so the hardware address counts.
    let endless = Row {
        expiry: u64::MAX,
        lease: u32::MAX,
        time: 1_799_999_941,
        ..of_kea(12, 7)
    };
    let aside = Row {
        kind: RecordKind::SetAside,
        time: 1_800_003_600 - 86_400,
        lease: 86_400,
        identity: Vec::new(),
        htype: 0,
        chaddr: Vec::new(),
        ..of_kea(13, 0)
    };
    let reclaimed = Row {
        time: 1_799_989_940,
        expiry: 1_799_990_000,
        lease: 60,
        ..of_kea(14, 8)
    };
    let given_back = Row {
        kind: RecordKind::Released,
        ..of_kea(15, 9)
    };
    // What is not leased comes first.
    let due = [
        aside,
        reclaimed,
        given_back,
        of_kea(10, 5),
        with_id,
        endless,
    ];
    assert_eq!(rows, due);
}

#[test]
fn of_the_lines_of_an_address_the_last_counts() {
    let (rows, told) = imported(&[
        "10.0.0.10,02:00:00:00:00:05,,3660,1700003600,1,0,0,,0,,0",
        "10.0.0.11,02:00:00:00:00:06,,3660,1800003600,1,0,0,,0,,0",
        "10.0.0.11,02:00:00:00:00:06,,0,1800003600,1,0,0,,0,,0",
        "10.0.0.10,02:00:00:00:00:06,,3660,1800003600,1,0,0,,0,,0",
    ]);
    assert_eq!((rows, told), (vec![of_kea(10, 6)], Vec::new()));
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    for (line, due) in [
        (
            "10.0.0.x,,,1,1,1,0,0,,0,,0",
            "2: `10.0.0.x` is not an IPv4 address",
        ),
        (
            "10.0.0.10,2:0,,1,1,1,0,0,,0,,0",
            "2: `2:0` is not a hardware address",
        ),
        (
            "10.0.0.10,,,x,1,1,0,0,,0,,0",
            "2: `x` is not a lease time in seconds",
        ),
        (
            "10.0.0.10,,,1,x,1,0,0,,0,,0",
            "2: `x` is not a time in Unix seconds",
        ),
        (
            "10.0.0.10,,,1,1,1,0,0,,9,,0",
            "2: `9` is not a state from 0 to 3",
        ),
        (
            "10.0.0.10,,,1,1,1,0,0,,0,,",
            "2: the lease has neither hardware address nor client-id",
        ),
        (
            "10.0.0.10,,,1,1",
            "2: has 5 values, the line of names has 12",
        ),
        (
            "10.1.0.10,02:00:00:00:00:05,,1,1,1,0,0,,0,,0",
            "2: network `ring` knows its clients by their circuit",
        ),
        (
            "10.7.0.10,02:00:00:00:00:05,,1,1,1,0,0,,0,,0",
            "2: 10.7.0.10 is in no configured network",
        ),
        (
            "10.0.0.10,02:00:00:00:00:05,,1,99999999999999999,1,0,0,,0,,0",
            "2: ",
        ),
    ] {
        let (_, told) = imported(&[line]);
        assert!(
            told.len() == 1 && told[0].starts_with(due),
            "{told:?} instead of {due}"
        );
    }
    let scene = Scene::new();
    let told = |text: &str| told(&scene.check(Layout::KeaCsv, text));
    assert!(
        told("address,hwaddr\n")[0].starts_with("1: `client_id` is not the first line of a Kea")
    );
    let cut = format!("{HEADER}10.0.0.10,02:00:00:00:00:05,,3660,1800003600,1,0,0,,0,,0");
    assert_eq!(told(&cut), ["2: the file is cut off in this line"]);
}
