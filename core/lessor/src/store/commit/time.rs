//! The record of the time, and what it says of a held clock. Shared by the store thread and by who
//! accepts the clock.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use dhcp_proto::record::Record;
use dhcp_proto::restart::{Hold, time_record};
use std::thread;
use std::time::Instant;

/// How often the one who waits looks whether the record is durable.
const LOOK: Duration = Duration::from_millis(1);

/// Whether the clock is held, `design.md` §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockHold {
    /// It never was since the start.
    Never,
    /// It is, for so long at most.
    Held(Duration),
    /// The operator has accepted it.
    Accepted,
    /// The time is over.
    Over,
}

/// The record was not durable in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store did not take the record in time; the clock is still held")]
pub struct NotDurable;

/// What records of the time say beside the time.
#[derive(Debug)]
pub(super) struct TimeNote {
    trusted: u64,
    /// When the hold is over; none if there is none.
    ends: Option<Instant>,
    accepted: AtomicBool, // control: write, store: read
    wanted: AtomicU64,    // control: write, store: read
    durable: AtomicU64,   // store: write, control: read
}

impl TimeNote {
    /// Of a clock that says `wall` now and is held so.
    pub(super) fn new(hold: Option<Hold>, wall: u64) -> Self {
        let ends = hold.map(|hold| {
            let left = Duration::from_secs(hold.until.saturating_sub(wall));
            let now = Instant::now();
            now.checked_add(left).unwrap_or(now)
        });
        Self {
            trusted: hold.map_or(0, |hold| hold.trusted),
            ends,
            accepted: AtomicBool::new(false),
            wanted: AtomicU64::new(0),
            durable: AtomicU64::new(0),
        }
    }

    pub(super) fn hold(&self) -> ClockHold {
        let Some(ends) = self.ends else {
            return ClockHold::Never;
        };
        if self.accepted.load(Ordering::Acquire) {
            return ClockHold::Accepted;
        }
        let left = ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            ClockHold::Over
        } else {
            ClockHold::Held(left)
        }
    }

    /// The number of records that were asked for. Read it before [`TimeNote::record`].
    pub(super) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    /// The record at wall second `time`.
    pub(super) fn record(&self, time: u64) -> Record<'static> {
        let hold = match self.hold() {
            // A begun second counts whole: the hold in the store does not end before this one.
            ClockHold::Held(left) => Some(Hold {
                trusted: self.trusted,
                until: time.saturating_add(left.as_secs()).saturating_add(1),
            }),
            ClockHold::Never | ClockHold::Accepted | ClockHold::Over => None,
        };
        time_record(time, hold)
    }

    /// Of the records that were asked for, so many are durable.
    pub(super) fn is_durable(&self, number: u64) {
        self.durable.store(number, Ordering::Release);
    }

    /// Ends the hold, as soon as a record that says so is durable.
    pub(super) fn accept(&self, patience: Duration) -> Result<(), NotDurable> {
        self.accepted.store(true, Ordering::Release);
        let number = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let until = Instant::now() + patience;
        while self.durable.load(Ordering::Acquire) < number {
            if Instant::now() >= until {
                self.accepted.store(false, Ordering::Release);
                return Err(NotDurable);
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}
