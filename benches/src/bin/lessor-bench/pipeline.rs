//! The least that a durable answer can take: a paced producer, a ring, append and fdatasync, and
//! nothing of Lessor. Producer and writer share the server's core, as worker and store do there.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rtrb::{Consumer, Producer, RingBuffer};
use rustix::process::nice;
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::bed::SERVER_CORE;
use crate::failure::{Because as _, Failure, Outcome};

/// As long as a usual record of Lessor's log.
type Record = [u8; 128];
const RING: usize = 1 << 15;
/// Most records of a commit, as in Lessor.
const BATCH: usize = 4096;
/// Each commit begins on a block of its own, as in Lessor.
const BLOCK: u64 = 4096;
const SEGMENT: u64 = 64 << 20;
/// How long the writer sleeps when there is nothing.
const REST: Duration = Duration::from_micros(50);

/// How long the disk may take beyond ten times the length of the run.
const PATIENCE: Duration = Duration::from_secs(20);

/// The time that 99 of a hundred records took from when they were due until the producer knew that
/// they are durable, at `rate` records a second. Files are made in `dir`.
pub(crate) fn p99(dir: &Path, rate: f64, length: Duration) -> Outcome<Duration> {
    fs::create_dir_all(dir).because("the pipeline's folder")?;
    let (producer, consumer) = RingBuffer::new(RING);
    let durable = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let took = thread::scope(|scope| {
        let writer = scope.spawn(|| write(dir, consumer, &durable, &ended));
        let paced = scope.spawn(|| {
            let took = produce(producer, &durable, rate, length);
            ended.store(true, Ordering::Release);
            took
        });
        let took = paced.join().map_err(|_| Failure::new("the producer"))?;
        writer.join().map_err(|_| Failure::new("the writer"))??;
        took
    });
    let mut took = took?;
    took.sort_unstable();
    let at = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(at).copied().because("no record")
}

/// Puts each record into the ring when it is due, and notes when it is durable.
fn produce(
    mut ring: Producer<Record>,
    durable: &AtomicU64,
    rate: f64,
    length: Duration,
) -> Outcome<Vec<Duration>> {
    pin(SERVER_CORE)?;
    let all = (rate * length.as_secs_f64()) as u64;
    let due = |record: u64| Duration::from_secs_f64(record as f64 / rate);
    let mut took = Vec::with_capacity(usize::try_from(all).unwrap_or(0));
    let (mut pushed, mut known) = (0, 0);
    let begin = Instant::now();
    while known < all {
        let now = begin.elapsed();
        while pushed < all && due(pushed) <= now && ring.push([pushed as u8; 128]).is_ok() {
            pushed += 1;
        }
        let newest = durable.load(Ordering::Acquire);
        let now = begin.elapsed();
        took.extend((known..newest).map(|record| now.saturating_sub(due(record))));
        known = newest;
        if now > 10 * length + PATIENCE {
            return Err(Failure::new("the disk does not keep up"));
        }
    }
    Ok(took)
}

/// Takes what is in the ring, appends and syncs it, and says how far it is.
fn write(
    dir: &Path,
    mut ring: Consumer<Record>,
    durable: &AtomicU64,
    ended: &AtomicBool,
) -> Outcome<()> {
    pin(SERVER_CORE)?;
    // A wish, as in Lessor.
    let _ = nice(-20);
    let mut octets = Vec::with_capacity(BATCH * size_of::<Record>());
    let (mut file, mut at, mut segment, mut written) = (None, SEGMENT, 0, 0);
    while !ended.load(Ordering::Acquire) {
        octets.clear();
        let count = ring.slots().min(BATCH);
        if count == 0 {
            sleep(REST);
            continue;
        }
        let chunk = ring.read_chunk(count).because("the ring")?;
        chunk.into_iter().for_each(|record| octets.extend(record));
        if at >= SEGMENT {
            segment += 1;
            file = Some(File::create(dir.join(segment.to_string())).because("a file")?);
            at = 0;
        }
        let file = file.as_ref().because("a file")?;
        file.write_all_at(&octets, at).because("write")?;
        file.sync_data().because("fdatasync")?;
        at = (at + octets.len() as u64).next_multiple_of(BLOCK);
        written += count as u64;
        durable.store(written, Ordering::Release);
    }
    Ok(())
}

/// Keeps this thread on a core.
fn pin(core: u32) -> Outcome<()> {
    let mut cores = CpuSet::new();
    cores.set(core as usize);
    sched_setaffinity(None, &cores).because("a core for the pipeline")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_written_once_and_known_to_be() {
        let dir = tempfile::tempdir().unwrap();
        let took = p99(dir.path(), 10_000.0, Duration::from_millis(100)).unwrap();
        assert!(took > Duration::ZERO);
        let file = fs::read(dir.path().join("1")).unwrap();
        // Blocks are filled up with zeros; every 256th record is zeros too.
        let records = file
            .chunks(128)
            .filter(|record| record.iter().any(|octet| *octet != 0));
        assert_eq!(records.count(), 1000 - 4);
    }
}
