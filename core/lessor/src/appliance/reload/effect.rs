//! What a new configuration means for what the running one has given out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use dhcp_proto::address::{AddressState, Space};
use dhcp_proto::binding::SlotIndex;
use dhcp_proto::config::{Config, NetworkSpec, OnMove, Prefix, Rules, Spec, SubnetSpec};
use dhcp_proto::identity::IdentityMode;

use crate::control::Leases;

/// Addresses that are named of each network.
const EXAMPLES: usize = 5;

/// What follows from a new configuration.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Reasons why only a restart will do.
    pub(super) needs_restart: Vec<String>,
    /// Leases that no network would have.
    pub(super) dropped: Vec<Leases>,
    /// Leases that are in no pool any more.
    pub(super) outside: Vec<Leases>,
    /// Leases of addresses that are excluded now.
    pub(super) excluded: Vec<Leases>,
}

/// What becomes of the lease of an address.
enum Fate<'s> {
    Served,
    Outside(&'s str),
    Excluded(&'s str),
    Gone,
}

/// Leases by space and network.
#[derive(Default)]
struct Tally(BTreeMap<(u16, String), Leases>);

impl Tally {
    fn add(&mut self, space: Space, network: &str, addr: Ipv4Addr) {
        let entry = self.0.entry((space.0, network.to_owned()));
        let leases = entry.or_insert_with(|| Leases {
            network: network.to_owned(),
            space: space.0,
            leases: 0,
            examples: Vec::new(),
        });
        leases.leases += 1;
        if leases.examples.len() < EXAMPLES {
            leases.examples.push(addr);
        }
    }

    fn list(self) -> Vec<Leases> {
        self.0.into_values().collect()
    }
}

impl Effect {
    /// What follows if `spec` takes the place of `running`.
    pub(super) fn of(running: &Config, spec: &Spec) -> Self {
        let layout = Layout::of(spec);
        let mut needs_restart = layout.identities(running);
        let mut unread = BTreeSet::new();
        let (mut dropped, mut outside) = (Tally::default(), Tally::default());
        let mut excluded = Tally::default();
        for (space, addr, cell) in running.directory().addresses() {
            if cell.load().state() != AddressState::Bound {
                continue;
            }
            let is_unread =
                cell.slot() == SlotIndex::NONE.0 && running.place_of(space, addr).is_none();
            if is_unread && let Some((network, _)) = layout.place(space, addr) {
                unread.insert(format!(
                    "network {:?}: the store has leases of its addresses, which a start alone reads",
                    network.name
                ));
                continue;
            }
            match layout.fate(space, addr) {
                Fate::Served => {}
                // Reserved while the server runs.
                Fate::Outside(_) | Fate::Excluded(_)
                    if running.added().at(space, addr).is_some() => {}
                Fate::Outside(network) => outside.add(space, network, addr),
                Fate::Excluded(network) => excluded.add(space, network, addr),
                Fate::Gone => {
                    // What no network has now was told of before.
                    let place = running.place_of(space, addr);
                    let network = place.and_then(|place| running.network(place.network));
                    if let Some(network) = network {
                        dropped.add(space, &network.name, addr);
                    }
                }
            }
        }
        needs_restart.extend(unread);
        Self {
            needs_restart,
            dropped: dropped.list(),
            outside: outside.list(),
            excluded: excluded.list(),
        }
    }
}

/// What a network tells its clients apart by.
fn tells_apart(identity: IdentityMode, rules: &Rules) -> (IdentityMode, bool) {
    (identity, rules.on_move == OnMove::Separate)
}

/// The networks of a file by address.
struct Layout<'s> {
    /// By space and first address; they are disjoint.
    subnets: Vec<(Space, &'s NetworkSpec, &'s SubnetSpec)>,
    /// The last address of each reservation by its first: a series has many.
    reserved: BTreeMap<(Space, Ipv4Addr), Ipv4Addr>,
}

impl<'s> Layout<'s> {
    fn of(spec: &'s Spec) -> Self {
        let networks = spec.networks.iter();
        let subnets = networks.clone().flat_map(|network| {
            let subnets = network.subnets.iter();
            subnets.map(move |subnet| (network.space, network, subnet))
        });
        let mut subnets: Vec<_> = subnets.collect();
        subnets.sort_by_key(|(space, _, subnet)| (*space, subnet.prefix.first()));
        let reserved = networks.flat_map(|network| {
            let reserved = network.reservations.iter();
            reserved.map(move |r| ((network.space, r.addr), r.last()))
        });
        let reserved = reserved.collect();
        Self { subnets, reserved }
    }

    fn fate(&self, space: Space, addr: Ipv4Addr) -> Fate<'s> {
        let Some((network, subnet)) = self.place(space, addr) else {
            return Fate::Gone;
        };
        let within = |(first, last): (Ipv4Addr, Ipv4Addr)| first <= addr && addr <= last;
        if self.is_reserved(space, addr) {
            Fate::Served
        } else if subnet.excluded.iter().any(|range| within(*range)) {
            Fate::Excluded(&network.name)
        } else if subnet
            .pools
            .iter()
            .any(|pool| within((pool.first, pool.last)))
        {
            Fate::Served
        } else {
            Fate::Outside(&network.name)
        }
    }

    fn is_reserved(&self, space: Space, addr: Ipv4Addr) -> bool {
        // They do not overlap, so the nearest before tells.
        let before = self.reserved.range(..=(space, addr)).next_back();
        before.is_some_and(|((of, _), last)| *of == space && addr <= *last)
    }

    fn place(&self, space: Space, addr: Ipv4Addr) -> Option<(&'s NetworkSpec, &'s SubnetSpec)> {
        let subnets = &self.subnets;
        let after =
            subnets.partition_point(|(s, _, net)| (*s, net.prefix.first()) <= (space, addr));
        let (of, network, subnet) = subnets.get(after.checked_sub(1)?)?;
        (*of == space && subnet.prefix.contains(addr)).then_some((*network, *subnet))
    }

    /// Those that have addresses in common with `prefix`.
    fn sharing(&self, space: Space, prefix: Prefix) -> impl Iterator<Item = &'s NetworkSpec> {
        let subnets = &self.subnets;
        let at = subnets
            .partition_point(|(s, _, net)| (*s, net.prefix.last()) < (space, prefix.first()));
        let rest = subnets.get(at..).unwrap_or(&[]).iter();
        rest.take_while(move |(s, _, net)| (*s, net.prefix.first()) <= (space, prefix.last()))
            .map(|(_, network, _)| *network)
    }

    /// Networks whose clients would be identified by something else than before: a start alone may
    /// change that, since the worker of each client follows from it.
    fn identities(&self, running: &Config) -> Vec<String> {
        let mut found = BTreeSet::new();
        for old in running.networks() {
            let before = tells_apart(old.identity, &old.rules);
            for subnet in &old.subnets {
                let here = self.sharing(old.space, subnet.prefix);
                for new in here.filter(|new| tells_apart(new.identity, &new.rules) != before) {
                    found.insert(if new.name == old.name {
                        format!("the identity of network {:?}", new.name)
                    } else {
                        format!(
                            "the identity of the clients in {}/{}, of network {:?} now and {:?} then",
                            subnet.prefix.first(),
                            subnet.prefix.len(),
                            old.name,
                            new.name
                        )
                    });
                }
            }
        }
        found.into_iter().collect()
    }
}
