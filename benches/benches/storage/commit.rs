//! What a commit costs: bare append and fdatasync, the log, and the log beside its merge.
//!
//! The merge is kept running by a store of a million addresses that is four fifths dead, to which
//! the commits add. Only commits beside it are counted: while a merge writes, its file is the
//! reserve, so the reserve is gone.

use crate::scratch::Scratch;
use crate::tally::{Times, heading, spread, verdict};
use dhcp_proto::record::Journal as _;
use lessor::store::ring::{DEFAULT_SLOTS, Drain, JournalRing, ring};
use lessor::store::{Batch, Log, LogOptions, Store as _};
use lessor_benches::Client;
use lessor_benches::fill::{
    AgentInfo::Usual, commit, encode_lease, in_disorder, lease_all, with_lease,
};
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

const SEGMENT: u64 = 64 << 20;
const SIZES: [usize; 4] = [1, 64, 1024, 4096];
/// What the log may cost beside the bare file, and the merge beside the log.
const LEAST_RATIO: f64 = 0.8;
const MOST_P99: f64 = 3.0;

/// How thoroughly.
pub(crate) struct Effort {
    turns: usize,
    turn: Duration,
    /// Addresses, and how often each is in the store that is merged.
    addresses: u32,
    times: u64,
}

pub(crate) const THOROUGH: Effort = Effort {
    turns: 5,
    turn: Duration::from_millis(1500),
    addresses: 1_000_000,
    times: 5,
};

pub(crate) const QUICK: Effort = Effort {
    turns: 1,
    turn: Duration::from_millis(500),
    addresses: 200_000,
    times: 8,
};

/// One column of one batch size.
#[derive(Default)]
struct Column {
    times: Times,
    /// Records a second of each turn.
    rates: Vec<f64>,
    merges: u64,
    merged: u64,
    yields: u64,
}

impl Column {
    fn turn(&mut self, times: Times, size: usize) {
        let records = times.len() * size;
        if records > 0 {
            self.rates.push(records as f64 / times.sum().as_secs_f64());
        }
        self.times.append(times);
    }
}

/// Clients whose leases are committed over and over, in an order that has nothing to do with
/// addresses. A worker has written a record moments before it is committed, so here too.
struct Source {
    clients: Vec<Client>,
    at: usize,
    octets: Vec<u8>,
    worker: JournalRing,
    drain: Drain,
}

impl Source {
    fn new(clients: Vec<Client>) -> Self {
        let (worker, drain) = ring(DEFAULT_SLOTS);
        Self {
            clients,
            at: 0,
            octets: Vec::new(),
            worker,
            drain,
        }
    }

    fn next(&mut self, size: usize) -> &[Client] {
        if self.at + size > self.clients.len() {
            self.at = 0;
        }
        let from = self.at;
        self.at += size;
        &self.clients[from..self.at]
    }

    /// As many records, encoded one behind the other.
    fn encoded(&mut self, size: usize) -> &[u8] {
        let mut octets = core::mem::take(&mut self.octets);
        octets.clear();
        for client in self.next(size) {
            encode_lease((*client, Usual), &mut octets);
        }
        self.octets = octets;
        &self.octets
    }

    /// As many records in the ring.
    fn fill_ring(&mut self, size: usize) {
        for at in 0..size {
            let client = self.next(1)[0];
            let sequence = with_lease((client, Usual), |lease| self.worker.append(lease));
            assert!(sequence > 0, "record {at} of {size} is in the ring");
        }
    }

    /// Fills the ring and takes the records out of it, as the store thread does; says how long the
    /// taking took.
    fn batch(&mut self, size: usize, log: &Log, mut batch: Batch) -> (Batch, Duration) {
        self.fill_ring(size);
        let begin = Instant::now();
        batch.reset(log.next_lsn());
        self.drain.take(0, &mut batch, usize::MAX);
        (batch, begin.elapsed())
    }
}

pub(crate) fn run(effort: &Effort) {
    let mut source = Source::new(in_disorder(effort.addresses, 0));
    let template = Scratch::new();
    let (_, mut log) = Log::open(template.path(), LogOptions::default()).expect("a log");
    for pass in 1..=effort.times {
        let clients = in_disorder(effort.addresses, pass);
        lease_all(&mut log, &clients, Usual, |_| true);
    }
    log.close().expect("a store closed in order");
    drop(log);
    heading("commit");
    println!(
        "| batch | what | records/s (lowest - highest turn) | commits | p50 ms | p99 ms | p99.9 ms \
         | beside the bare file | p99 beside the log | merged |\n\
         |---|---|---|---|---|---|---|---|---|---|"
    );
    for size in SIZES {
        let mut columns: [Column; 4] = Default::default();
        for _ in 0..effort.turns {
            bare(&mut columns[0], size, &mut source, effort.turn);
            let scratch = Scratch::new();
            let (_, mut log) = Log::open(scratch.path(), LogOptions::default()).expect("a log");
            let [times, drained] = commits(&mut log, size, &mut source, effort.turn);
            columns[1].turn(times, size);
            columns[2].turn(drained, size);
            drop((log, scratch));
            merging(
                &mut columns[3],
                size,
                &mut source,
                (effort, template.path()),
            );
        }
        rows(size, &mut columns);
    }
}

