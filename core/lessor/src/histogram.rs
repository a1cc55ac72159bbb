//! How long things took: counts in buckets, four to a power of two.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use core::time::Duration;

/// Buckets: up to 2^36 ns, 68 s; what took longer is in the last.
const BUCKETS: usize = 4 * 36;
/// The bounds that collectors are shown are powers of two from 2^10 ns to 2^35 ns.
const SHOWN: core::ops::RangeInclusive<u32> = 10..=35;

/// A histogram with one writer: to count is a load and a store.
#[derive(Debug)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS], // its thread: write, control: read
    nanos: AtomicU64,              // its thread: write, control: read
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            nanos: AtomicU64::new(0),
        }
    }
}

impl Histogram {
    /// Counts `n` that took so long each.
    #[inline]
    pub fn add(&self, took: Duration, n: u64) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get(bucket_of(nanos)) {
            bucket.store(bucket.load(Relaxed).wrapping_add(n), Relaxed);
        }
        let sum = self.nanos.load(Relaxed);
        let more = nanos.wrapping_mul(n);
        self.nanos.store(sum.wrapping_add(more), Relaxed);
    }

    /// What it says now.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            buckets: core::array::from_fn(|i| self.buckets.get(i).map_or(0, |b| b.load(Relaxed))),
            nanos: self.nanos.load(Relaxed),
        }
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    buckets: [u64; BUCKETS],
    nanos: u64,
}

impl View {
    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, n| sum.wrapping_add(*n))
    }

    /// How long all took together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// So many of a thousand took at most about this long; zero if none was counted.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> Duration {
        let all = self.count();
        let wanted = u64::try_from((u128::from(all) * u128::from(per_mille)).div_ceil(1000));
        let wanted = wanted.unwrap_or(u64::MAX);
        let mut seen = 0_u64;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen = seen.wrapping_add(*count);
            if seen >= wanted && all > 0 {
                return end_of(bucket);
            }
        }
        Duration::ZERO
    }

    /// How many took less than each of the bounds that collectors are shown.
    pub fn below(&self) -> impl Iterator<Item = (Duration, u64)> + use<'_> {
        SHOWN.map(|power| {
            let before = self.buckets.get(..4 * power as usize).unwrap_or_default();
            let count = before.iter().fold(0_u64, |sum, n| sum.wrapping_add(*n));
            (Duration::from_nanos(1 << power), count)
        })
    }
}

/// Power of two, then the two bits behind the leading one.
fn bucket_of(nanos: u64) -> usize {
    let nanos = nanos.max(4);
    let power = nanos.ilog2();
    let quarter = (nanos >> (power - 2)) & 3;
    (power as usize * 4 + quarter as usize).min(BUCKETS - 1)
}

/// The first value beyond a bucket.
fn end_of(bucket: usize) -> Duration {
    let quarters = 5 + (bucket % 4) as u64;
    Duration::from_nanos((quarters << (bucket / 4)) >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_behind_every_value_in_it_and_not_a_quarter_later() {
        for nanos in [4, 5, 7, 8, 100, 1_000, 123_456, 1 << 31, (1 << 36) - 1] {
            let end = end_of(bucket_of(nanos)).as_nanos();
            assert!(u128::from(nanos) < end, "{nanos} {end}");
            assert!(end <= u128::from(nanos + nanos / 4 + 1), "{nanos} {end}");
        }
        assert!(bucket_of(u64::MAX) < BUCKETS);
    }

    #[test]
    fn quantiles_sum_and_bounds_are_those_of_what_was_counted() {
        let histogram = Histogram::default();
        assert_eq!(histogram.view().quantile(990), Duration::ZERO);
        histogram.add(Duration::from_micros(1), 98);
        histogram.add(Duration::from_millis(50), 2);
        let view = histogram.view();
        assert_eq!(view.count(), 100);
        assert_eq!(view.sum(), Duration::from_micros(100_098));
        assert_eq!(view.quantile(500), Duration::from_nanos(1024));
        assert!(view.quantile(990) > Duration::from_millis(50));
        let below: Vec<_> = view.below().collect();
        assert_eq!(below.first(), Some(&(Duration::from_nanos(1024), 98)));
        assert_eq!(below.last().map(|(_, count)| *count), Some(100));
        assert!(below.is_sorted());
    }

    #[test]
    fn what_takes_longer_than_the_last_bucket_is_counted_there() {
        let histogram = Histogram::default();
        histogram.add(Duration::MAX, 3);
        assert_eq!(histogram.view().count(), 3);
        assert_eq!(histogram.view().below().last().map(|(_, n)| n), Some(0));
    }
}
