//! The snapshot: which record is the newest of each address, as far as one number of the log.
//!
//! ```text
//!   0 magic [8]    8 version u32   12 zero u32    16 store id u64     24 segment u64  32 its salt u64
//!  40 LSN u64     48 created u64   56 addresses u64                   64 reservations u64
//!  72 highest generation u64       80 time of that LSN's record u64
//!  88 LSN of the newest time record u64, 0 if there is none           96 its expiry u64
//! 104 its time u64               112 its lease u32                   116 its length u16
//! 118 zeros      124 CRC32C u32 of octets 0 to 123
//! 128 chunks: kind u8 (1 addresses, 2 reservations, 3 end), zeros [3], length u32,
//!             CRC32C u32 of both and the content, content
//! ```
//!
//! It names records by their numbers, which no merge changes, so it stays true for ever; it only
//! grows old: what was written behind its LSN has to be read twice at the next start. It is no
//! more than a help: a start that cannot use it reads all segments twice.

use super::TimeRecord;
use super::chain::Link;
use super::index::{Entry, Index, Marks, Reserved, Timed};
use super::octets::{field, put, zero};
use super::segment::VERSION;
use crate::store::encode::Lsn;
use crate::store::medium::{Medium, MediumFile};
use std::io;

pub(super) const SNAPSHOT: &str = "snapshot";
pub(super) const UNFINISHED: &str = "snapshot.new";

const MAGIC: [u8; 8] = *b"LESSORSN";
pub(super) const HEAD: usize = 128;
const AT_CHECKSUM: usize = HEAD - 4;
const CHUNK_HEAD: usize = 12;
/// No chunk is longer.
const MAX_CHUNK: usize = 2 << 20;
/// A chunk that is as long is written.
const FULL_CHUNK: usize = 1 << 20;

/// What the first octets say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SnapshotHeader {
    pub(super) store: u64,
    /// The segment that has, or had, the record with that number, and its salt.
    pub(super) segment: (u64, u64),
    /// It knows all records up to this one.
    pub(super) lsn: Lsn,
    pub(super) created: u64,
    pub(super) addresses: u64,
    pub(super) reservations: u64,
    pub(super) marks: Marks,
}

impl SnapshotHeader {
    pub(super) fn to_octets(self) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        put(&mut head, 0, MAGIC);
        put(&mut head, 8, VERSION.to_le_bytes());
        let time = self.marks.time;
        for (at, number) in [
            (16, self.store),
            (24, self.segment.0),
            (32, self.segment.1),
            (40, self.lsn.0),
            (48, self.created),
            (56, self.addresses),
            (64, self.reservations),
            (72, self.marks.highest_generation),
            (80, self.marks.latest.1),
            (88, time.newest.lsn.0),
            (96, time.newest.expiry),
            (104, time.newest.time),
        ] {
            put(&mut head, at, number.to_le_bytes());
        }
        put(&mut head, 112, time.newest.lease.to_le_bytes());
        put(&mut head, 116, time.length.to_le_bytes());
        let checksum = crc32c::crc32c(&head[..AT_CHECKSUM]);
        put(&mut head, AT_CHECKSUM, checksum.to_le_bytes());
        head
    }

    fn parse(head: &[u8; HEAD]) -> Result<Self, Unfit> {
        let checksum = crc32c::crc32c(&head[..AT_CHECKSUM]).to_le_bytes();
        if field(head, 0) != MAGIC || field(head, AT_CHECKSUM) != checksum {
            return Err(Unfit::Damaged(0));
        }
        let number = |at| u64::from_le_bytes(field(head, at));
        if u32::from_le_bytes(field(head, 8)) != VERSION || !zero(&head[118..AT_CHECKSUM]) {
            return Err(Unfit::Version);
        }
        Ok(Self {
            store: number(16),
            segment: (number(24), number(32)),
            lsn: Lsn(number(40)),
            created: number(48),
            addresses: number(56),
            reservations: number(64),
            marks: Marks {
                highest_generation: number(72),
                latest: (Lsn(number(40)), number(80)),
                time: Timed {
                    newest: TimeRecord {
                        lsn: Lsn(number(88)),
                        expiry: number(96),
                        time: number(104),
                        lease: u32::from_le_bytes(field(head, 112)),
                    },
                    length: u16::from_le_bytes(field(head, 116)),
                },
            },
        })
    }

    /// Whether the segment that it names is there, so that its salt, which fits, is proof.
    pub(super) fn is_proven<F>(&self, links: &[Link<F>]) -> bool {
        links.iter().any(|link| link.header.id == self.segment.0)
    }

    /// Whether it is of this store, and the segments have what it speaks of.
    fn fits<F>(&self, links: &[Link<F>]) -> bool {
        let (id, salt) = self.segment;
        let of_store = |link: &Link<F>| link.header.store == self.store;
        let holder = links
            .iter()
            .find(|link| (link.header.file().bottom()..=link.header.id).contains(&id));
        holder.is_some_and(|link| {
            let same = link.header.id != id || link.header.salt == salt;
            of_store(link) && same && link.header.first <= self.lsn.plus(1)
        })
    }
}

