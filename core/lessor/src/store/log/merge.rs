//! A merge: neighbouring segments become one, with the newest records of their addresses alone.
//!
//! ```text
//!   segment-3  segment-4  segment-5          segment-6 (names 5 as the one before it)
//!   ▒▒▒█▒▒▒▒   ▒▒▒▒▒▒▒▒   █▒▒▒█▒▒█           █: newest of its address   ▒: dead
//!        └─────────┴──────────┘
//!                  ▼ slices of at most 1 MiB, each synced by itself
//!   merged-3-5 ████                          first block last, sync, rename, sync of the directory;
//!                                            only then are 3, 4 and 5 removed
//! ```
//!
//! Until the file has its name it counts for nothing; from then on those it replaces do. So a
//! process may end at any point. The numbers stay in order, because neighbours are merged.

use super::Fault;
use super::frame::{self, Found, FrameKind};
use super::index::Index;
use super::segment::{BLOCK, BLOCK_LEN, Merged, SegmentFile, SegmentHeader};
use super::window::{SegmentReader, Unreadable};
use crate::store::batch::{Batch, HEADROOM};
use crate::store::encode::{Lsn, MAX_RECORD};
use crate::store::medium::{Medium, MediumFile};
use core::ops::Range;
use dhcp_proto::record::RecordKind;
use std::collections::VecDeque;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// A segment that takes no more batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) header: SegmentHeader,
    /// How much of the file counts.
    pub(super) end: u64,
    /// The last number in it.
    pub(super) last: Lsn,
    /// Octets of records that are the newest of their address.
    pub(super) live: u64,
    /// It could not be read, and is left as it is until the next start.
    pub(super) sick: bool,
}

impl Element {
    pub(super) fn file(&self) -> SegmentFile {
        self.header.file()
    }
}

/// What a slice may leave free because the next record is longer than that.
const LEFT_FREE: usize = MAX_RECORD - 1;

/// Octets that a merged segment with `live` octets of records takes up at most, in slices of
/// `slice`. A merge that was begun for less than it takes would free nothing, and be begun again.
fn length_of(live: u64, slice: usize) -> u64 {
    let head = HEADROOM as u64;
    let padded = if live == 0 {
        0
    } else if live + head <= slice as u64 {
        live + head
    } else {
        let least = slice.saturating_sub(HEADROOM + LEFT_FREE).max(1);
        live + live.div_ceil(least as u64) * (head + LEFT_FREE as u64)
    };
    BLOCK_LEN + padded.next_multiple_of(BLOCK_LEN)
}

/// How the merge chooses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// What a merged segment may hold, unless one element alone holds more.
    pub(super) segment: u64,
    pub(super) slice: usize,
    /// What there is room for.
    pub(super) room: u64,
}

/// The neighbours whose merge frees most for what it copies; `None` if none frees a block.
pub(super) fn choose(elements: &[Element], bounds: Bounds) -> Option<Range<usize>> {
    let mut best: Option<(u64, Range<usize>)> = None;
    for from in 0..elements.len() {
        let (mut octets, mut live) = (0_u64, 0_u64);
        for (to, element) in elements.iter().enumerate().skip(from) {
            octets += element.end;
            live += element.live;
            let length = length_of(live, bounds.slice);
            let long = length > bounds.segment && to > from;
            if element.sick || long || length > bounds.room {
                break;
            }
            let freed = octets.saturating_sub(length);
            // In 1/1024 of what is copied; a merge has its own price, about a slice.
            let worth = (freed << 10) / (length + bounds.slice as u64);
            if freed >= BLOCK_LEN && best.as_ref().is_none_or(|(most, _)| worth >= *most) {
                best = Some((worth, from..to + 1));
            }
        }
    }
    best.map(|(_, range)| range)
}

/// A merge under way.
pub(super) struct Merge<M: Medium> {
    /// What is replaced.
    pub(super) range: Range<usize>,
    header: SegmentHeader,
    file: M::File,
    at: u64,
    sources: VecDeque<SegmentReader<M::File>>,
    /// Slices that wait; the last one is being filled.
    slices: VecDeque<Batch>,
    slice: usize,
    records: u64,
    /// What says that a reservation is gone may go up to this number. Nothing older may be left
    /// behind, and the snapshot has to know it: one that has the reservation still would want it.
    pub(super) droppable: Lsn,
    pub(super) live: u64,
}

