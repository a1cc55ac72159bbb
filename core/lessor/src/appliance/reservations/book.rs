//! The reservations that were made at run time, as the store has them, and which of them hold
//! beside those of the file.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{Added, Addition, Config};
use dhcp_proto::record::{Cause, Origin, Record, RecordKind};

use crate::config::ClientText;

/// An address that an operator reserved while a server ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its space.
    pub space: Space,
    /// The address.
    pub addr: Ipv4Addr,
    /// The client, an identity with its kind octet.
    pub client: Box<[u8]>,
    /// Since when, Unix seconds.
    pub since: u64,
}

impl Kept {
    /// What the store is told of it at wall second `time`.
    #[must_use]
    pub fn record(&self, kind: RecordKind, time: u64) -> Record<'_> {
        Record {
            kind,
            cause: Cause::Unsaid,
            space: self.space.0,
            addr: self.addr,
            generation: 0,
            time,
            expiry: u64::MAX,
            lease: 0,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity: &self.client,
            htype: 0,
            chaddr: &[],
            agent_info: &[],
        }
    }
}

/// Why a reservation cannot be, or cannot go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody there could have it.
    #[error("{0} is in no subnet of space {n}", n = .1.0)]
    NoSubnet(Ipv4Addr, Space),
    /// The first or last address of its subnet.
    #[error("{0} is the network or broadcast address of its subnet")]
    Edge(Ipv4Addr),
    /// An address of the appliance.
    #[error("{0} is the appliance's own address")]
    Own(Ipv4Addr),
    /// The file has the address, for whomever.
    #[error("{0} is reserved in the configuration file, which wins")]
    FilesAddress(Ipv4Addr),
    /// The file has another address for the client.
    #[error("the configuration file reserves {0} for this client, and wins")]
    FilesClient(Ipv4Addr),
    /// The address is another client's, or this one's already.
    #[error("{0} is reserved already, for {1}")]
    Address(Ipv4Addr, String),
    /// The client has another address in this network.
    #[error("this client has the reservation of {0} in the same network already")]
    Client(Ipv4Addr),
    /// Only an editor of the file can do that.
    #[error("{0} is reserved in the configuration file: remove it there, and reload")]
    OfFile(Ipv4Addr),
}

/// A client for whoever reads a line.
pub(super) fn shown(client: &[u8]) -> String {
    ClientText::of(client).map_or_else(|| "another client".to_owned(), |text| text.to_string())
}

/// All of them, whether they hold or not.
#[derive(Debug, Default)]
pub struct Book(BTreeMap<(Space, Ipv4Addr), Kept>);

impl Book {
    /// Takes what the store says; its records come by rising number.
    pub fn note(&mut self, record: &Record<'_>) {
        let (space, addr) = (Space(record.space), record.addr);
        match record.kind {
            RecordKind::ReservationAdded => self.insert(Kept {
                space,
                addr,
                client: record.identity.into(),
                since: record.time,
            }),
            RecordKind::ReservationRemoved => {
                let gone = self
                    .at(space, addr)
                    .is_some_and(|k| *k.client == *record.identity);
                if gone {
                    self.remove(space, addr);
                }
            }
            RecordKind::Active
            | RecordKind::Released
            | RecordKind::Ended
            | RecordKind::Declined
            | RecordKind::SetAside
            | RecordKind::ProbationEnded
            | RecordKind::Time => {}
        }
    }

    /// Adds one.
    pub fn insert(&mut self, kept: Kept) {
        self.0.insert((kept.space, kept.addr), kept);
    }

    /// Takes one away.
    pub fn remove(&mut self, space: Space, addr: Ipv4Addr) -> Option<Kept> {
        self.0.remove(&(space, addr))
    }

    /// The one of an address.
    #[must_use]
    pub fn at(&self, space: Space, addr: Ipv4Addr) -> Option<&Kept> {
        self.0.get(&(space, addr))
    }

    /// Those behind an address, in order.
    pub fn behind(&self, after: Option<(Space, Ipv4Addr)>) -> impl Iterator<Item = &Kept> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.0.range((from, Unbounded)).map(|(_, kept)| kept)
    }

    /// Whether one more may be.
    ///
    /// # Errors
    ///
    /// Says what is against it.
    pub fn check(&self, config: &Config, new: &Kept) -> Result<Addition, Refusal> {
        if let Some(other) = self.at(new.space, new.addr) {
            return Err(Refusal::Address(new.addr, shown(&other.client)));
        }
        holds(config, config.added(), new)
    }

    /// `config` with all that hold beside its file, and those that do not, with what is against
    /// each. For a configuration that no worker has yet.
    #[must_use]
    pub fn apply(&self, config: &Config) -> (Config, Vec<(Kept, Refusal)>) {
        let (mut added, mut against) = (Added::default(), Vec::new());
        // Of two for one client in networks that have become one the older holds.
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|kept| kept.since);
        for kept in all {
            match holds(config, &added, kept) {
                Ok(addition) => added.insert(addition),
                Err(why) => against.push((kept.clone(), why)),
            }
        }
        let named = self
            .0
            .values()
            .filter(|kept| added.at(kept.space, kept.addr).is_some());
        let config = config.with(added.clone(), named.map(|kept| (kept.space, kept.addr)));
        for kept in self.0.values() {
            if let Some(addition) = added.at(kept.space, kept.addr) {
                config.close(addition);
            }
        }
        (config, against)
    }
}

/// Whether a reservation holds beside the file of `config` and those in `added`.
pub(super) fn holds(config: &Config, added: &Added, kept: &Kept) -> Result<Addition, Refusal> {
    let (space, addr) = (kept.space, kept.addr);
    let place = config.place_of(space, addr);
    let found = place.and_then(|place| config.subnet(place));
    let (network, subnet) = found.ok_or(Refusal::NoSubnet(addr, space))?;
    let edges = [subnet.prefix.first(), subnet.prefix.last()];
    if subnet.prefix.len() < 31 && edges.contains(&addr) {
        return Err(Refusal::Edge(addr));
    }
    if config.is_ours(space, addr) {
        return Err(Refusal::Own(addr));
    }
    if network.reserved(addr).is_some() {
        return Err(Refusal::FilesAddress(addr));
    }
    if let Some(other) = network.reservation_for(&kept.client) {
        return Err(Refusal::FilesClient(other));
    }
    if let Some(other) = added.addr_for(network.key, &kept.client) {
        return Err(Refusal::Client(other));
    }
    Ok(Addition {
        network: network.key,
        space,
        addr,
        client: kept.client.clone(),
    })
}
