//! What only the whole file can tell: reachability, room, clients without a way out.

use std::net::Ipv4Addr;

use dhcp_proto::config::{LinkIndex, NetworkSpec, SubnetSpec};
use dhcp_wire::dhcp::code;

use super::Settings;
use super::fault::Reason;
use super::findings::{Findings, Spot};

/// Warns of what is legal and rarely meant. `server` is where the server's section stands,
/// `places` where the networks stand.
pub(super) fn warn(settings: &Settings, server: &Spot, places: &[Spot], findings: &Findings<'_>) {
    if places.is_empty() {
        findings.warn(&Spot::default(), Reason::NoNetworks);
    }
    for (network, spot) in settings.spec.networks.iter().zip(places) {
        reachable(settings, network, spot, findings);
        if network.reservations.is_empty() && network.subnets.iter().all(|s| s.pools.is_empty()) {
            findings.warn(spot, Reason::AssignsNothing);
        }
        // Not the subnets' own places: such options come from the network or the defaults mostly.
        if network.subnets.iter().any(lacks_default_route) {
            findings.warn(spot, Reason::NoDefaultRoute);
        }
        let services = &settings.spec.service_addresses;
        let is_ours = |id: Ipv4Addr| {
            let links = &settings.spec.links;
            links.iter().any(|l| l.has(id)) || services.iter().any(|(_, addr)| *addr == id)
        };
        let foreign = network.subnets.iter().filter_map(|s| s.server_id);
        for id in foreign.filter(|id| !is_ours(*id)).take(1) {
            findings.warn(spot, Reason::ForeignServerId(id));
        }
    }
    let pools = settings
        .spec
        .networks
        .iter()
        .flat_map(|n| &n.subnets)
        .flat_map(|s| &s.pools);
    let size = |(first, last): (Ipv4Addr, Ipv4Addr)| {
        u64::from(last.to_bits().saturating_sub(first.to_bits())) + 1
    };
    let pools = pools.map(|p| size((p.first, p.last))).sum();
    let bindings = settings.server.bindings;
    if pools > u64::from(bindings) {
        findings.warn(server, Reason::Capacity { pools, bindings });
    }
}

fn reachable(settings: &Settings, network: &NetworkSpec, spot: &Spot, findings: &Findings<'_>) {
    let links = || {
        settings
            .spec
            .links
            .iter()
            .filter(|link| link.space == network.space)
    };
    let addresses = || links().flat_map(|link| &link.addresses);
    let direct = network
        .subnets
        .iter()
        .any(|s| addresses().any(|a| s.prefix.contains(a.addr)));
    let relays = network.relays.as_deref();
    if !direct && (links().next().is_none() || relays.is_some_and(<[_]>::is_empty)) {
        findings.warn(spot, Reason::Unreachable);
        return;
    }
    let in_space = |index: LinkIndex| {
        let at = usize::try_from(index.0).ok();
        let link = at.and_then(|at| settings.spec.links.get(at));
        link.is_some_and(|link| link.space == network.space)
    };
    let routes = || settings.routes.iter().filter(|route| in_space(route.link));
    let leads =
        |addr| links().any(|link| link.is_attached(addr)) || routes().any(|r| r.to.contains(addr));
    for relay in relays
        .unwrap_or_default()
        .iter()
        .filter(|relay| !leads(**relay))
    {
        findings.warn(spot, Reason::NoRoute(*relay));
    }
    if !direct && relays.is_none() {
        let relay = |s: &SubnetSpec| s.prefix.first();
        for first in network
            .subnets
            .iter()
            .map(relay)
            .filter(|first| !leads(*first))
            .take(1)
        {
            findings.warn(spot, Reason::NoRoute(first));
        }
    }
}

/// RFC 3442: who takes option 121 ignores option 3 (C183).
fn lacks_default_route(subnet: &SubnetSpec) -> bool {
    let has_routers = subnet.options.find(code::ROUTERS).is_some();
    let routes = subnet.options.find(code::CLASSLESS_ROUTES);
    has_routers && routes.is_some_and(|routes| !has_default(routes.data))
}

/// Whether one of the routes of RFC 3442 has a destination of no width.
fn has_default(mut routes: &[u8]) -> bool {
    while let Some((width, rest)) = routes.split_first() {
        if *width == 0 {
            return true;
        }
        let descriptor = usize::from(*width).div_ceil(8) + 4;
        routes = rest.get(descriptor..).unwrap_or_default();
    }
    false
}
