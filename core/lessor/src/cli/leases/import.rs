//! `lessor leases import`.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::unix_now;
use crate::cli::{ConfigFile, Failure, Output, StoreDirectory, write_json};
use crate::exit::Exit;
use crate::leasefile::{Fault, Import as Task, ImportError, Layout, Lenience, Outcome};
use crate::store::StoreError;

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// The file: an export, or Kea's lease file
    #[arg(value_name = "FILE")]
    source: PathBuf,
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    store: StoreDirectory,
    /// How it is read, if its name does not end in .jsonl or .csv
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Layout>,
    /// Check the file against configuration and store, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    lenience: Lenience,
    #[command(flatten)]
    output: Output,
}

impl Import {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let layout = self.format.or_else(|| layout_of(&self.source));
        let Some(layout) = layout else {
            let why = format!(
                "the name {} does not end in .jsonl or .csv; say --format",
                self.source.display()
            );
            return Err(Failure::new(Exit::Usage, why));
        };
        let (settings, _) = self.file.load()?;
        let directory = match &self.store.directory {
            Some(directory) => directory,
            None => &settings.store.directory,
        };
        let task = Task {
            file: &self.source,
            layout,
            directory,
            spec: &settings.spec,
            now: unix_now(),
            lenience: self.lenience,
            dry_run: self.dry_run,
        };
        let outcome = task.run()?;
        self.tell(&outcome)?;
        Ok(if outcome.faults.is_empty() {
            Exit::Ok
        } else {
            Exit::DataError
        })
    }

    fn tell(&self, outcome: &Outcome) -> io::Result<()> {
        let file = self.source.display().to_string();
        let mut out = io::stdout().lock();
        if self.output.json {
            return write_json(&mut out, &to_json(&file, self.dry_run, outcome));
        }
        let mut err = io::stderr().lock();
        for line in outcome.faults.lines(&file) {
            writeln!(err, "{line}")?;
        }
        match outcome.faults.total() {
            0 => writeln!(out, "{file}: {}", self.sum(outcome)),
            1 => writeln!(err, "{file}: 1 fault, nothing was imported"),
            faults => writeln!(err, "{file}: {faults} faults, nothing was imported"),
        }
    }

    fn sum(&self, outcome: &Outcome) -> String {
        let written = if self.dry_run {
            "to import, nothing was written"
        } else {
            "imported"
        };
        format!(
            "{} leases {written}; {} were there already, {} were older",
            outcome.written, outcome.unchanged, outcome.older
        )
    }
}

fn layout_of(file: &Path) -> Option<Layout> {
    match file.extension().and_then(OsStr::to_str) {
        Some("jsonl" | "ndjson") => Some(Layout::Jsonl),
        Some("csv") => Some(Layout::Csv),
        Some(_) | None => None,
    }
}

fn to_json(file: &str, dry_run: bool, outcome: &Outcome) -> serde_json::Value {
    let fault = |fault: &Fault| {
        json!({
            "line": fault.line,
            "column": fault.column,
            "message": fault.what.to_string(),
        })
    };
    json!({
        "file": file,
        "ok": outcome.faults.is_empty(),
        "dry_run": dry_run,
        "rows": outcome.rows,
        "written": outcome.written,
        "unchanged": outcome.unchanged,
        "older": outcome.older,
        "faults": outcome.faults.iter().map(fault).collect::<Vec<_>>(),
        "more_faults": outcome.faults.hidden(),
    })
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Self {
        let exit = match &error {
            ImportError::Store(StoreError::Locked { .. }) => {
                let why = format!("stop the server first: {error}");
                return Self::new(Exit::Unavailable, why);
            }
            ImportError::Store(error) => Exit::from(error),
            ImportError::Unreadable { source, .. } => Exit::of_reading(source),
            ImportError::NotAFile(_) => Exit::NoInput,
            ImportError::Changed { .. } => Exit::DataError,
            ImportError::NotWritten { .. } => Exit::IoError,
        };
        Self::new(exit, error)
    }
}