/// Why a merge ended early.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    /// What it should copy cannot be read.
    #[error(transparent)]
    Source(#[from] Unreadable),
    /// The copy cannot be written.
    #[error(transparent)]
    Write(#[from] io::Error),
}

impl<M: Medium> Merge<M> {
    /// Begins a merge of `elements`, those at `range` of all, into `file`. The snapshot knows all
    /// records up to `snapshot`.
    pub(super) fn begin(
        medium: &M,
        elements: &[Element],
        range: Range<usize>,
        (file, slice): (M::File, usize),
        snapshot: Lsn,
    ) -> io::Result<Self> {
        let [first, ..] = elements else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let header = target(elements).ok_or(io::ErrorKind::InvalidInput)?;
        let mut sources = VecDeque::new();
        for element in elements {
            let name = element.file();
            let source = medium.open(&name.to_string())?;
            let salt = element.header.salt;
            sources.push_back(SegmentReader::new(source, (name, salt), element.end));
        }
        Ok(Self {
            range,
            header,
            file,
            at: BLOCK_LEN,
            sources,
            slices: VecDeque::new(),
            slice,
            records: 0,
            droppable: match first.header.predecessor {
                None => snapshot,
                Some(_) => Lsn(0),
            },
            live: 0,
        })
    }

    /// One batch read, or one slice written; true when all is copied.
    pub(super) fn go_on(&mut self, index: &Index) -> Result<bool, Failed> {
        let full = self.slices.len() > 1 || self.sources.is_empty();
        if full && let Some(batch) = self.slices.pop_front() {
            self.write(batch)?;
            return Ok(false);
        }
        let Some(source) = self.sources.front_mut() else {
            return Ok(true);
        };
        let mut copy = Copy {
            slices: &mut self.slices,
            most: self.slice,
            droppable: self.droppable,
            index,
        };
        if !source.next(|found| copy.batch(found))? {
            self.sources.pop_front();
        }
        Ok(false)
    }

    fn write(&mut self, mut batch: Batch) -> io::Result<()> {
        let durable = batch.first().before();
        self.records += u64::from(batch.count());
        self.live += batch.records().len() as u64;
        let frame = frame::finish(&mut batch, self.header.salt, durable, FrameKind::Merged);
        self.file.write_all_at(frame.octets(), self.at)?;
        self.file.sync()?;
        self.at += frame.octets().len() as u64;
        Ok(())
    }

    /// Completes the file, and gives it its name: from here on it counts. What it leaves of the
    /// reserve that it was is free `when_cut` is called, before anything that takes time.
    pub(super) fn publish(&mut self, medium: &M, when_cut: impl FnOnce()) -> io::Result<Element> {
        self.header.merged = self.header.merged.map(|merged| Merged {
            length: self.at,
            records: self.records,
            ..merged
        });
        self.file.write_all_at(&self.header.to_octets(), 0)?;
        self.file.truncate(self.at)?;
        when_cut();
        self.file.sync()?;
        let name = self.header.file();
        self.read_back(medium)?;
        medium.rename(&name.unfinished_name(), &name.to_string())?;
        Ok(Element {
            header: self.header,
            end: self.at,
            last: self.header.durable,
            live: self.live,
            sick: false,
        })
    }

    /// Reads from the disk what was written there, since what it replaces is removed. A sync that
    /// succeeds is not always proof: not where a disk under the file system ran out of space.
    fn read_back(&self, medium: &M) -> io::Result<()> {
        self.file.forget_cache();
        let file = medium.open(&self.target().unfinished_name())?;
        let mut block = [0; BLOCK];
        file.read_exact_at(&mut block, 0)?;
        let header = SegmentHeader::parse(self.target(), &block).map_err(io::Error::other)?;
        let mut reader = SegmentReader::new(file, (self.target(), header.salt), self.at);
        let mut records = 0;
        while reader
            .next(|found| found.each(&mut |_| records += 1))
            .map_err(io::Error::other)?
        {}
        if header == self.header && records == self.records {
            return Ok(());
        }
        let what = "the disk has not what was written to it";
        Err(io::Error::other(what))
    }

    /// The file that is written.
    pub(super) fn target(&self) -> SegmentFile {
        self.header.file()
    }

    /// Octets written so far.
    pub(super) fn written(&self) -> u64 {
        self.at
    }
}

/// The header of what takes the place of `elements`.
pub(super) fn target(elements: &[Element]) -> Option<SegmentHeader> {
    let (first, last) = (elements.first()?, elements.last()?);
    Some(SegmentHeader {
        id: last.header.id,
        salt: last.header.salt,
        created: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs()),
        first: first.header.first,
        durable: last.last,
        predecessor: first.header.predecessor,
        store: last.header.store,
        merged: Some(Merged {
            from: first.file().bottom(),
            length: BLOCK as u64,
            records: 0,
        }),
    })
}

