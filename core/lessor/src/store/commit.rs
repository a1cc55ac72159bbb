//! The store thread: takes what is in the rings, has it made durable, publishes how far.
//!
//! No timer: a commit takes all that came while the one before was under way. After an empty
//! round the thread sleeps a little; no worker ever wakes it.

use super::alarm::{self, Trouble, Watcher};
use super::batch::Batch;
use super::encode::{self, MAX_RECORD};
use super::readmit::{Progress, Readmission};
use super::ring::{Drain, Halt, RingCounters, RingMeter};
use super::stats::{Stats, StatsView};
use super::tap::Tap;
use super::{Completion, Lsn, Store};
use crate::event::Event;
use crate::histogram::View;
use core::num::NonZeroU64;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use dhcp_proto::group::{GroupSet, Groups};
use dhcp_proto::record::Record;
use dhcp_proto::restart::Hold;
use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[cfg(feature = "simulation")]
mod steps;
mod time;

#[cfg(feature = "simulation")]
pub use steps::Steps;
pub use time::{ClockHold, Jumped, NotDurable};

use time::TimeNote;

/// Most records of a commit.
pub const MAX_BATCH: usize = 4096;
/// How long the thread sleeps when it found nothing.
const IDLE: Duration = Duration::from_micros(50);
/// How often an engine that fails is asked why.
const LOOK: Duration = Duration::from_millis(100);
/// How often the time is recorded.
const TIME_RECORD: Duration = Duration::from_mins(1);

/// The wall clock that is recorded, in Unix seconds.
pub type WallClock = Box<dyn Fn() -> u64 + Send>;

/// How the store thread works.
pub struct CommitOptions {
    /// The clock whose time is recorded each minute.
    pub clock: WallClock,
    /// How the clock is held at the start, to be said in the records of the time.
    pub hold: Option<Hold>,
    /// How long that is still said when it is over: the longest grace of a lease.
    pub grace: Duration,
    /// How long a stop waits for an engine in trouble.
    pub patience: Duration,
    /// Where what became durable is offered to a log.
    pub tap: Option<Tap>,
}

impl core::fmt::Debug for CommitOptions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CommitOptions")
            .field("hold", &self.hold)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self {
            clock: Box::new(|| {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |now| now.as_secs())
            }),
            hold: None,
            grace: Duration::ZERO,
            patience: Duration::from_secs(5),
            tap: None,
        }
    }
}

/// How the store thread ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Records that could not be made durable in time. None of them was acknowledged.
    pub unwritten: u64,
}

/// The running store thread. Dropped, it stops it.
#[derive(Debug)]
pub struct Committer {
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<Stopped>>>,
    stats: Arc<Stats>,
    meters: Vec<RingMeter>,
    time: Arc<TimeNote>,
    readmit: Sender<GroupSet>,
}

impl Committer {
    /// Starts the thread. It inherits the CPUs of its caller, so the caller must not be pinned to
    /// a worker's.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(
        engine: impl Store + 'static,
        rings: Vec<Drain>,
        options: CommitOptions,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::new(Stats::default());
        let wall = (options.clock)();
        let time = Arc::new(TimeNote::new(options.hold, wall, options.grace));
        let meters = rings.iter().map(Drain::meter).collect();
        let (readmit, asked) = mpsc::channel();
        let parts = Parts {
            engine,
            rings,
            stats: Arc::clone(&stats),
            time: Arc::clone(&time),
            asked,
        };
        let mut worker = Loop::new(parts, options);
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || worker.run(&stopping))?;
        Ok(Self {
            stop,
            thread: Mutex::new(Some(thread)),
            stats,
            meters,
            time,
            readmit,
        })
    }

    /// The counters.
    #[must_use]
    pub fn stats(&self) -> StatsView {
        self.stats.view()
    }

    /// How long commits took.
    #[must_use]
    pub fn latency(&self) -> View {
        self.stats.latency()
    }

    /// Whether the clock is held.
    #[must_use]
    pub fn clock_hold(&self) -> ClockHold {
        self.time.hold()
    }

    /// For how long it has been, if it is.
    #[must_use]
    pub fn clock_held_for(&self) -> Duration {
        self.time.held_for()
    }

    /// The clock is held no more. Returns when that is durable, so that no restart holds it again.
    ///
    /// # Errors
    /// It was not durable within `patience`; the clock is held as before.
    pub fn accept_clock(&self, patience: Duration) -> Result<(), NotDurable> {
        self.time.accept(patience)
    }

    /// The wall clock has stepped, and is where `jumped` says now: by more than the longest lease
    /// ahead of the time that leases run by, or not. What was leased before a jump is kept by a
    /// restart as after one that a start finds.
    pub fn clock_stepped(&self, jumped: Option<Jumped>) {
        self.time.step(jumped);
    }

    /// How often the wall clock has stepped.
    #[must_use]
    pub fn clock_steps(&self) -> u64 {
        self.time.steps()
    }

    /// What is wrong, if anything is.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.stats.trouble()
    }

    /// Who notices when a commit takes longer than `limit`. There is one.
    #[must_use]
    pub fn watcher(&self, limit: Duration) -> Watcher {
        Watcher::new(Arc::clone(&self.stats), self.meters.clone(), limit)
    }

    /// What each ring counted, in the order in which they were given.
    #[must_use]
    pub fn rings(&self) -> Vec<RingCounters> {
        self.meters.iter().map(RingMeter::counters).collect()
    }

    /// Serves `groups` again, which another appliance had: soon, when all that was written about
    /// them from tables of before has been refused.
    ///
    /// The engine has them again and the workers' tables have been brought up to date with what
    /// the other appliance decided, each by its own worker, which therefore has seen that they
    /// were lost.
    pub fn readmit(&self, groups: GroupSet) {
        // It fails only after the store thread, and then nobody serves anything.
        let _gone = self.readmit.send(groups);
    }

    /// Makes everything durable that is in the rings, closes the engine, and ends the thread. The
    /// workers must have stopped. Nothing comes of it a second time.
    #[must_use]
    pub fn stop(&self) -> Option<Stopped> {
        self.stop.store(true, Ordering::Release);
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.take()?.join().ok()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        // Who wants to know how it ended has stopped it.
        let _ended = self.stop();
    }
}

