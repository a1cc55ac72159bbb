//! Where a packet of ours goes next: attached prefixes, static routes and gateways.
//!
//! Built by control with each configuration, read by workers. A look-up is one binary search for
//! each prefix length that is in use.
//!
//! A link with a range of VLANs is only the way back to what came by it, with the tags it came
//! with: which of its VLANs another station is in, nothing says.

use std::net::Ipv4Addr;
use std::ops::Range;

use dhcp_proto::address::Space;
use dhcp_proto::config::{Link, LinkIndex, Prefix};

use super::neighbors::Key;

/// A route of the configuration. A gateway is the route of the prefix of length 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaticRoute {
    /// Where it leads.
    pub to: Prefix,
    /// The router.
    pub via: Ipv4Addr,
    /// The link that the router is on.
    pub link: LinkIndex,
}

/// The next hop of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The link that it leaves on.
    pub link: LinkIndex,
    /// Address of the next station: the router, or the receiver itself.
    pub via: Ipv4Addr,
    /// Our address on the link that lies in one prefix with `via`.
    pub source: Ipv4Addr,
}

/// All routes of one configuration.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    by_link: Table,
    by_space: Table,
    /// Our own addresses, sorted.
    own: Vec<(Space, Ipv4Addr)>,
    /// Every router that a route names.
    routers: Vec<Key>,
}

impl Routes {
    /// The routes over `links`, of an appliance that has the addresses of `services` besides. Of two that name one prefix, an attached one wins over a static
    /// one and the first over a later one. A link without an address has no routes: nobody could
    /// be asked where the router is.
    #[must_use]
    pub fn new(links: &[Link], services: &[(Space, Ipv4Addr)], statics: &[StaticRoute]) -> Self {
        let attached = (0u32..).zip(links).flat_map(|(index, link)| {
            link.addresses.iter().map(move |own| Entry {
                space: link.space,
                prefix: own.prefix,
                leg: Leg {
                    link: index,
                    source: own.addr,
                    router: None,
                },
            })
        });
        let routed = statics.iter().filter_map(|route| {
            let link = links.get(route.link.0 as usize)?;
            let own = link
                .address_beside(route.via)
                .or(link.addresses.first().copied())?;
            let leg = Leg {
                link: route.link.0,
                source: own.addr,
                router: Some(route.via),
            };
            Some(Entry {
                space: link.space,
                prefix: route.to,
                leg,
            })
        });
        let entries: Vec<Entry> = attached.chain(routed).collect();
        let mut routers: Vec<Key> = entries
            .iter()
            .filter_map(|entry| {
                let link = links.get(entry.leg.link as usize)?;
                Some(Key::new(link.port, link.vlans.one()?, entry.leg.router?))
            })
            .collect();
        routers.sort_unstable();
        routers.dedup();
        let mut own: Vec<_> = links
            .iter()
            .flat_map(|link| link.addresses.iter().map(|own| (link.space, own.addr)))
            .chain(services.iter().copied())
            .collect();
        own.sort_unstable();
        let by_link = Table::new(&entries, |entry| entry.leg.link);
        let is_one = |link: &Link| link.vlans.one().is_some();
        let entries: Vec<Entry> = entries
            .into_iter()
            .filter(|entry| links.get(entry.leg.link as usize).is_some_and(is_one))
            .collect();
        Self {
            by_link,
            by_space: Table::new(&entries, |entry| entry.space.0.into()),
            own,
            routers,
        }
    }

    /// The next hop to `dst` on `link`, which a reply leaves on if the message came by it (C166).
    #[must_use]
    pub fn next_hop_on(&self, link: LinkIndex, space: Space, dst: Ipv4Addr) -> Option<Hop> {
        self.hop(&self.by_link, link.0, space, dst)
    }

    /// The next hop to `dst`, on whatever link of `space` that has one VLAN.
    #[must_use]
    pub fn next_hop(&self, space: Space, dst: Ipv4Addr) -> Option<Hop> {
        self.hop(&self.by_space, space.0.into(), space, dst)
    }

    /// The next hop to `dst`: on the link `near` that a message came by, unless no route leads
    /// there from it.
    #[must_use]
    pub fn next_hop_from(
        &self,
        near: Option<LinkIndex>,
        space: Space,
        dst: Ipv4Addr,
    ) -> Option<Hop> {
        let near = near.and_then(|link| self.next_hop_on(link, space, dst));
        near.or_else(|| self.next_hop(space, dst))
    }

