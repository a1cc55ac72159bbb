//! What a shard and those who ask it say to each other.

use crate::address::Space;
use crate::circuit;
use crate::config::{Kinds, NetworkKey, Owner, ProbeBy};
use crate::identity::{Identity, Kind};
use crate::record::Sequence;
use crate::rule::Rule;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::SubOptions;
use dhcp_wire::ethernet::Mac;

/// The binding that a parked ACK states; it is sent only while the binding still says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parked {
    /// Slot of the binding.
    pub slot: u32,
    /// Generation of its address.
    pub generation: u64,
    /// Its newest record, which has to be durable.
    pub sequence: Sequence,
    /// The newest reply parked for it: a newer REQUEST cancels the older reply.
    pub ticket: u16,
}

/// A question to the worker that holds an address: both of its clients may have it by their
/// reservation, and only one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// The worker that is to yield.
    pub owner: u8,
    /// Address space.
    pub space: u16,
    /// The address.
    pub addr: Ipv4Addr,
    /// The generation the asker saw; a later one is not meant.
    pub generation: u64,
}

/// What became of a question to yield an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yielded {
    /// The binding has ended.
    Ended,
    /// It is another one than the asker saw, or the address is its client's alone.
    Refused,
    /// The journal has no room for its end: the asker is to put the question again.
    Later,
}

/// A probe that is to be made before an address is offered: RFC 2131 §3.1 step 2, "the server
/// SHOULD check that the offered network address is not already in use".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Address space.
    pub space: Space,
    /// The address.
    pub addr: Ipv4Addr,
    /// The generation under which it is held or set aside.
    pub generation: u64,
    /// How to ask.
    pub by: ProbeBy,
    /// Milliseconds to wait for an answer.
    pub wait: u16,
    /// The relay that the client is behind; unspecified if none.
    pub relay: Ipv4Addr,
    /// Whether it is an address in probation, which nobody is to have unless nobody answers (C177).
    pub aside: bool,
    /// What made it the address for its client.
    pub rule: Rule,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nobody answered in time.
    Nobody,
    /// A station has the address; its hardware address, unless a router is between.
    Station(Option<Mac>),
    /// Nobody could be asked.
    Nothing,
}

/// A probe that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// What was asked.
    pub probe: Probe,
    /// What came of it.
    pub found: Found,
}

/// A question to all other workers: a network has no address left, and one that they have set
/// aside may be free by now (C177).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seek {
    /// The network.
    pub network: NetworkKey,
    /// The relay that the client is behind; unspecified if none.
    pub relay: Ipv4Addr,
}

/// What a reservation may know a client by, as far as any reservation of the network does.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    kinds: Kinds,
    /// Option 61 as an identity.
    client_id: Option<Identity>,
    /// htype and chaddr as an identity.
    hardware: Option<Identity>,
    /// Relay and circuit-id as an identity.
    circuit: Option<Identity>,
    /// The remote-id as an identity.
    remote_id: Option<Identity>,
}

impl Keys {
    /// Those of a client in a network that has reservations of `kinds`: by client-id and by
    /// hardware address.
    pub(crate) fn new(
        kinds: Kinds,
        (client_id, hardware): (Option<Identity>, Option<Identity>),
    ) -> Self {
        Self {
            kinds,
            client_id,
            hardware,
            circuit: None,
            remote_id: None,
        }
    }

    /// The same with what a trusted option 82 says that came from relay `giaddr`.
    pub(crate) fn with_agent_info(self, giaddr: Ipv4Addr, info: &SubOptions<'_>) -> Self {
        let circuits = self.kinds.has(Kind::Circuit) || self.kinds.has(Kind::RelayCircuit);
        let remotes = self.kinds.has(Kind::RemoteId);
        Self {
            circuit: circuits.then(|| circuit::circuit(giaddr, info)).flatten(),
            remote_id: remotes
                .then(|| circuit::remote_id(info))
                .flatten()
                .and_then(|id| Identity::new(Kind::RemoteId, &[id])),
            ..self
        }
    }

    /// Whether any reservation is by what option 82 says.
    pub(crate) fn want_agent_info(kinds: Kinds) -> bool {
        [Kind::Circuit, Kind::RelayCircuit, Kind::RemoteId]
            .into_iter()
            .any(|kind| kinds.has(kind))
    }

    /// The keys in the order in which they are asked for a reservation: the client itself before
    /// the place where it is.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Identity> {
        let station = self.client_id.iter().chain(&self.hardware);
        station.chain(&self.circuit).chain(&self.remote_id)
    }

    /// Whether a reservation for `owner` is this client's.
    pub(crate) fn matches(&self, owner: Owner<'_>) -> bool {
        self.iter().any(|key| owner.is(key.as_slice()))
    }
}
