//! What can be wrong with a store, and what the operator can do about it.

use std::io;
use std::path::PathBuf;

/// Why a store was not opened or read. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory is missing and could not be made.
    #[error(
        "store directory {} does not exist and cannot be made: {source}; \
         make it, or name another one in the configuration", dir.display()
    )]
    Missing {
        /// The directory.
        dir: PathBuf,
        /// Why it could not be made.
        source: io::Error,
    },
    /// There is no store to read.
    #[error("there is no lease store in {}; name the directory that the server uses", dir.display())]
    NoStore {
        /// The directory.
        dir: PathBuf,
    },
    /// The directory or a file in it cannot be opened by this user.
    #[error("cannot read {}: {source}; run this as the server's user or as root", dir.display())]
    NotReadable {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something else stands where the directory should be.
    #[error(
        "store directory {} is not a directory; \
         move that file away, or name another directory in the configuration", dir.display()
    )]
    NotADirectory {
        /// The path.
        dir: PathBuf,
    },
    /// The directory does not take files from this process.
    #[error(
        "store directory {} is not writable: {source}; \
         check its owner, its mode, and that the file system is mounted read-write", dir.display()
    )]
    NotWritable {
        /// The directory.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No room for a new segment.
    #[error(
        "the file system of store directory {} is full; free some space and start again",
        dir.display()
    )]
    NoSpace {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process has the store open.
    #[error(
        "store directory {} is in use by {}; stop that process, or give this one a directory \
         of its own", dir.display(), process(*pid)
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The process that the lock file names.
        pid: Option<u32>,
    },
    /// The store was written by a newer release.
    #[error(
        "store directory {} has format version {found}, this release knows {known}; \
         run the release that wrote it, or a newer one", dir.display()
    )]
    NewerVersion {
        /// The directory.
        dir: PathBuf,
        /// The version found.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Acknowledged records are unreadable.
    #[error(
        "store is damaged: {} at offset {offset}: {what}; run `lessor store verify` for the \
         whole extent, then restore the directory from a copy, or run `lessor store repair`, which \
         says what would be lost", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// The snapshot speaks of records that no segment has, or does not know those that are there.
    #[error(
        "{} belongs to other segments than those beside it: {differing} of their records are not \
         the same; restore a store as a whole, or remove that file, and all segments are read",
        file.display()
    )]
    ForeignSnapshot {
        /// The snapshot.
        file: PathBuf,
        /// How many records that it names are not there, or are there and it does not know them.
        differing: u64,
    },
    /// The store changed under a reader without the lock.
    #[error("store directory {} changed while it was read; try again", dir.display())]
    Changed {
        /// The directory.
        dir: PathBuf,
    },
    /// The system refused an operation.
    #[error("cannot {what} {}: {source}; look into the system log for the device", file.display())]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// On which file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(
        || "another process".to_owned(),
        |pid| format!("process {pid}"),
    )
}
