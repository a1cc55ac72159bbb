//! From worker to worker: messages for the one that owns the client, and questions to the one that
//! has an address.
//!
//! Each ordered pair of workers has a ring with one producer and one consumer. A message goes the
//! same way each time, so that those of one client stay in order. What is full is not waited for:
//! the packet is dropped and counted, and the client asks again; what is worth least is dropped
//! before the ring is full ([`overload`]).
//!
//! Only the packet and the number of its port travel. What the device said of the frame (a tag
//! taken off, checksums) is in the packet; the owner reads the message itself, by the configuration
//! that it has, and spares itself the checksums.

use std::time::Duration;

use dhcp_proto::record::fill_of;
use dhcp_proto::server::{Ask, Rank, Seek};
use dhcp_proto::time::Instant;
use rtrb::{Consumer, Producer, RingBuffer};

use super::counters::{Counters, DropReason, Event};
use super::overload;
use super::ports::BURST;
use super::probe::Answer;

/// A client repeats itself after 4 s at first (RFC 2131 §4.1): what waited longer has a newer copy.
pub const REPEATED: Duration = Duration::from_secs(4);
/// Places of all rings that lead to one worker together, if each has its share.
const PLACES: usize = 2048;
/// Fewest and most places of one ring: some bursts, and what a worker misses in a millisecond.
const FEWEST: usize = 64;
const MOST: usize = 1024;

/// What one worker gives another.
#[derive(Debug)]
pub enum Handed<K> {
    /// A message that `port` received, for the owner of its client.
    Message {
        /// The frame.
        packet: K,
        /// Number of the port.
        port: u8,
        /// When it was received.
        since: Instant,
    },
    /// A client of the asker has the reservation of an address that the receiver has.
    Yield(Ask),
    /// The answer to such a question that has to be put again.
    Later(Ask),
    /// A network of the asker has no address left: the receiver may have set one aside.
    Seek(Seek),
    /// The answer to a probe of the receiver.
    Answer(Answer),
}

/// A message that another worker owns.
#[derive(Debug)]
pub struct Message<K> {
    /// The frame.
    pub packet: K,
    /// Number of the port that received it.
    pub port: u8,
    /// What it is worth.
    pub rank: Rank,
    /// When it was received.
    pub since: Instant,
}

#[derive(Debug)]
struct Line<K> {
    to: Producer<Handed<K>>,
    /// Free places of `to`, at least.
    free: usize,
    from: Consumer<Handed<K>>,
    /// What goes out at the end of the burst.
    out: Vec<Handed<K>>, // its capacity is one burst and never grows
}

/// The other workers, as one of them sees them.
#[derive(Debug)]
pub struct Peers<K> {
    /// By number; there is none to the worker itself.
    lines: Vec<Option<Line<K>>>,
}

/// Places of the ring from one of `workers` workers to another.
#[must_use]
pub fn places(workers: usize) -> usize {
    PLACES
        .checked_div(workers.saturating_sub(1))
        .map_or(0, |share| share.clamp(FEWEST, MOST))
}

/// For each of `workers` workers its ends of the rings, which have `places` places.
#[must_use]
pub fn mesh<K>(workers: usize, places: usize) -> Vec<Peers<K>> {
    let (mut to, mut from) = (Vec::new(), Vec::new());
    to.resize_with(workers, Vec::new);
    from.resize_with(workers, Vec::new);
    for (sender, to) in to.iter_mut().enumerate() {
        for (receiver, from) in from.iter_mut().enumerate() {
            let ring = (sender != receiver).then(|| RingBuffer::new(places));
            let (producer, consumer) = ring.unzip();
            to.push(producer);
            from.push(consumer);
        }
    }
    let ends = to.into_iter().zip(from);
    ends.map(|(to, from)| Peers::new(to, from)).collect()
}

impl<K> Peers<K> {
    fn new(to: Vec<Option<Producer<Handed<K>>>>, from: Vec<Option<Consumer<Handed<K>>>>) -> Self {
        let line = |(to, from): (Option<Producer<_>>, Option<_>)| {
            let (to, from) = (to?, from?);
            let out = Vec::with_capacity(BURST);
            let free = to.slots();
            Some(Line {
                to,
                free,
                from,
                out,
            })
        };
        Self {
            lines: to.into_iter().zip(from).map(line).collect(),
        }
    }

    /// Those of a worker that is alone.
    #[must_use]
    pub fn none() -> Self {
        Self { lines: Vec::new() }
    }

