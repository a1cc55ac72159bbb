//! The last decisions about a client, gathered from the workers.

use std::sync::PoisonError;

use super::Plane;
use crate::control::{self, Decision};
use crate::dataplane::trace::{About, Entry, MOST};

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
        for (worker, inquest) in (0..).zip(&self.inquests) {
            let mut inquest = inquest.lock().unwrap_or_else(PoisonError::into_inner);
            let entries = inquest.ask(about, most);
            let entries = entries.map_err(|_| format!("worker {worker} does not answer"))?;
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
