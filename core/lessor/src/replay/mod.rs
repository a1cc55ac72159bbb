//! A capture through the same machine on virtual time: what would this configuration have answered?
//!
//! ```text
//!   capture ─► frames, by time ─┬─► from clients ─► Machine ─► replies ─┐
//!    traffic.rs                 │    (steer.rs)     machine.rs          ├─► paired, compared ─► Report
//!                               └─► the server's replies ───────────────┘    pairing.rs, report.rs
//! ```
//!
//! The machine is a worker of the product on devices in memory. It has no clock but the capture's,
//! no store, and a fixed key, so a replay comes out the same each time. A choice that is the
//! server's own, which of the free addresses a new client gets, it makes as the capture shows it
//! if it may.

mod machine;
mod message;
mod pairing;
mod report;
mod steer;
mod traffic;

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::config::Settings;
use crate::dataplane::port::RxChecksum;
use crate::leasefile::Leases;
use crate::pcap::CaptureError;
use machine::Machine;
pub use machine::NotMade;
use pairing::Pairing;
pub use report::{Difference, FieldDifference, NotCompared, Report};
use traffic::{Traffic, Wrong};

/// What is to be replayed, and how.
#[derive(Debug)]
pub struct Replay<'r> {
    /// The capture.
    pub file: &'r Path,
    /// Name of the port that all its frames passed, whatever it says itself.
    pub port: Option<&'r str>,
    /// What the server had leased when the capture began.
    pub leases: Option<Leases>,
    /// Whether UDP checksums are taken for right: one made where a kernel sends has none yet.
    pub ignore_checksums: bool,
}

/// Why nothing was replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no such file, or it cannot be opened.
    #[error("cannot open {}", .0.display())]
    NotOpened(PathBuf, #[source] io::Error),
    /// The capture is damaged, of another kind, or has no question.
    #[error("{} {why}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        why: CaptureError,
    },
    /// There is nothing to replay.
    #[error("{} has no DHCP message of a client that is whole", .0.display())]
    Empty(PathBuf),
    /// Nothing says which port frames passed.
    #[error("{0}")]
    NoPort(String),
    /// The machine cannot be made.
    #[error(transparent)]
    NotMade(#[from] NotMade),
}

impl Replay<'_> {
    /// Replays the capture to a server of `settings`.
    ///
    /// # Errors
    ///
    /// Says why the capture or the configuration cannot be used.
    pub fn run(self, settings: Settings) -> Result<Report, ReplayError> {
        let file = File::open(self.file);
        let file = file.map_err(|error| ReplayError::NotOpened(self.file.to_owned(), error))?;
        self.run_on(BufReader::with_capacity(256 << 10, file), settings)
    }

    /// The same of a capture that is read from `input`.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub fn run_on(self, input: impl Read, mut settings: Settings) -> Result<Report, ReplayError> {
        if self.ignore_checksums {
            for port in &mut settings.ports {
                port.rx_checksum = RxChecksum::Ignore;
            }
        }
        let path = || self.file.to_owned();
        let traffic = Traffic::read(input, self.port, &settings).map_err(|wrong| match wrong {
            Wrong::Capture(why) => ReplayError::Capture { path: path(), why },
            Wrong::NoPort(why) => ReplayError::NoPort(why),
        })?;
        let Some(begin) = traffic.begin().filter(|_| traffic.has_query()) else {
            return Err(ReplayError::Empty(path()));
        };
        let mut machine = Machine::new(settings, traffic.macs(), begin, self.leases.as_ref())?;
        let mut pairing = Pairing::new(&traffic);
        for (at, passed) in traffic.passed() {
            machine.advance(at);
            pairing.note(&mut machine, at, passed);
        }
        machine.finish();
        pairing.note_late(&mut machine);
        Ok(pairing.into_report(self.file, &traffic))
    }
}

#[cfg(test)]
mod tests;