    /// The numbers of the workers.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + use<K> {
        0..self.lines.len()
    }

    /// Why a message of this rank would not go to worker `owner` now; one that would may still find
    /// the ring full behind others of its burst.
    #[inline]
    pub fn refuses(&mut self, owner: u8, rank: Rank) -> Option<DropReason> {
        let Some(Some(line)) = self.lines.get_mut(usize::from(owner)) else {
            return Some(DropReason::HandOverFull);
        };
        let fill = line.fill();
        let refused = overload::is_ring_high(fill) && overload::ring_refuses(fill, rank);
        refused.then(|| overload::shed(rank))
    }

    /// Has a message go to worker `owner` with the next [`Peers::flush`]; at most a burst may wait.
    ///
    /// # Errors
    ///
    /// The message and why it does not go, when the ring is too full for it.
    #[inline]
    pub fn give(&mut self, owner: u8, message: Message<K>) -> Result<(), (DropReason, Message<K>)> {
        let Some(Some(line)) = self.lines.get_mut(usize::from(owner)) else {
            return Err((DropReason::HandOverFull, message));
        };
        let fill = line.fill();
        if overload::is_ring_high(fill) && overload::ring_refuses(fill, message.rank) {
            return Err((overload::shed(message.rank), message));
        }
        if line.out.len() >= BURST.min(line.free) {
            return Err((DropReason::HandOverFull, message));
        }
        let Message {
            packet,
            port,
            rank: _,
            since,
        } = message;
        line.out.push(Handed::Message {
            packet,
            port,
            since,
        });
        Ok(())
    }

    /// Sends what waits, each line at one stroke.
    #[inline]
    pub fn flush(&mut self, counters: &Counters) {
        for line in self.lines.iter_mut().flatten() {
            if !line.out.is_empty() {
                line.flush(counters);
            }
        }
    }

    /// Asks the owner of an address to yield it; whether there was room for the question.
    #[cold]
    pub fn ask(&mut self, ask: Ask) -> bool {
        match self.lines.get_mut(usize::from(ask.owner)) {
            Some(Some(line)) => line.push(Handed::Yield(ask)),
            Some(None) | None => false,
        }
    }

    /// Tells worker `peer` that its question has to be put again; whether there was room.
    #[cold]
    pub fn put_off(&mut self, peer: usize, ask: Ask) -> bool {
        match self.lines.get_mut(peer) {
            Some(Some(line)) => line.push(Handed::Later(ask)),
            Some(None) | None => false,
        }
    }

    /// Asks all others for an address; how many there was room for.
    #[cold]
    pub fn seek(&mut self, seek: Seek) -> usize {
        let lines = self.lines.iter_mut().flatten();
        lines
            .filter_map(|line| line.push(Handed::Seek(seek)).then_some(()))
            .count()
    }

    /// Passes the answer to a probe on to who asked; whether there was room for it. Anybody can
    /// send what looks like one, so they leave the last places to messages.
    pub fn answer(&mut self, answer: Answer) -> bool {
        match self.lines.get_mut(usize::from(answer.worker)) {
            Some(Some(line)) => {
                !overload::is_ring_high(line.fill()) && line.push(Handed::Answer(answer))
            }
            Some(None) | None => false,
        }
    }

    /// The oldest thing that worker `peer` gave.
    #[inline]
    pub fn take(&mut self, peer: usize) -> Option<Handed<K>> {
        let line = self.lines.get_mut(peer)?.as_mut()?;
        line.from.pop().ok()
    }

    /// Whether nobody has given anything that is not taken yet.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.lines.iter().flatten().all(|line| line.from.is_empty())
    }
}

impl<K> Line<K> {
    /// How full the ring will be with what goes out, in 1/64.
    #[inline]
    fn fill(&mut self) -> u8 {
        let places = self.to.buffer().capacity();
        let free = |line: &Self| line.free.saturating_sub(line.out.len());
        if free(self) < places / 2 {
            self.free = self.to.slots();
        }
        fill_of(places.saturating_sub(free(self)), places)
    }

    fn push(&mut self, handed: Handed<K>) -> bool {
        self.free = self.free.saturating_sub(1);
        self.to.push(handed).is_ok()
    }

