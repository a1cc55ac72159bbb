//! The last decisions about a client, gathered from the workers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Plane;
use crate::control::{self, Decision};
use crate::dataplane::trace::{About, Entry, Inquest, MOST, PATIENCE};

impl Plane {
    /// The last decisions of all workers about `client`, the newest last.
    pub(super) fn decisions(&self, client: &str, limit: u32) -> Result<Vec<Decision>, String> {
        let about = control::about(client).map_err(|error| error.to_string())?;
        let most = usize::try_from(limit).unwrap_or(MOST).min(MOST);
        let entries = self.entries(&about, most)?;
        let snapshot = self.publisher.current();
        let wall = self.clock.wall();
        let shown =
            |(worker, entry): &(u16, Entry)| Decision::new(*worker, entry, wall, &snapshot.config);
        Ok(entries.iter().map(shown).collect())
    }

    /// At most `most` entries of all workers, by time, the newest last.
    fn entries(&self, about: &About, most: usize) -> Result<Vec<(u16, Entry)>, String> {
        let mut all = Vec::new();
        // All walk their rings at the same time. The locks are taken in the same order by all.
        let mut inquests: Vec<_> = self.inquests.iter().map(lock).collect();
        let until = Instant::now() + PATIENCE;
        let silent = |worker: u16| move |_| format!("worker {worker} does not answer");
        for (worker, inquest) in (0..).zip(&mut inquests) {
            let begun = inquest.begin(about, most, until);
            begun.map_err(silent(worker))?;
        }
        for (worker, inquest) in (0..).zip(&mut inquests) {
            let entries = inquest.finish(until).map_err(silent(worker))?;
            all.extend(entries.into_iter().map(|entry| (worker, entry)));
        }
        // Entries of one worker and one moment stay in their order.
        all.reverse();
        all.sort_by_key(|(_, entry)| entry.at);
        let older = all.len().saturating_sub(most);
        all.drain(..older);
        Ok(all)
    }
}

fn lock(inquest: &Mutex<Inquest>) -> MutexGuard<'_, Inquest> {
    inquest.lock().unwrap_or_else(PoisonError::into_inner)
}
