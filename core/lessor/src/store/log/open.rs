//! Opening a log: lock, version, recovery, and a new segment to write to.
//!
//! Each start writes to a segment of its own. What the last process wrote last may be readable
//! and yet not durable (it can come from the page cache, and after a failed sync no later one
//! tells), so a last batch that no later header vouches for is written again, at the head of the
//! new segment, before anything can be acknowledged because of it.

use super::chain::{Link, segment_ids};
use super::recovery::{Found, Recovered, recover};
use super::segment::{self, BLOCK_LEN, Predecessor, SegmentHeader, SegmentId, VERSION};
use super::writer::Log;
use crate::event::Event;
use crate::store::StoreError;
use crate::store::batch::Batch;
use crate::store::medium::{FileMedium, Locking, Medium, MediumFile};
use std::io;
use std::path::Path;
use std::sync::Arc;

const LOCK: &str = "lock";
const FORMAT: &str = "format";
const FORMAT_UNFINISHED: &str = "format.new";
/// What stands before the version in the file `format`.
const FORMAT_NAME: &str = "lessor-store";

/// How a log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment that has a batch takes no other that would make it longer than this.
    pub segment_octets: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_octets: 64 << 20,
        }
    }
}

impl Log<FileMedium> {
    /// Opens the log in the directory `dir`, made if its parent is there, and reads it.
    ///
    /// # Errors
    /// Each with what to do about it: see [`StoreError`].
    pub fn open(dir: &Path, options: LogOptions) -> Result<(Recovered, Self), StoreError> {
        Self::open_on(FileMedium::create(dir)?, options)
    }
}

impl<M: Medium> Log<M> {
    /// Opens the log on a medium, and reads it.
    ///
    /// # Errors
    /// Each with what to do about it: see [`StoreError`].
    pub fn open_on(medium: M, options: LogOptions) -> Result<(Recovered<M>, Self), StoreError> {
        let medium = Arc::new(medium);
        let lock = lock(medium.as_ref())?;
        let ids = segment_ids(medium.as_ref())?;
        if !check_version(medium.as_ref(), !ids.is_empty())? {
            write_version(medium.as_ref())?;
        }
        remove_unfinished(medium.as_ref());
        let (mut recovered, found) = recover(Arc::clone(&medium), &ids)?;
        report(&recovered, medium.as_ref());

        let next_id = ids.last().map_or(1, |id| id + 1);
        let mut log = Self::new(Arc::clone(&medium), lock, options, next_id);
        log.resume(predecessor(&found), found.next);
        let mut first = match &found.unproven {
            Some(batch) => Batch::of_sealed(batch.first(), batch.count(), batch.records()),
            None => Batch::new(found.next),
        };
        log.start_segment(&mut first)
            .map_err(|error| refused(medium.as_ref(), "write a segment in", error))?;
        let link = open_own(medium.as_ref(), next_id, &log)?;
        recovered.cut(found.proven_end);
        recovered.extend(link);
        tidy(medium.as_ref(), &found);
        Ok((recovered, log))
    }
}

/// What the new segment names: the newest one, or the one before if nothing in it counts.
fn predecessor(found: &Found) -> Option<Predecessor> {
    let newest = found.newest?;
    if found.proven_end <= BLOCK_LEN {
        return newest.predecessor;
    }
    Some(Predecessor {
        id: newest.id,
        durable_len: found.proven_end,
    })
}

/// The segment just made, for reading.
fn open_own<M: Medium>(
    medium: &M,
    id: SegmentId,
    log: &Log<M>,
) -> Result<Link<M::File>, StoreError> {
    let name = segment::name(id);
    let read = || {
        let file = medium.open(&name)?;
        let mut block = [0; segment::BLOCK];
        file.read_exact_at(&mut block, 0)?;
        Ok((file, block))
    };
    let (file, block) = read().map_err(|source| StoreError::Io {
        what: "read",
        file: medium.dir().join(&name),
        source,
    })?;
    let header = SegmentHeader::parse(id, &block).map_err(|fault| fault.refuse(medium.dir()))?;
    let end = log.written();
    Ok(Link { header, file, end })
}

fn lock<M: Medium>(medium: &M) -> Result<M::Lock, StoreError> {
    let dir = medium.dir().to_owned();
    match medium.lock(LOCK, std::process::id()) {
        Ok(Locking::Taken(lock)) => Ok(lock),
        Ok(Locking::Held(pid)) => Err(StoreError::Locked { dir, pid }),
        Err(error) => Err(refused(medium, "lock", error)),
    }
}

