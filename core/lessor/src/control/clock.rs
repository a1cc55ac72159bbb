//! What the server makes of the wall clock, as it is presented.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::utc;

/// What the wall clock is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockState {
    /// It is right, as far as the store knows.
    Ok,
    /// It was ahead of the store by more than the longest lease, and nobody has accepted it.
    Held,
    /// It is behind the newest record that the store had at the start.
    Behind,
}

/// The clocks of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReport {
    /// What the wall clock is taken for.
    pub state: ClockState,
    /// The wall clock, Unix seconds.
    pub wall: u64,
    /// The inner clock, by which leases run, Unix seconds.
    pub inner: u64,
    /// The wall clock at the start.
    pub wall_at_start: u64,
    /// The newest time in the store at the start, as far as it was believed; null if it was empty.
    pub newest_at_start: Option<u64>,
    /// Seconds by which the wall clock was ahead of that at the start, below 0 if it was behind.
    pub ahead_at_start: i64,
    /// Seconds by which the wall clock is behind the newest record now.
    pub behind: u64,
    /// Since when the clock is held, and what it holds; null if it is not.
    pub held: Option<Held>,
    /// Seconds by which the wall clock is ahead of the inner one now: by so much it was set while
    /// the server runs.
    pub ahead: i64,
    /// How often it was set.
    pub steps: u64,
}

/// A clock that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The wall clock at the start, or when it jumped; Unix seconds of the clock that is held.
    pub since: u64,
    /// Until when at the latest.
    pub until: u64,
    /// The leases that are kept although they are over by this clock.
    pub bindings: u64,
}

/// What came of accepting the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockAccepted {
    /// Whether it was held.
    pub was_held: bool,
    /// The leases that expire because of it.
    pub bindings: u64,
}

impl fmt::Display for ClockReport {
    /// A line for each fact, and what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            writeln!(f, "{name:<14} {value}")
        };
        let state = match self.state {
            ClockState::Ok => "ok",
            ClockState::Held => "held",
            ClockState::Behind => "behind",
        };
        line(f, "state", &state)?;
        line(f, "wall clock", &utc(self.wall))?;
        line(f, "inner clock", &utc(self.inner))?;
        let newest = self.newest_at_start.map_or_else(|| "none".into(), utc);
        line(f, "newest record", &format_args!("{newest} at the start"))?;
        let start = utc(self.wall_at_start);
        let ahead = self.ahead_at_start;
        line(f, "started", &format_args!("{start}, {ahead} s after it"))?;
        if self.steps > 0 {
            let (steps, ahead) = (self.steps, self.ahead);
            let text = format!("{steps} times since, {ahead} s ahead of the inner clock");
            line(f, "set", &text)?;
        }
        if let Some(held) = &self.held {
            line(f, "held since", &utc(held.since))?;
            line(f, "held until", &utc(held.until))?;
            line(f, "held leases", &held.bindings)?;
            writeln!(
                f,
                "\nIf the wall clock is right, `lessor clock accept` lets what is held expire; \
                 if it is wrong, set it."
            )?;
        }
        if self.state == ClockState::Behind {
            let behind = self.behind;
            line(f, "behind by", &format_args!("{behind} s"))?;
            writeln!(f, "\nIf the wall clock is wrong, set it.")?;
        }
        Ok(())
    }
}

impl fmt::Display for ClockAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.was_held {
            let bindings = self.bindings;
            writeln!(
                f,
                "the clock is accepted; leases that were held and expire now: {bindings}"
            )
        } else {
            writeln!(f, "the clock is not held; nothing was changed")
        }
    }
}
