//! Whether the rows of a file go together with one another, the configuration and the store.
//!
//! Of each row it keeps some 60 octets: where it is and what it comes to, not what it says. That
//! two rows say the same is told by a keyed hash of 64 bits.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::Ipv4Addr;

use dhcp_proto::address::Generation;
use dhcp_proto::record::{Record, RecordKind};

use super::Lenience;
use super::fault::{Fault, Faults, What, Where};
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

    /// A hash of all that a record says but its generation.
    fn content(&self, record: &Record<'_>) -> u64 {
        let Record {
            kind,
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

    /// Checks the rows against the newest record of an address or a reservation in the store.
    pub(super) fn compare(&mut self, record: &Record<'_>) {
        if row::is_reservation(record.kind) {
            self.compare_reservation(record);
            return;
        }
        let key = (record.space, record.addr);
        if let Some(entry) = self.addresses.get(&key).copied() {
            match self.against(&entry, record) {
                Ok(step) => {
                    self.addresses.insert(key, Entry { step, ..entry });
                    if step == Step::Older {
                        self.ahead.extend(self.lessee(record).map(|(key, _)| key));
                    }
                }
                Err(what) => self.object(entry.line, what),
            }
        } else {
            self.compare_client(record);
        }
    }

    /// What a row comes to where the store has `record`.
    fn against(&self, entry: &Entry, record: &Record<'_>) -> Result<Step, What> {
        let Record {
            addr,
            generation,
            time,
            ..
        } = *record;
        if entry.content == self.content(record) && entry.generation <= generation {
            return Ok(Step::Same(generation));
        }
        let state = self.state(record);
        let in_use = matches!(state, Some(State::Active | State::Abandoned));
        if entry.since < time && self.lenience.skip_older {
            return Ok(Step::Older);
        }
        if in_use && entry.client != self.hasher.hash_one(record.identity) {
            let state = state.map_or("", State::as_str);
            let expiry = record.expiry;
            return Err(What::Held {
                addr,
                state,
                expiry,
            });
        }
        if entry.since < time {
            return Err(What::Older { addr, since: time });
        }
        let next = Generation::new(generation.saturating_add(1));
        let next = next.ok_or(What::Exhausted(addr))?.number();
        Ok(Step::Write(entry.generation.max(next)))
    }

    /// Checks a lease of the store whose address is not in the file: what the file says of its
    /// client would take it away, since of a client the store remembers the last address.
    fn compare_client(&mut self, record: &Record<'_>) {
        let Some((key, network)) = self.lessee(record) else {
            return;
        };
        let Some(Client { line, since, .. }) = self.clients.get(&key).copied() else {
            return;
        };
        if self.lenience.skip_older && since < record.time {
            self.ahead.insert(key);
        } else {
            let (addr, by) = (record.addr, Where::Store);
            self.object(line, What::SecondLease { addr, network, by });
        }
    }

    /// The client that has a lease by `record` now, and its network.
    fn lessee(&self, record: &Record<'_>) -> Option<(u64, String)> {
        let leased = self.state(record) == Some(State::Active);
        leased.then(|| self.client(record)).flatten()
    }

    fn compare_reservation(&mut self, record: &Record<'_>) {
        let (space, addr) = (record.space, record.addr);
        let client = self.hasher.hash_one(record.identity);
        let key = (space, addr, client);
        if let Some(entry) = self.reservations.get(&key).copied() {
            let step = if entry.content == self.content(record) {
                Ok(Step::Same(record.generation))
            } else if entry.since >= record.time {
                Ok(Step::Write(entry.generation))
            } else if self.lenience.skip_older {
                Ok(Step::Older)
            } else {
                let since = record.time;
                Err(What::Older { addr, since })
            };
            match step {
                Ok(step) => drop(self.reservations.insert(key, Entry { step, ..entry })),
                Err(what) => self.object(entry.line, what),
            }
        } else if record.kind == RecordKind::ReservationAdded
            && let Some((line, _)) = self.kept.get(&(space, addr)).copied()
        {
            let by = Where::Store;
            self.object(line, What::ReservedAgain { addr, by });
        }
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
