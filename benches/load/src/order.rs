//! In what order clients take their turns.

use crate::scramble::Scramble;

/// The endless order of turns: each client once, then all again in the same order.
#[derive(Debug, Clone)]
pub struct Order {
    scramble: Scramble,
    clients: u32,
    next: u64,
}

impl Order {
    /// The order of `clients`, at least one, that `seed` names.
    #[must_use]
    pub fn new(clients: u32, seed: u64) -> Self {
        let bits = u32::BITS - clients.saturating_sub(1).leading_zeros();
        Self {
            scramble: Scramble::new(bits.max(1), seed),
            clients: clients.max(1),
            next: 0,
        }
    }
}

impl Iterator for Order {
    type Item = u32;

    /// The client whose turn it is.
    #[inline]
    fn next(&mut self) -> Option<u32> {
        loop {
            let place = self.scramble.forth(self.next);
            self.next = (self.next + 1) & self.scramble.last();
            match u32::try_from(place) {
                Ok(client) if client < self.clients => return Some(client),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_order_of_clients() {
        let order = |seed| Order::new(10_007, seed).take(25_000).collect::<Vec<u32>>();
        assert_eq!(order(42), order(42));
        assert_ne!(order(42), order(43));
    }

    #[test]
    fn every_client_has_one_turn_in_each_round() {
        for clients in [1, 2, 3, 5, 64, 1000, 4097] {
            let turns: Vec<u32> = Order::new(clients, 9).take(2 * clients as usize).collect();
            let (first, second) = turns.split_at(clients as usize);
            assert_eq!(first, second);
            let mut sorted = first.to_vec();
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..clients), "{clients} clients");
        }
    }
}
