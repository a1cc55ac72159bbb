//! A process that writes at full speed and is killed.

use super::*;
use crate::store::ring::ring;
use crate::store::{CommitOptions, Committer, JournalRing};
use dhcp_proto::record::Journal as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;

/// Names the directory to the process that is to be killed.
const DIR: &str = "LESSOR_TEST_KILL_DIR";
const TEST: &str = "store::log::tests::kill::what_a_killed_process_reported_durable_is_there";
const RINGS: u8 = 2;
/// Addresses of a ring, used in turn.
const ADDRESSES: u64 = 1000;

fn told_by(ring: u8, generation: u64) -> Told {
    let addr = u32::from(ring) << 16 | u32::try_from(generation % ADDRESSES).unwrap();
    active(addr, generation, ring + 1)
}

/// Writes until it is killed, and reports the newest durable generation of each ring.
fn write_for_ever(dir: &Path) {
    let (recovered, log) = Log::open(&dir.join("leases"), LogOptions::default()).unwrap();
    let base = recovered.summary().highest_generation;
    let report = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join("report"))
        .unwrap();
    report
        .write_all_at(&base.to_le_bytes(), u64::from(RINGS) * 8)
        .unwrap();
    let (rings, drains): (Vec<_>, Vec<_>) = (0..RINGS).map(|_| ring(4096)).unzip();
    let _committer = Committer::start(log, drains, CommitOptions::default()).unwrap();
    thread::scope(|scope| {
        for (number, ring) in (0..RINGS).zip(rings) {
            let report = &report;
            scope.spawn(move || fill(number, ring, base, report));
        }
    });
}

fn fill(number: u8, mut ring: JournalRing, base: u64, report: &File) {
    let mut reported = 0;
    loop {
        if ring.has_room() {
            let told = told_by(number, base + ring.appended() + 1);
            with_record(told, |record| ring.append(record));
        } else {
            thread::yield_now();
        }
        let durable = ring.durable();
        if durable > reported {
            reported = durable;
            let octets = (base + durable).to_le_bytes();
            report.write_all_at(&octets, u64::from(number) * 8).unwrap();
        }
    }
}

/// What each ring reported durable, and the generation behind which this life began.
fn reports(dir: &Path) -> (Vec<u64>, u64) {
    let octets = std::fs::read(dir.join("report")).unwrap_or_default();
    let mut reports: Vec<_> = octets
        .chunks_exact(8)
        .map(|report| u64::from_le_bytes(report.try_into().unwrap()))
        .collect();
    reports.resize(usize::from(RINGS) + 1, 0);
    let base = reports.pop().unwrap();
    (reports, base)
}

fn spawn(dir: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(DIR, dir)
        .spawn()
        .unwrap()
}

#[test]
fn what_a_killed_process_reported_durable_is_there() {
    if let Some(dir) = std::env::var_os(DIR) {
        write_for_ever(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for life in 0_u64..6 {
        let (before, _) = reports(dir.path());
        let more = |now: &[u64]| {
            let mut each = now.iter().zip(&before);
            each.all(|(now, before)| now - before > life * 3000)
        };
        let mut child = spawn(dir.path());
        while !more(&reports(dir.path()).0) {
            assert!(child.try_wait().unwrap().is_none(), "ended by itself");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (reported, base) = reports(dir.path());
        check(dir.path(), &reported, base);
    }
}

/// Of each ring the last records that were reported durable, or newer ones, are there.
fn check(dir: &Path, reported: &[u64], base: u64) {
    let (recovered, _) = Log::open(&dir.join("leases"), LogOptions::default()).unwrap();
    let mut found = BTreeMap::new();
    recovered
        .for_each_newest(|_, record| {
            found.insert(record.addr.to_bits(), record.generation);
        })
        .unwrap();
    for (ring, newest) in (0..RINGS).zip(reported) {
        let oldest = newest.saturating_sub(ADDRESSES - 1).max(base + 1);
        for generation in oldest..=*newest {
            let addr = told_by(ring, generation).addr;
            assert!(
                found[&addr] >= generation,
                "ring {ring} generation {generation}"
            );
        }
    }
}
