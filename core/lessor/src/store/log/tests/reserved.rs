//! Reservations beside the bindings of the same addresses: neither supersedes the other.

use super::merging::{Kept, options};
use super::power::Dice;
use super::*;

/// What the store was told and has acknowledged.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Truth {
    /// The client of each reserved address.
    reserved: BTreeMap<u32, u8>,
    /// The generation of each address's newest binding.
    bound: BTreeMap<u32, u64>,
}

impl Truth {
    fn of(medium: &MemoryMedium) -> Self {
        let mut truth = Self::default();
        let (recovered, _log) = open(&medium.after_kill()).unwrap();
        let each = recovered.for_each_newest(|_, record| {
            let (addr, client) = (record.addr.to_bits(), record.identity[0]);
            if record.kind == RecordKind::ReservationAdded {
                truth.reserved.insert(addr, client);
            } else if record.kind == RecordKind::ReservationRemoved {
                let gone = truth.reserved.get(&addr) != Some(&client);
                assert!(gone, "one newest record of a reservation");
            } else {
                let twice = truth.bound.insert(addr, record.generation);
                assert_eq!(twice, None, "one binding an address");
            }
        });
        each.unwrap();
        truth
    }

    /// Something new about some address.
    fn next(&mut self, dice: &mut Dice) -> Told {
        let addr = u32::try_from(dice.roll(20)).unwrap();
        let client = u8::try_from(dice.roll(5)).unwrap();
        if dice.roll(3) > 0 {
            let generation = self.bound.get(&addr).map_or(1, |known| known + 1);
            self.bound.insert(addr, generation);
            return active(addr, generation, client);
        }
        let gone = self.reserved.remove(&addr);
        if gone.is_none() {
            self.reserved.insert(addr, client);
        }
        let kind = match gone {
            Some(_) => RecordKind::ReservationRemoved,
            None => RecordKind::ReservationAdded,
        };
        let client = gone.unwrap_or(client);
        Told {
            kind,
            ..active(addr, 0, client)
        }
    }
}

#[test]
fn a_reservation_and_a_binding_of_its_address_outlive_merges_snapshots_kills_and_power_cuts() {
    let mut merges = 0;
    for seed in 1..=20 {
        let mut dice = Dice::new(seed);
        let mut medium = MemoryMedium::default();
        let mut truth = Truth::default();
        for life in 0..6 {
            let mut store = Kept::open(&medium, options(4));
            for _ in 0..dice.roll(80) {
                let told: Vec<_> = (0..=dice.roll(8)).map(|_| truth.next(&mut dice)).collect();
                assert!(commit(&mut store.log, &told));
                for _ in 0..dice.roll(5) {
                    store.house.step();
                }
            }
            merges += store.view().merges;
            match dice.roll(3) {
                0 => store.close(),
                1 => medium = medium.after_kill(),
                _ => medium = medium.after_power_cut(|| dice.toss()),
            }
            assert_eq!(Truth::of(&medium), truth, "seed {seed}, life {life}");
        }
    }
    assert!(merges > 20, "{merges}");
}
