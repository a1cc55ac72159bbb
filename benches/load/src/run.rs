//! The course of a run: the way to the server, leases first where the mode wants them, a warm-up,
//! what is measured, and what is still under way at the end. Time is an argument.

use dhcp_wire::Checksum;

use crate::clients::Nanos;
use crate::engine::{Engine, Unfit};
use crate::plan::{End, Mode, Pace, Plan, Timing};
use crate::sink::Sink;
use crate::tally::Counts;

/// Exchanges that one poll begins at most.
const BURST: u64 = 32;

/// Exchanges under way while clients obtain the leases that an open loop starts from.
const WINDOW: u32 = 256;

const SECOND: Nanos = 1_000_000_000;
/// ARP requests for the server are this far apart, and the last is so late.
const ASK_EVERY: Nanos = SECOND / 2;
const ASK_UNTIL: Nanos = 10 * SECOND;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Asking for the server's hardware address.
    Way,
    /// Clients obtain leases.
    Leases,
    /// Exchanges that do not count.
    Warmup,
    /// Exchanges that count.
    Measure,
    /// Waiting for what is under way.
    Drain,
    /// The end.
    Over,
}

impl Stage {
    /// What it is called in a line of progress.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Way => "arp",
            Self::Leases => "leases",
            Self::Warmup => "warm-up",
            Self::Measure => "measure",
            Self::Drain => "drain",
            Self::Over => "end",
        }
    }
}

/// Why a run came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nobody answers ARP for the server's address.
    NoWay,
    /// No client obtained a lease.
    NoLeases,
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoWay => "nobody answers ARP for the server's address",
            Self::NoLeases => "no client obtained a lease",
        })
    }
}

impl core::error::Error for Failure {}

/// A run.
#[derive(Debug)]
pub struct Run {
    engine: Engine,
    timing: Timing,
    mode: Mode,
    clients: u32,
    stage: Stage,
    /// When the stage began.
    since: Nanos,
    /// What was counted before the stage.
    before: Counts,
    asked: Option<Nanos>,
    measured: (Counts, Nanos),
    leases: (u32, Nanos),
    failure: Option<Failure>,
}

impl Run {
    /// A run that does what `plan` says, when `timing` says.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if there is no memory for the clients.
    pub fn new(plan: &Plan, timing: Timing) -> Result<Self, Unfit> {
        let mut timing = timing;
        if let Pace::Window(window) = &mut timing.pace {
            *window = (*window).min(plan.clients);
        }
        Ok(Self {
            engine: Engine::new(plan)?,
            timing,
            mode: plan.mode,
            clients: plan.clients,
            stage: Stage::Way,
            since: 0,
            before: Counts::default(),
            asked: None,
            measured: (Counts::default(), 0),
            leases: (0, 0),
            failure: None,
        })
    }

    /// Has a frame, and what it will be held against, in the cache soon.
    #[inline]
    pub fn expect(&self, frame: &[u8]) {
        self.engine.expect(frame);
    }

    /// Takes a frame. It takes room for one.
    #[inline]
    pub fn receive(
        &mut self,
        frame: &[u8],
        checksums: (Checksum, Checksum),
        now: Nanos,
        sink: &mut impl Sink,
    ) {
        self.engine.receive(frame, checksums, now, sink);
    }

    /// Sends what is due at `now`.
    #[inline]
    pub fn poll(&mut self, now: Nanos, sink: &mut impl Sink) {
        self.engine.poll(now, sink);
        match self.stage {
            Stage::Way => self.find_the_way(now, sink),
            Stage::Leases => self.obtain_leases(now, sink),
            // The clock starts when clients have rested from obtaining their leases.
            Stage::Warmup if self.begun() == 0 && self.engine.is_resting(now) => self.since = now,
            Stage::Warmup => {
                if now - self.since >= self.timing.warmup {
                    self.engine.time_replies(true);
                    self.enter(Stage::Measure, now);
                    self.measure(now, sink);
                } else {
                    self.begin_exchanges(u64::MAX, now, sink);
                }
            }
            Stage::Measure => self.measure(now, sink),
            Stage::Drain => {
                let waited = now - self.since >= self.timing.drain;
                if waited || self.engine.under_way() == 0 {
                    self.enter(Stage::Over, now);
                }
            }
            Stage::Over => {}
        }
    }

