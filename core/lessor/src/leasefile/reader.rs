//! A file to rows and faults, line by line.

use std::io::{self, BufRead};

use super::csv::Csv;
use super::fault::{Fault, What};
use super::kea::Kea;
use super::lines::{Line, Lines};
use super::parse::Wrong;
use super::row::Row;
use super::{Layout, VERSION};

/// What a line is.
pub(super) enum Part {
    /// A line of names.
    Nothing,
    Row(Box<Row>),
    /// The end mark, and how many rows it says there are.
    End(u64),
}

/// An end mark that says so much.
pub(super) fn end(rows: Option<u64>, version: Option<u64>) -> Result<Part, Vec<Wrong>> {
    match (rows, version) {
        (_, Some(version)) if version > VERSION => Err(vec![(None, What::Version(version))]),
        (Some(rows), Some(VERSION)) => Ok(Part::End(rows)),
        (Some(_) | None, Some(_) | None) => Err(vec![(None, What::BadEnd)]),
    }
}

/// What reads the lines of a layout.
pub(super) enum Decoder<'d> {
    Jsonl,
    Csv(Csv),
    Kea(Kea<'d>),
}

impl Decoder<'_> {
    fn layout(&self) -> Layout {
        match self {
            Self::Jsonl => Layout::Jsonl,
            Self::Csv(_) => Layout::Csv,
            Self::Kea(_) => Layout::KeaCsv,
        }
    }

    fn decode(&mut self, number: u64, line: &[u8]) -> Result<Part, Vec<Wrong>> {
        match self {
            Self::Jsonl => super::jsonl::decode(line),
            Self::Csv(csv) => csv.decode(line),
            Self::Kea(kea) => kea.decode(number, line),
        }
    }

    /// Whether nothing can be said of further lines.
    fn is_lost(&self) -> bool {
        match self {
            Self::Jsonl => false,
            Self::Csv(csv) => !csv.has_header(),
            Self::Kea(kea) => !kea.has_header(),
        }
    }
}

/// Reads `input` to its end, and hands out each row with its line, and each fault.
///
/// # Errors
/// The input cannot be read, or `visit` says so.
pub(super) fn read<E: From<io::Error>>(
    input: impl BufRead,
    mut decoder: Decoder<'_>,
    needs_end: bool,
    mut visit: impl FnMut(u64, Result<Row, Fault>) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines::new(input);
    let mut tail = Tail::default();
    while let Some((number, line)) = lines.next()? {
        let (part, ended) = match line {
            Line::Whole(text) => (decoder.decode(number, text), true),
            Line::Unended(text) => (decoder.decode(number, text), false),
            Line::TooLong => (Err(vec![(None, What::TooLong)]), true),
        };
        tail.line = number;
        if !ended && !is_complete(decoder.layout(), &part) {
            tail.cut_off = true;
            visit(number, Err(Fault::new(number, None, What::CutOff)))?;
            break;
        }
        if let Some(end) = tail.end {
            let what = What::BehindEnd(end.line);
            visit(number, Err(Fault::new(number, None, what)))?;
            return Ok(());
        }
        match part {
            Ok(Part::Nothing) => {}
            Ok(Part::Row(row)) => {
                tail.rows += 1;
                visit(number, Ok(*row))?;
            }
            Ok(Part::End(rows)) => {
                tail.end = Some(End { line: number, rows });
            }
            Err(wrong) => {
                tail.rows += 1;
                tail.bad_end |= wrong.iter().any(|(_, what)| is_of_end(what));
                for (column, what) in wrong {
                    visit(number, Err(Fault::new(number, column, what)))?;
                }
                if decoder.is_lost() {
                    return Ok(());
                }
            }
        }
    }
    match tail.fault(needs_end) {
        Some(fault) => visit(fault.line, Err(fault)),
        None => Ok(()),
    }
}

/// Whether a line without an end is all of its line: an object that is closed is, and so is an
/// end mark.
fn is_complete(layout: Layout, part: &Result<Part, Vec<Wrong>>) -> bool {
    match part {
        Ok(Part::End(_)) => true,
        Ok(Part::Row(_) | Part::Nothing) => layout == Layout::Jsonl,
        Err(_) => false,
    }
}

fn is_of_end(what: &What) -> bool {
    *what == What::BadEnd || matches!(what, What::Version(_))
}

#[derive(Clone, Copy)]
struct End {
    line: u64,
    rows: u64,
}

/// What is known of a file when its last line is read.
#[derive(Default)]
struct Tail {
    line: u64,
    rows: u64,
    end: Option<End>,
    bad_end: bool,
    cut_off: bool,
}

impl Tail {
    fn fault(&self, needs_end: bool) -> Option<Fault> {
        let told = self.cut_off || self.bad_end;
        let (line, what) = match self.end {
            _ if self.line == 0 => (1, What::Empty),
            Some(End { line, rows }) if rows != self.rows => {
                let (said, came) = (rows, self.rows);
                (line, What::Count { said, came })
            }
            None if needs_end && !told => (self.line, What::NoEnd(self.rows)),
            Some(_) | None => return None,
        };
        Some(Fault::new(line, None, what))
    }
}
