//! What the start makes of the wall clock, and what becomes of that while the server runs.

use std::time::Duration;

use dhcp_proto::config::Config;
use dhcp_proto::restart::{Noted, Start, longest_lease};
use tracing::{info, warn};

use super::bindings;
use crate::control::{ClockReport, ClockState, Held, utc};
use crate::dataplane::clock::{self, Clock};
use crate::event::Event;
use crate::store::{ClockHold, Committer, Jumped, Recovered};

/// Judges the wall clock by what the store knows.
pub(super) fn judge(recovered: Option<&Recovered>, config: &Config) -> Start {
    let noted = recovered.map_or_else(Noted::default, bindings::noted);
    Start::new(clock::unix_seconds(), &noted, config)
}

/// Says what is wrong with the clock; `bindings` leases are held.
pub(super) fn tell(start: &Start, bindings: u64) {
    let (wall, newest) = (utc(start.wall), utc(start.newest.unwrap_or(start.wall)));
    if let Some(hold) = start.hold.filter(|hold| hold.until > start.wall) {
        warn!(
            event = %Event::ClockHeld,
            wall,
            newest,
            ahead = start.ahead(),
            until = utc(hold.until),
            bindings,
            "the wall clock is ahead of the store by more than the longest lease; leases that are \
             over by it are kept: `lessor clock accept` if it is right, otherwise set it"
        );
    }
    if start.behind() > 0 {
        warn!(
            event = %Event::ClockBehind,
            wall,
            newest,
            behind = start.behind(),
            "the wall clock is behind the store; leases run by the newest record: set the clock"
        );
    }
}

/// Looks whether the hold of the clock runs out.
#[derive(Debug)]
pub(super) struct Watch {
    held: bool,
}

impl Watch {
    pub(super) fn new(committer: &Committer) -> Self {
        let held = is_held(committer.clock_hold());
        Self { held }
    }

    /// Says so once, when it is over.
    pub(super) fn look(&mut self, committer: &Committer) {
        let hold = committer.clock_hold();
        if self.held && hold == ClockHold::Over {
            info!(
                event = %Event::ClockHoldOver,
                "one default lease has passed; leases of clients that did not come back expire"
            );
        }
        self.held = is_held(hold);
    }
}

fn is_held(hold: ClockHold) -> bool {
    match hold {
        ClockHold::Held(_) => true,
        ClockHold::Never | ClockHold::Accepted | ClockHold::Over => false,
    }
}

/// Seconds between two looks that are a step of the wall clock, not the rounding of two clocks.
const STEP: u64 = 2;

/// Notices steps of the wall clock while the server runs. Leases run by the inner clock and see
/// nothing of them; but records are dated by the wall clock, so that what a restart makes of it
/// has to be on record, too.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Seconds by which the wall clock was ahead of the inner clock at the last look.
    ahead: i64,
    /// Of these, as many are believed.
    believed: i64,
    /// Whether it is ahead of what is believed by more than the longest lease.
    jumped: bool,
}

/// A step of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    /// Seconds, below 0 if it was set back.
    by: i64,
    /// Where it is now, if that is too far ahead to be believed.
    jumped: Option<Jumped>,
}

impl Steps {
    /// Looks whether the wall clock has stepped.
    pub(super) fn look(&mut self, clock: &Clock, committer: &Committer, config: &Config) {
        let held = is_held(committer.clock_hold());
        let longest = || longest_lease(config);
        let Some(step) = self.see(clock.wall().ahead, held, longest) else {
            return;
        };
        committer.clock_stepped(step.jumped);
        let kept = step.jumped.map_or(0, |jumped| jumped.hold.as_secs());
        warn!(
            event = %Event::ClockStepped,
            by = step.by,
            ahead = self.ahead,
            kept,
            "the wall clock was set while the server runs; leases run on as they were"
        );
    }

