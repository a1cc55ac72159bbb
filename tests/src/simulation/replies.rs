//! What the server has sent is looked at before it is lost, delayed or doubled.

use super::frame::{Parcel, Sent};
use super::message::ReplyKind;
use super::tally::Tally;
use super::world::World;
use lessor::dataplane::port_mem::MemFrame;
use std::net::Ipv4Addr;

/// Within this time of a start an OFFER may have waited for its next hop, milliseconds.
const WAY_UNKNOWN: u64 = 6000;

impl World {
    pub(super) fn collect(&mut self) {
        if let Some(server) = &self.server {
            let sent = server.take_sent();
            if self.trace.is_on() {
                self.trace_counters();
            }
            self.look_at(&sent);
        }
    }

    /// Why messages were not answered since the last look.
    fn trace_counters(&mut self) {
        let Some(server) = &self.server else { return };
        let mut told = Tally::default();
        told.count(server.counters());
        for (name, count) in &told.silences {
            let before = self.told.silences.get(name).copied().unwrap_or(0);
            if *count > before {
                let line = format_args!("{name} {}", count - before);
                self.trace.line(self.clocks.now, line);
            }
        }
        self.told = told;
    }

    fn look_at(&mut self, sent: &[MemFrame]) {
        for frame in sent {
            let sent = Sent::parse(&frame.octets);
            match sent.unwrap_or_else(|wrong| panic!("a frame of the server: {wrong}")) {
                Sent::Question(addr) => self.answer_arp(addr),
                Sent::Echo(addr, answer) => self.answer_echo(addr, &answer),
                Sent::Other => {}
                Sent::Reply(parcel) => self.look_at_reply(parcel),
            }
        }
    }

    fn look_at_reply(&mut self, parcel: Parcel) {
        let reply = parcel.reply;
        let at = usize::try_from(reply.xid >> 16).expect("a number");
        let Some(client) = self.clients.get(at) else {
            return self.look_at_spoofed(&parcel);
        };
        let home = &self.scenario.homes[client.nature.home];
        let number = client.nature.number;
        assert_eq!(
            reply.chaddr, client.nature.mac,
            "chaddr of a reply to client {number}"
        );
        assert!(
            parcel.reaches(client, home),
            "client {number} never sees {parcel:?}"
        );
        self.judges[at].settle();
        self.trace.line(
            self.clocks.now,
            format_args!(
                "the server says {:?} of {} to client {number}",
                reply.kind, reply.yiaddr
            ),
        );
        match reply.kind {
            ReplyKind::Offer => {
                self.tally.offers += 1;
                self.check_address(at, &parcel);
                self.check_network(at, reply.yiaddr);
                self.check_offer(reply.yiaddr, number);
            }
            // RFC 2131 §4.3.5: the answer to an INFORM grants nothing.
            ReplyKind::Ack if reply.yiaddr.is_unspecified() => {
                self.tally.informs += 1;
                assert_eq!(reply.lease, None, "option 51 in an answer to an INFORM");
            }
            ReplyKind::Ack => {
                self.tally.acks += 1;
                self.check_address(at, &parcel);
                self.check_durable(&parcel, number);
                self.offers.end(reply.yiaddr);
            }
            ReplyKind::Nak => {
                self.tally.naks += 1;
                self.check_nak(at, reply.xid);
            }
        }
        self.air
            .send_down((at, parcel), self.clocks.now, &mut self.dice);
    }

    /// Nobody else has the address or a right to it.
    fn check_address(&mut self, at: usize, parcel: &Parcel) {
        let (kind, addr) = (parcel.reply.kind, parcel.reply.yiaddr);
        let nature = &self.clients[at].nature;
        let (number, device) = (nature.number, nature.device);
        let kept = self.kept_for(addr);
        assert!(
            kept.is_none_or(|owner| owner == device),
            "{kind:?} of {addr} to client {number}, which is reserved for device {kept:?}"
        );
        let shared = self.ever_kept_for(addr);
        let rival = self.beliefs.rival(addr, (number, shared), self.clocks.now);
        assert!(
            rival.is_none(),
            "{kind:?} of {addr} to client {number}, which client {rival:?} has; on disk is {:?}",
            self.ledger.of(addr)
        );
        if shared == Some(device) {
            let now = self.clocks.now;
            self.beliefs.pass_on(addr, (number, device), now);
        }
    }

    /// An offer is of the client's network, as some worker may still know it.
    fn check_network(&self, at: usize, addr: Ipv4Addr) {
        let home = &self.scenario.homes[self.clients[at].nature.home];
        let subnet = self
            .scenario
            .subnet_of(addr)
            .expect("an address of a subnet");
        let here = (subnet, home.first_subnet());
        assert!(
            self.scenario.layouts.may_be_one(here, self.clocks.now),
            "client {at} is offered {addr} of another network"
        );
    }

    /// An offer is of an address that nobody else was offered just now, and that no station has.
    pub(super) fn check_offer(&mut self, addr: Ipv4Addr, client: u32) {
        assert!(
            !self.strangers.is_told(addr),
            "an offer of {addr}, whose station has answered the probe"
        );
        if self.clocks.now < self.began + WAY_UNKNOWN {
            return;
        }
        let other = self.offers.note(addr, client, self.clocks.now);
        assert!(
            other.is_none() || self.is_reserved(addr),
            "an offer of {addr} to client {client}, which client {other:?} was offered just now"
        );
    }

    /// What an ACK states is on disk when it leaves.
    fn check_durable(&self, parcel: &Parcel, number: u32) {
        let reply = &parcel.reply;
        let lease = reply.lease.map_or(0, u64::from);
        let stated = self.ledger.has_stated(reply.yiaddr, reply.chaddr, lease);
        assert!(
            stated,
            "an ACK of {} to client {number} leaves, and on disk is {:?}",
            reply.yiaddr,
            self.ledger.of(reply.yiaddr)
        );
    }
}
