//! Reservations made and taken away while the server runs: what was answered with success is in
//! force and on disk.

use super::client::Millis;
use super::scenario;
use super::world::World;
use dhcp_proto::address::Space;
use lessor::appliance::reservations::Keeper;
use lessor::config::ClientText;
use lessor::control::{ReservationOutcome, ReservationPage, Source};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Steps that whoever asks waits.
const WAITS: u32 = 60;
/// What was decided before may leave as much later.
const ON_ITS_WAY: Millis = 4000;

/// What is known of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// In force at all workers since then, and on disk.
    Made(Millis),
    Gone,
    /// There was no answer, or one that says so.
    Unknown,
}

/// All that were ever asked for, each with its device.
#[derive(Debug, Default)]
pub(super) struct Office {
    of: BTreeMap<Ipv4Addr, (u32, Known)>,
    pub(super) made: u64,
    pub(super) removed: u64,
}

impl Office {
    /// The device that the address is or was kept for.
    pub(super) fn ever(&self, addr: Ipv4Addr) -> Option<u32> {
        self.of.get(&addr).map(|(device, _)| *device)
    }

    /// The device that the address is kept for, as every reply must know by now.
    fn kept(&self, addr: Ipv4Addr, now: Millis) -> Option<u32> {
        let (device, known) = self.of.get(&addr)?;
        match known {
            Known::Made(since) => (since + ON_ITS_WAY < now).then_some(*device),
            Known::Gone | Known::Unknown => None,
        }
    }

    fn has(&self, device: u32) -> bool {
        self.of.values().any(|(of, _)| *of == device)
    }

    /// A start has found these.
    fn compare(&mut self, found: &BTreeMap<Ipv4Addr, ClientText>, now: Millis) {
        for (addr, (device, known)) in &mut self.of {
            let there = found.get(addr);
            match known {
                Known::Made(_) => {
                    assert_eq!(there, Some(&text(*device)), "the reservation of {addr}");
                }
                Known::Gone => assert_eq!(there, None, "{addr} is reserved again"),
                Known::Unknown if there.is_some() => *known = Known::Made(now),
                Known::Unknown => *known = Known::Gone,
            }
        }
        let asked = found.keys().all(|addr| self.of.contains_key(addr));
        assert!(asked, "nobody has asked for all of {found:?}");
    }
}

/// A device as reservations know it.
fn text(device: u32) -> ClientText {
    ClientText {
        hw_address: Some(scenario::written(scenario::mac(device))),
        ..ClientText::default()
    }
}

impl World {
    /// The device that an address is kept for, by the file or by an operator.
    pub(super) fn kept_for(&self, addr: Ipv4Addr) -> Option<u32> {
        let of_file = self.scenario.reserved.get(&addr).copied();
        of_file.or_else(|| self.office.kept(addr, self.clocks.now))
    }

    /// The device that an address is kept for, or was.
    pub(super) fn ever_kept_for(&self, addr: Ipv4Addr) -> Option<u32> {
        let of_file = self.scenario.reserved.get(&addr).copied();
        of_file.or_else(|| self.office.ever(addr))
    }

    /// Whether an address is kept for a device, or was.
    pub(super) fn is_reserved(&self, addr: Ipv4Addr) -> bool {
        self.ever_kept_for(addr).is_some()
    }

    /// Whether an address is or was kept for the device.
    pub(super) fn has_reservation(&self, device: u32) -> bool {
        let mut of_file = self.scenario.reserved.values();
        of_file.any(|of| *of == device) || self.office.has(device)
    }

    /// A client of `device` asks for an address: what is reserved for the device passes to it, and
    /// it may be that no OFFER says so.
    pub(super) fn pass_on_reserved(&mut self, (client, device): (u32, u32)) {
        let of_file = self.scenario.reserved.iter();
        let made = self.office.of.iter().map(|(addr, (of, _))| (addr, of));
        let mut all = of_file.chain(made);
        let found = all.find(|(_, of)| **of == device).map(|(addr, _)| *addr);
        if let Some(addr) = found {
            let now = self.clocks.now;
            self.beliefs.pass_on(addr, (client, device), now);
        }
    }

