//! `lessor leases export`.

use std::ffi::OsStr;
use std::io::ErrorKind::{BrokenPipe, PermissionDenied};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use dhcp_proto::record::Record;
use serde_json::json;

use super::filter::{Filter, Wanted};
use crate::cli::{ConfigFile, Failure, Output, StoreDirectory, write_json};
use crate::exit::Exit;
use crate::leasefile::{ExportError, Format, Writer, fill, to_file};
use crate::store;

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    store: StoreDirectory,
    #[command(flatten)]
    wanted: Wanted,
    /// How it is written, if not as the name of the file says; otherwise jsonl
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Where to, if not to standard output; the file has its name only when it is whole
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the sum, to standard error, as JSON
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let filter = Filter::new(self.wanted.clone(), &self.file)?;
        let now = filter.now();
        let is_wanted = |record: &Record<'_>| filter.takes(record);
        let recovered = store::read(&self.store.path(&self.file)?)?;
        let target = self.output.as_deref();
        let named = target.and_then(Path::extension) == Some(OsStr::new("csv"));
        let usual = if named { Format::Csv } else { Format::Jsonl };
        let format = self.format.unwrap_or(usual);
        let rows = match target.filter(|target| *target != Path::new("-")) {
            None => {
                let out = BufWriter::new(io::stdout().lock());
                let out = Writer::new(out, format, now)?;
                let (rows, _) = fill(&recovered, out, is_wanted)?;
                rows
            }
            Some(target) => to_file(target, |out| {
                let out = Writer::new(out, format, now)?;
                fill(&recovered, out, is_wanted)
            })?,
        };
        self.tell(rows)?;
        Ok(Exit::Ok)
    }

    fn tell(&self, rows: u64) -> io::Result<()> {
        let mut err = io::stderr().lock();
        let output = Output { json: self.json };
        if output.json {
            return write_json(&mut err, &json!({ "ok": true, "rows": rows }));
        }
        let s = if rows == 1 { "" } else { "s" };
        match &self.output {
            Some(target) => writeln!(err, "{rows} lease{s} written to {}", target.display()),
            None => writeln!(err, "{rows} lease{s} written"),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        let exit = match &error {
            ExportError::NotMade { source, .. } if source.kind() == PermissionDenied => {
                Exit::NoPermission
            }
            ExportError::NotMade { .. } => Exit::CantCreate,
            ExportError::InUse(_) => Exit::Unavailable,
            ExportError::NotWritten(source) if source.kind() == BrokenPipe => {
                return Self::silent(Exit::Ok);
            }
            ExportError::NotWritten(_) => Exit::IoError,
            ExportError::Store(error) => Exit::from(error),
        };
        Self::new(exit, error)
    }
}