    /// Ends the run early; what was measured counts.
    pub fn stop(&mut self, now: Nanos) {
        match self.stage {
            Stage::Measure => self.end_measuring(now),
            Stage::Drain | Stage::Over => {}
            Stage::Way | Stage::Leases | Stage::Warmup => self.enter(Stage::Over, now),
        }
    }

    fn enter(&mut self, stage: Stage, now: Nanos) {
        (self.stage, self.since) = (stage, now);
        self.before = *self.engine.counts();
    }

    fn fail(&mut self, failure: Failure, now: Nanos) {
        self.failure = Some(failure);
        self.enter(Stage::Over, now);
    }

    fn find_the_way(&mut self, now: Nanos, sink: &mut impl Sink) {
        if self.engine.knows_the_way() {
            let first = if self.mode.wants_leases() {
                self.engine.begin_rounds(Mode::Dora);
                Stage::Leases
            } else {
                Stage::Warmup
            };
            return self.enter(first, now);
        }
        if now - self.since > ASK_UNTIL {
            return self.fail(Failure::NoWay, now);
        }
        if self.asked.is_none_or(|asked| now - asked >= ASK_EVERY) {
            self.asked = Some(now);
            self.engine.ask_the_way(sink);
        }
    }

    fn obtain_leases(&mut self, now: Nanos, sink: &mut impl Sink) {
        let left = u64::from(self.clients).saturating_sub(self.begun());
        let window = match self.timing.pace {
            Pace::Window(window) => window,
            Pace::Rate(_) => WINDOW,
        };
        let due = u64::from(window.saturating_sub(self.engine.under_way()));
        self.begin(due.min(left), now, sink);
        if left > 0 || self.engine.under_way() > 0 {
            return;
        }
        self.leases = (self.engine.bound(now), now - self.since);
        if self.leases.0 == 0 {
            return self.fail(Failure::NoLeases, now);
        }
        self.engine.begin_rounds(self.mode);
        self.enter(Stage::Warmup, now);
    }

    #[inline]
    fn measure(&mut self, now: Nanos, sink: &mut impl Sink) {
        let (over, left) = match self.timing.end {
            End::After(time) => (now - self.since >= time, u64::MAX),
            End::Exchanges(wanted) => {
                let ended = self.ended();
                let open = ended + u64::from(self.engine.under_way());
                (ended >= wanted, wanted.saturating_sub(open))
            }
        };
        if over {
            self.end_measuring(now);
        } else {
            self.begin_exchanges(left, now, sink);
        }
    }

    /// Exchanges begun in this stage.
    #[inline]
    const fn begun(&self) -> u64 {
        self.engine.counts().begun - self.before.begun
    }

    /// Exchanges that ended in this stage.
    fn ended(&self) -> u64 {
        let counts = self.engine.counts().since(&self.before);
        counts.exchanges + counts.timeouts + counts.naks
    }

    fn end_measuring(&mut self, now: Nanos) {
        self.engine.time_replies(false);
        let counts = self.engine.counts().since(&self.before);
        self.measured = (counts, now - self.since);
        self.enter(Stage::Drain, now);
    }

    /// Begins what the pace allows, and no more than `left`.
    #[inline]
    fn begin_exchanges(&mut self, left: u64, now: Nanos, sink: &mut impl Sink) {
        let due = match self.timing.pace {
            Pace::Window(window) => u64::from(window.saturating_sub(self.engine.under_way())),
            Pace::Rate(rate) => {
                let due = u128::from(now - self.since) * u128::from(rate) / u128::from(SECOND);
                let due = u64::try_from(due).unwrap_or(u64::MAX);
                due.saturating_sub(self.begun())
            }
        };
        self.begin(due.min(left), now, sink);
    }

    #[inline]
    fn begin(&mut self, count: u64, now: Nanos, sink: &mut impl Sink) {
        for _ in 0..count.min(BURST) {
            // A RELEASE goes before the DISCOVER.
            if sink.room() < 2 || !self.engine.start(now, sink) {
                return;
            }
        }
    }

    /// Where the run is.
    #[inline]
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// The clients.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What was counted while it counts, and how long that was.
    #[must_use]
    pub const fn measured(&self) -> (&Counts, Nanos) {
        (&self.measured.0, self.measured.1)
    }

    /// Leases that clients obtained first, and how long that took.
    #[must_use]
    pub const fn leases(&self) -> (u32, Nanos) {
        self.leases
    }

    /// Why it came to nothing, if it did.
    #[must_use]
    pub const fn failure(&self) -> Option<Failure> {
        self.failure
    }
}
