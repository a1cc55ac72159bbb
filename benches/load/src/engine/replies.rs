//! What replies do to clients.

use dhcp_wire::dhcp::MessageType;

use super::Engine;
use super::judge::Told;
use crate::clients::{Nanos, Phase, second};
use crate::identity::Transaction;
use crate::plan::Mode;
use crate::reply::Reply;
use crate::sink::Sink;
use crate::violation::Violation;

impl Engine {
    /// Finds the client of a message by its transaction, and lets it have it.
    #[inline]
    pub(super) fn on_message(&mut self, reply: &Reply<'_>, now: Nanos, sink: &mut impl Sink) {
        let transaction = self.identities.transaction(reply.message.xid());
        let Transaction {
            client: number,
            exchange,
        } = transaction;
        let mac = self.identities.mac(number);
        let is_named = reply.message.chaddr() == mac.0 && reply.message.htype() == 1;
        let Some(client) = self.clients.get_mut(number) else {
            return self.violated(Violation::Xid, None, reply);
        };
        let (phase, is_present) = (client.phase, client.exchange == exchange);
        match (is_named, is_present) {
            (true, true) => {}
            // Its last exchange, or one before.
            (true, false) => return self.on_extra(number, reply),
            (false, true) if phase != Phase::Idle => {
                return self.violated(Violation::Chaddr, Some(number), reply);
            }
            (false, _) => return self.violated(Violation::Xid, None, reply),
        }
        let result = match (phase, reply.kind) {
            (Phase::Selecting, MessageType::Offer) => self.on_offer(number, reply, now, sink),
            (Phase::Requesting | Phase::Extending | Phase::Rebooting, MessageType::Ack) => {
                self.on_ack(number, reply, now)
            }
            (Phase::Extending | Phase::Rebooting, MessageType::Nak) => self.on_nak(number, now),
            (_, MessageType::Nak) if phase != Phase::Idle => Err(Violation::Nak),
            (Phase::Echo, MessageType::Discover) => self.on_echo(number, reply, now),
            (Phase::Idle, _) | (Phase::Requesting, MessageType::Offer) => {
                return self.on_extra(number, reply);
            }
            _ => Err(Violation::MessageType),
        };
        if let Err(kind) = result {
            self.violated(kind, Some(number), reply);
        }
    }

    #[inline]
    fn on_offer(
        &mut self,
        number: u32,
        reply: &Reply<'_>,
        now: Nanos,
        sink: &mut impl Sink,
    ) -> Result<(), Violation> {
        let Told { addr, server, .. } = self.judge(number, reply, now)?;
        let client = self.clients.get_mut(number).ok_or(Violation::Xid)?;
        (client.offer, client.server) = (addr, server);
        let took = client.since_sent(now);
        self.latencies.offer(took);
        self.counts.replies += 1;
        self.counts.offers += 1;
        if self.mode == Mode::Discover {
            self.counts.exchanges += 1;
            self.finish(number);
        } else {
            self.send_first(Phase::Requesting, number, now, sink);
        }
        Ok(())
    }

    #[inline]
    fn on_ack(&mut self, number: u32, reply: &Reply<'_>, now: Nanos) -> Result<(), Violation> {
        let told = self.judge(number, reply, now)?;
        let client = self.clients.get_mut(number).ok_or(Violation::Xid)?;
        let selecting = client.phase == Phase::Requesting;
        let due = if selecting {
            client.offer
        } else {
            client.lease
        };
        if told.addr != due {
            return Err(Violation::AddressChanged);
        }
        if told.server != client.server {
            return Err(Violation::ServerId);
        }
        let took = client.since_sent(now);
        client.lease = told.addr;
        // RFC 2131 §4.4.1: it runs from when the REQUEST was sent.
        client.expires = match told.lease_time {
            u32::MAX => u32::MAX,
            time => second(now.saturating_sub(took)).saturating_add(time),
        };
        let whole = client.since_began(now);
        self.latencies.ack(took);
        if selecting {
            self.latencies.dora(whole);
        }
        self.counts.replies += 1;
        self.counts.acks += 1;
        self.counts.exchanges += 1;
        self.finish(number);
        let noted = self.holders.note(told.addr, number);
        noted.map_err(|_| Violation::AddressRange)
    }

    /// A NAK is due to a client only whose lease has ended on its way.
    fn on_nak(&mut self, number: u32, now: Nanos) -> Result<(), Violation> {
        let client = self.clients.get_mut(number).ok_or(Violation::Xid)?;
        let was_bound = client.is_bound(second(now));
        client.lease = 0;
        self.finish(number);
        if was_bound {
            return Err(Violation::Nak);
        }
        self.counts.naks += 1;
        Ok(())
    }

    /// A reply that nobody waits for: the second answer to a message that was sent twice, the
    /// offer of a server that was not chosen, or one too many.
    #[cold]
    fn on_extra(&mut self, number: u32, reply: &Reply<'_>) {
        let Some(client) = self.clients.get_mut(number) else {
            return;
        };
        let chosen = self.servers.get(client.server).map(|server| server.id);
        let from = Self::server_id(reply);
        if reply.kind == MessageType::Offer && chosen.is_some() && from.is_some() && from != chosen
        {
            self.counts.other_offers += 1;
        } else if client.spare_reply() {
            self.counts.late += 1;
        } else {
            let kind = if client.phase == Phase::Requesting {
                Violation::MessageType
            } else {
                Violation::Duplicate
            };
            self.violated(kind, Some(number), reply);
        }
    }

    /// Its own DISCOVER, by which the way and the generator are measured.
    #[inline]
    fn on_echo(&mut self, number: u32, reply: &Reply<'_>, now: Nanos) -> Result<(), Violation> {
        self.judge_echo(number, reply)?;
        let client = self.clients.get(number).ok_or(Violation::Xid)?;
        let took = client.since_sent(now);
        self.latencies.offer(took);
        self.counts.replies += 1;
        self.counts.exchanges += 1;
        self.finish(number);
        Ok(())
    }
}
