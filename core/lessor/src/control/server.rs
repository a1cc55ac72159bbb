//! The listening side of the control socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use serde::Serialize;
use tracing::warn;

use super::{Answer, ControlPlane, MAX_REQUEST, Request, capture};
use crate::event::Event;
use crate::exit::Exit;

/// Connections at a time; a further one is told so and closed.
const MOST_CONNECTIONS: usize = 16;
/// A client that says nothing for so long, or does not read its answer, is disconnected.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Owner and group may ask.
const MODE: u32 = 0o660;

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another server listens there.
    #[error("{}: another server listens here; stop it or set `server.control`", .0.display())]
    Running(PathBuf),
    /// Something else has that name.
    #[error("{}: this is no socket; remove it or set `server.control`", .0.display())]
    NoSocket(PathBuf),
    /// The system refused.
    #[error("{}: cannot listen here", .0.display())]
    System(PathBuf, #[source] io::Error),
}

impl BindError {
    /// How the process ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Running(_) => Exit::Unavailable,
            Self::System(_, error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Exit::NoPermission
            }
            Self::NoSocket(_) | Self::System(..) => Exit::CantCreate,
        }
    }
}

/// A control socket that is served until this is dropped.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `path` and answers for `plane`. A socket that a dead server left is replaced.
    ///
    /// # Errors
    ///
    /// Fails if another server listens there, or the system refuses.
    pub fn start(path: &Path, plane: Arc<dyn ControlPlane>) -> Result<Self, BindError> {
        let system = |error| BindError::System(path.to_owned(), error);
        let listener = listen(path)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let accepting = move || accept(&listener, &plane, &stopping);
        let thread = thread::Builder::new()
            .name("control".into())
            .spawn(accepting);
        Ok(Self {
            path: path.to_owned(),
            stop,
            thread: Some(thread.map_err(system)?),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread, which looks at `stop` after each connection.
        let woken = UnixStream::connect(&self.path).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            drop(thread.join());
        }
        drop(std::fs::remove_file(&self.path));
    }
}

fn listen(path: &Path) -> Result<UnixListener, BindError> {
    let system = |error: io::Error| BindError::System(path.to_owned(), error);
    make_way(path)?;
    let bound = || -> io::Result<UnixListener> {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        // The mode of an unbound socket is the one its file is made with: no moment in which
        // others may connect.
        rustix::fs::fchmod(&socket, rustix::fs::Mode::from_raw_mode(MODE))?;
        rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
        // The process's umask may have taken the group's right away.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
        rustix::net::listen(&socket, 16)?;
        Ok(UnixListener::from(socket))
    };
    bound().map_err(system)
}

/// Makes the directory, and removes the socket of a server that is gone.
fn make_way(path: &Path) -> Result<(), BindError> {
    let system = |error: io::Error| BindError::System(path.to_owned(), error);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(system)?;
    }
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system(error)),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NoSocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::Running(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(system)
        }
        Err(error) => Err(system(error)),
    }
}

fn accept(listener: &UnixListener, plane: &Arc<dyn ControlPlane>, stop: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(connection) = connection else {
            // Out of descriptors, most likely; they come back.
            warn!(event = %Event::ControlFailed, "a connection could not be accepted");
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        if open.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::AcqRel);
            let why = format!("there are {MOST_CONNECTIONS} connections already; try again");
            // Its buffer is empty, so this does not wait; a client that is gone wants no answer.
            drop(send(&connection, &Answer::<()>::Error(why)));
            continue;
        }
        let (counted, plane) = (Arc::clone(&open), Arc::clone(plane));
        let serving = move || {
            // A client that goes away, whenever it does, is nobody's concern.
            drop(serve(&connection, plane.as_ref()));
            counted.fetch_sub(1, Ordering::AcqRel);
        };
        if thread::Builder::new()
            .name("control-client".into())
            .spawn(serving)
            .is_err()
        {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Answers one client until it goes, is silent for too long, or asks too much.
fn serve(connection: &UnixStream, plane: &dyn ControlPlane) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(connection);
    loop {
        let mut line = Vec::new();
        let most = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX);
        reader.by_ref().take(most).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(());
        }
        if line.len() >= MAX_REQUEST && line.last() != Some(&b'\n') {
            let why = format!("a request has at most {MAX_REQUEST} octets");
            return send(connection, &Answer::<()>::Error(why));
        }
        match serde_json::from_slice(&line) {
            Ok(request) => {
                // A capture has the connection to its end.
                let is_last = matches!(request, Request::Capture(_));
                answer(connection, plane, request)?;
                if is_last {
                    return Ok(());
                }
            }
            Err(error) => send(connection, &Answer::<()>::Error(error.to_string()))?,
        }
    }
}

/// Answers one question.
fn answer(connection: &UnixStream, plane: &dyn ControlPlane, request: Request) -> io::Result<()> {
    match request {
        Request::Stats => send(connection, &Answer::Ok(plane.stats())),
        Request::Store => send(connection, &Answer::Ok(plane.store())),
        Request::Lease { address, space } => {
            send(connection, &Answer::Ok(plane.lease(space, address)))
        }
        Request::Release {
            address,
            space,
            client,
        } => {
            let outcome = plane.release(space, address, client.as_deref());
            send(connection, &Answer::Ok(outcome))
        }
        Request::Why { client, limit } => {
            let decisions = plane.why(&client, limit);
            send(
                connection,
                &decisions.map_or_else(Answer::Error, Answer::Ok),
            )
        }
        Request::ReservationAdd {
            address,
            space,
            client,
        } => {
            let outcome = plane.add_reservation(space, address, &client);
            send(connection, &Answer::Ok(outcome))
        }
        Request::ReservationRemove { address, space } => {
            let outcome = plane.remove_reservation(space, address);
            send(connection, &Answer::Ok(outcome))
        }
        Request::Reservations(page) => send(connection, &Answer::Ok(plane.reservations(&page))),
        Request::Clock => send(connection, &Answer::Ok(plane.clock())),
        Request::ClockAccept => {
            let answer = plane.accept_clock().map_or_else(Answer::Error, Answer::Ok);
            send(connection, &answer)
        }
        Request::Capture(wanted) => capture::serve(connection, &wanted, plane.capture(&wanted)),
        Request::Reload { force } => send(connection, &Answer::Ok(plane.reload(force))),
    }
}

pub(super) fn send(mut connection: &UnixStream, answer: &Answer<impl Serialize>) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    connection.write_all(&line)
}