    fn hop(&self, table: &Table, of: u32, space: Space, dst: Ipv4Addr) -> Option<Hop> {
        if !is_host(dst) || self.is_ours(space, dst) {
            return None;
        }
        let (prefix, leg) = table.find(of, dst)?;
        let via = match leg.router {
            Some(router) => router,
            None if is_directed_broadcast(prefix, dst) => return None,
            None => dst,
        };
        Some(Hop {
            link: LinkIndex(leg.link),
            via,
            source: leg.source,
        })
    }

    /// Whether `addr` is an address of ours in `space`, on whatever link.
    #[must_use]
    pub fn is_ours(&self, space: Space, addr: Ipv4Addr) -> bool {
        self.own.binary_search(&(space, addr)).is_ok()
    }

    /// The routers that are to be resolved before a packet needs them.
    #[must_use]
    pub fn routers(&self) -> &[Key] {
        &self.routers
    }
}

/// Whether `addr` can be a station's own: neither unspecified, loopback, a group nor reserved.
#[must_use]
pub fn is_host(addr: Ipv4Addr) -> bool {
    let [first, ..] = addr.octets();
    first != 0 && first != 127 && first < 224
}

/// Whether `addr` means all stations of `prefix`. Prefixes of 31 and 32 bits have no such address
/// (RFC 3021).
#[must_use]
pub fn is_directed_broadcast(prefix: Prefix, addr: Ipv4Addr) -> bool {
    prefix.len() <= 30 && addr == prefix.last()
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    space: Space,
    prefix: Prefix,
    leg: Leg,
}

#[derive(Debug, Clone, Copy)]
struct Leg {
    link: u32,
    source: Ipv4Addr,
    /// `None` if the receiver itself is on the link.
    router: Option<Ipv4Addr>,
}

/// Longest prefix match for several sets of routes, each with its number.
#[derive(Debug, Clone, Default)]
struct Table {
    /// Prefix lengths in use, the longest first, each with its rows.
    lengths: Vec<(u8, Range<usize>)>,
    /// Sorted by length, set and first address.
    rows: Vec<Row>,
}

#[derive(Debug, Clone)]
struct Row {
    set: u32,
    prefix: Prefix,
    leg: Leg,
}

impl Row {
    fn place(&self) -> (u32, Ipv4Addr) {
        (self.set, self.prefix.first())
    }
}

