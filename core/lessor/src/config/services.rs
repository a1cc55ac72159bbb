//! `service_addresses`: addresses of the appliance that are on no port in particular.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{Link, Prefix};

use super::fault::Reason;
use super::findings::{Findings, Spot};
use super::ports::unique;
use super::table::Table;
use super::text;
use super::value::Value;

/// The service addresses, and where each stands.
#[derive(Debug, Default)]
pub(super) struct Services {
    pub(super) list: Vec<(Space, Ipv4Addr)>,
    places: Vec<Spot>,
}

impl Services {
    pub(super) fn read(root: &mut Table<'_>) -> Self {
        let mut all = Self::default();
        let mut seen = BTreeMap::new();
        let values = root.read("service_addresses", Value::list);
        for value in values.unwrap_or_default() {
            if let Some(address) = read(&value)
                && let Some(address) = unique(&value, Ok(address), &mut seen, "address")
            {
                all.list.push(address);
                all.places.push(value.spot);
            }
        }
        all
    }

    /// Notes those that are of a port already or no host's on it, and warns of those that nobody
    /// comes to.
    pub(super) fn check(&self, links: &[Link], findings: &Findings<'_>) {
        let spaces: BTreeSet<u16> = links.iter().map(|link| link.space.0).collect();
        for ((space, addr), spot) in self.list.iter().zip(&self.places) {
            let in_space = links.iter().filter(|link| link.space == *space);
            let mut near = in_space.flat_map(|link| &link.addresses);
            let wrong = near.find_map(|own| refuse(*addr, own.addr, own.prefix));
            if let Some(why) = wrong {
                findings.fault(spot, why);
            } else if !spaces.contains(&space.0) {
                findings.warn(spot, Reason::NoPort(space.0));
            }
        }
    }
}

/// Why a service address cannot be `addr` where a port has `own`.
fn refuse(addr: Ipv4Addr, own: Ipv4Addr, prefix: Prefix) -> Option<Reason> {
    if addr == own {
        return Some(Reason::OfPort(addr));
    }
    let edge = prefix.contains(addr) && text::is_edge(addr, prefix);
    edge.then_some(Reason::EdgeAddress { addr, prefix })
}

/// "192.0.2.67", with or without "/32", or a table with its space.
fn read(value: &Value<'_>) -> Option<(Space, Ipv4Addr)> {
    let address = |v: &Value<'_>| {
        let text = v.text()?;
        text::host(text.strip_suffix("/32").unwrap_or(text))
    };
    if !value.is_table() {
        return value.accept(address(value)).map(|addr| (Space(0), addr));
    }
    let mut table = value.accept(value.table())?;
    let mut space = Space(0);
    table.set("space", &mut space, |v| v.number(0..=u16::MAX).map(Space));
    let addr = table.require("address", address);
    table.finish();
    addr.map(|addr| (space, addr))
}
