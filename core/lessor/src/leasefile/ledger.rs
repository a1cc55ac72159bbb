//! Whether the rows of a file go together with one another, the configuration and the store.
//!
//! Of each row it keeps two entries in tables, some 200 octets: where it is and what it comes to,
//! not what it says. That two rows say the same is told by a keyed hash of 64 bits.

mod compare;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::Ipv4Addr;

use dhcp_proto::record::{Record, RecordKind};

use super::Lenience;
use super::fault::{Fault, What, Where};
use super::faults::Faults;
use super::places::Places;
use super::row::{self, Row};
use crate::control::State;

/// How far a clock may be ahead of ours, seconds.
const CLOCKS_DIFFER: u64 = 300;

/// What a row comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It is written with this generation.
    Write(u64),
    /// The store says the same, with this generation.
    Same(u64),
    /// The store says something newer, and it is left out.
    Older,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    line: u64,
    content: u64,
    client: u64,
    since: u64,
    generation: u64,
    step: Step,
}

/// What the file says of a client of a network: its lease, or else what it had last.
#[derive(Debug, Clone, Copy)]
struct Client {
    line: u64,
    addr: Ipv4Addr,
    since: u64,
    leased: bool,
}

/// The rows of a file.
pub(super) struct Ledger<'l> {
    places: &'l Places<'l>,
    lenience: Lenience,
    /// Unix seconds.
    now: u64,
    hasher: RandomState,
    addresses: HashMap<(u16, Ipv4Addr), Entry>,
    clients: HashMap<u64, Client>,
    /// Clients that have a newer lease in the store, and keep it.
    ahead: HashSet<u64>,
    /// By space, address and hash of the identity.
    reservations: HashMap<(u16, Ipv4Addr, u64), Entry>,
    /// Who an address is reserved for, and in which line.
    kept: HashMap<(u16, Ipv4Addr), (u64, u64)>,
    faults: Faults,
}

impl<'l> Ledger<'l> {
    pub(super) fn new(places: &'l Places<'l>, lenience: Lenience, now: u64) -> Self {
        Self {
            places,
            lenience,
            now,
            hasher: RandomState::new(),
            addresses: HashMap::new(),
            clients: HashMap::new(),
            ahead: HashSet::new(),
            reservations: HashMap::new(),
            kept: HashMap::new(),
            faults: Faults::default(),
        }
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    pub(super) fn is_faultless(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn into_faults(self) -> Faults {
        self.faults
    }

    /// Whether a row says that its address is leased now.
    pub(super) fn is_lease(&self, row: &Row) -> bool {
        self.state(&row.record(0)) == Some(State::Active)
    }

    fn state(&self, record: &Record<'_>) -> Option<State> {
        row::state(record.kind, record.expiry, self.now)
    }

    fn object(&mut self, line: u64, what: What) {
        self.faults.add(Fault::new(line, None, what));
    }

    /// Takes note of a row, and checks it against the rows before and the configuration.
    pub(super) fn note(&mut self, line: u64, row: &Row) {
        let Row { space, addr, .. } = *row;
        if row.time > self.now.saturating_add(CLOCKS_DIFFER) {
            self.object(line, What::Future(row.time));
        }
        if !self.lenience.allow_outside && self.places.network(space, addr).is_none() {
            self.object(line, What::Outside { addr, space });
        }
        let assigns = self.is_lease(row) || row.kind == RecordKind::ReservationAdded;
        if assigns && self.places.is_own(space, addr) {
            self.object(line, What::Own(addr));
        }
        if assigns && self.places.is_kept_from(row) {
            self.object(line, What::Reserved(addr));
        }
        let record = row.record(row.generation);
        let entry = Entry {
            line,
            content: self.content(&record),
            client: self.hasher.hash_one(&row.identity),
            since: row.time,
            generation: row.generation,
            step: Step::Write(row.generation),
        };
        let before = if row::is_reservation(row.kind) {
            self.note_reservation(row, entry);
            let key = (space, addr, entry.client);
            self.reservations.insert(key, entry)
        } else {
            self.note_client(line, row);
            self.addresses.insert((space, addr), entry)
        };
        if let Some(Entry { line: first, .. }) = before {
            self.object(line, What::Twice { addr, line: first });
        }
    }

    fn note_reservation(&mut self, row: &Row, entry: Entry) {
        if row.kind != RecordKind::ReservationAdded {
            return;
        }
        let (addr, line) = (row.addr, entry.line);
        let before = self.kept.insert((row.space, addr), (line, entry.client));
        if let Some((other, _)) = before.filter(|(_, client)| *client != entry.client) {
            let by = Where::Line(other);
            self.object(line, What::ReservedAgain { addr, by });
        }
    }

    fn note_client(&mut self, line: u64, row: &Row) {
        let record = row.record(0);
        let Some((key, network)) = self.client(&record) else {
            return;
        };
        let leased = self.is_lease(row);
        let addr = row.addr;
        let this = Client {
            line,
            addr,
            since: row.time,
            leased,
        };
        match self.clients.get(&key).copied() {
            Some(other) if other.leased && leased => {
                let what = What::SecondLease {
                    addr: other.addr,
                    network,
                    by: Where::Line(other.line),
                };
                self.object(line, what);
            }
            Some(other) if other.leased => {}
            Some(_) | None => drop(self.clients.insert(key, this)),
        }
    }

    /// The client of a lease, past or present, and its network.
    fn client(&self, record: &Record<'_>) -> Option<(u64, String)> {
        if !matches!(record.kind, RecordKind::Active | RecordKind::Released) {
            return None;
        }
        let (number, network) = self.places.network(record.space, record.addr)?;
        let key = self.hasher.hash_one((number, record.identity));
        Some((key, network.name.clone()))
    }

    /// A hash of all that a record says but its cause and its generation.
    fn content(&self, record: &Record<'_>) -> u64 {
        let Record {
            kind,
            cause: _,
            space,
            addr,
            generation: _,
            time,
            expiry,
            lease,
            origin,
            giaddr,
            identity,
            htype,
            chaddr,
            agent_info,
        } = record;
        let what = (kind, space, addr, time, expiry, lease);
        let whom = (origin, giaddr, identity, htype, chaddr, agent_info);
        self.hasher.hash_one((what, whom))
    }

    /// What a row comes to; nothing if the file had another row in that line before.
    pub(super) fn step(&self, line: u64, row: &Row) -> Option<Step> {
        let entry = if row::is_reservation(row.kind) {
            let client = self.hasher.hash_one(&row.identity);
            self.reservations.get(&(row.space, row.addr, client))
        } else {
            self.addresses.get(&(row.space, row.addr))
        };
        let content = self.content(&row.record(row.generation));
        let same =
            |e: &&Entry| (e.line, e.content, e.generation) == (line, content, row.generation);
        let step = entry.filter(same)?.step;
        let client = self.client(&row.record(0));
        let is_ahead = client.is_some_and(|(key, _)| self.ahead.contains(&key));
        Some(if is_ahead { Step::Older } else { step })
    }
}
