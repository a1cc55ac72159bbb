//! A client as RFC 2131 figure 5 and §4.4 have it, written without a look at the server.
//!
//! ```text
//!        ┌──────────── NAK ──────────┬───────────────────┐
//!        ▼                           │                   │
//!   Init ──DISCOVER─► Selecting ──REQUEST─► Requesting ──ACK─► Bound ──T1─► Renewing ──T2─► Rebinding
//!        ▲                                                  │  ▲ └─── ACK ────┴──── ACK ──────┘
//!        │                            Rebooting ──── ACK ───┼──┘
//!        └─ NAK, or no answer and       ▲                   │
//!           the lease is over ──────────┴──────── Off ◄─────┘ switched off, released
//! ```
//!
//! A client believes in its lease from the ACK on until it is over, switched off or not; RFC 2131
//! §4.4.1: it ends at "the sum of the time at which the original request was sent and the duration
//! of the lease from the `DHCPACK` message".

use super::dice::Dice;
use super::message::{Kind, Query, Reply, ReplyKind};
use super::strangers::Strangers;
use std::net::Ipv4Addr;

/// Milliseconds since the simulation began: what time it really is.
pub(super) type Millis = u64;

pub(super) const NEVER: Millis = Millis::MAX;

/// Who has said RELEASE or DECLINE asks for nothing while that may still be on its way; §3.1 step 5
/// has ten seconds after a DECLINE.
const QUIET: Millis = 12_000;
/// Before it repeats itself for the first time, RFC 2131 §4.1; doubled each time, and up to a second
/// more or less.
const FIRST_PAUSE: Millis = 4000;
/// DISCOVERs of one exchange, and REQUESTs of one.
const DISCOVERS: u32 = 5;
const REQUESTS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Off,
    Init,
    Selecting,
    Requesting,
    Rebooting,
    Bound,
    Renewing,
    Rebinding,
}

/// What a client takes for its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) addr: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    /// When the request that was granted was first sent.
    pub(super) asked: Millis,
    pub(super) ends: Millis,
    t1: Millis,
    t2: Millis,
}

#[cfg(test)]
impl Lease {
    /// One that is asked for and ends at these times.
    pub(super) fn of(addr: Ipv4Addr, (asked, ends): (Millis, Millis)) -> Self {
        let server = Ipv4Addr::UNSPECIFIED;
        let (t1, t2) = (ends, ends);
        Self {
            addr,
            server,
            asked,
            ends,
            t1,
            t2,
        }
    }
}

/// What a client does at the end of its contentment.
#[derive(Debug, Clone, Copy)]
enum Whim {
    Release,
    /// Asks for parameters beside its lease.
    Inform,
    /// Switched off without a word.
    Off,
    /// Begins anew and knows nothing.
    Forget,
}

/// What never changes of a client.
#[derive(Debug, Clone)]
pub(super) struct Nature {
    pub(super) number: u32,
    /// The device, which may be two clients: one reservation is for both.
    pub(super) device: u32,
    pub(super) mac: [u8; 6],
    pub(super) client_id: Option<Vec<u8>>,
    pub(super) home: usize,
    pub(super) broadcast: bool,
    /// The lease that it wishes, in seconds.
    pub(super) wish: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) nature: Nature,
    pub(super) circuit: u32,
    pub(super) state: State,
    pub(super) lease: Option<Lease>,
    /// When it does something without being spoken to.
    pub(super) wakes: Millis,
    pub(super) xid: u32,
    exchanges: u16,
    asked: Millis,
    tries: u32,
    /// Address and server of the OFFER that it has taken.
    choice: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The last address that it had.
    last: Option<Ipv4Addr>,
    whim: Option<Whim>,
}

/// Chance, as far as a client has a part in it.
#[derive(Debug)]
pub(super) struct Fate<'d> {
    pub(super) dice: &'d mut Dice,
    /// Clients stay bound once they are.
    pub(super) calm: bool,
    /// Who else has an address.
    pub(super) strangers: &'d Strangers,
}

impl Client {
    pub(super) fn new(nature: Nature, circuit: u32, wakes: Millis) -> Self {
        Self {
            nature,
            circuit,
            state: State::Off,
            lease: None,
            wakes,
            xid: 0,
            exchanges: 0,
            asked: 0,
            tries: 0,
            choice: None,
            last: None,
            whim: None,
        }
    }

    /// Whether it has no address and is after one.
    pub(super) fn is_wanting(&self) -> bool {
        match self.state {
            State::Init | State::Selecting | State::Requesting | State::Rebooting => true,
            State::Off | State::Bound | State::Renewing | State::Rebinding => false,
        }
    }

    /// Whether it has asked for an address again and again.
    pub(super) fn is_ignored(&self) -> bool {
        matches!(self.state, State::Selecting | State::Requesting) && self.tries > 2
    }

