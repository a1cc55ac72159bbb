//! What came of a reload, as it is presented.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::config::{Fault, LoadError, Report};

/// What came of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The file.
    pub file: String,
    /// Whether it is in force now; otherwise nothing has changed.
    pub taken: bool,
    /// Why it could not be read, if so.
    pub unreadable: Option<String>,
    /// Its faults.
    pub faults: Vec<Remark>,
    /// What is legal in it and rarely meant.
    pub warnings: Vec<Remark>,
    /// Keys that take effect with a restart alone, or other reasons why only a restart will do.
    pub needs_restart: Vec<String>,
    /// Leases that no network would serve any more; without `--force` they keep the file out.
    pub dropped: Vec<Leases>,
    /// Leases in no pool any more: they are kept to their end.
    pub outside: Vec<Leases>,
    /// Leases of addresses that are excluded now: they end when their clients renew.
    pub excluded: Vec<Leases>,
    /// Networks that are served.
    pub networks: usize,
    /// A worker has not gone over to it yet.
    pub behind: bool,
    /// Why it could not be published, if so.
    pub failed: Option<String>,
}

/// A fault or a warning with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path of the value.
    pub path: String,
    /// What there is to say.
    pub message: String,
}

/// Leases of one network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Name of the network.
    pub network: String,
    /// Its address space.
    pub space: u16,
    /// How many there are.
    pub leases: u64,
    /// Some of the addresses, the lowest ones.
    pub examples: Vec<Ipv4Addr>,
}

impl From<&Fault> for Remark {
    fn from(fault: &Fault) -> Self {
        Self {
            line: fault.line,
            column: fault.column,
            path: fault.path.clone(),
            message: fault.why.to_string(),
        }
    }
}

impl ReloadReport {
    /// The report on a file that was not taken yet.
    #[must_use]
    pub fn on(file: String) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// Notes what was found in the file.
    pub fn note(&mut self, found: &Report) {
        self.faults = found.faults.iter().map(Remark::from).collect();
        self.warnings = found.warnings.iter().map(Remark::from).collect();
    }

    /// Notes why it was not loaded.
    pub fn note_error(&mut self, error: &LoadError) {
        match error {
            LoadError::Unreadable { error, .. } => self.unreadable = Some(error.to_string()),
            LoadError::Invalid { report, .. } => self.note(report),
        }
    }

    /// Each fault in a line, as compilers write them.
    pub fn fault_lines(&self) -> impl Iterator<Item = String> + use<'_> {
        self.faults.iter().map(|f| self.line("error", f))
    }

    /// Each warning in a line.
    pub fn warning_lines(&self) -> impl Iterator<Item = String> + use<'_> {
        self.warnings.iter().map(|f| self.line("warning", f))
    }

    fn line(&self, what: &str, remark: &Remark) -> String {
        let Remark {
            line,
            column,
            path,
            message,
        } = remark;
        let colon = if path.is_empty() { "" } else { ": " };
        format!(
            "{}:{line}:{column}: {what}: {path}{colon}{message}",
            self.file
        )
    }

    /// Why the file was not taken, but for its faults.
    pub fn refusals(&self) -> impl Iterator<Item = String> + use<'_> {
        let restart = self
            .needs_restart
            .iter()
            .map(|what| format!("needs a restart: {what}"));
        let dropped = self.dropped.iter().filter(|_| !self.taken);
        let dropped = dropped.map(|leases| {
            format!("no network would have {leases}; `lessor reload --force` drops it all the same")
        });
        let unreadable = self
            .unreadable
            .iter()
            .map(|why| format!("cannot be read: {why}"));
        unreadable
            .chain(restart)
            .chain(dropped)
            .chain(self.failed.iter().cloned())
    }

    /// What becomes of leases that the new pools do not have.
    pub fn leftovers(&self) -> impl Iterator<Item = String> + use<'_> {
        let dropped = self.dropped.iter().filter(|_| self.taken);
        let dropped = dropped.map(|l| format!("served no more, kept to their end: {l}"));
        let outside = self.outside.iter();
        let outside = outside.map(|l| format!("in no pool any more, kept to their end: {l}"));
        let excluded = self.excluded.iter();
        let excluded = excluded.map(|l| format!("excluded, end when they are renewed: {l}"));
        dropped.chain(outside).chain(excluded)
    }
}

impl fmt::Display for Leases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.leases == 1 { "" } else { "s" };
        write!(
            f,
            "{} lease{s} of network {:?} (",
            self.leases, self.network
        )?;
        for (at, addr) in self.examples.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{addr}")?;
        }
        let more = self.leases > self.examples.len() as u64;
        f.write_str(if more { ", …)" } else { ")" })
    }
}

impl fmt::Display for ReloadReport {
    /// A line for each thing to say, the outcome last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.fault_lines().chain(self.warning_lines()) {
            writeln!(f, "{line}")?;
        }
        let file = &self.file;
        for line in self.refusals().chain(self.leftovers()) {
            writeln!(f, "{file}: {line}")?;
        }
        if !self.taken {
            return writeln!(f, "{file}: not taken, nothing has changed");
        }
        let networks = self.networks;
        let behind = if self.behind {
            "; a worker has yet to go over to it"
        } else {
            ""
        };
        writeln!(f, "{file}: in force, {networks} networks{behind}")
    }
}