    /// Somebody reserves an address, or takes that back.
    pub(super) fn change_reservations(&mut self) {
        let made = self.office.of.iter();
        let made = made.filter(|(_, (_, known))| matches!(known, Known::Made(_)));
        let made: Vec<_> = made.map(|(addr, (device, _))| (*addr, *device)).collect();
        if !made.is_empty() && self.dice.one_in(2) {
            let (addr, device) = self.dice.pick(&made);
            return self.ask_office(addr, (device, Known::Gone));
        }
        let client = self.dice.index(self.clients.len());
        let nature = &self.clients[client].nature;
        let (device, home) = (nature.device, &self.scenario.homes[nature.home]);
        let subnet = &self.scenario.subnets[home.first_subnet()];
        let addr = subnet.addresses().nth(client % subnet.len());
        let addr = addr.filter(|addr| !self.is_reserved(*addr));
        if let Some(addr) = addr
            && !home.by_circuit
            && !self.has_reservation(device)
        {
            self.ask_office(addr, (device, Known::Made(0)));
        }
    }

    /// Asks for a reservation, or for its end, while the world goes on.
    fn ask_office(&mut self, addr: Ipv4Addr, (device, wish): (u32, Known)) {
        let Some(server) = &self.server else { return };
        let keeper = Arc::clone(&server.keeper);
        self.office.of.insert(addr, (device, Known::Unknown));
        let mut waits = WAITS;
        let place = (Space(0), addr);
        let outcome = {
            let mut patience = |_| {
                self.go_on();
                waits -= 1;
                waits > 0 && self.server.is_some()
            };
            match wish {
                Known::Made(_) => keeper.add_while(place, &text(device), &mut patience),
                Known::Gone | Known::Unknown => keeper.remove_while(place, &mut patience),
            }
        };
        let now = self.clocks.now;
        self.trace.line(
            now,
            format_args!("{addr} for device {device}, {wish:?}: {outcome:?}"),
        );
        let known = match (outcome, wish) {
            (ReservationOutcome::Done { .. }, Known::Made(_)) => {
                self.office.made += 1;
                Known::Made(now)
            }
            (ReservationOutcome::Done { .. }, Known::Gone | Known::Unknown) => {
                self.office.removed += 1;
                Known::Gone
            }
            (_, _) => Known::Unknown,
        };
        self.office.of.insert(addr, (device, known));
        if known != Known::Unknown && self.dice.one_in(4) {
            // It holds from the answer on.
            self.end();
        }
    }

    /// What a start has found of reservations.
    pub(super) fn check_office(&mut self) {
        let Some(server) = &self.server else { return };
        let found = made_at_run_time(&server.keeper);
        self.office.compare(&found, self.clocks.now);
    }
}

/// All reservations but those of the file.
fn made_at_run_time(keeper: &Keeper) -> BTreeMap<Ipv4Addr, ClientText> {
    let mut page = ReservationPage {
        source: Some(Source::Runtime),
        ..ReservationPage::default()
    };
    let mut found = BTreeMap::new();
    loop {
        let rows = keeper.page(&page);
        let Some(last) = rows.last() else {
            return found;
        };
        page.after = Some((last.space, last.address));
        found.extend(rows.into_iter().map(|row| (row.address, row.client)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);

    fn office(known: Known) -> Office {
        let of = BTreeMap::from([(ADDR, (7, known))]);
        Office {
            of,
            ..Office::default()
        }
    }

    #[test]
    #[should_panic(expected = "the reservation of 10.0.1.10")]
    fn a_reservation_that_a_start_does_not_find_is_missed() {
        office(Known::Made(0)).compare(&BTreeMap::new(), 0);
    }

    #[test]
    #[should_panic(expected = "reserved again")]
    fn a_reservation_that_was_removed_does_not_come_back() {
        office(Known::Gone).compare(&BTreeMap::from([(ADDR, text(7))]), 0);
    }

    #[test]
    fn without_an_answer_either_may_be() {
        for (found, kept) in [(BTreeMap::new(), None), ([(ADDR, text(7))].into(), Some(7))] {
            let mut office = office(Known::Unknown);
            assert_eq!(office.kept(ADDR, 99_000), None);
            office.compare(&found, 10_000);
            assert_eq!(office.kept(ADDR, 99_000), kept);
        }
    }
}
