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

mod read;
mod write;

pub(super) use write::Chunks;

use crate::store::crc32c;
use read::read_chunks;

use super::TimeRecord;
use super::chain::Link;
use super::index::{Index, Marks, Timed};
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

#[cfg(test)]
mod tests;
