//! What the store thread and the housekeeper see of each other.

use super::house::HouseView;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A commit as short as this is never called slow.
const NEVER_SLOW: u64 = 500;
/// A commit that takes this many times as long as one without a merge is slow.
const SLOW: u64 = 3;
/// How much a new commit counts in the usual time of one, as a shift.
const WEIGHT: u32 = 4;

#[derive(Debug)]
pub(super) struct Shared {
    began: Instant,
    /// writer: write, housekeeper: read. Microseconds since `began`; 0 is none.
    in_flight: AtomicU64,
    /// writer: write, housekeeper: read. Microseconds.
    last: AtomicU64,
    /// writer: write, housekeeper: read. Microseconds a commit takes beside no merge.
    usual: AtomicU64,
    /// writer: write, housekeeper: read. A write found the disk full.
    wants_space: AtomicBool,
    /// housekeeper: write, writer: read and clear. A new segment is to be begun.
    rotate: AtomicBool,
    /// housekeeper: write, writer: read. The directory is not where it was.
    gone: AtomicBool,
    /// housekeeper: write, writer: read.
    busy: AtomicBool,
    /// housekeeper: write, control: read.
    view: Mutex<HouseView>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            in_flight: AtomicU64::new(0),
            last: AtomicU64::new(0),
            usual: AtomicU64::new(0),
            wants_space: AtomicBool::new(false),
            rotate: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            view: Mutex::new(HouseView::default()),
        }
    }
}

impl Shared {
    fn micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// A commit begins.
    pub(super) fn begin_commit(&self) {
        self.in_flight
            .store(self.micros().max(1), Ordering::Relaxed);
    }

    /// The commit is over; it took as long as is said here.
    pub(super) fn end_commit(&self) {
        let since = self.in_flight.swap(0, Ordering::Relaxed);
        let took = self.micros().saturating_sub(since);
        self.last.store(took, Ordering::Relaxed);
        if self.busy.load(Ordering::Relaxed) {
            return;
        }
        let usual = self.usual.load(Ordering::Relaxed);
        let next = match usual {
            0 => took,
            usual => usual - (usual >> WEIGHT) + (took >> WEIGHT),
        };
        self.usual.store(next, Ordering::Relaxed);
    }

    /// Whether a commit takes longer than it should: then the merge waits.
    pub(super) fn is_slow(&self) -> bool {
        let usual = self.usual.load(Ordering::Relaxed);
        let most = usual.saturating_mul(SLOW).max(NEVER_SLOW);
        let since = self.in_flight.load(Ordering::Relaxed);
        let waiting = match since {
            0 => self.last.load(Ordering::Relaxed),
            since => self.micros().saturating_sub(since),
        };
        waiting > most
    }

    /// The merge has waited: the last commit is no reason to wait any more.
    pub(super) fn forget_last(&self) {
        self.last.store(0, Ordering::Relaxed);
    }

    /// A merge or a snapshot is being written.
    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }

    pub(super) fn want_space(&self, wanted: bool) {
        self.wants_space.store(wanted, Ordering::Relaxed);
    }

    pub(super) fn wants_space(&self) -> bool {
        self.wants_space.load(Ordering::Relaxed)
    }

    /// Asks the writer for a new segment, so that the active one can be merged.
    pub(super) fn ask_rotation(&self) {
        self.rotate.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_rotation_asked(&self) -> bool {
        self.rotate.load(Ordering::Relaxed)
    }

    pub(super) fn rotated(&self) {
        self.rotate.store(false, Ordering::Relaxed);
    }

    pub(super) fn set_gone(&self, gone: bool) {
        self.gone.store(gone, Ordering::Relaxed);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// What an operator may see.
    pub(super) fn view(&self) -> HouseView {
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        view.clone()
    }

    pub(super) fn publish(&self, view: HouseView) {
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = view;
    }

    /// How long the merge waits before it looks again whether commits are slow.
    pub(super) const PAUSE: Duration = Duration::from_millis(2);
}
