//! What the disk has confirmed: the engine, with somebody who looks over its shoulder.

use super::client::Millis;
use dhcp_proto::record::{Record, RecordKind};
use lessor::store::log::simulated::Upkeep;
use lessor::store::medium::memory::MemoryMedium;
use lessor::store::{Batch, Completion, Log, Lsn, Recovered, Store, encode};
use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

/// The newest durable record of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Noted {
    rank: (u64, Lsn),
    pub(super) kind: RecordKind,
    chaddr: Vec<u8>,
    /// When it ends by the clock that it was written by, Unix seconds.
    pub(super) expiry: u64,
    /// Seconds from when it was written to its expiry.
    whole: u64,
}

/// How long an ACK may take from the worker that lets it go to the wire: it may wait for its next
/// hop, and for a worker that has a queue.
const ON_ITS_WAY: Millis = 4000;

#[derive(Debug, Default)]
struct Pages {
    durable: BTreeMap<Ipv4Addr, Noted>,
    /// Leases whose record was followed by one that is no lease of that client, and when.
    former: BTreeMap<(Ipv4Addr, Vec<u8>), (u64, Millis)>,
    now: Millis,
    records: u64,
    /// The engine may try again what has failed.
    retry: bool,
    troubled: bool,
}

impl Pages {
    fn note(&mut self, lsn: Lsn, record: &Record<'_>) {
        let before = self.durable.get(&record.addr).cloned();
        note(&mut self.durable, lsn, record);
        if let Some(before) = before.filter(|before| before.kind == RecordKind::Active) {
            let lease = (before.whole, self.now);
            self.former.insert((record.addr, before.chaddr), lease);
        }
    }
}

/// What is known to be on disk; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Pages>>);

impl Ledger {
    fn with<T>(&self, act: impl FnOnce(&mut Pages) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn of(&self, addr: Ipv4Addr) -> Option<Noted> {
        self.with(|pages| pages.durable.get(&addr).cloned())
    }

    pub(super) fn tell(&self, now: Millis) {
        self.with(|pages| pages.now = now);
    }

    /// Whether a lease of so many seconds is on disk, or was until just now.
    pub(super) fn has_stated(&self, addr: Ipv4Addr, chaddr: [u8; 6], lease: u64) -> bool {
        self.with(|pages| {
            let noted = pages.durable.get(&addr);
            let is = noted.is_some_and(|noted| {
                noted.kind == RecordKind::Active && noted.chaddr == chaddr && lease <= noted.whole
            });
            let former = pages.former.get(&(addr, chaddr.to_vec()));
            let was = former
                .is_some_and(|(whole, until)| lease <= *whole && until + ON_ITS_WAY > pages.now);
            is || was
        })
    }

    pub(super) fn records(&self) -> u64 {
        self.with(|pages| pages.records)
    }

    pub(super) fn is_troubled(&self) -> bool {
        self.with(|pages| pages.troubled)
    }

    pub(super) fn let_retry(&self) {
        self.with(|pages| pages.retry = true);
    }

    /// A start has found this; what was confirmed before must be in it.
    pub(super) fn compare(&self, recovered: &Recovered<MemoryMedium>) {
        let mut found = BTreeMap::new();
        let read = recovered.for_each_newest(|lsn, record| note(&mut found, lsn, record));
        read.expect("the store can be read");
        self.with(|pages| {
            for (addr, noted) in &pages.durable {
                let there: Option<&Noted> = found.get(addr);
                assert!(
                    there.is_some_and(|there| there.rank >= noted.rank),
                    "{addr}: {noted:?} was on disk, and now there is {there:?}"
                );
            }
            (pages.durable, pages.troubled) = (found, false);
        });
    }
}

fn note(known: &mut BTreeMap<Ipv4Addr, Noted>, lsn: Lsn, record: &Record<'_>) {
    let of_address = match record.kind {
        RecordKind::Time | RecordKind::ReservationAdded | RecordKind::ReservationRemoved => false,
        RecordKind::Active
        | RecordKind::Released
        | RecordKind::Ended
        | RecordKind::Declined
        | RecordKind::SetAside
        | RecordKind::ProbationEnded => true,
    };
    let rank = (record.generation, lsn);
    let newer = known.get(&record.addr).is_none_or(|n| n.rank < rank);
    if of_address && newer {
        let noted = Noted {
            rank,
            kind: record.kind,
            chaddr: record.chaddr.to_vec(),
            expiry: record.expiry,
            whole: record.expiry.saturating_sub(record.time),
        };
        known.insert(record.addr, noted);
    }
}

/// The log, watched.
#[derive(Debug)]
pub(super) struct Witness {
    log: Log<MemoryMedium>,
    ledger: Ledger,
}

impl Witness {
    pub(super) fn new(
        mut log: Log<MemoryMedium>,
        recovered: Recovered<MemoryMedium>,
        ledger: Ledger,
    ) -> (Self, Upkeep) {
        let upkeep = Upkeep::new(&mut log, recovered);
        (Self { log, ledger }, upkeep)
    }