/// Why a snapshot is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("it is damaged at offset {0}")]
    Damaged(u64),
    /// Another release wrote it.
    #[error("it has another format version")]
    Version,
    /// It is not of these segments.
    #[error("it belongs to other segments")]
    Other,
}

/// Reads the snapshot, if there is one, for the segments `links`.
pub(super) fn load<M: Medium>(
    medium: &M,
    links: &[Link<M::File>],
) -> Result<Option<(SnapshotHeader, Index)>, Unfit> {
    let file = match medium.open(SNAPSHOT) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut head = [0; HEAD];
    let length = file.len()?;
    if length < HEAD as u64 {
        return Err(Unfit::Damaged(length));
    }
    file.read_exact_at(&mut head, 0)?;
    let header = SnapshotHeader::parse(&head)?;
    if !header.fits(links) {
        return Err(Unfit::Other);
    }
    let index = read_chunks(&file, length, &header)?;
    Ok(Some((header, index)))
}

fn read_chunks<F: MediumFile>(
    file: &F,
    length: u64,
    header: &SnapshotHeader,
) -> Result<Index, Unfit> {
    let mut index = Index::default();
    let mut at = HEAD as u64;
    let mut content = Vec::new();
    loop {
        let damaged = Unfit::Damaged(at);
        if length.saturating_sub(at) < CHUNK_HEAD as u64 {
            return Err(damaged);
        }
        let mut head = [0; CHUNK_HEAD];
        file.read_exact_at(&mut head, at)?;
        let octets = u32::from_le_bytes(field(&head, 4));
        let size = octets as usize;
        at += CHUNK_HEAD as u64;
        if size > MAX_CHUNK || length - at < u64::from(octets) || !zero(&head[1..4]) {
            return Err(damaged);
        }
        content.resize(size, 0);
        file.read_exact_at(&mut content, at)?;
        at += u64::from(octets);
        if checksum(&head, &content) != u32::from_le_bytes(field(&head, 8)) {
            return Err(damaged);
        }
        let mut rest = Rest(&content);
        let sound = match head[0] {
            1 => addresses(&mut rest, &mut index, header.lsn),
            2 => reservations(&mut rest, &mut index, header.lsn),
            3 if size == 0 && at == length => break,
            _ => None,
        };
        sound.ok_or(damaged)?;
    }
    let counted = (index.addresses(), index.reservations());
    if counted != (header.addresses, header.reservations) {
        return Err(Unfit::Damaged(length));
    }
    index.set_marks(header.marks);
    Ok(index)
}

fn checksum(head: &[u8; CHUNK_HEAD], content: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[..8]), content)
}

/// Blocks: space u16, block u32, count u8 (0 is 256), then low octet u8, and generation, LSN and
/// length as numbers of variable length.
fn addresses(rest: &mut Rest<'_>, index: &mut Index, last: Lsn) -> Option<()> {
    while !rest.0.is_empty() {
        let key = (rest.u16()?, rest.u32()?);
        let [count] = rest.take()?;
        let count = if count == 0 { 256 } else { u16::from(count) };
        let mut block = index.filling(key);
        for _ in 0..count {
            let [low] = rest.take()?;
            let generation = rest.number()?;
            let lsn = Lsn(rest.number()?);
            let length = u16::try_from(rest.number()?).ok()?;
            if lsn > last || lsn == Lsn(0) || key.1 >> 24 != 0 {
                return None;
            }
            let entry = Entry::new(generation, lsn, length);
            if block.put(low, entry).is_some() {
                return None;
            }
        }
    }
    Some(())
}

