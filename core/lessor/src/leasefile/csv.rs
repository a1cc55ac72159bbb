//! A line of comma-separated values to a row.

use csv_core::{ReadRecordResult, Reader};

use super::column::Column;
use super::fault::What;
use super::parse::{Cells, Wrong, number};
use super::reader::{Part, end};

/// Most values of a line that are told apart.
const MOST: usize = 256;

/// The values of one line at a time. No value of ours has an end of line in it, so a line is a
/// record.
pub(super) struct Splitter {
    reader: Reader,
    line: Vec<u8>,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Splitter {
    pub(super) fn new() -> Self {
        Self {
            reader: Reader::new(),
            line: Vec::new(),
            text: Vec::new(),
            ends: vec![0; MOST],
        }
    }

    pub(super) fn split(&mut self, line: &[u8]) -> Result<Vec<&str>, What> {
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.push(b'\n');
        self.text.resize(self.line.len() + 1, 0);
        self.reader.reset();
        let (result, read, _, count) =
            self.reader
                .read_record(&self.line, &mut self.text, &mut self.ends);
        match result {
            ReadRecordResult::Record if read == self.line.len() => {}
            ReadRecordResult::OutputEndsFull => {
                let (found, due) = (MOST, Column::ALL.len());
                return Err(What::Width { found, due });
            }
            ReadRecordResult::Record
            | ReadRecordResult::InputEmpty
            | ReadRecordResult::OutputFull
            | ReadRecordResult::End => return Err(What::Quote),
        }
        let mut from = 0;
        let ends = self.ends.iter().take(count);
        let value = |end: &usize| {
            let value = self.text.get(from..*end).unwrap_or_default();
            from = *end;
            str::from_utf8(value).map_err(|_| What::NotText)
        };
        ends.map(value).collect()
    }
}

/// An export as comma-separated values.
pub(super) struct Csv {
    splitter: Splitter,
    header: Option<Vec<Column>>,
}

impl Csv {
    pub(super) fn new() -> Self {
        Self {
            splitter: Splitter::new(),
            header: None,
        }
    }

    /// Whether the line of names was read and is understood.
    pub(super) fn has_header(&self) -> bool {
        self.header.is_some()
    }

    /// What a line says; the first one names the columns.
    pub(super) fn decode(&mut self, line: &[u8]) -> Result<Part, Vec<Wrong>> {
        let values = self.splitter.split(line).map_err(whole)?;
        let Some(header) = &self.header else {
            self.header = Some(columns(&values)?);
            return Ok(Part::Nothing);
        };
        if let ["end", rows, rest @ ..] = &values[..] {
            let version = rest.first().and_then(|version| number(version));
            let whole = values.len() == header.len();
            return end(number(rows).filter(|_| whole), version);
        }
        if values.len() != header.len() {
            let (found, due) = (values.len(), header.len());
            return Err(whole(What::Width { found, due }));
        }
        let mut cells = Cells::new();
        for (column, value) in header.iter().zip(values) {
            cells.put(*column, value.into()).map_err(|why| vec![why])?;
        }
        cells.row().map(|row| Part::Row(Box::new(row)))
    }
}

fn whole(what: What) -> Vec<Wrong> {
    vec![(None, what)]
}

/// The columns that a line of names has, each once and all that are needed.
fn columns(names: &[&str]) -> Result<Vec<Column>, Vec<Wrong>> {
    let (mut columns, mut wrong) = (Vec::new(), Vec::new());
    for name in names {
        match Column::of_name(name) {
            None => wrong.push((None, What::Unknown(name.chars().take(40).collect()))),
            Some(column) if columns.contains(&column) => {
                wrong.push((Some(column), What::Doubled));
            }
            Some(column) => columns.push(column),
        }
    }
    let missing = |column: &Column| column.is_needed() && !columns.contains(column);
    let missing = Column::ALL.into_iter().filter(missing);
    wrong.extend(missing.map(|column| (Some(column), What::Missing)));
    if wrong.is_empty() {
        Ok(columns)
    } else {
        Err(wrong)
    }
}
