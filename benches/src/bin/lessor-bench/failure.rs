//! Why a row has no figure.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a row says in place of its figure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

/// What came of a row.
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Says what was being done when something failed.
pub(crate) trait Because<T> {
    fn because(self, what: &str) -> Outcome<T>;
}

impl<T, E: std::fmt::Display> Because<T> for Result<T, E> {
    fn because(self, what: &str) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

impl<T> Because<T> for Option<T> {
    fn because(self, what: &str) -> Outcome<T> {
        self.ok_or_else(|| Failure(what.to_owned()))
    }
}

/// Does `work`; a panic of it, as the laboratory of the tests has them, is its failure and not the
/// end of the run.
pub(crate) fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure(text.unwrap_or("a panic without words").to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_with_its_words() {
        let failed: Outcome<()> = caught(|| panic!("no namespace {}", 7));
        assert_eq!(failed, Err(Failure::new("no namespace 7")));
        assert_eq!(caught(|| Ok(3)), Ok(3));
    }

    #[test]
    fn says_what_was_being_done() {
        let failed: Outcome<u8> = "x".parse().because("the figure");
        assert_eq!(
            failed.unwrap_err().to_string(),
            "the figure: invalid digit found in string"
        );
    }
}
