//! `lessor replay`.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{ConfigFile, Failure, Output, write_json};
use crate::exit::Exit;
use crate::leasefile::{Layout, Leases};
use crate::pcap::CaptureError;
use crate::replay::{Replay as Task, ReplayError};

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// The capture: pcapng or pcap, of Ethernet
    #[arg(value_name = "CAPTURE")]
    capture: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    /// The port that all of it passed, if the capture's interfaces do not have the ports' names
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// What was leased when the capture began: a file of `lessor leases export`
    #[arg(long, value_name = "FILE")]
    leases: Option<PathBuf>,
    /// Take UDP checksums for right, of a capture made where a kernel sends
    #[arg(long)]
    ignore_checksums: bool,
    #[command(flatten)]
    output: Output,
}

impl Replay {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let (settings, _) = self.file.load()?;
        let leases = self.leases.as_deref().map(leases).transpose()?;
        let task = Task {
            file: &self.capture,
            port: self.port.as_deref(),
            leases,
            ignore_checksums: self.ignore_checksums,
        };
        let report = task.run(settings)?;
        let mut out = io::stdout().lock();
        if self.output.json {
            write_json(&mut out, &report)?;
        } else {
            write!(out, "{report}")?;
        }
        Ok(if report.is_same() { Exit::Ok } else { Exit::No })
    }
}

fn leases(file: &Path) -> Result<Leases, Failure> {
    let csv = file.extension().is_some_and(|extension| extension == "csv");
    let layout = if csv { Layout::Csv } else { Layout::Jsonl };
    let (leases, faults) = Leases::read(file, layout).map_err(|error| {
        let exit = Exit::of_reading(&error);
        Failure::new(exit, format!("cannot read {}: {error}", file.display()))
    })?;
    if faults.is_empty() {
        return Ok(leases);
    }
    let mut err = io::stderr().lock();
    for line in faults.lines(&file.display().to_string()) {
        writeln!(err, "{line}")?;
    }
    Err(Failure::silent(Exit::DataError))
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        let exit = match &error {
            ReplayError::NotOpened(_, error)
            | ReplayError::Capture {
                why: CaptureError::Unreadable(error),
                ..
            } => Exit::of_reading(error),
            ReplayError::Capture { .. } | ReplayError::Empty(_) => Exit::DataError,
            ReplayError::NoPort(_) => Exit::Usage,
            ReplayError::NotMade(_) => Exit::Config,
        };
        Self::new(exit, error)
    }
}
