//! One message, decided.

use super::plan::Outcome;
use super::query::{Client, Query, client_identity, hardware_identity};
use super::silence::Silence;
use crate::binding::SlotIndex;
use crate::circuit;
use crate::config::{Config, Kinds, Link, Network, Subnet};
use crate::group::Fenced;
use crate::identity::Kind;
use crate::record::Journal;
use crate::shard::{ClientInfo, Keys, Shard, Wanted};
use crate::time::Instant;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::SubOptions;
use dhcp_wire::dhcp::{MessageType, code};

/// Decides what to answer to `query` at `now`, and changes `shard` and `journal` accordingly.
///
/// Nothing is changed before the journal has room for all that it could have to say.
pub fn decide(
    query: &Query<'_>,
    now: Instant,
    config: &Config,
    shard: &mut Shard,
    journal: &mut impl Journal,
) -> Outcome {
    with_turn(query, (now, config), shard, journal, |turn| {
        match query.kind {
            MessageType::Discover => turn.on_discover(),
            MessageType::Request => turn.on_request(),
            MessageType::Decline => turn.on_decline(),
            MessageType::Release => turn.on_release(),
            MessageType::Inform => turn.on_inform(),
            MessageType::Offer
            | MessageType::Ack
            | MessageType::Nak
            | MessageType::ForceRenew
            | MessageType::LeaseQuery
            | MessageType::LeaseUnassigned
            | MessageType::LeaseUnknown
            | MessageType::LeaseActive => Silence::MessageType.into(),
        }
    })
}

/// Gathers what deciding about `query` looks at, and decides.
#[inline]
pub(super) fn with_turn<J: Journal>(
    query: &Query<'_>,
    (now, config): (Instant, &Config),
    shard: &mut Shard,
    journal: &mut J,
    decide: impl FnOnce(&mut Turn<'_, J>) -> Outcome,
) -> Outcome {
    let Some(network) = config.network(query.network) else {
        return Silence::NoNetwork.into();
    };
    let Some(link) = config.link(query.link) else {
        return Silence::NoLink.into();
    };
    let Some(subnet) = network.subnets.get(query.subnet.0 as usize) else {
        return Silence::NoNetwork.into();
    };
    shard.gather(config, network, &query.client);
    let keys = keys_of(query, config.reserved_kinds(network));
    let now = now.secs();
    let fenced = journal.fenced();
    decide(&mut Turn {
        query,
        now,
        config,
        network,
        link,
        subnet,
        keys: &keys,
        fenced: fenced.as_ref(),
        shard,
        journal,
    })
}

/// What a reservation may know the client by; nothing where nothing is reserved.
pub(super) fn keys_of(query: &Query<'_>, kinds: Kinds) -> Keys {
    if kinds.is_empty() {
        return Keys::default();
    }
    let client_id = kinds
        .has(Kind::ClientId)
        .then(|| client_identity(&query.options))
        .flatten();
    let hardware = kinds
        .has(Kind::Chaddr)
        .then(|| hardware_identity(&query.message))
        .flatten();
    let station = (client_id, hardware);
    if Keys::want_agent_info(kinds)
        && let Some(info) = query.agent_info()
    {
        let giaddr = query.message.giaddr();
        let with =
            |info: SubOptions<'_>| Some(Keys::new(kinds, station).with_agent_info(giaddr, &info));
        if let Some(keys) = info.read(with) {
            return keys;
        }
    }
    Keys::new(kinds, station)
}

/// One message and all that deciding it looks at.
pub(super) struct Turn<'t, J> {
    pub(super) query: &'t Query<'t>,
    pub(super) now: u32,
    pub(super) config: &'t Config,
    pub(super) network: &'t Network,
    pub(super) link: &'t Link,
    pub(super) subnet: &'t Subnet,
    pub(super) keys: &'t Keys,
    pub(super) fenced: Option<&'t Fenced>,
    pub(super) shard: &'t mut Shard,
    pub(super) journal: &'t mut J,
}

impl<'t, J: Journal> Turn<'t, J> {
    /// The client, if the message itself says who it is.
    pub(super) fn client(&self) -> Option<ClientInfo<'t>> {
        match &self.query.client {
            Client::Known(identity, hash) => Some(self.info(identity.as_slice(), *hash)),
            Client::HolderOf(_) | Client::Anyone => None,
        }
    }

    fn info(&self, identity: &'t [u8], hash: u64) -> ClientInfo<'t> {
        ClientInfo {
            network: self.network,
            identity,
            hash,
            htype: self.query.message.htype(),
            chaddr: self.query.message.chaddr(),
        }
    }

    /// The client's binding here.
    pub(super) fn binding(&self) -> Option<SlotIndex> {
        match &self.query.client {
            Client::Known(identity, hash) => {
                self.shard
                    .find(*hash, self.network.key, identity.as_slice())
            }
            // C157: a renewal without its circuit is its holder's, if the hardware agrees.
            Client::HolderOf(addr) => {
                let slot = self.shard.holder(self.config, self.network.space, *addr)?;
                let same = self.shard.bindings.chaddr(slot) == self.query.message.chaddr();
                (same && self.has_its_client_id(slot)).then_some(slot)
            }
            Client::Anyone => None,
        }
    }

    /// Whether a client that is known by option 61 on each circuit says the one of `slot` (C153).
    fn has_its_client_id(&self, slot: SlotIndex) -> bool {
        let identity = self.shard.bindings.identity(slot);
        let Some([kind, id @ ..]) = circuit::client_of(identity) else {
            return true;
        };
        let said = self.query.options.get(code::CLIENT_ID);
        *kind != Kind::ClientId as u8 || said.is_some_and(|said| said == *id)
    }

    /// The address kept for the client: by client-id, else by hardware address, else by circuit,
    /// else by remote-id.
    pub(super) fn reservation(&self) -> Option<Ipv4Addr> {
        self.keys
            .iter()
            .find_map(|key| self.config.reservation_for(self.network, key.as_slice()))
    }

    /// What an address for this client goes by.
    pub(super) fn wanted(&self, client: ClientInfo<'t>) -> Wanted<'t> {
        Wanted {
            config: self.config,
            client,
            subnet: self.query.subnet,
            keys: self.keys,
            reservation: self.reservation().filter(|kept| self.serves(*kept)),
            fenced: self.fenced,
            requested: self.query.requested_addr(),
            now: self.now,
        }
    }

    /// Whether `addr` is this appliance's to decide about; so is what is in no network.
    pub(super) fn serves(&self, addr: Ipv4Addr) -> bool {
        let space = self.network.space;
        let lost = self.fenced.filter(|fenced| fenced.contains(space.0, addr));
        lost.is_none_or(|_| self.config.place_of(space, addr).is_none())
    }
}
