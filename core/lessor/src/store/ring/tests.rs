use super::*;
use crate::store::Lsn;
use core::net::Ipv4Addr;
use dhcp_proto::record::{Cause, MAX_IDENTITY, Origin, RecordKind};

fn record<'a>(generation: u64, identity: &'a [u8], agent_info: &'a [u8]) -> Record<'a> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::new(10, 0, 0, 1),
        generation,
        time: 1,
        expiry: 2,
        lease: 1,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity,
        htype: 1,
        chaddr: &[2; 6],
        agent_info,
    }
}

const LONG: &[u8] = &[7; MAX_IDENTITY];
const AGENT: &[u8] = &[8; MAX_AGENT_INFO];

/// The generations in a batch, each record sound and numbered in turn.
fn generations(batch: &mut Batch) -> Vec<u64> {
    batch.seal();
    let mut rest = batch.records();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (lsn, record, behind) = encode::decode(rest).unwrap();
        assert_eq!(lsn, batch.first().plus(u32::try_from(found.len()).unwrap()));
        found.push(record.generation);
        rest = behind;
    }
    found
}

#[test]
fn records_of_one_and_of_seven_slots_pass_the_border_of_the_ring_whole() {
    // Seventeen slots and records of one and seven: every place in the ring is a border once.
    let (mut worker, mut drain) = ring(17);
    let mut next = 0;
    let mut seen = Vec::new();
    for round in 0..200 {
        for i in 0..2 {
            if worker.has_room() {
                next += 1;
                let (identity, agent) = if (round + i) % 3 == 0 {
                    (&LONG[..8], &AGENT[..0])
                } else {
                    (LONG, AGENT)
                };
                assert_eq!(worker.append(&record(next, identity, agent)), next);
            }
        }
        let mut batch = Batch::new(Lsn(1 + seen.len() as u64));
        drain.take(0, &mut batch, 1);
        seen.extend(generations(&mut batch));
    }
    let mut batch = Batch::new(Lsn(1 + seen.len() as u64));
    drain.take(0, &mut batch, usize::MAX);
    seen.extend(generations(&mut batch));
    assert_eq!(seen, (1..=next).collect::<Vec<_>>());
    assert!(next >= 200);
}

#[test]
fn there_is_room_as_long_as_two_longest_records_fit() {
    let (mut worker, mut drain) = ring(ROOM + 1);
    assert!(worker.has_room());
    worker.append(&record(1, &LONG[..8], &[]));
    assert!(worker.has_room());
    worker.append(&record(2, &LONG[..8], &[]));
    assert!(!worker.has_room());
    let mut batch = Batch::new(Lsn(1));
    assert_eq!(drain.take(0, &mut batch, usize::MAX), 2);
    assert!(worker.has_room());
    assert_eq!(worker.append(&record(3, LONG, AGENT)), 3);
    assert_eq!(worker.append(&record(4, LONG, AGENT)), 4);
    assert!(!worker.has_room());
}

#[test]
fn the_watermark_is_what_the_committer_published() {
    let (mut worker, mut drain) = ring(64);
    assert_eq!(worker.durable(), 0);
    for generation in 1..=5 {
        worker.append(&record(generation, &[], &[]));
    }
    let mut batch = Batch::new(Lsn(1));
    drain.take(3, &mut batch, 4);
    assert_eq!(batch.marks(), [Mark { ring: 3, upto: 4 }]);
    assert_eq!(worker.durable(), 0);
    drain.publish(4);
    assert_eq!(worker.durable(), 4);
}

#[test]
fn nothing_is_taken_on_while_the_store_is_in_trouble() {
    let (worker, drain) = ring(64);
    drain.halt(Halt::Failing, true);
    assert!(!worker.has_room());
    drain.halt(Halt::Failing, false);
    assert!(worker.has_room());
}

#[test]
fn option_82_that_is_too_long_is_left_out_and_counted() {
    let (mut worker, mut drain) = ring(64);
    worker.append(&record(1, LONG, &[8; MAX_AGENT_INFO + 1]));
    let mut batch = Batch::new(Lsn(1));
    drain.take(0, &mut batch, 1);
    batch.seal();
    let (_, record, _) = encode::decode(batch.records()).unwrap();
    assert_eq!((record.agent_info, record.identity), (&[][..], LONG));
    assert_eq!(drain.meter().counters().agent_info_dropped, 1);
}

#[test]
fn a_record_without_an_encoding_is_never_durable_and_ends_the_ring() {
    let (mut worker, mut drain) = ring(64);
    assert_eq!(worker.append(&record(1, &[], &[])), 1);
    let refused = worker.append(&record(2, &[7; MAX_IDENTITY + 1], &[]));
    assert!(!worker.has_room());
    assert_eq!(worker.append(&record(3, &[], &[])), refused);
    let mut batch = Batch::new(Lsn(1));
    drain.take(0, &mut batch, usize::MAX);
    assert_eq!(generations(&mut batch), [1]);
    drain.publish(batch.marks()[0].upto);
    assert!(worker.durable() < refused);
    assert_eq!(drain.meter().counters().refused, 2);
}
