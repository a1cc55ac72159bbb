//! Rows to a file, with an end mark that tells a whole file from a part of one.

use std::io::{self, Write};

use dhcp_proto::record::Record;

use super::column::Column;
use super::{Format, VERSION};

/// Writes rows. Without [`Writer::finish`] the file is a part, and is refused by an import.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    format: Format,
    /// Unix seconds, for the state.
    now: u64,
    rows: u64,
    line: String,
}

impl<W: Write> Writer<W> {
    /// Begins a file. `now` is Unix seconds: the states are those of this moment.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn new(mut out: W, format: Format, now: u64) -> io::Result<Self> {
        if format == Format::Csv {
            writeln!(out, "{}", Column::ALL.map(Column::name).join(","))?;
        }
        Ok(Self {
            out,
            format,
            now,
            rows: 0,
            line: String::new(),
        })
    }

    /// Writes one record.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn write(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.line.clear();
        let written = match self.format {
            Format::Jsonl => self.json(record),
            Format::Csv => self.csv(record),
        };
        written.map_err(io::Error::other)?;
        self.rows += 1;
        self.out.write_all(self.line.as_bytes())
    }

    fn json(&mut self, record: &Record<'_>) -> std::fmt::Result {
        use std::fmt::Write as _;
        let line = &mut self.line;
        let mut before = '{';
        for column in Column::ALL {
            write!(line, "{before}\"{}\":", column.name())?;
            before = ',';
            let at = line.len();
            column.write(record, self.now, line)?;
            if line.len() == at {
                line.push_str("null");
            } else if !column.is_number() {
                line.insert(at, '"');
                line.push('"');
            }
        }
        line.push_str("}\n");
        Ok(())
    }

    fn csv(&mut self, record: &Record<'_>) -> std::fmt::Result {
        for (i, column) in Column::ALL.into_iter().enumerate() {
            if i > 0 {
                self.line.push(',');
            }
            column.write(record, self.now, &mut self.line)?;
        }
        self.line.push('\n');
        Ok(())
    }

    /// Writes the end mark, and says how many rows there are. `out` is flushed and handed back.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn finish(mut self) -> io::Result<(u64, W)> {
        let rows = self.rows;
        match self.format {
            Format::Jsonl => writeln!(
                self.out,
                r#"{{"end":true,"rows":{rows},"version":{VERSION}}}"#
            )?,
            Format::Csv => {
                let rest = ",".repeat(Column::ALL.len() - 3);
                writeln!(self.out, "end,{rows},{VERSION}{rest}")?;
            }
        }
        self.out.flush()?;
        Ok((rows, self.out))
    }
}
