//! What is known of each client: 32 octets, and a timer threaded through them.

use hugemem::{MapError, Pages, slice_with};

use crate::identity::low;

/// A moment or a span in the generator's time, nanoseconds since it began.
pub type Nanos = u64;

/// What a client waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// For its turn.
    #[default]
    Idle,
    /// For an OFFER.
    Selecting,
    /// For the ACK of an offered address.
    Requesting,
    /// For the ACK of a lease extended.
    Extending,
    /// For the ACK of a remembered address.
    Rebooting,
    /// For its own frame.
    Echo,
}

/// A client. Moments are in steps of 64 ns, modulo 2^32: 275 s.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Client {
    /// Address leased; 0 for none.
    pub lease: u32,
    /// Second at which the lease ends; `u32::MAX` for never.
    pub expires: u32,
    /// Address offered.
    pub offer: u32,
    /// When the message was sent last that is to be answered.
    sent: u32,
    /// When the exchange began.
    began: u32,
    pub(crate) links: Links,
    /// What it waits for.
    pub phase: Phase,
    /// Times that the message was sent; replies beyond one for each exchange, which may yet come
    /// because it was sent again.
    tries: u8,
    /// Which exchange this is, modulo 256.
    pub exchange: u8,
    /// The server of lease and offer, by its number; 0 for none.
    pub server: u8,
}

/// The neighbours of a client in its slot of the wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Links {
    pub(crate) previous: u32,
    pub(crate) next: u32,
}

impl Links {
    pub(crate) const NONE: u32 = u32::MAX;
    /// Of a client without a timer.
    pub(crate) const OUT: Self = Self {
        previous: Self::NONE,
        next: Self::NONE,
    };
}

const _: () = assert!(size_of::<Client>() == 32);

impl Client {
    const NEW: Self = Self {
        lease: 0,
        expires: 0,
        offer: 0,
        sent: 0,
        began: 0,
        links: Links::OUT,
        phase: Phase::Idle,
        tries: 0,
        exchange: 0,
        server: 0,
    };

    /// Whether its lease runs at `second`.
    #[inline]
    #[must_use]
    pub const fn is_bound(&self, second: u32) -> bool {
        self.lease != 0 && second < self.expires
    }

    /// Times that the present message was sent.
    #[inline]
    #[must_use]
    pub const fn sent_times(&self) -> u8 {
        self.tries & 0xf
    }

    /// Notes that an exchange begins.
    #[inline]
    pub const fn begin(&mut self, now: Nanos) {
        self.exchange = self.exchange.wrapping_add(1);
        self.began = step(now);
    }

    /// Notes that a new message is sent, which waits in `phase`.
    #[inline]
    pub const fn first_sent(&mut self, phase: Phase, now: Nanos) {
        self.phase = phase;
        self.tries = self.tries & 0xf0 | 1;
        self.sent = step(now);
    }

    /// Notes that the message is sent once more: one more reply may come.
    pub const fn sent_again(&mut self, now: Nanos) {
        let spare = self.tries >> 4;
        let spare = if spare < 0xf { spare + 1 } else { spare };
        let times = self.sent_times();
        let times = if times < 0xf { times + 1 } else { times };
        self.tries = spare << 4 | times;
        self.sent = step(now);
    }

    /// Whether a reply more than awaited is explained by a message sent again; it then was the
    /// last such, as far as is known.
    pub const fn spare_reply(&mut self) -> bool {
        let spare = self.tries >> 4;
        if spare > 0 {
            self.tries -= 0x10;
        }
        spare > 0
    }

    /// Time since the message was sent last.
    #[inline]
    #[must_use]
    pub fn since_sent(&self, now: Nanos) -> Nanos {
        u64::from(step(now).wrapping_sub(self.sent)) << SHIFT
    }

    /// Time since the exchange began.
    #[inline]
    #[must_use]
    pub fn since_began(&self, now: Nanos) -> Nanos {
        u64::from(step(now).wrapping_sub(self.began)) << SHIFT
    }
}

const SHIFT: u32 = 6;

#[inline]
const fn step(now: Nanos) -> u32 {
    low(now >> SHIFT)
}

/// A second of the generator's time, as leases end at.
#[inline]
#[must_use]
pub const fn second(now: Nanos) -> u32 {
    low(now / 1_000_000_000)
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    table: &'static mut [Client],
    pages: Pages,
}

impl Clients {
    /// So many clients that have done nothing yet.
    ///
    /// # Errors
    ///
    /// [`MapError`] if there is no memory for them.
    pub fn new(count: u32) -> Result<Self, MapError> {
        let region = slice_with(count as usize, |_| Client::NEW)?;
        Ok(Self {
            table: region.slice,
            pages: region.pages,
        })
    }

    /// The pages that they stand on.
    #[must_use]
    pub const fn pages(&self) -> Pages {
        self.pages
    }

    /// The client with this number.
    #[inline]
    #[must_use]
    pub fn get(&self, client: u32) -> Option<&Client> {
        self.table.get(client as usize)
    }

    /// The client with this number, to be changed.
    #[inline]
    pub fn get_mut(&mut self, client: u32) -> Option<&mut Client> {
        self.table.get_mut(client as usize)
    }

    /// Has it in the cache soon.
    #[inline]
    pub fn prefetch(&self, client: u32) {
        hugemem::prefetch(self.table, client as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_over_the_end_of_their_count() {
        let mut client = Client::NEW;
        let turn = (1 << 38) - 1000;
        client.begin(turn);
        client.first_sent(Phase::Selecting, turn);
        assert_eq!(client.since_sent(turn + 64_000_000_064), 64_000_000_064);
        client.sent_again(turn + 6400);
        assert_eq!(client.since_sent(turn + 12_800), 6400);
        assert_eq!(client.since_began(turn + 12_800), 12_800);
    }

    #[test]
    fn each_message_sent_again_explains_one_reply() {
        let mut client = Client::NEW;
        client.begin(0);
        client.first_sent(Phase::Selecting, 0);
        assert!(!client.spare_reply());
        client.sent_again(1);
        client.sent_again(2);
        assert_eq!(client.sent_times(), 3);
        client.first_sent(Phase::Requesting, 3);
        assert_eq!(client.sent_times(), 1);
        assert!(client.spare_reply());
        assert!(client.spare_reply());
        assert!(!client.spare_reply());
        for now in 0..100 {
            client.sent_again(now);
        }
        assert_eq!(client.sent_times(), 15);
    }
}
