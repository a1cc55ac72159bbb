//! The poll loop: one thread, one queue pair, in bursts.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use dhcp_wire::Checksum;
use dpdk::{BURST, Mbuf, Mempool, RxQueue, TxQueue, free_burst};
use rustix::time::{ClockId, clock_gettime};

use crate::clients::Nanos;
use crate::run::{Run, Stage};
use crate::sink::Sink;

/// Frames that may wait for the device.
const WAITING: usize = 8 * BURST;

/// Buffers kept to be written in.
const BLANK: usize = 2 * BURST;

/// Polls between two looks at what others want.
const HOUSEKEEPING: u32 = 1024;

/// Frames on their way out.
#[derive(Debug)]
struct Outbox {
    pool: &'static Mempool,
    blank: Vec<Mbuf>,
    ready: Vec<Mbuf>,
}

impl Outbox {
    fn new(pool: &'static Mempool) -> Self {
        Self {
            pool,
            blank: Vec::with_capacity(BLANK),
            ready: Vec::with_capacity(WAITING),
        }
    }

    /// Takes received buffers to write in: what was just read is in the cache, a buffer of the
    /// pool is not.
    #[inline]
    fn recycle(&mut self, burst: &mut Vec<Mbuf>) {
        let kept = burst.len().min(BLANK - self.blank.len().min(BLANK));
        self.blank.extend(burst.drain(burst.len() - kept..));
        if !burst.is_empty() {
            free_burst(burst);
        }
    }
}

impl Sink for Outbox {
    #[inline]
    fn room(&self) -> usize {
        WAITING - self.ready.len().min(WAITING)
    }

    #[inline]
    fn put(&mut self, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        if self.blank.is_empty() && self.pool.alloc_burst(&mut self.blank, BURST).is_err() {
            return false;
        }
        let Some(mut mbuf) = self.blank.pop() else {
            return false;
        };
        let len = write(mbuf.room_mut());
        if len == 0 || mbuf.set_len(len).is_err() || self.room() == 0 {
            self.blank.push(mbuf);
            return false;
        }
        self.ready.push(mbuf);
        true
    }
}

/// What others may see of a run, and say to it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages sent. worker: write, main: read
    pub sent: AtomicU64,
    /// Replies that were right. worker: write, main: read
    pub replies: AtomicU64,
    /// Exchanges that ended well. worker: write, main: read
    pub exchanges: AtomicU64,
    /// Wrong replies. worker: write, main: read
    pub violations: AtomicU64,
    /// Exchanges under way. worker: write, main: read
    pub under_way: AtomicU64,
    /// Number of the stage. worker: write, main: read
    pub stage: AtomicU8,
    /// End early. signals: write, worker: read
    pub stop: Arc<AtomicBool>,
}

/// What the loop itself saw while it was measured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    /// Frames that the device did not take at once.
    pub tx_full: u64,
    /// Time of polls in which something was received or sent.
    pub busy: Nanos,
    /// Processor time of all threads, user and system.
    pub cpu: Duration,
    /// Frames that the device received, but in no form to be looked at.
    pub rx_refused: u64,
}

/// The loop's own state.
#[derive(Debug)]
struct Loop<'a> {
    rx: RxQueue,
    tx: TxQueue,
    outbox: Outbox,
    burst: Vec<Mbuf>,
    progress: &'a Progress,
    trust: bool,
    traffic: Traffic,
    /// Processor time and refused frames when measuring began.
    before: (Duration, u64),
}

/// What the loop drives.
#[derive(Debug)]
pub struct Wheels {
    /// Where frames come in.
    pub rx: RxQueue,
    /// Where they go out.
    pub tx: TxQueue,
    /// Where buffers come from.
    pub pool: &'static Mempool,
    /// Takes all checksums for right.
    pub trust: bool,
}

