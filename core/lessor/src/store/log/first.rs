//! The first pass over a store: the snapshot, and what the segments behind it say.

use super::Fault;
use super::chain::{Chain, Link, chain};
use super::index::Index;
use super::reader::{Reading, Seen, Segment};
use super::recovery::{Recovered, Summary, TornTail};
use super::scan::{LastCommit, Scan};
use super::segment::{BLOCK_LEN, SegmentFile, SegmentHeader};
use super::snapshot::{self, SNAPSHOT, SnapshotHeader, Unfit};
use crate::event::Event;
use crate::store::StoreError;
use crate::store::batch::{Batch, HEADROOM};
use crate::store::encode::Lsn;
use crate::store::medium::Medium;
use std::sync::Arc;

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
pub(super) fn sound<F>(due: Option<Lsn>, link: &Link<F>, scan: &Scan) -> Result<(), Fault> {
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
