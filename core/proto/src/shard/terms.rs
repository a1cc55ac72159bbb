//! What a shard and those who ask it say to each other.

use crate::address::Space;
use crate::config::{NetworkKey, ProbeBy};
use crate::identity::Identity;
use crate::record::Sequence;
use core::net::Ipv4Addr;
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

/// What a reservation may know a client by.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// Option 61 as an identity.
    pub(crate) client_id: Option<Identity>,
    /// htype and chaddr as an identity.
    pub(crate) hardware: Option<Identity>,
}

impl Keys {
    /// The keys, the client-id first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Identity> {
        self.client_id.iter().chain(&self.hardware)
    }

    /// Whether a reservation for `client` is this client's.
    pub(crate) fn matches(&self, client: &[u8]) -> bool {
        self.iter().any(|key| key.as_slice() == client)
    }
}
