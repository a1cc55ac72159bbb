//! Figures for a collector: an HTTP server that answers `GET /metrics` in Prometheus' text format.
//!
//! It has nothing to do with the server but what [`ControlPlane::stats`] says, which is asked for
//! at most once a second. A scraper that is slow, silent or talks nonsense holds one of a few
//! connections for a bounded time.

mod http;
mod page;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::warn;

use crate::control::ControlPlane;
use crate::event::Event;
use http::Desk;

/// Connections at a time; a further one is told so and closed.
const MOST_CONNECTIONS: usize = 8;

/// A server that answers until this is dropped.
#[derive(Debug)]
pub struct Server {
    addr: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `listen` and tells what `plane` says.
    ///
    /// # Errors
    /// The address is in use or not ours, or the system has no thread.
    pub fn start(listen: SocketAddr, plane: Arc<dyn ControlPlane>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let addr = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let desk = Arc::new(Desk::new(plane));
        let thread = thread::Builder::new()
            .name("metrics".into())
            .spawn(move || accept(&listener, &desk, &stopping))?;
        Ok(Self {
            addr,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same as this host calls it.
    fn own(&self) -> SocketAddr {
        let host = match self.addr {
            SocketAddr::V4(addr) if addr.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(addr) if addr.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            SocketAddr::V4(_) | SocketAddr::V6(_) => self.addr.ip(),
        };
        (host, self.addr.port()).into()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the thread, which looks at `stop` after each connection.
        let woken = TcpStream::connect_timeout(&self.own(), Duration::from_secs(1)).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            drop(thread.join());
        }
    }
}

fn accept(listener: &TcpListener, desk: &Arc<Desk>, stop: &AtomicBool) {
    let open = Arc::new(AtomicUsize::new(0));
    for connection in listener.incoming() {
        if stop.load(Ordering::Acquire) {
            return;
        }
        let Ok(connection) = connection else {
            // Out of descriptors, most likely; they come back.
            warn!(event = %Event::MetricsFailed, "a connection could not be accepted");
            thread::sleep(Duration::from_millis(100));
            continue;
        };
        if open.fetch_add(1, Ordering::AcqRel) >= MOST_CONNECTIONS {
            open.fetch_sub(1, Ordering::AcqRel);
            http::refuse(&connection);
            continue;
        }
        let (counted, desk) = (Arc::clone(&open), Arc::clone(desk));
        let serving = move || {
            // A scraper that goes away, whenever it does, is nobody's concern.
            drop(desk.serve(&connection));
            counted.fetch_sub(1, Ordering::AcqRel);
        };
        let named = thread::Builder::new().name("metrics-client".into());
        if named.spawn(serving).is_err() {
            open.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests;
