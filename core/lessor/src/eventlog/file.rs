//! The file of the log: whole lines, rotated by size, opened again when it was renamed.
//!
//! Lines wait in memory while the disk takes none, up to a bound; those beyond are lost. What a
//! full disk has taken of a line is cut off again, so that the file has whole lines only.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Meter, add};

/// Octets of lines that wait for the disk.
const MOST_WAITING: usize = 4 << 20;
/// How often the name is looked at: whether it is still this file's.
const LOOK: Duration = Duration::from_secs(1);
/// Owner writes, group reads.
const MODE: u32 = 0o640;

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    max_size: u64,
    keep: u32,
    meter: Arc<Meter>,
    open: Open,
    waiting: Vec<u8>,
    /// Lines in `waiting`.
    lines: u64,
    /// The file ends with a part of a line that could not be cut off.
    torn: bool,
    looked: Instant,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Device and number: what tells this file from another of its name.
    id: (u64, u64),
    octets: u64,
    /// A pipe or a device is neither cut nor renamed.
    regular: bool,
}

impl Open {
    fn new(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(MODE);
        let file = options.open(path)?;
        let found = file.metadata()?;
        Ok(Self {
            file,
            id: (found.dev(), found.ino()),
            octets: found.len(),
            regular: found.is_file(),
        })
    }
}

impl LogFile {
    /// Goes on with the file at `path`, or begins it.
    pub(super) fn open(
        path: &Path,
        max_size: u64,
        keep: u32,
        meter: Arc<Meter>,
    ) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(Self {
            path: path.to_owned(),
            max_size,
            keep,
            meter,
            open: Open::new(path)?,
            waiting: Vec::new(),
            lines: 0,
            torn: false,
            looked: Instant::now(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a line that `write` adds to what waits; one beyond the bound is lost.
    pub(super) fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.waiting.len() >= MOST_WAITING {
            return add(&self.meter.lost_file, 1);
        }
        write(&mut self.waiting);
        self.lines += 1;
    }

    /// Lines that the disk has not taken.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Writes what waits, as far as the disk takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let rotates = self.open.regular;
        while !self.waiting.is_empty() {
            let room = self.max_size.saturating_sub(self.open.octets);
            let part = match lines_within(&self.waiting, room) {
                // A line that is longer than a file may be has one to itself.
                0 if self.open.octets == 0 || !rotates => self.waiting.len(),
                0 => {
                    if let Err(error) = self.rotate() {
                        // It goes on in the file that is too large: that loses nothing.
                        self.put(self.waiting.len())?;
                        return Err(error);
                    }
                    continue;
                }
                part => part,
            };
            self.put(part)?;
        }
        Ok(())
    }

    /// Writes the first `part` octets of what waits, which are whole lines.
    fn put(&mut self, part: usize) -> io::Result<()> {
        if self.torn {
            self.open.file.write_all(b"\n")?;
            self.open.octets += 1;
            self.torn = false;
        }
        let mut written = 0;
        let result = loop {
            match self.waiting.get(written..part) {
                None | Some([]) => break Ok(()),
                Some(rest) => match self.open.file.write(rest) {
                    Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                    Ok(more) => written += more,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => break Err(error),
                },
            }
        };
        self.taken(written);
        result
    }

    /// Forgets the lines of which the disk has taken `written` octets, and cuts off the last one
    /// if that is only a part of it.
    fn taken(&mut self, written: usize) {
        let taken = self.waiting.get(..written).unwrap_or_default();
        let whole = taken.iter().rposition(|octet| *octet == b'\n');
        let whole = whole.map_or(0, |last| last + 1);
        let lines = taken.iter().map(|octet| u64::from(*octet == b'\n')).sum();
        let (before, all) = (self.open.octets, written as u64);
        self.open.octets = before + all;
        if whole < written {
            let end = before + whole as u64;
            let cut = self.open.regular && self.open.file.set_len(end).is_ok();
            self.torn = !cut;
            if cut {
                self.open.octets = end;
            }
        }
        self.waiting.drain(..whole);
        self.lines = self.lines.saturating_sub(lines);
        add(&self.meter.written, lines);
    }

    /// The file becomes `….1`, that one `….2` and so on; the oldest goes.
    fn rotate(&mut self) -> io::Result<()> {
        for number in (0..self.keep).rev() {
            match fs::rename(self.rotated(number), self.rotated(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        self.reopen()?;
        add(&self.meter.rotations, 1);
        Ok(())
    }

    /// The name of a rotated file; 0 is the one that is written.
    fn rotated(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = OsString::from(&self.path);
        name.push(format!(".{number}"));
        name.into()
    }

    /// Opens the file of this name, whatever became of the one that was open.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        self.open = Open::new(&self.path)?;
        self.torn = false;
        Ok(())
    }

    /// Looks now and then whether the file was renamed, removed or cut by somebody else, such as
    /// logrotate.
    pub(super) fn look(&mut self) -> io::Result<()> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        self.look_now()
    }

    fn look_now(&mut self) -> io::Result<()> {
        match fs::metadata(&self.path) {
            Ok(found) if (found.dev(), found.ino()) == self.open.id => {
                self.open.octets = found.len();
                Ok(())
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => self.reopen(),
        }
    }
}

impl Drop for LogFile {
    /// What the disk has not taken to the end is lost.
    fn drop(&mut self) {
        add(&self.meter.lost_file, self.lines);
    }
}

/// How many of `octets` are whole lines that fit into `room` octets.
fn lines_within(octets: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if octets.len() <= room {
        return octets.len();
    }
    let within = octets.get(..room).unwrap_or_default();
    let last = within.iter().rposition(|octet| *octet == b'\n');
    last.map_or(0, |last| last + 1)
}

#[cfg(test)]
mod tests;
