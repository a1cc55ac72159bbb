//! Addresses on offer: none is offered to two clients at once.

use super::client::Millis;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// An offer is not cut sooner than two seconds after it was made (`design.md` §3), and it leaves
/// within one: its next hop may be unknown yet.
const KEPT: Millis = 1000;

/// Who was offered what, and when.
#[derive(Debug, Default)]
pub(super) struct Offers {
    of: BTreeMap<Ipv4Addr, (u32, Millis)>,
}

impl Offers {
    /// `client` is offered `addr`; who else still is, if anybody.
    pub(super) fn note(&mut self, addr: Ipv4Addr, client: u32, now: Millis) -> Option<u32> {
        // Another offer takes the place of the one before.
        self.of
            .retain(|other, (of, at)| (*of != client || *other == addr) && *at + KEPT > now);
        let before = self.of.insert(addr, (client, now));
        before.map(|(of, _)| of).filter(|of| *of != client)
    }

    /// The address is a lease, or kept for somebody.
    pub(super) fn end(&mut self, addr: Ipv4Addr) {
        self.of.remove(&addr);
    }

    /// A start knows of none.
    pub(super) fn clear(&mut self) {
        self.of.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 11);

    #[test]
    fn an_address_is_not_offered_to_two_clients_at_once() {
        let mut offers = Offers::default();
        assert_eq!(offers.note(ADDR, 1, 5000), None);
        assert_eq!(offers.note(ADDR, 1, 5100), None);
        assert_eq!(offers.note(ADDR, 2, 5200), Some(1));
        assert_eq!(offers.note(OTHER, 3, 5300), None);
    }

    #[test]
    fn an_offer_ends_by_its_time_another_offer_a_lease_or_a_start() {
        let mut offers = Offers::default();
        offers.note(ADDR, 1, 5000);
        assert_eq!(offers.note(ADDR, 2, 5000 + KEPT), None);
        offers.note(OTHER, 2, 6100);
        assert_eq!(offers.note(ADDR, 3, 6200), None);
        offers.end(ADDR);
        assert_eq!(offers.note(ADDR, 4, 6300), None);
        offers.clear();
        assert_eq!(offers.note(ADDR, 5, 6400), None);
    }
}
