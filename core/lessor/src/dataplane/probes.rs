//! The probes of one worker that wait for an answer, each with the DISCOVER that waits for it.
//!
//! All places are made at the start. A probe is found by its address, for answers and for repeated
//! DISCOVERs, and ends in the order of its time.

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::server::Probe;
use dhcp_proto::time::Instant;
use dhcp_wire::ethernet::Tags;

use super::neighbors::Key;

/// Addresses that one DISCOVER is probed for before it is given up: the client asks again.
pub const MOST_TRIES: u8 = 16;

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// A DISCOVER that waits.
#[derive(Debug)]
pub struct Waiting<K> {
    /// The frame as it was received.
    pub packet: K,
    /// Number of the port.
    pub port: u8,
    /// Addresses that were found in use for it.
    pub tries: u8,
}

/// Where a probe goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// The address itself, or the router towards it.
    pub hop: Key,
    /// The tags of the link.
    pub tags: Tags,
    /// Our address on it.
    pub source: Ipv4Addr,
    /// Whether the address is on the link itself.
    pub on_link: bool,
}

/// One probe.
#[derive(Debug)]
pub struct Entry<K> {
    /// What is asked.
    pub probe: Probe,
    /// Who waits; nobody if another worker asked (C177).
    pub waiting: Option<Waiting<K>>,
    /// Where the question goes.
    pub way: Way,
    /// Whether it has left.
    pub sent: bool,
    /// Whether an echo has followed the ARP that found its station.
    pub echoed: bool,
    /// When it ends.
    pub ends: Instant,
    next: u32,
}

impl<K> Entry<K> {
    /// A probe that is not sent yet.
    pub fn new(probe: Probe, waiting: Option<Waiting<K>>, way: Way, now: Instant) -> Self {
        Self {
            ends: Instant(now.0.saturating_add(probe.wait.into())),
            probe,
            waiting,
            way,
            sent: false,
            echoed: false,
            next: NONE,
        }
    }
}

/// A place of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(u32);

/// The probes of one worker.
#[derive(Debug)]
pub struct Probes<K> {
    places: Vec<Option<Entry<K>>>, // made at the start
    free: Vec<u32>,                // its capacity never grows
    /// First entry of each chain, by the hash of the address.
    heads: Vec<u32>,
    /// When each ends, the earliest first.
    order: VecDeque<(Instant, u32)>, // its capacity never grows
    /// Those that could not be sent yet.
    unsent: VecDeque<u32>, // its capacity never grows
}

impl<K> Probes<K> {
    /// Room for `most` probes.
    #[must_use]
    pub fn new(most: u32) -> Self {
        let len = most as usize;
        Self {
            places: (0..len).map(|_| None).collect(),
            free: (0..most).rev().collect(),
            heads: vec![NONE; (2 * len).next_power_of_two()],
            order: VecDeque::with_capacity(len),
            unsent: VecDeque::with_capacity(len),
        }
    }

    /// Probes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none waits.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The probe of an address.
    #[must_use]
    pub fn find(&self, space: Space, addr: Ipv4Addr) -> Option<At> {
        let mut at = *self.heads.get(self.home(space, addr))?;
        while let Some(entry) = self.get(At(at)) {
            if (entry.probe.space, entry.probe.addr) == (space, addr) {
                return Some(At(at));
            }
            at = entry.next;
        }
        None
    }

    /// The entry at a place.
    #[must_use]
    pub fn get(&self, at: At) -> Option<&Entry<K>> {
        self.places.get(at.0 as usize)?.as_ref()
    }

    /// The entry at a place, to be changed in all but its address and its end.
    pub fn get_mut(&mut self, at: At) -> Option<&mut Entry<K>> {
        self.places.get_mut(at.0 as usize)?.as_mut()
    }

