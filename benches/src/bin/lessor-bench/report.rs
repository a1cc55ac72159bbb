//! The report: one table for people, one file for machines.

use std::fmt::Write as _;

use serde::Serialize;

use crate::book::Book;
use crate::machine::Machine;
use crate::rows::{Bar, ROWS, Row, short};

/// A row as it is reported.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// The median of the runs; null if the row failed.
    pub(crate) value: Option<f64>,
    pub(crate) unit: &'static str,
    /// Value to that of the row `of`.
    pub(crate) ratio: Option<f64>,
    pub(crate) of: Option<&'static str>,
    pub(crate) runs: Vec<f64>,
    pub(crate) first_slice: Option<Verdict>,
    pub(crate) goal: Option<Verdict>,
    pub(crate) notes: Vec<String>,
    pub(crate) failure: Option<String>,
}

/// A bar and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) bar: String,
    /// Null if nothing was measured.
    pub(crate) met: Option<bool>,
    /// Share of the bar that was reached: 1 and more is met.
    pub(crate) reached: Option<f64>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) results: Vec<Line>,
}

impl Report {
    /// Of what is in the book.
    pub(crate) fn new(machine: Machine, (quick, rounds): (bool, usize), book: &Book) -> Self {
        let known = ROWS.iter().filter(|row| book.knows(row.name));
        Self {
            machine,
            quick,
            rounds,
            results: known.map(|row| line(row, book)).collect(),
        }
    }

    /// Whether every row has its figure.
    pub(crate) fn is_complete(&self) -> bool {
        self.results.iter().all(|line| line.failure.is_none())
    }

    /// As a table of Markdown that is read as well as it is.
    pub(crate) fn table(&self) -> String {
        let head = [
            "row",
            "value",
            "lowest - highest",
            "ratio",
            "first slice",
            "goal",
            "notes",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.results.iter().map(Line::cells));
        let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max();
        let widths: Vec<usize> = (0..head.len() - 1)
            .map(|at| width(at).unwrap_or(0))
            .collect();
        let mut text = format!("{}\n\n", self.machine);
        for (number, row) in rows.iter().enumerate() {
            push_row(&mut text, row, &widths);
            if number == 0 {
                let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
                let _ = writeln!(text, "| {} | - |", rules.join(" | "));
            }
        }
        text
    }
}

fn push_row(text: &mut String, row: &[String; 7], widths: &[usize]) {
    for (cell, width) in row.iter().zip(widths) {
        let _ = write!(text, "| {cell:<width$} ");
    }
    let _ = writeln!(text, "| {} |", row[6]);
}

fn line(row: &Row, book: &Book) -> Line {
    let (value, ratio) = (book.median(row.name), book.ratio(row));
    let failure = book.failure(row.name);
    let verdict = |bar: Bar| {
        let reached = value.and_then(|value| bar.reached(value, ratio));
        Verdict {
            bar: bar.text(row.unit),
            met: reached.map(|reached| reached >= 1.0),
            reached,
        }
    };
    Line {
        name: row.name,
        value,
        unit: row.unit.text(),
        ratio,
        of: row.of,
        runs: book.runs(row.name).to_vec(),
        first_slice: row.first_slice.map(verdict),
        goal: row.goal.map(verdict),
        notes: book.notes(row.name),
        failure,
    }
}

impl Line {
    fn cells(&self) -> [String; 7] {
        let value = self.value.map_or("-".to_owned(), |value| {
            format!("{} {}", number(value), self.unit)
        });
        let spread = crate::book::Spread::of(&self.runs).map_or("-".to_owned(), |spread| {
            format!("{} - {}", number(spread.lowest), number(spread.highest))
        });
        let ratio = self.ratio.zip(self.of);
        let ratio = ratio.map_or(String::new(), |(ratio, of)| {
            format!("{} of {of}", short(ratio))
        });
        let bar = |verdict: &Option<Verdict>| verdict.as_ref().map_or(String::new(), Verdict::text);
        let mut notes = self.notes.join(", ");
        if let Some(failure) = &self.failure {
            // A cell has one line and no borders.
            let failure = failure.replace(['\n', '|'], " ");
            let _ = write!(
                notes,
                "{}FAILED: {failure}",
                if notes.is_empty() { "" } else { ", " }
            );
        }
        let (first, goal) = (bar(&self.first_slice), bar(&self.goal));
        [
            self.name.to_owned(),
            value,
            spread,
            ratio,
            first,
            goal,
            notes,
        ]
    }
}

impl Verdict {
    fn text(&self) -> String {
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "NOT MET",
            None => "not measured",
        };
        format!("{} {met}", self.bar)
    }
}

/// A value with three digits that say something, thousands apart.
fn number(value: f64) -> String {
    if value < 1000.0 {
        return match value {
            ..10.0 => format!("{value:.2}"),
            10.0..100.0 => format!("{value:.1}"),
            _ => format!("{value:.0}"),
        };
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(book: &Book) -> Report {
        Report::new(Machine::default(), (true, 2), book)
    }

    #[test]
    fn a_row_says_its_spread_its_ratio_and_whether_it_meets_its_bars() {
        let mut book = Book::default();
        book.add("veth/kea/dora", 20_000.0);
        for value in [79_000.0, 81_000.0, 120_000.0] {
            book.add("veth/log/dora", value);
        }
        let report = report(&book);
        let row = report
            .results
            .iter()
            .find(|line| line.name == "veth/log/dora");
        let cells = row.unwrap().cells();
        assert_eq!(cells[1], "81,000 DORA/s");
        assert_eq!(cells[2], "79,000 - 120,000");
        assert_eq!(cells[3], "4.05 of veth/kea/dora");
        assert_eq!(cells[4], ">= 4 x met");
        assert_eq!(cells[5], ">= 9 x NOT MET");
        assert!(report.is_complete());
    }

    #[test]
    fn a_row_that_failed_is_there_with_its_reason_and_the_report_is_not_complete() {
        let mut book = Book::default();
        book.fail("veth/kea/dora", "kea-dhcp4: no such\nprogram | at all");
        book.add("veth/log/dora", 1.0);
        let report = report(&book);
        assert!(!report.is_complete());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["results"][1]["name"], "veth/kea/dora");
        assert!(json["results"][1]["value"].is_null());
        assert_eq!(
            json["results"][0]["first_slice"]["met"],
            serde_json::Value::Null
        );
        let table = report.table();
        assert!(
            table.contains("FAILED: kea-dhcp4: no such program   at all |"),
            "{table}"
        );
        assert!(table.contains(">= 4 x not measured"), "{table}");
    }

    #[test]
    fn each_result_has_the_keys_that_others_read() {
        let mut book = Book::default();
        book.add("restart/10m", 12.5);
        let json = serde_json::to_value(report(&book)).unwrap();
        let result = &json["results"][0];
        for key in ["name", "value", "unit", "ratio", "of", "runs"] {
            assert!(result.get(key).is_some(), "{key}");
        }
        assert_eq!(result["runs"], serde_json::json!([12.5]));
        assert_eq!(result["goal"]["reached"], 0.24);
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        let of = |values: [f64; 5]| values.map(number);
        let expected = ["0.12", "12.3", "123", "1,235", "7,100,000"];
        assert_eq!(of([0.123, 12.34, 123.4, 1234.6, 7.1e6]), expected);
    }
}
