//! What is refused first when there is more work than can be done.

use super::admit::waited;
use super::query::{Client, Path, Query};
use super::turn::keys_of;
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network};
use crate::shard::Shard;
use crate::time::remaining;
use dhcp_wire::dhcp::MessageType;

/// Seconds of a renewing client's lease below which it is more urgent, and again.
const LEFT: [u32; 3] = [3600, 600, 60];

/// What a message is worth: of two the greater one is answered.
///
/// | rank | message |
/// | --- | --- |
/// | 0 to 2 | DISCOVER (and INFORM) of a client that waits since 0, 4, 16 s by its `secs` |
/// | 3 | DISCOVER of a client that has a lease, a remembered address or a reservation here |
/// | 4 | REQUEST of an offer, or after a reboot; RELEASE and DECLINE |
/// | 5 to 8 | renewal, less urgent while more than 1 h, 10 min, 1 min of the lease is left |
/// | 9 | renewal by broadcast or through a relay (REBINDING): nobody else has answered |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u8);

impl Rank {
    /// Every rank, the least first.
    pub const ALL: [Self; 10] = [
        Self(0),
        Self(1),
        Self(2),
        Self::KNOWN,
        Self::REQUEST,
        Self::RENEWING,
        Self(6),
        Self(7),
        Self(8),
        Self::REBINDING,
    ];
    const KNOWN: Self = Self(3);
    /// REQUEST of a client that has no lease yet.
    pub const REQUEST: Self = Self(4);
    const RENEWING: Self = Self(5);
    /// The greatest: nobody else has answered the client.
    pub const REBINDING: Self = Self(9);

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether it is of a message that needs no place on the disk.
    #[must_use]
    pub fn is_discover(self) -> bool {
        self <= Self::KNOWN
    }

    /// Whether it is of a client that extends its lease.
    #[must_use]
    pub fn is_renewal(self) -> bool {
        self >= Self::RENEWING
    }
}

/// What the message itself says of its rank.
#[must_use]
pub fn glance(query: &Query<'_>) -> Rank {
    match query.kind {
        MessageType::Discover | MessageType::Inform => match waited(&query.message) {
            0..4 => Rank(0),
            4..16 => Rank(1),
            16.. => Rank(2),
        },
        MessageType::Request if query.ciaddr().is_none() => Rank::REQUEST,
        // A relay passes on what was broadcast to it.
        MessageType::Request if query.unicast && query.path != Path::Relayed => Rank::RENEWING,
        MessageType::Request => Rank::REBINDING,
        MessageType::Offer
        | MessageType::Decline
        | MessageType::Ack
        | MessageType::Nak
        | MessageType::Release
        | MessageType::ForceRenew
        | MessageType::LeaseQuery
        | MessageType::LeaseUnassigned
        | MessageType::LeaseUnknown
        | MessageType::LeaseActive => Rank::REQUEST,
    }
}

/// The rank of a message, as the shard that owns its client knows it at second `now`. Who only
/// says that it renews a lease ranks no higher than one that asks for an address.
#[must_use]
pub fn rank(query: &Query<'_>, config: &Config, shard: &Shard, now: u32) -> Rank {
    let rank = glance(query);
    let Some(network) = config.network(query.network) else {
        return rank;
    };
    let slot = slot_of(query, config, shard, network);
    if rank.is_renewal() {
        let Some(left) = slot.and_then(|slot| left(query, shard, slot, now)) else {
            return Rank::REQUEST;
        };
        let urgency = LEFT.iter().filter(|bound| left < **bound).count();
        let renewing = Rank::RENEWING.0 + u8::try_from(urgency).unwrap_or(0);
        return rank.max(Rank(renewing));
    }
    let known = query.kind == MessageType::Discover
        && (slot.is_some_and(|slot| is_known(shard, slot)) || is_reserved(query, config, network));
    if known { Rank::KNOWN } else { rank }
}

fn slot_of(
    query: &Query<'_>,
    config: &Config,
    shard: &Shard,
    network: &Network,
) -> Option<SlotIndex> {
    match &query.client {
        Client::Known(identity, hash) => shard.find(*hash, network.key, identity.as_slice()),
        Client::HolderOf(addr) => shard.holder(config, network.space, *addr),
        Client::Anyone => None,
    }
}

/// The seconds left of the lease that the client wants to extend.
fn left(query: &Query<'_>, shard: &Shard, slot: SlotIndex, now: u32) -> Option<u32> {
    let binding = shard.bindings().slot(slot)?;
    let own = binding.state == BindingState::Active && query.ciaddr() == shard.addr(slot);
    own.then(|| remaining(now, binding.until()))
}

/// Whether the client has, or had, an address of its own.
fn is_known(shard: &Shard, slot: SlotIndex) -> bool {
    match shard.state(slot) {
        Some(BindingState::Active | BindingState::Expired | BindingState::Released) => true,
        Some(BindingState::Offered) => shard.is_returning(slot),
        Some(BindingState::Available | BindingState::Abandoned) | None => false,
    }
}

fn is_reserved(query: &Query<'_>, config: &Config, network: &Network) -> bool {
    let keys = keys_of(query, config.reserved_kinds(network));
    let mut keys = keys.iter();
    keys.any(|key| config.reservation_for(network, key.as_slice()).is_some())
}