    /// What it means that the wall clock is `ahead` seconds ahead of the inner clock, which is
    /// `held` or not, where the longest lease has `longest` seconds, asked for after a step alone.
    fn see(&mut self, ahead: i64, held: bool, longest: impl FnOnce() -> u32) -> Option<Step> {
        // Accepted, or all that was leased before is over.
        if self.jumped && !held {
            self.believed = self.ahead;
            self.jumped = false;
        }
        let by = ahead.saturating_sub(self.ahead);
        self.ahead = ahead;
        if by.unsigned_abs() < STEP {
            return None;
        }
        let longest = longest();
        let away = u64::try_from(ahead.saturating_sub(self.believed)).unwrap_or(0);
        self.jumped = away > u64::from(longest);
        let jumped = self.jumped.then(|| Jumped {
            by: away,
            hold: Duration::from_secs(u64::from(longest)),
        });
        Some(Step { by, jumped })
    }
}

/// The clocks as they are now; `bindings` leases are held.
pub(super) fn report(
    start: &Start,
    clock: &Clock,
    committer: &Committer,
    bindings: u64,
) -> ClockReport {
    let steps = committer.clock_steps();
    let wall = clock::unix_seconds();
    let held = match committer.clock_hold() {
        ClockHold::Held(left) => Some(Held {
            since: wall.saturating_sub(committer.clock_held_for().as_secs()),
            until: wall.saturating_add(left.as_secs()).saturating_add(1),
            bindings,
        }),
        ClockHold::Never | ClockHold::Accepted | ClockHold::Over => None,
    };
    let behind = start.newest.map_or(0, |newest| newest.saturating_sub(wall));
    let seconds = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    ClockReport {
        state: match (held, behind) {
            (Some(_), _) => ClockState::Held,
            (None, 0) => ClockState::Ok,
            (None, _) => ClockState::Behind,
        },
        wall,
        inner: u64::from(clock.now().secs()),
        wall_at_start: start.wall,
        newest_at_start: start.newest,
        ahead_at_start: seconds(start.ahead()) - seconds(start.behind()),
        behind,
        held,
        ahead: clock.wall().ahead,
        steps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: fn() -> u32 = || 86_400;
    const YEAR: i64 = 365 * 86_400;

    fn jumped(by: i64) -> Jumped {
        let by = by.unsigned_abs();
        let hold = Duration::from_secs(DAY().into());
        Jumped { by, hold }
    }

    #[test]
    fn c195_a_step_in_either_direction_is_noticed_and_a_rounding_is_not() {
        let mut steps = Steps::default();
        for ahead in [0, -1, 0, 1, 0] {
            assert_eq!(steps.see(ahead, false, DAY), None);
        }
        for (ahead, by) in [(3600, 3600), (-40, -3640), (-42, -2), (-YEAR, 42 - YEAR)] {
            let step = steps.see(ahead, false, DAY);
            assert_eq!(step, Some(Step { by, jumped: None }));
            assert_eq!(steps.see(ahead, false, DAY), None);
        }
    }

    #[test]
    fn c195_a_jump_of_more_than_the_longest_lease_is_not_believed_until_it_is_accepted() {
        let mut steps = Steps::default();
        let step = steps.see(YEAR, false, DAY).unwrap();
        assert_eq!(step.jumped, Some(jumped(YEAR)));
        assert_eq!(steps.see(YEAR, true, DAY), None);
        // Two small steps are a large one.
        let mut steps = Steps::default();
        assert_eq!(steps.see(80_000, false, DAY).unwrap().jumped, None);
        let step = steps.see(160_000, false, DAY).unwrap();
        assert_eq!(step.jumped, Some(jumped(160_000)));
        // Back where it was, and from there ahead again.
        assert_eq!(steps.see(0, true, DAY).unwrap().jumped, None);
        let step = steps.see(YEAR, false, DAY).unwrap();
        assert_eq!(step.jumped, Some(jumped(YEAR)));
        // Accepted: from now on that is the time.
        assert_eq!(steps.see(YEAR, false, DAY), None);
        assert_eq!(steps.see(YEAR + 600, false, DAY).unwrap().jumped, None);
        let step = steps.see(3 * YEAR, false, DAY).unwrap();
        assert_eq!(step.jumped, Some(jumped(2 * YEAR)));
    }

    #[test]
    fn a_clock_that_was_behind_at_the_start_is_believed_when_it_is_set_right() {
        let mut steps = Steps::default();
        // The inner clock began at the newest record.
        assert_eq!(steps.see(-YEAR, false, DAY).unwrap().jumped, None);
        assert_eq!(steps.see(600, false, DAY).unwrap().jumped, None);
    }
}
