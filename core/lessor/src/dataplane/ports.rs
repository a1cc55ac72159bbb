//! The ports of one worker, each with what is to be sent on it.
//!
//! A device may have fewer queues than there are workers. A worker without a transmit queue of its
//! own gives what it sends to one that has one, through a ring of its own for each such port.

use rtrb::{Consumer, Producer, RingBuffer};

use super::capture::{Outlet, Recorder};
use super::counters::{Counters, DropReason, Event};
use super::port::{Facts, Port, TooLong};

/// Packets that one poll moves from or to a queue.
pub const BURST: usize = 32;

#[derive(Debug)]
struct Lane<P: Port> {
    port: P,
    number: u8,
    facts: Facts,
    tx: Vec<P::Packet>, // its capacity is one burst and never grows
    /// To the worker whose queue packets leave by, if this one has none.
    carrier: Option<Producer<P::Packet>>,
    /// From the workers that have none.
    carried: Vec<Consumer<P::Packet>>,
}

/// Places of the ring from a worker to the one that carries for it.
pub const CARRIED: usize = 512;

/// One queue pair of every port, by the port's number.
#[derive(Debug)]
pub struct Ports<P: Port> {
    lanes: Vec<Lane<P>>,
    /// What copies frames for an operator, while one wants them.
    recorder: Option<Box<Recorder>>,
    /// Where it comes from.
    outlet: Option<Outlet>,
}

impl<P: Port> Ports<P> {
    /// Ports numbered from 0 in this order; those beyond 256 can be named by no link.
    #[must_use]
    pub fn new(ports: impl IntoIterator<Item = P>) -> Self {
        let lane = |(port, number): (P, u8)| Lane {
            facts: port.facts(),
            port,
            number,
            tx: Vec::with_capacity(BURST),
            carrier: None,
            carried: Vec::new(),
        };
        Self {
            lanes: ports.into_iter().zip(0..=u8::MAX).map(lane).collect(),
            recorder: None,
            outlet: None,
        }
    }

    /// Lets control capture what passes from now on.
    pub fn attach(&mut self, outlet: Outlet) {
        self.outlet = Some(outlet);
    }

    /// Begins or ends a capture, if control says so. To be called now and then.
    #[inline]
    pub fn turn(&mut self) {
        if let Some(outlet) = &mut self.outlet {
            outlet.turn(&mut self.recorder);
        }
    }

    /// Lets the workers with these ports share `queues` transmit queues of port `number`, which the
    /// first of them have. Who carries for a worker has a lower number than that.
    pub fn share(workers: &mut [Self], number: u8, queues: usize) {
        for worker in queues..workers.len() {
            let Some(carrier) = worker.checked_rem(queues) else {
                return;
            };
            let (to, from) = RingBuffer::new(CARRIED);
            if let Some(lane) = workers.get_mut(carrier).and_then(|w| w.lane(number)) {
                lane.carried.push(from);
            }
            if let Some(lane) = workers.get_mut(worker).and_then(|w| w.lane(number)) {
                lane.carrier = Some(to);
            }
        }
    }

    fn lane(&mut self, number: u8) -> Option<&mut Lane<P>> {
        self.lanes.get_mut(usize::from(number))
    }

