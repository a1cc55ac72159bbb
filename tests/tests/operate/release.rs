//! `lessor leases release` and `lessor why` beside a server, and what they answer without one.

use lessor_tests::process::Process;
use lessor_tests::wait;
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use serde_json::Value;

use crate::site::{Ended, Site};

fn release(site: &Site, what: &[&str]) -> Ended {
    site.lessor(&[&["leases", "release"], what].concat())
}

/// How many leases are in a state.
fn count(site: &Site, state: &str) -> String {
    let ended = site.lessor(&["leases", "list", "--count", "--state", state]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[test]
fn a_lease_is_ended_by_its_address_or_its_client_and_stays_so_over_a_kill() {
    let site = Site::new();
    site.fill_store(5);
    let mut server = site.serve();
    let ended = release(&site, &["10.77.0.10"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.starts_with("released: 10.77.0.10"),
        "{ended:?}"
    );
    let log = server.log();
    assert!(
        log.contains("event=lease.released addr=10.77.0.10"),
        "{log}"
    );
    // The client by its hardware address, beside an address that has no lease.
    let ended = release(&site, &["03:03:03:03:03:03", "10.77.0.10"]);
    ended.complains(1, &["lessor: no lease of 10.77.0.10\n"]);
    assert!(
        ended.stdout.starts_with("released: 10.77.0.13"),
        "{ended:?}"
    );
    let ended = release(&site, &["10.77.0.14", "10.77.0.77", "--json"]);
    let rows = ended.stdout.lines().map(serde_json::from_str::<Value>);
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(ended.code, Some(1));
    assert_eq!(
        (&rows[0]["outcome"], &rows[1]["outcome"]),
        (&"done".into(), &"unknown".into())
    );
    assert_eq!(rows[0]["lease"]["address"], "10.77.0.14");
    server.signal(Signal::KILL);
    server.wait();
    assert_eq!(
        (count(&site, "active"), count(&site, "available")),
        ("2\n".into(), "3\n".into())
    );
    let _server = site.serve();
    release(&site, &["10.77.0.10"]).complains(1, &["no lease of 10.77.0.10"]);
    let ended = release(&site, &["10.77.0.11"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_lease_whose_end_the_disk_does_not_take_is_told_of_honestly() {
    let site = Site::new();
    site.fill_store(2);
    // A file too large is an error of the write, and not the end of the process.
    let run = site.run_by("sh", &["-ec", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    let mut server = Process::start(run, &site.path("log"));
    server.wait_for("server.ready");
    let limit = |octets| {
        let pid = Pid::from_raw(i32::try_from(server.id()).unwrap());
        let limit = Rlimit {
            current: octets,
            maximum: None,
        };
        prlimit(pid, Resource::Fsize, limit).unwrap();
    };
    // What is behind the head of a segment has no room.
    limit(Some(4096));
    let ended = release(&site, &["10.77.0.10"]);
    let honest = ended
        .stderr
        .contains("has ended, but the store has not taken that")
        || ended.stderr.contains("the store takes nothing now");
    assert!(honest, "{ended:?}");
    assert_eq!(ended.code, Some(74), "{ended:?}");
    // A record that is on its way gets there when the disk works.
    if ended.stderr.contains("has ended") {
        limit(None);
        wait::until_true("the end is on disk", || count(&site, "active") == "1\n");
    }
}

#[test]
fn without_a_server_there_is_nothing_to_end_or_to_ask() {
    let site = Site::new();
    site.fill_store(2);
    for what in ["10.77.0.10", "01:01:01:01:01:01"] {
        release(&site, &[what]).complains(69, &["no server runs here"]);
        site.lessor(&["why", what])
            .complains(69, &["no server runs here"]);
    }
    release(&site, &[]).complains(64, &["required"]);
    assert_eq!(count(&site, "active"), "2\n");
}

#[test]
fn who_is_asked_about_has_to_be_somebody_who_sent_something() {
    let site = Site::new();
    let _server = site.serve();
    let why = |what: &[&str]| site.lessor(&[&["why"], what].concat());
    for nobody in ["10.77.0.10", "02:00:00:00:00:05", "client-id 01:02:03"] {
        why(&[nobody]).complains(1, &["nothing is known of", nobody]);
        let json = why(&[nobody, "--json"]);
        assert_eq!((json.code, json.stdout.as_str()), (Some(1), ""));
    }
    for wrong in ["x", "0.0.0.0", "hw zz", "circuit zz", ""] {
        why(&[wrong]).complains(64, &["is neither an IPv4 address nor"]);
    }
    why(&["10.77.0.10", "-n", "0"]).complains(64, &["from 1 to 1000"]);
    why(&["10.77.0.10", "-n", "1001"]).complains(64, &["from 1 to 1000"]);
}

#[test]
fn a_server_that_remembers_nothing_says_so() {
    let site = Site::new().but("workers = 1\n", "workers = 1\ntrace = 0\n");
    let _server = site.serve();
    site.lessor(&["why", "10.77.0.10"])
        .complains(1, &["server.trace is too small"]);
}
