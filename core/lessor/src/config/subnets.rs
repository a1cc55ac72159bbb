//! `[[networks.subnets]]`: a prefix with its pools and exclusions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{PoolSpec, Prefix, SubnetSpec};
use dhcp_wire::dhcp::code;

use super::fault::Reason;
use super::findings::{Findings, Spot};
use super::knobs::Knobs;
use super::networks::Networks;
use super::table::Table;
use super::text;
use super::value::Value;

/// Address ranges that do not overlap, by space and first address, with their offset in the file.
#[derive(Debug, Default)]
pub(super) struct Ranges(BTreeMap<(u16, Ipv4Addr), (Ipv4Addr, usize)>);

impl Ranges {
    /// Adds a range, or tells where the one stands that it overlaps.
    fn add(&mut self, space: Space, range: (Ipv4Addr, Ipv4Addr), at: usize) -> Result<(), usize> {
        let (first, last) = range;
        let before = self.0.range(..=(space.0, last)).next_back();
        match before {
            Some(((other, _), (end, at))) if *other == space.0 && *end >= first => Err(*at),
            Some(_) | None => {
                self.0.insert((space.0, first), (last, at));
                Ok(())
            }
        }
    }
}

impl Networks<'_> {
    pub(super) fn subnet(
        &mut self,
        mut table: Table<'_>,
        space: Space,
        over: &Knobs,
    ) -> Option<SubnetSpec> {
        let mut knobs = over.clone();
        knobs.read_subnet(&mut table);
        let prefix = table.require("prefix", subnet_prefix);
        let place = table.value("prefix").map(|v| v.spot).unwrap_or_default();
        let pools = table
            .value("pools")
            .map(|v| v.one_or_many())
            .unwrap_or_default();
        let excluded = table
            .value("exclude")
            .map(|v| v.one_or_many())
            .unwrap_or_default();
        let findings = table.findings;
        table.finish_with(&self.elsewhere);
        let range = |v: Value<'_>| {
            v.accept(v.text().and_then(text::range))
                .map(|r| (v.spot, r))
        };
        let pools: Vec<_> = pools.into_iter().filter_map(range).collect();
        let excluded: Vec<_> = excluded.into_iter().filter_map(range).collect();
        let prefix = prefix?;
        let whole = (prefix.first(), prefix.last());
        if let Err(at) = self.subnets.add(space, whole, place.at) {
            let line = findings.line(at);
            findings.fault(
                &place,
                Reason::Overlaps {
                    what: "subnet",
                    line,
                },
            );
        }
        let scope = Scope {
            space,
            prefix,
            findings,
        };
        let mut subnet = SubnetSpec {
            prefix,
            pools: scope.pools(&pools),
            excluded: scope.exclusions(excluded),
            lease: knobs.lease_times(),
            options: knobs.option_set(),
            boot: knobs.boot,
            server_id: knobs.server_id,
            probe: knobs.probe,
        };
        scope.keep_back(&mut subnet, &pools, self.own);
        Some(subnet)
    }
}

fn subnet_prefix(value: &Value<'_>) -> Result<Prefix, Reason> {
    let prefix = text::prefix(value.text()?)?;
    for edge in [prefix.first(), prefix.last()] {
        if !text::is_host(edge) {
            return Err(Reason::NoHost(edge));
        }
    }
    Ok(prefix)
}

/// A subnet, for the ranges in it.
struct Scope<'t> {
    space: Space,
    prefix: Prefix,
    findings: &'t Findings<'t>,
}

type Range = (Ipv4Addr, Ipv4Addr);

impl Scope<'_> {
    fn holds(&self, spot: &Spot, (first, last): Range, what: &'static str) -> bool {
        let inside = self.prefix.contains(first) && self.prefix.contains(last);
        if !inside {
            self.findings.fault(spot, Reason::Outside(what));
        }
        inside
    }

    fn pools(&self, given: &[(Spot, Range)]) -> Vec<PoolSpec> {
        let mut seen = Ranges::default();
        let mut pools = Vec::new();
        for (spot, range) in given {
            if !self.holds(spot, *range, "pool") {
                continue;
            }
            match seen.add(self.space, *range, spot.at) {
                Ok(()) => pools.push(PoolSpec {
                    first: range.0,
                    last: range.1,
                }),
                Err(at) => {
                    let line = self.findings.line(at);
                    self.findings
                        .fault(spot, Reason::Overlaps { what: "pool", line });
                }
            }
        }
        pools
    }

    fn exclusions(&self, given: Vec<(Spot, Range)>) -> Vec<Range> {
        let inside = |(spot, range): &(Spot, Range)| self.holds(spot, *range, "exclusion");
        given
            .into_iter()
            .filter(inside)
            .map(|(_, range)| range)
            .collect()
    }

    /// Excludes what no client may have: network and broadcast address, our own addresses and the
    /// clients' routers. The last two are worth a warning.
    fn keep_back(
        &self,
        subnet: &mut SubnetSpec,
        pools: &[(Spot, Range)],
        own: &BTreeSet<(u16, Ipv4Addr)>,
    ) {
        let space = self.space.0;
        let ours = own.range((space, self.prefix.first())..=(space, self.prefix.last()));
        let ours = ours.map(|(_, addr)| (*addr, Reason::HoldsOwn(*addr)));
        let routers = subnet
            .options
            .find(code::ROUTERS)
            .map(|e| e.data.to_vec())
            .unwrap_or_default();
        let routers = routers
            .as_chunks::<4>()
            .0
            .iter()
            .map(|octets| Ipv4Addr::from(*octets));
        let routers = routers.filter(|addr| !own.contains(&(space, *addr)));
        let routers = routers.map(|addr| (addr, Reason::HoldsRouter(addr)));
        let mut kept: Vec<Ipv4Addr> = Vec::new();
        for (addr, why) in ours.chain(routers) {
            let pool = pools
                .iter()
                .find(|(_, (first, last))| *first <= addr && addr <= *last);
            if let Some((spot, _)) = pool
                && !subnet
                    .excluded
                    .iter()
                    .any(|(first, last)| *first <= addr && addr <= *last)
            {
                self.findings.warn(spot, why);
                kept.push(addr);
            }
        }
        let edges = [self.prefix.first(), self.prefix.last()];
        kept.extend(
            edges
                .into_iter()
                .filter(|addr| text::is_edge(*addr, self.prefix)),
        );
        subnet
            .excluded
            .extend(kept.into_iter().map(|addr| (addr, addr)));
    }
}
