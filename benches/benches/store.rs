//! The lease store beside the least that a durable store can do: append and fdatasync, in the
//! same run.
//!
//! `STORE_DIR=/path cargo bench --bench store` writes there instead of to the temporary directory;
//! on a tmpfs the figures say nothing.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "criterion's macros document nothing, and a bench that cannot start ends"
)]

use core::hint::black_box;
use core::net::Ipv4Addr;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dhcp_proto::record::{Cause, Journal as _, Origin, Record, RecordKind};
use lessor::store::encode::{MAX_RECORD, encode};
use lessor::store::ring::DEFAULT_SLOTS;
use lessor::store::{
    Batch, CommitOptions, Committer, Log, LogOptions, Lsn, NullStore, Store, StoreError, ring,
};
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const SEGMENT: u64 = 64 << 20;

/// A directory that is gone when this is.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let parent = std::env::var_os("STORE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lessor-bench-{}-{number}", std::process::id());
        let dir = parent.join(name);
        fs::create_dir(&dir).expect("a directory for the bench");
        Self(dir)
    }

    fn log(&self) -> Result<Log, StoreError> {
        Log::open(&self.0, LogOptions::default()).map(|(_, log)| log)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the bench's own directory");
    }
}

/// A renewal by a client behind a relay with a short option 82.
fn renewal(number: u32) -> Record<'static> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::from_bits(0x0a00_0000 | number),
        generation: 7,
        time: 1_800_000_000,
        expiry: 1_800_003_600,
        lease: 3600,
        origin: Origin::default(),
        giaddr: Ipv4Addr::new(10, 0, 0, 1),
        identity: &[1, 1, 2, 3, 4, 5, 6, 7],
        htype: 1,
        chaddr: &[2, 3, 4, 5, 6, 7],
        agent_info: &[9; 24],
    }
}

fn encoded(number: u32) -> Vec<u8> {
    let mut octets = vec![0; MAX_RECORD];
    let length = encode(&renewal(number), &mut octets).expect("a usual record");
    octets.truncate(length);
    octets
}

/// Appends as many octets as `count` records have, and syncs, `commits` times.
fn bare(commits: u64, count: u32) -> Duration {
    let scratch = Scratch::new();
    let octets: Vec<u8> = (0..count).flat_map(encoded).collect();
    let mut at = SEGMENT;
    let mut file = None;
    let begin = Instant::now();
    for number in 0..commits {
        if at + octets.len() as u64 > SEGMENT {
            file = File::create(scratch.0.join(number.to_string())).ok();
            at = 0;
        }
        let file = file.as_ref().expect("a file for the bench");
        file.write_all_at(&octets, at).expect("write");
        file.sync_data().expect("sync");
        at += octets.len() as u64;
    }
    begin.elapsed()
}

/// The same by the log, numbers, checksums, blocks and segments included.
fn log(commits: u64, count: u32) -> Duration {
    let scratch = Scratch::new();
    let mut log = scratch.log().expect("a log for the bench");
    let records: Vec<Vec<u8>> = (0..count).map(encoded).collect();
    let mut batch = Batch::new(log.next_lsn());
    let begin = Instant::now();
    for _ in 0..commits {
        batch.reset(log.next_lsn());
        for record in &records {
            batch.push(record, &[]);
        }
        log.submit(batch);
        batch = log.completed().expect("a durable commit").into_batch();
    }
    begin.elapsed()
}

/// `count` records from the worker's call to the watermark seen there, with `engine` behind.
fn pipeline(count: u64, engine: impl Store + 'static) -> Duration {
    let (mut worker, drain) = ring(DEFAULT_SLOTS);
    let committer = Committer::start(engine, vec![drain], CommitOptions::default())
        .expect("a thread for the bench");
    let begin = Instant::now();
    let mut appended = 0;
    while appended < count {
        if worker.has_room() {
            appended = worker.append(&renewal(u32::try_from(appended & 0xff_ffff).unwrap_or(0)));
        } else {
            std::thread::yield_now();
        }
    }
    while worker.durable() < count {
        std::thread::yield_now();
    }
    let took = begin.elapsed();
    let stopped = committer.stop().expect("the store thread");
    assert_eq!(stopped.unwritten, 0);
    took
}

/// The worker's part of a record, on a ring that is emptied outside of the time taken.
fn append(count: u64) -> Duration {
    const BURST: u64 = 10_000;
    let (mut worker, mut drain) = ring(1 << 15);
    let mut batch = Batch::new(Lsn(1));
    let mut took = Duration::ZERO;
    for from in (0..count).step_by(10_000) {
        batch.reset(Lsn(1));
        let begin = Instant::now();
        for number in 0..BURST.min(count - from) {
            if worker.has_room() {
                worker.append(&renewal(u32::try_from(number).unwrap_or(0)));
            }
        }
        took += begin.elapsed();
        drain.take(0, &mut batch, usize::MAX);
    }
    took
}

/// A record as the log has it, into octets that are there already.
fn encoding(c: &mut Criterion) {
    let mut octets = [0; MAX_RECORD];
    let record = renewal(7);
    c.bench_function("encode", |b| {
        b.iter(|| black_box(encode(black_box(&record), &mut octets)));
    });
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    for count in [1, 64, 256, 1024, 4096] {
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("append+fdatasync", count), |b| {
            b.iter_custom(|commits| bare(commits, count));
        });
        group.bench_function(BenchmarkId::new("log", count), |b| {
            b.iter_custom(|commits| log(commits, count));
        });
    }
    group.finish();
}

fn pipelines(c: &mut Criterion) {
    let mut group = c.benchmark_group("pipeline");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(200_000));
    group.bench_function("log", |b| {
        b.iter_custom(|times| {
            let scratch = Scratch::new();
            let log = scratch.log().expect("a log for the bench");
            pipeline(times * 200_000, log)
        });
    });
    group.bench_function("none", |b| {
        b.iter_custom(|times| pipeline(times * 200_000, NullStore::new()));
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("append", |b| b.iter_custom(append));
    group.finish();
}

criterion_group!(benches, encoding, commits, pipelines);
criterion_main!(benches);
