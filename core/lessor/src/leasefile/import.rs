//! A file into a store that no server has open.
//!
//! The file is read once to find all that is wrong, and then, if nothing is, twice to write: what
//! is not leased first. Of a client the store remembers the last address, and that is to be its
//! lease, in whatever order the rows are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Seek as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use dhcp_proto::config::Spec;
use dhcp_proto::record::RecordKind;

use super::csv::Csv;
use super::fault::Fault;
use super::faults::Faults;
use super::kea::{self, Kea};
use super::ledger::{Ledger, Step};
use super::places::Places;
use super::reader::{self, Decoder};
use super::row::Row;
use super::target::Target;
use super::{Layout, Lenience};
use crate::store::{self, Log, LogOptions, Recovered, StoreError};

/// What is to be imported, and how.
#[derive(Debug, Clone, Copy)]
pub struct Import<'i> {
    /// The file.
    pub file: &'i Path,
    /// How it is read.
    pub layout: Layout,
    /// The store's directory.
    pub directory: &'i Path,
    /// The networks.
    pub spec: &'i Spec,
    /// Unix seconds.
    pub now: u64,
    /// What is let pass.
    pub lenience: Lenience,
    /// Looks only, also beside a running server.
    pub dry_run: bool,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows of the file.
    pub rows: u64,
    /// Records written; in a dry run, those that would be.
    pub written: u64,
    /// Rows that the store had already.
    pub unchanged: u64,
    /// Rows that the store knows better.
    pub older: u64,
    /// What is wrong; then nothing was written.
    pub faults: Faults,
}

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is no file.
    #[error("{} is not a regular file, and an import reads its file more than once", .0.display())]
    NotAFile(PathBuf),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not what it was when it was checked.
    #[error(
        "{} changed in line {line} while it was imported, {written} records are written; import \
         the whole file again", file.display()
    )]
    Changed {
        /// The file.
        file: PathBuf,
        /// The line.
        line: u64,
        /// Records that are durable.
        written: u64,
    },
    /// The store takes no more.
    #[error(
        "the store cannot be written: {source}; {written} records are written, import the file \
         again to complete it"
    )]
    NotWritten {
        /// Records that are durable.
        written: u64,
        /// The system's answer.
        source: io::Error,
    },
}

/// What ends a pass over the file.
enum Stop {
    Unreadable(io::Error),
    Error(ImportError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl Import<'_> {
    /// Checks the file, and writes it if nothing is wrong with it.
    ///
    /// # Errors
    /// File or store cannot be read or written. What is wrong in the file is in the outcome.
    pub fn run(&self) -> Result<Outcome, ImportError> {
        let file = self.open()?;
        let (recovered, log) = self.store()?;
        let places = Places::new(self.spec);
        let newest = match self.layout {
            Layout::KeaCsv => kea::newest(BufReader::new(&file)).map_err(|e| self.unreadable(e))?,
            Layout::Jsonl | Layout::Csv => HashMap::new(),
        };
        let mut source = Source {
            import: self,
            file: &file,
            places: &places,
            newest: &newest,
        };
        let mut ledger = Ledger::new(&places, self.lenience, self.now);
        let mut outcome = Outcome::default();
        source.pass(|line, row| {
            match row {
                Ok(row) => {
                    outcome.rows += 1;
                    ledger.note(line, &row);
                }
                Err(fault) => ledger.fault(fault),
            }
            Ok(())
        })?;
        if let Some(recovered) = recovered {
            recovered.for_each_newest(|_, record| ledger.compare(record))?;
        }
        let mut target = Target::new(log);
        if ledger.is_faultless() {
            if !self.dry_run {
                target.open(self.directory)?;
            }
            let written = self.write(&mut source, &ledger, &mut target, &mut outcome);
            target.close();
            written?;
        } else {
            target.close();
        }
        outcome.faults = ledger.into_faults();
        Ok(outcome)
    }

    fn open(&self) -> Result<File, ImportError> {
        let open = || {
            let file = File::open(self.file)?;
            let is_file = file.metadata()?.is_file();
            Ok((file, is_file))
        };
        let (file, is_file) = open().map_err(|error| self.unreadable(error))?;
        if is_file {
            Ok(file)
        } else {
            Err(ImportError::NotAFile(self.file.to_owned()))
        }
    }

    fn unreadable(&self, source: io::Error) -> ImportError {
        let file = self.file.to_owned();
        ImportError::Unreadable { file, source }
    }

    /// The store as it is; none is made before the file is known to be good.
    fn store(&self) -> Result<(Option<Recovered>, Option<Log>), StoreError> {
        if !self.directory.exists() {
            return Ok((None, None));
        }
        if !self.dry_run {
            let (recovered, log) = Log::open(self.directory, LogOptions::default())?;
            return Ok((Some(recovered), Some(log)));
        }
        match store::read(self.directory) {
            Ok(recovered) => Ok((Some(recovered), None)),
            Err(StoreError::NoStore { .. }) => Ok((None, None)),
            Err(error) => Err(error),
        }
    }

    fn write(
        &self,
        source: &mut Source<'_>,
        ledger: &Ledger<'_>,
        target: &mut Target,
        outcome: &mut Outcome,
    ) -> Result<(), ImportError> {
        let changed = |line, written| {
            let file = self.file.to_owned();
            ImportError::Changed {
                file,
                line,
                written,
            }
        };
        // A lease that is in the store already is written again behind what its client had before.
        let mut memories = false;
        for leases in [false, true] {
            let (mut rows, mut last) = (0, 0);
            source.pass(|line, row| {
                (rows, last) = (rows + 1, line);
                let changed = || Stop::Error(changed(line, target.durable()));
                let row = row.map_err(|_| changed())?;
                let step = ledger.step(line, &row).ok_or_else(changed)?;
                if ledger.is_lease(&row) != leases {
                    return Ok(());
                }
                let generation = match step {
                    Step::Older => {
                        outcome.older += 1;
                        return Ok(());
                    }
                    Step::Same(_) if !(leases && memories) => {
                        outcome.unchanged += 1;
                        return Ok(());
                    }
                    Step::Same(generation) | Step::Write(generation) => generation,
                };
                memories |= matches!(row.kind, RecordKind::Active | RecordKind::Released);
                outcome.written += 1;
                target.push(&row.record(generation)).map_err(Stop::Error)
            })?;
            if rows != outcome.rows {
                return Err(changed(last, target.durable()));
            }
        }
        target.flush()
    }
}

/// The file, to be read again and again.
struct Source<'s> {
    import: &'s Import<'s>,
    file: &'s File,
    places: &'s Places<'s>,
    newest: &'s HashMap<Ipv4Addr, u64>,
}

impl Source<'_> {
    fn pass(
        &mut self,
        visit: impl FnMut(u64, Result<Row, Fault>) -> Result<(), Stop>,
    ) -> Result<(), ImportError> {
        let import = self.import;
        let decoder = match import.layout {
            Layout::Jsonl => Decoder::Jsonl,
            Layout::Csv => Decoder::Csv(Csv::new()),
            Layout::KeaCsv => Decoder::Kea(Kea::new(self.places, self.newest)),
        };
        let needs_end = !import.lenience.no_end_mark && import.layout != Layout::KeaCsv;
        self.file
            .rewind()
            .map_err(|error| import.unreadable(error))?;
        let input = BufReader::with_capacity(256 << 10, self.file);
        reader::read(input, decoder, needs_end, visit).map_err(|stop| match stop {
            Stop::Unreadable(error) => import.unreadable(error),
            Stop::Error(error) => error,
        })
    }
}
