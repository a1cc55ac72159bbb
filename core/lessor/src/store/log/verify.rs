//! `lessor store verify`: reads everything, reports everything, changes nothing.

use super::chain::{chain, segment_files};
use super::recovery::{TornTail, unchanging, unmoved};
use super::scan::Scan;
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
    let mut buffer = Vec::new();
    let (mut end, mut torn, mut due) = (0, None, None);
    for (i, link) in chain.links.iter().enumerate() {
        link.read(medium, &mut buffer)?;
        let newest = chain.open_end && i + 1 == chain.links.len();
        let scan = Scan::of(link, &buffer, newest, &mut |_| {});
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
        torn_tail: torn.map(|(offset, link)| TornTail {
            file: medium.dir().join(link.header.file().to_string()),
            offset,
            octets: link.end.saturating_sub(offset),
        }),
        faults,
    })
}
