//! What a store holds: read at start, and by who wants to look without the lock.
//!
//! Two passes in the order of the log: the first finds the newest record of each address and
//! remembers no more of it than two numbers; the second hands those records out. So memory is
//! bound by the number of addresses, not by what their records hold.

use super::chain::{Chain, Link, chain, segment_ids};
use super::frame::Frames;
use super::index::Index;
use super::scan::{LastCommit, Scan};
use super::segment::{self, BLOCK, BLOCK_LEN, SegmentHeader, SegmentId};
use super::{Fault, open};
use crate::store::StoreError;
use crate::store::batch::{Batch, HEADROOM};
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium, MediumFile};
use core::fmt;
use dhcp_proto::record::{Record, RecordKind};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often a reader without the lock tries to see one state of the store.
const TRIES: usize = 5;

/// A batch that was being written when the process or the machine ended. Nothing in it was
/// acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub file: PathBuf,
    /// Where the tail begins.
    pub offset: u64,
    /// How long it is.
    pub octets: u64,
}

/// A record of the time, as far as it says more than other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeRecord {
    /// Its number.
    pub lsn: Lsn,
    /// When it was written, Unix seconds.
    pub time: u64,
    /// When the hold of the clock ends, Unix seconds; 0 if it is not held.
    pub expiry: u64,
    /// Seconds from the last trusted time to the end of the hold.
    pub lease: u32,
}

/// What the store holds, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Segments that count.
    pub segments: usize,
    /// Batches read.
    pub batches: u64,
    /// Records read.
    pub records: u64,
    /// Addresses with a record.
    pub addresses: u64,
    /// Reservations with a record, those removed again too.
    pub reservations: u64,
    /// The highest generation of any record.
    pub highest_generation: u64,
    /// The number of the newest record; 0 if there is none.
    pub highest_lsn: Lsn,
    /// The time in the newest record by its number, Unix seconds.
    pub newest_time: u64,
    /// The newest record of the time.
    pub time_record: Option<TimeRecord>,
    /// What was cut.
    pub torn: Option<TornTail>,
}

impl Summary {
    /// Notes the times of a record, if it is the newest so far.
    fn note_time(&mut self, lsn: Lsn, record: &Record<'_>) {
        if lsn >= self.highest_lsn {
            self.highest_lsn = lsn;
            self.newest_time = record.time;
        }
        let newer = self.time_record.is_none_or(|newest| lsn > newest.lsn);
        if record.kind == RecordKind::Time && newer {
            self.time_record = Some(TimeRecord {
                lsn,
                time: record.time,
                expiry: record.expiry,
                lease: record.lease,
            });
        }
    }
}

/// A store that was read: whose newest records can be walked, once.
pub struct Recovered<M: Medium = FileMedium> {
    medium: Arc<M>,
    links: Vec<Link<M::File>>,
    index: Index,
    summary: Summary,
}

impl<M: Medium> fmt::Debug for Recovered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovered")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// Reads the store in `dir` without the lock and without changing anything, beside a running
/// server too. What it is just writing may or may not be seen.
///
/// # Errors
/// There is no store, it is damaged, or it changes faster than it can be read.
pub fn read(dir: &Path) -> Result<Recovered, StoreError> {
    let medium = Arc::new(FileMedium::existing(dir)?);
    unchanging(|| read_once(&medium))
}

/// Tries again while the store changes under the reader.
pub(super) fn unchanging<T>(
    mut read: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut result = read();
    for _ in 1..TRIES {
        match &result {
            Err(StoreError::Changed { .. }) => result = read(),
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                result = read();
            }
            Ok(_) | Err(_) => break,
        }
    }
    result
}

fn read_once<M: Medium>(medium: &Arc<M>) -> Result<Recovered<M>, StoreError> {
    let ids = segment_ids(medium.as_ref())?;
    open::require_version(medium.as_ref(), !ids.is_empty())?;
    let (recovered, found) = recover(Arc::clone(medium), &ids)?;
    unmoved(medium.as_ref(), &ids, found.end)?;
    Ok(recovered)
}

/// Whether what was read of the newest of `ids`, up to `end`, is still what counts of it. A
/// server that starts takes the last batch over into a new segment.
pub(super) fn unmoved<M: Medium>(
    medium: &M,
    ids: &[SegmentId],
    end: u64,
) -> Result<(), StoreError> {
    let newest = ids.last().copied().unwrap_or(0);
    let now = segment_ids(medium)?;
    let Some(successor) = now.into_iter().find(|id| *id > newest) else {
        return Ok(());
    };
    let name = segment::name(successor);
    let mut block = [0; BLOCK];
    let header = medium
        .open(&name)
        .and_then(|file| file.read_exact_at(&mut block, 0))
        .ok()
        .and_then(|()| SegmentHeader::parse(successor, &block).ok());
    let unmoved = header
        .and_then(|header| header.predecessor)
        .is_some_and(|before| before.id == newest && before.durable_len >= end);
    if unmoved {
        return Ok(());
    }
    let dir = medium.dir().to_owned();
    Err(StoreError::Changed { dir })
}