/// What decides which records of a batch go on.
struct Copy<'c> {
    slices: &'c mut VecDeque<Batch>,
    most: usize,
    droppable: Lsn,
    index: &'c Index,
}

impl Copy<'_> {
    fn batch(&mut self, found: &Found<'_>) -> Result<(), Fault> {
        found.each(&mut |placed| {
            if !self.index.is_newest(placed.lsn, &placed.record) {
                return;
            }
            let record = &placed.record;
            let is_gone = record.kind == RecordKind::ReservationRemoved;
            if !is_gone || placed.lsn > self.droppable {
                self.push(placed.lsn, placed.octets);
            }
        })
    }

    fn push(&mut self, lsn: Lsn, record: &[u8]) {
        let fits = self.slices.back().is_some_and(|batch| {
            HEADROOM + batch.records().len() + record.len() <= self.most || batch.count() == 0
        });
        if !fits {
            self.slices.push_back(Batch::new(lsn));
        }
        if let Some(batch) = self.slices.back_mut() {
            batch.push_sealed(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::octets::whole_blocks;
    use super::*;
    use crate::store::encode::MIN_RECORD;

    /// Octets of a merged segment with these records, and of the records.
    fn packed(lengths: impl Iterator<Item = usize>, slice: usize) -> (u64, u64) {
        let mut slices = VecDeque::new();
        let mut copy = Copy {
            slices: &mut slices,
            most: slice,
            droppable: Lsn(0),
            index: &Index::default(),
        };
        for length in lengths {
            copy.push(Lsn(1), &vec![0; length]);
        }
        let records = slices.iter().map(|batch| batch.records().len());
        let blocks = records
            .clone()
            .map(|octets| whole_blocks(HEADROOM + octets));
        (
            BLOCK_LEN + blocks.sum::<usize>() as u64,
            records.sum::<usize>() as u64,
        )
    }

    #[test]
    fn a_merge_takes_no_more_than_was_reckoned_with() {
        for blocks in [1, 2, 3, 32] {
            let slice = blocks * BLOCK;
            for length in [MIN_RECORD, 94, 400, 606, MAX_RECORD] {
                for count in (1..40).chain([500, 1029]) {
                    for short in [1, 2, 1000] {
                        let lengths =
                            (1..=count).map(|i| if i % short == 0 { MIN_RECORD } else { length });
                        let (octets, live) = packed(lengths, slice);
                        let reckoned = length_of(live, slice);
                        assert!(octets <= reckoned, "{count} of {length} by {slice}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_reckoned_is_near_what_it_takes() {
        let (octets, live) = packed((0..100_000).map(|i| 90 + i % 30), 1 << 20);
        let reckoned = length_of(live, 1 << 20);
        assert!(reckoned - octets < octets / 500, "{reckoned} for {octets}");
        // What is in one slice is known exactly.
        let (octets, live) = packed((0..80).map(|_| 100), 1 << 20);
        assert_eq!(length_of(live, 1 << 20), octets);
    }
}
