//! The file system as a medium.

use super::{Locking, Medium, MediumFile};
use crate::store::StoreError;
use rustix::fs::OFlags;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Bindings say who uses which address when: nobody else's business.
const FILE_MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;

/// A directory of the file system.
#[derive(Debug)]
pub struct FileMedium {
    path: PathBuf,
    dir: File,
}

impl FileMedium {
    /// The directory at `path`, made if its parent is there.
    ///
    /// # Errors
    /// It cannot be made or opened, or is something else than a directory.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        match fs::DirBuilder::new().mode(DIR_MODE).create(path) {
            Ok(()) => sync_parent(path)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => {
                let dir = path.to_owned();
                return Err(StoreError::Missing { dir, source });
            }
        }
        Self::existing(path)
    }

    /// The directory at `path`, which must be there.
    ///
    /// # Errors
    /// It cannot be opened, or is something else than a directory.
    pub fn existing(path: &Path) -> Result<Self, StoreError> {
        // A pipe of that name would have the open wait for its other end.
        let at_once = OFlags::NONBLOCK.bits().cast_signed();
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(at_once)
            .open(path);
        let opened = opened.and_then(|dir| Ok((dir.metadata()?.is_dir(), dir)));
        match opened {
            Ok((true, dir)) => Ok(Self {
                path: path.to_owned(),
                dir,
            }),
            Ok((false, _)) => Err(StoreError::NotADirectory {
                dir: path.to_owned(),
            }),
            Err(source) => Err(unopened(path, source)),
        }
    }
}

/// The error for a directory that cannot be opened.
fn unopened(path: &Path, source: io::Error) -> StoreError {
    let dir = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        return StoreError::NoStore { dir };
    }
    if source.kind() == io::ErrorKind::PermissionDenied {
        return StoreError::NotReadable { dir, source };
    }
    StoreError::Io {
        what: "open",
        file: dir,
        source,
    }
}

/// Makes the directory's own name durable.
fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(parent)
        .and_then(|dir| dir.sync_all())
        .map_err(|source| StoreError::Io {
            what: "sync",
            file: parent.to_owned(),
            source,
        })
}

impl FileMedium {
    /// A file that is there. Something else of its name is refused: a pipe would have the open
    /// wait for its other end, for ever.
    fn present(&self, options: &mut OpenOptions, name: &str) -> io::Result<LogFile> {
        let at_once = OFlags::NONBLOCK.bits().cast_signed();
        let file = options.custom_flags(at_once).open(self.path.join(name))?;
        if file.metadata()?.is_file() {
            Ok(LogFile(file))
        } else {
            Err(io::Error::other("not a regular file"))
        }
    }
}

impl Medium for FileMedium {
    type File = LogFile;
    type Lock = File;

    fn dir(&self) -> &Path {
        &self.path
    }

    fn lock(&self, name: &str, pid: u32) -> io::Result<Locking<File>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(self.path.join(name))?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                writeln!(file, "{pid}")?;
                Ok(Locking::Taken(file))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.take(16).read_to_string(&mut text)?;
                Ok(Locking::Held(text.trim().parse().ok()))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn create(&self, name: &str) -> io::Result<LogFile> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(self.path.join(name))
            .map(LogFile)
    }

    fn open(&self, name: &str) -> io::Result<LogFile> {
        self.present(OpenOptions::new().read(true), name)
    }

    fn reopen(&self, name: &str) -> io::Result<LogFile> {
        self.present(OpenOptions::new().read(true).write(true), name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        fs::read_dir(&self.path)?
            .filter_map(|entry| entry.map(|e| e.file_name().into_string().ok()).transpose())
            .collect()
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        OpenOptions::new()
            .write(true)
            .open(self.path.join(name))?
            .set_len(len)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.dir.sync_all()
    }

    fn space(&self) -> io::Result<u64> {
        let stat = rustix::fs::fstatvfs(&self.dir)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn is_in_place(&self) -> bool {
        let (Ok(here), Ok(there)) = (rustix::fs::fstat(&self.dir), rustix::fs::stat(&self.path))
        else {
            return false;
        };
        (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
    }
}

/// A file of the file system.
#[derive(Debug)]
pub struct LogFile(File);

impl MediumFile for LogFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(octets, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let flags = rustix::fs::FallocateFlags::empty();
        Ok(rustix::fs::fallocate(&self.0, flags, 0, len)?)
    }

    fn forget_cache(&self) {
        // What is refused leaves the cache as it is.
        let advice = rustix::fs::Advice::DontNeed;
        let _asked = rustix::fs::fadvise(&self.0, 0, None, advice);
    }

    fn links(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.nlink())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
