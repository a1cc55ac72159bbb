//! Where replies go, RFC 2131 §4.1: one arm a rule.

use super::plan::{Destination, NextHop, ReplyKind};
use super::query::{Path, Query};
use super::silence::Silence;
use crate::config::{InformReply, Link, Network, RoutedNak, Subnet};
use core::net::Ipv4Addr;
use dhcp_wire::ethernet::Mac;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const ETHERNET: u8 = 1;
/// Infiniband has no room for its address in chaddr, RFC 4390.
const MAC_LEN: u8 = 6;

/// What addressing looks at.
pub(super) struct Addressing<'q> {
    pub(super) query: &'q Query<'q>,
    pub(super) link: &'q Link,
    pub(super) network: &'q Network,
}

impl Addressing<'_> {
    /// Source of every reply: the address asked, after a broadcast ours on that network (C145).
    pub(super) fn source(&self, near: Ipv4Addr) -> Ipv4Addr {
        if self.query.unicast {
            return self.query.arrival.ip_dst;
        }
        let beside = self
            .link
            .address_beside(near)
            .or_else(|| self.link.addresses.first().copied());
        beside.map_or(Ipv4Addr::UNSPECIFIED, |a| a.addr)
    }

    /// Option 54, C11: as configured, else our address on the client's subnet, else the source.
    pub(super) fn server_id(&self, subnet: &Subnet, near: Ipv4Addr) -> Ipv4Addr {
        if let Some(configured) = subnet.server_id {
            return configured;
        }
        let on_subnet = self
            .link
            .addresses
            .iter()
            .find(|a| subnet.prefix.contains(a.addr));
        match self.query.path {
            // C145: what was sent to one of our addresses is answered from it, in option 54 too.
            Path::Direct if !self.query.unicast => {
                on_subnet.map_or_else(|| self.source(near), |a| a.addr)
            }
            Path::Direct | Path::Relayed | Path::Routed => self.source(near),
        }
    }

    /// Destination of an OFFER, ACK to a REQUEST, or NAK.
    pub(super) fn of_reply(
        &self,
        kind: ReplyKind,
        yiaddr: Ipv4Addr,
    ) -> Result<Destination, Silence> {
        let (message, path) = (&self.query.message, self.query.path);
        let ciaddr = match kind {
            ReplyKind::Ack | ReplyKind::Nak => self.query.ciaddr(),
            // C156: no OFFER goes to a third party.
            ReplyKind::Offer => self
                .query
                .ciaddr()
                .filter(|addr| self.link.is_attached(*addr)),
        };
        match (path, kind, ciaddr) {
            // "If the 'giaddr' field … is non-zero, the server sends any return messages … to the
            // 'DHCP server' port on the BOOTP relay agent" (C1).
            (Path::Relayed, _, _) => Ok(self.to_relay()),
            // The broadcast of the next rule cannot reach a client behind routers (C146).
            (Path::Routed, ReplyKind::Nak, Some(ciaddr)) => match self.network.rules.nak_routed {
                RoutedNak::Unicast => Ok(self.back_to(ciaddr)),
                RoutedNak::Silent => Err(Silence::RoutedNak),
            },
            // "In all cases, when 'giaddr' is zero, the server broadcasts any DHCPNAK messages to
            // 0xffffffff" (C5).
            (Path::Direct, ReplyKind::Nak, _) | (Path::Routed, _, None) => Ok(self.broadcast()),
            // "If the 'giaddr' field is zero and the 'ciaddr' field is nonzero, then the server
            // unicasts … to the address in 'ciaddr'" (C2); behind routers as it came (C144).
            (Path::Routed, _, Some(ciaddr)) => Ok(self.back_to(ciaddr)),
            (Path::Direct, ReplyKind::Ack | ReplyKind::Offer, Some(ciaddr)) => Ok(self
                .station()
                .map_or_else(|| self.broadcast(), |mac| self.to(ciaddr, mac))),
            // "If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is set, then the
            // server broadcasts" (C3).
            (Path::Direct, _, _) if message.broadcast() => Ok(self.broadcast()),
            // "If the broadcast bit is not set and 'giaddr' is zero and 'ciaddr' is zero, then the
            // server unicasts … to the client's hardware address and 'yiaddr' address" (C4), if
            // it has one (C155).
            (Path::Direct, _, _) => Ok(self
                .station()
                .map_or_else(|| self.broadcast(), |mac| self.to(yiaddr, mac))),
        }
    }

    /// Destination of the ACK to an INFORM (C67), and whether it goes to the relay.
    pub(super) fn of_inform(&self) -> Result<(Destination, bool), Silence> {
        let giaddr = self.query.message.giaddr();
        let relayed = self.query.path == Path::Relayed;
        let src = self.query.arrival.ip_src;
        if relayed && self.network.rules.inform_reply == InformReply::Giaddr {
            return Ok((self.to_relay(), true));
        }
        // RFC 2131 §4.3.5: "directly to the address given in the 'ciaddr' field".
        if let Some(ciaddr) = self.query.ciaddr() {
            return Ok((self.to_client(ciaddr), false));
        }
        if relayed && (src == giaddr || src.is_unspecified()) {
            return Ok((self.to_relay(), true));
        }
        if src.is_unspecified() {
            return Err(Silence::NoDestination);
        }
        Ok((self.to_client(src), false))
    }

    fn to_client(&self, addr: Ipv4Addr) -> Destination {
        match (self.query.path, self.station()) {
            (Path::Relayed, _) => self.destination(addr, CLIENT_PORT, NextHop::Routed),
            (Path::Direct, Some(mac)) => self.to(addr, mac),
            (Path::Direct, None) | (Path::Routed, _) => self.back_to(addr),
        }
    }

    fn to_relay(&self) -> Destination {
        let Query {
            message,
            directions,
            arrival,
            ..
        } = self.query;
        // C185, RFC 8357: a relay that says so listens where it sends from.
        let port = if directions.source_port && arrival.src_port != 0 {
            arrival.src_port
        } else {
            SERVER_PORT
        };
        self.destination(message.giaddr(), port, NextHop::Routed)
    }

    fn broadcast(&self) -> Destination {
        self.destination(Ipv4Addr::BROADCAST, CLIENT_PORT, NextHop::Broadcast)
    }

    fn back_to(&self, addr: Ipv4Addr) -> Destination {
        self.destination(
            addr,
            CLIENT_PORT,
            NextHop::Station(self.query.arrival.l2_src),
        )
    }

    fn to(&self, addr: Ipv4Addr, mac: Mac) -> Destination {
        self.destination(addr, CLIENT_PORT, NextHop::Station(mac))
    }

    fn destination(&self, addr: Ipv4Addr, port: u16, next_hop: NextHop) -> Destination {
        let near = match self.query.path {
            Path::Relayed => self.query.message.giaddr(),
            Path::Direct | Path::Routed if addr.is_broadcast() => self.near(),
            Path::Direct | Path::Routed => addr,
        };
        Destination {
            source: self.source(near),
            addr,
            port,
            next_hop,
        }
    }

    /// An address of the client's subnet.
    fn near(&self) -> Ipv4Addr {
        let subnet = self.network.subnets.get(self.query.subnet.0 as usize);
        subnet.map_or(Ipv4Addr::UNSPECIFIED, |s| s.prefix.first())
    }

    /// The client's station on the link, if the message says it (C155): an Ethernet address that
    /// is one station's.
    fn station(&self) -> Option<Mac> {
        let message = &self.query.message;
        if message.htype() != ETHERNET || message.hlen() != MAC_LEN {
            return None;
        }
        let mac = Mac(*message.chaddr().first_chunk()?);
        (!mac.is_multicast() && !mac.is_zero()).then_some(mac)
    }
}
