//! What indexing and merging cost, and whether they keep up with a store thread at full speed.

use crate::scratch::Scratch;
use crate::tally::{cpu, heading};
use lessor::store::{Log, LogOptions, Store as _};
use lessor_benches::Client;
use lessor_benches::fill::{AgentInfo::Usual, RECORD, in_disorder, lease_all};
use std::time::{Duration, Instant};

const UPKEEP: &str = "store-upkeep";

/// Leases to `bindings` clients and their renewals, each in random order, batches of 4,096.
pub(crate) fn run(bindings: u32) {
    let scratch = Scratch::new();
    let (recovered, mut log) = Log::open(scratch.path(), LogOptions::default()).expect("a log");
    log.keep_house(recovered).expect("a thread");
    heading("upkeep");
    let passes = ["first lease", "renewal", "renewal again", "and again"];
    for (name, pass) in passes.into_iter().zip(0..) {
        watched(&mut log, &in_disorder(bindings, pass), name);
    }
    settle(&log);
    let view = log.house_meter().view();
    println!("at rest: {view:?}");
    log.close().expect("a store closed in order");
}

/// Commits, and prints what the two threads took for it.
pub(crate) fn watched(log: &mut Log, clients: &[Client], pass: &str) {
    let meter = log.house_meter();
    let before = meter.view();
    let known = |view: &lessor::store::HouseView| view.octets + view.freed_octets;
    let (begin, upkeep) = (Instant::now(), cpu(UPKEEP));
    let mut most_behind = 0;
    lease_all(log, clients, Usual, |records| {
        if records % (64 << 12) == 0 {
            let written = records * RECORD as u64;
            let taken = known(&meter.view()).saturating_sub(known(&before));
            most_behind = most_behind.max(written.saturating_sub(taken));
        }
        true
    });
    let took = begin.elapsed().as_secs_f64();
    let millions = clients.len() as f64 / 1e6;
    let after = meter.view();
    println!(
        "{pass}: {:.0} records/s; upkeep {:.2} s of a core a million records ({:.0} % of a core); \
         most octets not indexed yet {} MiB; {} merges copied {} MiB, snapshots {} MiB, waited {} times",
        clients.len() as f64 / took,
        (cpu(UPKEEP) - upkeep) / millions,
        (cpu(UPKEEP) - upkeep) / took * 100.0,
        most_behind >> 20,
        after.merges - before.merges,
        (after.merged_octets - before.merged_octets) >> 20,
        (after.snapshot_octets - before.snapshot_octets) >> 20,
        after.yields - before.yields,
    );
}

/// Waits until the housekeeper has nothing more to do.
pub(crate) fn settle(log: &Log) {
    let meter = log.house_meter();
    let (mut last, mut since) = (meter.view(), Instant::now());
    while since.elapsed() < Duration::from_millis(500) {
        std::thread::sleep(Duration::from_millis(20));
        let now = meter.view();
        // While a merge writes, its file is the reserve, and nothing else may change for long.
        if now != last || now.reserve_octets == 0 {
            (last, since) = (now, Instant::now());
        }
    }
}
