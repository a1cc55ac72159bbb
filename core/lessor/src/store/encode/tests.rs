use super::*;
use proptest::prelude::*;

/// The parts of a record, owned.
#[derive(Debug, Clone)]
struct Parts {
    numbers: (u16, u32, u64, u64, u64, u32),
    origin: (u8, u16, u16),
    giaddr: u32,
    htype: u8,
    kind: usize,
    cause: usize,
    identity: Vec<u8>,
    chaddr: Vec<u8>,
    agent_info: Vec<u8>,
}

impl Parts {
    fn record(&self) -> Record<'_> {
        let (space, addr, generation, time, expiry, lease) = self.numbers;
        let (port, outer_vid, inner_vid) = self.origin;
        Record {
            kind: RecordKind::ALL[self.kind],
            cause: Cause::ALL[self.cause],
            space,
            addr: Ipv4Addr::from_bits(addr),
            generation,
            time,
            expiry,
            lease,
            origin: Origin {
                port,
                outer_vid,
                inner_vid,
            },
            giaddr: Ipv4Addr::from_bits(self.giaddr),
            identity: &self.identity,
            htype: self.htype,
            chaddr: &self.chaddr,
            agent_info: &self.agent_info,
        }
    }
}

prop_compose! {
    fn parts()(
        numbers in any::<(u16, u32, u64, u64, u64, u32)>(),
        origin in any::<(u8, u16, u16)>(),
        (giaddr, htype) in any::<(u32, u8)>(),
        kind in 0..RecordKind::ALL.len(),
        cause in 0..Cause::ALL.len(),
        identity in proptest::collection::vec(any::<u8>(), 0..=MAX_IDENTITY),
        chaddr in proptest::collection::vec(any::<u8>(), 0..=MAX_CHADDR),
        agent_info in proptest::collection::vec(any::<u8>(), 0..=MAX_AGENT_INFO),
    ) -> Parts {
        Parts { numbers, origin, giaddr, htype, kind, cause, identity, chaddr, agent_info }
    }
}

fn sealed(record: &Record<'_>, lsn: Lsn) -> Vec<u8> {
    let mut octets = vec![0xaa; MAX_RECORD];
    let length = encode(record, &mut octets).unwrap();
    octets.truncate(length);
    seal(&mut octets, lsn);
    octets
}

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was_written(parts in parts(), lsn in any::<u64>(), behind in any::<[u8; 5]>()) {
        let mut octets = sealed(&parts.record(), Lsn(lsn));
        prop_assert!(octets.len() <= MAX_RECORD);
        prop_assert_eq!(length(&octets), Some(octets.len()));
        octets.extend(behind);
        let (read, record, rest) = decode(&octets).unwrap();
        prop_assert_eq!(read, Lsn(lsn));
        prop_assert_eq!(record, parts.record());
        prop_assert_eq!(rest, &behind[..]);
    }

    #[test]
    fn any_octets_are_a_record_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..1200)) {
        let _either = decode(&octets);
    }

    #[test]
    fn octets_with_a_sound_checksum_are_still_looked_at(parts in parts(), at in 0..FIXED, value: u8) {
        let mut octets = sealed(&parts.record(), Lsn(1));
        octets[at] = value;
        seal(&mut octets, Lsn(1));
        // Whatever still decodes says the same octets again.
        if let Ok((lsn, record, rest)) = decode(&octets) {
            prop_assert!(rest.is_empty());
            prop_assert_eq!(sealed(&record, lsn), octets);
        }
    }

    #[test]
    fn a_changed_bit_is_seen(parts in parts(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut octets = sealed(&parts.record(), Lsn(77));
        let at = at.index(octets.len());
        octets[at] ^= 1u8 << bit;
        prop_assert!(decode(&octets).is_err());
    }

    #[test]
    fn a_cut_record_is_seen(parts in parts(), at in any::<prop::sample::Index>()) {
        let octets = sealed(&parts.record(), Lsn(77));
        prop_assert!(decode(&octets[..at.index(octets.len())]).is_err());
    }
}

fn small() -> Parts {
    Parts {
        numbers: (0, 0x0a00_0001, 3, 1_800_000_000, 1_800_003_600, 3600),
        origin: (1, 100, 7),
        giaddr: 0,
        htype: 1,
        kind: 0,
        cause: 1,
        identity: vec![1, 1, 2, 3, 4, 5, 6, 7],
        chaddr: vec![2, 3, 4, 5, 6, 7],
        agent_info: vec![9; 24],
    }
}

#[test]
fn a_record_of_a_usual_client_fits_in_one_slot() {
    assert_eq!(sealed(&small().record(), Lsn(1)).len(), 64 + 8 + 6 + 24 + 4);
}

#[test]
fn parts_that_are_too_long_are_refused_and_so_is_too_little_room() {
    let identity = Parts {
        identity: vec![0; MAX_IDENTITY + 1],
        ..small()
    };
    let chaddr = Parts {
        chaddr: vec![0; MAX_CHADDR + 1],
        ..small()
    };
    let agent_info = Parts {
        agent_info: vec![0; MAX_AGENT_INFO + 1],
        ..small()
    };
    for parts in [identity, chaddr, agent_info] {
        let mut room = [0; 4096];
        assert_eq!(encode(&parts.record(), &mut room), Err(TooLong));
    }
    let mut room = [0; 105];
    assert_eq!(encode(&small().record(), &mut room), Err(TooLong));
}

#[test]
fn each_way_to_be_odd_has_its_reason() {
    let sound = sealed(&small().record(), Lsn(1));
    let altered = |at: usize, value: u8| {
        let mut octets = sound.clone();
        octets[at] = value;
        seal(&mut octets, Lsn(1));
        octets
    };
    let reason = |octets: &[u8]| decode(octets).unwrap_err();
    assert_eq!(reason(&[]), Odd::Short);
    assert_eq!(reason(&altered(AT_KIND, 0)), Odd::Kind);
    assert_eq!(reason(&altered(AT_KIND, 200)), Odd::Kind);
    assert_eq!(reason(&altered(AT_CAUSE, 6)), Odd::Flags);
    assert_eq!(reason(&altered(AT_ZERO_TOO, 1)), Odd::Flags);
    assert_eq!(reason(&altered(AT_HLEN, 17)), Odd::Part);
    assert_eq!(reason(&altered(AT_HLEN, 5)), Odd::Length);
    let mut unsealed = sound.clone();
    unsealed[AT_TIME] ^= 1;
    assert_eq!(reason(&unsealed), Odd::Checksum);
}
