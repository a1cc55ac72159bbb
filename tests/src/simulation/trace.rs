//! What happens, line by line, for who repeats a seed.

use super::client::Millis;
use std::fmt::Arguments;

/// Where lines go, if anywhere.
pub struct Trace(Option<Sink>);

type Sink = Box<dyn FnMut(&str)>;

impl Trace {
    /// Nobody wants to know.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    /// Each line is given to `to`.
    #[must_use]
    pub fn to(to: impl FnMut(&str) + 'static) -> Self {
        Self(Some(Box::new(to)))
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn line(&mut self, now: Millis, line: Arguments<'_>) {
        if let Some(to) = &mut self.0 {
            to(&format!("{:6}.{:03} {line}", now / 1000, now % 1000));
        }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Trace").field(&self.0.is_some()).finish()
    }
}
