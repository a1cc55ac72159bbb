use super::*;
use dhcp_proto::record::Origin;

fn record(kind: RecordKind, generation: u64) -> Record<'static> {
    Record {
        kind,
        cause: dhcp_proto::record::Cause::Unsaid,
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

fn note(index: &mut Index, lsn: u64, record: Record<'_>) -> Option<u64> {
    let placed = Placed {
        lsn: Lsn(lsn),
        record,
        octets: &[0; 100],
        offset: 0,
    };
    index.note(&placed).map(|dead| dead.lsn.0)
}

#[test]
fn the_highest_generation_wins_then_the_highest_number_whatever_the_order() {
    let records = [(1, 5), (2, 7), (3, 7), (4, 6)];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let mut index = Index::default();
        let mut dead = Vec::new();
        for i in order {
            let (lsn, generation) = records[i];
            dead.extend(note(
                &mut index,
                lsn,
                record(RecordKind::Active, generation),
            ));
        }
        dead.sort_unstable();
        assert_eq!(dead, [1, 2, 4]);
        assert_eq!((index.addresses(), index.due()), (1, 1));
        for (lsn, generation) in records {
            let record = record(RecordKind::Active, generation);
            assert_eq!(index.is_newest(Lsn(lsn), &record), lsn == 3);
        }
        let mut live = Vec::new();
        index.each_live(|lsn, length| live.push((lsn.0, length)));
        assert_eq!(live, [(3, 100)]);
    }
}

#[test]
fn a_record_noted_twice_is_not_dead() {
    let mut index = Index::default();
    for kind in RecordKind::ALL {
        index = Index::default();
        assert_eq!(note(&mut index, 7, record(kind, 1)), None);
        assert_eq!(note(&mut index, 7, record(kind, 1)), None, "{kind:?}");
    }
    assert_eq!(index.addresses(), 0);
}

#[test]
fn a_reservation_hides_no_binding_and_of_the_time_only_the_newest_counts() {
    let mut index = Index::default();
    let reserved = |kind| record(kind, 0);
    assert_eq!(note(&mut index, 1, record(RecordKind::Active, 9)), None);
    let added = reserved(RecordKind::ReservationAdded);
    assert_eq!(note(&mut index, 2, added), None);
    assert_eq!(index.due(), 2);
    let removed = reserved(RecordKind::ReservationRemoved);
    assert_eq!(note(&mut index, 3, removed), Some(2));
    assert_eq!(index.due(), 1);
    assert_eq!(note(&mut index, 4, record(RecordKind::Time, 99)), None);
    assert_eq!(note(&mut index, 6, record(RecordKind::Time, 99)), Some(4));
    assert_eq!(note(&mut index, 5, record(RecordKind::Time, 99)), Some(5));
    assert!(index.is_newest(Lsn(1), &record(RecordKind::Active, 9)));
    assert!(!index.is_newest(Lsn(2), &added));
    assert!(index.is_newest(Lsn(3), &removed));
    assert!(index.is_newest(Lsn(6), &record(RecordKind::Time, 99)));
    assert_eq!(index.marks().latest.0, Lsn(6));
    index.forget_gone(Lsn(2));
    assert!(index.is_newest(Lsn(3), &removed));
    index.forget_gone(Lsn(3));
    assert!(!index.is_newest(Lsn(3), &removed));
}

#[test]
fn an_entry_keeps_its_three_numbers() {
    let entry = Entry::new(LAST_GENERATION, Lsn(u64::MAX), 852);
    assert_eq!((entry.generation(), entry.length()), (LAST_GENERATION, 852));
    assert_eq!(
        Entry::new(u64::MAX, Lsn(1), 68).generation(),
        LAST_GENERATION
    );
}
