//! The clients' side of the protocol: frames in, frames out, time is an argument.
//!
//! ```text
//!             begin                OFFER                    ACK
//!   Idle ───────────► Selecting ──────────► Requesting ──────────► Idle
//!    │  RELEASE first    │ OFFER, where only offers are counted     ▲
//!    │  in that mode     └──────────────────────────────────────────┤
//!    ├──────────────► Extending, Rebooting ─────── ACK, due NAK ────┤
//!    └──────────────► Echo ─────────────────────── own frame ───────┘
//!         a message unanswered is sent again, and in the end the exchange is given up
//! ```
//!
//! A reply that is wrong is counted and changes nothing: the client waits on, as a real one does.

mod host;
mod judge;
mod replies;
mod send;

use dhcp_wire::Checksum;
use hugemem::{MapError, Pages};

use crate::clients::{Client, Clients, Nanos, Phase, second};
use crate::holders::Holders;
use crate::identity::Identities;
use crate::order::Order;
use crate::plan::{Mode, Plan};
use crate::reply::{self, Received};
use crate::scramble::split_mix;
use crate::servers::Servers;
use crate::sink::Sink;
use crate::tally::{Counts, Latencies};
use crate::template::{Kind, Path, Template};
use crate::violation::{Sample, Violation, Violations};

/// Timers that one poll fires at most, and turns of busy clients that it passes over.
const STEPS: usize = 32;

/// Clients whose turn comes next, fetched ahead.
const AHEAD: usize = 32;

/// Cache lines of a reply that are read, as a rule.
const LINES: usize = 6;

/// All clients and what they know.
#[derive(Debug)]
pub struct Engine {
    plan: Plan,
    mode: Mode,
    identities: Identities,
    order: Order,
    upcoming: [u32; AHEAD],
    at: usize,
    clients: Clients,
    wheel: crate::wheel::Wheel,
    holders: Holders,
    servers: Servers,
    templates: [Template; Kind::ALL.len()],
    counts: Counts,
    latencies: Latencies,
    violations: Violations,
    under_way: u32,
}

/// Why there is no engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// No memory for the clients.
    Memory(MapError),
    /// Frames of that size hold no message, or none fits the link.
    FrameSize(usize),
}

impl From<MapError> for Unfit {
    fn from(error: MapError) -> Self {
        Self::Memory(error)
    }
}

impl core::fmt::Display for Unfit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Memory(error) => write!(f, "{error}"),
            Self::FrameSize(size) => write!(f, "frames of {size} octets carry no DHCP message"),
        }
    }
}

impl core::error::Error for Unfit {}

impl Engine {
    /// Clients as `plan` has them, who have done nothing yet.
    ///
    /// # Errors
    ///
    /// [`Unfit`] if there is no memory for them or their frames have no size to be had.
    pub fn new(plan: &Plan) -> Result<Self, Unfit> {
        let path = match plan.relays {
            None => Path::Direct,
            Some(relays) => Path::Relayed {
                option82: relays.option82,
            },
        };
        let template = |kind| Template::new(kind, path, plan.frame_size);
        let bad_size = Unfit::FrameSize(plan.frame_size);
        let templates = Kind::ALL.map(template);
        let [
            Some(discover),
            Some(select),
            Some(extend),
            Some(reboot),
            Some(release),
        ] = templates
        else {
            return Err(bad_size);
        };
        let mut engine = Self {
            plan: *plan,
            mode: plan.mode,
            identities: Identities::new(plan.macs, plan.seed),
            order: Order::new(plan.clients, plan.seed),
            upcoming: [0; AHEAD],
            at: 0,
            clients: Clients::new(plan.clients)?,
            wheel: crate::wheel::Wheel::new(plan.retry.first),
            holders: Holders::new(plan.clients, plan.expect.range)?,
            servers: Servers::default(),
            templates: [discover, select, extend, reboot, release],
            counts: Counts::default(),
            // The bounds are constants that it takes.
            latencies: Latencies::new().map_err(|_| bad_size)?,
            violations: Violations::default(),
            under_way: 0,
        };
        engine.begin_rounds(plan.mode);
        Ok(engine)
    }

    /// From here on an exchange is `mode`'s, and the order of turns is at its beginning.
    pub fn begin_rounds(&mut self, mode: Mode) {
        self.mode = mode;
        self.order = Order::new(self.plan.clients, self.plan.seed);
        for _ in 0..AHEAD {
            self.turn();
        }
    }

    /// Ends the turn of the client whose turn it is; that of [`AHEAD`] turns later is asked for.
    #[inline]
    fn turn(&mut self) {
        let later = self.order.next().unwrap_or(0);
        self.clients.prefetch(later);
        self.upcoming[self.at] = later;
        self.at = (self.at + 1) % AHEAD;
    }