/// Appends the same octets to a file, and syncs.
fn bare(column: &mut Column, size: usize, source: &mut Source, length: Duration) {
    let scratch = Scratch::new();
    let mut times = Times::default();
    let (mut at, mut number) = (SEGMENT, 0);
    let mut file = None;
    let begin = Instant::now();
    while begin.elapsed() < length {
        let octets = source.encoded(size);
        let begin = Instant::now();
        if at + octets.len() as u64 > SEGMENT {
            number += 1;
            file = File::create(scratch.path().join(number.to_string())).ok();
            at = 0;
        }
        let file = file.as_ref().expect("a file for the bench");
        file.write_all_at(octets, at).expect("write");
        file.sync_data().expect("sync");
        at += octets.len() as u64;
        times.add(begin.elapsed());
    }
    column.turn(times, size);
}

/// The same by the log, numbers, checksums, blocks and segments included; and that with the
/// records taken out of a worker's ring, which the bare file has for nothing.
fn commits(log: &mut Log, size: usize, source: &mut Source, length: Duration) -> [Times; 2] {
    let mut times: [Times; 2] = Default::default();
    let mut batch = Batch::new(log.next_lsn());
    let begin = Instant::now();
    while begin.elapsed() < length {
        let (taken, drain) = source.batch(size, log, batch);
        let begin = Instant::now();
        batch = commit(log, taken);
        let took = begin.elapsed();
        times[0].add(took);
        times[1].add(took + drain);
    }
    times
}

/// The same beside a merge, in a copy of the store at `template`.
fn merging(
    column: &mut Column,
    size: usize,
    source: &mut Source,
    (effort, template): (&Effort, &Path),
) {
    let scratch = Scratch::linked(template);
    let opened = Log::open(scratch.path(), LogOptions::default());
    let (recovered, mut log) = opened.expect("a log");
    let meter = log.house_meter();
    log.keep_house(recovered).expect("a thread");
    let is_merging = || {
        let view = meter.view();
        view.addresses > 0 && view.reserve_octets == 0
    };
    let mut times = Times::default();
    let mut batch = Batch::new(log.next_lsn());
    let begin = Instant::now();
    let mut beside = is_merging();
    // It may begin late, and end early.
    while times.sum() < effort.turn && begin.elapsed() < 3 * effort.turn {
        let (taken, _) = source.batch(size, &log, batch);
        let begin = Instant::now();
        batch = commit(&mut log, taken);
        let took = begin.elapsed();
        let still = is_merging();
        if beside || still {
            times.add(took);
        }
        beside = still;
    }
    column.turn(times, size);
    let view = meter.view();
    column.merges += view.merges;
    column.merged += view.merged_octets;
    column.yields += view.yields;
}

fn rows(size: usize, columns: &mut [Column; 4]) {
    let bare = spread(&columns[0].rates).0;
    let log_p99 = columns[1].times.percentile(990);
    let names = ["append + fdatasync", "log", "ring + log", "log, merging"];
    for (column, name) in columns.iter_mut().zip(names) {
        let (rate, lowest, highest) = spread(&column.rates);
        let times = &mut column.times;
        let (p50, p99) = (times.percentile(500), times.percentile(990));
        let ratio = rate / bare;
        let beside_bare = match name {
            "append + fdatasync" => "-".to_owned(),
            "log" => format!("{ratio:.2} {}", verdict(ratio >= LEAST_RATIO)),
            _ => format!("{ratio:.2}"),
        };
        let slower = p99 / log_p99;
        let (beside_log, merged) = if name == "log, merging" {
            let merged = format!(
                "{} merges, {} MiB, waited {} times",
                column.merges,
                column.merged >> 20,
                column.yields
            );
            (
                format!("{slower:.1} {}", verdict(slower <= MOST_P99)),
                merged,
            )
        } else {
            ("-".to_owned(), "-".to_owned())
        };
        println!(
            "| {size} | {name} | {rate:.0} ({lowest:.0} - {highest:.0}) | {} | {p50:.2} | {p99:.2} \
             | {:.2} | {beside_bare} | {beside_log} | {merged} |",
            times.len(),
            times.percentile(999)
        );
    }
}
