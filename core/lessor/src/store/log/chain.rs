//! Which segments count, in which order, and how much of each.
//!
//! The newest segment names the one before it and how much of that counts, and so on down to one
//! that names none. A merged segment stands where the last of those stood that it replaces, and
//! names the one before the first of them. What has a number in between is void: it was replaced,
//! or superseded before anything was acknowledged from it.

use super::segment::{BLOCK, BLOCK_LEN, Predecessor, SegmentFile, SegmentHeader};
use super::{Fault, What};
use crate::store::StoreError;
use crate::store::encode::Lsn;
use crate::store::medium::{Medium, MediumFile};
use core::cmp::Reverse;

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
    pub(super) void: Vec<SegmentFile>,
    pub(super) faults: Vec<Fault>,
}

/// What is known about the next older segment.
enum Due {
    /// Nothing has been seen yet: the newest is due.
    Newest,
    /// This much of this one, says segment `by`.
    Named {
        predecessor: Predecessor,
        by: SegmentFile,
    },
    /// A fault in the segment with this first number hides it: take what is there.
    Hidden(u64),
    /// There is none.
    Nothing,
}

/// The segments in a directory, oldest first, a merged one behind those that it may replace.
pub(super) fn segment_files<M: Medium>(medium: &M) -> Result<Vec<SegmentFile>, StoreError> {
    let names = medium.list().map_err(|source| StoreError::Io {
        what: "list",
        file: medium.dir().to_owned(),
        source,
    })?;
    let mut files: Vec<_> = names
        .iter()
        .filter_map(|name| SegmentFile::of_name(name))
        .collect();
    files.sort_unstable_by_key(|file| (file.id, file.from.is_some(), Reverse(file.bottom())));
    Ok(files)
}

/// Follows the chain from the newest segment down, as far as faults let it.
pub(super) fn chain<M: Medium>(
    medium: &M,
    files: &[SegmentFile],
) -> Result<Chain<M::File>, StoreError> {
    let mut chain = Chain {
        links: Vec::new(),
        open_end: false,
        void: Vec::new(),
        faults: Vec::new(),
    };
    let mut due = Due::Newest;
    for file in files.iter().rev().copied() {
        let end = match &due {
            Due::Newest => None,
            Due::Hidden(from) if file.id < *from => None,
            Due::Named { predecessor, .. } if file.id == predecessor.id => {
                Some(predecessor.durable_len)
            }
            Due::Named { predecessor, by } if file.id < predecessor.id => {
                let missing = What::Missing(predecessor.id);
                chain.faults.push(Fault::at(*by, 0, missing));
                None
            }
            Due::Named { .. } | Due::Nothing | Due::Hidden(_) => {
                chain.void.push(file);
                continue;
            }
        };
        due = match link(medium, file, end)? {
            Ok(link) => {
                let plain = link.header.merged.is_none();
                chain.open_end |= plain && matches!(due, Due::Newest);
                let next = link.header.predecessor;
                chain.add(link);
                next.map_or(Due::Nothing, |predecessor| Due::Named {
                    predecessor,
                    by: file,
                })
            }
            Err(fault) => {
                chain.faults.push(fault);
                Due::Hidden(file.bottom())
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

/// Opens a segment, of which `end` octets count, or all. A merged one says itself how much.
fn link<M: Medium>(
    medium: &M,
    name: SegmentFile,
    end: Option<u64>,
) -> Result<Result<Link<M::File>, Fault>, StoreError> {
    let failed = |what| {
        let file = medium.dir().join(name.to_string());
        move |source| StoreError::Io { what, file, source }
    };
    let file = medium.open(&name.to_string()).map_err(failed("open"))?;
    let len = file.len().map_err(failed("look at"))?;
    if len > MAX_SEGMENT {
        return Ok(Err(Fault::at(name, MAX_SEGMENT, What::Long)));
    }
    if len < BLOCK_LEN {
        return Ok(Err(Fault::at(name, len, What::Short)));
    }
    let mut block = [0; BLOCK];
    file.read_exact_at(&mut block, 0).map_err(failed("read"))?;
    let header = match SegmentHeader::parse(name, &block) {
        Ok(header) => header,
        Err(fault) => return Ok(Err(fault)),
    };
    let end = header.merged.map(|merged| merged.length).or(end);
    let end = end.unwrap_or(len);
    if len < end {
        return Ok(Err(Fault::at(name, len, What::Short)));
    }
    Ok(Ok(Link { header, file, end }))
}

impl<F> Chain<F> {
    fn add(&mut self, link: Link<F>) {
        let store = link.header.store;
        let other = self.links.iter().map(|newer| newer.header.store);
        if store != 0 && other.into_iter().any(|other| other != 0 && other != store) {
            let foreign = Fault::at(link.header.file(), 0, What::Foreign);
            self.faults.push(foreign);
        }
        self.links.push(link);
    }
}

impl<F: MediumFile> Link<F> {
    /// Reads what counts into `buffer`, from the first octet of the file.
    pub(super) fn read<M: Medium>(
        &self,
        medium: &M,
        buffer: &mut Vec<u8>,
    ) -> Result<(), StoreError> {
        let end = usize::try_from(self.end).unwrap_or(0);
        if buffer.len() < end {
            // Fresh pages are zeros already; those of the last segment are written over.
            *buffer = vec![0; end];
        }
        buffer.truncate(end);
        self.file
            .read_exact_at(buffer, 0)
            .map_err(|source| StoreError::Io {
                what: "read",
                file: medium.dir().join(self.header.file().to_string()),
                source,
            })
    }
}

impl<F> Link<F> {
    /// The last number in it, as far as its successor or itself tells.
    pub(super) fn last_lsn(&self, successor: Option<&Self>) -> Option<Lsn> {
        match (self.header.merged, successor) {
            (Some(_), _) => Some(self.header.durable),
            (None, Some(next)) => Some(next.header.first.before()),
            (None, None) => None,
        }
    }
}
