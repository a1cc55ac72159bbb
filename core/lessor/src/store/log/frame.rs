//! A batch in a segment: a header of 64 octets on a block border, the records, zeros to the next
//! border.
//!
//! ```text
//!   0 magic [8]        8 salt of the segment u64   16 first LSN u64   24 durable LSN u64
//!  32 count u32       36 octets of records u32     40 kind u8         41 zeros
//!  56 CRC32C u32 of the records                    60 CRC32C u32 of octets 0 to 59
//! ```
//!
//! The durable LSN is what was durable when the batch was written. A batch is written only when
//! the one before it is durable, so a sound header is proof that all in front of it was.

use super::octets::{field, put, whole_blocks, zero};
use super::segment::{BLOCK, BLOCK_LEN, SegmentFile};
use super::{Fault, What};
use crate::store::batch::{Batch, HEADROOM};
use crate::store::crc32c;
use crate::store::encode::{self, Lsn};
use dhcp_proto::record::Record;

const MAGIC: [u8; 8] = *b"LESSORBT";
const AT_RECORDS_CHECKSUM: usize = 56;
const AT_CHECKSUM: usize = 60;
const ZEROS: core::ops::Range<usize> = 41..AT_RECORDS_CHECKSUM;

/// What a batch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum FrameKind {
    /// Records of a commit, numbered from the first LSN without a gap.
    Commit = 1,
    /// No records: the store was closed in order, and all in front of this is durable.
    Close = 2,
    /// Records of a merged segment, whose numbers rise but have gaps.
    Merged = 3,
}

/// A batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) first: Lsn,
    pub(crate) durable: Lsn,
    pub(crate) count: u32,
    pub(crate) length: u32,
    pub(crate) kind: FrameKind,
    checksum: u32,
}

impl FrameHeader {
    /// The header at the front of `octets`, if a sound one of the segment with `salt` is there.
    pub(crate) fn parse(octets: &[u8], salt: u64) -> Option<Self> {
        let head: &[u8; HEADROOM] = octets.first_chunk()?;
        let checksum = crc32c::crc32c(&head[..AT_CHECKSUM]).to_le_bytes();
        let ours = field(head, 0) == MAGIC
            && field(head, 8) == salt.to_le_bytes()
            && field(head, AT_CHECKSUM) == checksum
            && zero(&head[ZEROS]);
        if !ours {
            return None;
        }
        Some(Self {
            first: Lsn(u64::from_le_bytes(field(head, 16))),
            durable: Lsn(u64::from_le_bytes(field(head, 24))),
            count: u32::from_le_bytes(field(head, 32)),
            length: u32::from_le_bytes(field(head, 36)),
            kind: match head[40] {
                1 => FrameKind::Commit,
                2 => FrameKind::Close,
                3 => FrameKind::Merged,
                _ => return None,
            },
            checksum: u32::from_le_bytes(field(head, AT_RECORDS_CHECKSUM)),
        })
    }
}

/// Completes `batch` for the segment with `salt`: header in front, zeros to the block border
/// behind. Only then may [`Batch::frame`] be written; asked again it writes another header.
pub(crate) fn finish(batch: &mut Batch, salt: u64, durable: Lsn, kind: FrameKind) -> Frame<'_> {
    batch.seal();
    let length = u32::try_from(batch.records().len()).unwrap_or(u32::MAX);
    let (first, count) = (batch.first(), batch.count());
    let records_checksum = crc32c::crc32c(batch.records());
    let mut head = [0; HEADROOM];
    put(&mut head, 0, MAGIC);
    put(&mut head, 8, salt.to_le_bytes());
    put(&mut head, 16, first.0.to_le_bytes());
    put(&mut head, 24, durable.0.to_le_bytes());
    put(&mut head, 32, count.to_le_bytes());
    put(&mut head, 36, length.to_le_bytes());
    put(&mut head, 40, [kind as u8]);
    put(
        &mut head,
        AT_RECORDS_CHECKSUM,
        records_checksum.to_le_bytes(),
    );
    let checksum = crc32c::crc32c(&head[..AT_CHECKSUM]);
    put(&mut head, AT_CHECKSUM, checksum.to_le_bytes());
    let octets = batch.frame();
    put(octets, 0, head);
    let unpadded = octets.len();
    octets.resize(whole_blocks(unpadded), 0);
    Frame { octets, unpadded }
}

/// A batch as it is written; the padding goes when this does, so that the batch can be finished
/// again for another segment.
pub(crate) struct Frame<'a> {
    octets: &'a mut Vec<u8>,
    unpadded: usize,
}

