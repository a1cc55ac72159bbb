//! What a store holds: read at start, and by who wants to look without the lock.
//!
//! ```text
//!   snapshot ──► index up to its number ┐
//!   segments behind that number ────────┴─► index of all ──► all segments once more, in order:
//!                                                            the newest record of each address
//! ```
//!
//! The first pass remembers two numbers of each record; the second hands records out. So memory is
//! bound by the number of addresses, not by what their records hold.

use super::chain::{Chain, Link, chain, segment_files};
use super::frame::Placed;
use super::house::Known;
use super::index::{Index, Standing, Strays, Subject, subject};
use super::live::Live;
use super::reader::{Reading, Seen, Segment};
use super::scan::{LastCommit, Scan};
use super::segment::{BLOCK, BLOCK_LEN, SegmentFile, SegmentHeader};
use super::snapshot::{self, SNAPSHOT, SnapshotHeader, Unfit};
use super::{Fault, open};
use crate::event::Event;
use crate::store::StoreError;
use crate::store::batch::{Batch, HEADROOM};
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium, MediumFile};
use core::fmt;
use dhcp_proto::record::{Record, RecordKind};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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
    /// Octets of them that count.
    pub octets: u64,
    /// The snapshot that was used knew all records up to this one; 0 if there was none.
    pub snapshot: Lsn,
    /// Batches read behind the snapshot, or in the segments where it ends.
    pub batches: u64,
    /// Records in them.
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

/// A store that was read: whose newest records can be walked.
pub struct Recovered<M: Medium = FileMedium> {
    medium: Arc<M>,
    links: Vec<Link<M::File>>,
    index: Index,
    summary: Summary,
    /// When the snapshot that was used was written.
    snapshot_time: u64,
    /// The segment that the snapshot names is merged with later ones, so nothing but the records
    /// themselves tells whether the snapshot is of this log or of another branch of it.
    doubted: bool,
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

pub(super) fn read_once<M: Medium>(medium: &Arc<M>) -> Result<Recovered<M>, StoreError> {
    let files = segment_files(medium.as_ref())?;
    open::require_version(medium.as_ref(), !files.is_empty())?;
    let (recovered, found) = recover(Arc::clone(medium), &files)
        .map_err(|error| moved(medium.as_ref(), &files, error))?;
    unmoved(medium.as_ref(), &files, found.end)?;
    Ok(recovered)
}

/// A fault in what a reader without the lock saw of a directory that has changed meanwhile.
fn moved<M: Medium>(medium: &M, files: &[SegmentFile], error: StoreError) -> StoreError {
    let damaged = matches!(error, StoreError::Damaged { .. });
    if damaged && segment_files(medium).is_ok_and(|now| now != files) {
        let dir = medium.dir().to_owned();
        return StoreError::Changed { dir };
    }
    error
}

/// Whether what was read of the newest of `files`, up to `end`, is still what counts of it. A
/// server that starts takes the last batch over into a new segment.
pub(super) fn unmoved<M: Medium>(
    medium: &M,
    files: &[SegmentFile],
    end: u64,
) -> Result<(), StoreError> {
    let newest = files.last().map_or(0, |file| file.id);
    let now = segment_files(medium)?;
    let Some(successor) = now.into_iter().find(|file| file.bottom() > newest) else {
        // None, or it has been merged with what was read: then it was whole.
        return Ok(());
    };
    let mut block = [0; BLOCK];
    let header = medium
        .open(&successor.to_string())
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
    pub(super) void: Vec<SegmentFile>,
    /// The random number that all segments of the store have; 0 if they have none yet.
    pub(super) store: u64,
    /// There is a snapshot, and it is not of these segments.
    pub(super) foreign_snapshot: bool,
}

/// Reads the snapshot and the segments behind it, and refuses any fault.
pub(super) fn recover<M: Medium>(
    medium: Arc<M>,
    files: &[SegmentFile],
) -> Result<(Recovered<M>, Found), StoreError> {
    let chain = chain(medium.as_ref(), files)?;
    if let Some(fault) = chain.faults.first().copied() {
        return Err(fault.refuse(medium.dir()));
    }
    let (snapshot, mut foreign) = snapshot_of(medium.as_ref(), &chain.links);
    let mut first = First::new(snapshot);
    first.read(medium.as_ref(), &chain)?;
    if first
        .snapshot
        .is_some_and(|header| header.lsn > first.last())
    {
        ignore(medium.as_ref(), &Unfit::Other);
        foreign = true;
        first = First::new(None);
        first.read(medium.as_ref(), &chain)?;
    }
    let (recovered, mut found) = first.into_recovered(medium, chain);
    found.foreign_snapshot = foreign;
    Ok((recovered, found))
}

/// The snapshot, if it can be used, and whether there is one that never can.
fn snapshot_of<M: Medium>(
    medium: &M,
    links: &[Link<M::File>],
) -> (Option<(SnapshotHeader, Index)>, bool) {
    match snapshot::load(medium, links) {
        Ok(found) => (found, false),
        Err(unfit) => {
            ignore(medium, &unfit);
            (None, !matches!(unfit, Unfit::Io(_)))
        }
    }
}

fn ignore<M: Medium>(medium: &M, unfit: &Unfit) {
    tracing::warn!(
        event = %Event::StoreSnapshotIgnored,
        file = %medium.dir().join(SNAPSHOT).display(),
        reason = %unfit,
        "the snapshot is not used, all segments are read instead"
    );
}

/// The first pass.
struct First {
    index: Index,
    snapshot: Option<SnapshotHeader>,
    summary: Summary,
    /// The number due behind the segment that was read last.
    due: Option<Lsn>,
    /// What the newest segment holds.
    newest: Option<(Scan, Option<Batch>)>,
}

impl First {
    fn new(snapshot: Option<(SnapshotHeader, Index)>) -> Self {
        let (snapshot, index) = snapshot.unzip();
        Self {
            index: index.unwrap_or_default(),
            snapshot,
            summary: Summary::default(),
            due: None,
            newest: None,
        }
    }

