//! The first block of a segment: who it is, and what it follows.
//!
//! ```text
//!   0 magic [8]        8 version u32   12 zero u32     16 segment id u64   24 salt u64
//!  32 created u64 (Unix seconds)   40 first LSN u64                    48 durable LSN u64
//!  56 predecessor id u64 (0: none) 64 predecessor durable length u64   72 store id u64
//!  80 zeros           124 CRC32C u32 of octets 0 to 123               128 zeros to 4096
//! ```
//!
//! A merged segment takes the place of the segments `from` to `id`: other magic, 48 is the last
//! LSN of what it replaces, and at 80 follow `from` u64, the length of the file u64, and the number
//! of its records u64.
//!
//! A segment gets its final name only when this block is durable, so a segment without a sound
//! one is damaged. The predecessor's durable length is how much of that file counts: what lies
//! behind it was never acknowledged from there, and any records in it were written again here.

use super::octets::{field, put, zero};
use super::{Fault, What};
use crate::store::crc32c;
use crate::store::encode::Lsn;
use core::fmt;

/// What a file system writes at once; batches begin on such a block.
pub(crate) const BLOCK: usize = 4096;
/// [`BLOCK`] as a length of files.
pub(crate) const BLOCK_LEN: u64 = BLOCK as u64;

const MAGIC: [u8; 8] = *b"LESSORSG";
const MERGED_MAGIC: [u8; 8] = *b"LESSORMG";
const HEAD: usize = 128;
const AT_CHECKSUM: usize = HEAD - 4;
const AT_STORE: usize = 72;
const AT_FROM: usize = 80;
const AT_LENGTH: usize = 88;
const AT_RECORDS: usize = 96;
const ZEROS: core::ops::Range<usize> = AT_FROM..AT_CHECKSUM;
const MERGED_ZEROS: core::ops::Range<usize> = 104..AT_CHECKSUM;

/// Version of the format, in the file `format` and in each segment.
pub(crate) const VERSION: u32 = 3;
/// The oldest version that is read: it had no merged segments and no store id.
pub(crate) const OLDEST_VERSION: u32 = 1;

/// Number of a segment; it only grows, and is not used twice.
pub(crate) type SegmentId = u64;

/// No store comes to a higher number: one that says so is damaged, and none could follow it.
const LAST_SEGMENT: SegmentId = u64::MAX - (1 << 32);

/// Which file of a store: a segment, or a merged one in the place of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentFile {
    /// Number of the segment, or of the last that is replaced.
    pub id: u64,
    /// The first segment that is replaced; `None` if this is no merged one.
    pub from: Option<u64>,
}

impl SegmentFile {
    /// The segment `id` as it was written first.
    pub(crate) const fn plain(id: SegmentId) -> Self {
        Self { id, from: None }
    }

    /// The number of the first segment whose place it takes.
    pub(crate) fn bottom(self) -> SegmentId {
        self.from.unwrap_or(self.id)
    }

    /// The file that `name` is the name of.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let file = if let Some(rest) = name.strip_prefix("merged-") {
            let (from, id) = rest.strip_suffix(".log")?.split_once('-')?;
            let (from, id) = (from.parse().ok()?, id.parse().ok()?);
            let from = Some(from).filter(|from| (1..=id).contains(from))?;
            Self {
                id,
                from: Some(from),
            }
        } else {
            let id = name.strip_prefix("segment-")?.strip_suffix(".log")?;
            Self::plain(id.parse().ok().filter(|id| *id > 0)?)
        };
        (file.to_string() == name).then_some(file)
    }

    /// Its name until its content is durable.
    pub(crate) fn unfinished_name(self) -> String {
        let name = self.to_string();
        name.strip_suffix("log").unwrap_or(&name).to_owned() + "new"
    }
}

impl fmt::Display for SegmentFile {
    /// Its name in the directory.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "merged-{from:010}-{:010}.log", self.id),
            None => write!(f, "segment-{:010}.log", self.id),
        }
    }
}

/// The segment before, and how much of it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Predecessor {
    pub(crate) id: SegmentId,
    pub(crate) durable_len: u64,
}

/// What a merged segment says of itself, beside the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Merged {
    /// The first segment that it replaces.
    pub(crate) from: SegmentId,
    /// Octets of the file.
    pub(crate) length: u64,
    /// Records in it.
    pub(crate) records: u64,
}

/// What the first block says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Its number, or that of the last segment that it replaces.
    pub(crate) id: SegmentId,
    /// Random; in each batch header too, so that nothing but this segment's batches looks like
    /// one, whatever a client had written into a record. A merged segment has that of the last
    /// segment that it replaces.
    pub(crate) salt: u64,
    pub(crate) created: u64,
    pub(crate) first: Lsn,
    /// What was durable when the segment was made; of a merged one the last LSN that it replaces.
    pub(crate) durable: Lsn,
    pub(crate) predecessor: Option<Predecessor>,
    /// Random, the same in all segments of a store; 0 in those of version 1.
    pub(crate) store: u64,
    pub(crate) merged: Option<Merged>,
}

impl SegmentHeader {
    /// The file that it belongs into.
    pub(crate) fn file(&self) -> SegmentFile {
        SegmentFile {
            id: self.id,
            from: self.merged.map(|merged| merged.from),
        }
    }

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
        put(&mut block, AT_STORE, self.store.to_le_bytes());
        if let Some(merged) = self.merged {
            put(&mut block, 0, MERGED_MAGIC);
            put(&mut block, AT_FROM, merged.from.to_le_bytes());
            put(&mut block, AT_LENGTH, merged.length.to_le_bytes());
            put(&mut block, AT_RECORDS, merged.records.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&block[..AT_CHECKSUM]);
        put(&mut block, AT_CHECKSUM, checksum.to_le_bytes());
        block
    }

