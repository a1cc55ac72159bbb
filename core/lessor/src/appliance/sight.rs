//! What tells others of leases and figures beside the control socket.

use std::sync::Arc;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGHUP;

use tracing::warn;

use super::StartError;
use super::plane::Plane;
use super::usage::Usage;
use crate::config::Settings;
use crate::control::ControlPlane;
use crate::event::Event;
use crate::eventlog::{EventLog, OpenError, Taps};
use crate::exit::Exit;
use crate::metrics;

/// How often pools are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// How often a conflict is said again.
const REMIND: Duration = Duration::from_mins(1);

/// Starts the event log if the configuration wants one. SIGHUP opens its file again.
pub(super) fn event_log(settings: &Settings) -> Result<Option<(EventLog, Taps)>, StartError> {
    let options = &settings.event_log;
    if options.file.is_none() && options.syslog.is_none() {
        return Ok(None);
    }
    let ports = settings.ports.iter().map(|port| port.name.clone());
    let workers = usize::from(settings.server.workers.max(1));
    let started = EventLog::start(options, ports.collect(), workers).map_err(|error| {
        let exit = match &error {
            OpenError::File(..) => Exit::CantCreate,
            OpenError::System(_) => Exit::OsError,
        };
        StartError::new(exit, "no event log").because(error)
    })?;
    signal_hook::flag::register(SIGHUP, Arc::clone(&started.0.reopen())).map_err(|error| {
        StartError::new(Exit::OsError, "signals cannot be caught").because(error)
    })?;
    Ok(Some(started))
}

/// Serves the metrics if the configuration wants them.
pub(super) fn metrics(
    settings: &Settings,
    plane: Arc<dyn ControlPlane>,
) -> Result<Option<metrics::Server>, StartError> {
    let Some(listen) = settings.metrics.listen else {
        return Ok(None);
    };
    let started = metrics::Server::start(listen, plane);
    started.map(Some).map_err(|error| {
        let what = format!("no metrics at {listen} (metrics.listen)");
        StartError::new(Exit::Unavailable, what).because(error)
    })
}

/// Notices what an operator is told of and no worker sees alone.
#[derive(Debug)]
pub(super) struct Watch {
    /// None without a threshold: nobody counts then.
    usage: Option<Usage>,
    looked: Option<Instant>,
    /// Conflicts that were told of, and when.
    conflicts: u64,
    told: Option<Instant>,
}

impl Watch {
    pub(super) fn new(settings: &Settings) -> Self {
        let alarms = &settings.alarms;
        Self {
            usage: (!alarms.pool_use.is_empty()).then(|| Usage::new(alarms)),
            looked: None,
            conflicts: 0,
            told: None,
        }
    }

    pub(super) fn look(&mut self, plane: &Plane) {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return;
        }
        self.looked = Some(Instant::now());
        if let Some(usage) = &mut self.usage {
            usage.look(&plane.pools());
        }
        let all = plane.address_conflicts();
        let times = all.saturating_sub(self.conflicts);
        if times > 0 && self.told.is_none_or(|at| at.elapsed() >= REMIND) {
            (self.conflicts, self.told) = (all, Some(Instant::now()));
            warn!(
                event = %Event::AddressConflict,
                times,
                "another station says that it has an address of the appliance"
            );
        }
    }
}