impl Frame<'_> {
    pub(crate) fn octets(&self) -> &[u8] {
        self.octets
    }
}

impl Drop for Frame<'_> {
    fn drop(&mut self) {
        self.octets.truncate(self.unpadded);
    }
}

/// A batch that was read, its checksums sound.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) file: SegmentFile,
    /// Where it begins in the segment.
    pub(crate) offset: u64,
    /// Where the next one would begin.
    pub(crate) end: u64,
    pub(crate) header: FrameHeader,
    pub(crate) records: &'a [u8],
}

/// A record in a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) record: Record<'a>,
    /// As it lies in the file.
    pub(crate) octets: &'a [u8],
    /// Where it lies in the file.
    pub(crate) offset: u64,
}

impl<'a> Found<'a> {
    /// Walks the records. They must be as many as the header says, numbered one by one, or by
    /// rising numbers in a merged segment.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(&Placed<'a>)) -> Result<(), Fault> {
        let file = self.file;
        let mut rest = self.records;
        let mut due = self.header.first;
        for _ in 0..self.header.count {
            let behind_header = self.records.len() - rest.len() + HEADROOM;
            let fault = |what| Fault::at(file, self.offset + behind_header as u64, what);
            let (lsn, record, behind) =
                encode::decode(rest).map_err(|odd| fault(What::Record(odd)))?;
            let in_order = match self.header.kind {
                FrameKind::Merged => lsn >= due,
                FrameKind::Commit | FrameKind::Close => lsn == due,
            };
            if !in_order {
                return Err(fault(What::Sequence));
            }
            due = lsn.plus(1);
            let octets = rest.get(..rest.len() - behind.len()).unwrap_or_default();
            visit(&Placed {
                lsn,
                record,
                octets,
                offset: self.offset + behind_header as u64,
            });
            rest = behind;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::at(file, self.offset, What::Count))
        }
    }
}

/// The batches of a segment, in order.
pub(crate) struct Frames<'a> {
    file: SegmentFile,
    salt: u64,
    octets: &'a [u8],
    /// Where `octets` begin in the file.
    base: u64,
    at: usize,
}

impl<'a> Frames<'a> {
    /// The batches in `octets`, a segment from its first octet to the end of what counts.
    pub(crate) fn new(file: SegmentFile, salt: u64, octets: &'a [u8]) -> Self {
        let octets = octets.get(BLOCK..).unwrap_or_default();
        Self::from(file, salt, (BLOCK_LEN, octets))
    }

    /// The batches in `octets`, which begin with one at `base` of the file.
    pub(crate) fn from(file: SegmentFile, salt: u64, (base, octets): (u64, &'a [u8])) -> Self {
        Self {
            file,
            salt,
            octets,
            base,
            at: 0,
        }
    }

    /// Where the next batch begins in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The next batch; `None` at the end. After a fault it stays where it is.
    pub(crate) fn next(&mut self) -> Option<Result<Found<'a>, Fault>> {
        let rest = self.octets.get(self.at..).filter(|rest| !rest.is_empty())?;
        Some(self.found(rest))
    }

    /// Octets that the batch here takes up, if its header says so.
    pub(crate) fn length(&self) -> Option<usize> {
        let header = FrameHeader::parse(self.octets.get(self.at..)?, self.salt)?;
        Some(whole_blocks(
            HEADROOM + usize::try_from(header.length).ok()?,
        ))
    }

    fn found(&mut self, rest: &'a [u8]) -> Result<Found<'a>, Fault> {
        let fault = |what| Fault::at(self.file, self.offset(), what);
        let header = FrameHeader::parse(rest, self.salt).ok_or(fault(What::BatchHeader))?;
        let length = usize::try_from(header.length).map_err(|_| fault(What::Batch))?;
        let records = rest
            .get(HEADROOM..)
            .and_then(|behind| behind.get(..length))
            .filter(|records| crc32c::crc32c(records) == header.checksum)
            .ok_or(fault(What::Batch))?;
        let offset = self.offset();
        self.at += whole_blocks(HEADROOM + length);
        Ok(Found {
            file: self.file,
            offset,
            end: self.offset(),
            header,
            records,
        })
    }

    /// After a fault: goes to the next block that begins with a sound header, and says what that
    /// header is.
    pub(crate) fn resume(&mut self) -> Option<FrameHeader> {
        loop {
            self.at += BLOCK;
            let rest = self.octets.get(self.at..)?;
            if let Some(header) = FrameHeader::parse(rest, self.salt) {
                return Some(header);
            }
        }
    }
}
