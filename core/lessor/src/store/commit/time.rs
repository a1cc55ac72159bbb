//! The record of the time, and what it says of a held clock. Shared by the store thread and by who
//! accepts the clock.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use dhcp_proto::record::Record;
use dhcp_proto::restart::{Hold, time_record};
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// The wall clock is ahead of the time that leases run by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jumped {
    /// By so many seconds.
    pub by: u64,
    /// As long as this what was leased before may run.
    pub hold: Duration,
}

/// What records of the time say beside the time.
#[derive(Debug)]
pub(super) struct TimeNote {
    /// How long a hold that is over is still told: leases that it kept are in their grace.
    grace: Duration,
    state: Mutex<State>, // control: write, store: read
    steps: AtomicU64,
    wanted: AtomicU64,  // control: write, store: read
    durable: AtomicU64, // store: write, control: read
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    kept: Option<Kept>,
    accepted: bool,
    /// An acceptance is on its way to the disk: the next record says that nothing is held.
    asked: bool,
}

/// A hold as this process knows it.
#[derive(Debug, Clone, Copy)]
struct Kept {
    trusted: Trusted,
    began: Instant,
    ends: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Trusted {
    /// The last time before a jump that the start found, Unix seconds.
    At(u64),
    /// A jump while this process ran: the clock is ahead by so many seconds of what it would be.
    Ahead(u64),
}

impl TimeNote {
    /// Of a clock that says `wall` now and is held so. A hold is told `grace` longer than it lasts.
    pub(super) fn new(hold: Option<Hold>, wall: u64, grace: Duration) -> Self {
        Self::begun(hold, (wall, Instant::now()), grace)
    }

    /// The same of a clock that says `wall` at `now`.
    pub(super) fn begun(hold: Option<Hold>, (wall, now): (u64, Instant), grace: Duration) -> Self {
        let kept = hold.map(|hold| {
            let left = Duration::from_secs(hold.until.saturating_sub(wall));
            let over = Duration::from_secs(wall.saturating_sub(hold.until));
            let ends = now.checked_add(left).unwrap_or(now);
            Kept {
                trusted: Trusted::At(hold.trusted),
                began: now,
                ends: ends.checked_sub(over).unwrap_or(ends),
            }
        });
        Self {
            grace,
            state: Mutex::new(State {
                kept,
                accepted: false,
                asked: false,
            }),
            steps: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            durable: AtomicU64::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self) -> ClockHold {
        let state = *self.state();
        match state.kept {
            None if state.accepted => ClockHold::Accepted,
            None => ClockHold::Never,
            Some(kept) => {
                let left = kept.ends.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    ClockHold::Over
                } else {
                    ClockHold::Held(left)
                }
            }
        }
    }

    /// For how long the clock has been held.
    pub(super) fn held_for(&self) -> Duration {
        let kept = self.state().kept;
        kept.map_or(Duration::ZERO, |kept| kept.began.elapsed())
    }

    /// The number of records that were asked for. Read it before [`TimeNote::record`].
    pub(super) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    /// The record at wall second `time`, which it is at `now`.
    pub(super) fn record(&self, time: u64, now: Instant) -> Record<'static> {
        let state = *self.state();
        let kept = state.kept.filter(|_| !state.asked);
        time_record(time, kept.and_then(|kept| self.told(kept, (time, now))))
    }

    fn told(&self, kept: Kept, (time, now): (u64, Instant)) -> Option<Hold> {
        let left = kept.ends.saturating_duration_since(now);
        let over = now.saturating_duration_since(kept.ends);
        // A begun second counts whole: the hold in the store does not end before this one.
        let until = if left.is_zero() {
            time.saturating_sub(over.as_secs())
        } else {
            time.saturating_add(left.as_secs()).saturating_add(1)
        };
        let trusted = match kept.trusted {
            Trusted::At(second) => second,
            Trusted::Ahead(by) => time.saturating_sub(by),
        };
        (over < self.grace || !left.is_zero()).then_some(Hold { trusted, until })
    }

    /// Of the records that were asked for, so many are durable.
    pub(super) fn is_durable(&self, number: u64) {
        self.durable.store(number, Ordering::Release);
    }

    /// How often the clock has stepped.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Takes note of a step of the clock, which is where `jumped` says now. A jump is held until
    /// the operator accepts it, the clock is set back, or all that was leased before is over.
    pub(super) fn step(&self, jumped: Option<Jumped>) {
        self.steps.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut state = self.state();
        let live = state.kept.filter(|kept| kept.ends > now);
        state.kept = match (jumped, live.map(|kept| kept.trusted)) {
            (Some(jumped), old) => {
                let ends = now.checked_add(jumped.hold).unwrap_or(now);
                // What a hold of the start keeps is trusted as of before that.
                let trusted = match old {
                    Some(Trusted::At(second)) => Trusted::At(second),
                    Some(Trusted::Ahead(_)) | None => Trusted::Ahead(jumped.by),
                };
                let ends = live.map_or(ends, |kept| kept.ends.max(ends));
                let began = live.map_or(now, |kept| kept.began);
                Some(Kept {
                    trusted,
                    began,
                    ends,
                })
            }
            (None, Some(Trusted::Ahead(_))) => None,
            (None, Some(Trusted::At(_)) | None) => state.kept,
        };
        state.accepted &= state.kept.is_none();
        // A new jump is not what the operator saw.
        state.asked &= jumped.is_none();
        drop(state);
        self.wanted.fetch_add(1, Ordering::AcqRel);
    }

