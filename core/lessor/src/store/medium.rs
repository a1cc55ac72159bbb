//! What a log is written to: one flat directory of files.
//!
//! [`FileMedium`] is the file system. In tests a simulated disk stands behind the same traits,
//! which loses what was not synced.

mod file;
#[cfg(any(test, fuzzing, feature = "simulation"))]
pub mod memory;

pub use file::{FileMedium, LogFile};

use std::io;
use std::path::Path;

/// What became of a try for the lock.
#[derive(Debug)]
pub enum Locking<L> {
    /// It is ours until dropped.
    Taken(L),
    /// Another process has it, and wrote this number.
    Held(Option<u32>),
}

/// A directory of files.
pub trait Medium: Send + Sync + 'static {
    /// An open file.
    type File: MediumFile;
    /// What keeps a second process out while it lives.
    type Lock: Send + 'static;

    /// Where the directory is, for messages.
    fn dir(&self) -> &Path;

    /// Tries for the lock file `name`, and leaves `pid` in it.
    ///
    /// # Errors
    /// The file cannot be made or written.
    fn lock(&self, name: &str, pid: u32) -> io::Result<Locking<Self::Lock>>;

    /// Makes a file that must not be there yet.
    ///
    /// # Errors
    /// It is there, or the system refuses.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// It is not there, or the system refuses.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// It is not there, or the system refuses.
    fn reopen(&self, name: &str) -> io::Result<Self::File>;

    /// The names of all files.
    ///
    /// # Errors
    /// The system refuses.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Removes a file.
    ///
    /// # Errors
    /// It is not there, or the system refuses.
    fn unlink(&self, name: &str) -> io::Result<()>;

    /// Removes a file that need not be there.
    ///
    /// # Errors
    /// The system refuses.
    fn remove(&self, name: &str) -> io::Result<()> {
        match self.unlink(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Renames a file over whatever has the new name.
    ///
    /// # Errors
    /// It is not there, or the system refuses.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Cuts a file.
    ///
    /// # Errors
    /// It is not there, or the system refuses.
    fn truncate(&self, name: &str, len: u64) -> io::Result<()>;

    /// Makes names durable: what was created, renamed and removed.
    ///
    /// # Errors
    /// The names may or may not be durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Octets that may still be written.
    ///
    /// # Errors
    /// The system refuses.
    fn space(&self) -> io::Result<u64>;

    /// Whether the directory is still what its path names.
    fn is_in_place(&self) -> bool;
}

/// An open file of a [`Medium`].
#[allow(
    clippy::len_without_is_empty,
    reason = "a file of a log is never asked whether it is empty"
)]
pub trait MediumFile: Send + Sync + 'static {
    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// The file is shorter, or the system refuses.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `octets` at `offset`.
    ///
    /// # Errors
    /// Any part of them may have been written.
    fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()>;

    /// Makes content and length durable.
    ///
    /// # Errors
    /// Nothing that was written since the last success can be relied on, and no later success
    /// says anything about it.
    fn sync(&self) -> io::Result<()>;

    /// Cuts the file.
    ///
    /// # Errors
    /// The system refuses.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Gives the file `len` octets that it surely has room for; those it had stay.
    ///
    /// # Errors
    /// There is no such room, or the file system cannot say so.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Has what is read next come from the disk and not from memory, as far as the system lets it.
    fn forget_cache(&self);

    /// How many names the file has in directories.
    ///
    /// # Errors
    /// The system refuses.
    fn links(&self) -> io::Result<u64>;

    /// Its length.
    ///
    /// # Errors
    /// The system refuses.
    fn len(&self) -> io::Result<u64>;
}
