//! What the committer counts; it writes, everybody else reads.

use super::alarm::{Trouble, TroubleKind};
use crate::histogram::{Histogram, View};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Counters of one committer.
#[derive(Debug)]
pub struct Stats {
    commits: AtomicU64,
    records: AtomicU64,
    octets: AtomicU64,
    last_commit: AtomicU64,
    trouble_since: AtomicU64,
    troubles: AtomicU64,
    latency: Histogram,
    began: Instant,
    /// Since when the oldest commit is under way, microseconds after `began` and one; 0 is none.
    under_way: AtomicU64,
    wrong: Mutex<Wrong>,
}

/// What is wrong.
#[derive(Debug, Default)]
struct Wrong {
    /// store thread: write
    failed: Option<Trouble>,
    /// watcher: write
    slow: Option<Trouble>,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsView {
    /// Durable commits.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Octets of those records.
    pub octets: u64,
    /// When the last commit was durable, Unix milliseconds.
    pub last_commit: Option<u64>,
    /// Since when commits fail, Unix milliseconds.
    pub trouble_since: Option<u64>,
    /// How often commits began to fail.
    pub troubles: u64,
    /// Half of all commits took at most about this long.
    pub latency_p50: Duration,
    /// 99 of a hundred commits took at most about this long.
    pub latency_p99: Duration,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            commits: AtomicU64::new(0),
            records: AtomicU64::new(0),
            octets: AtomicU64::new(0),
            last_commit: AtomicU64::new(0),
            trouble_since: AtomicU64::new(0),
            troubles: AtomicU64::new(0),
            latency: Histogram::default(),
            began: Instant::now(),
            under_way: AtomicU64::new(0),
            wrong: Mutex::default(),
        }
    }
}

impl Stats {
    /// Counts a commit.
    pub(crate) fn committed(&self, records: u32, octets: usize, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records
            .fetch_add(u64::from(records), Ordering::Relaxed);
        self.octets.fetch_add(octets as u64, Ordering::Relaxed);
        self.last_commit.store(unix_millis(), Ordering::Relaxed);
        self.latency.add(took, 1);
    }

    /// Notes that commits fail, and why; since when is known if they did before.
    pub(crate) fn fail(&self, reason: &str, file: Option<PathBuf>) -> Trouble {
        let mut wrong = self.wrong();
        let since = wrong.failed.as_ref().map(|trouble| trouble.since);
        self.troubles
            .fetch_add(u64::from(since.is_none()), Ordering::Relaxed);
        let since = since.unwrap_or_else(unix_millis);
        self.trouble_since.store(since, Ordering::Relaxed);
        let trouble = Trouble {
            kind: TroubleKind::Failed,
            since,
            reason: reason.to_owned(),
            file,
        };
        wrong.failed = Some(trouble.clone());
        trouble
    }

    /// Notes that commits work again; what was wrong.
    pub(crate) fn recover(&self) -> Option<Trouble> {
        self.trouble_since.store(0, Ordering::Relaxed);
        self.wrong().failed.take()
    }

    /// Notes that a commit takes too long, or that none does any more.
    pub(crate) fn set_slow(&self, slow: Option<Trouble>) {
        self.wrong().slow = slow;
    }

    /// Notes when the oldest commit under way was begun.
    pub(crate) fn set_under_way(&self, since: Option<Instant>) {
        let micros = since.map_or(0, |at| {
            let after = at.saturating_duration_since(self.began).as_micros();
            u64::try_from(after).unwrap_or(u64::MAX - 1) + 1
        });
        self.under_way.store(micros, Ordering::Relaxed);
    }

    /// How long the oldest commit has been under way.
    pub(crate) fn under_way(&self, now: Instant) -> Option<Duration> {
        let since = self.under_way.load(Ordering::Relaxed).checked_sub(1)?;
        let after = now.saturating_duration_since(self.began);
        Some(after.saturating_sub(Duration::from_micros(since)))
    }

    /// Whether commits fail.
    pub(crate) fn is_failing(&self) -> bool {
        self.trouble_since.load(Ordering::Relaxed) != 0
    }

    /// The commit that takes too long.
    pub(crate) fn slow(&self) -> Option<Trouble> {
        self.wrong().slow.clone()
    }

    /// What is wrong: a failure before slowness.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        let wrong = self.wrong();
        wrong.failed.as_ref().or(wrong.slow.as_ref()).cloned()
    }

    fn wrong(&self) -> MutexGuard<'_, Wrong> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long commits took.
    #[must_use]
    pub fn latency(&self) -> View {
        self.latency.view()
    }

    /// The counters now. Each is exact; together they may be a commit apart.
    #[must_use]
    pub fn view(&self) -> StatsView {
        let some = |value: &AtomicU64| Some(value.load(Ordering::Relaxed)).filter(|v| *v != 0);
        let latency = self.latency.view();
        StatsView {
            commits: self.commits.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            octets: self.octets.load(Ordering::Relaxed),
            last_commit: some(&self.last_commit),
            trouble_since: some(&self.trouble_since),
            troubles: self.troubles.load(Ordering::Relaxed),
            latency_p50: latency.quantile(500),
            latency_p99: latency.quantile(990),
        }
    }
}

/// The time of day for a reader of the counters.
pub(super) fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_what_was_counted() {
        let stats = Stats::default();
        assert_eq!(stats.view().latency_p99, Duration::ZERO);
        for _ in 0..98 {
            stats.committed(3, 300, Duration::from_micros(100));
        }
        for _ in 0..2 {
            stats.committed(3, 300, Duration::from_millis(50));
        }
        let view = stats.view();
        assert_eq!(
            (view.commits, view.records, view.octets),
            (100, 300, 30_000)
        );
        assert_eq!(view.latency_p50, Duration::from_nanos(114_688));
        assert!(view.latency_p99 > Duration::from_millis(50));
        assert!(view.last_commit.is_some());
    }

    #[test]
    fn trouble_has_a_beginning_and_an_end() {
        let stats = Stats::default();
        let began = stats.fail("no space", None).since;
        assert_eq!(stats.view().trouble_since, Some(began));
        let trouble = stats.fail("no disk", Some("/store".into()));
        assert_eq!((trouble.since, trouble.reason.as_str()), (began, "no disk"));
        assert_eq!(stats.trouble(), Some(trouble.clone()));
        assert_eq!(stats.recover(), Some(trouble));
        assert_eq!(stats.view().trouble_since, None);
        assert_eq!(stats.trouble(), None);
        assert_eq!(stats.view().troubles, 1);
    }
}