/// Reservations: space u16, address u32, length of the identity u16, identity, removed u8, LSN and
/// length as numbers of variable length.
fn reservations(rest: &mut Rest<'_>, index: &mut Index, last: Lsn) -> Option<()> {
    while !rest.0.is_empty() {
        let (space, addr, octets) = (rest.u16()?, rest.u32()?, rest.u16()?);
        let identity = Box::from(rest.octets(usize::from(octets))?);
        let [removed] = rest.take()?;
        let lsn = Lsn(rest.number()?);
        let reserved = Reserved {
            lsn,
            length: u16::try_from(rest.number()?).ok()?,
            removed: removed == 1,
        };
        if lsn > last || lsn == Lsn(0) || removed > 1 {
            return None;
        }
        if index.reserve((space, addr, identity), reserved).is_some() {
            return None;
        }
    }
    Some(())
}

/// Octets that have not been read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// Seven bits an octet, the lowest first; the highest bit says that another follows.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [octet] = self.take()?;
            let bits = u64::from(octet & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

/// Where the writing of an index has come to.
#[derive(Debug)]
pub(super) enum Place {
    Addresses(usize),
    Reservations(usize),
    End,
    Done,
}

/// An index on its way into chunks.
#[derive(Debug)]
pub(super) struct Chunks {
    keys: Vec<super::index::BlockKey>,
    place: Place,
}

impl Chunks {
    pub(super) fn new(index: &Index) -> Self {
        Self {
            keys: index.keys(),
            place: Place::Addresses(0),
        }
    }

    /// The next chunk into `out`; false when there are no more.
    pub(super) fn next(&mut self, index: &Index, out: &mut Vec<u8>) -> bool {
        out.clear();
        out.resize(CHUNK_HEAD, 0);
        let kind = match self.place {
            Place::Addresses(from) => {
                self.place = self.addresses(index, from, out);
                1
            }
            Place::Reservations(from) => {
                self.place = reservations_from(index, from, out);
                2
            }
            Place::End => {
                self.place = Place::Done;
                3
            }
            Place::Done => return false,
        };
        let length = u32::try_from(out.len() - CHUNK_HEAD).unwrap_or(u32::MAX);
        put(out, 0, [kind, 0, 0, 0]);
        put(out, 4, length.to_le_bytes());
        let mut head = [0; CHUNK_HEAD];
        head.copy_from_slice(out.get(..CHUNK_HEAD).unwrap_or(&[0; CHUNK_HEAD]));
        let checksum = checksum(&head, out.get(CHUNK_HEAD..).unwrap_or_default());
        put(out, 8, checksum.to_le_bytes());
        true
    }

    fn addresses(&self, index: &Index, from: usize, out: &mut Vec<u8>) -> Place {
        for (i, key) in self.keys.iter().enumerate().skip(from) {
            if out.len() >= FULL_CHUNK {
                return Place::Addresses(i);
            }
            // A block that is full counts 0.
            let [count, ..] = index.block(*key).count().to_le_bytes();
            out.extend_from_slice(&key.0.to_le_bytes());
            out.extend_from_slice(&key.1.to_le_bytes());
            out.push(count);
            for (low, entry) in index.block(*key) {
                out.push(low);
                number(out, entry.generation());
                number(out, entry.lsn.0);
                number(out, u64::from(entry.length()));
            }
        }
        Place::Reservations(0)
    }
}

fn reservations_from(index: &Index, from: usize, out: &mut Vec<u8>) -> Place {
    for (i, ((space, addr, identity), reserved)) in index.each_reservation().enumerate().skip(from)
    {
        if out.len() >= FULL_CHUNK {
            return Place::Reservations(i);
        }
        out.extend_from_slice(&space.to_le_bytes());
        out.extend_from_slice(&addr.to_le_bytes());
        let length = u16::try_from(identity.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(identity);
        out.push(u8::from(reserved.removed));
        number(out, reserved.lsn.0);
        number(out, u64::from(reserved.length));
    }
    Place::End
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