    /// Begins the exchange of the next client that is not busy. False if there is none in reach,
    /// or the next still rests.
    ///
    /// It may take room for two frames.
    #[inline]
    pub fn start(&mut self, now: Nanos, sink: &mut impl Sink) -> bool {
        for _ in 0..STEPS {
            let number = self.upcoming[self.at];
            let Some(client) = self.clients.get(number) else {
                return false;
            };
            if client.phase == Phase::Idle {
                if self.rests(client, now) {
                    self.counts.resting += 1;
                    return false;
                }
                self.turn();
                self.begin(number, now, sink);
                return true;
            }
            self.turn();
            self.counts.busy += 1;
        }
        false
    }

    #[inline]
    fn rests(&self, client: &Client, now: Nanos) -> bool {
        client.lease != 0 && client.since_began(now) < self.plan.rest
    }

    /// Whether the client whose turn it is still rests.
    #[must_use]
    pub fn is_resting(&self, now: Nanos) -> bool {
        let next = self.clients.get(self.upcoming[self.at]);
        next.is_some_and(|client| self.rests(client, now))
    }

    #[inline]
    fn begin(&mut self, number: u32, now: Nanos, sink: &mut impl Sink) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let bound = client.is_bound(second(now));
        client.begin(now);
        self.counts.begun += 1;
        self.under_way += 1;
        let phase = match self.mode {
            Mode::Macswap => Phase::Echo,
            _ if !bound => Phase::Selecting,
            Mode::Discover | Mode::Dora => Phase::Selecting,
            Mode::Renew => Phase::Extending,
            Mode::Reboot => Phase::Rebooting,
            Mode::Release => self.release(number, now, sink),
            Mode::Mixed => match split_mix(&mut (self.counts.begun ^ self.plan.seed)) % 20 {
                0..13 => Phase::Extending,
                13..16 => Phase::Rebooting,
                16..18 => Phase::Selecting,
                _ => self.release(number, now, sink),
            },
        };
        self.send_first(phase, number, now, sink);
    }

    /// Has a client give its lease back, and says what it does then.
    fn release(&mut self, number: u32, now: Nanos, sink: &mut impl Sink) -> Phase {
        self.send(Kind::Release, number, now, sink);
        self.counts.releases += 1;
        if let Some(client) = self.clients.get_mut(number) {
            client.lease = 0;
        }
        Phase::Selecting
    }

    /// Sends again what was not answered in time, or gives it up.
    #[inline]
    pub fn poll(&mut self, now: Nanos, sink: &mut impl Sink) {
        for _ in 0..STEPS.min(sink.room()) {
            let Some(number) = self.wheel.fire(&mut self.clients, now) else {
                return;
            };
            self.on_timer(number, now, sink);
        }
    }

    /// Has `frame`, and what it will be held against, in the cache soon.
    #[inline]
    pub fn expect(&self, frame: &[u8]) {
        hugemem::prefetch_octets(frame, LINES);
        if let Some(xid) = reply::probable_xid(frame) {
            self.clients
                .prefetch(self.identities.transaction(xid).client);
        }
    }

    /// Takes a frame that was received; of `ip` and `udp` it is told whether the device has
    /// looked at their checksums. It takes room for one frame.
    #[inline]
    pub fn receive(
        &mut self,
        frame: &[u8],
        (ip, udp): (Checksum, Checksum),
        now: Nanos,
        sink: &mut impl Sink,
    ) {
        self.counts.received += 1;
        match reply::read(frame, ip, udp) {
            Ok(Received::Message(reply)) => self.on_message(&reply, now, sink),
            Ok(Received::Arp(arp)) => self.on_arp(arp, now, sink),
            Ok(Received::Other) => self.counts.other += 1,
            Err(malformed) => self.violations.add(Violation::Malformed, || Sample {
                kind: Violation::Malformed,
                client: None,
                found: format!("{} octets: {malformed}", frame.len()),
                wanted: "a whole message".to_owned(),
            }),
        }
    }

    /// Ends an exchange, well or not.
    #[inline]
    fn finish(&mut self, number: u32) {
        self.wheel.disarm(&mut self.clients, number);
        if let Some(client) = self.clients.get_mut(number) {
            client.phase = Phase::Idle;
        }
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Exchanges under way.
    #[must_use]
    pub const fn under_way(&self) -> u32 {
        self.under_way
    }

    /// Clients that hold a lease.
    #[must_use]
    pub fn bound(&self, now: Nanos) -> u32 {
        let count = (0..self.plan.clients).filter_map(|number| self.clients.get(number));
        let bound = count.filter(|client| client.is_bound(second(now))).count();
        u32::try_from(bound).unwrap_or(u32::MAX)
    }

    /// The pages that the clients stand on.
    #[must_use]
    pub const fn pages(&self) -> Pages {
        self.clients.pages()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How long replies took.
    #[must_use]
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// Whether times count from here on.
    pub const fn time_replies(&mut self, on: bool) {
        self.latencies.switch(on);
    }

    /// What the server did wrong.
    #[must_use]
    pub const fn violations(&self) -> &Violations {
        &self.violations
    }
}
