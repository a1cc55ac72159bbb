//! A new configuration file for the running server: read and checked beside what runs, then
//! published whole, or refused whole.

mod effect;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{error, info, warn};

use super::bindings;
use crate::config::{self, Machine, Settings};
use crate::control::ReloadReport;
use crate::dataplane::clock::Clock;
use crate::dataplane::exchange::Snapshot;
use crate::dataplane::neighbors::Neighbors;
use crate::dataplane::routes::Routes;
use crate::dataplane::subscription::{NotTaken, Publisher};
use crate::event::Event;
use effect::Effect;

/// How long a reload waits for the workers; they look each few milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a reload is done with.
#[derive(Debug)]
pub(super) struct Reloader {
    /// The configuration file.
    pub(super) file: PathBuf,
    /// What the server was started with.
    pub(super) machine: Machine,
    pub(super) publisher: Arc<Publisher>,
    pub(super) neighbors: Arc<Neighbors>,
    pub(super) clock: Clock,
    /// One reload at a time.
    pub(super) one: Mutex<()>,
}

/// Why nothing was published.
enum Refused {
    Effect,
    NotTaken(NotTaken),
}

impl From<NotTaken> for Refused {
    fn from(why: NotTaken) -> Self {
        Self::NotTaken(why)
    }
}

impl Reloader {
    /// Takes the file as it is now, or says why not; `force` takes one that leaves leases without
    /// a network. What there is to say is logged too.
    pub(super) fn reload(&self, force: bool) -> ReloadReport {
        let _one = self.one.lock().unwrap_or_else(PoisonError::into_inner);
        let report = self.take(force);
        tell(&report);
        report
    }

    fn take(&self, force: bool) -> ReloadReport {
        let mut report = ReloadReport::on(self.file.display().to_string());
        let Some(settings) = read(&self.file, &mut report) else {
            return report;
        };
        report.needs_restart = self.machine.differences(&Machine::of(&settings));
        report.networks = settings.spec.networks.len();
        match self.publish(settings, force, &mut report) {
            Ok(()) => report.taken = true,
            Err(Refused::Effect) => {}
            Err(Refused::NotTaken(why)) => report.failed = Some(why.to_string()),
        }
        report
    }

    /// Checks the file against what runs and publishes it; what follows for leases is noted.
    fn publish(
        &self,
        settings: Settings,
        force: bool,
        report: &mut ReloadReport,
    ) -> Result<(), Refused> {
        let Settings { spec, routes, .. } = settings;
        let published = self.publisher.publish(|running, done| {
            let effect = Effect::of(&running.config, &spec);
            report.needs_restart.extend(effect.needs_restart);
            report.dropped = effect.dropped;
            if !report.needs_restart.is_empty() || !(report.dropped.is_empty() || force) {
                return Err(Refused::Effect);
            }
            (report.outside, report.excluded) = (effect.outside, effect.excluded);
            let routes = Routes::new(&spec.links, &spec.service_addresses, &routes);
            let config = bindings::succeed(spec, &running.config, done);
            Ok(Snapshot { config, routes })
        })?;
        self.neighbors
            .keep_routers(published.routes.routers(), self.clock.now());
        report.behind = !self.publisher.wait(PATIENCE);
        Ok(())
    }
}

/// Reads the file; what is wrong with it is noted.
fn read(file: &Path, report: &mut ReloadReport) -> Option<Settings> {
    match config::load(file) {
        Ok((settings, found)) => {
            report.note(&found);
            Some(settings)
        }
        Err(error) => {
            report.note_error(&error);
            None
        }
    }
}

fn tell(report: &ReloadReport) {
    let file = &report.file;
    for line in report.fault_lines() {
        error!(event = %Event::ConfigInvalid, "{line}");
    }
    for line in report.warning_lines() {
        warn!(event = %Event::ConfigWarning, "{line}");
    }
    for line in report.refusals() {
        error!(event = %Event::ConfigReloadRefused, "{file}: {line}");
    }
    for line in report.leftovers() {
        warn!(event = %Event::ConfigLeasesOutside, "{line}");
    }
    if report.taken {
        let (networks, behind) = (report.networks, report.behind);
        info!(event = %Event::ConfigReloaded, networks, behind, "{file}: in force");
    } else {
        error!(event = %Event::ConfigReloadRefused, "{file}: not taken, nothing has changed");
    }
}
