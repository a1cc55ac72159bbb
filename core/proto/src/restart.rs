//! What a start makes of the wall clock beside the times that the store has.
//!
//! ```text
//!            newest record             and the longest lease
//!   ───────────────┼───────────────────────────┼─────────────► wall clock
//!   behind: it is  │ as it should be           │ held: what was leased at the newest record stays
//!   the record's   │                           │ so until the operator accepts the clock, or one
//!   time           │                           │ default lease has passed
//! ```
//!
//! A server that was down for long looks the same as a clock that jumped; that is why the operator
//! is asked.

use crate::config::{Config, LeaseTimes};
use crate::record::{Cause, Record, RecordKind};
use crate::time::{INFINITE, Wall, deadline};
use core::net::Ipv4Addr;
use core::time::Duration;

/// A clock that is ahead by more than the longest lease, and that nobody has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The newest time that was recorded before, Unix seconds.
    pub trusted: u64,
    /// When the hold ends by itself, Unix seconds of the clock that is held.
    pub until: u64,
}

/// What the store knows of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noted {
    /// Time of the newest record, the newest by its place in the log; none in an empty store.
    pub newest: Option<u64>,
    /// What the newest record of the time says of a held clock.
    pub hold: Option<Hold>,
}

impl Noted {
    /// What a record of the time says of a held clock by its expiry and its lease time.
    #[must_use]
    pub fn hold_of(expiry: u64, lease: u32) -> Option<Hold> {
        // The lease time of a span that it cannot tell is all ones.
        let span = if lease == INFINITE {
            u64::MAX
        } else {
            u64::from(lease)
        };
        (expiry != 0).then(|| Hold {
            trusted: expiry.saturating_sub(span),
            until: expiry,
        })
    }
}

/// The record of the time at wall second `time`, under a held clock or one that is right.
#[must_use]
pub fn time_record(time: u64, hold: Option<Hold>) -> Record<'static> {
    let span = hold.map_or(0, |hold| hold.until.saturating_sub(hold.trusted));
    Record {
        kind: RecordKind::Time,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::UNSPECIFIED,
        generation: 0,
        time,
        expiry: hold.map_or(0, |hold| hold.until),
        lease: u32::try_from(span).unwrap_or(INFINITE),
        origin: crate::record::Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &[],
        htype: 0,
        chaddr: &[],
        agent_info: &[],
    }
}

/// What a start takes for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The wall clock, Unix seconds.
    pub wall: u64,
    /// The newest record's time, as far as it is believed.
    pub newest: Option<u64>,
    /// The second that counts as now.
    pub now: u64,
    /// Whether nobody's lease expires yet. One that is over may still be here: what it kept is in
    /// its grace.
    pub hold: Option<Hold>,
}

/// Whether leases that `hold` kept, which is over, are in their grace.
fn is_in_grace(hold: &Hold, wall: u64, config: &Config) -> bool {
    hold.until <= wall && wall < hold.until.saturating_add(longest_grace(config).as_secs())
}

impl Start {
    /// Judges the wall clock `wall` by what the store knows.
    #[must_use]
    pub fn new(wall: u64, noted: &Noted, config: &Config) -> Self {
        // A clock that was held proves nothing: if it was set right since, the time is what it was
        // before.
        let under_hold = noted.hold.filter(|hold| hold.until > wall);
        let newest = match under_hold {
            Some(hold) => Some(hold.trusted),
            None => noted.newest,
        };
        let ahead = newest.map_or(0, |newest| wall.saturating_sub(newest));
        let until = wall.saturating_add(u64::from(longest_hold(config)));
        let ended = noted.hold.filter(|hold| is_in_grace(hold, wall, config));
        let hold = newest
            .filter(|_| ahead > u64::from(longest_lease(config)))
            .map(|newest| Hold {
                // What was leased when the first jump was noticed is still leased after a second.
                trusted: noted.hold.map_or(newest, |hold| hold.trusted),
                until: under_hold.map_or(until, |hold| hold.until.min(until)),
            })
            .or(ended);
        Self {
            wall,
            newest,
            now: newest.map_or(wall, |newest| wall.max(newest)),
            hold,
        }
    }

    /// Seconds by which the clock is behind the newest record.
    #[must_use]
    pub fn behind(&self) -> u64 {
        self.now.saturating_sub(self.wall)
    }

    /// Seconds by which the clock is ahead of the newest record.
    #[must_use]
    pub fn ahead(&self) -> u64 {
        self.newest
            .map_or(0, |newest| self.wall.saturating_sub(newest))
    }
}

/// The longest lease that ends, of all that may be granted; the usual bound where none does.
#[must_use]
pub fn longest_lease(config: &Config) -> u32 {
    let finite = |time: &u32| *time != INFINITE;
    subnets(config)
        .flat_map(|times| [times.default, times.max].into_iter().filter(finite))
        .max()
        .unwrap_or(LeaseTimes::default().max)
}

/// The longest grace of a lease.
#[must_use]
pub fn longest_grace(config: &Config) -> Duration {
    let networks = config.networks().iter();
    let longest = networks.map(|network| network.rules.grace_secs()).max();
    Duration::from_secs(longest.unwrap_or_default().into())
}

/// How long a lease in a subnet is held: its default lease, or the longest where that never ends.
fn hold_of(times: &LeaseTimes, config: &Config) -> u32 {
    if times.default == INFINITE {
        longest_lease(config)
    } else {
        times.default
    }
}

fn longest_hold(config: &Config) -> u32 {
    let holds = subnets(config).map(|times| hold_of(times, config));
    holds.max().unwrap_or(LeaseTimes::default().default)
}

fn subnets(config: &Config) -> impl Iterator<Item = &LeaseTimes> {
    config
        .networks()
        .iter()
        .flat_map(|network| &network.subnets)
        .map(|subnet| &subnet.lease)
}

/// How the times of the store's records are read at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// The second it is on the inner clock.
    pub now: u32,
    /// How far [`Start::now`] is ahead of the inner clock at the start.
    pub wall: Wall,
    /// Whether nobody's lease expires yet.
    pub hold: Option<Hold>,
}

impl Reading {
    /// At second `now` of an inner clock that began at [`Start::now`], with a clock that is right.
    #[must_use]
    pub fn at(now: u32) -> Self {
        Self {
            now,
            ..Self::default()
        }
    }

    /// When what `record` grants or sets aside ends, on the inner clock. It never lasts longer
    /// from now than it was to last as a whole, whatever the clock said when it was written.
    pub(crate) fn end_of(&self, record: &Record<'_>) -> u32 {
        let until = self.wall.inner(record.expiry);
        if until == INFINITE {
            return until;
        }
        let whole = record.expiry.saturating_sub(record.time);
        let whole = u32::try_from(whole).unwrap_or(INFINITE - 1);
        until.min(deadline(self.now, whole))
    }

    /// When a lease that is over by the clock ends for all that, because the clock is not believed:
    /// it was the client's, or in its grace of `grace` seconds, when the clock still was.
    pub(crate) fn held_until(
        &self,
        record: &Record<'_>,
        grace: u32,
        (times, config): (&LeaseTimes, &Config),
    ) -> Option<u32> {
        let hold = self.hold?;
        let lived_until = record.expiry.saturating_add(u64::from(grace));
        let end = deadline(self.now, hold_of(times, config));
        (lived_until > hold.trusted).then(|| end.min(self.wall.inner(hold.until)))
    }
}
