//! The log of leases: who had which address when, a line for each event, in a file and to syslog.
//!
//! ```text
//!   store thread ── what is durable ──► ring ─┐
//!   worker ── leases that ran out ────► ring ─┼─► event-log thread ─┬─► file, rotated
//!   worker ── leases that ran out ────► ring ─┘                     └─► syslog, RFC 5424
//! ```
//!
//! Nobody waits for the log: a ring that is full, a disk that takes nothing and a collector that
//! does not listen lose lines, and each is counted where it was lost. `docs/event-log.md` has the
//! format.

mod entry;
mod file;
mod syslog;
mod writer;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tracing::warn;

use crate::event::Event;
use crate::store::tap::{Tap, tap};
use file::LogFile;
use syslog::Syslog;
use writer::{Alarms, Sinks, Writer};

/// Octets of the ring from the store thread: some 120,000 leases.
const FROM_STORE: usize = 16 << 20;
/// How long the end waits for the last lines.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks for them.
const LOOK: Duration = Duration::from_millis(5);
/// Octets of the ring from a worker.
const FROM_WORKER: usize = 4 << 20;

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file; none is kept without it.
    pub file: Option<PathBuf>,
    /// The file is rotated before it gets larger.
    pub max_size: u64,
    /// How many rotated files are kept.
    pub keep: u32,
    /// Who collects syslog; nobody without it.
    pub syslog: Option<Collector>,
    /// RFC 5424 §6.2.1, 0 to 23.
    pub facility: u8,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            file: None,
            max_size: 100 << 20,
            keep: 10,
            syslog: None,
            facility: 16,
        }
    }
}

/// Who collects syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collector {
    /// By UDP (RFC 5426).
    Udp(SocketAddr),
    /// A datagram socket of this host.
    Unix(PathBuf),
}

/// Why there is no event log.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be written.
    #[error("{}: the event log cannot be written here", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// The system has no socket or thread.
    #[error("no socket or thread for the event log")]
    System(#[source] io::Error),
}

/// What the log counts.
#[derive(Debug, Default)]
pub struct Meter {
    /// Lines in the file.
    written: AtomicU64,
    /// Messages to syslog.
    sent: AtomicU64,
    /// Events that found no room in a ring.
    lost_queue: Arc<AtomicU64>,
    /// Lines that the file did not take.
    lost_file: AtomicU64,
    /// Messages that syslog did not take.
    lost_syslog: AtomicU64,
    /// Files begun because one was full.
    rotations: AtomicU64,
}

impl Meter {
    /// Each counter with its name.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, u64); 6] {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("written", count(&self.written)),
            ("sent", count(&self.sent)),
            ("lost_queue", count(&self.lost_queue)),
            ("lost_file", count(&self.lost_file)),
            ("lost_syslog", count(&self.lost_syslog)),
            ("rotations", count(&self.rotations)),
        ]
    }

    /// Events that one of the receivers does not have.
    fn lost(&self) -> u64 {
        let lost = [&*self.lost_queue, &self.lost_file, &self.lost_syslog];
        lost.iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum()
    }
}

fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Where events come from.
#[derive(Debug)]
pub struct Taps {
    /// Of the store thread.
    pub store: Tap,
    /// Of each worker.
    pub workers: Vec<Tap>,
}

/// The running log. Dropped, it writes what it was given and ends; a disk that hangs is waited for
/// only so long.
#[derive(Debug)]
pub struct EventLog {
    stop: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    meter: Arc<Meter>,
    thread: Option<JoinHandle<()>>,
}

impl EventLog {
    /// Opens file and socket and starts the thread; `ports` are the names that records have
    /// numbers of.
    ///
    /// # Errors
    /// The file cannot be written, or the system has no socket or thread.
    pub fn start(
        options: &Options,
        ports: Vec<String>,
        workers: usize,
    ) -> Result<(Self, Taps), OpenError> {
        let meter = Arc::new(Meter::default());
        let (stop, reopen) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let file = match &options.file {
            Some(path) => Some(
                LogFile::open(path, options.max_size, options.keep, Arc::clone(&meter))
                    .map_err(|error| OpenError::File(path.clone(), error))?,
            ),
            None => None,
        };
        let syslog = options.syslog.as_ref();
        let syslog = syslog.map(|to| Syslog::new(to.clone(), options.facility, Arc::clone(&meter)));
        let lost = || Arc::clone(&meter.lost_queue);
        let (store, from_store) = tap(FROM_STORE, lost());
        let (taps, from_workers) = (0..workers).map(|_| tap(FROM_WORKER, lost())).unzip();
        let mut writer = Writer {
            from_store,
            from_workers,
            sinks: Sinks {
                file,
                syslog,
                ports,
                meter: Arc::clone(&meter),
                alarms: Alarms::default(),
            },
            reopen: Arc::clone(&reopen),
        };
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("event-log".to_owned())
            .spawn(move || writer.run(&stopping))
            .map_err(OpenError::System)?;
        let log = Self {
            stop,
            reopen,
            meter,
            thread: Some(thread),
        };
        let workers = taps;
        Ok((log, Taps { store, workers }))
    }

    /// What is raised to have the file opened again under its name.
    #[must_use]
    pub fn reopen(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.reopen)
    }

    /// The counters.
    #[must_use]
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else {
            return;
        };
        let until = Instant::now() + PATIENCE;
        while !thread.is_finished() {
            if Instant::now() >= until {
                // It hangs in a write, on a disk that does not answer; it ends with the process.
                warn!(
                    event = %Event::EventLogFailed,
                    "the event log does not end: its file takes nothing"
                );
                return;
            }
            thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests;
