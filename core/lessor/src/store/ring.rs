//! The journal ring from one worker to the committer: slots of 128 octets, single producer, single
//! consumer, no lock and no system call on either side.
//!
//! A record takes as many consecutive slots as it needs, published together, so that the
//! committer sees it whole or not at all.

use super::batch::{Batch, Mark};
use super::encode;
use super::fence::Fence;
use super::tap::Tap;
use core::cell::Cell;
use core::fmt;
use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use crossbeam_utils::CachePadded;
use dhcp_proto::group::{Fenced, GroupSet, Groups};
use dhcp_proto::record::{Journal, MAX_AGENT_INFO, Record, Sequence, fill_of};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;

/// Octets of a slot.
pub const SLOT: usize = 128;
/// Most slots of a record.
pub const MAX_SLOTS: usize = encode::MAX_RECORD.div_ceil(SLOT);
/// Slots that must be free before a shard changes anything: two records of the greatest length.
const ROOM: usize = 2 * MAX_SLOTS;
/// Slots of a ring unless the configuration says otherwise: half a second of stall at 200,000
/// records a second, and some.
pub const DEFAULT_SLOTS: usize = 131_072;

type Slot = [u8; SLOT];

/// What both ends of a ring see, in a cache line of its own.
#[derive(Debug, Default)]
struct Shared {
    /// committer: write, worker: read
    durable: AtomicU64,
    /// The reasons why nothing is taken on, each a bit. committer, control: write, worker: read
    halted: AtomicU8,
    /// worker: write, control: read
    agent_info_dropped: AtomicU64,
    /// worker: write, control: read
    refused: AtomicU64,
    fence: Fence,
}

/// Why a worker is to take on nothing that needs a record. Each has one writer, and one does not
/// end the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Halt {
    /// Commits fail; the committer says so.
    Failing = 1,
    /// A commit takes too long; its watcher says so.
    Slow = 2,
}

impl Shared {
    fn halt(&self, why: Halt, halted: bool) {
        if halted {
            self.halted.fetch_or(why as u8, Ordering::Relaxed);
        } else {
            self.halted.fetch_and(!(why as u8), Ordering::Relaxed);
        }
    }
}

/// The worker's end of a ring.
pub struct JournalRing {
    slots: Producer<Slot>,
    shared: Arc<CachePadded<Shared>>,
    scratch: Box<[Slot; MAX_SLOTS]>,
    /// Free slots as far as this end knows.
    room: Cell<usize>,
    appended: Sequence,
    broken: bool,
    /// Where leases that ran out are told of.
    expiries: Option<Tap>,
}

/// The committer's end of a ring.
pub struct Drain {
    slots: Consumer<Slot>,
    shared: Arc<CachePadded<Shared>>,
    taken: Sequence,
    /// Slots of what was taken.
    passed: u64,
}

/// A view of a ring's counters.
#[derive(Debug, Clone)]
pub struct RingMeter(Arc<CachePadded<Shared>>);

/// What a ring counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RingCounters {
    /// Records stored without their option 82, because it was too long to store.
    pub agent_info_dropped: u64,
    /// Records that have no encoding. Never anything but 0, or the worker has stopped serving.
    pub refused: u64,
}

/// A ring of `slots` slots, but never fewer than two records need.
#[must_use]
pub fn ring(slots: usize) -> (JournalRing, Drain) {
    let (producer, consumer) = RingBuffer::new(slots.max(ROOM));
    let shared = Arc::new(CachePadded::new(Shared::default()));
    let worker = JournalRing {
        slots: producer,
        shared: Arc::clone(&shared),
        scratch: Box::new([[0; SLOT]; MAX_SLOTS]),
        room: Cell::new(0),
        appended: 0,
        broken: false,
        expiries: None,
    };
    let drain = Drain {
        slots: consumer,
        shared,
        taken: 0,
        passed: 0,
    };
    (worker, drain)
}

impl JournalRing {
    /// Place of the newest record.
    #[must_use]
    pub fn appended(&self) -> Sequence {
        self.appended
    }

    /// Leases that run out are offered to `tap` from here on.
    pub fn tell_expiries(&mut self, tap: Tap) {
        self.expiries = Some(tap);
    }

    /// Takes no record from here on: what a client was told must not run ahead of the disk.
    fn refuse(&mut self) -> Sequence {
        self.broken = true;
        self.shared.refused.fetch_add(1, Ordering::Relaxed);
        // A place that no record of this ring will ever have, so that it is never durable.
        self.appended.saturating_add(1)
    }

    fn encode(&mut self, record: &Record<'_>) -> Result<usize, encode::TooLong> {
        let scratch = self.scratch.as_flattened_mut();
        if record.agent_info.len() <= MAX_AGENT_INFO {
            return encode::encode(record, scratch);
        }
        self.shared
            .agent_info_dropped
            .fetch_add(1, Ordering::Relaxed);
        let without = Record {
            agent_info: &[],
            ..*record
        };
        encode::encode(&without, scratch)
    }
}

impl Journal for JournalRing {
    /// Also false while the store is in trouble, so that what memory knows and the disk does not
    /// stays small.
    fn has_room(&self) -> bool {
        if self.broken || self.shared.halted.load(Ordering::Relaxed) != 0 {
            return false;
        }
        if self.room.get() < ROOM {
            self.room.set(self.slots.slots());
        }
        self.room.get() >= ROOM
    }

