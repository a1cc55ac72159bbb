//! `lessor run`.

use std::path::Path;

use tracing::{error, info, warn};

use super::logging::{self, Format};
use super::{ConfigFile, Failure};
use crate::appliance;
use crate::config::{self, LoadError, Settings};
use crate::event::Event;
use crate::exit::Exit;

pub(super) fn execute(file: &ConfigFile, format: Format) -> Result<Exit, Failure> {
    logging::start(format);
    let settings = settings(&file.config)?;
    let version = env!("CARGO_PKG_VERSION");
    info!(event = %Event::ServerStarting, version, config = %file.config.display(), "starting");
    match appliance::run(settings, &file.config) {
        Ok(()) => {
            info!(event = %Event::ServerStopped, "stopped");
            Ok(Exit::Ok)
        }
        Err(error) => Err(failed(&Failure::new(error.exit, error))),
    }
}

/// What the file says. What is wrong with it goes to the log, each fault in a line of its own.
fn settings(path: &Path) -> Result<Settings, Failure> {
    let name = path.display().to_string();
    match config::load(path) {
        Ok((settings, report)) => {
            for line in report.lines(&name) {
                warn!(event = %Event::ConfigWarning, "{line}");
            }
            Ok(settings)
        }
        Err(LoadError::Invalid { report, .. }) => {
            for line in report.lines(&name) {
                error!(event = %Event::ConfigInvalid, "{line}");
            }
            let faults = report.faults.len();
            error!(event = %Event::ConfigInvalid, faults, "{name}: nothing was started");
            Err(Failure::silent(Exit::Config))
        }
        Err(error @ LoadError::Unreadable { .. }) => Err(failed(&error.into())),
    }
}

fn failed(failure: &Failure) -> Failure {
    error!(event = %Event::ServerFailed, "{}", failure.chain());
    Failure::silent(failure.exit)
}
