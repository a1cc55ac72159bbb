//! What a commit costs: bare append and fdatasync, the log, and the log beside its merge.
//!
//! The merge is kept running by a store of a million addresses that is four fifths dead, to which
//! the commits add. Only commits beside it are counted: while a merge writes, its file is the
//! reserve, so the reserve is gone.

use crate::fill::{RECORD, commit, encode_lease, in_disorder, lease_all};
use crate::scratch::Scratch;
use crate::tally::{Times, heading, spread, verdict};
use lessor::store::{Batch, Log, LogOptions, Store as _};
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

/// Records that are committed over and over, in an order that has nothing to do with addresses.
struct Pool {
    octets: Vec<u8>,
    at: usize,
}

impl Pool {
    fn next(&mut self, size: usize) -> &[u8] {
        let octets = size * RECORD;
        if self.at + octets > self.octets.len() {
            self.at = 0;
        }
        let from = self.at;
        self.at += octets;
        &self.octets[from..self.at]
    }
}

pub(crate) fn run(effort: &Effort) {
    let clients = in_disorder(effort.addresses, 0);
    let mut pool = Pool {
        octets: Vec::new(),
        at: 0,
    };
    for client in &clients {
        encode_lease(*client, &mut pool.octets);
    }
    let template = Scratch::new();
    let (_, mut log) = Log::open(template.path(), LogOptions::default()).expect("a log");
    for pass in 1..=effort.times {
        lease_all(&mut log, &in_disorder(effort.addresses, pass), |_| ());
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
        let mut columns: [Column; 3] = Default::default();
        for _ in 0..effort.turns {
            bare(&mut columns[0], size, &mut pool, effort.turn);
            let scratch = Scratch::new();
            let (_, mut log) = Log::open(scratch.path(), LogOptions::default()).expect("a log");
            let times = commits(&mut log, size, &mut pool, effort.turn);
            columns[1].turn(times, size);
            drop((log, scratch));
            merging(&mut columns[2], size, &mut pool, (effort, template.path()));
        }
        rows(size, &mut columns);
    }
}

/// Appends the same octets to a file, and syncs.
fn bare(column: &mut Column, size: usize, pool: &mut Pool, length: Duration) {
    let scratch = Scratch::new();
    let mut times = Times::default();
    let (mut at, mut number) = (SEGMENT, 0);
    let mut file = None;
    let begin = Instant::now();
    while begin.elapsed() < length {
        let octets = pool.next(size);
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

/// The same by the log: numbers, checksums, blocks and segments included.
fn commits(log: &mut Log, size: usize, pool: &mut Pool, length: Duration) -> Times {
    let mut times = Times::default();
    let mut batch = Batch::new(log.next_lsn());
    let begin = Instant::now();
    while begin.elapsed() < length {
        let octets = pool.next(size);
        let begin = Instant::now();
        batch = commit(log, batch, octets);
        times.add(begin.elapsed());
    }
    times
}

/// The same beside a merge, in a copy of the store at `template`.
fn merging(
    column: &mut Column,
    size: usize,
    pool: &mut Pool,
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
        let octets = pool.next(size);
        let begin = Instant::now();
        batch = commit(&mut log, batch, octets);
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

fn rows(size: usize, columns: &mut [Column; 3]) {
    let bare = spread(&columns[0].rates).0;
    let log_p99 = columns[1].times.percentile(990);
    let names = ["append + fdatasync", "log", "log, merging"];
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
