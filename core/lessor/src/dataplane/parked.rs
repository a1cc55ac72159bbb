//! Replies that wait until the record they state is on disk.
//!
//! In the order in which they were parked; since a ring's records become durable in order, so do
//! the replies, but for a repeated ACK of an older record, which waits a commit longer than it
//! had to.

use std::collections::VecDeque;
use std::time::{Duration, Instant as Moment};

use dhcp_proto::record::Sequence;
use dhcp_proto::server::Parked;
use dhcp_proto::time::Instant;

use super::trace::Ticket;
use super::way::Exit;

/// One reply, written, with what it waits for.
#[derive(Debug)]
pub struct Entry<K> {
    /// The frame.
    pub packet: K,
    /// How it leaves.
    pub exit: Exit,
    /// The binding that it states.
    pub parked: Parked,
    /// When its query was received, to measure by.
    pub received: Moment,
    /// The decision that it carries out.
    pub ticket: Ticket,
    since: Instant,
}

/// What became of the reply that has waited longest.
#[derive(Debug)]
pub enum Due<K> {
    /// Its record is durable.
    Durable(Entry<K>),
    /// It has waited too long: the client has asked again by now.
    Late(Entry<K>),
}

/// The parked replies of one worker.
#[derive(Debug)]
pub struct ParkedReplies<K> {
    entries: VecDeque<Entry<K>>,
    most: usize,
    patience: Duration,
}

impl<K> ParkedReplies<K> {
    /// Room for `most` replies, each for at most `patience`.
    #[must_use]
    pub fn new(most: usize, patience: Duration) -> Self {
        Self {
            entries: VecDeque::with_capacity(most),
            most,
            patience,
        }
    }

    /// Replies that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many fit.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many more fit.
    #[must_use]
    pub fn room(&self) -> usize {
        self.most.saturating_sub(self.entries.len())
    }

    /// Parks a reply; gives the packet back if there is no room.
    ///
    /// # Errors
    ///
    /// The packet, when `most` replies wait already.
    pub fn park(
        &mut self,
        packet: K,
        exit: Exit,
        parked: Parked,
        (now, received, ticket): (Instant, Moment, Ticket),
    ) -> Result<(), K> {
        if self.room() == 0 {
            return Err(packet);
        }
        self.entries.push_back(Entry {
            packet,
            exit,
            parked,
            received,
            ticket,
            since: now,
        });
        Ok(())
    }

    /// The next reply whose wait is over.
    pub fn due(&mut self, durable: Sequence, now: Instant) -> Option<Due<K>> {
        let first = self.entries.front()?;
        if first.parked.sequence <= durable {
            return self.entries.pop_front().map(Due::Durable);
        }
        if first.since.after(self.patience) <= now {
            return self.entries.pop_front().map(Due::Late);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(sequence: Sequence) -> Parked {
        Parked {
            slot: 1,
            generation: 1,
            sequence,
            ticket: 1,
        }
    }

    fn at(milliseconds: u64) -> (Instant, Moment, Ticket) {
        (Instant(milliseconds), Moment::now(), Ticket::default())
    }

    const EXIT: Exit = Exit::Direct { port: 0 };

    fn replies() -> ParkedReplies<u32> {
        ParkedReplies::new(3, Duration::from_secs(2))
    }

    #[test]
    fn a_reply_leaves_when_its_record_is_durable_and_not_before() {
        let mut replies = replies();
        replies.park(7, EXIT, parked(5), at(0)).unwrap();
        assert!(replies.due(4, Instant(1)).is_none());
        assert!(matches!(
            replies.due(5, Instant(1)),
            Some(Due::Durable(Entry { packet: 7, .. }))
        ));
        assert!(replies.is_empty());
    }

    #[test]
    fn a_reply_that_waited_too_long_is_late() {
        let mut replies = replies();
        replies.park(7, EXIT, parked(5), at(100)).unwrap();
        assert!(replies.due(4, Instant(2099)).is_none());
        assert!(matches!(replies.due(4, Instant(2100)), Some(Due::Late(_))));
    }

    #[test]
    fn no_more_than_the_most_are_parked_and_the_packet_comes_back() {
        let mut replies = replies();
        for n in 0..3 {
            replies.park(n, EXIT, parked(9), at(0)).unwrap();
        }
        assert_eq!(replies.park(99, EXIT, parked(9), at(0)), Err(99));
        assert_eq!(replies.room(), 0);
    }
}
