//! One value of the TOML tree: its place, and what it reads as.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeFloat, DeInteger, DeValue};

use super::fault::Reason;
use super::findings::{Findings, Spot};
use super::table::Table;
use super::text;

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Value<'t> {
    pub(super) spot: Spot,
    pub(super) inner: &'t DeValue<'t>,
    pub(super) findings: &'t Findings<'t>,
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