    /// Ends the hold, as soon as a record that says so is durable; until then it is held.
    pub(super) fn accept(&self, patience: Duration) -> Result<(), NotDurable> {
        self.state().asked = true;
        let number = self.wanted.fetch_add(1, Ordering::AcqRel) + 1;
        let until = Instant::now() + patience;
        while self.durable.load(Ordering::Acquire) < number {
            if Instant::now() >= until {
                self.state().asked = false;
                // Whatever of it is durable later on is followed by one that says that it is held.
                self.wanted.fetch_add(1, Ordering::AcqRel);
                return Err(NotDurable);
            }
            thread::sleep(LOOK);
        }
        let mut state = self.state();
        if core::mem::take(&mut state.asked) {
            (state.kept, state.accepted) = (None, true);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_proto::restart::Noted;

    const THEN: u64 = 1_800_000_000;
    const HOUR: Duration = Duration::from_hours(1);

    fn said(note: &TimeNote, time: u64) -> Option<Hold> {
        let record = note.record(time, Instant::now());
        assert_eq!(record.time, time);
        Noted::hold_of(record.expiry, record.lease)
    }

    fn jump(by: u64) -> Jumped {
        Jumped { by, hold: HOUR }
    }

    #[test]
    fn c195_a_jump_while_the_server_runs_is_in_the_records_of_the_time() {
        let note = TimeNote::new(None, THEN, Duration::ZERO);
        assert_eq!((said(&note, THEN), note.hold()), (None, ClockHold::Never));
        note.step(Some(jump(1_000_000)));
        let hold = said(&note, THEN + 1_000_000).unwrap();
        // Time goes on by the old clock.
        assert_eq!(hold.trusted, THEN);
        let until = THEN + 1_000_000 + 3600;
        assert!((until..=until + 1).contains(&hold.until), "{hold:?}");
        assert_eq!(said(&note, THEN + 1_000_060).unwrap().trusted, THEN + 60);
        assert!(matches!(note.hold(), ClockHold::Held(_)));
        // A record is asked for at once.
        assert_eq!((note.wanted(), note.steps()), (1, 1));
        // Set back, all is as before.
        note.step(None);
        assert_eq!((said(&note, THEN), note.steps()), (None, 2));
        assert_eq!(note.hold(), ClockHold::Never);
    }

    #[test]
    fn a_second_jump_counts_from_the_first_and_a_hold_of_the_start_keeps_what_it_trusts() {
        let note = TimeNote::new(None, THEN, Duration::ZERO);
        note.step(Some(jump(1_000_000)));
        note.step(Some(jump(3_000_000)));
        assert_eq!(said(&note, THEN + 3_000_000).unwrap().trusted, THEN);
        let hold = Hold {
            trusted: THEN - 9_000_000,
            until: THEN + 60,
        };
        let note = TimeNote::new(Some(hold), THEN, Duration::ZERO);
        note.step(Some(jump(1_000_000)));
        let told = said(&note, THEN + 1_000_000).unwrap();
        assert_eq!(told.trusted, hold.trusted);
        assert!(told.until >= THEN + 1_000_000 + 3600);
        note.step(None);
        assert!(matches!(note.hold(), ClockHold::Held(_)));
    }

    #[test]
    fn a_hold_that_is_over_is_told_for_the_grace_of_what_it_kept() {
        let hold = Hold {
            trusted: THEN - 9_000_000,
            until: THEN - 10,
        };
        let note = TimeNote::new(Some(hold), THEN, Duration::from_secs(30));
        assert_eq!(
            (said(&note, THEN), note.hold()),
            (Some(hold), ClockHold::Over)
        );
        let note = TimeNote::new(Some(hold), THEN, Duration::from_secs(5));
        assert_eq!((said(&note, THEN), note.hold()), (None, ClockHold::Over));
    }

    #[test]
    fn what_could_not_be_accepted_is_held_as_before() {
        let note = TimeNote::new(None, THEN, Duration::ZERO);
        note.step(Some(jump(1_000_000)));
        assert_eq!(note.accept(Duration::ZERO), Err(NotDurable));
        assert!(matches!(note.hold(), ClockHold::Held(_)));
        note.is_durable(9);
        assert_eq!(note.accept(Duration::ZERO), Ok(()));
        assert_eq!(
            (said(&note, THEN), note.hold()),
            (None, ClockHold::Accepted)
        );
    }
}
