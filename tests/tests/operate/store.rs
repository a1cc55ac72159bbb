//! What can be wrong with a store, at the start and for `lessor store verify`.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use lessor_tests::may_make_namespaces;
use rustix::process::Signal;
use serde_json::Value;

use crate::site::Site;

/// Turns an octet of the lease of `client` over.
fn damage(file: &Path, client: u8) {
    let octets = fs::read(file).unwrap();
    let at = octets.windows(7).position(|seven| seven == [client; 7]);
    let at = at.unwrap() as u64;
    let file = OpenOptions::new().read(true).write(true).open(file);
    let file = file.unwrap();
    let mut octet = [0];
    file.read_exact_at(&mut octet, at).unwrap();
    file.write_all_at(&[!octet[0]], at).unwrap();
}

/// Cuts the newest batch in two.
fn tear(file: &Path) {
    let octets = fs::read(file).unwrap();
    let content = octets.iter().rposition(|octet| *octet != 0).unwrap();
    let file = OpenOptions::new().write(true).open(file).unwrap();
    file.set_len(content as u64 - 8).unwrap();
}

#[test]
fn a_file_in_the_place_of_the_directory_is_told() {
    let site = Site::new();
    fs::write(site.path("store"), "a file").unwrap();
    let ended = site.refused();
    ended.complains(73, &["is not a directory", "event=server.failed"]);
}

#[test]
fn a_directory_on_a_read_only_file_system_is_told() {
    if !may_make_namespaces() {
        return;
    }
    let site = Site::new();
    site.fill_store(1);
    let store = site.path("store").display().to_string();
    let script = format!(
        "mount --bind '{store}' '{store}'; mount -o remount,ro,bind '{store}'; exec \"$0\" \"$@\""
    );
    let ended = site.refused_as(site.run_by("unshare", &["--mount", "sh", "-ec", &script]));
    ended.complains(73, &["is not writable", "mounted read-write"]);
}

#[test]
fn a_second_server_is_told_who_has_the_store() {
    let site = Site::new();
    let mut first = site.serve();
    let other = site.path("other.sock").display().to_string();
    let own = site.path("control.sock").display().to_string();
    site.change(&own, &other);
    let second = site.refused();
    second.complains(69, &[&format!("in use by process {}", first.id())]);
    assert!(first.ended().is_none());
    site.change(&other, &own);
    assert_eq!(site.lessor(&["stats"]).code, Some(0));
}

#[test]
fn a_store_of_a_newer_release_is_left_alone() {
    let site = Site::new();
    site.fill_store(1);
    fs::write(site.path("store/format"), "lessor-store 99\n").unwrap();
    for command in [&["run"][..], &["leases", "list"], &["store", "verify"]] {
        site.lessor(command)
            .complains(65, &["has format version 99, this release knows"]);
    }
    let format = fs::read_to_string(site.path("store/format")).unwrap();
    assert_eq!(format, "lessor-store 99\n");
}

#[test]
fn damage_to_what_was_acknowledged_is_refused_with_its_place() {
    let site = Site::new();
    site.fill_store(20);
    let [segment] = &site.segments()[..] else {
        panic!("one segment");
    };
    damage(segment, 10);
    let name = segment.file_name().unwrap().to_str().unwrap();
    let ended = site.refused();
    ended.complains(
        65,
        &[
            "store is damaged",
            name,
            "at offset ",
            "event=server.failed",
        ],
    );
    let verified = site.lessor(&["store", "verify"]);
    assert_eq!(verified.code, Some(65), "{verified:?}");
    assert!(verified.stdout.contains(name), "{verified:?}");
    let verified = site.lessor(&["store", "verify", "--json"]);
    let report: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!(
        (verified.code, &report["ok"]),
        (Some(65), &Value::Bool(false))
    );
    assert!(report["faults"][0]["offset"].as_u64().unwrap() > 0);
}

