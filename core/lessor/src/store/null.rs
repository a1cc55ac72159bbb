//! The engine that keeps nothing: for measuring the server without a disk, and for nothing else.

use super::{Batch, Completion, Lsn, Store};
use crate::event::Event;
use std::collections::VecDeque;
use std::io;

/// `engine = "none"`: every batch is done at once, and gone with the process.
#[derive(Debug)]
pub struct NullStore {
    next: Lsn,
    done: VecDeque<Batch>,
}

impl NullStore {
    /// A store that keeps nothing, and says so in the log.
    #[must_use]
    pub fn new() -> Self {
        tracing::warn!(
            event = %Event::StoreNotDurable,
            "engine = \"none\": ACKs are NOT durable, every binding is lost at the end of this \
             process and its address will be given to another client; for measuring only"
        );
        Self {
            next: Lsn(1),
            done: VecDeque::new(),
        }
    }
}

impl Default for NullStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Store for NullStore {
    fn next_lsn(&self) -> Lsn {
        self.next
    }

    fn ready(&self) -> bool {
        true
    }

    fn submit(&mut self, batch: Batch) {
        self.next = batch.next();
        self.done.push_back(batch);
    }

    fn completed(&mut self) -> Option<Completion> {
        self.done.pop_front().map(Completion::Durable)
    }

    fn trouble(&self) -> Option<&io::Error> {
        None
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
