//! The knobs of a network, named as in the file; each says the row or section it obeys.

use crate::limit::Rates;
use crate::time::INFINITE;
use core::time::Duration;

/// A point of a lease's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A share of the lease, in 1/1000.
    PerMille(u16),
    /// Seconds from its start.
    Seconds(u32),
}

impl Mark {
    /// Seconds from the start of a lease of `lease` seconds, rounded down.
    #[must_use]
    pub fn of(self, lease: u32) -> u32 {
        match self {
            Self::PerMille(share) => {
                u32::try_from(u64::from(lease) * u64::from(share) / 1000).unwrap_or(lease)
            }
            Self::Seconds(seconds) => seconds,
        }
    }
}

/// Lease times of a subnet, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Shortest lease a client may wish for.
    pub min: u32,
    /// Lease of a client that wishes nothing.
    pub default: u32,
    /// Longest lease a client may wish for.
    pub max: u32,
    /// Option 58, RFC 2131 §4.4.5.
    pub t1: Mark,
    /// Option 59.
    pub t2: Mark,
    /// T1 and T2 are spread by up to this share of the lease, in 1/1000, earlier; 0 is off (C75).
    pub fuzz: u16,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            min: 60,
            default: 3600,
            max: 86_400,
            t1: Mark::PerMille(500),
            t2: Mark::PerMille(875),
            fuzz: 0,
        }
    }
}

impl LeaseTimes {
    /// The lease for a client that wishes `wish` seconds (option 51); 0 counts as no wish (C36).
    #[must_use]
    pub fn granted(&self, wish: Option<u32>) -> u32 {
        match wish {
            None | Some(0) => self.default,
            Some(wish) => wish.max(self.min).min(self.max),
        }
    }

    /// T1 and T2 for a lease with `lease` seconds left, moved earlier by at most the fuzz: `spread`
    /// is any number. `None` where both are left out: leases under 4 s and endless ones (C75).
    #[must_use]
    pub fn renewal(&self, lease: u32, spread: u32) -> Option<(u32, u32)> {
        if lease < 4 || lease == INFINITE {
            return None;
        }
        let most = Mark::PerMille(self.fuzz).of(lease);
        let earlier = if most == 0 { 0 } else { spread % most };
        let t2 = self
            .t2
            .of(lease)
            .clamp(2, lease - 1)
            .saturating_sub(earlier)
            .max(2);
        let t1 = self
            .t1
            .of(lease)
            .min(t2)
            .saturating_sub(earlier)
            .clamp(1, t2 - 1);
        Some((t1, t2))
    }
}

/// Where the ACK to an INFORM goes when a relay is on its way (C67).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InformReply {
    /// To ciaddr, RFC 2131 §4.3.5.
    #[default]
    Ciaddr,
    /// To giaddr, for a server without a route to subscribers.
    Giaddr,
}

/// What becomes of a NAK to a client behind routers (C146).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RoutedNak {
    /// Unicast to ciaddr: the broadcast of RFC 2131 §4.1 cannot reach it.
    #[default]
    Unicast,
    /// Not sent.
    Silent,
}

/// What a client gets that shows up behind another relay or circuit of its network (C173).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMove {
    /// Its binding, which moves along.
    #[default]
    Follow,
    /// Nothing, as long as it has a lease where it was.
    Deny,
    /// A binding of its own: on each circuit it is another client.
    Separate,
}

/// When a client whose reservation is another address than its lease gets it (C182).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReservationMoves {
    /// At its next DISCOVER; until then its lease is renewed.
    #[default]
    Discover,
    /// At its next REQUEST, which gets a NAK if the reserved address can be had.
    Nak,
}

