//! Which segments count, in which order, and how much of each.
//!
//! The newest segment names the one before it and how much of that counts, and so on down to one
//! that names none. A segment that nobody names between two that do is void: it was superseded
//! before anything was acknowledged from it.

use super::segment::{self, BLOCK, BLOCK_LEN, Predecessor, SegmentHeader, SegmentId};
use super::{Fault, What};
use crate::store::StoreError;
use crate::store::medium::{Medium, MediumFile};

/// No segment is longer: 64 MiB and a batch are usual, the configuration may say more.
pub(super) const MAX_SEGMENT: u64 = 1 << 30;

/// A segment that counts.
#[derive(Debug)]
pub(super) struct Link<F> {
    pub(super) header: SegmentHeader,
    pub(super) file: F,
    /// How much of the file counts.
    pub(super) end: u64,
}

/// The segments of a directory.
#[derive(Debug)]
pub(super) struct Chain<F> {
    /// Those that count, oldest first.
    pub(super) links: Vec<Link<F>>,
    /// Whether the last link is the newest segment, whose end nobody names yet.
    pub(super) open_end: bool,
    /// Void segments.
    pub(super) void: Vec<SegmentId>,
    pub(super) faults: Vec<Fault>,
}

/// What is known about the next older segment.
enum Due {
    /// Nothing has been seen yet: the newest is due.
    Newest,
    /// This much of this one, says segment `by`.
    Named { predecessor: Predecessor, by: u64 },
    /// A fault hides it: take what is there.
    Hidden,
    /// There is none.
    Nothing,
}

/// Names of segments in a directory, oldest first.
pub(super) fn segment_ids<M: Medium>(medium: &M) -> Result<Vec<SegmentId>, StoreError> {
    let names = medium.list().map_err(|source| StoreError::Io {
        what: "list",
        file: medium.dir().to_owned(),
        source,
    })?;
    let mut ids: Vec<_> = names
        .iter()
        .filter_map(|name| segment::id_of(name))
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Follows the chain from the newest segment down, as far as faults let it.
pub(super) fn chain<M: Medium>(
    medium: &M,
    ids: &[SegmentId],
) -> Result<Chain<M::File>, StoreError> {
    let mut chain = Chain {
        links: Vec::new(),
        open_end: false,
        void: Vec::new(),
        faults: Vec::new(),
    };
    let mut due = Due::Newest;
    for id in ids.iter().rev().copied() {
        let end = match due {
            Due::Newest | Due::Hidden => None,
            Due::Named { predecessor, .. } if id == predecessor.id => Some(predecessor.durable_len),
            Due::Named { predecessor, by } if id < predecessor.id => {
                let missing = What::Missing(predecessor.id);
                chain.faults.push(Fault::at(by, 0, missing));
                None
            }
            Due::Named { .. } | Due::Nothing => {
                chain.void.push(id);
                continue;
            }
        };
        due = match link(medium, id, end)? {
            Ok(link) => {
                chain.open_end |= matches!(due, Due::Newest);
                let next = link.header.predecessor;
                chain.links.push(link);
                next.map_or(Due::Nothing, |predecessor| Due::Named {
                    predecessor,
                    by: id,
                })
            }
            Err(fault) => {
                chain.faults.push(fault);
                Due::Hidden
            }
        };
    }
    if let Due::Named { predecessor, by } = due {
        let missing = What::Missing(predecessor.id);
        chain.faults.push(Fault::at(by, 0, missing));
    }
    chain.links.reverse();
    chain.faults.reverse();
    Ok(chain)
}

/// Opens a segment, of which `end` octets count, or all.
fn link<M: Medium>(
    medium: &M,
    id: SegmentId,
    end: Option<u64>,
) -> Result<Result<Link<M::File>, Fault>, StoreError> {
    let name = segment::name(id);
    let failed = |what| {
        let file = medium.dir().join(&name);
        move |source| StoreError::Io { what, file, source }
    };
    let file = medium.open(&name).map_err(failed("open"))?;
    let len = file.len().map_err(failed("look at"))?;
    if len > MAX_SEGMENT {
        return Ok(Err(Fault::at(id, MAX_SEGMENT, What::Long)));
    }
    let end = end.unwrap_or(len);
    if len < end.max(BLOCK_LEN) {
        return Ok(Err(Fault::at(id, len, What::Short)));
    }
    let mut block = [0; BLOCK];
    file.read_exact_at(&mut block, 0).map_err(failed("read"))?;
    Ok(SegmentHeader::parse(id, &block).map(|header| Link { header, file, end }))
}

impl<F: MediumFile> Link<F> {
    /// Reads what counts into `buffer`, from the first octet of the file.
    pub(super) fn read<M: Medium>(
        &self,
        medium: &M,
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        buffer.clear();
        buffer.resize(usize::try_from(self.end).unwrap_or(0), 0);
        self.file
            .read_exact_at(buffer, 0)
            .map_err(|source| StoreError::Io {
                what: "read",
                file: medium.dir().join(segment::name(self.header.id)),
                source,
            })
    }
}
