//! Copies of the frames that pass the workers, for an operator who looks on: tcpdump sees nothing
//! on ports of DPDK.
//!
//! ```text
//!   control                                             a worker
//!   Captures ── Recorder { ring, filter } ──► Outlet ── in housekeeping ──► Ports
//!            ◄──────── the same ─────────────          when the capture ends
//!
//!   device ─► burst, as it came ──────► copies of what is wanted ─┐
//!   burst ─► device; what it took ────► copies of what is wanted ─┴─► ring ─► Capture
//! ```
//!
//! A worker never waits: a frame that finds no room in the ring is lost and counted. Rings are made
//! and dropped by control, which merges them by time.

mod filter;
mod record;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dhcp_wire::ethernet::Tag;
use rtrb::{Consumer, Producer, RingBuffer};

pub use filter::Wanted;
use record::Pen;
pub use record::{HEADER, Head, Kind};

use super::port::{Packet, Port};
use super::ports::BURST;

/// Octets of the ring of each worker: some ten thousand messages.
const RING: usize = 4 << 20;
/// Octets that a burst has room for until the device has said what it takes of it.
const STAGED: usize = BURST * (HEADER + 2048);
/// Changes that may wait at a worker: a beginning and an end.
const CHANGES: usize = 2;
/// How long the end of a capture waits for the workers, which look each few milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// A worker has put a frame into its ring so long after it looked at the clock.
const SETTLED: Duration = Duration::from_millis(5);

/// Copies what is wanted into a ring. Made by control, used and given back by a worker.
pub struct Recorder {
    ring: Producer<u8>,
    wanted: Wanted,
    began: Instant,
    /// Frames that found no room, by port. // worker: write, control: read
    lost: Arc<[AtomicU64]>,
    /// Records of a burst that a device is given; its capacity never grows.
    staged: Vec<u8>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("wanted", &self.wanted)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// Copies what is wanted of a burst that port `number` has received, before anything changes
    /// it. A tag that the device took off is put back.
    #[cold]
    pub fn received<K: Packet>(&mut self, number: u8, burst: &[K]) {
        if burst.is_empty() || !self.wanted.has_port(number) {
            return;
        }
        let at = self.now();
        for packet in burst {
            let frame = packet.octets();
            if self.wanted.takes(frame) {
                let tag = packet.stripped_tag();
                let head = self.head((at, number, Kind::Received), frame, tag);
                self.push(number, &head, frame, tag);
            }
        }
    }

    /// Sends a burst on port `number`, as [`Port::transmit`], and copies what the device took. A
    /// frame that it could not have sent is not told from those: it is in the capture too.
    #[cold]
    pub fn transmit<P: Port>(
        &mut self,
        number: u8,
        port: &mut P,
        burst: &mut Vec<P::Packet>,
    ) -> usize {
        if !self.wanted.has_port(number) {
            return port.transmit(burst);
        }
        let at = self.now();
        let mut ends = [0; BURST];
        self.staged.clear();
        for (packet, end) in burst.iter().zip(&mut ends) {
            let frame = packet.octets();
            if self.wanted.takes(frame) {
                let head = self.head((at, number, Kind::Sent), frame, None);
                self.stage(number, &head, frame);
            }
            *end = self.staged.len();
        }
        let offered = burst.len();
        let taken = port.transmit(burst);
        let gone = offered.saturating_sub(burst.len());
        let mut begin = 0;
        for &end in ends.iter().take(gone) {
            let record = self.staged.get(begin..end).unwrap_or_default();
            if !record.is_empty() && self.ring.push_entire_slice(record).is_err() {
                lose(&self.lost, number);
            }
            begin = end;
        }
        taken
    }

    /// Nanoseconds since the capture began.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn head(&self, (at, port, kind): (u64, u8, Kind), frame: &[u8], tag: Option<Tag>) -> Head {
        let original = frame.len().saturating_add(record::tag_len(frame, tag));
        let original = u32::try_from(original).unwrap_or(u32::MAX);
        Head {
            at,
            captured: original.min(self.wanted.snaplen),
            original,
            port,
            kind,
        }
    }

    fn push(&mut self, number: u8, head: &Head, frame: &[u8], tag: Option<Tag>) {
        let Ok(mut chunk) = self.ring.write_chunk(HEADER + head.captured as usize) else {
            return lose(&self.lost, number);
        };
        let (first, second) = chunk.as_mut_slices();
        record::write(&mut Pen(first, second), head, frame, tag);
        chunk.commit_all();
    }

    fn stage(&mut self, number: u8, head: &Head, frame: &[u8]) {
        let captured = frame.get(..head.captured as usize).unwrap_or_default();
        let room = self.staged.capacity().saturating_sub(self.staged.len());
        if room < HEADER + captured.len() {
            return lose(&self.lost, number);
        }
        self.staged.extend_from_slice(&head.to_octets());
        self.staged.extend_from_slice(captured);
    }
}

