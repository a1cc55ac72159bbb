//! Reading a TOML tree by hand, so that every fault is found in one pass.
//!
//! A [`Table`] is asked for the keys it may have and says at the end which others are there; a
//! [`Value`] knows its place. A value that does not read is noted in [`Findings`] and left out;
//! the caller goes on.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeFloat, DeInteger, DeTable, DeValue};

use super::fault::{Fault, Reason, Report};
use super::nearest::nearest;
use super::text;

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
    fn key(&self, key: &str, at: usize) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            at,
            path: format!("{}{dot}{key}", self.path),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    pub(super) spot: Spot,
    inner: &'t DeValue<'t>,
    findings: &'t Findings<'t>,
}

impl<'t> Value<'t> {
    /// The result, or a fault noted at this place.
    pub(super) fn accept<T>(&self, result: Result<T, Reason>) -> Option<T> {
        result
            .map_err(|why| self.findings.fault(&self.spot, why))
            .ok()
    }

    fn unlike(&self, wanted: &'static str) -> Reason {
        Reason::Type {
            wanted,
            found: self.inner.type_str(),
        }
    }

    pub(super) fn text(&self) -> Result<&'t str, Reason> {
        self.inner.as_str().ok_or_else(|| self.unlike("a string"))
    }

    /// A text with content.
    pub(super) fn name(&self) -> Result<&'t str, Reason> {
        let text = self.text()?;
        if text.trim().is_empty() {
            Err(Reason::Empty)
        } else {
            Ok(text)
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Reason> {
        self.inner
            .as_bool()
            .ok_or_else(|| self.unlike("true or false"))
    }

    pub(super) fn is_integer(&self) -> bool {
        self.inner.is_integer()
    }

    pub(super) fn is_text(&self) -> bool {
        self.inner.is_str()
    }

    pub(super) fn is_array(&self) -> bool {
        self.inner.is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.inner.is_table()
    }

    pub(super) fn number<T>(&self, bounds: RangeInclusive<T>) -> Result<T, Reason>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let integer = self
            .inner
            .as_integer()
            .ok_or_else(|| self.unlike("an integer"))?;
        let number = i128::from_str_radix(integer.as_str(), integer.radix()).ok();
        let number = number
            .and_then(|n| T::try_from(n).ok())
            .filter(|n| bounds.contains(n));
        let out = || Reason::Bounds(bounds.start().to_string(), bounds.end().to_string());
        number.ok_or_else(out)
    }

    /// A share such as 0.5, in 1/1000.
    pub(super) fn per_mille(&self, bounds: RangeInclusive<u16>) -> Result<u16, Reason> {
        let number = self.inner.as_float().map(DeFloat::as_str);
        let number = number.or_else(|| self.inner.as_integer().map(DeInteger::as_str));
        let number = number.ok_or_else(|| self.unlike("a share such as 0.5"))?;
        let share = number.parse::<f64>().unwrap_or(f64::NAN) * 1000.0;
        let show = |share: &u16| (f64::from(*share) / 1000.0).to_string();
        let out = Reason::Bounds(show(bounds.start()), show(bounds.end()));
        let mut all = bounds;
        all.find(|n| (f64::from(*n) - share).abs() <= 0.5)
            .ok_or(out)
    }

    /// A time such as "90s", or seconds.
    pub(super) fn duration(&self, bounds: RangeInclusive<Duration>) -> Result<Duration, Reason> {
        let time = if self.is_integer() {
            self.number(0..=u32::MAX)
                .map(|seconds| Duration::from_secs(seconds.into()))?
        } else {
            let wanted = "a duration such as \"90s\" or seconds";
            text::duration(self.inner.as_str().ok_or_else(|| self.unlike(wanted))?)?
        };
        let (min, max) = (
            text::show_duration(*bounds.start()),
            text::show_duration(*bounds.end()),
        );
        bounds
            .contains(&time)
            .then_some(time)
            .ok_or(Reason::Bounds(min, max))
    }

    /// A size such as "64MiB", or octets.
    pub(super) fn size(&self, bounds: RangeInclusive<u64>) -> Result<u64, Reason> {
        let size = if self.is_integer() {
            self.number(0..=u64::MAX)?
        } else {
            let wanted = "a size such as \"64MiB\" or octets";
            text::size(self.inner.as_str().ok_or_else(|| self.unlike(wanted))?)?
        };
        let (min, max) = (
            text::show_size(*bounds.start()),
            text::show_size(*bounds.end()),
        );
        bounds
            .contains(&size)
            .then_some(size)
            .ok_or(Reason::Bounds(min, max))
    }

    /// One of `words`, by what it means.
    pub(super) fn one_of<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, Reason> {
        let text = self.text()?;
        let meant = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, meaning)| *meaning);
        meant.ok_or_else(|| {
            let words: Vec<_> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            Reason::NotOneOf(words.join(", "))
        })
    }

    pub(super) fn list(&self) -> Result<Vec<Value<'t>>, Reason> {
        let array = self.inner.as_array().ok_or_else(|| self.unlike("a list"))?;
        let item = |(i, value): (usize, &'t toml::Spanned<DeValue<'t>>)| Value {
            spot: Spot {
                at: value.span().start,
                path: format!("{}[{i}]", self.spot.path),
            },
            inner: value.get_ref(),
            findings: self.findings,
        };
        Ok(array.iter().enumerate().map(item).collect())
    }

    /// The elements of a list, or the value itself where there is one.
    pub(super) fn one_or_many(&self) -> Vec<Value<'t>> {
        self.list().unwrap_or_else(|_| vec![self.clone()])
    }

    /// Those of a list that read; `None` if it is no list or one of them does not.
    pub(super) fn all<T>(
        &self,
        read: impl Fn(&Value<'t>) -> Result<T, Reason>,
    ) -> Option<Vec<(Spot, T)>> {
        let values = self.accept(self.list())?;
        let read = values
            .into_iter()
            .map(|v| v.accept(read(&v)).map(|read| (v.spot, read)));
        let read: Vec<_> = read.collect();
        read.into_iter().collect()
    }

    pub(super) fn table(&self) -> Result<Table<'t>, Reason> {
        let entries = self
            .inner
            .as_table()
            .ok_or_else(|| self.unlike("a table"))?;
        Ok(Table::new(self.spot.clone(), entries, self.findings))
    }

    pub(super) fn findings(&self) -> &'t Findings<'t> {
        self.findings
    }
}

