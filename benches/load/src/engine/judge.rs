//! Whether a reply is right.

use dhcp_wire::dhcp::{code, op};
use dhcp_wire::udp::port;

use super::Engine;
use crate::clients::{Nanos, Phase, second};
use crate::identity::{circuit_id, client_id, relay_mac};
use crate::reply::Reply;
use crate::template::agent_info;
use crate::violation::{Sample, Violation, text};

/// What a reply gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) addr: u32,
    /// Number of the server.
    pub(super) server: u8,
    pub(super) lease_time: u32,
}

impl Engine {
    /// Looks at all of an OFFER or ACK that does not depend on what was said before.
    #[inline]
    pub(super) fn judge(
        &mut self,
        number: u32,
        reply: &Reply<'_>,
        now: Nanos,
    ) -> Result<Told, Violation> {
        if reply.message.op() != op::REPLY {
            return Err(Violation::MessageType);
        }
        let addr = u32::from(reply.message.yiaddr());
        self.judge_envelope(number, reply, addr)?;
        self.judge_echoes(number, reply)?;
        let id = Self::server_id(reply).ok_or(Violation::ServerId)?;
        let server = self
            .servers
            .number(id, reply.src_mac)
            .ok_or(Violation::ServerId)?;
        let (first, last) = self.plan.expect.range.unwrap_or((1, u32::MAX - 1));
        if !(first..=last).contains(&addr) {
            return Err(Violation::AddressRange);
        }
        if self.is_taken(addr, number, second(now)) {
            return Err(Violation::AddressTaken);
        }
        let lease_time = reply.options.u32(code::LEASE_TIME);
        let lease_time = lease_time.ok_or(Violation::LeaseTime)?;
        self.judge_lease_time(number, (addr, lease_time), now)?;
        Ok(Told {
            addr,
            server,
            lease_time,
        })
    }

    /// A server may state what is left of the lease that the client has of this address, or that
    /// the first copy of a message brought which was sent again.
    #[inline]
    fn judge_lease_time(
        &mut self,
        number: u32,
        (addr, time): (u32, u32),
        now: Nanos,
    ) -> Result<(), Violation> {
        let wanted = self.plan.expect.lease_time.unwrap_or(time);
        if time == wanted && time != 0 {
            return Ok(());
        }
        let client = self.clients.get(number).ok_or(Violation::LeaseTime)?;
        let has = client.lease == addr && client.is_bound(second(now));
        let is_left = has && client.expires.abs_diff(second(now).saturating_add(time)) <= 2;
        let passed = second(client.since_began(now)) + 1;
        let is_first = client.sent_times() > 1 && time < wanted && wanted - time <= passed;
        if time == 0 || !(is_left || is_first) {
            return Err(Violation::LeaseTime);
        }
        self.counts.time_left += 1;
        Ok(())
    }

    /// Looks at one of our own messages that came back.
    #[inline]
    pub(super) fn judge_echo(&self, number: u32, reply: &Reply<'_>) -> Result<(), Violation> {
        if reply.message.op() != op::REQUEST {
            return Err(Violation::MessageType);
        }
        let sent_from = match self.plan.relays {
            None => self.identities.mac(number),
            Some(relays) => relay_mac(relays.of(number)),
        };
        if reply.dst_mac != sent_from || u32::from(reply.message.giaddr()) != self.giaddr(number) {
            return Err(Violation::Addressing);
        }
        self.judge_echoes(number, reply)
    }

    /// RFC 2131 §4.1: to the relay, or to the client's own address or everybody on its link.
    #[inline]
    fn judge_envelope(&self, number: u32, reply: &Reply<'_>, addr: u32) -> Result<(), Violation> {
        let giaddr = self.giaddr(number);
        let (mac, dst, dst_port) = if giaddr == 0 {
            (self.identities.mac(number), addr, port::CLIENT)
        } else {
            (relay_mac(giaddr), giaddr, port::SERVER)
        };
        let to_all = giaddr == 0 && reply.dst == u32::MAX;
        let right = (reply.dst_mac == mac || reply.dst_mac.is_broadcast())
            && (reply.dst == dst || to_all)
            && reply.dst_port == dst_port
            && u32::from(reply.message.giaddr()) == giaddr;
        if right {
            Ok(())
        } else {
            Err(Violation::Addressing)
        }
    }