    fn note(&self, batch: &Batch) {
        let mut rest = batch.records();
        self.ledger.with(|pages| {
            pages.records += u64::from(batch.count());
            while !rest.is_empty() {
                let (lsn, record, behind) = encode::decode(rest).expect("a record of the server");
                rest = behind;
                pages.note(lsn, &record);
            }
        });
    }
}

impl Store for Witness {
    fn next_lsn(&self) -> Lsn {
        self.log.next_lsn()
    }

    fn ready(&self) -> bool {
        self.log.ready()
    }

    fn submit(&mut self, batch: Batch) {
        self.log.submit(batch);
    }

    /// What has failed is tried again when the simulation says so, and not by a clock.
    fn completed(&mut self) -> Option<Completion> {
        if self.log.trouble().is_some() {
            self.ledger.with(|pages| pages.troubled = true);
            if !self.ledger.with(|pages| std::mem::take(&mut pages.retry)) {
                return None;
            }
            self.log.retry_now();
        }
        let completion = self.log.completed()?;
        self.ledger.with(|pages| pages.troubled = false);
        if let Completion::Durable(batch) = &completion {
            self.note(batch);
        }
        Some(completion)
    }

    fn trouble(&self) -> Option<&io::Error> {
        self.log.trouble()
    }

    fn close(&mut self) -> io::Result<()> {
        self.log.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_proto::restart::time_record;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
    const MAC: [u8; 6] = [2, 0x51, 0, 0, 0, 1];

    /// A ledger in which these records of the address became durable, at these milliseconds.
    fn ledger(records: &[(RecordKind, Millis)]) -> Ledger {
        let ledger = Ledger::default();
        for (number, (kind, at)) in (1..).zip(records) {
            let record = Record {
                kind: *kind,
                addr: ADDR,
                generation: number,
                expiry: 60,
                chaddr: &MAC,
                ..time_record(0, None)
            };
            ledger.tell(*at);
            ledger.with(|pages| pages.note(Lsn(number), &record));
        }
        ledger
    }

    #[test]
    fn an_ack_states_what_is_on_disk_and_no_more() {
        let ledger = ledger(&[(RecordKind::Active, 0)]);
        assert!(ledger.has_stated(ADDR, MAC, 60));
        assert!(!ledger.has_stated(ADDR, MAC, 61), "a longer lease");
        assert!(!ledger.has_stated(ADDR, [0; 6], 60), "another client's");
        let other = Ipv4Addr::new(10, 0, 1, 11);
        assert!(!ledger.has_stated(other, MAC, 60), "another address");
        assert!(!Ledger::default().has_stated(ADDR, MAC, 60), "none at all");
    }

    #[test]
    fn an_ack_of_what_is_no_lease_any_more_may_be_on_its_way_and_not_for_long() {
        for kind in [
            RecordKind::Released,
            RecordKind::Ended,
            RecordKind::Declined,
        ] {
            let ledger = ledger(&[(RecordKind::Active, 0), (kind, 5000)]);
            assert!(ledger.has_stated(ADDR, MAC, 60));
            ledger.tell(5000 + ON_ITS_WAY);
            assert!(!ledger.has_stated(ADDR, MAC, 60), "{kind:?}");
        }
    }
}
