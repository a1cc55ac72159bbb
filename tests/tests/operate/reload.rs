//! SIGHUP and `lessor reload`: the file is taken whole or not at all, and says why.

use std::fs;

use lessor_tests::process::Process;
use lessor_tests::wait::until_true;
use rustix::process::Signal;
use serde_json::Value;

use crate::site::Site;

const POOL: &str = "10.77.0.10-10.77.0.99";

fn reload(site: &Site, arguments: &[&str]) -> (Option<i32>, Value) {
    let socket = site.path("control.sock").display().to_string();
    let mut all = vec!["reload", "--json", "--socket", &socket];
    all.extend(arguments);
    let ended = site.lessor(&all);
    (ended.code, serde_json::from_str(&ended.stdout).unwrap())
}

/// How many lines of the log have an event.
fn count(server: &Process, event: &str) -> usize {
    let event = format!("event={event}");
    let has = |line: &&str| line.split_whitespace().any(|word| word == event);
    server.log().lines().filter(has).count()
}

fn hang_up(server: &Process, event: &str) {
    let before = count(server, event);
    server.signal(Signal::HUP);
    until_true(event, || count(server, event) > before);
}

fn networks(site: &Site) -> Vec<String> {
    // The file, which would name the socket, may be bad.
    let socket = site.path("control.sock").display().to_string();
    let ended = site.lessor(&["stats", "--json", "--socket", &socket]);
    let stats: Value = serde_json::from_str(&ended.stdout).unwrap();
    let pools = stats["pools"].as_array().unwrap().iter();
    pools
        .map(|pool| pool["first"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_file_is_taken_by_sighup_and_by_command() {
    let site = Site::new();
    let server = site.serve();
    site.change(POOL, "10.77.0.20-10.77.0.99");
    hang_up(&server, "config.reloaded");
    assert_eq!(networks(&site), ["10.77.0.20"]);
    site.change("10.77.0.20-10.77.0.99", POOL);
    let ended = site.lessor(&["reload"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stdout.ends_with(": in force, 1 networks\n"),
        "{ended:?}"
    );
    assert_eq!(networks(&site), ["10.77.0.10"]);
    for _ in 0..20 {
        let (code, report) = reload(&site, &[]);
        assert_eq!(
            (code, &report["taken"]),
            (Some(0), &true.into()),
            "{report}"
        );
        assert_eq!(report["behind"], false);
    }
    assert_eq!(count(&server, "config.reloaded"), 22);
}

#[test]
fn a_bad_file_changes_nothing_and_all_its_faults_are_told() {
    let site = Site::new();
    let server = site.serve();
    let good = fs::read_to_string(site.path("lessor.toml")).unwrap();
    site.change(POOL, "10.77.0.10-10.99.0.99");
    site.change("name = \"home\"", "name = \"home\"\nnak_unknwon = true");
    hang_up(&server, "config.reload_refused");
    let log = server.log();
    for fault in [
        "did you mean `nak_unknown`?",
        "subnets[0].pools[0]",
        "nothing has changed",
    ] {
        assert!(log.contains(fault), "{fault} in {log}");
    }
    let (code, report) = reload(&site, &[]);
    assert_eq!((code, &report["taken"]), (Some(78), &false.into()));
    let faults = report["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{report}");
    assert!(
        faults.iter().all(|fault| fault["line"].as_u64() > Some(20)),
        "{report}"
    );
    // Without a socket given the file would have to name it: it is found to be bad here.
    let ended = site.lessor(&["reload"]);
    assert_eq!(ended.code, Some(78));
    assert!(
        ended.stdout.contains("not taken, nothing has changed"),
        "{ended:?}"
    );
    assert_eq!(networks(&site), ["10.77.0.10"], "it serves as before");
    fs::remove_file(site.path("lessor.toml")).unwrap();
    let (code, report) = reload(&site, &[]);
    assert_eq!(code, Some(66), "{report}");
    assert!(report["unreadable"].is_string());
    fs::write(site.path("lessor.toml"), good).unwrap();
    assert_eq!(reload(&site, &[]).0, Some(0));
}

#[test]
fn what_needs_a_restart_is_refused_by_name() {
    let site = Site::new();
    let _server = site.serve();
    site.change("bindings = 1000", "bindings = 2000");
    site.change(
        "device = \"net_ring0\"",
        "device = \"net_ring0\"\nmtu = 1400",
    );
    site.change("name = \"home\"", "name = \"home\"\nidentity = \"chaddr\"");
    let (code, report) = reload(&site, &[]);
    assert_eq!(code, Some(78));
    let needs = &report["needs_restart"];
    let expected = [
        "server.bindings",
        "ports[0].mtu",
        "the identity of network \"home\"",
    ];
    assert_eq!(needs, &Value::from(expected.to_vec()));
    site.change("bindings = 2000", "bindings = 1000");
    site.change("\nmtu = 1400", "");
    site.change("\nidentity = \"chaddr\"", "");
    assert_eq!(reload(&site, &[]).0, Some(0));
}

#[test]
fn leases_outside_the_new_pools_are_kept_and_named() {
    let site = Site::new();
    site.fill_store(8);
    let server = site.serve();
    site.change(POOL, "10.77.0.14-10.77.0.99");
    let (code, report) = reload(&site, &[]);
    assert_eq!(code, Some(0), "{report}");
    let outside = &report["outside"][0];
    assert_eq!(
        (&outside["network"], &outside["leases"]),
        (&"home".into(), &4.into())
    );
    assert_eq!(outside["examples"][0], "10.77.0.10");
    assert!(
        server
            .log()
            .contains("in no pool any more, kept to their end: 4 leases")
    );
    site.change("pools =", "exclude = [\"10.77.0.15\"]\npools =");
    let (_, report) = reload(&site, &[]);
    assert_eq!(
        report["excluded"][0]["examples"],
        Value::from(vec!["10.77.0.15"])
    );
    let shown = site.lessor(&["leases", "show", "10.77.0.10", "--json"]);
    assert!(shown.stdout.contains("\"active\""), "{shown:?}");
}

#[test]
fn leases_of_a_series_of_reservations_are_not_said_to_end() {
    let site = Site::new();
    site.fill_store(8);
    let _server = site.serve();
    site.change("pools =", "exclude = [\"10.77.0.10-10.77.0.17\"]\npools =");
    site.change(
        "[[networks.subnets]]",
        "[[networks.reservations]]\nhw_address = \"02:00:00:00:01:00\"\naddress = \"10.77.0.10\"\n\
         count = 6\n[[networks.subnets]]",
    );
    let (code, report) = reload(&site, &[]);
    assert_eq!(code, Some(0), "{report}");
    let expected = Value::from(vec!["10.77.0.16", "10.77.0.17"]);
    assert_eq!(report["excluded"][0]["examples"], expected, "{report}");
    assert_eq!(report["outside"], Value::Array(Vec::new()));
}

#[test]
fn a_network_that_was_missing_at_the_start_comes_back_by_a_restart_if_it_has_leases() {
    let site = Site::new();
    site.fill_store(7);
    site.change("prefix = \"10.77.0.0/24\"", "prefix = \"10.78.0.0/24\"");
    site.change(POOL, "10.78.0.10-10.78.0.99");
    let _server = site.serve();
    site.change("prefix = \"10.78.0.0/24\"", "prefix = \"10.77.0.0/24\"");
    site.change("10.78.0.10-10.78.0.99", POOL);
    let (code, report) = reload(&site, &["--force"]);
    assert_eq!(code, Some(78), "{report}");
    let needs = report["needs_restart"][0].as_str().unwrap();
    assert!(needs.contains("which a start alone reads"), "{needs}");
    assert_eq!(networks(&site), ["10.78.0.10"], "nothing has changed");
}

#[test]
fn a_network_with_leases_is_dropped_by_force_alone() {
    let site = Site::new();
    site.fill_store(7);
    let server = site.serve();
    site.change("prefix = \"10.77.0.0/24\"", "prefix = \"10.78.0.0/24\"");
    site.change(POOL, "10.78.0.10-10.78.0.99");
    hang_up(&server, "config.reload_refused");
    assert!(
        server
            .log()
            .contains("no network would have 7 leases of network \"home\"")
    );
    let (code, report) = reload(&site, &[]);
    assert_eq!((code, &report["taken"]), (Some(78), &false.into()));
    assert_eq!(report["dropped"][0]["leases"], 7);
    assert_eq!(networks(&site), ["10.77.0.10"], "nothing has changed");
    let (code, report) = reload(&site, &["--force"]);
    assert_eq!(
        (code, &report["taken"]),
        (Some(0), &true.into()),
        "{report}"
    );
    assert_eq!(networks(&site), ["10.78.0.10"]);
    let shown = site.lessor(&["leases", "show", "10.77.0.12", "--json"]);
    assert!(shown.stdout.contains("\"active\""), "{shown:?}");
    // It comes back, and its leases are its own again; nothing is dropped this time.
    site.change("prefix = \"10.78.0.0/24\"", "prefix = \"10.77.0.0/24\"");
    site.change("10.78.0.10-10.78.0.99", POOL);
    let (code, report) = reload(&site, &[]);
    assert_eq!(
        (code, &report["dropped"]),
        (Some(0), &Value::Array(Vec::new()))
    );
    let ended = site.lessor(&["stats", "--json"]);
    let stats: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(stats["pools"][0]["bound"], 7, "{stats}");
}

#[test]
fn a_sighup_during_the_start_is_heeded_when_it_serves() {
    let site = Site::new();
    let mut server = site.start();
    server.wait_for("event=store.opened");
    server.signal(Signal::HUP);
    server.wait_for("event=server.ready");
    until_true("the reload", || count(&server, "config.reloaded") == 1);
}
