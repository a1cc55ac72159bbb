//! One decision, in one cache line.

use std::net::Ipv4Addr;

use dhcp_proto::binding::BindingState;
use dhcp_proto::config::{Config, NetworkKey};
use dhcp_proto::identity::HashKey;
use dhcp_proto::rule::Rule;
use dhcp_proto::server::{Client, Path, Plan, Query, ReplyKind, Silence};
use dhcp_proto::shard::BindingView;
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::{Message, MessageType, Options, code};

use crate::dataplane::counters::DropReason;
use crate::dataplane::exchange::Refusal;

/// What a client says, REQUESTs by the state that it is in (RFC 2131 §4.3.6, table 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Said {
    /// Nothing: an operator did.
    Nothing,
    /// DHCPDISCOVER
    Discover,
    /// DHCPREQUEST that takes an offer.
    Selecting,
    /// DHCPREQUEST for the address that the client had before.
    Rebooting,
    /// DHCPREQUEST by unicast, to go on with a lease.
    Renewing,
    /// DHCPREQUEST by broadcast, to go on with a lease.
    Rebinding,
    /// DHCPDECLINE
    Decline,
    /// DHCPRELEASE
    Release,
    /// DHCPINFORM
    Inform,
    /// What a server does not answer.
    Other,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// DHCPOFFER
    Offer(Rule),
    /// DHCPACK
    Ack(Rule),
    /// DHCPNAK
    Nak(Rule),
    /// The address that the rule has chosen is probed, and the message waits.
    Probe(Rule),
    /// A station answered the probe: the address is set aside.
    Busy,
    /// No answer.
    Silence(Silence),
    /// The packet was dropped before or behind the server's decision.
    Dropped(DropReason),
    /// An operator ended the lease.
    Ended,
}

/// What became of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It was given to the device or to its next hop, or there is none.
    Done,
    /// It waits for its record to be durable.
    Waits,
    /// It left when its record was durable.
    Durable,
    /// It was dropped.
    Dropped(DropReason),
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// Hash of the client's identity; 0 if it has none.
    pub client: u64,
    /// The sixteen octets of the field.
    pub chaddr: [u8; 16],
    /// Transaction.
    pub xid: u32,
    /// Relay; unspecified if none.
    pub giaddr: Ipv4Addr,
    /// The address given, or in question; unspecified if none.
    pub addr: Ipv4Addr,
    /// Lease time told, seconds; 0 if none.
    pub lease: u32,
    /// Key of the network; [`Entry::NO_NETWORK`] if none.
    pub network: u32,
    /// Outer VLAN, 0 if untagged.
    pub outer_vid: u16,
    /// Inner VLAN, 0 if there is none.
    pub inner_vid: u16,
    /// Milliseconds that the reply waited for the disk.
    pub waited: u16,
    /// Number of the port.
    pub port: u8,
    /// What the client said.
    pub said: Said,
    /// Octets of the hardware address.
    pub hlen: u8,
    /// What was decided.
    pub what: What,
    /// What became of the reply.
    pub fate: Fate,
}

const _: () = assert!(size_of::<Entry>() == 64, "an entry is one cache line");

impl Entry {
    /// In place of a network's key.
    pub const NO_NETWORK: u32 = u32::MAX;

    /// What a place holds before it is used.
    pub const EMPTY: Self = Self {
        at: Instant(0),
        client: 0,
        chaddr: [0; 16],
        xid: 0,
        giaddr: Ipv4Addr::UNSPECIFIED,
        addr: Ipv4Addr::UNSPECIFIED,
        lease: 0,
        network: Self::NO_NETWORK,
        outer_vid: 0,
        inner_vid: 0,
        waited: 0,
        port: 0,
        said: Said::Nothing,
        hlen: 0,
        what: What::Ended,
        fate: Fate::Done,
    };

    /// A decision about `query` that gives no address.
    #[inline]
    #[must_use]
    pub fn of(query: &Query<'_>, (what, now): (What, Instant), config: &Config) -> Self {
        let unicast = query.unicast && query.path != Path::Relayed;
        let unicast = unicast || query.directions.unicast == Some(true);
        let said = Said::of(query.kind, &query.message, &query.options, unicast);
        let origin = query.arrival.origin;
        Self {
            at: now,
            client: match &query.client {
                Client::Known(_, hash) => *hash,
                Client::HolderOf(_) | Client::Anyone => 0,
            },
            addr: said.addr(&query.message, &query.options),
            network: config
                .network(query.network)
                .map_or(Self::NO_NETWORK, |network| network.key.0),
            outer_vid: origin.outer_vid,
            inner_vid: origin.inner_vid,
            port: origin.port,
            said,
            what,
            ..Self::from(&query.message)
        }
    }

    /// The decision to answer `query` as `plan` says.
    #[inline]
    #[must_use]
    pub fn of_plan(query: &Query<'_>, plan: &Plan, now: Instant, config: &Config) -> Self {
        let what = match plan.kind {
            ReplyKind::Offer => What::Offer(plan.rule),
            ReplyKind::Ack => What::Ack(plan.rule),
            ReplyKind::Nak => What::Nak(plan.rule),
        };
        let entry = Self::of(query, (what, now), config);
        if plan.yiaddr.is_unspecified() {
            return entry;
        }
        Self {
            addr: plan.yiaddr,
            lease: plan.lease.unwrap_or(0),
            ..entry
        }
    }

