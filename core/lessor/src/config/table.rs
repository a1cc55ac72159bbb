//! Reading a TOML tree by hand, so that every fault is found in one pass.
//!
//! A [`Table`] is asked for the keys it may have and says at the end which others are there; a
//! [`Value`] knows its place. A value that does not read is noted in [`Findings`] and left out;
//! the caller goes on.

use toml::de::{DeTable, DeValue};

use super::fault::Reason;
use super::findings::{Findings, Spot};
use super::nearest::nearest;
use super::value::Value;

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

    /// Whether `key` is there, whatever it says.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
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
