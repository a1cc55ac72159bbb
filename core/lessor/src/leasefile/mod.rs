//! Leases as a file that other programs read and write: JSON lines, CSV, and Kea's lease file.
//!
//! ```text
//!   store ──► export ──► Writer ──► rows, end mark                  writer.rs, column.rs
//!   file ──► Lines ──► Decoder ──► Row ──► Ledger ──► batches ──► store
//!            lines.rs  jsonl.rs    row.rs  ledger.rs  import.rs
//!                      csv.rs, kea.rs       │ places.rs: what the configuration says
//!                      └───────────────────► Faults: each with its line; then nothing is written
//! ```
//!
//! A row is a record of the store, whole: what is exported and imported again is the same record.
//! `docs/leases.md` has the columns and the rules.

mod column;
mod csv;
mod export;
mod fault;
mod faults;
mod import;
mod jsonl;
mod kea;
mod ledger;
mod lines;
mod load;
mod parse;
mod places;
mod reader;
mod row;
mod target;
mod writer;

#[cfg(test)]
mod tests;

use clap::{Args, ValueEnum};

pub use export::{ExportError, fill, to_file};
pub use fault::{Fault, What, Where};
pub use faults::Faults;
pub use import::{Import, ImportError, Outcome};
pub use load::Leases;
pub use writer::Writer;

/// What the end mark of a file says, and its columns follow from.
pub const VERSION: u64 = 1;

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values with a line of names
    Csv,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// An export as JSON lines
    Jsonl,
    /// An export as comma-separated values
    Csv,
    /// Kea's kea-leases4.csv
    KeaCsv,
}

/// What an import lets pass that it would refuse.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Lenience {
    /// Take addresses that are in no network of the configuration
    #[arg(long)]
    pub allow_outside: bool,
    /// Leave out what the store has newer records of, instead of refusing the file
    #[arg(long)]
    pub skip_older: bool,
    /// Take a file without end mark, made or filtered by hand
    #[arg(long)]
    pub no_end_mark: bool,
}
