//! What clients send, and send again.

use dhcp_wire::ethernet::Mac;

use super::Engine;
use crate::clients::{Client, Nanos, Phase, second};
use crate::identity::{Transaction, circuit_id, relay_mac};
use crate::scramble::split_mix;
use crate::sink::Sink;
use crate::template::{Fields, Kind};

/// The limited broadcast address.
const EVERYBODY: u32 = u32::MAX;

/// A retransmission waits at most so many times the first delay: 64 s.
const LONGEST_WAIT: u8 = 4;

impl Engine {
    /// Sends the message whose answer is waited for in `phase`, for the first time.
    #[inline]
    pub(super) fn send_first(
        &mut self,
        phase: Phase,
        number: u32,
        now: Nanos,
        sink: &mut impl Sink,
    ) {
        let Some(kind) = message_of(phase) else {
            return;
        };
        if let Some(client) = self.clients.get_mut(number) {
            client.first_sent(phase, now);
        }
        self.send(kind, number, now, sink);
        let wait = shortest_wait(self.plan.retry.first, 1);
        self.wheel.disarm(&mut self.clients, number);
        self.wheel.arm(&mut self.clients, number, now, wait);
    }

    /// Writes a message. One that finds no buffer is as good as lost on its way.
    #[inline]
    pub(super) fn send(&mut self, kind: Kind, number: u32, now: Nanos, sink: &mut impl Sink) {
        let Some(client) = self.clients.get(number) else {
            return;
        };
        let fields = self.fields(kind, number, client, now);
        let template = &self.templates[kind as usize];
        if sink.put(|buf| template.write(&fields, buf)) {
            self.counts.sent += 1;
        } else {
            self.counts.no_buffer += 1;
        }
    }

    #[inline]
    fn fields(&self, kind: Kind, number: u32, client: &Client, now: Nanos) -> Fields {
        let mac = self.identities.mac(number);
        let exchange = client.exchange;
        let server = self.servers.get(client.server);
        let server_id = server.map_or(0, |server| server.id);
        let (requested, ciaddr) = match kind {
            Kind::Discover => (0, 0),
            Kind::Select => (client.offer, 0),
            Kind::Reboot => (client.lease, 0),
            Kind::Extend | Kind::Release => (0, client.lease),
        };
        let secs = second(client.since_began(now));
        let mut fields = Fields {
            dst_mac: Mac::BROADCAST,
            src_mac: mac,
            src: ciaddr,
            dst: EVERYBODY,
            xid: self.identities.xid(Transaction {
                client: number,
                exchange,
            }),
            secs: u16::try_from(secs).unwrap_or(u16::MAX),
            ciaddr,
            giaddr: 0,
            chaddr: mac,
            requested,
            server_id,
            circuit: [0; 8],
        };
        if let Some(relays) = self.plan.relays {
            let relay = relays.of(number);
            fields.dst_mac = self.plan.server_mac.unwrap_or(Mac::BROADCAST);
            fields.src_mac = relay_mac(relay);
            (fields.src, fields.dst, fields.giaddr) = (relay, relays.server.into(), relay);
            fields.circuit = circuit_id(number);
        } else if let (Some(server), true) = (server, ciaddr != 0) {
            // To the server itself, by the station that its replies came from.
            (fields.dst_mac, fields.dst) = (server.mac, server.id);
        }
        fields
    }

    /// A client's time has come: perhaps chance gives it a little more.
    pub(super) fn on_timer(&mut self, number: u32, now: Nanos, sink: &mut impl Sink) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let (times, waited) = (client.sent_times(), client.since_sent(now));
        let mut state = u64::from(number) << 8 | u64::from(client.exchange ^ times << 4);
        let chance = split_mix(&mut state) % (self.plan.retry.first / 2).max(1);
        let Some(kind) = message_of(client.phase) else {
            return;
        };
        let retry = self.plan.retry;
        let due = shortest_wait(retry.first, times) + chance;
        if waited < due {
            let rest = due - waited;
            self.wheel.arm(&mut self.clients, number, now, rest);
        } else if times >= retry.tries {
            self.counts.timeouts += 1;
            self.finish(number);
        } else {
            client.sent_again(now);
            self.counts.retransmissions += 1;
            self.send(kind, number, now, sink);
            let wait = shortest_wait(retry.first, times + 1);
            self.wheel.arm(&mut self.clients, number, now, wait);
        }
    }
}

/// What a client sends whose phase this is.
#[inline]
const fn message_of(phase: Phase) -> Option<Kind> {
    match phase {
        Phase::Idle => None,
        Phase::Selecting | Phase::Echo => Some(Kind::Discover),
        Phase::Requesting => Some(Kind::Select),
        Phase::Extending => Some(Kind::Extend),
        Phase::Rebooting => Some(Kind::Reboot),
    }
}

/// The wait behind a message that was sent `times` times, chance at its least: RFC 2131 §4.1 has
/// 4 s doubled each time up to 64 s, and one second more or less.
#[inline]
fn shortest_wait(first: Nanos, times: u8) -> Nanos {
    (first << times.saturating_sub(1).min(LONGEST_WAIT)) - first / 4
}
