//! The rows of a file against the store, record by record.

use std::hash::BuildHasher as _;

use dhcp_proto::address::Generation;
use dhcp_proto::record::{Record, RecordKind};

use super::{Client, Entry, Ledger, Step};
use crate::control::State;
use crate::leasefile::fault::{What, Where};
use crate::leasefile::row;

impl Ledger<'_> {
    /// Checks the rows against the newest record of an address or a reservation in the store.
    pub(in crate::leasefile) fn compare(&mut self, record: &Record<'_>) {
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

    /// Checks a lease of the store whose address is not in the file: its client would have two, or
    /// what the file says of it would be forgotten beside this one.
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
            let is_added = record.kind == RecordKind::ReservationAdded;
            let other = self.kept.get(&(space, addr)).copied();
            let other = other.filter(|(_, other)| *other != client && is_added);
            match (step, other) {
                // The store's stays, and the file has another one of the address.
                (Ok(Step::Older), Some((line, _))) => {
                    let by = Where::Store;
                    self.object(line, What::ReservedAgain { addr, by });
                }
                (Ok(step), _) => drop(self.reservations.insert(key, Entry { step, ..entry })),
                (Err(what), _) => self.object(entry.line, what),
            }
        } else if record.kind == RecordKind::ReservationAdded
            && let Some((line, _)) = self.kept.get(&(space, addr)).copied()
        {
            let by = Where::Store;
            self.object(line, What::ReservedAgain { addr, by });
        }
    }
}
