//! The command line.
#![allow(
    clippy::print_stdout,
    reason = "a command's output belongs on standard output"
)]

mod capture;
mod check;
mod clock;
mod leases;
mod logging;
mod reload;
mod replay;
mod reservations;
mod run;
mod stats;
mod store;
mod why;

use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, LoadError, Report, Settings};
use crate::exit::Exit;
use crate::store::StoreError;
use logging::Format;

const CONFIG: &str = "/etc/lessor/lessor.toml";

/// A `DHCPv4` server appliance on DPDK.
#[derive(Debug, Parser)]
#[command(name = "lessor", version, arg_required_else_help = true)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Serve clients until SIGTERM or SIGINT
    Run {
        #[command(flatten)]
        file: ConfigFile,
        /// How log lines are written to standard error; `LESSOR_LOG` filters them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        log_format: Format,
    },
    /// Report every fault of a configuration file, and start nothing
    Check {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        output: Output,
    },
    /// Look at leases, end them, move them
    Leases {
        #[command(subcommand)]
        action: leases::Action,
    },
    /// Reserve addresses for clients while the server runs
    Reservations {
        #[command(subcommand)]
        action: reservations::Action,
    },
    /// Write the frames that the running server receives and sends to a file
    Capture(capture::Capture),
    /// Give a capture to a server of a configuration, offline, and compare what it answers
    Replay(replay::Replay),
    /// Look at the lease store
    Store {
        #[command(subcommand)]
        action: store::Action,
    },
    /// Look at the wall clock as the running server sees it, and accept it after a jump
    Clock {
        #[command(subcommand)]
        action: clock::Action,
    },
    /// Have the running server take its configuration file as it is now
    Reload {
        #[command(flatten)]
        server: Server,
        /// Take it also if no network has the addresses of leases any more
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        output: Output,
    },
    /// The last decisions about a client, and the rule that made each
    Why(why::Why),
    /// Counters of the running server
    Stats {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(short, long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

impl ConfigFile {
    /// Reads it.
    fn load(&self) -> Result<(Settings, Report), Failure> {
        config::load(&self.config).map_err(Failure::from)
    }

    /// Reads it; what is usual, if there is none at its usual place.
    fn load_or_default(&self) -> Result<Settings, Failure> {
        if self.config == Path::new(CONFIG) && !self.config.exists() {
            return Ok(Settings::default());
        }
        self.load().map(|(settings, _)| settings)
    }
}

/// Where the running server listens.
#[derive(Debug, Args)]
struct Server {
    /// The control socket, if not the one that the configuration names
    #[arg(short, long, value_name = "SOCKET")]
    socket: Option<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
}

impl Server {
    /// The socket given, or the configuration's. Without a file at its usual place, the usual
    /// socket.
    fn socket(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        Ok(self.file.load_or_default()?.server.control)
    }
}

/// Where the lease store is.
#[derive(Debug, Args)]
struct StoreDirectory {
    /// The store's directory, if not the one that the configuration names
    #[arg(short, long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl StoreDirectory {
    fn is_given(&self) -> bool {
        self.directory.is_some()
    }

    /// The directory given, or the configuration's. Without a file at its usual place, the usual
    /// directory.
    fn path(&self, file: &ConfigFile) -> Result<PathBuf, Failure> {
        match &self.directory {
            Some(directory) => Ok(directory.clone()),
            None => Ok(file.load_or_default()?.store.directory),
        }
    }
}

/// How results are written.
#[derive(Debug, Clone, Copy, Args)]
struct Output {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

/// What ends a command, and how.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    /// Nothing if all has been said already.
    error: Option<Box<dyn Error>>,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            exit,
            error: Some(error.into()),
        }
    }

    /// The end of a command that has written what is wrong.
    fn silent(exit: Exit) -> Self {
        Self { exit, error: None }
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Unreadable {
                error: ref cause, ..
            } => Self::new(Exit::of_reading(cause), error),
            LoadError::Invalid { .. } => Self::new(Exit::Config, error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(Exit::from(&error), error)
    }
}

impl From<io::Error> for Failure {
    /// An error of standard output. A reader that has gone wanted no more.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Ok);
        }
        Self::new(Exit::IoError, error)
    }
}

impl Failure {
    /// The error and what it follows from, each once: some say their cause themselves.
    fn chain(&self) -> String {
        let mut error: Option<&dyn Error> = self.error.as_deref();
        let mut parts: Vec<String> = Vec::new();
        while let Some(link) = error {
            let text = link.to_string();
            if !parts.iter().any(|part| part.contains(&text)) {
                parts.push(text);
            }
            error = link.source();
        }
        parts.join(": ")
    }
}

impl fmt::Display for Failure {
    /// What `main` writes: a line for each fault of a file, and the error.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = self.error.as_deref();
        if let Some(LoadError::Invalid { path, report }) = error.and_then(|e| e.downcast_ref()) {
            for line in report.lines(&path.display().to_string()) {
                writeln!(f, "{line}")?;
            }
        }
        write!(f, "lessor: {}", self.chain())
    }
}

/// A store of small segments has many, and all are open while it is read.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // What is refused is told when a file cannot be opened.
    let _kept = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// Does what the arguments say, the first of which is the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    allow_many_files();
    let command = match Command::try_parse_from(arguments) {
        Ok(command) => command,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // There is nobody left to tell if this fails.
            drop(error.print());
            return exit.into();
        }
    };
    match command.action.execute() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if failure.error.is_some() {
                drop(writeln!(io::stderr().lock(), "{failure}"));
            }
            failure.exit.into()
        }
    }
}

impl Action {
    fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::Run { file, log_format } => run::execute(&file, log_format),
            Self::Check { file, output } => check::execute(&file, output),
            Self::Leases { action } => action.execute(),
            Self::Reservations { action } => action.execute(),
            Self::Capture(capture) => capture.execute(),
            Self::Replay(replay) => replay.execute(),
            Self::Store { action } => action.execute(),
            Self::Clock { action } => action.execute(),
            Self::Reload {
                server,
                force,
                output,
            } => reload::execute(&server, force, output),
            Self::Why(why) => why.execute(),
            Self::Stats { server, output } => stats::execute(&server, output),
        }
    }
}

/// Writes `value` as one line of JSON.
fn write_json(out: &mut impl io::Write, value: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}

#[cfg(test)]
mod tests;
