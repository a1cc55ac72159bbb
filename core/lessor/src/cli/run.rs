//! `lessor run`.

use tracing::{error, info, warn};

use super::logging::{self, Format};
use super::{ConfigFile, Failure};
use crate::appliance;
use crate::event::Event;
use crate::exit::Exit;

pub(super) fn execute(file: &ConfigFile, format: Format) -> Result<Exit, Failure> {
    logging::start(format);
    let name = file.config.display();
    let (settings, report) = file.load().inspect_err(|failure| {
        if failure.exit == Exit::Config {
            error!(event = %Event::ConfigInvalid, file = %name, "nothing was started");
        }
    })?;
    for warning in report.lines(&name.to_string()) {
        warn!(event = %Event::ConfigWarning, "{warning}");
    }
    let version = env!("CARGO_PKG_VERSION");
    info!(event = %Event::ServerStarting, version, config = %name, "starting");
    match appliance::run(settings) {
        Ok(()) => {
            info!(event = %Event::ServerStopped, "stopped");
            Ok(Exit::Ok)
        }
        Err(failure) => {
            let failure = Failure::new(failure.exit, failure);
            error!(event = %Event::ServerFailed, "{failure}");
            Err(Failure::silent(failure.exit))
        }
    }
}