    fn last(&self) -> Lsn {
        self.due.unwrap_or(Lsn(1)).before()
    }

    fn read<M: Medium>(&mut self, medium: &M, chain: &Chain<M::File>) -> Result<(), StoreError> {
        let known = self.snapshot.map_or(Lsn(0), |header| header.lsn);
        let from = chain
            .links
            .windows(2)
            .take_while(|pair| {
                let [link, next] = pair else { return false };
                link.last_lsn(Some(next)).is_some_and(|last| last <= known)
            })
            .count();
        let links = chain.links.get(from..).unwrap_or_default();
        let reading = Reading {
            medium,
            links,
            open_end: chain.open_end,
            wanted: &|_| Box::new(move |placed| placed.lsn > known),
            what: "reading what the snapshot does not know",
        };
        reading.run(|place, segment| {
            let Some(link) = links.get(place) else {
                return Ok(());
            };
            let newest = place + 1 == links.len();
            self.segment(medium, link, (segment, newest))
        })
    }

    fn segment<M: Medium>(
        &mut self,
        medium: &M,
        link: &Link<M::File>,
        (segment, newest): (&Segment, bool),
    ) -> Result<(), StoreError> {
        sound(self.due, link, &segment.scan).map_err(|fault| fault.refuse(medium.dir()))?;
        self.due = Some(segment.scan.next);
        self.summary.batches += segment.scan.batches;
        self.summary.records += segment.scan.records;
        segment.each(|seen| match seen {
            Seen::Soon(placed) => self.index.fetch(&placed.record),
            Seen::Now(placed) => {
                self.index.note(placed);
            }
        });
        if newest {
            let last = segment.scan.last.filter(|last| !last.proven);
            let unproven = last.and_then(|last| batch(segment.octets(), &last));
            self.newest = Some((segment.scan.clone(), unproven));
        }
        Ok(())
    }

