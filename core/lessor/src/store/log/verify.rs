//! `lessor store verify`: reads everything, reports everything, changes nothing.

use super::chain::{chain, segment_files};
use super::index::{Entry, Index};
use super::look::{unchanging, unmoved};
use super::recovery::TornTail;
use super::scan::Scan;
use super::snapshot::{self, SnapshotHeader};
use super::{Fault, open};
use crate::store::StoreError;
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium};
use std::path::Path;

/// What a store holds, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Segments that count.
    pub segments: usize,
    /// Segments that count for nothing; the next start removes them.
    pub void_segments: usize,
    /// Sound batches.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Number of the oldest record.
    pub first_lsn: Lsn,
    /// Number of the newest record; one less than the oldest if there is none.
    pub last_lsn: Lsn,
    /// Damage to records that were acknowledged, in the order of the log.
    pub faults: Vec<Fault>,
    /// A batch that was being written. Normal after a crash and beside a running server.
    pub torn_tail: Option<TornTail>,
    /// What the snapshot is good for.
    pub snapshot: SnapshotState,
}

impl Report {
    /// Whether a start takes the store as it is, with all that was acknowledged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && !matches!(self.snapshot, SnapshotState::Wrong { .. })
    }
}

/// What a snapshot is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotState {
    /// There is none; a start reads all segments twice.
    None,
    /// It knows all records up to this one.
    Good(Lsn),
    /// A start ignores it for this reason, and reads all segments twice. Nothing is lost.
    Ignored(String),
    /// It says something else than the segments about so many addresses: remove it.
    Wrong {
        /// How many.
        addresses: u64,
    },
}

/// Reads the store in `dir` without the lock, beside a running server too.
///
/// # Errors
/// There is no store that this release could read. Damage is no error but in the report.
pub fn verify(dir: &Path) -> Result<Report, StoreError> {
    let medium = FileMedium::existing(dir)?;
    unchanging(|| report(&medium))
}

pub(super) fn report<M: Medium>(medium: &M) -> Result<Report, StoreError> {
    let files = segment_files(medium)?;
    open::require_version(medium, !files.is_empty())?;
    let chain = chain(medium, &files)?;
    let mut faults = chain.faults;
    let (mut batches, mut records) = (0, 0);
    let snapshot = snapshot::load(medium, &chain.links);
    let mut index = Index::default();
    let mut buffer = Vec::new();
    let (mut end, mut torn, mut due) = (0, None, None);
    for (i, link) in chain.links.iter().enumerate() {
        link.read(medium, &mut buffer)?;
        let newest = chain.open_end && i + 1 == chain.links.len();
        let scan = Scan::of(link, &buffer, newest, &mut |placed| {
            index.note(placed);
        });
        faults.extend(Scan::follow(due, link));
        due = Some(scan.next);
        batches += scan.batches;
        records += scan.records;
        torn = scan.torn;
        end = torn.unwrap_or(link.end);
        faults.extend(scan.faults);
    }
    if !faults.is_empty() && segment_files(medium)? != files {
        let dir = medium.dir().to_owned();
        return Err(StoreError::Changed { dir });
    }
    unmoved(medium, &files, end)?;
    let torn = torn.zip(chain.links.last());
    Ok(Report {
        segments: chain.links.len(),
        void_segments: chain.void.len(),
        batches,
        records,
        first_lsn: chain
            .links
            .first()
            .map_or(Lsn::default(), |link| link.header.first),
        last_lsn: due.unwrap_or(Lsn(1)).before(),
        snapshot: judge(snapshot, &index, due.unwrap_or(Lsn(1)).before()),
        torn_tail: torn.map(|(offset, link)| TornTail {
            file: medium.dir().join(link.header.file().to_string()),
            offset,
            octets: link.end.saturating_sub(offset),
        }),
        faults,
    })
}

fn judge(
    snapshot: Result<Option<(SnapshotHeader, Index)>, snapshot::Unfit>,
    index: &Index,
    last: Lsn,
) -> SnapshotState {
    let (header, known) = match snapshot {
        Ok(Some(found)) => found,
        Ok(None) => return SnapshotState::None,
        Err(unfit) => return SnapshotState::Ignored(unfit.to_string()),
    };
    if header.lsn > last {
        return SnapshotState::Ignored(snapshot::Unfit::Other.to_string());
    }
    match differing(&known, index, header.lsn) {
        0 => SnapshotState::Good(header.lsn),
        addresses => SnapshotState::Wrong { addresses },
    }
}

/// Addresses of which the snapshot, good up to `upto`, does not say what the segments do.
fn differing(snapshot: &Index, segments: &Index, upto: Lsn) -> u64 {
    // What is newer than the snapshot it cannot know, and what it knew may be gone since.
    let agree = |known: Option<Entry>, found: Option<Entry>| match (known, found) {
        (known, Some(found)) if found.lsn <= upto => known == Some(found),
        (Some(known), Some(found)) => known.generation() <= found.generation(),
        (Some(_), None) => false,
        (None, _) => true,
    };
    let mut keys = snapshot.keys();
    keys.extend(segments.keys());
    keys.sort_unstable();
    keys.dedup();
    let mut differing = 0;
    for key in keys {
        for low in 0..=u8::MAX {
            let (known, found) = (snapshot.entry(key, low), segments.entry(key, low));
            differing += u64::from(!agree(known, found));
        }
    }
    differing + differing_reservations(snapshot, segments, upto)
}

/// The same of reservations; what says that one is gone may itself be gone.
fn differing_reservations(snapshot: &Index, segments: &Index, upto: Lsn) -> u64 {
    let unknown = segments.each_reservation().filter(|(key, found)| {
        let old = found.lsn <= upto && !found.removed;
        old && snapshot.reserved(key) != Some(**found)
    });
    let missing = snapshot.each_reservation().filter(|(key, known)| {
        let newer = segments
            .reserved(key)
            .is_some_and(|found| found.lsn >= known.lsn);
        !known.removed && !newer
    });
    (unknown.count() + missing.count()) as u64
}
