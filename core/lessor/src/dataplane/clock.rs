//! The clocks of the process, read without entering the kernel (vDSO).

use std::time::{Instant as Monotonic, SystemTime, UNIX_EPOCH};

use dhcp_proto::time::{Instant, Wall};

/// The inner clock: starts at wall time, goes on monotonically.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    began: Monotonic,
    /// Inner milliseconds at `began`.
    at: u64,
}

impl Clock {
    /// Starts at the wall clock, but not before second `now`, that of the newest record in the
    /// store: a clock that went back must not give leases a second life.
    #[must_use]
    pub fn start(now: u64) -> Self {
        let wall = wall_millis().max(now.saturating_mul(1000));
        Self {
            began: Monotonic::now(),
            at: wall,
        }
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> Instant {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Instant(self.at.saturating_add(elapsed))
    }

    /// How far the wall clock is ahead of the inner clock now, in whole seconds.
    #[must_use]
    pub fn wall(&self) -> Wall {
        let inner = i128::from(self.now().0);
        let ahead = (i128::from(wall_millis()) - inner).div_euclid(1000);
        Wall {
            ahead: i64::try_from(ahead).unwrap_or(0),
        }
    }
}

/// The wall clock, Unix seconds.
#[must_use]
pub fn unix_seconds() -> u64 {
    wall_millis() / 1000
}

fn wall_millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_clock_never_starts_before_the_newest_record() {
        let ahead = wall_millis() / 1000 + 5000;
        let clock = Clock::start(ahead);
        assert!(clock.now().0 >= ahead * 1000);
        assert!(clock.wall().ahead <= -4999);
    }

    #[test]
    fn it_starts_at_the_wall_clock() {
        let clock = Clock::start(0);
        assert!((-1..=1).contains(&clock.wall().ahead));
    }
}