impl Table {
    fn new(entries: &[Entry], set: impl Fn(&Entry) -> u32) -> Self {
        let row = |entry: &Entry| Row {
            set: set(entry),
            prefix: entry.prefix,
            leg: entry.leg,
        };
        let mut rows: Vec<Row> = entries.iter().map(row).collect();
        // Stable, so that the first of equal ones stays in front.
        rows.sort_by_key(|row| (u8::MAX - row.prefix.len(), row.place()));
        rows.dedup_by_key(|row| (row.set, row.prefix));
        let mut lengths: Vec<(u8, Range<usize>)> = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            match lengths.last_mut() {
                Some((len, range)) if *len == row.prefix.len() => range.end = at + 1,
                _ => lengths.push((row.prefix.len(), at..at + 1)),
            }
        }
        Self { lengths, rows }
    }

    fn find(&self, set: u32, dst: Ipv4Addr) -> Option<(Prefix, Leg)> {
        self.lengths.iter().find_map(|(len, range)| {
            let rows = self.rows.get(range.clone())?;
            let place = (set, Prefix::new(dst, *len)?.first());
            let at = rows.binary_search_by_key(&place, Row::place).ok()?;
            rows.get(at).map(|row| (row.prefix, row.leg))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space(0);
    const VPN: Space = Space(7);
    const SERVICE: [u8; 4] = [192, 0, 2, 67];

    fn prefix(text: &str) -> Prefix {
        let (addr, len) = text.split_once('/').unwrap();
        Prefix::new(addr.parse().unwrap(), len.parse().unwrap()).unwrap()
    }

    fn link(space: Space, vid: u16, addresses: &[&str]) -> Link {
        let addresses = addresses
            .iter()
            .map(|text| dhcp_proto::config::LinkAddress {
                addr: text.split_once('/').unwrap().0.parse().unwrap(),
                prefix: prefix(text),
            });
        Link {
            space,
            ..Link::new(0, (vid, 0), addresses.collect())
        }
    }

    fn route(link: u32, to: &str, via: [u8; 4]) -> StaticRoute {
        StaticRoute {
            to: prefix(to),
            via: via.into(),
            link: LinkIndex(link),
        }
    }

    fn routes() -> Routes {
        let links = [
            link(SPACE, 10, &["10.0.0.1/24", "10.0.1.1/24"]),
            link(SPACE, 20, &["10.9.0.1/16"]),
            link(VPN, 30, &["10.0.0.1/24"]),
            link(SPACE, 40, &[]),
        ];
        let statics = [
            route(0, "0.0.0.0/0", [10, 0, 0, 254]),
            route(0, "172.16.0.0/12", [10, 0, 1, 253]),
            route(1, "172.16.5.0/24", [10, 9, 0, 252]),
            route(1, "10.0.0.0/24", [10, 9, 0, 9]),
            route(3, "192.168.0.0/16", [1, 1, 1, 1]),
            route(9, "192.168.0.0/16", [1, 1, 1, 1]),
        ];
        Routes::new(&links, &[(VPN, SERVICE.into())], &statics)
    }

    fn via(hop: Option<Hop>) -> Option<(u32, Ipv4Addr, Ipv4Addr)> {
        hop.map(|hop| (hop.link.0, hop.via, hop.source))
    }

    #[test]
    fn the_longest_prefix_decides() {
        let routes = routes();
        let to = |a: [u8; 4]| via(routes.next_hop(SPACE, a.into()));
        let hop = |link, a: [u8; 4], s: [u8; 4]| Some((link, a.into(), s.into()));
        assert_eq!(to([8, 8, 8, 8]), hop(0, [10, 0, 0, 254], [10, 0, 0, 1]));
        assert_eq!(to([172, 17, 0, 1]), hop(0, [10, 0, 1, 253], [10, 0, 1, 1]));
        assert_eq!(to([172, 16, 5, 1]), hop(1, [10, 9, 0, 252], [10, 9, 0, 1]));
        assert_eq!(to([10, 9, 200, 1]), hop(1, [10, 9, 200, 1], [10, 9, 0, 1]));
    }

    #[test]
    fn an_attached_prefix_wins_over_a_static_route_to_it() {
        let hop = routes().next_hop(SPACE, [10, 0, 0, 77].into()).unwrap();
        assert_eq!((hop.link.0, hop.via), (0, [10, 0, 0, 77].into()));
    }

    #[test]
    fn a_link_has_its_own_routes_only() {
        let routes = routes();
        let on = |link, a: [u8; 4]| routes.next_hop_on(LinkIndex(link), SPACE, a.into());
        assert_eq!(
            on(0, [172, 16, 5, 1]).unwrap().via,
            Ipv4Addr::from([10, 0, 1, 253])
        );
        assert_eq!(
            on(1, [172, 16, 5, 1]).unwrap().via,
            Ipv4Addr::from([10, 9, 0, 252])
        );
        assert_eq!(on(1, [8, 8, 8, 8]), None);
        // Attached to link 0, and yet there is a way to it on link 1.
        assert_eq!(
            on(1, [10, 0, 0, 77]).unwrap().via,
            Ipv4Addr::from([10, 9, 0, 9])
        );
    }

    #[test]
    fn spaces_do_not_see_each_other() {
        let routes = routes();
        assert_eq!(routes.next_hop(VPN, [8, 8, 8, 8].into()), None);
        assert_eq!(
            routes.next_hop(VPN, [10, 0, 0, 9].into()).unwrap().link.0,
            2
        );
        assert!(routes.is_ours(VPN, SERVICE.into()));
        assert!(!routes.is_ours(SPACE, SERVICE.into()));
        assert!(routes.is_ours(SPACE, [10, 9, 0, 1].into()));
        assert!(!routes.is_ours(VPN, [10, 9, 0, 1].into()));
    }

    #[test]
    fn nothing_leads_to_what_is_no_other_host() {
        let routes = routes();
        let hosts = [
            [10, 0, 0, 1],
            [10, 9, 0, 1],
            [10, 0, 0, 255],
            [255, 255, 255, 255],
        ];
        let others = [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [240, 0, 0, 1]];
        for addr in hosts.into_iter().chain(others) {
            assert_eq!(routes.next_hop(SPACE, addr.into()), None, "{addr:?}");
        }
    }

    #[test]
    fn a_router_beyond_a_link_without_address_is_not_waited_for() {
        let routes = routes();
        let expected = [[10, 0, 0, 254], [10, 0, 1, 253]].map(|a| Key::new(0, (10, 0), a.into()));
        let others = [[10, 9, 0, 9], [10, 9, 0, 252]].map(|a| Key::new(0, (20, 0), a.into()));
        let all: Vec<_> = expected.into_iter().chain(others).collect();
        assert_eq!(routes.routers(), all);
    }
}
