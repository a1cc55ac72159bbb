//! How long replies take: from the poll that received the message to the device having the reply.
//!
//! The clock is read once for a poll that received something and once when its replies have been
//! sent, so that a packet of a burst costs next to nothing. What a message spent in the device's
//! queue before, or in the ring from another worker, is not in it; a reply that waits for its next
//! hop counts as sent.

use std::time::Instant;

use crate::histogram::Histogram;

/// The latencies of one worker.
#[derive(Debug, Default)]
pub struct Latency {
    /// Replies that wait for nothing: OFFER, NAK, the ACK of what is durable already.
    pub direct: Histogram,
    /// ACKs that waited for their record.
    pub durable: Histogram,
}

/// The clock of one poll.
#[derive(Debug, Default)]
pub struct Stopwatch {
    began: Option<Instant>,
    direct: u64,
}

impl Stopwatch {
    /// The poll has received something: when that was, by its first burst.
    #[inline]
    pub fn begin(&mut self) -> Instant {
        *self.began.get_or_insert_with(Instant::now)
    }

    /// A reply is on its way that waits for nothing.
    #[inline]
    pub fn reply(&mut self) {
        self.direct += 1;
    }

    /// All that the poll had to send is with the devices.
    #[inline]
    pub fn end(&mut self, latency: &Latency) {
        let Some(began) = self.began.take() else {
            return;
        };
        if self.direct > 0 {
            latency.direct.add(began.elapsed(), self.direct);
            self.direct = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_counts_its_replies_once_and_one_without_any_counts_nothing() {
        let (latency, mut watch) = (Latency::default(), Stopwatch::default());
        watch.end(&latency);
        watch.begin();
        watch.end(&latency);
        assert_eq!(latency.direct.view().count(), 0);
        let began = watch.begin();
        watch.reply();
        assert_eq!(watch.begin(), began);
        watch.reply();
        watch.end(&latency);
        watch.end(&latency);
        assert_eq!(latency.direct.view().count(), 2);
        assert_eq!(latency.durable.view().count(), 0);
    }
}