/// The error for a file that could not be made.
fn refused<M: Medium>(medium: &M, what: &'static str, source: io::Error) -> StoreError {
    let dir = medium.dir().to_owned();
    if source.kind() == io::ErrorKind::StorageFull {
        return StoreError::NoSpace { dir };
    }
    let not_ours = matches!(
        source.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    );
    if not_ours {
        return StoreError::NotWritable { dir, source };
    }
    let file = dir;
    StoreError::Io { what, file, source }
}

/// Whether the directory says its version, and that it is ours. One with `segments` must.
fn check_version<M: Medium>(medium: &M, segments: bool) -> Result<bool, StoreError> {
    let damaged = |what: &str| StoreError::Damaged {
        file: medium.dir().join(FORMAT),
        offset: 0,
        what: what.to_owned(),
    };
    let text = match read_short(medium, FORMAT) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && segments => {
            return Err(damaged("the file is missing, but there are segments"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(refused(medium, "read the format of", error)),
    };
    let found: u32 = text
        .strip_prefix(FORMAT_NAME)
        .and_then(|version| version.trim().parse().ok())
        .ok_or_else(|| damaged("the file does not say `lessor-store` and a version"))?;
    if found > VERSION {
        let dir = medium.dir().to_owned();
        let known = VERSION;
        return Err(StoreError::NewerVersion { dir, found, known });
    }
    if found < VERSION {
        return Err(damaged("the file says a version that never was"));
    }
    Ok(true)
}

/// Refuses what is not a store.
pub(super) fn require_version<M: Medium>(medium: &M, segments: bool) -> Result<(), StoreError> {
    if check_version(medium, segments)? {
        return Ok(());
    }
    let dir = medium.dir().to_owned();
    Err(StoreError::NoStore { dir })
}

fn read_short<M: Medium>(medium: &M, name: &str) -> io::Result<String> {
    let file = medium.open(name)?;
    let mut octets = [0; 64];
    let length = usize::try_from(file.len()?).unwrap_or(usize::MAX);
    let text = octets.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
    file.read_exact_at(text, 0)?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn write_version<M: Medium>(medium: &M) -> Result<(), StoreError> {
    let write = || {
        match medium.unlink(FORMAT_UNFINISHED) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = medium.create(FORMAT_UNFINISHED)?;
        file.write_all_at(format!("{FORMAT_NAME} {VERSION}\n").as_bytes(), 0)?;
        file.sync()?;
        medium.rename(FORMAT_UNFINISHED, FORMAT)?;
        medium.sync_dir()
    };
    write().map_err(|error| refused(medium, "write the format of", error))
}

fn report<M: Medium>(recovered: &Recovered<M>, medium: &M) {
    let summary = recovered.summary();
    if let Some(torn) = &summary.torn {
        tracing::warn!(
            event = %Event::StoreTornTail,
            file = %torn.file.display(),
            offset = torn.offset,
            octets = torn.octets,
            "the last batch was not finished when the server ended; it is cut, and nothing in \
             it had been acknowledged"
        );
    }
    tracing::info!(
        event = %Event::StoreOpened,
        dir = %medium.dir().display(),
        segments = summary.segments,
        records = summary.records,
        addresses = summary.addresses,
        highest_lsn = summary.highest_lsn.0,
        free_octets = medium.space().ok(),
        "store opened"
    );
}

/// Segments that never got their name hold nothing that was acknowledged.
fn remove_unfinished<M: Medium>(medium: &M) {
    let names = medium.list().unwrap_or_default();
    for name in names.iter().filter(|name| segment::is_unfinished(name)) {
        untidy(medium, name, medium.unlink(name));
    }
}

/// Removes what counts for nothing now that the new segment is durable. What stays is void all
/// the same.
fn tidy<M: Medium>(medium: &M, found: &Found) {
    let newest = found.newest.map(|header| header.id);
    let emptied = newest.filter(|_| found.proven_end <= BLOCK_LEN);
    for id in found.void.iter().copied().chain(emptied) {
        let name = segment::name(id);
        untidy(medium, &name, medium.unlink(&name));
    }
    if let Some(id) = newest.filter(|id| Some(*id) != emptied) {
        let name = segment::name(id);
        untidy(medium, &name, medium.truncate(&name, found.proven_end));
    }
}

fn untidy<M: Medium>(medium: &M, name: &str, result: io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(
            event = %Event::StoreLeftover,
            file = %medium.dir().join(name).display(),
            %error,
            "cannot remove what is not needed any more; it does no harm"
        );
    }
}
