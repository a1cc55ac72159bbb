//! `[[networks.reservations]]`: an address for one client.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{NetworkSpec, Prefix, Reservation};
use dhcp_proto::identity::{Identity, Kind};

use super::fault::Reason;
use super::networks::Networks;
use super::ports::unique;
use super::table::Table;
use super::text;

impl Networks<'_> {
    /// Adds the reservations. What is reserved is not excluded, whatever range it lies in.
    pub(super) fn reserve(&self, network: &mut NetworkSpec, tables: Vec<Table<'_>>) {
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
