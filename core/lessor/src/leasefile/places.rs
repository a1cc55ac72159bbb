//! What the configuration says about an address.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{Link, NetworkSpec, Spec};
use dhcp_proto::identity::{IdentityMode, Kind};

use super::row::Row;

/// The configured networks by address.
pub(super) struct Places<'s> {
    links: &'s [Link],
    services: &'s [(Space, Ipv4Addr)],
    networks: &'s [NetworkSpec],
    /// Space, first and last address of each subnet, and its network; sorted.
    ranges: Vec<(u16, u32, u32, usize)>,
    reserved: HashMap<(u16, Ipv4Addr), &'s [u8]>,
}

impl<'s> Places<'s> {
    pub(super) fn new(spec: &'s Spec) -> Self {
        let networks = &spec.networks[..];
        let (mut ranges, mut reserved) = (Vec::new(), HashMap::new());
        for (i, network) in networks.iter().enumerate() {
            for subnet in &network.subnets {
                let (first, last) = (subnet.prefix.first(), subnet.prefix.last());
                ranges.push((network.space.0, first.to_bits(), last.to_bits(), i));
            }
            for reservation in &network.reservations {
                let key = (network.space.0, reservation.addr);
                reserved.insert(key, reservation.client.as_ref());
            }
        }
        ranges.sort_unstable();
        Self {
            links: &spec.links,
            services: &spec.service_addresses,
            networks,
            ranges,
            reserved,
        }
    }

    /// The network that an address is in, and its number.
    pub(super) fn network(&self, space: u16, addr: Ipv4Addr) -> Option<(usize, &'s NetworkSpec)> {
        let addr = addr.to_bits();
        let behind = |range: &(u16, u32, u32, usize)| (range.0, range.1) <= (space, addr);
        let after = self.ranges.partition_point(behind);
        let (in_space, _, last, network) = *self.ranges.get(after.checked_sub(1)?)?;
        let found = self.networks.get(network)?;
        (in_space == space && addr <= last).then_some((network, found))
    }

    /// Whether an address is one of the appliance's.
    pub(super) fn is_own(&self, space: u16, addr: Ipv4Addr) -> bool {
        let mut links = self.links.iter().filter(|link| link.space.0 == space);
        let is_service = self.services.contains(&(Space(space), addr));
        is_service || links.any(|link| link.has(addr))
    }

    /// Whether the configuration keeps the row's address for somebody else.
    pub(super) fn is_kept_from(&self, row: &Row) -> bool {
        let Some(owner) = self.reserved.get(&(row.space, row.addr)) else {
            return false;
        };
        if *owner == row.identity {
            return false;
        }
        let Some((kind, rest)) = owner.split_first() else {
            return true;
        };
        if *kind == Kind::Chaddr as u8 {
            return rest.split_first() != Some((&row.htype, &row.chaddr));
        }
        // The row of a client that is known by its circuit does not tell its client-id.
        let mode = self
            .network(row.space, row.addr)
            .map(|(_, network)| network.identity);
        !matches!(
            mode,
            Some(IdentityMode::Circuit | IdentityMode::CircuitChaddr)
        )
    }
}
