//! Messages of clients and what they hear, by a codec that is not the server's.

use super::client::{Client, Millis};
use super::scenario::Home;
use dhcproto::v4::relay::{RelayAgentInformation, RelayInfo};
use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};
use std::net::Ipv4Addr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Request,
    Release,
    Decline,
    Inform,
}

/// A message of a client, before it is put into octets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Query {
    pub(super) kind: Kind,
    pub(super) ciaddr: Option<Ipv4Addr>,
    pub(super) requested: Option<Ipv4Addr>,
    /// Option 54.
    pub(super) server: Option<Ipv4Addr>,
    /// The server that it goes to and no other.
    pub(super) to: Option<Ipv4Addr>,
}

impl Query {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            ciaddr: None,
            requested: None,
            server: None,
            to: None,
        }
    }

    /// The UDP payload, as it leaves the client or the relay in front of it.
    pub(super) fn payload(&self, client: &Client, home: &Home, now: Millis) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let ciaddr = self.ciaddr.unwrap_or(none);
        let nature = &client.nature;
        let relayed = home.relay.filter(|_| self.to.is_none());
        let giaddr = relayed.unwrap_or(none);
        let mut message = Message::new_with_id(client.xid, ciaddr, none, none, giaddr, &nature.mac);
        message.set_secs(client.secs(now));
        if nature.broadcast && self.ciaddr.is_none() {
            message.set_flags(Flags::default().set_broadcast());
        }
        if relayed.is_some() {
            message.set_hops(1);
        }
        let kind = match self.kind {
            Kind::Discover => MessageType::Discover,
            Kind::Request => MessageType::Request,
            Kind::Release => MessageType::Release,
            Kind::Decline => MessageType::Decline,
            Kind::Inform => MessageType::Inform,
        };
        let asks = matches!(self.kind, Kind::Discover | Kind::Request);
        let options = [
            Some(DhcpOption::MessageType(kind)),
            self.requested.map(DhcpOption::RequestedIpAddress),
            self.server.map(DhcpOption::ServerIdentifier),
            nature
                .wish
                .filter(|_| asks)
                .map(DhcpOption::AddressLeaseTime),
            nature.client_id.clone().map(DhcpOption::ClientIdentifier),
        ];
        for option in options.into_iter().flatten() {
            message.opts_mut().insert(option);
        }
        if relayed.is_some() && home.adds_circuit {
            let mut info = RelayAgentInformation::default();
            let circuit = (nature.number, client.circuit);
            let circuit = format!(
                "{}/{}",
                circuit.0,
                if home.by_circuit { 0 } else { circuit.1 }
            );
            info.insert(RelayInfo::AgentCircuitId(circuit.into_bytes()));
            message
                .opts_mut()
                .insert(DhcpOption::RelayAgentInformation(info));
        }
        let mut octets = Vec::with_capacity(300);
        message
            .encode(&mut Encoder::new(&mut octets))
            .expect("a message of a few options can be encoded");
        octets
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReplyKind {
    Offer,
    Ack,
    Nak,
}

/// What a server says to a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reply {
    pub(super) kind: ReplyKind,
    pub(super) xid: u32,
    pub(super) yiaddr: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) chaddr: [u8; 6],
    /// Options 51, 58 and 59 in seconds.
    pub(super) lease: Option<u32>,
    pub(super) t1: Option<u32>,
    pub(super) t2: Option<u32>,
}

impl Reply {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, String> {
        let message =
            Message::decode(&mut Decoder::new(payload)).map_err(|error| error.to_string())?;
        if message.opcode() != Opcode::BootReply {
            return Err("op is not BOOTREPLY".to_owned());
        }
        let options = message.opts();
        let kind = match options.msg_type() {
            Some(MessageType::Offer) => ReplyKind::Offer,
            Some(MessageType::Ack) => ReplyKind::Ack,
            Some(MessageType::Nak) => ReplyKind::Nak,
            other => return Err(format!("message type {other:?}")),
        };
        let Some(DhcpOption::ServerIdentifier(server)) = options.get(OptionCode::ServerIdentifier)
        else {
            return Err("no option 54".to_owned());
        };
        let seconds = |code| match options.get(code) {
            Some(
                DhcpOption::AddressLeaseTime(seconds)
                | DhcpOption::Renewal(seconds)
                | DhcpOption::Rebinding(seconds),
            ) => Some(*seconds),
            _ => None,
        };
        Ok(Self {
            kind,
            xid: message.xid(),
            yiaddr: message.yiaddr(),
            server: *server,
            // Of Infiniband there is none, RFC 4390.
            chaddr: message.chaddr().first_chunk().copied().unwrap_or_default(),
            lease: seconds(OptionCode::AddressLeaseTime),
            t1: seconds(OptionCode::Renewal),
            t2: seconds(OptionCode::Rebinding),
        })
    }
}