    /// What a server hands back as it was sent: options 61 and 82.
    #[inline]
    fn judge_echoes(&self, number: u32, reply: &Reply<'_>) -> Result<(), Violation> {
        if let Some(id) = reply.options.get(code::CLIENT_ID) {
            // A server older than RFC 6842 sends none.
            let mac = self.identities.mac(number);
            if id.array() != Some(client_id(mac)) {
                return Err(Violation::ClientId);
            }
        }
        if let Some(relays) = self.plan.relays.filter(|relays| relays.option82) {
            let info = reply
                .options
                .get(code::AGENT_INFO)
                .and_then(|info| info.array());
            if info != Some(agent_info(circuit_id(number), relays.of(number))) {
                return Err(Violation::AgentInfo);
            }
        }
        Ok(())
    }

    #[inline]
    fn giaddr(&self, number: u32) -> u32 {
        self.plan.relays.map_or(0, |relays| relays.of(number))
    }

    #[inline]
    pub(super) fn server_id(reply: &Reply<'_>) -> Option<u32> {
        reply.options.addr(code::SERVER_ID).map(u32::from)
    }

    /// Whether another client holds `addr`.
    #[inline]
    fn is_taken(&self, addr: u32, number: u32, second: u32) -> bool {
        let holder = self.holders.of(addr).filter(|&holder| holder != number);
        let client = holder.and_then(|holder| self.clients.get(holder));
        client.is_some_and(|client| client.lease == addr && client.is_bound(second))
    }

    /// Counts a wrong reply, and writes the first few down.
    #[cold]
    pub(super) fn violated(&mut self, kind: Violation, number: Option<u32>, reply: &Reply<'_>) {
        let client = number.map(|number| self.identities.mac(number));
        let wanted = self.wanted(kind, number);
        self.violations.add(kind, || Sample {
            kind,
            client,
            found: found(reply),
            wanted,
        });
    }

    /// What the reply should have said.
    fn wanted(&self, kind: Violation, number: Option<u32>) -> String {
        let client = number.and_then(|number| self.clients.get(number));
        let expect = self.plan.expect;
        match (kind, client) {
            (Violation::Xid, _) => "a transaction that a client has under way".to_owned(),
            (Violation::AddressRange, _) => {
                let (first, last) = expect.range.unwrap_or((1, u32::MAX - 1));
                format!("an address of {} to {}", text(first), text(last))
            }
            (Violation::LeaseTime, _) => {
                expect.lease_time.map_or("a lease time".to_owned(), |time| {
                    format!("a lease of {time} s")
                })
            }
            (Violation::ServerId, Some(client)) => {
                let id = self
                    .servers
                    .get(client.server)
                    .map(|server| text(server.id));
                format!("server {}", id.unwrap_or_else(|| "of some name".to_owned()))
            }
            (Violation::AgentInfo, _) => "option 82 as it was sent".to_owned(),
            (Violation::ClientId, _) => "option 61 as it was sent".to_owned(),
            (Violation::Addressing, _) => "it sent to whom it is for".to_owned(),
            (_, Some(client)) => match client.phase {
                Phase::Idle => "nothing more".to_owned(),
                Phase::Selecting => "an OFFER to it of a free address".to_owned(),
                Phase::Requesting => format!("its ACK of {}", text(client.offer)),
                Phase::Extending | Phase::Rebooting => format!("its ACK of {}", text(client.lease)),
                Phase::Echo => "its own frame".to_owned(),
            },
            (_, None) => "a reply".to_owned(),
        }
    }
}

fn found(reply: &Reply<'_>) -> String {
    let message = &reply.message;
    let chaddr = message.chaddr().iter();
    let chaddr: Vec<String> = chaddr.map(|octet| format!("{octet:02x}")).collect();
    let chaddr = chaddr.join(":");
    let server = Engine::server_id(reply).map_or("none".to_owned(), text);
    let lease = reply.options.u32(code::LEASE_TIME);
    let lease = lease.map_or("none".to_owned(), |time| time.to_string());
    format!(
        "{:?} xid {:08x} chaddr {chaddr} yiaddr {} giaddr {} server {server} lease {lease}, to {} {}:{}",
        reply.kind,
        message.xid(),
        message.yiaddr(),
        message.giaddr(),
        reply.dst_mac,
        text(reply.dst),
        reply.dst_port,
    )
}
