//! `[[networks]]`: their subnets, pools and reservations.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{NetworkKey, NetworkSpec, PoolSpec, Prefix, Reservation, SubnetSpec};
use dhcp_proto::identity::{Identity, Kind};
use dhcp_wire::dhcp::code;

use super::fault::Reason;
use super::knobs::Knobs;
use super::ports::unique;
use super::source::{Findings, Spot, Table, Value};
use super::text;

/// Address ranges that do not overlap, by space and first address, with their offset in the file.
#[derive(Debug, Default)]
struct Ranges(BTreeMap<(u16, Ipv4Addr), (Ipv4Addr, usize)>);

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

/// What the networks of a file have in common.
#[derive(Debug)]
pub(super) struct Networks<'a> {
    /// The appliance's own addresses.
    own: &'a BTreeSet<(u16, Ipv4Addr)>,
    names: BTreeMap<String, usize>,
    subnets: Ranges,
    /// Keys of networks that a subnet may not have.
    elsewhere: Vec<&'static str>,
}

impl<'a> Networks<'a> {
    pub(super) fn new(own: &'a BTreeSet<(u16, Ipv4Addr)>) -> Self {
        let elsewhere = Table::keys_of(|table| {
            Knobs::default().read_network(table);
            for key in ["space", "relays", "reservations"] {
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
        let relays = table
            .value("relays")
            .and_then(|v| v.all(|v| text::host(v.text()?)));
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
            relays: relays.map(|relays| relays.into_iter().map(|(_, relay)| relay).collect()),
            subnets,
            reservations: Vec::new(),
        };
        self.reserve(&mut network, reservations);
        (spot, network)
    }

    fn subnet(&mut self, mut table: Table<'_>, space: Space, over: &Knobs) -> Option<SubnetSpec> {
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
        };
        scope.keep_back(&mut subnet, &pools, self.own);
        Some(subnet)
    }

    /// Adds the reservations. What is reserved is not excluded, whatever range it lies in.
    fn reserve(&self, network: &mut NetworkSpec, tables: Vec<Table<'_>>) {
        let (mut clients, mut addrs) = (BTreeMap::new(), BTreeMap::new());
        let subnets = network
            .subnets
            .iter()
            .map(|s| (s.prefix.first(), s.prefix))
            .collect();
        for mut table in tables {
            let findings = table.findings;
            let client = client(&mut table);
            let spot = table.spot.clone();
            let address = table.require("address", |v| Ok(v.clone()));
            table.finish();
            let Some(value) = address else { continue };
            let addr = value.text().and_then(text::host);
            let addr = addr.and_then(|addr| self.reservable(network.space, &subnets, addr));
            let addr = unique(&value, addr, &mut addrs, "address");
            let (Some(client), Some(addr)) = (client, addr) else {
                continue;
            };
            if let Some(at) = clients.insert(client.clone(), spot.at) {
                let line = findings.line(at);
                findings.fault(
                    &spot,
                    Reason::Doubled {
                        what: "client",
                        line,
                    },
                );
            }
            network.reservations.push(Reservation { client, addr });
        }
        for subnet in &mut network.subnets {
            let excluded = std::mem::take(&mut subnet.excluded);
            let rest = |(first, last)| {
                let reserved = addrs.range(first..=last).map(|(addr, _)| *addr);
                without((first, last), reserved)
            };
            subnet.excluded = excluded.into_iter().flat_map(rest).collect();
        }
    }

    /// `addr`, if it may be reserved in a network of these subnets, by their first addresses.
    fn reservable(
        &self,
        space: Space,
        subnets: &BTreeMap<Ipv4Addr, Prefix>,
        addr: Ipv4Addr,
    ) -> Result<Ipv4Addr, Reason> {
        let before = subnets
            .range(..=addr)
            .next_back()
            .map(|(_, prefix)| *prefix);
        let Some(prefix) = before.filter(|prefix| prefix.contains(addr)) else {
            return Err(Reason::NoSubnet(addr));
        };
        if text::is_edge(addr, prefix) {
            return Err(Reason::EdgeAddress { addr, prefix });
        }
        if self.own.contains(&(space.0, addr)) {
            return Err(Reason::Own(addr));
        }
        Ok(addr)
    }
}

/// What is left of a range without some addresses, which rise.
fn without(
    range: (Ipv4Addr, Ipv4Addr),
    addrs: impl Iterator<Item = Ipv4Addr>,
) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let (mut first, last) = (u64::from(range.0.to_bits()), u64::from(range.1.to_bits()));
    let mut left = Vec::new();
    let addr = |n: u64| Ipv4Addr::from_bits(u32::try_from(n).unwrap_or(u32::MAX));
    for cut in addrs
        .map(|addr| u64::from(addr.to_bits()))
        .filter(|cut| *cut <= last)
    {
        if cut > first {
            left.push((addr(first), addr(cut - 1)));
        }
        first = first.max(cut + 1);
    }
    if first <= last {
        left.push((addr(first), addr(last)));
    }
    left
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

/// The identity that a reservation is for.
fn client(table: &mut Table<'_>) -> Option<Box<[u8]>> {
    let (hardware, id) = (table.value("hw_address"), table.value("client_id"));
    let mut htype = 1u8;
    if hardware.is_some() {
        table.set("hw_type", &mut htype, |v| v.number(1..=255));
    }
    let identity = match (hardware, id) {
        (Some(v), None) => {
            let chaddr = v.accept(v.text().and_then(text::hw_address))?;
            Identity::new(Kind::Chaddr, &[&[htype], &chaddr])
        }
        (None, Some(v)) => {
            let id = v.accept(v.text().and_then(text::client_id))?;
            Identity::new(Kind::ClientId, &[&id])
        }
        (None, None) | (Some(_), Some(_)) => {
            table
                .findings
                .fault(&table.spot, Reason::ExactlyOne("hw_address, client_id"));
            None
        }
    };
    identity.map(|identity| identity.as_slice().into())
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
            .map(|e| e.data.clone())
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
