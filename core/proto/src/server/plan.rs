//! What was decided: values that the worker carries out.

use super::silence::Silence;
use crate::config::Place;
use crate::rule::Rule;
use crate::shard::{Ask, Parked, Probe, Seek};
use core::net::Ipv4Addr;
use dhcp_wire::ethernet::Mac;

/// The answer to one message.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The reply, or why there is none.
    pub reply: Result<Plan, Silence>,
    /// A question to another worker.
    pub ask: Option<Ask>,
    /// Something the operator is told.
    pub notice: Option<Notice>,
    /// The probe that the message has to wait for; there is no reply then, and no silence either.
    pub probe: Option<Probe>,
    /// A question to all other workers.
    pub seek: Option<Seek>,
}

impl From<Result<Plan, Silence>> for Outcome {
    fn from(reply: Result<Plan, Silence>) -> Self {
        Self {
            reply,
            ask: None,
            notice: None,
            probe: None,
            seek: None,
        }
    }
}

impl From<Silence> for Outcome {
    fn from(reason: Silence) -> Self {
        Err(reason).into()
    }
}

/// The three messages a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyKind {
    /// DHCPOFFER
    Offer,
    /// DHCPACK
    Ack,
    /// DHCPNAK
    Nak,
}

/// A reply, all but its octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Its type.
    pub kind: ReplyKind,
    /// What made it so.
    pub rule: Rule,
    /// The address given; unspecified in a NAK and in the ACK to an INFORM (C21).
    pub yiaddr: Ipv4Addr,
    /// Copied from a REQUEST or INFORM into its ACK, else unspecified (C20).
    pub ciaddr: Ipv4Addr,
    /// Lease time; `None` in a NAK and in the ACK to an INFORM (C26, C68).
    pub lease: Option<u32>,
    /// T1 and T2 (C75).
    pub renewal: Option<(u32, u32)>,
    /// Network and subnet whose options it carries.
    pub place: Place,
    /// Option 54 (C11).
    pub server_id: Ipv4Addr,
    /// Where it goes.
    pub destination: Destination,
    /// Whether option 82 is echoed (C67, C88).
    pub echo_agent_info: bool,
    /// Option 118, to be echoed (C115).
    pub subnet_selection: Option<Ipv4Addr>,
    /// What has to be durable before it leaves; `None` for what states no binding.
    pub wait: Option<Parked>,
}

/// Where a reply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destination {
    /// IP source: the address that was asked (C145).
    pub source: Ipv4Addr,
    /// IP destination.
    pub addr: Ipv4Addr,
    /// UDP destination port.
    pub port: u16,
    /// The next hop on the link.
    pub next_hop: NextHop,
}

/// The Ethernet destination of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextHop {
    /// All stations.
    Broadcast,
    /// This station, without ARP (C4, C144).
    Station(Mac),
    /// Whoever the routes and ARP say.
    Routed,
}

/// What an operator is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What happened.
    pub kind: NoticeKind,
    /// The address.
    pub addr: Ipv4Addr,
    /// The first six octets of the client's hardware address.
    pub chaddr: [u8; 6],
}

/// The events an operator is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// A client found its address in use; it is set aside (C60).
    Declined,
    /// A client declined more addresses than it may: the address stays (C170).
    TooManyDeclines,
    /// No address is left in the network (C34).
    Exhausted,
    /// A client with a lease came by another relay or circuit, and its lease went along (C173).
    Moved,
    /// A client with a lease came by another relay or circuit, and was not answered (C173).
    MoveDenied,
    /// A probe was answered: the address is set aside (C179). `chaddr` is the station that answered,
    /// all zeros if it is behind a router.
    Busy,
}
