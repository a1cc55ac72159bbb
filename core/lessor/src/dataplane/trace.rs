//! The last decisions of a worker, each with the rule that made it: what `lessor why` shows.
//!
//! ```text
//!   message ─► decided, refused or shed ─► entry, over the oldest ┐
//!                                            ▲                     ├─ walked in housekeeping, newest
//!   ACK that waited for the disk ─► its fate ┘                     ┘  first, when control asks
//! ```
//!
//! The ring is made at the start. An entry is one cache line, written by its worker without a look
//! at a clock, and read by nobody else.

mod entry;
mod inquest;

use dhcp_proto::identity::HashKey;
use dhcp_proto::time::Instant;

pub use entry::{Entry, Fate, Said, What};
pub use inquest::{About, Inquest, MOST, PATIENCE};

use inquest::Answering;

/// Entries that one turn of housekeeping looks at: 64 KiB, one behind the other.
pub const WALKED_A_TURN: usize = 1024;

/// The decisions of one worker.
#[derive(Debug)]
pub struct Trace {
    entries: &'static mut [Entry],
    /// Where the next one goes.
    at: usize,
    /// How many were noted.
    noted: u64,
    questions: Answering,
}

/// Which entry is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket(u64);

/// A ring of these places, none of which counts as filled, and where it is asked about. Without
/// places nothing is noted.
#[must_use]
pub fn trace(places: &'static mut [Entry]) -> (Trace, Inquest) {
    let (questions, inquest) = inquest::ring();
    let trace = Trace {
        entries: places,
        at: 0,
        noted: 0,
        questions,
    };
    (trace, inquest)
}

impl Trace {
    /// Whether anything is noted at all.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.entries.is_empty()
    }

    /// Notes a decision in place of the oldest one.
    #[inline]
    pub fn note(&mut self, entry: Entry) -> Ticket {
        let ticket = Ticket(self.noted);
        if let Some(place) = self.entries.get_mut(self.at) {
            *place = entry;
            self.noted += 1;
            self.at += 1;
            if self.at == self.entries.len() {
                self.at = 0;
            }
        }
        ticket
    }

    /// Notes what became of the reply of an entry, unless newer ones have taken its place.
    #[inline]
    pub fn settle(&mut self, ticket: Ticket, fate: Fate, now: Instant) {
        if let Some(entry) = self.place_of(ticket.0) {
            entry.settle(fate, now);
        }
    }

    /// The entry of a number.
    fn place_of(&mut self, number: u64) -> Option<&mut Entry> {
        let age = usize::try_from(self.noted.checked_sub(number)?).ok()?;
        let places = self.entries.len();
        if age == 0 || age > places {
            return None;
        }
        let at = if age <= self.at {
            self.at - age
        } else {
            self.at + places - age
        };
        self.entries.get_mut(at)
    }

    /// Goes on answering control: looks at [`WALKED_A_TURN`] entries at most.
    pub fn attend(&mut self, key: &HashKey) {
        let Some(mut walk) = self.questions.walk(self.noted, key) else {
            return;
        };
        for _ in 0..WALKED_A_TURN {
            if !self.questions.has_room() {
                break;
            }
            let entry = walk.step().and_then(|number| self.place_of(number));
            let Some(entry) = entry else {
                self.questions.end(&walk);
                return;
            };
            if walk.is_about(entry) {
                let entry = *entry;
                self.questions.tell(&mut walk, entry);
            }
        }
        self.questions.go_on_later(walk);
    }
}

#[cfg(test)]
mod tests;
