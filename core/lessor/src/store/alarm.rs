//! What is wrong with the store and since when, for the log, for `lessor stats`, for the workers.
//!
//! Commits that fail are told by the store thread. A commit that does not come back keeps that
//! thread in the engine, so the control side looks at the clock in its place: see [`Watcher`].

use super::ring::{Halt, RingMeter};
use super::stats::{Stats, unix_millis};
use crate::control::utc;
use crate::event::Event;
use core::time::Duration;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// How often trouble that lasts is told again.
const REPEAT: Duration = Duration::from_mins(1);

/// What kind of trouble a store is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// Commits fail.
    Failed,
    /// A commit takes longer than a client waits.
    Slow,
}

/// What is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Of what kind it is.
    pub kind: TroubleKind,
    /// When it began, Unix milliseconds.
    pub since: u64,
    /// The newest reason.
    pub reason: String,
    /// The file or directory concerned, if the engine has one.
    pub file: Option<PathBuf>,
}

impl Trouble {
    /// When it began, in UTC.
    #[must_use]
    pub fn began(&self) -> String {
        utc(self.since / 1000)
    }

    /// The file or directory concerned, or nothing.
    fn place(&self) -> String {
        let file = self.file.as_ref();
        file.map_or_else(String::new, |file| file.display().to_string())
    }

    /// Tells the operator, for the first time, with a new reason, or again.
    pub(super) fn log(&self) {
        let (since, reason, file) = (self.began(), &self.reason, self.place());
        match self.kind {
            TroubleKind::Failed => tracing::error!(
                event = %Event::StoreFailed,
                %since,
                file,
                error = %reason,
                "the store cannot be written; requests are dropped until it can, and nothing \
                 is acknowledged that is not durable"
            ),
            TroubleKind::Slow => tracing::error!(
                event = %Event::StoreSlow,
                %since,
                seconds = unix_millis().saturating_sub(self.since) / 1000,
                file,
                error = %reason,
                "the store does not answer in time; requests are dropped until it does, and \
                 nothing is acknowledged that is not durable"
            ),
        }
    }
}

/// Tells that there is no trouble any more.
pub(super) fn log_end(trouble: &Trouble) {
    let since = trouble.began();
    tracing::info!(
        event = %Event::StoreRecovered,
        %since,
        seconds = unix_millis().saturating_sub(trouble.since) / 1000,
        "the store works again, service resumes"
    );
}

/// Looks from outside whether commits come back, and repeats what is wrong.
#[derive(Debug)]
pub struct Watcher {
    stats: Arc<Stats>,
    meters: Vec<RingMeter>,
    limit: Duration,
    /// When the trouble there is was told last.
    told: Option<Instant>,
}

/// What a look told the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Slow,
    InTime,
    Again,
}

impl Watcher {
    /// One that finds a commit slow after `limit`, which is how long a reply may wait for it.
    pub(super) fn new(stats: Arc<Stats>, meters: Vec<RingMeter>, limit: Duration) -> Self {
        Self {
            stats,
            meters,
            limit,
            told: None,
        }
    }

    /// To be called several times a second. While a commit is slow the workers take on nothing
    /// that needs one.
    pub fn look(&mut self) -> Option<Trouble> {
        self.look_at(Instant::now());
        self.stats.trouble()
    }

    fn look_at(&mut self, now: Instant) -> Told {
        let told = self.look_for_slow(now);
        if told != Told::Nothing {
            self.told = Some(now);
            return told;
        }
        let Some(trouble) = self.stats.trouble() else {
            self.told = None;
            return Told::Nothing;
        };
        // Whoever found the trouble has told it; a new reason too.
        let last = *self.told.get_or_insert(now);
        if now.saturating_duration_since(last) < REPEAT {
            return Told::Nothing;
        }
        self.told = Some(now);
        trouble.log();
        Told::Again
    }