    /// Seconds since it began this exchange.
    pub(super) fn secs(&self, now: Millis) -> u16 {
        u16::try_from((now - self.asked) / 1000).unwrap_or(u16::MAX)
    }

    /// Switches it off; what it believes in it goes on to believe in.
    pub(super) fn switch_off(&mut self) {
        (self.state, self.wakes, self.choice) = (State::Off, NEVER, None);
    }

    /// What it does when its time has come.
    pub(super) fn wake(&mut self, now: Millis, fate: &mut Fate<'_>) -> Option<Query> {
        self.lease = self.lease.filter(|lease| lease.ends > now);
        match (self.state, self.lease) {
            (State::Off, Some(lease)) => {
                self.begin(State::Rebooting, now);
                Some(self.ask(Kind::Request, now, fate, |q| q.requested = Some(lease.addr)))
            }
            (State::Off | State::Init, _) => {
                self.begin(State::Selecting, now);
                Some(self.discover(now, fate))
            }
            (State::Selecting, _) if self.tries < DISCOVERS => Some(self.discover(now, fate)),
            (State::Requesting, _) if self.tries < REQUESTS => self.select(now, fate),
            (State::Rebooting, Some(lease)) if self.tries < REQUESTS => {
                Some(self.ask(Kind::Request, now, fate, |q| q.requested = Some(lease.addr)))
            }
            // §3.2: "the client MAY choose to use the previously allocated network address and
            // configuration parameters for the remainder of the unexpired lease".
            (State::Rebooting, Some(lease)) => {
                self.settle(lease, now, fate);
                None
            }
            (State::Bound, Some(lease)) if now >= lease.t1 => {
                self.begin(State::Renewing, now);
                Some(self.extend(lease, now, fate))
            }
            (State::Bound, Some(lease)) => self.leave(lease, now, fate),
            (State::Renewing, Some(lease)) if now >= lease.t2 => {
                self.begin(State::Rebinding, now);
                Some(self.extend(lease, now, fate))
            }
            (State::Renewing | State::Rebinding, Some(lease)) => {
                Some(self.extend(lease, now, fate))
            }
            // No answer, or the lease is over.
            (
                State::Selecting
                | State::Requesting
                | State::Rebooting
                | State::Bound
                | State::Renewing
                | State::Rebinding,
                _,
            ) => {
                self.start_over(now + fate.dice.between(0, 10_000));
                None
            }
        }
    }

