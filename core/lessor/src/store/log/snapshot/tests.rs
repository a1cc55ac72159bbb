use super::read::Rest;
use super::write::number;
use super::*;
use crate::store::log::index::{Entry, Reserved};
use crate::store::medium::memory::MemoryMedium;

fn index() -> Index {
    let mut index = Index::default();
    for addr in 0..=700_u32 {
        let [low, ..] = addr.to_le_bytes();
        let entry = Entry::new(u64::from(addr) << 20, Lsn(u64::from(addr) + 1), 106);
        index.put((7, addr >> 8), low, entry);
    }
    for (i, removed) in [(1_u8, false), (2, true)] {
        let reserved = Reserved {
            lsn: Lsn(5),
            length: 90,
            removed,
        };
        index.reserve((0, 9, Box::from([i; 256])), reserved);
    }
    index
}

fn header(index: &Index) -> SnapshotHeader {
    let time = Timed {
        newest: TimeRecord {
            lsn: Lsn(3),
            time: 55,
            expiry: 77,
            lease: 66,
        },
        length: 68,
    };
    SnapshotHeader {
        store: 4,
        segment: (2, 3),
        lsn: Lsn(1000),
        created: 1_800_000_000,
        addresses: index.addresses(),
        reservations: index.reservations(),
        marks: Marks {
            latest: (Lsn(1000), 1_800_000_001),
            highest_generation: 1 << 40,
            time,
        },
    }
}

fn written() -> (SnapshotHeader, Vec<u8>) {
    let index = index();
    let header = header(&index);
    let mut octets = header.to_octets().to_vec();
    let (mut chunks, mut chunk) = (Chunks::new(&index), Vec::new());
    while chunks.next(&index, &mut chunk) {
        octets.extend_from_slice(&chunk);
    }
    (header, octets)
}

fn read(octets: &[u8]) -> Result<(SnapshotHeader, Index), Unfit> {
    let medium = MemoryMedium::default();
    let file = medium.create(SNAPSHOT)?;
    file.write_all_at(octets, 0)?;
    let head = octets.first_chunk().ok_or(Unfit::Damaged(0))?;
    let header = SnapshotHeader::parse(head)?;
    let index = read_chunks(&file, octets.len() as u64, &header)?;
    Ok((header, index))
}

#[test]
fn an_index_comes_back_as_it_was_written() {
    let (header, octets) = written();
    let (read, found) = read(&octets).unwrap();
    assert_eq!(read, header);
    let expected = index();
    assert_eq!(found.keys(), expected.keys());
    for key in expected.keys() {
        assert!(found.block(key).eq(expected.block(key)));
    }
    assert!(found.each_reservation().eq(expected.each_reservation()));
    assert_eq!(*found.marks(), header.marks);
}

#[test]
fn a_changed_octet_and_a_cut_anywhere_are_noticed() {
    let (_, octets) = written();
    for at in 0..octets.len() {
        let mut changed = octets.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(read(&changed).is_err(), "octet {at}");
        assert!(read(&octets[..at]).is_err(), "cut at {at}");
    }
    let mut longer = octets;
    longer.push(0);
    assert!(read(&longer).is_err());
}

#[test]
fn numbers_of_variable_length_come_back() {
    for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
        let mut octets = Vec::new();
        number(&mut octets, value);
        let mut rest = Rest(&octets);
        assert_eq!(rest.number(), Some(value));
        assert!(rest.0.is_empty());
    }
    assert_eq!(Rest(&[0xff; 10]).number(), None);
    assert_eq!(Rest(&[0x80]).number(), None);
}
