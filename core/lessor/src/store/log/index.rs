//! The newest record of each address, by generation and then by log sequence number.
//!
//! Two shards' records about one address can reach the log in the wrong order, and after a change
//! of the number of workers one generation may have two writers; the order of both numbers
//! decides, not the place. Sixteen octets an address, in blocks of 256 neighbours.

use crate::store::encode::Lsn;
use dhcp_proto::record::{Record, RecordKind};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

/// Space and block of 256 addresses.
type BlockKey = (u16, u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Entry {
    generation: u64,
    /// 0 if there is none.
    lsn: Lsn,
}

/// Reservations are few and hide no binding, so they stand apart.
type ReservationKey = (u16, u32, Box<[u8]>);

/// Which records are the newest.
#[derive(Debug, Default)]
pub(super) struct Index {
    blocks: HashMap<BlockKey, Box<[Entry; 256]>>,
    reservations: BTreeMap<ReservationKey, Lsn>,
    addresses: u64,
}

/// What a record speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Binding,
    Reservation,
    Nothing,
}

fn subject(kind: RecordKind) -> Subject {
    match kind {
        RecordKind::Active
        | RecordKind::Released
        | RecordKind::Ended
        | RecordKind::Declined
        | RecordKind::SetAside
        | RecordKind::ProbationEnded => Subject::Binding,
        RecordKind::ReservationAdded | RecordKind::ReservationRemoved => Subject::Reservation,
        RecordKind::Time => Subject::Nothing,
    }
}

impl Index {
    /// Takes note of a record, in whatever order they come.
    pub(super) fn note(&mut self, lsn: Lsn, record: &Record<'_>) {
        match subject(record.kind) {
            Subject::Binding => {
                let this = Entry {
                    generation: record.generation,
                    lsn,
                };
                let entry = self.entry(record);
                let new = *entry == Entry::default();
                *entry = this.max(*entry);
                self.addresses += u64::from(new);
            }
            Subject::Reservation => {
                let newest = self.reservations.entry(reservation(record)).or_default();
                *newest = lsn.max(*newest);
            }
            Subject::Nothing => {}
        }
    }

    /// Whether the record is the newest of its kind; says so once.
    pub(super) fn take(&mut self, lsn: Lsn, record: &Record<'_>) -> bool {
        match subject(record.kind) {
            Subject::Binding => {
                let this = Entry {
                    generation: record.generation,
                    lsn,
                };
                let entry = self.entry(record);
                if *entry != this || lsn == Lsn::default() {
                    return false;
                }
                *entry = Entry::default();
                self.addresses -= 1;
                true
            }
            Subject::Reservation => {
                let key = reservation(record);
                let newest = self.reservations.get(&key) == Some(&lsn);
                if newest {
                    self.reservations.remove(&key);
                }
                newest
            }
            Subject::Nothing => false,
        }
    }

    /// How many addresses have a record.
    pub(super) fn addresses(&self) -> u64 {
        self.addresses
    }

    /// How many reservations have a record.
    pub(super) fn reservations(&self) -> u64 {
        self.reservations.len() as u64
    }

    /// Blocks of 256 addresses with a record: the space and the first address of each.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        let first = |(space, block): &BlockKey| (*space, Ipv4Addr::from_bits(block << 8));
        self.blocks.keys().map(first)
    }

    fn entry(&mut self, record: &Record<'_>) -> &mut Entry {
        let addr = record.addr.to_bits();
        let [.., low] = addr.to_be_bytes();
        let block = self
            .blocks
            .entry((record.space, addr >> 8))
            .or_insert_with(|| Box::new([Entry::default(); 256]));
        &mut block[usize::from(low)]
    }
}

fn reservation(record: &Record<'_>) -> ReservationKey {
    (
        record.space,
        record.addr.to_bits(),
        Box::from(record.identity),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;
    use dhcp_proto::record::Origin;

    fn record(kind: RecordKind, generation: u64) -> Record<'static> {
        Record {
            kind,
            space: 3,
            addr: Ipv4Addr::new(10, 0, 0, 255),
            generation,
            time: 1,
            expiry: 2,
            lease: 1,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity: b"x",
            htype: 1,
            chaddr: &[],
            agent_info: &[],
        }
    }

    #[test]
    fn the_highest_generation_wins_then_the_highest_number_whatever_the_order() {
        let records = [(Lsn(1), 5), (Lsn(2), 7), (Lsn(3), 7), (Lsn(4), 6)];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
            let mut index = Index::default();
            for i in order {
                let (lsn, generation) = records[i];
                index.note(lsn, &record(RecordKind::Active, generation));
            }
            assert_eq!(index.addresses(), 1);
            let taken: Vec<_> = records
                .iter()
                .filter(|(lsn, g)| index.take(*lsn, &record(RecordKind::Active, *g)))
                .collect();
            assert_eq!(taken, [&(Lsn(3), 7)]);
            assert_eq!(index.addresses(), 0);
        }
    }

    #[test]
    fn a_reservation_hides_no_binding_and_time_hides_nothing() {
        let mut index = Index::default();
        index.note(Lsn(1), &record(RecordKind::Active, 9));
        index.note(Lsn(2), &record(RecordKind::ReservationAdded, 0));
        index.note(Lsn(3), &record(RecordKind::ReservationRemoved, 0));
        index.note(Lsn(4), &record(RecordKind::Time, 99));
        assert!(index.take(Lsn(1), &record(RecordKind::Active, 9)));
        assert!(!index.take(Lsn(2), &record(RecordKind::ReservationAdded, 0)));
        assert!(index.take(Lsn(3), &record(RecordKind::ReservationRemoved, 0)));
        assert!(!index.take(Lsn(4), &record(RecordKind::Time, 99)));
    }
}