    /// Adds a probe of an address that has none.
    ///
    /// # Errors
    ///
    /// The entry, if there is no room.
    #[allow(
        clippy::result_large_err,
        reason = "the packet path allocates nothing; the entry goes back"
    )]
    pub fn add(&mut self, mut entry: Entry<K>) -> Result<At, Entry<K>> {
        let home = self.home(entry.probe.space, entry.probe.addr);
        let Some(at) = self.free.pop() else {
            return Err(entry);
        };
        let later = self.order.partition_point(|(ends, _)| *ends <= entry.ends);
        self.order.insert(later, (entry.ends, at));
        if let Some(head) = self.heads.get_mut(home) {
            entry.next = *head;
            *head = at;
        }
        if let Some(place) = self.places.get_mut(at as usize) {
            *place = Some(entry);
        }
        Ok(At(at))
    }

    /// Takes a probe out.
    pub fn take(&mut self, at: At) -> Option<Entry<K>> {
        let entry = self.places.get_mut(at.0 as usize)?.take()?;
        self.unchain(at, &entry);
        let first = self.order.partition_point(|(ends, _)| *ends < entry.ends);
        let mut same = self.order.range(first..);
        if let Some(behind) = same.position(|(_, other)| *other == at.0) {
            self.order.remove(first.saturating_add(behind));
        }
        self.free.push(at.0);
        Some(entry)
    }

    fn unchain(&mut self, at: At, entry: &Entry<K>) {
        let home = self.home(entry.probe.space, entry.probe.addr);
        let Some(head) = self.heads.get_mut(home) else {
            return;
        };
        if *head == at.0 {
            *head = entry.next;
            return;
        }
        let mut before = At(*head);
        while let Some(other) = self.get_mut(before) {
            if other.next == at.0 {
                other.next = entry.next;
                return;
            }
            before = At(other.next);
        }
    }

    /// Takes out the probe that ends first, if its time is over.
    pub fn take_due(&mut self, now: Instant) -> Option<Entry<K>> {
        let &(ends, at) = self.order.front()?;
        (ends <= now).then(|| self.take(At(at))).flatten()
    }

    /// Has a probe tried again that could not be sent; without room for that it is not.
    pub fn put_off(&mut self, at: At) {
        if self.unsent.len() < self.places.len() {
            self.unsent.push_back(at.0);
        }
    }

    /// How many are to be tried again.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// The next one to be tried again; it may be over by now, or another.
    pub fn next_unsent(&mut self) -> Option<At> {
        self.unsent.pop_front().map(At)
    }

    /// The chain of an address: Fibonacci hashing, since addresses are the operator's choice.
    fn home(&self, space: Space, addr: Ipv4Addr) -> usize {
        let key = u64::from(space.0) << 32 | u64::from(addr.to_bits());
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        usize::try_from(hash).unwrap_or(0) & self.heads.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_proto::config::ProbeBy;
    use dhcp_proto::rule::Rule;
    use std::collections::BTreeMap;

    fn entry(addr: u32, wait: u16, now: u64) -> Entry<u32> {
        let addr = Ipv4Addr::from_bits(addr);
        let probe = Probe {
            space: Space(0),
            addr,
            generation: 1,
            by: ProbeBy::Auto,
            wait,
            relay: Ipv4Addr::UNSPECIFIED,
            aside: false,
            rule: Rule::New,
        };
        let way = Way {
            hop: Key::new(0, (0, 0), addr),
            tags: Tags::default(),
            source: addr,
            on_link: true,
        };
        let waiting = Waiting {
            packet: addr.to_bits(),
            port: 0,
            tries: 0,
        };
        Entry::new(probe, Some(waiting), way, Instant(now))
    }

    fn addr(entry: &Entry<u32>) -> u32 {
        entry.probe.addr.to_bits()
    }

    #[test]
    fn probes_end_in_the_order_of_their_time() {
        let mut probes = Probes::new(4);
        for (addr, wait) in [(1, 500), (2, 100), (3, 500), (4, 300)] {
            probes.add(entry(addr, wait, 1000)).unwrap();
        }
        assert!(probes.take_due(Instant(1099)).is_none());
        let due = |probes: &mut Probes<u32>, now| probes.take_due(Instant(now)).as_ref().map(addr);
        assert_eq!(due(&mut probes, 1100), Some(2));
        assert_eq!(due(&mut probes, 1100), None);
        let rest: Vec<_> = (0..4).map(|_| due(&mut probes, 9999)).collect();
        assert_eq!(rest, [Some(4), Some(1), Some(3), None]);
        assert!(probes.is_empty());
    }

    #[test]
    fn one_more_than_fits_comes_back() {
        let mut probes = Probes::new(2);
        probes.add(entry(1, 1, 0)).unwrap();
        probes.add(entry(2, 1, 0)).unwrap();
        assert_eq!(addr(&probes.add(entry(3, 1, 0)).unwrap_err()), 3);
        let mut none = Probes::new(0);
        assert!(none.find(Space(0), Ipv4Addr::LOCALHOST).is_none());
        assert!(none.add(entry(1, 1, 0)).is_err());
    }

    #[test]
    fn what_could_not_be_sent_is_remembered_as_often_as_there_are_places() {
        let mut probes = Probes::new(2);
        let at = probes.add(entry(1, 1, 0)).unwrap();
        for _ in 0..3 {
            probes.put_off(at);
        }
        assert_eq!(probes.unsent(), 2);
        assert_eq!(probes.next_unsent(), Some(at));
    }

    #[test]
    fn the_table_does_what_a_map_does_and_its_memory_never_grows() {
        let mut probes = Probes::new(64);
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut seed = 7_u64;
        let mut roll = |sides: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % sides
        };
        let sizes = (probes.order.capacity(), probes.free.capacity());
        for now in 0..20_000 {
            // Addresses far apart, so that some share a chain.
            let address = u32::try_from(roll(100) << 20).unwrap();
            let found = probes.find(Space(0), Ipv4Addr::from_bits(address));
            assert_eq!(found.is_some(), model.contains_key(&address));
            match (found, roll(3)) {
                (Some(at), 0) => {
                    assert_eq!(probes.take(at).as_ref().map(addr), Some(address));
                    model.remove(&address);
                }
                (None, _) => {
                    let wait = u16::try_from(roll(200)).unwrap();
                    let room = model.len() < 64;
                    assert_eq!(probes.add(entry(address, wait, now)).is_ok(), room);
                    if room {
                        model.insert(address, now + u64::from(wait));
                    }
                }
                (Some(_), _) => {}
            }
            if now % 7 == 0 {
                while let Some(over) = probes.take_due(Instant(now)) {
                    let ends = model.remove(&addr(&over)).unwrap();
                    assert!(ends <= now && over.ends == Instant(ends));
                }
                assert!(model.values().all(|ends| *ends > now));
            }
            assert_eq!(probes.len(), model.len());
        }
        assert_eq!(sizes, (probes.order.capacity(), probes.free.capacity()));
    }
}
