//! The store thread without the thread, for a simulation that decides when it works.

use super::time::TimeNote;
use super::{CommitOptions, Loop, Parts};
use crate::store::ring::Drain;
use crate::store::{Stats, Store};
use core::fmt;
use std::sync::{Arc, mpsc};
use std::time::Instant;

/// What the store thread does, one look at everything after the other.
pub struct Steps<S>(Loop<S>);

impl<S: Store> Steps<S> {
    /// The steps from `now` on.
    #[must_use]
    pub fn new(engine: S, rings: Vec<Drain>, options: CommitOptions, now: Instant) -> Self {
        let (_, asked) = mpsc::channel();
        let wall = ((options.clock)(), now);
        let parts = Parts {
            engine,
            rings,
            stats: Arc::new(Stats::default()),
            time: Arc::new(TimeNote::begun(options.hold, wall, options.grace)),
            asked,
        };
        Self(Loop {
            time_due: now,
            ..Loop::new(parts, options)
        })
    }

    /// One look at everything; whether there was anything to do.
    pub fn round(&mut self, now: Instant) -> bool {
        self.0.round(now)
    }

    /// What is not durable yet, in slots and batches.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.0.waiting()
    }

    /// Marks a clean end, if nothing waits.
    pub fn finish(&mut self) {
        let waiting = self.0.waiting();
        self.0.finish(waiting);
    }
}

impl<S> fmt::Debug for Steps<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}