    fn flush(&mut self, counters: &Counters) {
        let free = self.to.slots();
        let room = free.min(self.out.len());
        self.free = free - room;
        let handed = match self.to.write_chunk_uninit(room) {
            Ok(chunk) => chunk.fill_from_iter(self.out.drain(..room)),
            Err(_) => 0,
        };
        counters.events(Event::HandedOver, handed);
        counters.drops(DropReason::HandOverFull, self.out.len());
        self.out.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn messages(peers: &mut Peers<u32>, from: usize) -> Vec<(u32, u8)> {
        let taken = core::iter::from_fn(|| peers.take(from));
        let message = |handed| match handed {
            Handed::Message { packet, port, .. } => (packet, port),
            Handed::Yield(_) | Handed::Later(_) | Handed::Seek(_) | Handed::Answer(_) => {
                unreachable!("no question")
            }
        };
        taken.map(message).collect()
    }

    /// One that is refused only when the ring is full.
    fn message(packet: u32, port: u8) -> Message<u32> {
        Message {
            packet,
            port,
            rank: Rank::REBINDING,
            since: Instant(0),
        }
    }

    /// Gives a message or counts it.
    fn give(peers: &mut Peers<u32>, owner: u8, message: Message<u32>, counters: &Counters) {
        if let Err((reason, _)) = peers.give(owner, message) {
            counters.drop(reason);
        }
    }

    #[test]
    fn each_pair_has_a_ring_in_each_direction_and_keeps_its_order() {
        let counters = Counters::new();
        let mut mesh = mesh::<u32>(3, 8);
        for (me, peers) in (0..).zip(&mut mesh) {
            for other in (0..3).filter(|other| *other != me) {
                for n in 0..3 {
                    let packet = u32::from(me) * 100 + u32::from(other) * 10 + n;
                    give(peers, other, message(packet, me), &counters);
                }
            }
            peers.flush(&counters);
        }
        assert_eq!(messages(&mut mesh[0], 0), []);
        assert_eq!(messages(&mut mesh[0], 1), [(100, 1), (101, 1), (102, 1)]);
        assert_eq!(messages(&mut mesh[0], 2), [(200, 2), (201, 2), (202, 2)]);
        assert_eq!(messages(&mut mesh[2], 1), [(120, 1), (121, 1), (122, 1)]);
        assert!(mesh[2].take(7).is_none());
        assert_eq!(counters.count(Event::HandedOver), 18);
    }

    #[test]
    fn what_a_full_ring_does_not_take_is_dropped_and_counted() {
        let counters = Counters::new();
        let mut mesh = mesh::<u32>(2, 4);
        for n in 0..6 {
            give(&mut mesh[0], 1, message(n, 0), &counters);
        }
        mesh[0].flush(&counters);
        assert_eq!(counters.count(Event::HandedOver), 4);
        assert_eq!(counters.dropped(DropReason::HandOverFull), 2);
        assert!(!mesh[1].is_idle());
        let question = Ask {
            owner: 1,
            space: 0,
            addr: Ipv4Addr::LOCALHOST,
            generation: 1,
        };
        assert!(!mesh[0].ask(question), "no room for a question either");
        assert_eq!(messages(&mut mesh[1], 0).len(), 4);
        assert!(mesh[1].is_idle() && mesh[0].ask(question));
        assert!(matches!(mesh[1].take(0), Some(Handed::Yield(asked)) if asked == question));
    }

    #[test]
    fn what_is_worth_least_is_refused_before_a_ring_is_full() {
        let counters = Counters::new();
        let mut mesh = mesh::<u32>(2, 64);
        let mut burst = |rank: Rank| {
            for n in 0..32 {
                let message = Message {
                    rank,
                    ..message(n, 0)
                };
                give(&mut mesh[0], 1, message, &counters);
            }
            mesh[0].flush(&counters);
        };
        burst(Rank::ALL[0]);
        burst(Rank::ALL[0]);
        assert_eq!(counters.count(Event::HandedOver), 40);
        assert_eq!(counters.dropped(DropReason::ShedDiscover), 24);
        burst(Rank::REQUEST);
        assert_eq!(counters.count(Event::HandedOver), 48);
        assert_eq!(counters.dropped(DropReason::ShedRequest), 24);
        burst(Rank::REBINDING);
        assert_eq!(counters.count(Event::HandedOver), 64);
        assert_eq!(counters.dropped(DropReason::HandOverFull), 16);
        while mesh[1].take(0).is_some() {}
        let lowest = Message {
            rank: Rank::ALL[0],
            ..message(7, 0)
        };
        give(&mut mesh[0], 1, lowest, &counters);
        mesh[0].flush(&counters);
        assert_eq!(messages(&mut mesh[1], 0), [(7, 0)], "there is room again");
    }

    #[test]
    fn a_ring_has_its_share_of_the_places() {
        assert_eq!(
            [1, 2, 3, 5, 17, 256].map(places),
            [0, 1024, 1024, 512, 128, 64]
        );
    }
}
