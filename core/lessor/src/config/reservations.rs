//! `[[networks.reservations]]`: an address for one client, or a series of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::config::{NetworkSpec, Prefix, Reservation};

use super::client::ClientText;
use super::fault::Reason;
use super::findings::Spot;
use super::networks::Networks;
use super::table::Table;
use super::text;
use super::value::Value;

/// Most clients of a series: the addresses of a /8.
const MOST: u32 = 1 << 24;

impl Networks<'_> {
    /// Adds the reservations. An address of an excluded range may be reserved.
    pub(super) fn reserve(&self, network: &mut NetworkSpec, tables: Vec<Table<'_>>) {
        let subnets = network
            .subnets
            .iter()
            .map(|s| (s.prefix.first(), s.prefix))
            .collect();
        let scope = Scope {
            space: network.space,
            subnets,
            networks: self,
        };
        let mut seen = Seen::default();
        for mut table in tables {
            let (findings, spot) = (table.findings, table.spot.clone());
            let client = client(&mut table);
            let address = table.require("address", |v| Ok(v.clone()));
            let number = table.value("count");
            table.finish();
            let count = number
                .as_ref()
                .map_or(Some(1), |v| v.accept(v.number(1..=MOST)));
            let Some((value, count)) = address.zip(count) else {
                continue;
            };
            let counted = number.as_ref().unwrap_or(&value);
            let addr = value.accept(value.text().and_then(text::host));
            let Some((client, addr)) = client.zip(addr) else {
                continue;
            };
            let new = Reservation {
                client,
                addr,
                count,
            };
            if let Err((of_count, why)) = scope.reservable(&new) {
                let place = if of_count { counted } else { &value };
                place.accept(Err::<(), _>(why));
                continue;
            }
            if !new.is_countable() {
                counted.accept(Err::<(), _>(Reason::Uncountable));
                continue;
            }
            if let Err((place, why)) =
                seen.note(&new, (&value.spot, &spot), &|at| findings.line(at))
            {
                findings.fault(place, why);
                continue;
            }
            network.reservations.push(new);
        }
    }

    /// An own address of the appliance among these.
    fn own_among(&self, space: Space, first: Ipv4Addr, last: Ipv4Addr) -> Option<Ipv4Addr> {
        let own = self.own.range((space.0, first)..=(space.0, last)).next();
        own.map(|(_, addr)| *addr)
    }
}

/// The subnets of a network by their first addresses.
struct Scope<'n, 'o> {
    space: Space,
    subnets: BTreeMap<Ipv4Addr, Prefix>,
    networks: &'n Networks<'o>,
}

impl Scope<'_, '_> {
    /// Whether the addresses may be reserved; if not, why, and whether that is owed to the count.
    fn reservable(&self, new: &Reservation) -> Result<(), (bool, Reason)> {
        let (first, last) = (new.addr, new.last());
        let before = self.subnets.range(..=first).next_back();
        let subnet = before.map(|(_, prefix)| *prefix);
        let prefix = subnet
            .filter(|prefix| prefix.contains(first))
            .ok_or((false, Reason::NoSubnet(first)))?;
        if text::is_edge(first, prefix) {
            return Err((
                false,
                Reason::EdgeAddress {
                    addr: first,
                    prefix,
                },
            ));
        }
        let room = prefix.last().to_bits() - first.to_bits();
        if new.count > 1 && (new.count - 1 > room || text::is_edge(last, prefix)) {
            return Err((true, Reason::PastSubnet(prefix)));
        }
        match self.networks.own_among(self.space, first, last) {
            Some(own) => Err((own != first, Reason::Own(own))),
            None => Ok(()),
        }
    }
}

/// Length and octets of a client, so that the clients of a series follow each other.
type ClientKey = (usize, Box<[u8]>);

/// What is reserved so far, by first address and by first client, with the places in the file.
/// What is in here does not overlap, so that the nearest before tells.
#[derive(Default)]
struct Seen {
    addrs: BTreeMap<Ipv4Addr, (Ipv4Addr, usize)>,
    clients: BTreeMap<ClientKey, (u32, usize)>,
}

impl Seen {
    /// Takes a reservation, or tells which other one is of its addresses or of its clients.
    fn note<'p>(
        &mut self,
        new: &Reservation,
        (address, whole): (&'p Spot, &'p Spot),
        line: &dyn Fn(usize) -> usize,
    ) -> Result<(), (&'p Spot, Reason)> {
        let clash = |what, single: bool, at| {
            let line = line(at);
            if single {
                Reason::Doubled { what, line }
            } else {
                Reason::Overlaps {
                    what: "reservation",
                    line,
                }
            }
        };
        let before = self.addrs.range(..=new.last()).next_back();
        if let Some((first, (last, at))) = before
            && *last >= new.addr
        {
            let single = first == last && new.count == 1;
            return Err((address, clash("address", single, *at)));
        }
        let key = |client: &[u8]| (client.len(), Box::from(client));
        let before = self.clients.range(..=key(&new.last_client())).next_back();
        if let Some(((_, client), (count, at))) = before {
            let other = Reservation {
                client: client.clone(),
                count: *count,
                ..*new
            };
            if new.shares_client(&other) {
                let single = *count == 1 && new.count == 1;
                return Err((whole, clash("client", single, *at)));
            }
        }
        self.addrs.insert(new.addr, (new.last(), address.at));
        self.clients.insert(key(&new.client), (new.count, whole.at));
        Ok(())
    }
}

/// The identity that a reservation is for.
fn client(table: &mut Table<'_>) -> Option<Box<[u8]>> {
    let keys = [
        "hw_address",
        "client_id",
        "circuit_id",
        "relay",
        "relay_id",
        "remote_id",
    ];
    let values = keys.map(|key| table.value(key));
    let hw_type = table.value("hw_type");
    let texts = values.each_ref().map(|value| {
        let value = value.as_ref()?;
        Some(value.accept(value.text()))
    });
    // A value that is no text has been noted.
    let [
        hw_address,
        client_id,
        circuit_id,
        relay,
        relay_id,
        remote_id,
    ] = texts.map(|text| text.map_or(Some(None), |text| text.map(Some)));
    let number = |value: &Value<'_>| value.accept(value.number(1..=255));
    let text = ClientText {
        hw_address: hw_address?,
        hw_type: hw_type
            .as_ref()
            .map_or(Some(None), |v| number(v).map(Some))?,
        client_id: client_id?,
        circuit_id: circuit_id?,
        relay: relay?,
        relay_id: relay_id?,
        remote_id: remote_id?,
    };
    let fault = match text.identity() {
        Ok(identity) => return Some(identity.as_slice().into()),
        Err(fault) => fault,
    };
    let named = keys.into_iter().zip(&values).chain([("hw_type", &hw_type)]);
    let place = named
        .into_iter()
        .find_map(|(key, value)| value.as_ref().filter(|_| fault.argument == Some(key)));
    let spot = place.map_or(&table.spot, |value| &value.spot);
    table.findings.fault(spot, fault.why);
    None
}