    fn fill(&self) -> u8 {
        let places = self.slots.buffer().capacity();
        if self.room.get() < places / 2 {
            self.room.set(self.slots.slots());
        }
        fill_of(places.saturating_sub(self.room.get()), places)
    }

    /// A record without an encoding (which an identity of `dhcp_proto` cannot have) ends this
    /// ring: it is counted, its place is never durable, and there is never room again.
    fn append(&mut self, record: &Record<'_>) -> Sequence {
        if self.broken {
            return self.refuse();
        }
        let Ok(length) = self.encode(record) else {
            return self.refuse();
        };
        let taken = length.div_ceil(SLOT);
        let Some(slots) = self.scratch.get(..taken) else {
            return self.refuse();
        };
        if self.slots.push_entire_slice(slots).is_err() {
            return self.refuse();
        }
        self.room.set(self.room.get().saturating_sub(taken));
        self.appended += 1;
        self.appended
    }

    fn expired(&mut self, record: &Record<'_>) {
        let Some(tap) = &mut self.expiries else {
            return;
        };
        let scratch = self.scratch.as_flattened_mut();
        let length = encode::encode(record, scratch);
        match length.ok().and_then(|length| scratch.get(..length)) {
            Some(octets) => tap.offer(octets, 1),
            None => tap.lose(1),
        }
    }

    fn durable(&self) -> Sequence {
        // Pairs with `Drain::publish`: what was fenced before is seen by whoever asks after this.
        self.shared.durable.load(Ordering::Acquire)
    }

    #[inline]
    fn fenced(&self) -> Option<Fenced> {
        self.shared.fence.fenced()
    }

    #[inline]
    fn refused(&self, space: u16, addr: Ipv4Addr, sequence: Sequence) -> bool {
        self.shared.fence.refused(space, addr, sequence)
    }
}

impl Drain {
    /// Moves at most `most` records into `batch`, marks them there, and says how many they were.
    pub fn take(&mut self, ring: usize, batch: &mut Batch, most: usize) -> usize {
        let available = self.slots.slots();
        let Ok(chunk) = self.slots.read_chunk(available) else {
            return 0;
        };
        let (front, back) = chunk.as_slices();
        let (front, back) = (front.as_flattened(), back.as_flattened());
        let mut at = 0;
        let mut records = 0;
        while records < most {
            let Some((head, tail)) = record_at(front, back, at) else {
                break;
            };
            batch.push(head, tail);
            at += (head.len() + tail.len()).next_multiple_of(SLOT);
            records += 1;
        }
        chunk.commit(at / SLOT);
        self.passed += (at / SLOT) as u64;
        if records > 0 {
            self.taken += records as u64;
            let upto = self.taken;
            batch.mark(Mark { ring, upto });
        }
        records
    }

    /// Slots that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.slots.slots()
    }

    /// How many slots the worker has filled since the ring was made.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.passed + self.waiting() as u64
    }

    /// How many slots were taken since the ring was made.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Publishes that all records up to `upto` are durable, but for those that were refused: see
    /// [`Drain::refuse`].
    pub fn publish(&self, upto: Sequence) {
        self.shared.durable.store(upto, Ordering::Release);
    }

    /// Tells the worker that the groups of `lost` are another appliance's now.
    pub fn fence(&self, groups: Groups, lost: GroupSet) {
        self.shared.fence.raise(groups, lost);
    }

    /// Notes that the records of the groups of `lost` up to `upto` were refused. Called before
    /// they are published, so that no worker takes one for durable.
    pub fn refuse(&self, lost: GroupSet, upto: Sequence) {
        self.shared.fence.refuse(lost, upto);
    }

    /// Tells the worker that the groups of `ours` are this appliance's again.
    pub fn readmit(&self, ours: GroupSet) {
        self.shared.fence.lower(ours);
    }

    /// Stops the worker from taking on what needs a record, or lets it go on.
    pub fn halt(&self, why: Halt, halted: bool) {
        self.shared.halt(why, halted);
    }

    /// Who reads the ring's counters while the committer has the drain.
    #[must_use]
    pub fn meter(&self) -> RingMeter {
        RingMeter(Arc::clone(&self.shared))
    }
}

impl RingMeter {
    /// Stops the worker from taking on what needs a record, or lets it go on.
    pub(crate) fn halt(&self, why: Halt, halted: bool) {
        self.0.halt(why, halted);
    }

    /// What the ring counted.
    #[must_use]
    pub fn counters(&self) -> RingCounters {
        RingCounters {
            agent_info_dropped: self.0.agent_info_dropped.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
        }
    }
}

/// The record at `at` of two stretches that follow each other, in one piece or two.
fn record_at<'a>(front: &'a [u8], back: &'a [u8], at: usize) -> Option<(&'a [u8], &'a [u8])> {
    let Some(at) = at.checked_sub(front.len()) else {
        let rest = front.get(at..)?;
        let length = encode::length(rest)?;
        if let Some(whole) = rest.get(..length) {
            return Some((whole, &[]));
        }
        return Some((rest, back.get(..length - rest.len())?));
    };
    let rest = back.get(at..)?;
    Some((rest.get(..encode::length(rest)?)?, &[]))
}

impl fmt::Debug for JournalRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalRing")
            .field("appended", &self.appended)
            .field("durable", &self.durable())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("taken", &self.taken)
            .field("waiting", &self.waiting())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