    /// Whether no worker that this one carries for is there any more, or has something to send.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let mut carried = self.lanes.iter().flat_map(|lane| &lane.carried);
        carried.all(|ring| ring.is_abandoned() && ring.is_empty())
    }

    /// The numbers of the ports.
    pub fn numbers(&self) -> impl Iterator<Item = u8> + use<P> {
        (0..=u8::MAX).take(self.lanes.len())
    }

    /// What a port is and can.
    #[inline]
    #[must_use]
    pub fn facts(&self, number: u8) -> Option<Facts> {
        self.lanes.get(usize::from(number)).map(|lane| lane.facts)
    }

    /// Adds to `burst` what has arrived on a port, as far as its capacity goes.
    #[inline]
    pub fn receive(&mut self, number: u8, burst: &mut Vec<P::Packet>, counters: &Counters) {
        let Some(lane) = self.lanes.get_mut(usize::from(number)) else {
            return;
        };
        let before = burst.len();
        let refused = lane.port.receive(burst);
        if let Some(recorder) = &mut self.recorder {
            recorder.received(number, burst.get(before..).unwrap_or_default());
        }
        let received = burst.len().saturating_sub(before).saturating_add(refused);
        counters.events(Event::Received, received);
        counters.drops(DropReason::RxRefused, refused);
    }

    /// An empty packet from the pool of a port, counted if there is none.
    pub fn allocate(&mut self, number: u8, counters: &Counters) -> Option<P::Packet> {
        let packet = self.lanes.get_mut(usize::from(number))?.port.allocate();
        if packet.is_none() {
            counters.drop(DropReason::NoMbuf);
        }
        packet
    }

    /// Sends what `write` puts into a packet of its own; whether there was one with room for it.
    pub fn originate(
        &mut self,
        number: u8,
        counters: &Counters,
        write: impl FnOnce(&mut P::Packet) -> Result<(), TooLong>,
    ) -> bool {
        let Some(mut packet) = self.allocate(number, counters) else {
            return false;
        };
        if write(&mut packet).is_err() {
            counters.drop(DropReason::NoRoom);
            return false;
        }
        self.send(number, packet, counters);
        true
    }

    /// Sends a packet with the next [`Ports::flush`], or before if more than a burst waits.
    #[inline]
    pub fn send(&mut self, number: u8, packet: P::Packet, counters: &Counters) {
        let Some(lane) = self.lanes.get_mut(usize::from(number)) else {
            return counters.drop(DropReason::LinkGone);
        };
        if lane.tx.len() == lane.tx.capacity() {
            lane.flush(&mut self.recorder, counters);
        }
        lane.tx.push(packet);
    }

    /// Sends what waits. A device that is full is not waited for, since the next burst would be
    /// lost as well; a client without a reply asks again (RFC 2131 §4.1).
    #[inline]
    pub fn flush(&mut self, counters: &Counters) {
        for lane in &mut self.lanes {
            if !lane.tx.is_empty() {
                lane.flush(&mut self.recorder, counters);
            }
            if !lane.carried.is_empty() {
                lane.carry(&mut self.recorder, counters);
            }
        }
    }
}

impl<P: Port> Lane<P> {
    fn flush(&mut self, recorder: &mut Option<Box<Recorder>>, counters: &Counters) {
        if let Some(carrier) = &mut self.carrier {
            let room = carrier.slots().min(self.tx.len());
            if let Ok(chunk) = carrier.write_chunk_uninit(room) {
                chunk.fill_from_iter(self.tx.drain(..room));
            }
            counters.drops(DropReason::CarryFull, self.tx.len());
            return self.tx.clear();
        }
        let offered = self.tx.len();
        let taken = match recorder {
            None => self.port.transmit(&mut self.tx),
            Some(recorder) => recorder.transmit(self.number, &mut self.port, &mut self.tx),
        };
        let left = self.tx.len();
        counters.events(Event::Sent, taken);
        counters.drops(DropReason::TxFull, left);
        counters.drops(
            DropReason::TxRefused,
            offered.saturating_sub(taken).saturating_sub(left),
        );
        self.tx.clear();
    }

    /// Sends a burst of each worker that has no queue.
    fn carry(&mut self, recorder: &mut Option<Box<Recorder>>, counters: &Counters) {
        for at in 0..self.carried.len() {
            while self.tx.len() < BURST
                && let Some(packet) = self.carried.get_mut(at).and_then(|ring| ring.pop().ok())
            {
                self.tx.push(packet);
            }
            if !self.tx.is_empty() {
                counters.events(Event::Carried, self.tx.len());
                self.flush(recorder, counters);
            }
        }
    }
}
