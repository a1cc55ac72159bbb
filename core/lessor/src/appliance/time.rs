//! What the start makes of the wall clock, and what becomes of that while the server runs.

use dhcp_proto::config::Config;
use dhcp_proto::restart::{Noted, Start};
use tracing::{info, warn};

use crate::control::{ClockReport, ClockState, Held, utc};
use crate::dataplane::clock::{self, Clock};
use crate::event::Event;
use crate::store::{ClockHold, Committer, Recovered};

/// Judges the wall clock by what the store knows.
pub(super) fn judge(recovered: Option<&Recovered>, config: &Config) -> Start {
    let noted = recovered.map_or_else(Noted::default, |recovered| {
        let summary = recovered.summary();
        Noted {
            newest: (summary.highest_lsn.0 > 0).then_some(summary.newest_time),
            hold: summary
                .time_record
                .and_then(|record| Noted::hold_of(record.expiry, record.lease)),
        }
    });
    Start::new(clock::unix_seconds(), &noted, config)
}

/// Says what is wrong with the clock; `bindings` leases are held.
pub(super) fn tell(start: &Start, bindings: u64) {
    let (wall, newest) = (utc(start.wall), utc(start.newest.unwrap_or(start.wall)));
    if let Some(hold) = &start.hold {
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

/// The clocks as they are now; `bindings` leases are held.
pub(super) fn report(start: &Start, clock: &Clock, state: ClockHold, bindings: u64) -> ClockReport {
    let wall = clock::unix_seconds();
    let held = match state {
        ClockHold::Held(left) => Some(Held {
            since: start.wall,
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
    }
}