    /// The refusal of a message before its network and client were known.
    #[must_use]
    pub fn of_refusal(refusal: &Refusal<'_>, now: Instant) -> Option<Self> {
        let message = Message::parse_request(refusal.payload).ok()?;
        let options = message.options().ok()?;
        let kind = options.message_type();
        let said = kind.map_or(Said::Other, |kind| {
            Said::of(kind, &message, &options, refusal.unicast)
        });
        Some(Self {
            at: now,
            addr: said.addr(&message, &options),
            outer_vid: refusal.origin.outer_vid,
            inner_vid: refusal.origin.inner_vid,
            port: refusal.origin.port,
            said,
            what: refusal.why,
            ..Self::from(&message)
        })
    }

    /// The end of a lease that an operator ordered.
    #[must_use]
    pub fn of_end(view: &BindingView, network: NetworkKey, now: Instant, key: &HashKey) -> Self {
        // Of an address that was declined it is who declined it.
        let identity = if view.state == BindingState::Abandoned {
            view.agent_info()
        } else {
            view.identity()
        };
        let named = !identity.is_empty();
        let mut chaddr = [0; 16];
        let octets = view.chaddr();
        if let Some(room) = chaddr.get_mut(..octets.len()) {
            room.copy_from_slice(octets);
        }
        Self {
            at: now,
            client: if named { key.hash(identity) } else { 0 },
            chaddr,
            hlen: u8::try_from(octets.len()).unwrap_or(0),
            giaddr: view.giaddr,
            addr: view.addr,
            network: network.0,
            outer_vid: view.origin.outer_vid,
            inner_vid: view.origin.inner_vid,
            port: view.origin.port,
            ..Self::EMPTY
        }
    }

    /// The hardware address.
    #[must_use]
    pub fn chaddr(&self) -> &[u8] {
        self.chaddr.get(..self.hlen.into()).unwrap_or_default()
    }

    #[inline]
    pub(super) fn settle(&mut self, fate: Fate, now: Instant) {
        self.fate = fate;
        let waited = now.0.saturating_sub(self.at.0);
        self.waited = u16::try_from(waited).unwrap_or(u16::MAX);
    }
}

impl From<&Message<'_>> for Entry {
    /// What the fixed part of a message says.
    #[inline]
    fn from(message: &Message<'_>) -> Self {
        Self {
            chaddr: *message.chaddr_field(),
            hlen: message.hlen(),
            xid: message.xid(),
            giaddr: message.giaddr(),
            ..Self::EMPTY
        }
    }
}

impl Said {
    #[inline]
    fn of(kind: MessageType, message: &Message<'_>, options: &Options<'_>, unicast: bool) -> Self {
        match kind {
            MessageType::Discover => Self::Discover,
            MessageType::Request if !message.ciaddr().is_unspecified() => {
                if unicast {
                    Self::Renewing
                } else {
                    Self::Rebinding
                }
            }
            MessageType::Request if options.addr(code::SERVER_ID).is_some() => Self::Selecting,
            MessageType::Request => Self::Rebooting,
            MessageType::Decline => Self::Decline,
            MessageType::Release => Self::Release,
            MessageType::Inform => Self::Inform,
            MessageType::Offer
            | MessageType::Ack
            | MessageType::Nak
            | MessageType::ForceRenew
            | MessageType::LeaseQuery
            | MessageType::LeaseUnassigned
            | MessageType::LeaseUnknown
            | MessageType::LeaseActive => Self::Other,
        }
    }

    /// The address that the message is about.
    #[inline]
    fn addr(self, message: &Message<'_>, options: &Options<'_>) -> Ipv4Addr {
        match self {
            Self::Discover | Self::Selecting | Self::Rebooting | Self::Decline => {
                let requested = options.addr(code::REQUESTED_ADDRESS);
                requested.unwrap_or(Ipv4Addr::UNSPECIFIED)
            }
            Self::Renewing | Self::Rebinding | Self::Release | Self::Inform => message.ciaddr(),
            Self::Nothing | Self::Other => Ipv4Addr::UNSPECIFIED,
        }
    }

    /// The message.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Discover => "discover",
            Self::Selecting | Self::Rebooting | Self::Renewing | Self::Rebinding => "request",
            Self::Decline => "decline",
            Self::Release => "release",
            Self::Inform => "inform",
            Self::Other => "other",
        }
    }

    /// The state of a client that sends a REQUEST, in the words of RFC 2131 §4.4.
    #[must_use]
    pub const fn state(self) -> Option<&'static str> {
        match self {
            Self::Selecting => Some("selecting"),
            Self::Rebooting => Some("init-reboot"),
            Self::Renewing => Some("renewing"),
            Self::Rebinding => Some("rebinding"),
            Self::Nothing
            | Self::Discover
            | Self::Decline
            | Self::Release
            | Self::Inform
            | Self::Other => None,
        }
    }
}
