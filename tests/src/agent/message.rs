//! What the agent's clients say and hear.

use std::net::Ipv4Addr;

use dhcproto::v4::relay::{RelayAgentInformation, RelayInfo};
use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder};

/// One of the agent's clients, by number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Subscriber(pub u32);

impl Subscriber {
    /// Its hardware address, locally administered.
    #[must_use]
    pub fn chaddr(self) -> [u8; 6] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [0x02, 0x4c, a, b, c, d]
    }

    fn from_chaddr(chaddr: &[u8]) -> Option<Self> {
        match *chaddr {
            [0x02, 0x4c, a, b, c, d] => Some(Self(u32::from_be_bytes([a, b, c, d]))),
            _ => None,
        }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Request {
    /// DISCOVER.
    Discover,
    /// REQUEST in SELECTING: this address of this server.
    Select(Ipv4Addr, Ipv4Addr),
    /// REQUEST in INIT-REBOOT.
    Reboot(Ipv4Addr),
    /// REQUEST in REBINDING.
    Rebind(Ipv4Addr),
    /// RELEASE of this address of this server.
    Release(Ipv4Addr, Ipv4Addr),
    /// DECLINE of this address of this server.
    Decline(Ipv4Addr, Ipv4Addr),
}

/// A message of one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Query {
    /// Who asks.
    pub subscriber: Subscriber,
    /// For what.
    pub request: Request,
}

impl Query {
    /// This client's request.
    #[must_use]
    pub fn new(subscriber: Subscriber, request: Request) -> Self {
        Self {
            subscriber,
            request,
        }
    }

    /// Whether a reply with the same transaction id answers it. A repeated DISCOVER may have a
    /// second OFFER, which is no answer to the REQUEST that followed the first.
    pub(super) fn takes(&self, reply: &Reply) -> bool {
        let kind = match self.request {
            Request::Discover => reply.answer == Answer::Offer,
            Request::Select(..) | Request::Reboot(_) | Request::Rebind(_) => {
                matches!(reply.answer, Answer::Ack | Answer::Nak)
            }
            Request::Release(..) | Request::Decline(..) => false,
        };
        kind && reply.subscriber == self.subscriber
    }

    /// Whether the server is to answer.
    pub(super) fn is_answered(&self) -> bool {
        !matches!(self.request, Request::Release(..) | Request::Decline(..))
    }

    /// The datagram. Without a relay the reply is asked for by broadcast.
    pub(super) fn encode(&self, xid: u32, (giaddr, circuit): (Ipv4Addr, Option<u32>)) -> Vec<u8> {
        let none = Ipv4Addr::UNSPECIFIED;
        let hardware = self.subscriber.chaddr();
        let mut message = Message::new_with_id(xid, none, none, none, giaddr, &hardware);
        if giaddr == none {
            message.set_flags(Flags::default().set_broadcast());
        } else {
            message.set_hops(1);
        }
        let (kind, ciaddr, options) = match self.request {
            Request::Discover => (MessageType::Discover, none, vec![]),
            Request::Select(address, server) => {
                (MessageType::Request, none, named(address, server))
            }
            Request::Reboot(address) => {
                let options = vec![DhcpOption::RequestedIpAddress(address)];
                (MessageType::Request, none, options)
            }
            Request::Rebind(address) => (MessageType::Request, address, vec![]),
            Request::Release(address, server) => {
                let options = vec![DhcpOption::ServerIdentifier(server)];
                (MessageType::Release, address, options)
            }
            Request::Decline(address, server) => {
                (MessageType::Decline, none, named(address, server))
            }
        };
        message.set_ciaddr(ciaddr);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        for option in options {
            message.opts_mut().insert(option);
        }
        if let Some(circuit) = circuit {
            let mut info = RelayAgentInformation::default();
            info.insert(RelayInfo::AgentCircuitId(circuit.to_be_bytes().into()));
            let info = DhcpOption::RelayAgentInformation(info);
            message.opts_mut().insert(info);
        }
        let mut octets = Vec::with_capacity(300);
        message
            .encode(&mut Encoder::new(&mut octets))
            .expect("a message of a few options can be encoded");
        // RFC 1542 §2.1: a BOOTP message has 300 octets.
        octets.resize(octets.len().max(300), 0);
        octets
    }
}

fn named(address: Ipv4Addr, server: Ipv4Addr) -> Vec<DhcpOption> {
    vec![
        DhcpOption::RequestedIpAddress(address),
        DhcpOption::ServerIdentifier(server),
    ]
}

/// The kinds of reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// OFFER.
    Offer,
    /// ACK.
    Ack,
    /// NAK.
    Nak,
}

const ANSWERS: [(MessageType, Answer); 3] = [
    (MessageType::Offer, Answer::Offer),
    (MessageType::Ack, Answer::Ack),
    (MessageType::Nak, Answer::Nak),
];

/// A reply of a server to one client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reply {
    /// Whom it answers.
    pub subscriber: Subscriber,
    /// With what.
    pub answer: Answer,
    /// `yiaddr`.
    pub address: Ipv4Addr,
    /// Option 54.
    pub server: Ipv4Addr,
    /// Option 51 in seconds, 0 without it.
    pub lease_time: u32,
    pub(super) xid: u32,
}

impl Reply {
    /// Reads a datagram; anything but a reply to one of the agent's clients is nothing.
    pub(super) fn decode(datagram: &[u8]) -> Option<Self> {
        let message = Message::decode(&mut Decoder::new(datagram)).ok()?;
        if message.opcode() != Opcode::BootReply {
            return None;
        }
        let kind = message.opts().msg_type()?;
        let (_, answer) = ANSWERS.into_iter().find(|(code, _)| *code == kind)?;
        let server = match message.opts().get(OptionCode::ServerIdentifier) {
            Some(DhcpOption::ServerIdentifier(server)) => *server,
            _ => return None,
        };
        let lease_time = match message.opts().get(OptionCode::AddressLeaseTime) {
            Some(DhcpOption::AddressLeaseTime(seconds)) => *seconds,
            _ => 0,
        };
        Some(Self {
            subscriber: Subscriber::from_chaddr(message.chaddr())?,
            answer,
            address: message.yiaddr(),
            server,
            lease_time,
            xid: message.xid(),
        })
    }
}
