//! The log on the simulated disk, and on a real directory where the system is asked.

mod damage;
mod directory;
mod fuzz;
mod kill;
mod merging;
mod power;
mod repairing;
mod reserved;
mod restored;
mod simulation;

use super::{Log, LogOptions, Recovered};
use crate::store::encode::{self, MAX_RECORD};
use crate::store::medium::memory::MemoryMedium;
use crate::store::{Batch, Lsn, Store, StoreError};
use core::net::Ipv4Addr;
use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use std::collections::BTreeMap;

/// Of the simulation's clients, seconds; none of them ends while a round lasts.
const LEASE: u64 = 100_000;

/// A statement about an address, as short as it can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    addr: u32,
    generation: u64,
    kind: RecordKind,
    client: u8,
    expiry: u64,
}

fn active(addr: u32, generation: u64, client: u8) -> Told {
    Told {
        addr,
        generation,
        kind: RecordKind::Active,
        client,
        expiry: 1_800_003_600,
    }
}

fn released(addr: u32, generation: u64, client: u8) -> Told {
    Told {
        kind: RecordKind::Released,
        ..active(addr, generation, client)
    }
}

fn with_record<T>(told: Told, take: impl FnOnce(&Record<'_>) -> T) -> T {
    let identity = [told.client; 20];
    let record = Record {
        kind: told.kind,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::from_bits(told.addr),
        generation: told.generation,
        time: (told.expiry - LEASE).max(1_800_000_000 + told.generation),
        expiry: told.expiry,
        lease: 3600,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &identity,
        htype: 1,
        chaddr: &identity[..6],
        agent_info: &[],
    };
    take(&record)
}

fn push(batch: &mut Batch, told: Told) {
    let mut octets = [0; MAX_RECORD];
    let length = with_record(told, |record| encode::encode(record, &mut octets)).unwrap();
    // In two pieces, as at the border of a ring.
    let (head, tail) = octets[..length].split_at(length / 3);
    batch.push(head, tail);
}

/// Submits a batch; whether it is durable at once.
fn commit(log: &mut Log<MemoryMedium>, told: &[Told]) -> bool {
    let mut batch = Batch::new(log.next_lsn());
    for told in told {
        push(&mut batch, *told);
    }
    log.submit(batch);
    log.completed().is_some()
}

fn open(medium: &MemoryMedium) -> Result<(Recovered<MemoryMedium>, Log<MemoryMedium>), StoreError> {
    Log::open_on(medium.clone(), LogOptions::default())
}

/// What is known of each address.
type Known = BTreeMap<u32, (Told, Lsn)>;

fn known(recovered: &Recovered<MemoryMedium>) -> Known {
    let mut known = Known::new();
    let mut last = Lsn(0);
    let each = recovered.for_each_newest(|lsn, record| {
        assert!(lsn > last, "records come in the order of the log");
        last = lsn;
        let told = Told {
            addr: record.addr.to_bits(),
            generation: record.generation,
            kind: record.kind,
            client: record.identity[0],
            expiry: record.expiry,
        };
        let twice = known.insert(told.addr, (told, lsn));
        assert_eq!(twice, None, "one record an address");
    });
    each.unwrap();
    known
}

/// What a new process on this disk knows.
fn reopened(medium: &MemoryMedium) -> Known {
    known(&open(&medium.after_kill()).unwrap().0)
}

fn told(known: &Known) -> Vec<Told> {
    known.values().map(|(told, _)| *told).collect()
}

#[test]
fn a_new_store_is_empty_and_begins_at_one() {
    let medium = MemoryMedium::default();
    let (recovered, log) = open(&medium).unwrap();
    assert_eq!(recovered.summary().records, 0);
    assert_eq!(recovered.summary().highest_lsn, Lsn(0));
    assert_eq!(log.next_lsn(), Lsn(1));
    assert!(known(&recovered).is_empty());
}

#[test]
fn numbers_go_on_and_the_newest_record_of_each_address_is_found() {
    let medium = MemoryMedium::default();
    {
        let (_, mut log) = open(&medium).unwrap();
        assert!(commit(&mut log, &[active(1, 1, 1), active(2, 1, 2)]));
        assert!(commit(&mut log, &[active(1, 2, 3)]));
    }
    let (recovered, mut log) = open(&medium).unwrap();
    let summary = recovered.summary().clone();
    assert_eq!(log.next_lsn(), Lsn(4));
    assert_eq!((summary.records, summary.addresses), (3, 2));
    assert_eq!(summary.highest_lsn, Lsn(3));
    assert_eq!(summary.highest_generation, 2);
    assert_eq!(summary.newest_time, 1_800_000_002);
    assert_eq!(summary.torn, None);
    assert!(commit(&mut log, &[released(2, 1, 2)]));
    // Read before the last commit, so without it.
    let first = known(&recovered);
    assert_eq!(told(&first), [active(1, 2, 3), active(2, 1, 2)]);
    let second = reopened(&medium);
    assert_eq!(told(&second), [active(1, 2, 3), released(2, 1, 2)]);
    assert_eq!(second[&2].1, Lsn(4));
}

#[test]
fn one_commit_is_one_sync() {
    let medium = MemoryMedium::default();
    let (_, mut log) = open(&medium).unwrap();
    let before = medium.syncs();
    for generation in 0..10 {
        assert!(commit(&mut log, &[active(1, generation, 1)]));
    }
    assert_eq!(medium.syncs() - before, 10);
}

#[test]
fn segments_follow_each_other_when_one_is_full() {
    let medium = MemoryMedium::default();
    let options = LogOptions {
        segment_octets: 3 * 4096,
        ..LogOptions::default()
    };
    let (_, mut log) = Log::open_on(medium.clone(), options).unwrap();
    for generation in 1..=20 {
        assert!(commit(
            &mut log,
            &[active(1, generation, 1), active(100, generation, 2)]
        ));
    }
    assert_eq!(medium.segments().len(), 10);
    let (recovered, _) = open(&medium.after_kill()).unwrap();
    assert_eq!(recovered.summary().records, 40);
    assert_eq!(
        told(&known(&recovered)),
        [active(1, 20, 1), active(100, 20, 2)]
    );
}

#[test]
fn a_batch_longer_than_a_segment_has_one_to_itself() {
    let medium = MemoryMedium::default();
    let options = LogOptions {
        segment_octets: 4096,
        ..LogOptions::default()
    };
    let (_, mut log) = Log::open_on(medium.clone(), options).unwrap();
    let many: Vec<_> = (0..4096).map(|addr| active(addr, 1, 1)).collect();
    for _ in 0..3 {
        assert!(commit(&mut log, &many));
    }
    assert_eq!(medium.segments().len(), 3);
    assert_eq!(reopened(&medium).len(), 4096);
}

#[test]
fn starting_again_and_again_does_not_fill_the_disk() {
    let medium = MemoryMedium::default();
    for generation in 1..=3 {
        let (_, mut log) = open(&medium).unwrap();
        assert!(commit(&mut log, &[active(1, generation, 1)]));
    }
    let segments = medium.segments().len();
    for _ in 0..50 {
        let (recovered, log) = open(&medium).unwrap();
        assert_eq!(log.next_lsn(), Lsn(4));
        assert_eq!(told(&known(&recovered)), [active(1, 3, 1)]);
    }
    assert!(
        medium.segments().len() <= segments + 1,
        "{:?}",
        medium.segments()
    );
}

/// Two shards' records about one address: the old owner's RELEASE and the new client's ACK.
#[test]
fn a_released_address_has_the_right_owner_wherever_the_log_is_cut() {
    let bound = active(7, 4, 1);
    let gone = released(7, 4, 1);
    let taken = active(7, 5, 2);
    for group in [[gone, taken], [taken, gone]] {
        let medium = MemoryMedium::default();
        let (_, mut log) = open(&medium).unwrap();
        assert!(commit(&mut log, &[bound]));
        let before = medium.content(&medium.segments()[0]).len();
        assert!(commit(&mut log, &group));
        cut_everywhere(&medium, before, |owner, whole| {
            assert_eq!(owner, if whole { taken } else { bound });
        });
        // The same in two commits, each of which may be the last.
        let medium = MemoryMedium::default();
        let (_, mut log) = open(&medium).unwrap();
        assert!(commit(&mut log, &[bound]));
        assert!(commit(&mut log, &group[..1]));
        let before = medium.content(&medium.segments()[0]).len();
        assert!(commit(&mut log, &group[1..]));
        cut_everywhere(&medium, before, |owner, whole| {
            assert_eq!(owner, if whole { taken } else { group[0] });
        });
    }
}

/// Opens the store once for each length of its segment from `from` on.
fn cut_everywhere(medium: &MemoryMedium, from: usize, check: impl Fn(Told, bool)) {
    let segment = &medium.segments()[0];
    let whole = medium.content(segment);
    let records_end = whole.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    for cut in from..=whole.len() {
        let disk = medium.after_kill();
        disk.alter(segment, |octets| octets.truncate(cut));
        let (recovered, _) = open(&disk).unwrap();
        let torn = recovered.summary().torn.is_some();
        assert_eq!(torn, cut > from && cut < records_end, "cut at {cut}");
        let known = known(&recovered);
        check(known[&7].0, cut >= records_end);
    }
}
