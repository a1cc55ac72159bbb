//! A message that concerns this server, with all that was learnt of it before it is decided.

use super::agent::Directions;
use crate::config::{LinkIndex, NetworkIndex, Place, SubnetIndex};
use crate::identity::Identity;
use crate::record::Origin;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::{Message, MessageType, Options};
use dhcp_wire::ethernet::Mac;

/// A DHCP message as a port received it; every slice lies in the frame.
#[derive(Debug, Clone, Copy)]
pub struct Arrival<'a> {
    /// Port and VLAN it came in on.
    pub origin: Origin,
    /// Who put the frame on this link; a router or relay as often as the client.
    pub l2_src: Mac,
    /// IP source.
    pub ip_src: Ipv4Addr,
    /// IP destination.
    pub ip_dst: Ipv4Addr,
    /// UDP source port.
    pub src_port: u16,
    /// The UDP payload.
    pub payload: &'a [u8],
}

/// How a message came from the client to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Over the link itself.
    Direct,
    /// Through the relay agent in giaddr.
    Relayed,
    /// Unicast through routers, giaddr 0 and ciaddr on no network of the link (C143).
    Routed,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "the packet path allocates nothing"
)]
pub enum Client {
    /// The identity, and its keyed hash.
    Known(Identity, u64),
    /// The network's identity needs a circuit that the message does not carry: whoever holds
    /// ciaddr (C157).
    HolderOf(Ipv4Addr),
    /// Nobody in particular: INFORM looks for no lease (C69).
    Anyone,
}

/// A message for this server, its network and client known.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The message.
    pub message: Message<'a>,
    /// Its options.
    pub options: Options<'a>,
    /// Option 53.
    pub kind: MessageType,
    /// How it came.
    pub path: Path,
    /// Whether it was sent to an address of ours rather than to a broadcast.
    pub unicast: bool,
    /// The link it came in on.
    pub link: LinkIndex,
    /// The network.
    pub network: NetworkIndex,
    /// The subnet that giaddr, ciaddr or the link is in; new addresses come from it first.
    pub subnet: SubnetIndex,
    /// The client.
    pub client: Client,
    /// Whether option 82 may decide anything (C160).
    pub trusted: bool,
    /// What it directs about the answer.
    pub directions: Directions,
    /// Option 118, where a client may select its subnet (C115).
    pub subnet_selection: Option<Ipv4Addr>,
    /// The frame it came in.
    pub arrival: Arrival<'a>,
}

impl Query<'_> {
    /// Network and subnet.
    #[must_use]
    pub fn place(&self) -> Place {
        Place {
            network: self.network,
            subnet: self.subnet,
        }
    }

    /// Option 54, unless it is misshapen.
    #[must_use]
    pub fn server_id(&self) -> Option<Ipv4Addr> {
        self.options.addr(dhcp_wire::dhcp::code::SERVER_ID)
    }

    /// Option 50; 0.0.0.0 and what is not four octets count as absent (C154).
    #[must_use]
    pub fn requested_addr(&self) -> Option<Ipv4Addr> {
        let addr = self
            .options
            .addr(dhcp_wire::dhcp::code::REQUESTED_ADDRESS)?;
        (!addr.is_unspecified()).then_some(addr)
    }

    /// ciaddr, unless it is 0.
    #[must_use]
    pub fn ciaddr(&self) -> Option<Ipv4Addr> {
        let addr = self.message.ciaddr();
        (!addr.is_unspecified()).then_some(addr)
    }

    /// The lease time that the client wishes; 0 and what is not four octets is no wish (C36).
    #[must_use]
    pub fn wish(&self) -> Option<u32> {
        self.options
            .u32(dhcp_wire::dhcp::code::LEASE_TIME)
            .filter(|wish| *wish != 0)
    }
}

/// Option 61 as an identity, unless it is too long for one.
pub(super) fn client_identity(options: &Options<'_>) -> Option<Identity> {
    use crate::identity::Kind;
    let value = options.get(dhcp_wire::dhcp::code::CLIENT_ID)?;
    if let Some(octets) = value.contiguous() {
        return Identity::new(Kind::ClientId, &[octets]);
    }
    let mut octets = [0; crate::record::MAX_IDENTITY - 1];
    let len = value.copy_to(&mut octets)?;
    Identity::new(Kind::ClientId, &[octets.get(..len)?])
}

/// htype and chaddr as an identity.
pub(super) fn hardware_identity(message: &Message<'_>) -> Option<Identity> {
    use crate::identity::Kind;
    Identity::new(Kind::Chaddr, &[&[message.htype()], message.chaddr()])
}
