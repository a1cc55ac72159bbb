//! The columns of a file, and what stands in each.

use std::fmt::{self, Write as _};

use dhcp_proto::identity::Kind;
use dhcp_proto::record::Record;

use super::parse::number;
use super::row;
use crate::control::State;
use crate::words::{Colons, Hex, Utc};

/// A column, by the place in which it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Address,
    Space,
    Kind,
    State,
    IdentityType,
    Identity,
    HwType,
    HwAddress,
    Since,
    SinceUtc,
    Expires,
    ExpiresUtc,
    LeaseTime,
    Generation,
    Relay,
    Port,
    OuterVlan,
    InnerVlan,
    AgentInfo,
}

impl Column {
    /// All, as they are written.
    pub(super) const ALL: [Self; 19] = [
        Self::Address,
        Self::Space,
        Self::Kind,
        Self::State,
        Self::IdentityType,
        Self::Identity,
        Self::HwType,
        Self::HwAddress,
        Self::Since,
        Self::SinceUtc,
        Self::Expires,
        Self::ExpiresUtc,
        Self::LeaseTime,
        Self::Generation,
        Self::Relay,
        Self::Port,
        Self::OuterVlan,
        Self::InnerVlan,
        Self::AgentInfo,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Space => "space",
            Self::Kind => "kind",
            Self::State => "state",
            Self::IdentityType => "identity_type",
            Self::Identity => "identity",
            Self::HwType => "hw_type",
            Self::HwAddress => "hw_address",
            Self::Since => "since",
            Self::SinceUtc => "since_utc",
            Self::Expires => "expires",
            Self::ExpiresUtc => "expires_utc",
            Self::LeaseTime => "lease_time",
            Self::Generation => "generation",
            Self::Relay => "relay",
            Self::Port => "port",
            Self::OuterVlan => "outer_vlan",
            Self::InnerVlan => "inner_vlan",
            Self::AgentInfo => "agent_info",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }

    /// Whether its values are numbers.
    pub(super) const fn is_number(self) -> bool {
        match self {
            Self::Space
            | Self::HwType
            | Self::Since
            | Self::Expires
            | Self::LeaseTime
            | Self::Generation
            | Self::Port
            | Self::OuterVlan
            | Self::InnerVlan => true,
            Self::Address
            | Self::Kind
            | Self::State
            | Self::IdentityType
            | Self::Identity
            | Self::HwAddress
            | Self::SinceUtc
            | Self::ExpiresUtc
            | Self::Relay
            | Self::AgentInfo => false,
        }
    }

    /// Whether a file must have it. The others follow from these, or have a default.
    pub(super) const fn is_needed(self) -> bool {
        matches!(
            self,
            Self::Address
                | Self::Kind
                | Self::IdentityType
                | Self::Identity
                | Self::Since
                | Self::Expires
                | Self::LeaseTime
        )
    }

    /// Writes what `record` has here at `now`, Unix seconds; nothing where it has nothing. No
    /// value needs quotes or escapes in any format.
    pub(super) fn write(self, record: &Record<'_>, now: u64, out: &mut String) -> fmt::Result {
        let number = |out: &mut String, value: u64| write!(out, "{value}");
        match self {
            Self::Address => write!(out, "{}", record.addr),
            Self::Space => number(out, record.space.into()),
            Self::Kind => out.write_str(record.kind.name()),
            Self::State => {
                let state = row::state(record.kind, record.expiry, now);
                out.write_str(state.map_or("", State::as_str))
            }
            Self::IdentityType => match record.identity.first() {
                None => Ok(()),
                Some(octet) => match name_of_kind(*octet) {
                    Some(name) => out.write_str(name),
                    None => number(out, (*octet).into()),
                },
            },
            Self::Identity => {
                let octets = record.identity.get(1..).unwrap_or_default();
                write!(out, "{}", Colons(octets))
            }
            Self::HwType => number(out, record.htype.into()),
            Self::HwAddress => write!(out, "{}", Colons(record.chaddr)),
            Self::Since => number(out, record.time),
            Self::SinceUtc => write!(out, "{}", Utc(record.time)),
            Self::Expires | Self::ExpiresUtc if record.expiry == u64::MAX => Ok(()),
            Self::Expires => number(out, record.expiry),
            Self::ExpiresUtc => write!(out, "{}", Utc(record.expiry)),
            Self::LeaseTime => number(out, record.lease.into()),
            Self::Generation => number(out, record.generation),
            Self::Relay if record.giaddr.is_unspecified() => Ok(()),
            Self::Relay => write!(out, "{}", record.giaddr),
            Self::Port => number(out, record.origin.port.into()),
            Self::OuterVlan => number(out, record.origin.outer_vid.into()),
            Self::InnerVlan => number(out, record.origin.inner_vid.into()),
            Self::AgentInfo => write!(out, "{}", Hex(record.agent_info)),
        }
    }
}

/// The kinds of identity.
const KINDS: [(Kind, &str); 6] = [
    (Kind::ClientId, "client-id"),
    (Kind::Chaddr, "chaddr"),
    (Kind::Circuit, "circuit"),
    (Kind::CircuitClient, "circuit+client"),
    (Kind::RelayCircuit, "relay+circuit"),
    (Kind::RemoteId, "remote-id"),
];

fn name_of_kind(octet: u8) -> Option<&'static str> {
    let found = KINDS.iter().find(|(kind, _)| *kind as u8 == octet);
    found.map(|(_, name)| *name)
}

/// The kind octet of a name, or of a number that has no name.
pub(super) fn kind_of_name(name: &str) -> Option<u8> {
    let named = KINDS.iter().find(|(_, known)| *known == name);
    let numbered = || number(name).and_then(|number| number.try_into().ok());
    named.map(|(kind, _)| *kind as u8).or_else(numbered)
}
