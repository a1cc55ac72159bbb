//! `lessor reservations`: added, listed and removed beside a running server, kept over `kill -9`,
//! and refused with the place of what is wrong.

use rustix::process::Signal;
use serde_json::Value;

use crate::site::{Ended, Site};

/// A site whose file has a reservation and a series.
fn site() -> Site {
    Site::new().but(
        "pools = [\"10.77.0.10-10.77.0.99\"]\n",
        "pools = [\"10.77.0.10-10.77.0.99\"]\n\n\
         [[networks.reservations]]\nhw_address = \"02:00:00:00:00:50\"\naddress = \"10.77.0.50\"\n\n\
         [[networks.reservations]]\nhw_address = \"02:00:00:00:01:00\"\naddress = \"10.77.0.60\"\n\
         count = 10\n",
    )
}

fn ask(site: &Site, arguments: &[&str]) -> Ended {
    site.lessor(&[&["reservations"], arguments].concat())
}

fn code(site: &Site, arguments: &[&str]) -> (Option<i32>, String) {
    let ended = ask(site, arguments);
    (ended.code, ended.stdout + &ended.stderr)
}

fn rows(site: &Site) -> Vec<Value> {
    let ended = ask(site, &["list", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn what_is_added_is_listed_and_kept_over_kill_9_until_it_is_removed() {
    let site = site();
    let mut server = site.serve();
    for (address, client) in [
        ("10.77.0.20", ["--hw-address", "02:00:00:00:00:20"]),
        ("10.77.0.120", ["--client-id", "01:02:00:00:00:00:21"]),
        ("10.77.0.21", ["--remote-id", "cpe-7"]),
    ] {
        let (code, said) = code(&site, &["add", address, client[0], client[1]]);
        assert_eq!(
            (code, said.starts_with("reserved: ")),
            (Some(0), true),
            "{said}"
        );
    }
    let circuit = [
        "add",
        "10.77.0.22",
        "--circuit-id",
        "eth 0/1",
        "--relay",
        "10.9.0.1",
    ];
    let added = ask(&site, &[&circuit[..], &["--json"]].concat());
    let outcome: Value = serde_json::from_str(&added.stdout).unwrap();
    assert_eq!(outcome["outcome"], "done", "{outcome}");
    assert_eq!(outcome["reservation"]["client"]["relay"], "10.9.0.1");
    let listed = rows(&site);
    let addresses: Vec<_> = listed
        .iter()
        .map(|row| row["address"].as_str().unwrap())
        .collect();
    let expected = [
        "10.77.0.20",
        "10.77.0.21",
        "10.77.0.22",
        "10.77.0.50",
        "10.77.0.60",
        "10.77.0.120",
    ];
    assert_eq!(addresses, expected);
    assert_eq!(
        (&listed[3]["source"], &listed[4]["count"]),
        (&"file".into(), &10.into())
    );
    let (_, table) = code(&site, &["list", "--source", "runtime"]);
    assert!(
        table.contains("client-id 01:02:00:00:00:00:21") && !table.contains("10.77.0.50"),
        "{table}"
    );

    server.kill();
    is_kept(&site, &listed);
}

/// After a kill, a stop in order, and a change of the file.
fn is_kept(site: &Site, listed: &[Value]) {
    let mut server = site.serve();
    assert_eq!(rows(site), listed);
    assert_eq!(code(site, &["remove", "10.77.0.20"]).0, Some(0));
    server.signal(Signal::TERM);
    assert!(server.wait().success());
    let mut server = site.serve();
    assert_eq!(rows(site).len(), listed.len() - 1);
    // A file that says otherwise wins, and is told of what it stands against.
    server.kill();
    site.change("address = \"10.77.0.50\"", "address = \"10.77.0.120\"");
    let server = site.serve();
    let log = server.log();
    let told = log
        .lines()
        .find(|line| line.contains("reservation.overridden"));
    assert!(
        told.is_some_and(|line| line.contains("10.77.0.120")),
        "{log}"
    );
    let held: Vec<_> = rows(site)
        .into_iter()
        .filter(|row| row["holds"] == false)
        .collect();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0]["source"], "runtime");
}

#[test]
fn a_wrong_command_line_is_refused_before_any_server_is_asked() {
    let site = site();
    let mac = "02:00:00:00:00:21";
    for (arguments, says) in [
        (&["add", "10.77.0.21"][..], "required"),
        (
            &["add", "10.77.0.300", "--hw-address", mac],
            "invalid value",
        ),
        (
            &["add", "10.77.0.21", "--hw-address", "02-00"],
            "hw_address: is not a hardware address",
        ),
        (
            &[
                "add",
                "10.77.0.21",
                "--hw-address",
                mac,
                "--client-id",
                "ab",
            ],
            "cannot be used with",
        ),
        (
            &["add", "10.77.0.21", "--circuit-id", "p7"],
            "exactly one of relay, relay_id",
        ),
        (
            &[
                "add",
                "10.77.0.21",
                "--remote-id",
                "x",
                "--relay",
                "10.0.0.1",
            ],
            "says nothing here",
        ),
        (&["remove"], "required"),
    ] {
        let (code, said) = code(&site, arguments);
        assert_eq!(code, Some(64), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
    }
    let (stopped, said) = code(&site, &["remove", "10.77.0.21"]);
    assert_eq!(stopped, Some(69), "{said}");
}

#[test]
fn what_the_server_cannot_do_is_refused_with_its_reason_and_an_exit_code() {
    let site = site();
    let mac = "02:00:00:00:00:21";
    let add = ["add", "10.77.0.21", "--hw-address", mac];
    let _server = site.serve();
    assert_eq!(code(&site, &add).0, Some(0));
    let before = rows(&site);
    for (arguments, status, says) in [
        (
            &add[..],
            65,
            "10.77.0.21 is reserved already, for hw 02:00:00:00:00:21",
        ),
        (
            &["add", "10.77.0.22", "--hw-address", mac],
            65,
            "has the reservation of 10.77.0.21",
        ),
        (
            &["add", "10.77.0.50", "--hw-address", "02:00:00:00:00:22"],
            65,
            "configuration file, which wins",
        ),
        (
            &["add", "10.77.0.22", "--hw-address", "02:00:00:00:01:09"],
            65,
            "reserves 10.77.0.69 for this client",
        ),
        (
            &["add", "10.77.0.1", "--remote-id", "x"],
            65,
            "the appliance's own address",
        ),
        (
            &["add", "10.77.0.255", "--remote-id", "x"],
            65,
            "network or broadcast address",
        ),
        (
            &["add", "10.78.0.1", "--remote-id", "x"],
            65,
            "in no subnet of space 0",
        ),
        (
            &["add", "10.77.0.22", "--remote-id", "x", "--space", "9"],
            65,
            "in no subnet of space 9",
        ),
        (&["remove", "10.77.0.65"], 65, "remove it there, and reload"),
        (&["remove", "10.77.0.23"], 1, "10.77.0.23 is not reserved"),
    ] {
        let (code, said) = code(&site, arguments);
        assert_eq!(code, Some(status), "{arguments:?}: {said}");
        assert!(said.contains(says), "{arguments:?}: {said}");
        let json = ask(&site, &[arguments, &["--json"]].concat());
        let outcome: Value = serde_json::from_str(&json.stdout).unwrap();
        assert!(outcome["why"].as_str().unwrap().contains(says), "{outcome}");
        assert_eq!(json.code, Some(status));
    }
    assert_eq!(rows(&site), before);
}
