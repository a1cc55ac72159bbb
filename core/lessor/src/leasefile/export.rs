//! A store to a file that has its name only when it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use dhcp_proto::record::Record;

use super::Writer;
use crate::store::{Recovered, StoreError};

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file cannot be made.
    #[error("cannot make {}: {source}", file.display())]
    NotMade {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another export is writing it.
    #[error("{} is being written by another process", .0.display())]
    InUse(PathBuf),
    /// What was made cannot be written.
    #[error("cannot write the export: {0}")]
    NotWritten(#[from] io::Error),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes the records of a store that are wanted, and the end mark; says how many.
///
/// # Errors
/// `out` does not take them, or the store cannot be read.
pub fn fill<W: Write>(
    recovered: &Recovered,
    mut out: Writer<W>,
    is_wanted: impl Fn(&Record<'_>) -> bool,
) -> Result<(u64, W), ExportError> {
    let mut written = Ok(());
    let read = recovered.for_each_newest(|_, record| {
        if written.is_ok() && is_wanted(record) {
            written = out.write(record);
        }
    });
    // What did not go out is told first: a reader that has gone wanted no more.
    written?;
    read?;
    Ok(out.finish()?)
}

/// A file by what its writer is handed, and what that returns.
type Buffered = BufWriter<File>;

/// Lets `write` fill `file`: under another name first, which it keeps until all is on the disk. A
/// file of that name that was there before stays until then. What is no regular file, such as a
/// pipe, is written as it is.
///
/// # Errors
/// The file cannot be made or written, or `write` fails; then there is no new file.
pub fn to_file<T>(
    file: &Path,
    write: impl FnOnce(Buffered) -> Result<(T, Buffered), ExportError>,
) -> Result<T, ExportError> {
    // A link keeps pointing to where it does.
    let target = fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    if fs::metadata(&target).is_ok_and(|found| !found.is_file()) {
        let out = OpenOptions::new().write(true).open(&target);
        let out = out.map_err(|source| not_made(file, source))?;
        let (value, mut out) = write(BufWriter::new(out))?;
        out.flush()?;
        return Ok(value);
    }
    let mut part = target.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let out = begin(&part)?;
    let written = write(BufWriter::with_capacity(256 << 10, out));
    let written = written.and_then(|(value, out)| {
        finish(out, &part, &target)?;
        Ok(value)
    });
    if written.is_err() {
        // It is a part and says so in its name, if it cannot be removed either.
        drop(fs::remove_file(&part));
    }
    written
}

/// Opens the file of another name, which only one process may write.
fn begin(part: &Path) -> Result<File, ExportError> {
    let mut options = OpenOptions::new();
    let out = options.write(true).create(true).truncate(false).open(part);
    let out = out.map_err(|source| not_made(part, source))?;
    match out.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ExportError::InUse(part.to_owned())),
        Err(TryLockError::Error(source)) => return Err(not_made(part, source)),
    }
    out.set_len(0).map_err(|source| not_made(part, source))?;
    Ok(out)
}

fn finish(out: Buffered, part: &Path, target: &Path) -> io::Result<()> {
    let out = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all()?;
    fs::rename(part, target)?;
    let directory = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn not_made(file: &Path, source: io::Error) -> ExportError {
    let file = file.to_owned();
    ExportError::NotMade { file, source }
}
