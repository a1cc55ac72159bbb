//! The asking side of the control socket.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{Answer, Request};
use crate::exit::Exit;

/// The longest an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("{}: no server runs here; start it with `lessor run`", .0.display())]
    NotRunning(PathBuf),
    /// The socket is not ours to use.
    #[error("{}: no permission; ask as root or as a member of the socket's group", .0.display())]
    NoPermission(PathBuf),
    /// The connection failed.
    #[error("{}: the server does not answer", .0.display())]
    Broken(PathBuf, #[source] io::Error),
    /// The answer is none.
    #[error("{}: the answer cannot be read; are server and command of one version?", .0.display())]
    Unreadable(PathBuf, #[source] serde_json::Error),
    /// The server refused.
    #[error("{}: the server refused: {why}", path.display())]
    Refused {
        /// The socket.
        path: PathBuf,
        /// What it said.
        why: String,
    },
}

impl AskError {
    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRunning(_) | Self::Refused { .. } => Exit::Unavailable,
            Self::NoPermission(_) => Exit::NoPermission,
            Self::Broken(..) => Exit::IoError,
            Self::Unreadable(..) => Exit::Software,
        }
    }

    fn of(path: &Path, error: io::Error) -> Self {
        use io::ErrorKind::{ConnectionRefused, NotFound, PermissionDenied};
        let kind = error.kind();
        if kind == NotFound || kind == ConnectionRefused {
            Self::NotRunning(path.to_owned())
        } else if kind == PermissionDenied {
            Self::NoPermission(path.to_owned())
        } else {
            Self::Broken(path.to_owned(), error)
        }
    }
}

/// Asks the server at `path`.
///
/// # Errors
///
/// Fails if no server listens there, or it does not answer what was asked.
pub fn ask<T: DeserializeOwned>(path: &Path, request: &Request) -> Result<T, AskError> {
    open(path, request).map(|(answer, ..)| answer)
}

/// Asks the server at `path`, and keeps the connection; with what came behind the answer.
pub(super) fn open<T: DeserializeOwned>(
    path: &Path,
    request: &Request,
) -> Result<(T, UnixStream, Vec<u8>), AskError> {
    let exchanged = exchange(path, request).map_err(|error| AskError::of(path, error))?;
    let (line, connection, rest) = exchanged;
    match serde_json::from_str(&line) {
        Ok(Answer::Ok(answer)) => Ok((answer, connection, rest)),
        Ok(Answer::Error(why)) => Err(AskError::Refused {
            path: path.to_owned(),
            why,
        }),
        Err(error) => Err(AskError::Unreadable(path.to_owned(), error)),
    }
}

/// The answer's line, and the connection with what else was read from it.
fn exchange(path: &Path, request: &Request) -> io::Result<(String, UnixStream, Vec<u8>)> {
    let mut connection = UnixStream::connect(path)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // A server that refuses the connection may have closed it, with its reason left to read.
    match connection.write_all(&line) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut answer = String::new();
    let mut reader = BufReader::new(connection);
    if reader.read_line(&mut answer)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let rest = reader.buffer().to_vec();
    Ok((answer, reader.into_inner(), rest))
}
