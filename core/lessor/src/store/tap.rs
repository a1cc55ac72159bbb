//! Encoded records on their way to the event log: a ring of octets from one thread to another.
//!
//! Who offers pays a copy and never waits. What finds no room is lost to the log, and counted.

use core::sync::atomic::{AtomicU64, Ordering};
use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;

use super::encode::{self, Lsn};
use dhcp_proto::record::Record;

/// The end that records go in by.
#[derive(Debug)]
pub struct Tap {
    ring: Producer<u8>,
    lost: Arc<AtomicU64>,
}

/// The end that they come out by.
#[derive(Debug)]
pub struct Outlet {
    ring: Consumer<u8>,
    /// What was taken out and is not a whole record yet.
    octets: Vec<u8>,
}

/// A ring of so many octets. Records that find no room are added to `lost`.
#[must_use]
pub fn tap(octets: usize, lost: Arc<AtomicU64>) -> (Tap, Outlet) {
    let (producer, consumer) = RingBuffer::new(octets.max(encode::MAX_RECORD));
    let outlet = Outlet {
        ring: consumer,
        octets: Vec::new(),
    };
    let ring = producer;
    (Tap { ring, lost }, outlet)
}

impl Tap {
    /// Takes `count` encoded records that lie one behind the other, all of them or none.
    pub fn offer(&mut self, records: &[u8], count: u64) {
        if self.ring.push_entire_slice(records).is_err() {
            self.lose(count);
        }
    }

    /// Takes those of the records for which `wanted` says so.
    pub fn offer_some(&mut self, mut records: &[u8], wanted: impl Fn(&Record<'_>) -> bool) {
        while let Ok((_, record, rest)) = encode::decode_again(records) {
            let length = records.len().saturating_sub(rest.len());
            if wanted(&record)
                && let Some(octets) = records.get(..length)
            {
                self.offer(octets, 1);
            }
            records = rest;
        }
    }

    /// Counts records that the log will not have.
    pub fn lose(&self, count: u64) {
        self.lost.fetch_add(count, Ordering::Relaxed);
    }
}

impl Outlet {
    /// Octets that wait in the ring.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.ring.slots()
    }

    /// Takes at most `most` octets out, and gives each record that is whole to `each`. How many
    /// octets it took.
    pub fn take(&mut self, most: usize, mut each: impl FnMut(Lsn, &Record<'_>)) -> usize {
        let taken = self.ring.slots().min(most);
        let Ok(chunk) = self.ring.read_chunk(taken) else {
            return 0;
        };
        let (front, back) = chunk.as_slices();
        self.octets.extend_from_slice(front);
        self.octets.extend_from_slice(back);
        chunk.commit_all();
        let mut at = 0;
        while let Some(rest) = self.octets.get(at..)
            && let Some(length) = rest.get(..2).and_then(encode::length)
            && let Some(record) = rest.get(..length)
        {
            // Only what was encoded here comes this way.
            if let Ok((lsn, record, _)) = encode::decode_again(record) {
                each(lsn, &record);
            }
            at += length;
        }
        self.octets.drain(..at);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_proto::record::{Cause, Origin, RecordKind};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn record(addr: u32, identity: &[u8]) -> Vec<u8> {
        let record = Record {
            kind: RecordKind::Active,
            cause: Cause::Granted,
            space: 0,
            addr: Ipv4Addr::from_bits(addr),
            generation: 1,
            time: 1,
            expiry: 2,
            lease: 1,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity,
            htype: 1,
            chaddr: &[],
            agent_info: &[],
        };
        let mut octets = vec![0; encode::MAX_RECORD];
        let length = encode::encode(&record, &mut octets).unwrap();
        octets.truncate(length);
        octets
    }

    fn addresses(outlet: &mut Outlet, most: usize) -> Vec<u32> {
        let mut seen = Vec::new();
        while outlet.take(most, |_, record| seen.push(record.addr.to_bits())) > 0 {}
        seen
    }

    #[test]
    fn a_full_ring_loses_whole_batches_and_counts_their_records() {
        let lost = Arc::new(AtomicU64::new(0));
        let (mut tap, mut outlet) = tap(1000, Arc::clone(&lost));
        let batch = [record(1, &[1; 200]), record(2, &[1; 200])].concat();
        tap.offer(&batch, 2);
        tap.offer(&batch, 2);
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        assert_eq!(addresses(&mut outlet, 1000), [1, 2]);
        tap.offer(&batch, 2);
        assert_eq!(addresses(&mut outlet, 1000), [1, 2]);
    }

    #[test]
    fn of_a_batch_only_what_is_wanted_goes_in() {
        let (mut tap, mut outlet) = tap(4000, Arc::default());
        let batch: Vec<u8> = (1..6).flat_map(|addr| record(addr, &[1])).collect();
        tap.offer_some(&batch, |record| record.addr.to_bits() % 2 == 0);
        assert_eq!(addresses(&mut outlet, 4000), [2, 4]);
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in_whatever_pieces_they_are_taken_in(
            lengths in proptest::collection::vec(1..200_usize, 1..60),
            most in 1..400_usize,
        ) {
            let (mut tap, mut outlet) = tap(2000, Arc::default());
            let mut seen = Vec::new();
            for (addr, length) in (0..).zip(&lengths) {
                tap.offer(&record(addr, &vec![7; *length]), 1);
                outlet.take(most, |_, record| seen.push((record.addr.to_bits(), record.identity.len())));
                if outlet.waiting() > 1000 {
                    while outlet.take(most, |_, r| seen.push((r.addr.to_bits(), r.identity.len()))) > 0 {}
                }
            }
            while outlet.take(most, |_, r| seen.push((r.addr.to_bits(), r.identity.len()))) > 0 {}
            let sent: Vec<_> = (0..).zip(lengths).collect();
            prop_assert_eq!(seen, sent);
        }
    }
}