    /// The header of `file`, from its first block.
    pub(crate) fn parse(file: SegmentFile, block: &[u8; BLOCK]) -> Result<Self, Fault> {
        let fault = |what| Fault::at(file, 0, what);
        let checksum = crc32c::crc32c(&block[..AT_CHECKSUM]).to_le_bytes();
        let is_merged = field(block, 0) == MERGED_MAGIC;
        let ours = is_merged || field(block, 0) == MAGIC;
        if !ours || field(block, AT_CHECKSUM) != checksum {
            return Err(fault(What::SegmentHeader));
        }
        let zeros = if is_merged { MERGED_ZEROS } else { ZEROS };
        let version = u32::from_le_bytes(field(block, 8));
        let known = (OLDEST_VERSION..=VERSION).contains(&version);
        if !known || !zero(&block[12..16]) || !zero(&block[zeros]) {
            return Err(fault(What::Version));
        }
        let number = |at| u64::from_le_bytes(field(block, at));
        let header = Self {
            id: number(16),
            salt: number(24),
            created: number(32),
            first: Lsn(number(40)),
            durable: Lsn(number(48)),
            predecessor: Some(Predecessor {
                id: number(56),
                durable_len: number(64),
            })
            .filter(|predecessor| predecessor.id != 0),
            store: number(AT_STORE),
            merged: is_merged.then(|| Merged {
                from: number(AT_FROM),
                length: number(AT_LENGTH),
                records: number(AT_RECORDS),
            }),
        };
        let bottom = file.bottom();
        let follows = header
            .predecessor
            .is_none_or(|before| before.id < bottom && before.durable_len >= BLOCK_LEN);
        let length = header.merged.map_or(BLOCK_LEN, |merged| merged.length);
        let sane = header.id <= LAST_SEGMENT && length >= BLOCK_LEN;
        if header.file() != file || !follows || !sane {
            return Err(fault(What::Misplaced));
        }
        Ok(header)
    }
}

/// Whether a file is a segment that was never finished.
pub(crate) fn is_unfinished(name: &str) -> bool {
    let segment = name.starts_with("segment-") || name.starts_with("merged-");
    segment && name.strip_suffix(".new").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: SegmentFile = SegmentFile::plain(7);
    const MERGED: SegmentFile = SegmentFile {
        id: 7,
        from: Some(6),
    };

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
            store: 0x99aa_bbcc_ddee_ff00,
            merged: None,
        }
    }

    fn merged() -> SegmentHeader {
        SegmentHeader {
            merged: Some(Merged {
                from: 6,
                length: 12_288,
                records: 17,
            }),
            durable: Lsn(1017),
            ..header()
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        let without = SegmentHeader {
            predecessor: None,
            ..header()
        };
        for header in [header(), without, merged()] {
            let octets = header.to_octets();
            assert_eq!(SegmentHeader::parse(header.file(), &octets), Ok(header));
        }
    }

    #[test]
    fn a_changed_octet_or_another_name_is_refused() {
        for (octets, file, other) in [
            (header().to_octets(), PLAIN, MERGED),
            (merged().to_octets(), MERGED, PLAIN),
        ] {
            for at in 0..HEAD {
                let mut changed = octets;
                changed[at] ^= 0x20;
                assert!(SegmentHeader::parse(file, &changed).is_err(), "octet {at}");
            }
            assert!(SegmentHeader::parse(other, &octets).is_err());
            assert!(SegmentHeader::parse(SegmentFile::plain(8), &octets).is_err());
        }
    }

    /// The next segment has a number too.
    #[test]
    fn a_number_that_none_can_follow_is_refused() {
        let numbered = |id| SegmentHeader { id, ..header() };
        let parse =
            |header: SegmentHeader| SegmentHeader::parse(header.file(), &header.to_octets());
        assert!(parse(numbered(LAST_SEGMENT)).is_ok());
        for id in [LAST_SEGMENT + 1, u64::MAX] {
            assert_eq!(parse(numbered(id)).unwrap_err().what, What::Misplaced);
        }
    }

    #[test]
    fn a_segment_of_version_1_is_read() {
        let mut octets = SegmentHeader {
            store: 0,
            ..header()
        }
        .to_octets();
        put(&mut octets, 8, 1_u32.to_le_bytes());
        let checksum = crc32c::crc32c(&octets[..AT_CHECKSUM]);
        put(&mut octets, AT_CHECKSUM, checksum.to_le_bytes());
        let header = SegmentHeader::parse(PLAIN, &octets).unwrap();
        assert_eq!((header.store, header.id), (0, 7));
    }

    #[test]
    fn names_and_files_convert_both_ways() {
        for id in [1, 42, 12_345_678_901] {
            for from in [None, Some(1), Some(id)] {
                let file = SegmentFile { id, from };
                assert_eq!(SegmentFile::of_name(&file.to_string()), Some(file));
                assert!(is_unfinished(&file.unfinished_name()));
                assert_eq!(SegmentFile::of_name(&file.unfinished_name()), None);
            }
        }
        for name in [
            "segment-0000000000.log",
            "segment-1.log",
            "segment-x.log",
            "merged-0000000000-0000000001.log",
            "merged-0000000002-0000000001.log",
            "merged-0000000001.log",
            "lock",
        ] {
            assert_eq!(SegmentFile::of_name(name), None, "{name}");
        }
    }
}
