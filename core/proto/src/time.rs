//! The inner clock: monotonic, started at the wall clock of the start.
//!
//! Everything inside counts on this clock, so a step of the wall clock neither expires nor
//! prolongs a lease of the running server. Wall time exists at the edges only: in records and in
//! what an operator sees; [`Wall`] converts.

use core::time::Duration;

/// A moment of the inner clock, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `seconds` of the inner clock begins.
    #[must_use]
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }

    /// The second this moment lies in; the last one that can be told if the clock ran past it.
    #[must_use]
    pub fn secs(self) -> u32 {
        u32::try_from(self.0 / 1000).unwrap_or(u32::MAX - 1)
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

/// The lease time that never ends, RFC 2131 §3.3; as a deadline, the one that never comes.
pub const INFINITE: u32 = u32::MAX;

/// The deadline `lease` seconds after `now`, never [`INFINITE`] unless the lease is.
#[must_use]
pub fn deadline(now: u32, lease: u32) -> u32 {
    if lease == INFINITE {
        INFINITE
    } else {
        now.saturating_add(lease).min(INFINITE - 1)
    }
}

/// The seconds from `now` to `deadline`: 0 if it has passed, [`INFINITE`] if it never comes.
#[must_use]
pub fn remaining(now: u32, deadline: u32) -> u32 {
    if deadline == INFINITE {
        INFINITE
    } else {
        deadline.saturating_sub(now)
    }
}

/// How far the wall clock (Unix seconds) is ahead of the inner one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wall {
    /// Wall seconds minus inner seconds.
    pub ahead: i64,
}

/// A wall deadline that never comes.
pub const WALL_NEVER: u64 = u64::MAX;

impl Wall {
    /// The wall time of an inner second; [`INFINITE`] becomes [`WALL_NEVER`].
    #[must_use]
    pub fn at(self, secs: u32) -> u64 {
        if secs == INFINITE {
            return WALL_NEVER;
        }
        u64::from(secs).saturating_add_signed(self.ahead)
    }

    /// The inner second of a wall time, bounded to what the inner clock can tell.
    #[must_use]
    pub fn inner(self, wall: u64) -> u32 {
        if wall == WALL_NEVER {
            return INFINITE;
        }
        let inner = i128::from(wall) - i128::from(self.ahead);
        u32::try_from(inner.clamp(0, i128::from(INFINITE - 1))).unwrap_or(INFINITE - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_and_inner_clock_convert_both_ways() {
        for ahead in [-5000, 0, 7, 1 << 20] {
            let wall = Wall { ahead };
            assert_eq!(wall.inner(wall.at(1_800_000_000)), 1_800_000_000);
        }
        assert_eq!(Wall { ahead: 9 }.at(INFINITE), WALL_NEVER);
        assert_eq!(Wall { ahead: 9 }.inner(WALL_NEVER), INFINITE);
        assert_eq!(Wall { ahead: 100 }.inner(50), 0);
    }

    #[test]
    fn a_finite_deadline_is_never_infinite() {
        assert_eq!(deadline(u32::MAX - 2, 3600), INFINITE - 1);
        assert_eq!(deadline(10, INFINITE), INFINITE);
        assert_eq!(remaining(10, INFINITE), INFINITE);
        assert_eq!(remaining(10, 4), 0);
    }
}
