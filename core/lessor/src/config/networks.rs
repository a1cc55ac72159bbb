//! `[[networks]]`: who serves whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{NetworkKey, NetworkSpec};

use super::fault::Reason;
use super::findings::Spot;
use super::knobs::Knobs;
use super::ports::unique;
use super::subnets::Ranges;
use super::table::Table;

/// What the networks of a file have in common.
#[derive(Debug)]
pub(super) struct Networks<'a> {
    /// The appliance's own addresses.
    pub(super) own: &'a BTreeSet<(u16, Ipv4Addr)>,
    names: BTreeMap<String, usize>,
    pub(super) subnets: Ranges,
    /// Keys of networks that a subnet may not have.
    pub(super) elsewhere: Vec<&'static str>,
}

impl<'a> Networks<'a> {
    pub(super) fn new(own: &'a BTreeSet<(u16, Ipv4Addr)>) -> Self {
        let elsewhere = Table::keys_of(|table| {
            Knobs::default().read_network(table);
            for key in ["space", "reservations"] {
                table.value(key);
            }
        });
        Self {
            own,
            names: BTreeMap::new(),
            subnets: Ranges::default(),
            elsewhere,
        }
    }

    /// Reads a network; `None` where it is too broken to say anything about its whole.
    pub(super) fn read(
        &mut self,
        mut table: Table<'_>,
        key: NetworkKey,
        defaults: &Knobs,
    ) -> (Spot, NetworkSpec) {
        let (spot, findings) = (table.spot.clone(), table.findings);
        let name = table.require("name", |v| Ok(v.clone()));
        let name =
            name.and_then(|v| unique(&v, v.name().map(str::to_owned), &mut self.names, "name"));
        let mut space = Space(0);
        table.set("space", &mut space, |v| v.number(0..=u16::MAX).map(Space));
        let mut knobs = defaults.clone();
        knobs.read(&mut table);
        let subnets = table.tables("subnets");
        if subnets.is_empty() {
            findings.fault(&spot, Reason::Missing("subnets"));
        }
        let subnets = subnets
            .into_iter()
            .filter_map(|t| self.subnet(t, space, &knobs))
            .collect();
        let reservations = table.tables("reservations");
        table.finish();
        let mut network = NetworkSpec {
            name: name.unwrap_or_default(),
            key,
            space,
            identity: knobs.identity,
            rules: knobs.rules,
            ignored_client_ids: knobs.ignored_client_ids,
            relays: knobs.relays,
            subnets,
            reservations: Vec::new(),
        };
        self.reserve(&mut network, reservations);
        (spot, network)
    }
}