/// The knobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a knob of the file, by its name"
)]
pub struct Rules {
    /// INIT-REBOOT or REBINDING with an address of another network gets a NAK (C47, C55).
    pub nak_wrong_network: bool,
    /// INIT-REBOOT of a client without a record gets a NAK: for a sole server (C49).
    pub nak_unknown: bool,
    /// A renewal of an unknown client for a free address is granted (C152).
    pub adopt: bool,
    /// An OFFER for a current binding states the time left (C36).
    pub discover_keeps_expiry: bool,
    /// A renewal extends the lease; otherwise its ACK states the time left (C53).
    pub extend: bool,
    /// DECLINE and RELEASE without option 54 are dropped (C62, C65).
    pub strict_table5: bool,
    /// A RELEASE from another source address than ciaddr is dropped (C66).
    pub strict_source: bool,
    /// A RELEASE from another circuit, port or VLAN than the binding's is refused (C66).
    pub release_from_elsewhere: bool,
    /// hops is echoed rather than 0 (C18).
    pub echo_hops: bool,
    /// Where the ACK to a relayed INFORM goes (C67).
    pub inform_reply: InformReply,
    /// What becomes of a NAK behind routers (C146).
    pub nak_routed: RoutedNak,
    /// What a moved client gets (C173).
    pub on_move: OnMove,
    /// Whole seconds that a client that DISCOVERs has to have waited (C187); of a second server.
    pub min_secs: u16,
    /// A renewal within this share of a lease, in 1/1000, is told the time left, without a record;
    /// 0 is off.
    pub cache_threshold: u16,
    /// Seconds that a lease that has ended is remembered for its client, if nobody else needs the
    /// address.
    pub affinity: u32,
    /// When a client moves to its reservation (C182).
    pub reservation_moves: ReservationMoves,
    /// How long an offered address waits for its client.
    pub offer_hold: Duration,
    /// How long an expired address is given to nobody else (C171).
    pub grace: Duration,
    /// How long a declined address is set aside (C60).
    pub probation: Duration,
    /// Most addresses a client may have in probation (C170).
    pub max_declines: u8,
    /// Largest reply, IP header included (C86).
    pub max_reply: u16,
    /// How many DISCOVERs are answered.
    pub rates: Rates,
}

/// Seconds for which an expired address is kept from others at least: how far the wall clock is
/// ahead is known in whole seconds, so a record may state the end of a lease almost a second early.
const LEAST_GRACE: u32 = 1;

impl Rules {
    /// Seconds for which an expired address is given to nobody else (C171).
    #[must_use]
    pub fn grace_secs(&self) -> u32 {
        let grace = u32::try_from(self.grace.as_secs()).unwrap_or(u32::MAX);
        grace.max(LEAST_GRACE)
    }
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            nak_wrong_network: true,
            nak_unknown: false,
            adopt: false,
            discover_keeps_expiry: false,
            extend: true,
            strict_table5: false,
            strict_source: false,
            release_from_elsewhere: false,
            echo_hops: false,
            inform_reply: InformReply::Ciaddr,
            nak_routed: RoutedNak::Unicast,
            on_move: OnMove::Follow,
            min_secs: 0,
            cache_threshold: 0,
            affinity: INFINITE,
            reservation_moves: ReservationMoves::Discover,
            offer_hold: Duration::from_mins(1),
            grace: Duration::from_secs(30),
            probation: Duration::from_hours(24),
            max_declines: 5,
            max_reply: 1500,
            rates: Rates::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c075_t1_precedes_t2_precedes_the_lease_in_whole_seconds() {
        let times = LeaseTimes::default();
        assert_eq!(times.renewal(3600, 0), Some((1800, 3150)));
        assert_eq!(times.renewal(7, 0), Some((3, 6)));
        for lease in 4..2000 {
            for fuzz in [0, 1, 100, 999] {
                for spread in [0, 7, 1_000_000_007] {
                    let times = LeaseTimes { fuzz, ..times };
                    let (t1, t2) = times.renewal(lease, spread).unwrap();
                    assert!(0 < t1 && t1 < t2 && t2 < lease, "{lease}: {t1} {t2}");
                }
            }
        }
    }

    #[test]
    fn c075_t1_and_t2_are_left_out_of_short_and_endless_leases() {
        for lease in [0, 1, 3, INFINITE] {
            assert_eq!(LeaseTimes::default().renewal(lease, 0), None);
        }
    }

    #[test]
    fn c036_a_wish_is_bounded_and_a_wish_of_zero_is_none() {
        let times = LeaseTimes::default();
        assert_eq!(times.granted(None), 3600);
        assert_eq!(times.granted(Some(0)), 3600);
        assert_eq!(times.granted(Some(1)), 60);
        assert_eq!(times.granted(Some(7200)), 7200);
        assert_eq!(times.granted(Some(INFINITE)), 86_400);
    }
}
