//! Option 82 of a message, where it may decide anything: RFC 3046 and what has come to it.

use super::query::Query;
use crate::circuit;
use crate::identity::Identity;
use crate::record::MAX_AGENT_INFO;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::{self, SubOptions};
use dhcp_wire::dhcp::{Options, Value, code};

/// The value of an option 82 that is trusted.
#[derive(Debug, Clone, Copy)]
pub struct AgentInfo<'a>(Value<'a>);

impl<'a> AgentInfo<'a> {
    /// Option 82 of a message, unless it is hearsay (C160).
    #[must_use]
    pub fn of(options: &Options<'a>, trusted: bool) -> Option<Self> {
        let value = trusted.then(|| options.get(code::AGENT_INFO))?;
        value.map(Self)
    }

    /// What `then` makes of its octets; `None` if several instances make more than a binding
    /// stores.
    #[inline]
    pub fn octets<T>(&self, then: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match self.0.contiguous() {
            Some(octets) => Some(then(octets)),
            None => self.joined(then),
        }
    }

    /// What `then` makes of its sub-options; `None` too if several instances make more than a
    /// binding stores.
    #[inline]
    pub fn read<T>(&self, then: impl FnOnce(SubOptions<'_>) -> Option<T>) -> Option<T> {
        self.octets(|octets| then(SubOptions::new(octets)))
            .flatten()
    }

    /// RFC 3396 §5: it may be split anywhere.
    #[cold]
    fn joined<T>(&self, then: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut room = [0; MAX_AGENT_INFO];
        let len = self.0.copy_to(&mut room)?;
        room.get(..len).map(then)
    }
}

/// What a relay directs about the answer to its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Directions {
    /// An address of the link that the client is on, RFC 3527.
    pub link: Option<Ipv4Addr>,
    /// What the client is to take for its server: option 54, RFC 5107.
    pub server_id: Option<Ipv4Addr>,
    /// Whether the client sent to the relay by unicast, RFC 5010; `None` if the relay does not say.
    pub unicast: Option<bool>,
    /// The answer goes to the port that the relay sent from, RFC 8357.
    pub source_port: bool,
}

/// RFC 5010 §3: the client sent by unicast; the other bits mean nothing yet.
const UNICAST: u8 = 0x80;

impl Directions {
    /// The directions in `info`. The first instance of a sub-option counts (C176), and one that
    /// cannot be meant says nothing.
    #[must_use]
    pub fn of(info: &SubOptions<'_>) -> Self {
        let unicast = match info.first(agent::FLAGS) {
            Some([flags]) => Some(flags & UNICAST != 0),
            Some(_) | None => None,
        };
        Self {
            link: address(info, agent::LINK_SELECTION),
            server_id: server_id_override(info),
            unicast,
            source_port: info.first(agent::RELAY_SOURCE_PORT).is_some(),
        }
    }
}

/// A sub-option of one address.
fn address(info: &SubOptions<'_>, code: u8) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = info.first(code)?.try_into().ok()?;
    Some(octets.into())
}

/// The server identifier override, RFC 5107 §4, if it is an address that a client can send to.
pub(super) fn server_id_override(info: &SubOptions<'_>) -> Option<Ipv4Addr> {
    let addr = address(info, agent::SERVER_ID_OVERRIDE)?;
    let usable = !addr.is_unspecified() && !addr.is_broadcast() && !addr.is_multicast();
    usable.then_some(addr)
}

impl<'a> Query<'a> {
    /// Its option 82, if that may decide anything.
    #[must_use]
    pub fn agent_info(&self) -> Option<AgentInfo<'a>> {
        AgentInfo::of(&self.options, self.trusted)
    }

    /// The circuit it came by, as what is kept by circuit is keyed (C175).
    #[must_use]
    pub fn circuit(&self) -> Option<Identity> {
        let giaddr = self.message.giaddr();
        self.agent_info()?
            .read(|info| circuit::circuit(giaddr, &info))
    }
}
