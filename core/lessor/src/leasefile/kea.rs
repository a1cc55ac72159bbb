//! Kea's lease file of the memfile backend, `kea-leases4.csv`, for who moves from Kea.
//!
//! It is a journal: of the rows of an address the last one counts, and one with a lease time of 0
//! takes the lease away. It has no end mark, no relay and no option 82.

use std::collections::HashMap;
use std::io::{self, BufRead};
use std::net::Ipv4Addr;

use dhcp_proto::identity::{Identity, IdentityMode, Kind};
use dhcp_proto::record::{Origin, RecordKind};
use dhcp_proto::time::INFINITE;

use super::csv::Splitter;
use super::fault::What;
use super::lines::{Line, Lines};
use super::parse::{Wrong, malformed, number, octets, parsed};
use super::places::Places;
use super::reader::Part;
use super::row::Row;

/// The columns that are read; names, DDNS and the context are left.
const NAMES: [&str; 6] = [
    "address",
    "hwaddr",
    "client_id",
    "valid_lifetime",
    "expire",
    "state",
];
const ETHERNET: u8 = 1;

/// Reads the lines of a Kea file.
pub(super) struct Kea<'k> {
    places: &'k Places<'k>,
    /// The last line of each address.
    newest: &'k HashMap<Ipv4Addr, u64>,
    splitter: Splitter,
    /// The place of each of [`NAMES`], and how many columns there are.
    header: Option<([usize; NAMES.len()], usize)>,
}

/// The last line of each address.
pub(super) fn newest(input: impl BufRead) -> io::Result<HashMap<Ipv4Addr, u64>> {
    let (mut lines, mut newest) = (Lines::new(input), HashMap::new());
    while let Some((number, line)) = lines.next()? {
        let (Line::Whole(text) | Line::Unended(text)) = line else {
            continue;
        };
        let addr = text.split(|octet| *octet == b',').next();
        let addr = addr.and_then(|addr| parsed(str::from_utf8(addr).ok()?));
        if let Some(addr) = addr {
            newest.insert(addr, number);
        }
    }
    Ok(newest)
}

impl<'k> Kea<'k> {
    pub(super) fn new(places: &'k Places<'k>, newest: &'k HashMap<Ipv4Addr, u64>) -> Self {
        Self {
            places,
            newest,
            splitter: Splitter::new(),
            header: None,
        }
    }

    pub(super) fn has_header(&self) -> bool {
        self.header.is_some()
    }

    pub(super) fn decode(&mut self, line: u64, text: &[u8]) -> Result<Part, Vec<Wrong>> {
        let values = self
            .splitter
            .split(text)
            .map_err(|what| vec![(None, what)])?;
        let Some((at, due)) = self.header else {
            self.header = Some((header(&values)?, values.len()));
            return Ok(Part::Nothing);
        };
        let found = values.len();
        if found != due {
            return Err(vec![(None, What::Width { found, due })]);
        }
        let cells = at.map(|at| values.get(at).copied().unwrap_or(""));
        let lease = Lease::read(cells).map_err(|what| vec![(None, what)])?;
        let is_newest = self
            .newest
            .get(&lease.addr)
            .is_none_or(|last| *last == line);
        if !is_newest || lease.valid_lifetime == 0 {
            return Ok(Part::Nothing);
        }
        let row = lease.row(self.places).map_err(|what| vec![(None, what)])?;
        Ok(Part::Row(Box::new(row)))
    }
}

fn header(names: &[&str]) -> Result<[usize; NAMES.len()], Vec<Wrong>> {
    let mut wrong = Vec::new();
    let at = NAMES.map(|wanted| {
        let at = names.iter().position(|name| *name == wanted);
        if at.is_none() {
            let due = "the first line of a Kea lease file: a column is missing";
            wrong.push((None, malformed(wanted, due)));
        }
        at.unwrap_or(0)
    });
    if wrong.is_empty() { Ok(at) } else { Err(wrong) }
}

struct Lease {
    addr: Ipv4Addr,
    hwaddr: Vec<u8>,
    client_id: Vec<u8>,
    valid_lifetime: u32,
    expire: u64,
    state: u64,
}

impl Lease {
    fn read(cells: [&str; NAMES.len()]) -> Result<Self, What> {
        let [addr, hwaddr, client_id, valid_lifetime, expire, state] = cells;
        let lifetime = number(valid_lifetime).and_then(|n| u32::try_from(n).ok());
        Ok(Self {
            addr: parsed(addr).ok_or_else(|| malformed(addr, "an IPv4 address"))?,
            hwaddr: octets(hwaddr, 16).ok_or_else(|| malformed(hwaddr, "a hardware address"))?,
            client_id: octets(client_id, 255).ok_or_else(|| malformed(client_id, "a client-id"))?,
            valid_lifetime: lifetime
                .ok_or_else(|| malformed(valid_lifetime, "a lease time in seconds"))?,
            expire: number(expire).ok_or_else(|| malformed(expire, "a time in Unix seconds"))?,
            state: number(state)
                .filter(|state| *state <= 3)
                .ok_or_else(|| malformed(state, "a state from 0 to 3"))?,
        })
    }

    /// The record that says the same.
    fn row(self, places: &Places<'_>) -> Result<Row, What> {
        let endless = self.valid_lifetime == INFINITE;
        let (kind, identity) = match self.state {
            1 => (RecordKind::SetAside, Vec::new()),
            3 => (RecordKind::Released, self.identity(places)?),
            _ => (RecordKind::Active, self.identity(places)?),
        };
        Ok(Row {
            kind,
            space: 0,
            addr: self.addr,
            generation: 1,
            time: self.expire.saturating_sub(self.valid_lifetime.into()),
            expiry: if endless { u64::MAX } else { self.expire },
            lease: self.valid_lifetime,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity,
            htype: if self.hwaddr.is_empty() { 0 } else { ETHERNET },
            chaddr: self.hwaddr,
            agent_info: Vec::new(),
        })
    }

    /// What the network would know the client by.
    fn identity(&self, places: &Places<'_>) -> Result<Vec<u8>, What> {
        let network = places.network(0, self.addr).map(|(_, network)| network);
        let name = || network.map(|n| n.name.clone()).unwrap_or_default();
        let ignored = network.is_some_and(|network| {
            let mut ignored = network.ignored_client_ids.iter();
            ignored.any(|id| **id == *self.client_id)
        });
        let rest = self.client_id.get(1..).unwrap_or_default();
        let says = |nothing: u8| rest.iter().all(|octet| *octet == nothing);
        let client_id = (!ignored && !says(0) && !says(0xff))
            .then(|| Identity::new(Kind::ClientId, &[&self.client_id]))
            .flatten();
        let usable = self.hwaddr.iter().any(|octet| *octet != 0);
        let chaddr = usable
            .then(|| Identity::new(Kind::Chaddr, &[&[ETHERNET], &self.hwaddr]))
            .flatten();
        let identity = match network.map_or(IdentityMode::ClientId, |network| network.identity) {
            IdentityMode::ClientId => client_id.or(chaddr),
            IdentityMode::Chaddr => chaddr.or(client_id),
            IdentityMode::Circuit | IdentityMode::CircuitChaddr => {
                return Err(What::ByCircuit(name()));
            }
        };
        let identity = identity.ok_or_else(|| What::Nobody(name()))?;
        Ok(identity.as_slice().to_vec())
    }
}