/// A table, and the keys that it was asked for.
#[derive(Debug)]
pub(super) struct Table<'t> {
    pub(super) spot: Spot,
    pub(super) findings: &'t Findings<'t>,
    entries: &'t DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Table<'t> {
    pub(super) fn new(spot: Spot, entries: &'t DeTable<'t>, findings: &'t Findings<'t>) -> Self {
        Self {
            spot,
            findings,
            entries,
            known: Vec::new(),
        }
    }

    /// The value of `key`, which from now on is known here.
    pub(super) fn value(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.known.push(key);
        let value = self.entries.get(key);
        #[cfg(test)]
        if value.is_none() {
            self.findings
                .absent
                .borrow_mut()
                .push(self.spot.key(key, 0).path);
        }
        let value = value?;
        let spot = self.spot.key(key, value.span().start);
        Some(Value {
            spot,
            inner: value.get_ref(),
            findings: self.findings,
        })
    }

    /// What `key` reads as, if it is there and reads.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'t>) -> Result<T, Reason>,
    ) -> Option<T> {
        let value = self.value(key)?;
        value.accept(read(&value))
    }

    /// As [`Self::read`], and its absence is a fault.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Value<'t>) -> Result<T, Reason>,
    ) -> Option<T> {
        if !self.entries.contains_key(key) {
            self.findings.fault(&self.spot, Reason::Missing(key));
        }
        self.read(key, read)
    }

    /// Puts what `key` reads as in place of what `to` has.
    pub(super) fn set<T>(
        &mut self,
        key: &'static str,
        to: &mut T,
        read: impl FnOnce(&Value<'t>) -> Result<T, Reason>,
    ) {
        if let Some(value) = self.read(key, read) {
            *to = value;
        }
    }

    /// The tables of a list of tables.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'t>> {
        let items = self.read(key, Value::list).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| item.accept(item.table()))
            .collect()
    }

    /// All entries as keys and values, none of which is unknown; for tables with free keys.
    pub(super) fn free_entries(self) -> Vec<(&'t str, Value<'t>)> {
        let entry = |(key, value): (&'t toml::Spanned<_>, &'t toml::Spanned<DeValue<'t>>)| {
            let key: &'t std::borrow::Cow<'t, str> = key.get_ref();
            let spot = self.spot.key(key, value.span().start);
            (
                key.as_ref(),
                Value {
                    spot,
                    inner: value.get_ref(),
                    findings: self.findings,
                },
            )
        };
        self.entries.iter().map(entry).collect()
    }

    /// Notes the keys that nobody asked for. Those of `elsewhere` are known, but not here.
    pub(super) fn finish_with(self, elsewhere: &[&'static str]) {
        for (key, _) in self.entries {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            if self.known.contains(&key) {
                continue;
            }
            let why = if elsewhere.contains(&key) {
                Reason::NetworkKnob
            } else {
                Reason::UnknownKey(nearest(key, self.known.iter().copied()))
            };
            self.findings.fault(&self.spot.key(key, at), why);
        }
    }

    /// Notes the keys that nobody asked for.
    pub(super) fn finish(self) {
        self.finish_with(&[]);
    }

    /// The keys that `reader` asks for.
    pub(super) fn keys_of(reader: impl FnOnce(&mut Table<'_>)) -> Vec<&'static str> {
        let (entries, findings) = (DeTable::new(), Findings::new(""));
        let mut probe = Table::new(Spot::default(), &entries, &findings);
        reader(&mut probe);
        std::mem::take(&mut probe.known)
    }
}
