//! What a run is to do.

use core::net::Ipv4Addr;

use dhcp_wire::ethernet::Mac;

use crate::clients::Nanos;
use crate::identity::{Macs, relay_mac};

/// What an exchange is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// DISCOVER, OFFER; nobody takes the offer.
    Discover,
    /// DISCOVER, OFFER, REQUEST, ACK.
    Dora,
    /// REQUEST from the leased address, ACK.
    Renew,
    /// REQUEST of the remembered address, ACK.
    Reboot,
    /// RELEASE, then as [`Mode::Dora`].
    Release,
    /// Each of the last four: 13 of 20 renew, 3 reboot, 2 begin anew, 2 release.
    Mixed,
    /// DISCOVER, and the same frame comes back: the generator's own ceiling.
    Macswap,
}

impl Mode {
    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Dora => "dora",
            Self::Renew => "renew",
            Self::Reboot => "reboot",
            Self::Release => "release",
            Self::Mixed => "mixed",
            Self::Macswap => "macswap",
        }
    }

    /// Whether all clients obtain a lease first, which is not measured.
    #[must_use]
    pub const fn wants_leases(self) -> bool {
        matches!(
            self,
            Self::Renew | Self::Reboot | Self::Release | Self::Mixed
        )
    }
}

/// When exchanges begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As soon as fewer than these are under way.
    Window(u32),
    /// So many a second, whatever the server does.
    Rate(u64),
}

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// After this time.
    After(Nanos),
    /// When so many exchanges ended, well or not.
    Exchanges(u64),
}

/// The relays between clients and server: client n is behind relay n modulo their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relays {
    /// How many, at least one.
    pub count: u32,
    /// `giaddr` and IP address of the first; the others follow.
    pub base: u32,
    /// Whether they add option 82.
    pub option82: bool,
    /// Where they send to.
    pub server: Ipv4Addr,
}

impl Relays {
    /// Address of the relay that a client is behind.
    #[inline]
    #[must_use]
    pub const fn of(&self, client: u32) -> u32 {
        self.base.wrapping_add(client % self.count)
    }

    /// Hardware address of the relay that has `addr`, if one has.
    #[must_use]
    pub fn mac_of(&self, addr: u32) -> Option<Mac> {
        (addr.wrapping_sub(self.base) < self.count).then(|| relay_mac(addr))
    }
}

/// What replies are held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expect {
    /// First and last address that the server has to give.
    pub range: Option<(u32, u32)>,
    /// Seconds of each lease.
    pub lease_time: Option<u32>,
}

/// When a message is sent again: RFC 2131 §4.1 for Ethernet has 4 s, then each time the double.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The first delay; chance moves each by up to a quarter of this.
    pub first: Nanos,
    /// Times that a message is sent before the exchange is given up, at most 15.
    pub tries: u8,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            first: 4_000_000_000,
            tries: 5,
        }
    }
}

/// What clients do, and with whom.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What an exchange is.
    pub mode: Mode,
    /// What names the order of clients, their hardware addresses and transactions.
    pub seed: u64,
    /// How many clients, at least one and at most [`crate::identity::MOST_CLIENTS`].
    pub clients: u32,
    /// How they get their hardware addresses.
    pub macs: Macs,
    /// What they are behind; None if the server is on their link.
    pub relays: Option<Relays>,
    /// Hardware address of the server, or of the way to it, if it is known.
    pub server_mac: Option<Mac>,
    /// What replies are held against.
    pub expect: Expect,
    /// Octets of a message's frame.
    pub frame_size: usize,
    /// When messages are sent again.
    pub retry: Retry,
    /// Least time between two exchanges of a client that has a lease: servers take what comes too
    /// soon for a repetition.
    pub rest: Nanos,
}

/// When a run begins exchanges, measures and ends.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// When exchanges begin.
    pub pace: Pace,
    /// Time before measuring starts.
    pub warmup: Nanos,
    /// When the run ends.
    pub end: End,
    /// Longest wait for what is under way at the end.
    pub drain: Nanos,
}