    /// What it does about a reply to it.
    ///
    /// # Errors
    /// What no server may say.
    pub(super) fn hear(
        &mut self,
        reply: &Reply,
        now: Millis,
        fate: &mut Fate<'_>,
    ) -> Result<Option<Query>, String> {
        self.lease = self.lease.filter(|lease| lease.ends > now);
        let wanted = match self.state {
            State::Requesting => self.choice.map(|(addr, _)| addr),
            State::Rebooting | State::Renewing | State::Rebinding => self.lease.map(|l| l.addr),
            State::Off | State::Init | State::Selecting | State::Bound => None,
        };
        if reply.xid != self.xid {
            return Ok(None);
        }
        match (self.state, reply.kind, wanted) {
            (State::Selecting, ReplyKind::Offer, _) => {
                self.choice = Some((reply.yiaddr, reply.server));
                (self.state, self.tries, self.asked) = (State::Requesting, 0, now);
                Ok(self.select(now, fate))
            }
            (_, ReplyKind::Ack, Some(addr)) if reply.yiaddr != addr => Err(format!(
                "it asks for {addr} in {:?} and is granted {}",
                self.state, reply.yiaddr
            )),
            (_, ReplyKind::Ack, Some(_)) => self.accept(reply, now, fate),
            (_, ReplyKind::Nak, Some(_)) => {
                self.lease = None;
                self.start_over(now + fate.dice.between(0, 2000));
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn accept(
        &mut self,
        reply: &Reply,
        now: Millis,
        fate: &mut Fate<'_>,
    ) -> Result<Option<Query>, String> {
        let seconds = reply.lease.ok_or("an ACK without option 51")?;
        let after = |seconds: u32| self.asked + u64::from(seconds) * 1000;
        let (t1, t2) = (seconds / 2, u32::try_from(u64::from(seconds) * 7 / 8));
        let lease = Lease {
            addr: reply.yiaddr,
            server: reply.server,
            asked: self.asked,
            ends: after(seconds),
            t1: after(reply.t1.unwrap_or(t1)),
            t2: after(reply.t2.unwrap_or(t2.unwrap_or(seconds))),
        };
        if lease.ends <= now {
            self.start_over(now + 1000);
            return Ok(None);
        }
        self.last = Some(lease.addr);
        let new = matches!(self.state, State::Requesting | State::Rebooting);
        // §3.1 step 5: it SHOULD look whether somebody has the address.
        let is_taken = fate.strangers.has(lease.addr) && fate.dice.one_in(2);
        if new && !fate.calm && (is_taken || fate.dice.one_in(60)) {
            self.lease = None;
            let decline = self.ask(Kind::Decline, now, fate, |q| {
                (q.requested, q.server) = (Some(lease.addr), Some(lease.server));
            });
            self.start_over(now + QUIET + fate.dice.roll(10_000));
            self.last = None;
            return Ok(Some(decline));
        }
        self.lease = Some(lease);
        self.settle(lease, now, fate);
        Ok(None)
    }

    /// Is bound, and decides for how long that is to be so.
    fn settle(&mut self, lease: Lease, now: Millis, fate: &mut Fate<'_>) {
        (self.state, self.choice, self.tries) = (State::Bound, None, 0);
        self.wakes = lease.t1.max(now + 1);
        self.whim = None;
        if !fate.calm && fate.dice.one_in(6) {
            self.whim = Some(fate.dice.pick(&[
                Whim::Release,
                Whim::Off,
                Whim::Off,
                Whim::Forget,
                Whim::Inform,
            ]));
            self.wakes = fate.dice.between(now + 1, self.wakes);
        }
    }

    fn leave(&mut self, lease: Lease, now: Millis, fate: &mut Fate<'_>) -> Option<Query> {
        let Some(whim) = self.whim.take() else {
            self.wakes = lease.t1.max(now + 1);
            return None;
        };
        let away = now + QUIET + fate.dice.roll(40_000);
        match whim {
            Whim::Release => {
                self.lease = None;
                self.begin(State::Off, now);
                let release = self.ask(Kind::Release, now, fate, |q| {
                    (q.ciaddr, q.server) = (Some(lease.addr), Some(lease.server));
                });
                self.wakes = away;
                return Some(release);
            }
            Whim::Inform => {
                let tries = self.tries;
                let inform = self.ask(Kind::Inform, now, fate, |q| q.ciaddr = Some(lease.addr));
                (self.tries, self.wakes) = (tries, lease.t1.max(now + 1));
                return Some(inform);
            }
            Whim::Off => {
                self.state = State::Off;
                self.wakes = away;
                // It may come back by another circuit of its network.
                self.circuit += u32::from(fate.dice.one_in(4));
            }
            Whim::Forget => {
                (self.lease, self.last) = (None, None);
                self.start_over(now + fate.dice.roll(3000));
            }
        }
        None
    }

    fn start_over(&mut self, wakes: Millis) {
        (self.state, self.wakes) = (State::Init, wakes);
        (self.lease, self.choice) = (None, None);
    }

    fn begin(&mut self, state: State, now: Millis) {
        self.exchanges = self.exchanges.wrapping_add(1);
        self.xid = (self.nature.number << 16) | u32::from(self.exchanges);
        (self.state, self.tries, self.asked) = (state, 0, now);
    }

    fn discover(&mut self, now: Millis, fate: &mut Fate<'_>) -> Query {
        let last = self.last;
        self.ask(Kind::Discover, now, fate, |q| q.requested = last)
    }

    fn select(&mut self, now: Millis, fate: &mut Fate<'_>) -> Option<Query> {
        let (addr, server) = self.choice?;
        Some(self.ask(Kind::Request, now, fate, |q| {
            (q.requested, q.server) = (Some(addr), Some(server));
        }))
    }

    /// RENEWING and REBINDING, §4.4.5: it waits "one-half of the remaining time", though less than
    /// the minute that is said there, for its leases are short.
    fn extend(&mut self, lease: Lease, now: Millis, fate: &mut Fate<'_>) -> Query {
        let renewing = self.state == State::Renewing;
        let until = if renewing { lease.t2 } else { lease.ends };
        let query = self.ask(Kind::Request, now, fate, |q| {
            q.ciaddr = Some(lease.addr);
            q.to = renewing.then_some(lease.server);
        });
        let pause = (until.saturating_sub(now) / 2).max(FIRST_PAUSE);
        self.wakes = (now + pause).min(until).max(now + 1);
        query
    }

    /// A message, and when it will be repeated.
    fn ask(
        &mut self,
        kind: Kind,
        now: Millis,
        fate: &mut Fate<'_>,
        what: impl FnOnce(&mut Query),
    ) -> Query {
        let pause = FIRST_PAUSE << self.tries.min(4);
        self.wakes = now + pause - 1000 + fate.dice.roll(2000);
        self.tries += 1;
        let mut query = Query::new(kind);
        what(&mut query);
        if kind == Kind::Release {
            query.to = query.server;
        }
        query
    }
}
