//! The side of a capture that reads it.

use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{CaptureBegun, CaptureSum, CaptureWanted};
use crate::control::Request;
use crate::control::client::{self, AskError};
use crate::dataplane::capture::{HEADER, Head, Kind};

/// How long one look for a record takes at most.
const LOOK: Duration = Duration::from_millis(100);
/// Octets that are read at once.
const PIECE: usize = 256 << 10;
/// More octets than any frame has.
const LONGEST: u32 = 1 << 20;

/// The records of a capture.
#[derive(Debug)]
pub struct Frames {
    path: PathBuf,
    connection: UnixStream,
    buffer: Vec<u8>,
    /// Octets of the buffer that have been given.
    taken: usize,
}

/// What came next.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen<'f> {
    /// A frame.
    Frame(Head, &'f [u8]),
    /// What was lost so far.
    Sum(CaptureSum),
    /// The same, and the end.
    End(CaptureSum),
    /// Nothing for a moment.
    Nothing,
    /// The server is gone, or has ended the capture, without a last word.
    Gone,
}

/// Has the server at `path` capture.
///
/// # Errors
///
/// As of any question; the server refuses a second capture at a time, and a port that it has not.
pub fn watch(path: &Path, wanted: CaptureWanted) -> Result<(CaptureBegun, Frames), AskError> {
    let (begun, connection, buffer) = client::open(path, &Request::Capture(wanted))?;
    let broken = |error| AskError::Broken(path.to_owned(), error);
    connection.set_read_timeout(Some(LOOK)).map_err(broken)?;
    let path = path.to_owned();
    let taken = 0;
    let frames = Frames {
        path,
        connection,
        buffer,
        taken,
    };
    Ok((begun, frames))
}

impl Frames {
    /// The next record, or that there is none for a moment.
    ///
    /// # Errors
    ///
    /// The connection fails, or what comes is no record.
    pub fn take(&mut self) -> Result<Seen<'_>, AskError> {
        let head = match self.head()? {
            Some(head) => head,
            None => match self.fill() {
                Ok(0) => return Ok(Seen::Gone),
                Ok(_) => match self.head()? {
                    Some(head) => head,
                    None => return Ok(Seen::Nothing),
                },
                Err(error) if is_silence(&error) => return Ok(Seen::Nothing),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(Seen::Gone);
                }
                Err(error) => return Err(AskError::Broken(self.path.clone(), error)),
            },
        };
        let begin = self.taken + HEADER;
        self.taken = begin + head.captured as usize;
        let octets = self.buffer.get(begin..self.taken).unwrap_or_default();
        let sum = || {
            serde_json::from_slice(octets)
                .map_err(|error| AskError::Unreadable(self.path.clone(), error))
        };
        Ok(match head.kind {
            Kind::Received | Kind::Sent => Seen::Frame(head, octets),
            Kind::Sum => Seen::Sum(sum()?),
            Kind::End => Seen::End(sum()?),
        })
    }

    /// Whether the next record has yet to come.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        !matches!(self.head(), Ok(Some(_)))
    }

    /// Asks the server to end the capture; what is left of it still comes.
    pub fn stop(&self) {
        // A server that is gone has ended it.
        let _told = self.connection.shutdown(Shutdown::Write).is_ok();
    }

    /// The head of the next record, if all of it is there.
    fn head(&self) -> Result<Option<Head>, AskError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some((head, octets)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let head = Head::read(head).filter(|head| head.captured <= LONGEST);
        let head = head.ok_or_else(|| {
            AskError::Broken(self.path.clone(), io::ErrorKind::InvalidData.into())
        })?;
        Ok((octets.len() >= head.captured as usize).then_some(head))
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        let before = self.buffer.len();
        self.buffer.resize(before + PIECE, 0);
        let read = self
            .connection
            .read(self.buffer.get_mut(before..).unwrap_or_default());
        let len = before + read.as_ref().map_or(0, |read| *read);
        self.buffer.truncate(len);
        read
    }
}

fn is_silence(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    let kind = error.kind();
    kind == WouldBlock || kind == TimedOut || kind == Interrupted
}
