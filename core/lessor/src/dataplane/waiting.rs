//! Packets that wait for the hardware address of their next hop: a few for each, bounded in all,
//! and not for long. Each worker has its own.

use std::collections::VecDeque;
use std::time::Duration;

use dhcp_proto::time::Instant;

use super::neighbors::Key;

/// Most packets that wait at a worker; the pool of buffers counts with them.
pub const MOST_WAITING: usize = 256;
/// Most of them for one next hop: what a relay gets at once when it answers.
pub const MOST_PER_HOP: usize = 8;
/// How long one waits: two requests go unanswered in that time, and the client asks again.
pub const LONGEST_WAIT: Duration = Duration::from_millis(1500);

#[derive(Debug)]
struct Waiter<K> {
    hop: Key,
    until: Instant,
    packet: K,
}

/// The packets of one worker that wait, the oldest first.
#[derive(Debug)]
pub struct Waiting<K> {
    queue: VecDeque<Waiter<K>>, // its capacity never grows
}

impl<K> Default for Waiting<K> {
    fn default() -> Self {
        Self {
            queue: VecDeque::with_capacity(MOST_WAITING),
        }
    }
}

impl<K> Waiting<K> {
    /// Lets `packet` wait for `hop`. Gives back the packet whose place it takes: the oldest for
    /// that hop if there are too many, else the oldest of all.
    #[must_use]
    pub fn push(&mut self, hop: Key, packet: K, now: Instant) -> Option<K> {
        let of_hop = self.queue.iter().filter(|waiter| waiter.hop == hop).count();
        let displaced = if of_hop >= MOST_PER_HOP {
            self.pop(hop)
        } else if self.queue.len() >= MOST_WAITING {
            self.queue.pop_front().map(|waiter| waiter.packet)
        } else {
            None
        };
        let until = now.after(LONGEST_WAIT);
        self.queue.push_back(Waiter { hop, until, packet });
        displaced
    }

    /// The oldest packet for `hop`.
    pub fn pop(&mut self, hop: Key) -> Option<K> {
        let at = self.queue.iter().position(|waiter| waiter.hop == hop)?;
        self.queue.remove(at).map(|waiter| waiter.packet)
    }

    /// The oldest packet that has waited too long.
    pub fn pop_late(&mut self, now: Instant) -> Option<K> {
        self.queue
            .pop_front_if(|waiter| waiter.until <= now)
            .map(|waiter| waiter.packet)
    }

    /// The oldest packet for which `resolved` knows something, with that.
    pub fn pop_resolved<T>(&mut self, resolved: impl Fn(Key) -> Option<T>) -> Option<(Key, T, K)> {
        let find = |(at, waiter): (usize, &Waiter<K>)| Some((at, resolved(waiter.hop)?));
        let (at, found) = self.queue.iter().enumerate().find_map(find)?;
        let waiter = self.queue.remove(at)?;
        Some((waiter.hop, found, waiter.packet))
    }

    /// Packets that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(last: u8) -> Key {
        Key::new(0, (0, 0), [10, 0, 0, last].into())
    }

    #[test]
    fn the_oldest_of_a_hop_makes_room_for_the_newest() {
        let mut waiting = Waiting::default();
        for packet in 0..MOST_PER_HOP {
            assert_eq!(waiting.push(hop(1), packet, Instant(0)), None);
        }
        assert_eq!(waiting.push(hop(2), 100, Instant(0)), None);
        assert_eq!(waiting.push(hop(1), 200, Instant(0)), Some(0));
        assert_eq!(waiting.pop(hop(1)), Some(1));
        assert_eq!(waiting.len(), MOST_PER_HOP);
    }

    #[test]
    fn the_oldest_of_all_makes_room_when_all_places_are_taken() {
        let mut waiting = Waiting::default();
        let hops = (0..64).map(hop).flat_map(|hop| [hop; 4]);
        for (packet, hop) in hops.enumerate() {
            assert_eq!(waiting.push(hop, packet, Instant(0)), None);
        }
        assert_eq!(waiting.len(), MOST_WAITING);
        let capacity = waiting.queue.capacity();
        assert_eq!(waiting.push(hop(99), 999, Instant(0)), Some(0));
        assert_eq!(waiting.queue.capacity(), capacity);
    }

    #[test]
    fn who_waits_too_long_is_given_up_the_oldest_first() {
        let mut waiting = Waiting::default();
        let _ = waiting.push(hop(1), 'a', Instant(0));
        let _ = waiting.push(hop(1), 'b', Instant(100));
        assert_eq!(waiting.pop_late(Instant(1499)), None);
        assert_eq!(waiting.pop_late(Instant(1500)), Some('a'));
        assert_eq!(waiting.pop_late(Instant(1500)), None);
        assert_eq!(waiting.pop_late(Instant(1600)), Some('b'));
    }
}
