//! The first block of a segment: who it is, and what it follows.
//!
//! ```text
//!   0 magic [8]    8 version u32   12 zero u32     16 segment id u64   24 salt u64
//!  32 created u64 (Unix seconds)   40 first LSN u64                    48 durable LSN u64
//!  56 predecessor id u64 (0: none) 64 predecessor durable length u64   72 zeros
//!  124 CRC32C u32 of octets 0 to 123                                   128 zeros to 4096
//! ```
//!
//! A segment gets its final name only when this block is durable, so a segment without a sound
//! one is damaged. The predecessor's durable length is how much of that file counts: what lies
//! behind it was never acknowledged from there, and any records in it were written again here.

use super::octets::{field, put, zero};
use super::{Fault, What};
use crate::store::encode::Lsn;

/// What a file system writes at once; batches begin on such a block.
pub(crate) const BLOCK: usize = 4096;
/// [`BLOCK`] as a length of files.
pub(crate) const BLOCK_LEN: u64 = BLOCK as u64;

const MAGIC: [u8; 8] = *b"LESSORSG";
const HEAD: usize = 128;
const AT_CHECKSUM: usize = HEAD - 4;
const ZEROS: core::ops::Range<usize> = 72..AT_CHECKSUM;

/// Version of the format, in the file `format` and in each segment.
pub(crate) const VERSION: u32 = 1;

/// Number of a segment; it only grows, and is not used twice.
pub(crate) type SegmentId = u64;

/// The segment before, and how much of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(crate) id: SegmentId,
    pub(crate) durable_len: u64,
}

/// What the first block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: SegmentId,
    /// Random; in each batch header too, so that nothing but this segment's batches looks like
    /// one, whatever a client had written into a record.
    pub(crate) salt: u64,
    pub(crate) created: u64,
    pub(crate) first: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) predecessor: Option<Predecessor>,
}

impl SegmentHeader {
    pub(crate) fn to_octets(self) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let predecessor = self.predecessor.unwrap_or(Predecessor {
            id: 0,
            durable_len: 0,
        });
        put(&mut block, 0, MAGIC);
        put(&mut block, 8, VERSION.to_le_bytes());
        put(&mut block, 16, self.id.to_le_bytes());
        put(&mut block, 24, self.salt.to_le_bytes());
        put(&mut block, 32, self.created.to_le_bytes());
        put(&mut block, 40, self.first.0.to_le_bytes());
        put(&mut block, 48, self.durable.0.to_le_bytes());
        put(&mut block, 56, predecessor.id.to_le_bytes());
        put(&mut block, 64, predecessor.durable_len.to_le_bytes());
        let checksum = crc32c::crc32c(&block[..AT_CHECKSUM]);
        put(&mut block, AT_CHECKSUM, checksum.to_le_bytes());
        block
    }

    /// The header of segment `id`, from its first block.
    pub(crate) fn parse(id: SegmentId, block: &[u8; BLOCK]) -> Result<Self, Fault> {
        let fault = |what| Fault::at(id, 0, what);
        let checksum = crc32c::crc32c(&block[..AT_CHECKSUM]).to_le_bytes();
        if field(block, 0) != MAGIC || field(block, AT_CHECKSUM) != checksum {
            return Err(fault(What::SegmentHeader));
        }
        let version = u32::from_le_bytes(field(block, 8));
        if version != VERSION || !zero(&block[12..16]) || !zero(&block[ZEROS]) {
            return Err(fault(What::Version));
        }
        let header = Self {
            id: u64::from_le_bytes(field(block, 16)),
            salt: u64::from_le_bytes(field(block, 24)),
            created: u64::from_le_bytes(field(block, 32)),
            first: Lsn(u64::from_le_bytes(field(block, 40))),
            durable: Lsn(u64::from_le_bytes(field(block, 48))),
            predecessor: Some(Predecessor {
                id: u64::from_le_bytes(field(block, 56)),
                durable_len: u64::from_le_bytes(field(block, 64)),
            })
            .filter(|predecessor| predecessor.id != 0),
        };
        let follows = header.predecessor.is_none_or(|before| before.id < id);
        if header.id != id || !follows {
            return Err(fault(What::Misplaced));
        }
        Ok(header)
    }
}

/// The name of segment `id`.
pub(crate) fn name(id: SegmentId) -> String {
    format!("segment-{id:010}.log")
}

/// The name of segment `id` until its first block is durable.
pub(crate) fn unfinished_name(id: SegmentId) -> String {
    format!("segment-{id:010}.new")
}

/// The segment that a file is named for.
pub(crate) fn id_of(name: &str) -> Option<SegmentId> {
    let id = name.strip_prefix("segment-")?.strip_suffix(".log")?;
    let id = id.parse().ok().filter(|id| *id > 0)?;
    (self::name(id) == name).then_some(id)
}

/// Whether a file is a segment that was never finished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_prefix("segment-")
        .is_some_and(|rest| rest.strip_suffix(".new").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            id: 7,
            salt: 0x1122_3344_5566_7788,
            created: 1_800_000_000,
            first: Lsn(1001),
            durable: Lsn(1000),
            predecessor: Some(Predecessor {
                id: 5,
                durable_len: 8192,
            }),
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        let without = SegmentHeader {
            predecessor: None,
            ..header()
        };
        for header in [header(), without] {
            assert_eq!(SegmentHeader::parse(7, &header.to_octets()), Ok(header));
        }
    }

    #[test]
    fn a_changed_octet_or_another_name_is_refused() {
        let octets = header().to_octets();
        for at in 0..HEAD {
            let mut changed = octets;
            changed[at] ^= 0x20;
            assert!(SegmentHeader::parse(7, &changed).is_err(), "octet {at}");
        }
        assert!(SegmentHeader::parse(8, &octets).is_err());
    }

    #[test]
    fn names_and_numbers_convert_both_ways() {
        for id in [1, 42, 12_345_678_901] {
            assert_eq!(id_of(&name(id)), Some(id));
            assert!(is_unfinished(&unfinished_name(id)));
            assert_eq!(id_of(&unfinished_name(id)), None);
        }
        for name in [
            "segment-0000000000.log",
            "segment-1.log",
            "segment-x.log",
            "lock",
        ] {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
