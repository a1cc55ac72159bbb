//! An export that is read for what it says, into no store.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use dhcp_proto::record::{Record, RecordKind};

use super::Layout;
use super::csv::Csv;
use super::faults::Faults;
use super::reader::{self, Decoder};
use super::row::Row;

/// The rows of an export.
#[derive(Debug)]
pub struct Leases(Vec<Row>);

impl Leases {
    /// Reads an export in the layout of its end mark. Kea's file is to be imported first: what it
    /// says depends on a configuration.
    ///
    /// # Errors
    ///
    /// The file cannot be read. What is wrong in it is told beside what could be read.
    pub fn read(file: &Path, layout: Layout) -> io::Result<(Self, Faults)> {
        let decoder = match layout {
            Layout::Csv => Decoder::Csv(Csv::new()),
            Layout::Jsonl | Layout::KeaCsv => Decoder::Jsonl,
        };
        let input = BufReader::with_capacity(256 << 10, File::open(file)?);
        let (mut rows, mut faults) = (Vec::new(), Faults::default());
        reader::read(input, decoder, true, |_, row| {
            match row {
                Ok(row) => rows.push(row),
                Err(fault) => faults.add(fault),
            }
            Ok::<_, io::Error>(())
        })?;
        // Of a client the newest statement counts, and a lease before what it had.
        rows.sort_by_key(|row| (row.kind == RecordKind::Active, row.time));
        Ok((Self(rows), faults))
    }

    /// Hands out each row, those that a client goes by last.
    pub fn for_each(&self, mut visit: impl FnMut(&Record<'_>)) {
        for row in &self.0 {
            visit(&row.record(row.generation));
        }
    }
}
