//! DISCOVERs of clients that never were, each with another hardware address, on any way in.

use super::air::From;
use super::client::{Client, Millis, Nature};
use super::frame::{self, Parcel};
use super::message::{Kind, Query, ReplyKind};
use super::world::World;

/// The number of all spoofed clients: replies to them are told by it.
const NUMBER: u32 = 0xffff;
/// Most of a step.
const A_STEP: u64 = 40;
/// How long one lasts, milliseconds, and for how long new clients may feel it: what it was offered
/// is held, and what was set aside for it.
const LASTS: u64 = 30_000;
const FELT: Millis = 70_000;

#[derive(Debug, Default)]
pub(super) struct Flood {
    until: Millis,
    sent: u32,
}

impl Flood {
    /// Whether new clients may have to wait.
    pub(super) fn is_felt(&self, now: Millis) -> bool {
        self.sent > 0 && now < self.until + FELT
    }

    pub(super) fn sent(&self) -> u64 {
        u64::from(self.sent)
    }
}

impl World {
    /// Begins one.
    pub(super) fn flood(&mut self) {
        self.flood.until = self.clocks.now + self.dice.roll(LASTS);
        self.trace.line(
            self.clocks.now,
            format_args!("a flood until {}", self.flood.until),
        );
    }

    /// A step's share of it.
    pub(super) fn go_on_flooding(&mut self) {
        if self.clocks.now >= self.flood.until {
            return;
        }
        let home = self.dice.index(self.scenario.homes.len());
        if self.scenario.homes[home].by_circuit {
            // Whatever it says of itself, it is one client.
            return;
        }
        for _ in 0..self.dice.roll(A_STEP) {
            self.flood.sent += 1;
            let [a, b, c, d] = self.flood.sent.to_be_bytes();
            let nature = Nature {
                number: NUMBER,
                device: NUMBER,
                mac: [6, 6, a, b, c, d],
                client_id: None,
                home,
                broadcast: false,
                wish: None,
            };
            let mut spoofed = Client::new(nature, self.flood.sent, 0);
            spoofed.xid = NUMBER << 16 | self.flood.sent & 0xffff;
            let query = Query::new(Kind::Discover);
            let home = &self.scenario.homes[home];
            let frame = frame::of_query(&query, &spoofed, home, self.clocks.now);
            let now = self.clocks.now;
            self.air.send_up((&frame, From::Other), now, &mut self.dice);
        }
    }

    /// A reply to nobody: it takes nothing from anybody.
    pub(super) fn look_at_spoofed(&mut self, parcel: &Parcel) {
        let reply = &parcel.reply;
        let (kind, addr) = (reply.kind, reply.yiaddr);
        assert_eq!(kind, ReplyKind::Offer, "nobody has asked for {addr}");
        assert!(
            self.kept_for(addr).is_none(),
            "an offer of {addr} to a stranger, which is reserved"
        );
        let rival = self.beliefs.rival(addr, (NUMBER, None), self.clocks.now);
        assert!(
            rival.is_none(),
            "an offer of {addr} to a stranger, which client {rival:?} has"
        );
        let [.., a, b, c, d] = reply.chaddr;
        // Numbers of their own, that are no clients'.
        let number = u32::from_be_bytes([a, b, c, d]) | 1 << 31;
        self.check_offer(addr, number);
    }
}
