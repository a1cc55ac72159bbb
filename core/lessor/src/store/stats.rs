//! What the committer counts; it writes, everybody else reads.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

/// Buckets of the histogram: four to a power of two, up to 2^31 µs.
const BUCKETS: usize = 4 * 32;

/// Counters of one committer.
#[derive(Debug)]
pub struct Stats {
    commits: AtomicU64,
    records: AtomicU64,
    octets: AtomicU64,
    last_commit: AtomicU64,
    trouble_since: AtomicU64,
    troubles: AtomicU64,
    latency: [AtomicU64; BUCKETS],
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
            latency: [const { AtomicU64::new(0) }; BUCKETS],
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
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.latency.get(bucket_of(micros)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that commits began to fail, or work again.
    pub(crate) fn trouble(&self, failing: bool) {
        let since = if failing { unix_millis() } else { 0 };
        self.trouble_since.store(since, Ordering::Relaxed);
        self.troubles
            .fetch_add(u64::from(failing), Ordering::Relaxed);
    }

    /// The counters now. Each is exact; together they may be a commit apart.
    #[must_use]
    pub fn view(&self) -> StatsView {
        let some = |value: &AtomicU64| Some(value.load(Ordering::Relaxed)).filter(|v| *v != 0);
        let latency: [u64; BUCKETS] =
            core::array::from_fn(|i| self.latency[i].load(Ordering::Relaxed));
        StatsView {
            commits: self.commits.load(Ordering::Relaxed),
            records: self.records.load(Ordering::Relaxed),
            octets: self.octets.load(Ordering::Relaxed),
            last_commit: some(&self.last_commit),
            trouble_since: some(&self.trouble_since),
            troubles: self.troubles.load(Ordering::Relaxed),
            latency_p50: quantile(&latency, 50),
            latency_p99: quantile(&latency, 99),
        }
    }
}

/// The time of day for a reader of the counters.
fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// Power of two, then the two bits behind the leading one.
fn bucket_of(micros: u64) -> usize {
    let micros = micros.max(4);
    let power = micros.ilog2();
    let quarter = (micros >> (power - 2)) & 3;
    (power as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The first value beyond a bucket.
fn end_of(bucket: usize) -> Duration {
    let quarters = 5 + (bucket % 4) as u64;
    Duration::from_micros((quarters << (bucket / 4)) >> 2)
}

fn quantile(buckets: &[u64; BUCKETS], percent: u64) -> Duration {
    let all: u64 = buckets.iter().sum();
    let wanted = (all * percent).div_ceil(100);
    let mut seen = 0;
    for (bucket, count) in buckets.iter().enumerate() {
        seen += count;
        if seen >= wanted && all > 0 {
            return end_of(bucket);
        }
    }
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_behind_every_value_in_it_and_not_a_quarter_later() {
        for micros in [4, 5, 7, 8, 100, 1_000, 123_456, 1 << 31] {
            let end = end_of(bucket_of(micros)).as_micros();
            assert!(u128::from(micros) < end, "{micros} {end}");
            assert!(end <= u128::from(micros + micros / 4 + 1), "{micros} {end}");
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

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
        assert_eq!(view.latency_p50, Duration::from_micros(112));
        assert!(view.latency_p99 > Duration::from_millis(50));
        assert!(view.last_commit.is_some());
    }

    #[test]
    fn trouble_has_a_beginning_and_an_end() {
        let stats = Stats::default();
        stats.trouble(true);
        assert!(stats.view().trouble_since.is_some());
        stats.trouble(false);
        assert_eq!(stats.view().trouble_since, None);
        assert_eq!(stats.view().troubles, 1);
    }
}
