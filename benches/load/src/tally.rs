//! What is counted, and how long things took.

use hdrhistogram::Histogram;

use crate::clients::Nanos;

/// Counts since the generator began. What is measured is the difference of two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages and ARP packets written.
    pub sent: u64,
    /// Frames received, whatever they are.
    pub received: u64,
    /// Replies that were awaited and are right.
    pub replies: u64,
    /// OFFERs among them.
    pub offers: u64,
    /// ACKs among them.
    pub acks: u64,
    /// Exchanges that ended well.
    pub exchanges: u64,
    /// Exchanges begun.
    pub begun: u64,
    /// RELEASEs sent, which nobody answers.
    pub releases: u64,
    /// Messages sent once more.
    pub retransmissions: u64,
    /// Exchanges given up.
    pub timeouts: u64,
    /// NAKs to clients whose lease had ended, which are right.
    pub naks: u64,
    /// Replies to a message that had been sent more than once, beyond the first.
    pub late: u64,
    /// Right replies that state what is left of a lease instead of a whole one: nothing was
    /// extended, and perhaps nothing written.
    pub time_left: u64,
    /// Polls that found the next client resting.
    pub resting: u64,
    /// OFFERs of servers that were not chosen.
    pub other_offers: u64,
    /// Frames that are no replies: ARP, ICMP and so on.
    pub other: u64,
    /// Turns of a client that was not done with its last exchange.
    pub busy: u64,
    /// Messages that found no buffer to be written in.
    pub no_buffer: u64,
}

impl Counts {
    /// What was counted since `before`.
    #[must_use]
    pub const fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            replies: self.replies - before.replies,
            offers: self.offers - before.offers,
            acks: self.acks - before.acks,
            exchanges: self.exchanges - before.exchanges,
            begun: self.begun - before.begun,
            releases: self.releases - before.releases,
            retransmissions: self.retransmissions - before.retransmissions,
            timeouts: self.timeouts - before.timeouts,
            naks: self.naks - before.naks,
            late: self.late - before.late,
            time_left: self.time_left - before.time_left,
            resting: self.resting - before.resting,
            other_offers: self.other_offers - before.other_offers,
            other: self.other - before.other,
            busy: self.busy - before.busy,
            no_buffer: self.no_buffer - before.no_buffer,
        }
    }
}

/// How long replies took.
#[derive(Debug)]
pub struct Latencies {
    /// From a DISCOVER, sent for the last time, to its OFFER; in macswap mode to its return.
    pub offer: Histogram<u64>,
    /// From a REQUEST, sent for the last time, to its ACK.
    pub ack: Histogram<u64>,
    /// From a first DISCOVER to the ACK.
    pub dora: Histogram<u64>,
    on: bool,
}

impl Latencies {
    /// Empty ones, which are off.
    ///
    /// # Errors
    ///
    /// None that the constants here could cause.
    pub fn new() -> Result<Self, hdrhistogram::CreationError> {
        // 64 ns is what the clients' clocks resolve; behind 275 s they begin anew.
        let histogram = || Histogram::new_with_bounds(64, 300_000_000_000, 3);
        Ok(Self {
            offer: histogram()?,
            ack: histogram()?,
            dora: histogram()?,
            on: false,
        })
    }

    /// Whether times count from here on.
    pub const fn switch(&mut self, on: bool) {
        self.on = on;
    }

    /// Counts the time of an OFFER.
    #[inline]
    pub fn offer(&mut self, took: Nanos) {
        if self.on {
            self.offer.saturating_record(took);
        }
    }

    /// Counts the time of an ACK.
    #[inline]
    pub fn ack(&mut self, took: Nanos) {
        if self.on {
            self.ack.saturating_record(took);
        }
    }

    /// Counts the time of a whole exchange that began with a DISCOVER.
    #[inline]
    pub fn dora(&mut self, took: Nanos) {
        if self.on {
            self.dora.saturating_record(took);
        }
    }
}