/// Counts a frame that found no room; its worker alone writes the counter.
fn lose(lost: &[AtomicU64], port: u8) {
    if let Some(count) = lost.get(usize::from(port)) {
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// A worker's side: where recorders come from and go back to.
#[derive(Debug)]
pub struct Outlet {
    changes: Consumer<Option<Box<Recorder>>>,
    left: Producer<Box<Recorder>>,
}

impl Outlet {
    /// Puts the next recorder, or none, in place of the one there is, if control says so.
    #[inline]
    pub fn turn(&mut self, recorder: &mut Option<Box<Recorder>>) {
        if !self.changes.is_empty() && !self.left.is_full() {
            self.change(recorder);
        }
    }

    #[cold]
    fn change(&mut self, recorder: &mut Option<Box<Recorder>>) {
        let Ok(next) = self.changes.pop() else { return };
        if let Some(old) = std::mem::replace(recorder, next) {
            // There is room: this side alone fills the ring.
            let _given_back = self.left.push(old).is_ok();
        }
    }
}

/// Control's side: the way to all workers. One capture runs at a time.
#[derive(Debug)]
pub struct Captures {
    ports: usize,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    running: bool,
    workers: Vec<Inlet>,
}

#[derive(Debug)]
struct Inlet {
    changes: Producer<Option<Box<Recorder>>>,
    left: Consumer<Box<Recorder>>,
    /// Whether the worker has a recorder, or is to get one.
    out: bool,
}

impl Inlet {
    /// Drops the recorder that the worker has given back; whether it has none.
    fn is_back(&mut self) -> bool {
        if self.left.pop().is_ok() || self.changes.is_abandoned() {
            self.out = false;
        }
        !self.out
    }
}

/// Why no capture began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotBegun {
    /// There is one.
    #[error("a capture runs already; end it first")]
    Running,
    /// A worker has not given back what it recorded an earlier one with.
    #[error("worker {0} does not answer; try again")]
    Hangs(usize),
}

impl Captures {
    /// Of a server with so many ports, before it has a worker.
    #[must_use]
    pub fn new(ports: usize) -> Arc<Self> {
        let line = Mutex::default();
        Arc::new(Self { ports, line })
    }

    /// The side of one more worker.
    #[must_use]
    pub fn outlet(&self) -> Outlet {
        let (changes, to) = RingBuffer::new(CHANGES);
        let (from, left) = RingBuffer::new(CHANGES);
        let out = false;
        self.line().workers.push(Inlet { changes, left, out });
        Outlet {
            changes: to,
            left: from,
        }
    }

    /// Has every worker record what is wanted.
    ///
    /// # Errors
    ///
    /// One runs already, or a worker hangs.
    pub fn begin(self: &Arc<Self>, wanted: Wanted) -> Result<Capture, NotBegun> {
        let mut line = self.line();
        if line.running {
            return Err(NotBegun::Running);
        }
        if let Some(worker) = line.workers.iter_mut().position(|inlet| !inlet.is_back()) {
            return Err(NotBegun::Hangs(worker));
        }
        line.running = true;
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut capture = Capture {
            captures: Arc::clone(self),
            rings: Vec::new(),
            lost: Vec::new(),
            began: Instant::now(),
            wall: u64::try_from(wall.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX),
            is_over: false,
        };
        for inlet in &mut line.workers {
            let (ring, octets) = RingBuffer::new(RING);
            let lost: Arc<[AtomicU64]> = (0..self.ports).map(|_| AtomicU64::new(0)).collect();
            let recorder = Recorder {
                ring,
                wanted,
                began: capture.began,
                lost: Arc::clone(&lost),
                staged: Vec::with_capacity(STAGED),
            };
            // There is room: what was sent before has come back.
            inlet.out = inlet.changes.push(Some(Box::new(recorder))).is_ok();
            capture.rings.push(octets);
            capture.lost.push(lost);
        }
        Ok(capture)
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A capture that runs until this is dropped.
#[derive(Debug)]
pub struct Capture {
    captures: Arc<Captures>,
    rings: Vec<Consumer<u8>>,
    lost: Vec<Arc<[AtomicU64]>>,
    began: Instant,
    /// Unix nanoseconds when it began. Its clock runs on from there, whatever the wall clock does.
    wall: u64,
    is_over: bool,
}

impl Capture {
    /// Adds to `out` the records that are there, in the order of their times, as long as it has
    /// fewer than `most` octets; whether there may be more. Times become those of the wall clock.
    ///
    /// While the capture runs the newest are left: a worker may be about to put an older one into
    /// its ring.
    pub fn drain(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let until = if self.is_over {
            u64::MAX
        } else {
            let settled = self.began.elapsed().saturating_sub(SETTLED);
            u64::try_from(settled.as_nanos()).unwrap_or(u64::MAX)
        };
        while out.len() < most {
            let heads = self.rings.iter_mut().zip(0usize..);
            let heads = heads.filter_map(|(ring, at)| record::peek(ring).map(|head| (head, at)));
            let first = heads.min_by_key(|(head, _)| head.at);
            let Some((head, at)) = first.filter(|(head, _)| head.at <= until) else {
                return false;
            };
            let at_wall = Head {
                at: head.at.saturating_add(self.wall),
                ..head
            };
            out.extend_from_slice(&at_wall.to_octets());
            if let Some(ring) = self.rings.get_mut(at) {
                record::take(ring, &head, out);
            }
        }
        true
    }

    /// Frames of each port that found no room.
    #[must_use]
    pub fn lost(&self) -> Vec<u64> {
        let of_port = |port: usize| {
            let workers = self.lost.iter().filter_map(|lost| lost.get(port));
            workers.map(|lost| lost.load(Relaxed)).sum()
        };
        (0..self.captures.ports).map(of_port).collect()
    }

    /// Whether all workers have ended.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.rings.iter().all(Consumer::is_abandoned)
    }

    /// Has the workers record no more, and waits until they do not. What they have recorded is
    /// still to be drained.
    pub fn end(&mut self) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        for inlet in &mut self.captures.line().workers {
            // There is room: one other change was sent at most.
            let _sent = inlet.changes.push(None).is_ok();
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let mut line = self.captures.line();
            if line.workers.iter_mut().all(Inlet::is_back) || Instant::now() >= until {
                line.running = false;
                return;
            }
            drop(line);
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests;
