//! What the configuration says about an address.

use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::circuit;
use dhcp_proto::config::{Link, NetworkSpec, Reserved, Spec};
use dhcp_proto::identity::{Identity, IdentityMode, Kind};
use dhcp_wire::dhcp::agent::SubOptions;

use super::row::Row;

/// The configured networks by address.
pub(super) struct Places<'s> {
    links: &'s [Link],
    services: &'s [(Space, Ipv4Addr)],
    networks: &'s [NetworkSpec],
    /// Space, first and last address of each subnet, and its network; sorted.
    ranges: Vec<(u16, u32, u32, usize)>,
    /// The reservations of each network.
    reserved: Vec<Reserved>,
}

impl<'s> Places<'s> {
    pub(super) fn new(spec: &'s Spec) -> Self {
        let networks = &spec.networks[..];
        let mut ranges = Vec::new();
        for (i, network) in networks.iter().enumerate() {
            for subnet in &network.subnets {
                let (first, last) = (subnet.prefix.first(), subnet.prefix.last());
                ranges.push((network.space.0, first.to_bits(), last.to_bits(), i));
            }
        }
        ranges.sort_unstable();
        let reserved = networks
            .iter()
            .map(|n| Reserved::new(n.reservations.clone()));
        Self {
            links: &spec.links,
            services: &spec.service_addresses,
            networks,
            ranges,
            reserved: reserved.collect(),
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
        let Some((place, network)) = self.network(row.space, row.addr) else {
            return false;
        };
        let owner = self.reserved.get(place).and_then(|all| all.owner(row.addr));
        let Some(owner) = owner else { return false };
        let info = SubOptions::new(&row.agent_info);
        let remote = circuit::remote_id(&info).and_then(|id| Identity::new(Kind::RemoteId, &[id]));
        let seen = [
            Identity::new(Kind::Chaddr, &[&[row.htype], &row.chaddr]),
            circuit::circuit(row.giaddr, &info),
            remote,
        ];
        if owner.is(&row.identity) || seen.iter().flatten().any(|key| owner.is(key.as_slice())) {
            return false;
        }
        // The row of a client that is known by its circuit does not tell its client-id.
        let by_circuit = matches!(
            network.identity,
            IdentityMode::Circuit | IdentityMode::CircuitChaddr
        );
        !(by_circuit && owner.kind() == Kind::ClientId as u8)
    }
}