/// Runs to the end.
pub fn drive(run: &mut Run, wheels: Wheels, progress: &Progress) -> Traffic {
    let Wheels {
        rx,
        tx,
        pool,
        trust,
    } = wheels;
    let mut looping = Loop {
        rx,
        tx,
        outbox: Outbox::new(pool),
        burst: Vec::with_capacity(BURST),
        progress,
        trust,
        traffic: Traffic::default(),
        before: (Duration::ZERO, 0),
    };
    let began = Instant::now();
    let (mut before, mut polled, mut moved) = (0, 0, false);
    let mut stage = run.stage();
    let mut polls = 0;
    while run.stage() != Stage::Over {
        let now = nanos(began.elapsed());
        if moved {
            looping.traffic.busy += now - polled;
        }
        if run.stage() != stage {
            looping.on_stage(stage, run.stage());
            stage = run.stage();
        }
        (moved, polled) = (looping.poll(run, now) && stage == Stage::Measure, now);
        polls += 1;
        if polls == HOUSEKEEPING || now - before > 100_000_000 {
            (polls, before) = (0, now);
            looping.housekeep(run, now);
        }
    }
    if stage == Stage::Measure {
        looping.on_stage(stage, Stage::Over);
    }
    looping.traffic
}

impl Loop<'_> {
    /// One poll; says whether anything came or went.
    #[inline]
    fn poll(&mut self, run: &mut Run, now: Nanos) -> bool {
        let waiting = self.outbox.ready.len();
        // Each frame received may need room for one sent.
        if self.outbox.room() >= BURST {
            self.rx.receive(&mut self.burst);
            for mbuf in &self.burst {
                run.expect(mbuf.data());
            }
            for mbuf in &self.burst {
                let checked = checksums(mbuf, self.trust);
                run.receive(mbuf.data(), checked, now, &mut self.outbox);
            }
        }
        let received = self.burst.len();
        if received > 0 {
            self.outbox.recycle(&mut self.burst);
        }
        run.poll(now, &mut self.outbox);
        let new = self.outbox.ready.len() - waiting;
        let sent = if self.outbox.ready.is_empty() {
            0
        } else {
            self.tx.transmit(&mut self.outbox.ready)
        };
        let refused = self.outbox.ready.len().min(new);
        self.traffic.tx_full += refused as u64;
        received + sent > 0
    }

    /// Counts what is measured only while it is.
    fn on_stage(&mut self, from: Stage, to: Stage) {
        if to == Stage::Measure {
            self.traffic = Traffic::default();
            self.before = (cpu_time(), self.refused());
        }
        if from == Stage::Measure {
            let (cpu, refused) = self.before;
            self.traffic.cpu = cpu_time().saturating_sub(cpu);
            self.traffic.rx_refused = self.refused() - refused;
        }
    }

    fn refused(&self) -> u64 {
        let dropped = self.rx.dropped();
        dropped.segmented + dropped.shared + dropped.malformed
    }

    fn housekeep(&self, run: &mut Run, now: Nanos) {
        let (progress, engine) = (self.progress, run.engine());
        let counts = engine.counts();
        progress.sent.store(counts.sent, Relaxed);
        progress.replies.store(counts.replies, Relaxed);
        progress.exchanges.store(counts.exchanges, Relaxed);
        progress
            .violations
            .store(engine.violations().total(), Relaxed);
        progress.under_way.store(engine.under_way().into(), Relaxed);
        progress.stage.store(run.stage() as u8, Relaxed);
        if progress.stop.load(Relaxed) {
            run.stop(now);
        }
    }
}

/// Whether checksums are to be looked at: not those that the device has found right.
#[inline]
fn checksums(mbuf: &Mbuf, trust: bool) -> (Checksum, Checksum) {
    let look = |found| match found {
        dpdk::Checksum::Good => Checksum::Trusted,
        _ if trust => Checksum::Trusted,
        dpdk::Checksum::Bad | dpdk::Checksum::Unknown => Checksum::Verify,
    };
    (look(mbuf.ip_checksum()), look(mbuf.l4_checksum()))
}

fn nanos(time: Duration) -> Nanos {
    time.as_secs()
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.subsec_nanos().into())
}

/// User and system time of all threads of the process.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}