    fn look_for_slow(&mut self, now: Instant) -> Told {
        let under_way = self.stats.under_way(now);
        // A commit that failed is under way until a repeat succeeds: that has been told.
        let slow = under_way.filter(|age| *age > self.limit && !self.stats.is_failing());
        match (self.stats.slow(), slow) {
            (None, Some(age)) => {
                let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                let limit = self.limit.as_secs_f32();
                let trouble = Trouble {
                    kind: TroubleKind::Slow,
                    since: unix_millis().saturating_sub(millis),
                    reason: format!("a commit has taken more than {limit} s"),
                    file: None,
                };
                trouble.log();
                self.set(Some(trouble));
                Told::Slow
            }
            (Some(trouble), None) => {
                self.set(None);
                if self.stats.is_failing() {
                    return Told::Nothing;
                }
                log_end(&trouble);
                Told::InTime
            }
            (None, None) | (Some(_), Some(_)) => Told::Nothing,
        }
    }

    fn set(&self, slow: Option<Trouble>) {
        for meter in &self.meters {
            meter.halt(Halt::Slow, slow.is_some());
        }
        self.stats.set_slow(slow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ring::ring;
    use dhcp_proto::record::Journal as _;

    const LIMIT: Duration = Duration::from_secs(2);

    fn after(begin: Instant, millis: u64) -> Instant {
        begin + Duration::from_millis(millis)
    }

    #[test]
    fn a_slow_commit_is_told_once_then_each_minute_and_halts_until_it_is_back() {
        let stats = Arc::new(Stats::default());
        let (worker, drain) = ring(64);
        let mut watcher = Watcher::new(Arc::clone(&stats), vec![drain.meter()], LIMIT);
        let begin = Instant::now();
        stats.set_under_way(Some(begin));
        assert_eq!(watcher.look_at(after(begin, 1_990)), Told::Nothing);
        assert!(worker.has_room());
        assert_eq!(watcher.look_at(after(begin, 2_050)), Told::Slow);
        assert!(!worker.has_room());
        let trouble = stats.trouble().unwrap();
        assert_eq!(trouble.kind, TroubleKind::Slow);
        assert!(trouble.began().starts_with("20"), "{trouble:?}");
        assert_eq!(watcher.look_at(after(begin, 62_000)), Told::Nothing);
        assert_eq!(watcher.look_at(after(begin, 62_100)), Told::Again);
        assert_eq!(watcher.look_at(after(begin, 62_150)), Told::Nothing);
        stats.set_under_way(None);
        assert_eq!(watcher.look_at(after(begin, 62_200)), Told::InTime);
        assert!(worker.has_room());
        assert_eq!(stats.trouble(), None);
    }

    #[test]
    fn the_end_of_slowness_does_not_end_a_failure_nor_the_other_way_round() {
        let stats = Arc::new(Stats::default());
        let (worker, drain) = ring(64);
        let mut watcher = Watcher::new(Arc::clone(&stats), vec![drain.meter()], LIMIT);
        let begin = Instant::now();
        stats.set_under_way(Some(begin));
        assert_eq!(watcher.look_at(after(begin, 3_000)), Told::Slow);
        // It comes back, with an error.
        drain.halt(Halt::Failing, true);
        stats.fail("no space", None);
        assert_eq!(watcher.look_at(after(begin, 3_050)), Told::Nothing);
        assert!(!worker.has_room());
        assert_eq!(stats.trouble().unwrap().kind, TroubleKind::Failed);
        // It is tried again for so long that it would be slow.
        assert_eq!(watcher.look_at(after(begin, 9_000)), Told::Nothing);
        assert_eq!(watcher.look_at(after(begin, 63_100)), Told::Again);
        drain.halt(Halt::Failing, false);
        stats.recover();
        stats.set_under_way(Some(after(begin, 63_150)));
        assert_eq!(watcher.look_at(after(begin, 63_200)), Told::Nothing);
        assert!(worker.has_room());
    }
}
