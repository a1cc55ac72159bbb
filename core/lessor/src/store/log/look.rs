//! Looking at a store without its lock, beside a server that changes it.

use super::chain::segment_files;
use super::first::recover;
use super::open;
use super::recovery::Recovered;
use super::segment::{BLOCK, SegmentFile, SegmentHeader};
use crate::store::StoreError;
use crate::store::medium::{FileMedium, Medium, MediumFile};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// How often a reader without the lock tries to see one state of the store.
const TRIES: usize = 5;

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
