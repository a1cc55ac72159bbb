//! What was measured: the runs of each row, or why it has none.

use std::collections::BTreeMap;

use crate::rows::{Row, ceiling, row};

/// A result above this share of what the generator can carry may be the generator's own.
const GENERATOR_BOUND: f64 = 0.8;

/// The runs of all rows so far.
#[derive(Debug, Default)]
pub(crate) struct Book(BTreeMap<&'static str, Entry>);

#[derive(Debug, Default)]
struct Entry {
    runs: Vec<f64>,
    notes: Vec<String>,
    failures: Vec<String>,
}

/// Middle, lowest and highest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// None of no values.
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (lowest, highest) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let median = if sorted.len().is_multiple_of(2) {
            f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper)
        } else {
            upper
        };
        Some(Self {
            median,
            lowest,
            highest,
        })
    }
}

impl Book {
    /// Enters a run of a row.
    pub(crate) fn add(&mut self, name: &'static str, value: f64) {
        self.entry(name).runs.push(value);
    }

    /// Says something about a row; the same thing once.
    pub(crate) fn note(&mut self, name: &'static str, text: &str) {
        let notes = &mut self.entry(name).notes;
        if !notes.iter().any(|note| note == text) {
            notes.push(text.to_owned());
        }
    }

    /// A run of a row came to nothing.
    pub(crate) fn fail(&mut self, name: &'static str, why: &str) {
        let failures = &mut self.entry(name).failures;
        if !failures.iter().any(|failure| failure == why) {
            failures.push(why.to_owned());
        }
    }

    fn entry(&mut self, name: &'static str) -> &mut Entry {
        self.0.entry(name).or_default()
    }

    /// All runs of a row.
    pub(crate) fn runs(&self, name: &str) -> &[f64] {
        self.0.get(name).map_or(&[], |entry| &entry.runs)
    }

    /// What a row has come to.
    pub(crate) fn spread(&self, name: &str) -> Option<Spread> {
        Spread::of(self.runs(name))
    }

    /// The middle of a row's runs.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        self.spread(name).map(|spread| spread.median)
    }

    /// Why runs of a row came to nothing, if some did.
    pub(crate) fn failure(&self, name: &str) -> Option<String> {
        let failures = &self.0.get(name)?.failures;
        (!failures.is_empty()).then(|| failures.join("; "))
    }

    /// Whether anything of it is known.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The ratio to the row that it is compared with.
    pub(crate) fn ratio(&self, row: &Row) -> Option<f64> {
        Some(self.median(row.name)? / self.median(row.of?)?)
    }

    /// What is to be said about a row.
    pub(crate) fn notes(&self, name: &str) -> Vec<String> {
        let said = self.0.get(name).map(|entry| entry.notes.clone());
        let mut notes = said.unwrap_or_default();
        if self.is_generator_bound(name) == Some(true) {
            notes.push("generator-bound".to_owned());
        }
        notes
    }

    fn is_generator_bound(&self, name: &str) -> Option<bool> {
        let replies = self.median(name)? * row(name)?.unit.replies()?;
        let most = self.median(ceiling(name)?)?;
        Some(replies > GENERATOR_BOUND * most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_an_even_number_of_runs_is_between_the_two_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values).map(|s| (s.lowest, s.median, s.highest));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 9.0]), Some((1.0, 3.0, 9.0)));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_result_near_the_generators_ceiling_is_marked() {
        let mut book = Book::default();
        book.add("memif/generator", 1000.0);
        book.add("memif/none/messages", 790.0);
        book.add("memif/log/dora", 410.0);
        book.add("veth/log/dora", 410.0);
        assert!(book.notes("memif/none/messages").is_empty());
        assert_eq!(book.notes("memif/log/dora"), ["generator-bound"]);
        assert!(book.notes("veth/log/dora").is_empty(), "another path");
        assert!(book.notes("memif/generator").is_empty());
    }

    #[test]
    fn a_ratio_is_of_medians_and_needs_both() {
        let mut book = Book::default();
        let row = row("veth/log/dora").unwrap();
        book.add(row.name, 8.0);
        assert_eq!(book.ratio(row), None);
        for value in [1.0, 2.0, 30.0] {
            book.add("veth/kea/dora", value);
        }
        assert_eq!(book.ratio(row), Some(4.0));
    }

    #[test]
    fn a_failure_is_told_once() {
        let mut book = Book::default();
        book.fail("veth/kea/dora", "no server");
        book.fail("veth/kea/dora", "no server");
        assert_eq!(book.failure("veth/kea/dora").as_deref(), Some("no server"));
        assert_eq!(book.failure("veth/log/dora"), None);
        assert!(book.knows("veth/kea/dora"));
    }
}