/// What a start has to know beyond what is recovered.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The number due next.
    pub(super) next: Lsn,
    /// The newest segment.
    pub(super) newest: Option<SegmentHeader>,
    /// How much of the newest segment is sound.
    pub(super) end: u64,
    /// How much of the newest segment is known to be durable.
    pub(super) proven_end: u64,
    /// The last batch, if nothing proves that it is durable and not just in the page cache.
    pub(super) unproven: Option<Batch>,
    /// Void segments.
    pub(super) void: Vec<SegmentId>,
}

/// Reads all segments and refuses any fault.
pub(super) fn recover<M: Medium>(
    medium: Arc<M>,
    ids: &[SegmentId],
) -> Result<(Recovered<M>, Found), StoreError> {
    let Chain {
        links,
        open_end,
        void,
        faults,
    } = chain(medium.as_ref(), ids)?;
    let refuse = |fault: Fault| Err(fault.refuse(medium.dir()));
    if let Some(fault) = faults.first().copied() {
        return refuse(fault);
    }
    let mut index = Index::default();
    let mut summary = Summary {
        segments: links.len(),
        ..Summary::default()
    };
    let mut scan = Scan::default();
    let mut buffer = Vec::new();
    for (i, link) in links.iter().enumerate() {
        link.read(medium.as_ref(), &mut buffer)?;
        let newest = open_end && i + 1 == links.len();
        scan.segment(link, &buffer, newest, &mut |lsn, record| {
            summary.highest_generation = summary.highest_generation.max(record.generation);
            summary.note_time(lsn, record);
            index.note(lsn, record);
        });
        if let Some(fault) = scan.faults.first().copied() {
            return refuse(fault);
        }
    }
    summary.batches = scan.batches;
    summary.records = scan.records;
    summary.addresses = index.addresses();
    summary.reservations = index.reservations();
    summary.highest_lsn = scan.next().before();
    let found = found(&links, &scan, &buffer, void);
    if let (Some(offset), Some(link)) = (scan.torn, links.last()) {
        summary.torn = Some(TornTail {
            file: medium.dir().join(segment::name(link.header.id)),
            offset,
            octets: link.end.saturating_sub(offset),
        });
    }
    let mut recovered = Recovered {
        medium,
        links,
        index,
        summary,
    };
    recovered.cut(found.end);
    Ok((recovered, found))
}

fn found<F>(links: &[Link<F>], scan: &Scan, newest: &[u8], void: Vec<SegmentId>) -> Found {
    let end = scan
        .torn
        .or(links.last().map(|link| link.end))
        .unwrap_or(BLOCK_LEN);
    let unproven = scan.last.filter(|last| !last.proven);
    Found {
        next: scan.next(),
        newest: links.last().map(|link| link.header),
        end,
        proven_end: match (unproven, scan.last) {
            (Some(last), _) => last.offset,
            (None, Some(last)) => last.end,
            (None, None) => BLOCK_LEN,
        },
        unproven: unproven.and_then(|last| batch(newest, &last)),
        void,
    }
}

/// The batch at `last` of a segment's octets.
fn batch(segment: &[u8], last: &LastCommit) -> Option<Batch> {
    let from = usize::try_from(last.offset).ok()? + HEADROOM;
    let to = from + usize::try_from(last.header.length).ok()?;
    let records = segment.get(from..to)?;
    Some(Batch::of_sealed(
        last.header.first,
        last.header.count,
        records,
    ))
}

impl<M: Medium> Recovered<M> {
    /// What was found, in numbers.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Blocks of 256 addresses that have records: the space and the first address of each.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        self.index.blocks()
    }

    /// How much of the newest segment counts.
    pub(super) fn cut(&mut self, end: u64) {
        if let Some(last) = self.links.last_mut() {
            last.end = last.end.min(end);
        }
    }

    /// Another segment follows.
    pub(super) fn extend(&mut self, link: Link<M::File>) {
        self.links.push(link);
    }

    /// Hands out the newest record of each address, whatever its kind, and the newest about each
    /// reservation, in the order of the log. A reservation hides no binding, and records of the
    /// time are not handed out.
    ///
    /// Of two addresses that one client has on one link the caller keeps the higher [`Lsn`].
    ///
    /// # Errors
    /// A segment cannot be read any more, or is not what it was.
    pub fn for_each_newest(
        mut self,
        mut visit: impl FnMut(Lsn, &Record<'_>),
    ) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        for link in &self.links {
            link.read(self.medium.as_ref(), &mut buffer)?;
            let id = link.header.id;
            let mut frames = Frames::new(id, link.header.salt, &buffer);
            while let Some(found) = frames.next() {
                found
                    .and_then(|found| {
                        found.each(id, &mut |lsn, record| {
                            if self.index.take(lsn, record) {
                                visit(lsn, record);
                            }
                        })
                    })
                    .map_err(|fault| fault.refuse(self.medium.dir()))?;
            }
        }
        if self.index.addresses() == 0 && self.index.reservations() == 0 {
            return Ok(());
        }
        let dir = self.medium.dir().to_owned();
        Err(StoreError::Changed { dir })
    }
}
