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
use super::segment::{BLOCK, SegmentId};
use super::{Fault, What};
use crate::store::batch::{Batch, HEADROOM};
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
                _ => return None,
            },
            checksum: u32::from_le_bytes(field(head, AT_RECORDS_CHECKSUM)),
        })
    }
}

/// Completes `batch` for the segment with `salt`: header in front, zeros to the block border
/// behind. Only then may [`Batch::frame`] be written; asked again it writes another header.
pub(crate) fn finish(batch: &mut Batch, salt: u64, durable: Lsn, kind: FrameKind) -> Frame<'_> {
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
    /// Where it begins in the segment.
    pub(crate) offset: u64,
    /// Where the next one would begin.
    pub(crate) end: u64,
    pub(crate) header: FrameHeader,
    pub(crate) records: &'a [u8],
}

impl<'a> Found<'a> {
    /// Walks the records. They must be as many as the header says, numbered one by one.
    pub(crate) fn each(
        &self,
        segment: SegmentId,
        visit: &mut dyn FnMut(Lsn, &Record<'a>),
    ) -> Result<(), Fault> {
        let mut rest = self.records;
        for i in 0..self.header.count {
            let behind_header = self.records.len() - rest.len() + HEADROOM;
            let fault = |what| Fault::at(segment, self.offset + behind_header as u64, what);
            let (lsn, record, behind) =
                encode::decode(rest).map_err(|odd| fault(What::Record(odd)))?;
            if lsn != self.header.first.plus(i) {
                return Err(fault(What::Sequence));
            }
            visit(lsn, &record);
            rest = behind;
        }
        if rest.is_empty() {
            Ok(())
        } else {
            Err(Fault::at(segment, self.offset, What::Count))
        }
    }
}

/// The batches of a segment, in order.
pub(crate) struct Frames<'a> {
    segment: SegmentId,
    salt: u64,
    octets: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    /// The batches in `octets`, a segment from its first octet to the end of what counts.
    pub(crate) fn new(segment: SegmentId, salt: u64, octets: &'a [u8]) -> Self {
        Self {
            segment,
            salt,
            octets,
            at: BLOCK,
        }
    }

    /// The next batch; `None` at the end. After a fault it stays where it is.
    pub(crate) fn next(&mut self) -> Option<Result<Found<'a>, Fault>> {
        let rest = self.octets.get(self.at..).filter(|rest| !rest.is_empty())?;
        Some(self.found(rest))
    }

    fn found(&mut self, rest: &'a [u8]) -> Result<Found<'a>, Fault> {
        let fault = |what| Fault::at(self.segment, self.at as u64, what);
        let header = FrameHeader::parse(rest, self.salt).ok_or(fault(What::BatchHeader))?;
        let length = usize::try_from(header.length).map_err(|_| fault(What::Batch))?;
        let records = rest
            .get(HEADROOM..)
            .and_then(|behind| behind.get(..length))
            .filter(|records| crc32c::crc32c(records) == header.checksum)
            .ok_or(fault(What::Batch))?;
        let offset = self.at as u64;
        self.at += whole_blocks(HEADROOM + length);
        Ok(Found {
            offset,
            end: self.at as u64,
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
