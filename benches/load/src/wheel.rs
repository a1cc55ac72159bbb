//! When a client repeats its message: a wheel of slots whose clients are linked through the table.
//!
//! A client is put in with the shortest delay that its message can have, not the one that chance
//! gives it. So neighbours in a slot were sent one after the other, are answered one after the
//! other, and to take one out touches what is in the cache. Those few that are not answered are
//! put in again with the rest of their delay.

use crate::clients::{Clients, Links, Nanos};

/// Slots. A first delay takes 128 to 256 of them, so that the wheel holds 32 of these at least.
const SLOTS: u32 = 1 << 13;
const LEAST_SLOTS_A_UNIT: u64 = 1 << 7;

/// Marks a link to a slot, where one to a client is meant otherwise.
const SLOT: u32 = 1 << 31;

/// A wheel of timers, at most one a client.
#[derive(Debug)]
pub struct Wheel {
    /// First client of each slot.
    heads: Vec<u32>,
    /// A slot is as wide as two to this.
    shift: u32,
    /// The slot that is fired next, counted from the beginning of time.
    turn: u64,
    armed: u32,
}

impl Wheel {
    /// A wheel for delays whose shortest is `unit` and whose longest is 31 times that.
    #[must_use]
    pub fn new(unit: Nanos) -> Self {
        Self {
            heads: vec![Links::NONE; SLOTS as usize],
            shift: (unit / LEAST_SLOTS_A_UNIT).max(1).ilog2(),
            turn: 0,
            armed: 0,
        }
    }

    /// Clients with a timer.
    #[must_use]
    pub const fn armed(&self) -> u32 {
        self.armed
    }

    /// Fires the timer of `client`, which has none, `delay` from now; later by up to two slots.
    #[inline]
    pub fn arm(&mut self, clients: &mut Clients, client: u32, now: Nanos, delay: Nanos) {
        if self.armed == 0 {
            self.turn = self.turn.max(now >> self.shift);
        }
        let turn = (((now + delay) >> self.shift) + 1).max(self.turn);
        let turn = turn.min(self.turn + u64::from(SLOTS) - 1);
        let slot = slot_of(turn);
        let Some(head) = self.heads.get_mut(slot as usize) else {
            return;
        };
        let links = Links {
            previous: SLOT | slot,
            next: *head,
        };
        let Some(place) = clients.get_mut(client) else {
            return;
        };
        place.links = links;
        *head = client;
        if let Some(next) = clients.get_mut(links.next) {
            next.links.previous = client;
        }
        self.armed += 1;
    }

    /// Takes the timer of `client` away, if it has one.
    #[inline]
    pub fn disarm(&mut self, clients: &mut Clients, client: u32) {
        let Some(place) = clients.get_mut(client) else {
            return;
        };
        let links = core::mem::replace(&mut place.links, Links::OUT);
        if links == Links::OUT {
            return;
        }
        self.armed -= 1;
        if links.previous & SLOT != 0 {
            if let Some(head) = self.heads.get_mut((links.previous & !SLOT) as usize) {
                *head = links.next;
            }
        } else if let Some(previous) = clients.get_mut(links.previous) {
            previous.links.next = links.next;
        }
        if let Some(next) = clients.get_mut(links.next) {
            next.links.previous = links.previous;
        }
    }

    /// Takes out a client whose time has come by `now`; None if there is no such.
    #[inline]
    pub fn fire(&mut self, clients: &mut Clients, now: Nanos) -> Option<u32> {
        let present = now >> self.shift;
        loop {
            let head = *self.heads.get(slot_of(self.turn) as usize)?;
            if head != Links::NONE && self.turn <= present {
                self.disarm(clients, head);
                return Some(head);
            }
            if self.turn >= present {
                return None;
            }
            self.turn = if self.armed == 0 {
                present
            } else {
                self.turn + 1
            };
        }
    }
}

#[inline]
fn slot_of(turn: u64) -> u32 {
    u32::try_from(turn % u64::from(SLOTS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: Nanos = 4_000_000_000;
    const WIDTH: Nanos = UNIT / LEAST_SLOTS_A_UNIT;

    fn fired(wheel: &mut Wheel, clients: &mut Clients, now: Nanos) -> Vec<u32> {
        let mut fired: Vec<u32> = core::iter::from_fn(|| wheel.fire(clients, now)).collect();
        fired.sort_unstable();
        fired
    }

    #[test]
    fn each_client_fires_once_and_in_time() {
        let mut clients = Clients::new(100).unwrap();
        let mut wheel = Wheel::new(UNIT);
        for client in 0..100 {
            wheel.arm(&mut clients, client, 0, u64::from(client) * 1_000_000_000);
        }
        for second in 0..100 {
            let early = fired(&mut wheel, &mut clients, second * 1_000_000_000);
            assert_eq!(early, [] as [u32; 0]);
            let late = second * 1_000_000_000 + 2 * WIDTH;
            assert_eq!(
                fired(&mut wheel, &mut clients, late),
                [u32::try_from(second).unwrap()]
            );
        }
        assert_eq!(wheel.armed(), 0);
    }

    #[test]
    fn who_is_taken_out_does_not_fire() {
        let mut clients = Clients::new(10).unwrap();
        let mut wheel = Wheel::new(UNIT);
        for client in 0..10 {
            wheel.arm(&mut clients, client, 5, UNIT);
        }
        // The first, the last and one between them of one slot, and one twice.
        for client in [9, 0, 4, 4] {
            wheel.disarm(&mut clients, client);
        }
        assert_eq!(wheel.armed(), 7);
        assert_eq!(
            fired(&mut wheel, &mut clients, 2 * UNIT),
            [1, 2, 3, 5, 6, 7, 8]
        );
    }

    #[test]
    fn a_long_pause_fires_all_that_was_due() {
        let mut clients = Clients::new(3).unwrap();
        let mut wheel = Wheel::new(UNIT);
        for (client, delay) in [(0, UNIT), (1, 31 * UNIT), (2, 1000 * UNIT)] {
            wheel.arm(&mut clients, client, 0, delay);
        }
        assert_eq!(fired(&mut wheel, &mut clients, 40 * UNIT), [0, 1, 2]);
        // One of delays beyond the wheel fires early, and who armed it looks at its time anyway.
        wheel.arm(&mut clients, 1, 1000 * UNIT, UNIT);
        assert_eq!(fired(&mut wheel, &mut clients, 1000 * UNIT), [] as [u32; 0]);
        assert_eq!(fired(&mut wheel, &mut clients, 1002 * UNIT), [1]);
    }
}
