//! All that is wrong with a file, within bounds.

use std::collections::BTreeMap;

use super::fault::Fault;

/// Most faults that are kept; the rest is counted.
const MOST: usize = 100;

/// The faults of a file: the first of them by line, and how many there are.
#[derive(Debug, Default)]
pub struct Faults {
    first: BTreeMap<(u64, u64), Fault>,
    total: u64,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.total += 1;
        self.first.insert((fault.line, self.total), fault);
        if self.first.len() > MOST {
            drop(self.first.pop_last());
        }
    }

    /// The first of them, by line.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.first.values()
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// How many [`Faults::iter`] does not show.
    #[must_use]
    pub fn hidden(&self) -> u64 {
        self.total - self.first.len() as u64
    }

    /// A line for each, behind the name of the file.
    pub fn lines(&self, file: &str) -> impl Iterator<Item = String> {
        let more = (self.hidden() > 0).then(|| format!("{file}: and {} more", self.hidden()));
        let shown = self.iter().map(move |fault| format!("{file}:{fault}"));
        shown.chain(more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leasefile::column::Column;
    use crate::leasefile::fault::What;

    #[test]
    fn the_first_hundred_by_line_are_kept_and_the_rest_is_counted() {
        let mut faults = Faults::default();
        for line in (1..=250).rev() {
            faults.add(Fault::new(line, Some(Column::Space), What::Missing));
        }
        let lines: Vec<_> = faults.lines("x.csv").collect();
        assert_eq!(lines.len(), 101);
        assert_eq!(lines[0], "x.csv:1: space: the column is missing");
        assert_eq!(lines[99], "x.csv:100: space: the column is missing");
        assert_eq!(lines[100], "x.csv: and 150 more");
    }
}