/// What a store thread is made of.
struct Parts<S> {
    engine: S,
    rings: Vec<Drain>,
    stats: Arc<Stats>,
    time: Arc<TimeNote>,
    /// Where groups are asked back.
    asked: Receiver<GroupSet>,
}

/// Why commits fail, and when the engine was last asked.
struct Failing {
    reason: String,
    looked: Instant,
}

struct Loop<S> {
    engine: S,
    rings: Vec<Drain>,
    clock: WallClock,
    patience: Duration,
    tap: Option<Tap>,
    time: Arc<TimeNote>,
    time_due: Instant,
    /// Records of the time that were asked for and are in a batch.
    time_noted: u64,
    next: Lsn,
    /// Number behind the last record completed.
    completed: Lsn,
    groups: Groups,
    readmission: Readmission,
    stats: Arc<Stats>,
    spare: Vec<Batch>,
    /// When each batch in flight was submitted, and the records of the time up to it.
    submitted: VecDeque<(Instant, u64)>,
    failing: Option<Failing>,
    /// The ring that is asked first, so that none starves.
    turn: usize,
}

impl<S: Store> Loop<S> {
    fn new(parts: Parts<S>, options: CommitOptions) -> Self {
        let Parts {
            engine,
            rings,
            stats,
            time,
            asked,
        } = parts;
        Self {
            next: engine.next_lsn(),
            completed: engine.next_lsn(),
            groups: engine.groups(),
            readmission: Readmission::new(asked),
            engine,
            rings,
            clock: options.clock,
            patience: options.patience,
            tap: options.tap,
            time,
            time_due: Instant::now(),
            time_noted: 0,
            stats,
            spare: Vec::new(),
            submitted: VecDeque::new(),
            failing: None,
            turn: 0,
        }
    }

    fn run(&mut self, stop: &AtomicBool) -> Stopped {
        prefer_this_thread();
        let mut give_up: Option<Instant> = None;
        loop {
            // Asked for before the rings are: what came before the stop is seen.
            let stopping = stop.load(Ordering::Acquire);
            if self.round(Instant::now()) {
                continue;
            }
            if stopping {
                let at = *give_up.get_or_insert_with(|| Instant::now() + self.patience);
                let waiting = self.waiting();
                if waiting == 0 || Instant::now() >= at {
                    return self.finish(waiting);
                }
            }
            thread::sleep(IDLE);
        }
    }

    /// One look at everything; whether there was anything to do.
    fn round(&mut self, now: Instant) -> bool {
        let mut busy = self.engine.ready() && self.submit(now);
        while let Some(completion) = self.engine.completed() {
            self.publish(completion);
            busy = true;
        }
        let lost = self.engine.lost();
        self.fence(lost);
        self.readmit();
        self.watch();
        busy
    }

    /// Tells all workers which groups are another appliance's now.
    fn fence(&self, lost: GroupSet) {
        if lost.is_empty() {
            return;
        }
        for drain in &self.rings {
            drain.fence(self.groups, lost);
        }
    }

    fn readmit(&mut self) {
        let progress = Progress {
            rings: &self.rings,
            submitted: self.next,
            completed: self.completed,
        };
        while let Some(groups) = self.readmission.due(progress) {
            self.engine.readmit(groups);
            for drain in &self.rings {
                drain.readmit(groups);
            }
        }
    }

