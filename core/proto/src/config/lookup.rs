//! From an address, or a port and its VLAN tags, to what is configured there.

use super::own::Own;
use super::places::{PlaceLine, Places};
use super::vlan::ByTags;
use super::{Gate, Link, LinkAddress, Network, NetworkKey, ProbeBy, Regroup, Spec, Subnet, Vlans};
use crate::address::{Directory, Space};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Position of a network in [`super::Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkIndex(pub u32);

/// Position of a subnet in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubnetIndex(pub u32);

/// Position of a link in [`super::Config`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkIndex(pub u32);

/// Network and subnet of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The network.
    pub network: NetworkIndex,
    /// Its subnet.
    pub subnet: SubnetIndex,
}

#[derive(Debug)]
pub(super) struct Range {
    pub(super) space: Space,
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) place: Place,
}

/// What the file says, indexed; [`super::Config`] leads to it.
#[derive(Debug)]
pub struct Indexed {
    links: Vec<Link>,
    by_tags: ByTags,
    /// The space of the first link of each port.
    spaces: Vec<Space>,
    /// The network of each link's own addresses.
    places: Vec<Option<Place>>,
    service_addresses: Vec<(Space, Ipv4Addr)>,
    own: Own,
    /// Those of the file, and behind them those that are gone and may have bindings.
    pub(super) networks: Vec<Network>,
    /// How many are of the file.
    pub(super) live: usize,
    /// Keys are interned from 0 on.
    by_key: Vec<Option<NetworkIndex>>,
    gates: Vec<Gate>,
    by_addr: Places,
    /// Subnets of all networks, sorted by space and first address.
    pub(super) ranges: Vec<Range>,
    has_probes: bool,
    pub(super) regroup: Arc<Regroup>,
}

impl Indexed {
    /// Indexes `spec`, beside networks that are known by their keys alone.
    pub(super) fn new(spec: Spec, directory: &Directory, departed: Vec<Network>) -> Self {
        let own = Own::new(&spec);
        let networks = spec.networks.into_iter();
        let mut networks: Vec<_> = networks.map(|n| Network::new(n, directory)).collect();
        let live = networks.len();
        networks.extend(departed);
        let mut ranges: Vec<_> = (0u32..).zip(&networks).flat_map(ranges_of).collect();
        ranges.sort_by_key(|r| (r.space.0, r.first));
        let keys = networks
            .iter()
            .map(|n| n.key.0 as usize + 1)
            .max()
            .unwrap_or(0);
        let mut by_key = alloc::vec![None; keys];
        for (index, network) in (0u32..).zip(&networks) {
            if let Some(room) = by_key.get_mut(network.key.0 as usize) {
                *room = Some(NetworkIndex(index));
            }
        }
        let (by_tags, _) = ByTags::new(&spec.links);
        let mut subnets = networks.iter().flat_map(|n| &n.subnets);
        let has_probes = subnets.any(|subnet| subnet.probe.by != ProbeBy::Off);
        let mut spaces: Vec<Space> = Vec::new();
        for link in spec.links.iter().rev() {
            let ports = spaces.len().max(usize::from(link.port) + 1);
            spaces.resize(ports, link.space);
            if let Some(space) = spaces.get_mut(usize::from(link.port)) {
                *space = link.space;
            }
        }
        let mut indexed = Self {
            spaces,
            gates: networks.iter().map(Gate::new).collect(),
            by_addr: Places::new(&ranges),
            places: Vec::new(),
            links: spec.links,
            by_tags,
            service_addresses: spec.service_addresses,
            own,
            networks,
            live,
            by_key,
            ranges,
            has_probes,
            regroup: Arc::default(),
        };
        let places = indexed.links.iter().map(|link| indexed.place_on(link));
        indexed.places = places.collect();
        indexed
    }

    /// The network and subnet that one of our addresses on the link is in.
    fn place_on(&self, link: &Link) -> Option<Place> {
        let mut addresses = link.addresses.iter();
        addresses.find_map(|own| self.place_of(link.space, own.addr))
    }

    /// The network and subnet of those who are on the link itself.
    #[must_use]
    pub fn place_of_link(&self, link: LinkIndex) -> Option<Place> {
        self.places.get(link.0 as usize).copied().flatten()
    }

    /// The gate of a network.
    #[must_use]
    pub fn gate(&self, index: NetworkIndex) -> Option<&Gate> {
        self.gates.get(index.0 as usize)
    }

    /// Whether addresses of any subnet are probed before they are offered.
    #[inline]
    #[must_use]
    pub fn has_probes(&self) -> bool {
        self.has_probes
    }

    /// The networks, in the order of the file.
    #[must_use]
    pub fn networks(&self) -> &[Network] {
        self.networks.get(..self.live).unwrap_or(&[])
    }

    /// All keys are below this number.
    #[must_use]
    pub fn keys(&self) -> u32 {
        u32::try_from(self.by_key.len()).unwrap_or(u32::MAX)
    }

    /// A network.
    #[must_use]
    pub fn network(&self, index: NetworkIndex) -> Option<&Network> {
        self.networks.get(index.0 as usize)
    }

    /// The network of a key; also one that is gone, which has no subnets.
    #[must_use]
    pub fn network_by_key(&self, key: NetworkKey) -> Option<&Network> {
        let index = self.by_key.get(key.0 as usize).copied().flatten()?;
        self.network(index)
    }

    /// A network and its subnet.
    #[must_use]
    pub fn subnet(&self, place: Place) -> Option<(&Network, &Subnet)> {
        let network = self.network(place.network)?;
        Some((network, network.subnets.get(place.subnet.0 as usize)?))
    }

    /// The subnet that `addr` lies in.
    #[must_use]
    pub fn place_of(&self, space: Space, addr: Ipv4Addr) -> Option<Place> {
        self.by_addr.find(self.by_addr.line(space, addr)?, addr)
    }

    /// Where [`Self::place_of`] looks for `addr`, and the cache line that is to be fetched ahead.
    #[must_use]
    pub fn line_of(
        &self,
        space: Space,
        addr: Ipv4Addr,
    ) -> Option<(PlaceLine, &(impl Sized + use<>))> {
        let line = self.by_addr.line(space, addr)?;
        Some((line, self.by_addr.at(line)?))
    }

    /// The subnet that `addr` lies in, which [`Self::line_of`] has been asked of.
    #[must_use]
    pub fn place_on_line(&self, line: PlaceLine, addr: Ipv4Addr) -> Option<Place> {
        self.by_addr.find(line, addr)
    }

    /// The link of a port and VLAN tags, 0 where there is none.
    #[must_use]
    pub fn link_of(&self, port: u8, vids: (u16, u16)) -> Option<LinkIndex> {
        self.by_tags.find(port, vids)
    }

    /// The address space of most of what a port receives: of its first link.
    #[must_use]
    pub fn space_of(&self, port: u8) -> Option<Space> {
        self.spaces.get(usize::from(port)).copied()
    }

    /// A link.
    #[must_use]
    pub fn link(&self, index: LinkIndex) -> Option<&Link> {
        self.links.get(index.0 as usize)
    }

    /// The links, in the order of the file.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether `addr` is one of the appliance's own addresses in `space`, on whatever link or on
    /// none.
    #[must_use]
    pub fn is_ours(&self, space: Space, addr: Ipv4Addr) -> bool {
        self.own.has(space, addr)
    }

    /// The service addresses, in the order of the file.
    #[must_use]
    pub fn service_addresses(&self) -> &[(Space, Ipv4Addr)] {
        &self.service_addresses
    }

    /// Whether `addr` is a service address in `space`.
    #[must_use]
    pub fn is_service(&self, space: Space, addr: Ipv4Addr) -> bool {
        self.service_addresses.contains(&(space, addr))
    }

    /// The service addresses that stations on `link` look for on the link itself, because they lie
    /// in a prefix of it.
    pub fn services_on(&self, link: &Link) -> impl Iterator<Item = Ipv4Addr> {
        let all = self.service_addresses.iter().copied();
        all.filter_map(|(space, addr)| {
            (space == link.space && link.is_attached(addr)).then_some(addr)
        })
    }
}

impl Link {
    /// The link of a port and its VLANs, with what holds where nothing else is configured.
    #[must_use]
    pub fn new(port: u8, vlans: impl Into<Vlans>, addresses: Vec<LinkAddress>) -> Self {
        Self {
            port,
            vlans: vlans.into(),
            space: Space(0),
            addresses,
            mtu: 1500,
            trust_option82: false,
            subnet_selection: false,
        }
    }

    /// Whether `addr` is ours on this link.
    #[must_use]
    pub fn has(&self, addr: Ipv4Addr) -> bool {
        self.addresses.iter().any(|a| a.addr == addr)
    }

    /// Whether `addr` lies in a prefix of this link.
    #[must_use]
    pub fn is_attached(&self, addr: Ipv4Addr) -> bool {
        self.addresses.iter().any(|a| a.prefix.contains(addr))
    }

    /// Our address among the link's that lies in the prefix of `addr`.
    #[must_use]
    pub fn address_beside(&self, addr: Ipv4Addr) -> Option<LinkAddress> {
        self.addresses
            .iter()
            .copied()
            .find(|a| a.prefix.contains(addr))
    }
}

fn ranges_of((index, network): (u32, &Network)) -> Vec<Range> {
    let subnets = (0u32..).zip(&network.subnets);
    let range = |(at, subnet): (u32, &Subnet)| Range {
        space: network.space,
        first: subnet.prefix.first().to_bits(),
        last: subnet.prefix.last().to_bits(),
        place: Place {
            network: NetworkIndex(index),
            subnet: SubnetIndex(at),
        },
    };
    subnets.map(range).collect()
}
