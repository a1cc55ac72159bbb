//! The whole: from settings to running threads, and back down in order.

pub mod bindings;
mod devices;
mod operate;
mod place;
mod plane;
mod reload;
mod time;

use std::error::Error;
use std::path::Path;

use crate::config::Settings;
use crate::exit::Exit;

/// Why the appliance did not start, or ended; says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct StartError {
    /// How the process ends.
    pub exit: Exit,
    what: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StartError {
    /// An error that says `what` went wrong and what to do about it.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            source: None,
        }
    }

    /// The same with what it follows from.
    #[must_use]
    pub fn because(self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }
}

/// Runs the appliance until it is asked to stop. A reload reads `file` again.
///
/// # Errors
///
/// Fails if something that it needs is not there; then nothing is left running.
pub fn run(settings: Settings, file: &Path) -> Result<(), StartError> {
    operate::run(settings, file)
}
