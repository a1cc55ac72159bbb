//! A wall clock that is not what the store says: `lessor clock show` and `lessor clock accept`.

use std::time::{SystemTime, UNIX_EPOCH};

use lessor_tests::process::Process;
use lessor_tests::wait::until_true;
use serde_json::Value;

use crate::site::Site;

/// The last time that the store knows, years ago.
const THEN: u64 = 1_700_000_000;

fn json(site: &Site, arguments: &[&str]) -> Value {
    let ended = site.lessor(arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn clock(site: &Site) -> Value {
    json(site, &["clock", "show", "--json"])
}

fn held(site: &Site) -> Value {
    json(site, &["stats", "--json"])["counters"]["bindings"]["clock_held"].clone()
}

fn state(site: &Site, addr: &str) -> Value {
    json(site, &["leases", "show", addr, "--json"])["state"].clone()
}

/// Waits until an address is in that state: a worker that has no time leaves the answer to the
/// store, which knows nothing of the server's clock.
fn until_state(site: &Site, addr: &str, wanted: &str) {
    until_true(wanted, || state(site, addr) == wanted);
}

/// A store of three leases that were good at its last second, and one that was over.
fn old_store() -> Site {
    let site = Site::new();
    site.fill_store_with([
        (THEN - 5000, THEN - 1400),
        (THEN - 1800, THEN + 1800),
        (THEN - 60, THEN + 3540),
        (THEN, THEN + 3600),
    ]);
    site
}

const LEASES: [&str; 3] = ["10.77.0.11", "10.77.0.12", "10.77.0.13"];

fn serves_held(site: &Site) -> (Process, u64) {
    let server = site.serve();
    let log = server.log();
    let alarm = log.lines().find(|line| line.contains("event=clock.held"));
    let alarm = alarm.unwrap_or_else(|| panic!("{log}"));
    for part in ["WARN", "bindings=3", "newest=\"2023-11-14T22:13:20Z\""] {
        assert!(alarm.contains(part), "{alarm}");
    }
    let shown = clock(site);
    assert_eq!(shown["state"], "held", "{shown}");
    assert_eq!(shown["newest_at_start"], THEN);
    // A worker says so in its next turn.
    until_true("three held", || {
        clock(site)["held"]["bindings"] == 3 && held(site) == 3
    });
    until_state(site, "10.77.0.10", "expired");
    for addr in LEASES {
        until_state(site, addr, "active");
    }
    (server, shown["held"]["until"].as_u64().unwrap())
}

#[test]
fn c195_a_clock_that_jumped_is_held_over_restarts_until_it_is_accepted() {
    let site = old_store();
    let (mut server, until) = serves_held(&site);
    server.kill();
    let (mut server, still) = serves_held(&site);
    assert!(still <= until + 2, "{still} {until}");
    let shown = site.lessor(&["clock", "show"]);
    assert!(shown.stdout.contains("lessor clock accept"), "{shown:?}");
    let accepted = json(&site, &["clock", "accept", "--json"]);
    assert_eq!(accepted["was_held"], true);
    assert_eq!(accepted["bindings"], 3);
    assert_eq!(clock(&site)["state"], "ok");
    until_true("nothing held", || held(&site) == 0);
    until_true("expired", || {
        LEASES.iter().all(|addr| state(&site, addr) == "expired")
    });
    assert!(server.log().contains("event=clock.accepted bindings=3"));
    server.kill();
    let server = site.serve();
    assert!(!server.log().contains("event=clock."), "{}", server.log());
    assert_eq!(clock(&site)["state"], "ok");
    until_state(&site, LEASES[0], "expired");
    let again = site.lessor(&["clock", "accept"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(again.stdout.contains("nothing was changed"), "{again:?}");
}

#[test]
fn c195_a_clock_that_was_accepted_is_not_held_however_soon_the_server_is_killed() {
    let site = old_store();
    let (mut server, _) = serves_held(&site);
    let accepted = json(&site, &["clock", "accept", "--json"]);
    server.kill();
    assert_eq!(accepted["was_held"], true);
    let _server = site.serve();
    assert_eq!(clock(&site)["state"], "ok");
    until_state(&site, LEASES[0], "expired");
}

#[test]
fn c195_a_hold_that_nobody_ends_is_over_after_a_default_lease() {
    let site = Site::new().but("pools =", "lease_time = \"2s\"\npools =");
    site.fill_store_with([(THEN, THEN + 3600)]);
    let mut server = site.serve();
    assert!(server.log().contains("event=clock.held"));
    server.wait_for("event=clock.hold_over");
    assert_eq!(clock(&site)["state"], "ok");
    until_true("expired", || state(&site, "10.77.0.10") == "expired");
    assert_eq!(held(&site), 0);
}

#[test]
fn c195_a_clock_that_is_behind_is_told_and_leases_run_by_the_newest_record() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let later = now.as_secs() + 86_400;
    let site = Site::new();
    site.fill_store_with([(later - 4000, later - 400), (later, later + 3600)]);
    let server = site.serve();
    let log = server.log();
    assert!(
        log.contains("event=clock.behind") && !log.contains("event=clock.held"),
        "{log}"
    );
    let shown = clock(&site);
    assert_eq!(shown["state"], "behind");
    let behind = shown["behind"].as_u64().unwrap();
    assert!((86_300..=86_400).contains(&behind), "{shown}");
    assert!(shown["inner"].as_u64().unwrap() >= later);
    until_state(&site, "10.77.0.10", "expired");
    until_state(&site, "10.77.0.11", "active");
}

#[test]
fn the_clock_of_no_server_is_not_shown() {
    let site = Site::new();
    for action in ["show", "accept"] {
        site.lessor(&["clock", action])
            .complains(69, &["no server runs here"]);
    }
}
