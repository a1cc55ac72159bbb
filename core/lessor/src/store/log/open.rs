//! Opening a log: lock, version, recovery, and a new segment to write to.
//!
//! Each start writes to a segment of its own. What the last process wrote last may be readable
//! and yet not durable (it can come from the page cache, and after a failed sync no later one
//! tells), so a last batch that no later header vouches for is written again, at the head of the
//! new segment, before anything can be acknowledged because of it.

use super::chain::{Link, segment_files};
use super::first::{Found, recover};
use super::recovery::Recovered;
use super::reserve::Reserve;
use super::segment::{self, BLOCK_LEN, OLDEST_VERSION, Predecessor, VERSION};
use super::snapshot::SNAPSHOT;
use super::writer::{Log, random};
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
    /// Most octets that a merge writes before it syncs them.
    pub slice_octets: usize,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_octets: 64 << 20,
            slice_octets: 1 << 20,
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
        let files = segment_files(medium.as_ref())?;
        let version = check_version(medium.as_ref(), !files.is_empty())?;
        remove_unfinished(medium.as_ref());
        let (mut recovered, found) = recover(Arc::clone(&medium), &files)?;
        report(&recovered, medium.as_ref());
        // Only what can be read is made a store of this version.
        if version != Some(VERSION) {
            write_version(medium.as_ref())?;
        }
        let next_id = files.last().map_or(1, |file| file.id + 1);
        let store = match found.store {
            0 => random().map_err(|error| refused(medium.as_ref(), "open", error))?,
            store => store,
        };
        let mut log = Self::new(Arc::clone(&medium), lock, options, (next_id, store));
        log.resume(predecessor(&found), found.next);
        let mut first = match &found.unproven {
            Some(batch) => Batch::of_sealed(batch.first(), batch.count(), batch.records()),
            None => Batch::new(found.next),
        };
        first_segment(&mut log, medium.as_ref(), &mut first)
            .map_err(|error| refused(medium.as_ref(), "write a segment in", error))?;
        let link = open_own(medium.as_ref(), &log)?;
        recovered.go_on(found.proven_end, link);
        tidy(medium.as_ref(), &found);
        Ok((recovered, log))
    }
}

/// Begins a segment, on a full disk with a little of what is held in reserve.
fn first_segment<M: Medium>(log: &mut Log<M>, medium: &M, first: &mut Batch) -> io::Result<()> {
    match log.start_segment(first) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            let mut reserve = Reserve::find(medium, log.options().segment_octets);
            reserve.lend(medium, 0)?;
            log.start_segment(first)
        }
        result => result,
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
fn open_own<M: Medium>(medium: &M, log: &Log<M>) -> Result<Link<M::File>, StoreError> {
    let (header, end) = log
        .active()
        .ok_or_else(|| refused(medium, "write a segment in", io::ErrorKind::Other.into()))?;
    let name = header.file().to_string();
    let file = medium.open(&name).map_err(|source| StoreError::Io {
        what: "read",
        file: medium.dir().join(&name),
        source,
    })?;
    Ok(Link { header, file, end })
}

pub(super) fn lock<M: Medium>(medium: &M) -> Result<M::Lock, StoreError> {
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

/// The version that the directory says, if any; one that we read. One with `segments` must say it.
fn check_version<M: Medium>(medium: &M, segments: bool) -> Result<Option<u32>, StoreError> {
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
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
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
    if found < OLDEST_VERSION {
        return Err(damaged("the file says a version that never was"));
    }
    Ok(Some(found))
}

/// Refuses what is not a store.
pub(super) fn require_version<M: Medium>(medium: &M, segments: bool) -> Result<(), StoreError> {
    if check_version(medium, segments)?.is_some() {
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

pub(super) fn write_version<M: Medium>(medium: &M) -> Result<(), StoreError> {
    let write = || {
        medium.remove(FORMAT_UNFINISHED)?;
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
        octets = summary.octets,
        snapshot = summary.snapshot.0,
        records_read = summary.records,
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
    let newest = found.newest.map(|header| header.file());
    let emptied = newest.filter(|_| found.proven_end <= BLOCK_LEN);
    for file in found.void.iter().copied().chain(emptied) {
        let name = file.to_string();
        untidy(medium, &name, medium.unlink(&name));
    }
    // It would be taken for one of these segments once their numbers have come as far.
    if found.foreign_snapshot {
        untidy(medium, SNAPSHOT, medium.unlink(SNAPSHOT));
    }
    if let Some(file) = newest.filter(|file| Some(*file) != emptied && file.from.is_none()) {
        let name = file.to_string();
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
