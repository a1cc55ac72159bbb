//! Signals, restarts, the log and the memory of a server.

use std::fs;

use lessor_tests::process::Process;
use rustix::process::Signal;

use crate::site::Site;

fn stops(mut server: Process, signal: Signal) -> String {
    server.signal(signal);
    let status = server.wait();
    let log = server.log();
    assert_eq!(status.code(), Some(0), "{log}");
    for event in ["event=server.stopping", "event=server.stopped"] {
        assert_eq!(log.matches(event).count(), 1, "{log}");
    }
    log
}

#[test]
fn a_server_that_is_asked_to_stop_ends_in_0_and_starts_again() {
    let site = Site::new();
    for signal in [Signal::TERM, Signal::INT, Signal::TERM] {
        let log = stops(site.serve(), signal);
        assert!(
            !log.contains("torn_tail") && !log.contains("ERROR"),
            "{log}"
        );
        assert!(!site.path("control.sock").exists());
    }
    let verified = site.lessor(&["store", "verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
}

#[test]
fn a_server_that_is_asked_to_stop_while_it_starts_stops() {
    let site = Site::new();
    let mut server = site.start();
    server.wait_for("event=store.opened");
    drop(stops(server, Signal::TERM));
    assert!(!site.path("control.sock").exists());
}

#[test]
fn the_socket_of_a_killed_server_is_replaced() {
    let site = Site::new();
    site.serve().kill();
    assert!(site.path("control.sock").exists());
    site.lessor(&["stats"])
        .complains(69, &["no server runs here"]);
    let server = site.serve();
    assert_eq!(site.lessor(&["stats"]).code, Some(0));
    drop(stops(server, Signal::TERM));
}

#[test]
fn every_line_of_the_log_has_an_event_that_comes_once() {
    let site = Site::new();
    let log = stops(site.serve(), Signal::TERM);
    let mut events: Vec<_> = log
        .lines()
        .map(|line| {
            let event = line.split("event=").nth(1);
            let event = event.unwrap_or_else(|| panic!("an event in {line:?}"));
            event.split(' ').next().unwrap()
        })
        .collect();
    let count = events.len();
    events.sort_unstable();
    events.dedup();
    assert_eq!(events.len(), count, "{log}");
}

#[test]
fn log_lines_are_json_if_so_wanted() {
    let site = Site::new();
    let path = site.path("log");
    let command = site.command(&["run", "--log-format", "json"]);
    let mut server = Process::start(command, &path);
    server.wait_for("server.ready");
    for line in stops_in_json(server).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["event"].is_string() && line["level"].is_string(),
            "{line}"
        );
    }
}

fn stops_in_json(mut server: Process) -> String {
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(0));
    server.log()
}

#[test]
fn a_good_file_with_a_warning_is_served() {
    let site = Site::new().but("bindings = 1000", "bindings = 10");
    let checked = site.lessor(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.stdout.contains("lessor.toml:1:1: warning: "),
        "{checked:?}"
    );
    let log = stops(site.serve(), Signal::TERM);
    assert!(log.contains("event=config.warning"), "{log}");
}

#[test]
fn a_server_of_the_usual_size_takes_memory_as_reckoned() {
    let site = Site::new()
        .but("max_parked = 256\n", "")
        .but("mbufs = 2048\n", "")
        .but("bindings = 1000\n", "");
    let server = site.serve();
    let status = fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    let mib = kib.unwrap().trim().parse::<u64>().unwrap() >> 10;
    // A page for each packet buffer, of which 65,536 hold parked replies, and 100,000 bindings.
    assert!((200..400).contains(&mib), "{mib} MiB");
}

#[test]
fn the_number_of_workers_may_change_between_two_starts() {
    let site = Site::new();
    site.fill_store(20);
    for (from, to) in [(1, 2), (2, 5), (5, 1)] {
        site.change(&format!("workers = {from}"), &format!("workers = {to}"));
        let server = site.serve();
        let stats = site.lessor(&["stats", "--json"]);
        let stats: serde_json::Value = serde_json::from_str(&stats.stdout).unwrap();
        assert_eq!(stats["workers"], to);
        assert_eq!(stats["counters"]["bindings"]["active"], 20);
        for host in 10..30 {
            let shown = site.lessor(&["leases", "show", &format!("10.77.0.{host}")]);
            assert!(shown.stdout.contains("active"), "{shown:?}");
        }
        drop(stops(server, Signal::TERM));
    }
}