#[test]
fn a_torn_tail_is_cut_with_a_warning_and_the_rest_is_served() {
    let site = Site::new();
    site.fill_store(5);
    tear(site.segments().last().unwrap());
    let verified = site.lessor(&["store", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(
        verified.stdout.contains("of a batch being written"),
        "{verified:?}"
    );
    let verified = site.lessor(&["store", "verify", "--json"]);
    let report: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert!(report["torn_tail"]["offset"].as_u64().unwrap() > 0);
    let mut server = site.serve();
    let log = server.log();
    assert!(
        log.contains("WARN") && log.contains("event=store.torn_tail"),
        "{log}"
    );
    assert!(log.contains("event=bindings.restored bindings=4"), "{log}");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let verified = site.lessor(&["store", "verify"]);
    assert_eq!((verified.code, verified.stderr.as_str()), (Some(0), ""));
    assert!(
        verified.stdout.starts_with("snapshot up to "),
        "{verified:?}"
    );
    assert!(verified.stdout.contains("0 faults;"), "{verified:?}");
}

#[test]
fn a_repair_says_what_would_be_lost_and_then_loses_no_more_than_that() {
    let site = Site::new();
    site.fill_store(20);
    let [segment] = &site.segments()[..] else {
        panic!("one segment");
    };
    let name = segment.file_name().unwrap().to_str().unwrap();
    damage(segment, 10);
    let before = fs::read(segment).unwrap();
    let planned = site.lessor(&["store", "repair"]);
    assert_eq!(planned.code, Some(65), "{planned:?}");
    for says in [
        name,
        "19 can be saved, 1 would be lost",
        "nothing has been changed",
    ] {
        assert!(planned.stdout.contains(says), "{planned:?}");
    }
    assert_eq!(fs::read(segment).unwrap(), before);
    let done = site.lessor(&["store", "repair", "--yes", "--json"]);
    let report: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &report["done"]), (Some(0), &Value::Bool(true)));
    assert_eq!(report["replaced"][0]["records_saved"], 19);
    let kept = fs::read_dir(site.path("store")).unwrap().find_map(|entry| {
        let entry = entry.unwrap();
        let copy = entry.file_name().to_string_lossy().starts_with("damaged-");
        copy.then(|| fs::read(entry.path()).unwrap())
    });
    assert_eq!(kept, Some(before));
    assert_eq!(site.lessor(&["store", "verify"]).code, Some(0));
    let again = site.lessor(&["store", "repair"]);
    assert!(again.stdout.contains("nothing to repair"), "{again:?}");
    let server = site.serve();
    let log = server.log();
    assert!(log.contains("event=bindings.restored bindings=19"), "{log}");
    site.lessor(&["store", "repair", "--yes"])
        .complains(69, &["in use by process"]);
}

#[test]
fn the_state_of_the_store_is_told_with_and_without_a_server() {
    let site = Site::new();
    site.lessor(&["store", "stats"])
        .complains(66, &["no lease store"]);
    site.fill_store(7);
    let stats = site.lessor(&["store", "stats"]);
    assert_eq!(stats.code, Some(0), "{stats:?}");
    for says in ["addresses            7", "server               not running"] {
        assert!(stats.stdout.contains(says), "{stats:?}");
    }
    let mut server = site.serve();
    let stats = site.lessor(&["store", "stats", "--json"]);
    let report: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!(report["addresses"], 7, "{report}");
    assert_eq!(report["running"]["trouble"], Value::Null);
    assert!(report["running"]["reserve_octets"].as_u64().unwrap() > 0);
    let text = site.lessor(&["store", "stats"]).stdout;
    assert!(text.contains("commit p50 / p99"), "{text}");
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    let stats = site.lessor(&["store", "stats"]);
    assert!(stats.stdout.contains("up to record"), "{stats:?}");
}

#[test]
fn without_a_server_leases_are_listed_and_shown_from_the_store() {
    let site = Site::new();
    site.fill_store(3);
    let listed = site.lessor(&["leases", "list"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(0), 4));
    assert!(
        listed.stdout.contains("10.77.0.12       active     never"),
        "{listed:?}"
    );
    let shown = site.lessor(&["leases", "show", "10.77.0.11", "--json"]);
    let lease: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(lease["address"], "10.77.0.11");
    let none = site.lessor(&["leases", "show", "10.77.0.77"]);
    none.complains(1, &["no lease of 10.77.0.77"]);
}

#[test]
fn the_engine_none_says_loudly_that_it_keeps_nothing() {
    let site = Site::new().but("\"log\"", "\"none\"");
    let server = site.serve();
    let log = server.log();
    let warning = log
        .lines()
        .find(|line| line.contains("event=store.not_durable"));
    let warning = warning.unwrap();
    assert!(
        warning.contains("WARN") && warning.contains("ACKs are NOT durable"),
        "{log}"
    );
    assert!(!site.path("store").exists());
}
