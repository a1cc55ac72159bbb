//! What is wrong with a file, collected while it is read.

use std::cell::RefCell;

use super::fault::{Fault, Reason, Report};

/// What was found wrong so far.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    text: &'t str,
    /// Offset of each line.
    lines: Vec<usize>,
    found: RefCell<Vec<Finding>>,
    /// Keys that were asked for and not there, for the test of the documentation.
    #[cfg(test)]
    pub(super) absent: RefCell<Vec<String>>,
}

#[derive(Debug)]
struct Finding {
    at: usize,
    path: String,
    why: Reason,
    warning: bool,
}

impl<'t> Findings<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            text,
            lines: std::iter::once(0).chain(ends).collect(),
            found: RefCell::default(),
            #[cfg(test)]
            absent: RefCell::default(),
        }
    }

    pub(super) fn fault(&self, spot: &Spot, why: Reason) {
        self.note(spot, why, false);
    }

    pub(super) fn warn(&self, spot: &Spot, why: Reason) {
        self.note(spot, why, true);
    }

    fn note(&self, spot: &Spot, why: Reason, warning: bool) {
        let Spot { at, path } = spot.clone();
        self.found.borrow_mut().push(Finding {
            at,
            path,
            why,
            warning,
        });
    }

    /// Whether nothing but warnings has been noted.
    pub(super) fn is_faultless(&self) -> bool {
        self.found.borrow().iter().all(|finding| finding.warning)
    }

    /// The line of an offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    fn column(&self, at: usize) -> usize {
        let start = self
            .lines
            .get(self.line(at).saturating_sub(1))
            .copied()
            .unwrap_or(0);
        self.text
            .get(start..at)
            .map_or(0, |before| before.chars().count())
            + 1
    }

    /// All of it in file order. What a syntax error brought about is left out: a value on its
    /// line, the absence of things, and all warnings.
    pub(super) fn report(self) -> Report {
        let mut found = self.found.take();
        found.sort_by_key(|finding| finding.at);
        let is_syntax = |f: &Finding| matches!(f.why, Reason::Syntax(_));
        let broken: Vec<_> = found
            .iter()
            .filter(|f| is_syntax(f))
            .map(|f| self.line(f.at))
            .collect();
        let mut report = Report::default();
        for finding in found {
            let line = self.line(finding.at);
            let doubtful = finding.warning
                || finding.at == 0
                || finding.why.may_follow_from_syntax()
                || broken.contains(&line);
            if !broken.is_empty() && !is_syntax(&finding) && doubtful {
                continue;
            }
            let list = if finding.warning {
                &mut report.warnings
            } else {
                &mut report.faults
            };
            let (column, Finding { path, why, .. }) = (self.column(finding.at), finding);
            list.push(Fault {
                line,
                column,
                path,
                why,
            });
        }
        report
    }
}

/// A place in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spot {
    /// Offset in octets.
    pub(super) at: usize,
    /// Path of keys and indices.
    pub(super) path: String,
}

impl Spot {
    pub(super) fn key(&self, key: &str, at: usize) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            at,
            path: format!("{}{dot}{key}", self.path),
        }
    }
}