    fn into_recovered<M: Medium>(
        self,
        medium: Arc<M>,
        chain: Chain<M::File>,
    ) -> (Recovered<M>, Found) {
        let found = found(&chain, self.last().plus(1), self.newest.as_ref());
        let links = chain.links;
        let doubted = self
            .snapshot
            .is_some_and(|header| !header.is_proven(&links));
        let marks = *self.index.marks();
        let mut summary = Summary {
            segments: links.len(),
            octets: links.iter().map(|link| link.end).sum(),
            snapshot: self.snapshot.map_or(Lsn(0), |header| header.lsn),
            addresses: self.index.addresses(),
            reservations: self.index.reservations(),
            highest_generation: marks.highest_generation,
            highest_lsn: self.last(),
            newest_time: marks.latest.1,
            time_record: marks.time.record(),
            ..self.summary
        };
        let torn = self.newest.as_ref().and_then(|(scan, _)| scan.torn);
        if let (Some(offset), Some(link)) = (torn, links.last()) {
            summary.torn = Some(TornTail {
                file: medium.dir().join(link.header.file().to_string()),
                offset,
                octets: link.end.saturating_sub(offset),
            });
        }
        let mut recovered = Recovered {
            medium,
            links,
            index: self.index,
            summary,
            snapshot_time: self.snapshot.map_or(0, |header| header.created),
            doubted,
        };
        recovered.cut(found.end);
        (recovered, found)
    }
}

/// The first thing that is wrong with a segment, or with its place behind the one before.
fn sound<F>(due: Option<Lsn>, link: &Link<F>, scan: &Scan) -> Result<(), Fault> {
    let fault = Scan::follow(due, link).or(scan.faults.first().copied());
    fault.map_or(Ok(()), Err)
}

fn found<F>(chain: &Chain<F>, next: Lsn, newest: Option<&(Scan, Option<Batch>)>) -> Found {
    let link = chain.links.last();
    let scan = newest.map(|(scan, _)| scan);
    let unproven = newest.and_then(|(_, batch)| batch.as_ref());
    let end = scan
        .and_then(|scan| scan.torn)
        .or(link.map(|link| link.end))
        .unwrap_or(BLOCK_LEN);
    let last = scan.and_then(|scan| scan.last);
    Found {
        next,
        newest: link.map(|link| link.header),
        end,
        proven_end: match last {
            // A merged segment has its name only when it is whole.
            None if link.is_some_and(|link| link.header.merged.is_some()) => end,
            None => BLOCK_LEN,
            Some(last) if last.proven => last.end,
            Some(last) => last.offset,
        },
        unproven: unproven
            .map(|batch| Batch::of_sealed(batch.first(), batch.count(), batch.records())),
        void: chain.void.clone(),
        store: chain
            .links
            .iter()
            .map(|link| link.header.store)
            .find(|store| *store != 0)
            .unwrap_or(0),
        foreign_snapshot: false,
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

    /// Octets of the records that are the newest of their address or reservation.
    #[must_use]
    pub fn live_octets(&self) -> u64 {
        let mut octets = 0;
        self.index
            .each_live(|_, length| octets += u64::from(length));
        octets
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

    /// Another segment follows, the newest having counted up to `end`.
    pub(super) fn go_on(&mut self, end: u64, link: Link<M::File>) {
        self.cut(end);
        // The new one names the one before, if nothing in the newest counts.
        self.links.pop_if(|newest| newest.end <= BLOCK_LEN);
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
        &self,
        mut visit: impl FnMut(Lsn, &Record<'_>),
    ) -> Result<(), StoreError> {
        self.hand_out(|seen| {
            if let Seen::Now((lsn, record)) = seen {
                visit(lsn, record);
            }
        })
    }

    /// The same, and each record is shown a few records before its turn as well.
    ///
    /// # Errors
    /// As [`Self::for_each_newest`].
    pub fn hand_out(
        &self,
        mut visit: impl FnMut(Seen<(Lsn, &Record<'_>)>),
    ) -> Result<(), StoreError> {
        let index = &self.index;
        let live = Live::of(index, &self.links);
        let strays = Mutex::new(Strays::default());
        // What a snapshot says that is in doubt is held against every record.
        let doubtful = |placed: &Placed<'_>| match index.standing(placed) {
            Standing::Newest => true,
            Standing::Older => false,
            Standing::Stray => {
                let mut strays = strays.lock().unwrap_or_else(PoisonError::into_inner);
                strays.note(placed);
                false
            }
        };
        let reading = Reading {
            medium: self.medium.as_ref(),
            links: &self.links,
            open_end: false,
            wanted: &|place| {
                if self.doubted {
                    return Box::new(&doubtful);
                }
                let mut standing = live.walk(place);
                Box::new(move |placed| match subject(placed.record.kind) {
                    Subject::Binding => standing.has(placed),
                    Subject::Reservation { .. } => index.is_newest(placed.lsn, &placed.record),
                    Subject::Time => false,
                })
            },
            what: "reading bindings",
        };
        let mut due = None;
        let mut left = self.index.due();
        reading.run(|place, segment| {
            let Some(link) = self.links.get(place) else {
                return Ok(());
            };
            sound(due, link, &segment.scan).map_err(|fault| fault.refuse(self.medium.dir()))?;
            due = Some(segment.scan.next);
            segment.each(|seen| match seen {
                Seen::Soon(placed) => visit(Seen::Soon((placed.lsn, &placed.record))),
                Seen::Now(placed) => {
                    let gone = placed.record.kind == RecordKind::ReservationRemoved;
                    left = left.saturating_sub(u64::from(!gone));
                    visit(Seen::Now((placed.lsn, &placed.record)));
                }
            });
            Ok(())
        })?;
        let strays = strays.into_inner().unwrap_or_else(PoisonError::into_inner);
        let differing = left + strays.count();
        if differing == 0 {
            return Ok(());
        }
        let dir = self.medium.dir().to_owned();
        if self.summary.snapshot == Lsn(0) {
            return Err(StoreError::Changed { dir });
        }
        let file = dir.join(SNAPSHOT);
        Err(StoreError::ForeignSnapshot { file, differing })
    }

    /// What the housekeeper goes on from.
    pub(super) fn known(&mut self) -> Known<'_, M::File> {
        let snapshot = self.summary.snapshot;
        Known {
            index: core::mem::take(&mut self.index),
            links: &self.links,
            snapshot: (snapshot != Lsn(0)).then_some((snapshot, self.snapshot_time)),
        }
    }
}

#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, reason = "for tests alone")]
impl<M: Medium> Recovered<M> {
    /// Every record that counts, the newest of its address or not.
    pub(super) fn each_record(&self, mut visit: impl FnMut(Lsn, &Record<'_>)) {
        let mut buffer = Vec::new();
        for link in &self.links {
            link.read(self.medium.as_ref(), &mut buffer).unwrap();
            let _scan = Scan::of(link, &buffer, false, &mut |placed| {
                visit(placed.lsn, &placed.record);
            });
        }
    }
}

#[cfg(test)]
impl<M: Medium> Recovered<M> {
    /// File, offset, number and address of every record that counts.
    pub(super) fn places(&self) -> Vec<(String, usize, Lsn, u32)> {
        let mut places = Vec::new();
        let mut buffer = Vec::new();
        for link in &self.links {
            link.read(self.medium.as_ref(), &mut buffer).unwrap();
            let name = link.header.file().to_string();
            let _scan = Scan::of(link, &buffer, false, &mut |placed| {
                let at = usize::try_from(placed.offset).unwrap();
                places.push((name.clone(), at, placed.lsn, placed.record.addr.to_bits()));
            });
        }
        places
    }
}
