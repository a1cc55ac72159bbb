//! `lessor store verify`: reads everything, reports everything, changes nothing.

use super::chain::{chain, segment_ids};
use super::recovery::{TornTail, unchanging, unmoved};
use super::scan::Scan;
use super::{Fault, open, segment};
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
    let ids = segment_ids(medium)?;
    open::require_version(medium, !ids.is_empty())?;
    let chain = chain(medium, &ids)?;
    let mut scan = Scan::default();
    scan.faults.extend(chain.faults);
    let mut buffer = Vec::new();
    let mut end = 0;
    for (i, link) in chain.links.iter().enumerate() {
        link.read(medium, &mut buffer)?;
        let newest = chain.open_end && i + 1 == chain.links.len();
        scan.segment(link, &buffer, newest, &mut |_, _| {});
        end = scan.torn.unwrap_or(link.end);
    }
    unmoved(medium, &ids, end)?;
    let torn = scan.torn.zip(chain.links.last());
    Ok(Report {
        segments: chain.links.len(),
        void_segments: chain.void.len(),
        batches: scan.batches,
        records: scan.records,
        first_lsn: scan.first,
        last_lsn: scan.next().before(),
        torn_tail: torn.map(|(offset, link)| TornTail {
            file: medium.dir().join(segment::name(link.header.id)),
            offset,
            octets: link.end.saturating_sub(offset),
        }),
        faults: scan.faults,
    })
}