    fn submit(&mut self, now: Instant) -> bool {
        let mut batch = self.spare.pop().unwrap_or_else(|| Batch::new(self.next));
        batch.reset(self.next);
        self.record_time(&mut batch, now);
        let rings = self.rings.len();
        for i in 0..rings {
            let ring = (self.turn + i) % rings;
            let most = MAX_BATCH.saturating_sub(batch.count() as usize);
            if let Some(drain) = self.rings.get_mut(ring) {
                drain.take(ring, &mut batch, most);
            }
        }
        self.turn = (self.turn + 1) % rings.max(1);
        if batch.count() == 0 {
            self.spare.push(batch);
            return false;
        }
        self.next = batch.next();
        self.submitted.push_back((Instant::now(), self.time_noted));
        // Before, not after: an engine may stay in there.
        self.stats.set_under_way(self.oldest());
        self.engine.submit(batch);
        true
    }

    /// When the oldest batch in flight was submitted.
    fn oldest(&self) -> Option<Instant> {
        self.submitted.front().map(|(at, _)| *at)
    }

    fn record_time(&mut self, batch: &mut Batch, now: Instant) {
        let wanted = self.time.wanted();
        if now < self.time_due && wanted == self.time_noted {
            return;
        }
        self.time_due = now + TIME_RECORD;
        self.time_noted = wanted;
        let record = self.time.record((self.clock)(), now);
        let mut octets = [0; MAX_RECORD];
        if let Ok(length) = encode::encode(&record, &mut octets) {
            batch.push(octets.get(..length).unwrap_or(&[]), &[]);
        }
    }

    fn publish(&mut self, completion: Completion) {
        let (batch, lost) = match completion {
            Completion::Durable(batch) => (batch, GroupSet::EMPTY),
            Completion::Fenced(batch, lost) => (batch, lost),
        };
        // The fence first: who sees the watermark sees it.
        self.fence(lost);
        for mark in batch.marks() {
            if let Some(drain) = self.rings.get(mark.ring) {
                drain.refuse(lost, mark.upto);
                drain.publish(mark.upto);
            }
        }
        if let Some(tap) = &mut self.tap {
            if lost.is_empty() {
                tap.offer(batch.records(), batch.count().into());
            } else {
                let group = |record: &Record<'_>| self.groups.of(record.space, record.addr);
                tap.offer_some(batch.records(), |record| !lost.contains(group(record)));
            }
        }
        self.completed = batch.next();
        let (took, noted) = self
            .submitted
            .pop_front()
            .map_or((Duration::ZERO, 0), |(at, noted)| (at.elapsed(), noted));
        self.time.is_durable(noted);
        self.stats.set_under_way(self.oldest());
        self.stats
            .committed(batch.count(), batch.records().len(), took);
        self.spare.push(batch);
    }

    /// Tells the workers and the operator when commits begin to fail, when they fail for another
    /// reason, and when they work again.
    fn watch(&mut self) {
        let Some(error) = self.engine.trouble() else {
            if self.failing.take().is_some() {
                self.halt(false);
                if let Some(trouble) = self.stats.recover() {
                    alarm::log_end(&trouble);
                }
            }
            return;
        };
        // A text is made of it, and a failing engine is asked all the time.
        if let Some(failing) = &mut self.failing {
            if failing.looked.elapsed() < LOOK {
                return;
            }
            failing.looked = Instant::now();
        }
        let reason = error.to_string();
        if self.failing.as_ref().is_some_and(|f| f.reason == reason) {
            return;
        }
        self.halt(true);
        self.stats.fail(&reason, self.engine.place()).log();
        let looked = Instant::now();
        self.failing = Some(Failing { reason, looked });
    }

    fn halt(&self, halted: bool) {
        for drain in &self.rings {
            drain.halt(Halt::Failing, halted);
        }
    }

    /// What is not durable yet: slots in rings and batches in flight.
    fn waiting(&self) -> u64 {
        let slots: usize = self.rings.iter().map(Drain::waiting).sum();
        (slots + self.submitted.len()) as u64
    }

    fn finish(&mut self, unwritten: u64) -> Stopped {
        if unwritten > 0 {
            tracing::error!(
                event = %Event::StoreStoppedDirty,
                unwritten,
                "the store could not be written at the end; what is lost was not acknowledged"
            );
        } else if let Err(error) = self.engine.close() {
            tracing::warn!(event = %Event::StoreNotClosed, %error, "the store has no mark of its end");
        }
        Stopped { unwritten }
    }
}

/// Commits must not wait behind others' work; without the right to say so they still come.
fn prefer_this_thread() {
    if rustix::process::setpriority_process(None, -20).is_err() {
        tracing::debug!(event = %Event::StoreLatency, "no right to raise the priority");
    }
    // The sleep after an empty round is as long as said, not 50 µs longer.
    if rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).is_err() {
        tracing::debug!(
            event = %Event::StoreLatency,
            "no right to lower the timer slack"
        );
    }
}

#[cfg(test)]
mod tests;
