//! Waiting for what other processes do.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a step may take before the test gives up. Far longer than any step needs: the machine
/// may be busy with other tests, each with a server that polls.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Asks until there is an answer, and panics with `what` when there is none within [`PATIENCE`].
pub fn until<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = answer() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: not within {} s",
            PATIENCE.as_secs()
        );
        sleep(Duration::from_millis(50));
    }
}

/// Asks until it is so.
pub fn until_true(what: &str, mut so: impl FnMut() -> bool) {
    until(what, || so().then_some(()));
}
