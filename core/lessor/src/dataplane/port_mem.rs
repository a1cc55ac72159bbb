//! The device of tests: a port whose wire is two queues in memory, deterministic and bounded.
//!
//! A [`MemPort`] is given to the worker under test, its [`MemWire`] stays with the test. What a
//! real device does to frames is proved on real devices, not here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dhcp_wire::Checksum;
use dhcp_wire::ethernet::Tag;

use super::port::{Facts, HeaderLengths, Packet, Port, TooLong};

/// Octets that a packet of memory has room for.
pub const ROOM: usize = 2048;

type Room = Box<[u8; ROOM]>;

/// A frame as a device hands it over, or as it took it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemFrame {
    /// The octets.
    pub octets: Vec<u8>,
    /// The outer tag that the device took off.
    pub stripped: Option<Tag>,
    /// What the device says of the checksums of IPv4 and UDP.
    pub checksums: (Checksum, Checksum),
    /// The UDP checksum that the device was asked for.
    pub offload: Option<HeaderLengths>,
}

impl From<&[u8]> for MemFrame {
    fn from(octets: &[u8]) -> Self {
        Self {
            octets: octets.to_vec(),
            ..Self::default()
        }
    }
}

/// How a [`MemPort`] is made and behaves.
#[derive(Debug, Clone, Copy)]
pub struct MemConfig {
    /// What the port says it is.
    pub facts: Facts,
    /// Packets in its pool.
    pub packets: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Room>,
    packets: usize,
    /// By queue.
    arriving: Vec<VecDeque<MemPacket>>,
    /// Each with the queue that sent it.
    sent: Vec<(usize, MemFrame)>,
    /// Packets that the device takes at one call.
    takes: usize,
    refused: usize,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet in memory; its room returns to its pool when it is dropped.
#[derive(Debug)]
pub struct MemPacket {
    /// `None` only while it is dropped.
    room: Option<Room>,
    len: usize,
    frame: MemFrame,
    state: Arc<Mutex<State>>,
}

impl MemPacket {
    /// As it lies on the wire, without what the device said of it when it came.
    fn to_frame(&self) -> MemFrame {
        let offload = self.frame.offload;
        MemFrame {
            octets: self.octets().to_vec(),
            offload,
            ..MemFrame::default()
        }
    }
}

impl Drop for MemPacket {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            lock(&self.state).free.push(room);
        }
    }
}

impl Packet for MemPacket {
    fn octets(&self) -> &[u8] {
        self.room
            .as_ref()
            .and_then(|room| room.get(..self.len))
            .unwrap_or_default()
    }

    fn room(&mut self) -> &mut [u8] {
        self.room
            .as_mut()
            .map(|room| room.as_mut_slice())
            .unwrap_or_default()
    }

    fn set_len(&mut self, len: usize) -> Result<(), TooLong> {
        if len > ROOM {
            return Err(TooLong);
        }
        self.len = len;
        Ok(())
    }

    fn stripped_tag(&self) -> Option<Tag> {
        self.frame.stripped
    }

    fn checksums(&self) -> (Checksum, Checksum) {
        self.frame.checksums
    }

    fn offload_udp_checksum(&mut self, headers: HeaderLengths) -> Result<(), TooLong> {
        if headers.l2.saturating_add(headers.l3) > self.len {
            return Err(TooLong);
        }
        self.frame.offload = Some(headers);
        Ok(())
    }
}

/// The worker's end of the device.
#[derive(Debug)]
pub struct MemPort {
    facts: Facts,
    queue: usize,
    state: Arc<Mutex<State>>,
}

/// The test's end of the device.
#[derive(Debug, Clone)]
pub struct MemWire {
    state: Arc<Mutex<State>>,
}

impl MemPort {
    /// A port and the wire that it is on.
    #[must_use]
    pub fn new(config: MemConfig) -> (Self, MemWire) {
        let (mut ports, wire) = Self::of_queues(config, 1, 1);
        // One was asked for.
        (ports.swap_remove(0), wire)
    }

    /// The ports of `workers` workers, and the wire that all are on. The device has `queues`
    /// queues; workers beyond them receive nothing.
    #[must_use]
    pub fn of_queues(config: MemConfig, workers: usize, queues: usize) -> (Vec<Self>, MemWire) {
        let state = State {
            free: (0..config.packets).map(|_| Box::new([0; ROOM])).collect(),
            packets: config.packets,
            arriving: (0..queues).map(|_| VecDeque::new()).collect(),
            sent: Vec::new(),
            takes: usize::MAX,
            refused: 0,
        };
        let state = Arc::new(Mutex::new(state));
        let wire = MemWire {
            state: Arc::clone(&state),
        };
        let port = |queue| Self {
            facts: config.facts,
            queue,
            state: Arc::clone(&state),
        };
        ((0..workers).map(port).collect(), wire)
    }
}

fn allocate(state: &Arc<Mutex<State>>) -> Option<MemPacket> {
    let room = lock(state).free.pop()?;
    let frame = MemFrame::default();
    Some(MemPacket {
        room: Some(room),
        len: 0,
        frame,
        state: Arc::clone(state),
    })
}

impl Port for MemPort {
    type Packet = MemPacket;

    fn facts(&self) -> Facts {
        self.facts
    }

    fn receive(&mut self, burst: &mut Vec<MemPacket>) -> usize {
        let room = burst.capacity().saturating_sub(burst.len());
        let mut state = lock(&self.state);
        if let Some(arriving) = state.arriving.get_mut(self.queue) {
            let arrived = arriving.len().min(room);
            burst.extend(arriving.drain(..arrived));
        }
        core::mem::take(&mut state.refused)
    }

    fn transmit(&mut self, burst: &mut Vec<MemPacket>) -> usize {
        let taken = lock(&self.state).takes.min(burst.len());
        for packet in burst.drain(..taken) {
            let frame = packet.to_frame();
            lock(&self.state).sent.push((self.queue, frame));
        }
        taken
    }

    fn allocate(&mut self) -> Option<MemPacket> {
        allocate(&self.state)
    }
}

fn refuse(state: MutexGuard<'_, State>, packet: MemPacket) -> bool {
    drop(state);
    drop(packet);
    false
}

impl MemWire {
    /// Puts a frame on the wire; `false` if the device has no packet for it, or it is too long.
    #[must_use]
    pub fn deliver(&self, frame: &MemFrame) -> bool {
        self.deliver_to(0, frame)
    }

    /// Puts a frame into a queue of the device; `false` also if there is no such queue.
    #[must_use]
    pub fn deliver_to(&self, queue: usize, frame: &MemFrame) -> bool {
        let Some(mut packet) = allocate(&self.state) else {
            return false;
        };
        let Some(octets) = packet.room().get_mut(..frame.octets.len()) else {
            return false;
        };
        octets.copy_from_slice(&frame.octets);
        packet.len = frame.octets.len();
        packet.frame = MemFrame {
            stripped: frame.stripped,
            checksums: frame.checksums,
            ..MemFrame::default()
        };
        let mut state = lock(&self.state);
        match state.arriving.get_mut(queue) {
            Some(arriving) => arriving.push_back(packet),
            // The packet's end wants the lock.
            None => return refuse(state, packet),
        }
        true
    }

    /// Lets the device meet a frame in several buffers, which it refuses.
    pub fn deliver_segments(&self) {
        lock(&self.state).refused += 1;
    }

    /// What the device took since the last call.
    #[must_use]
    pub fn take_sent(&self) -> Vec<MemFrame> {
        let sent = self.take_sent_by();
        sent.into_iter().map(|(_, frame)| frame).collect()
    }

    /// The same, each with the queue that it left by.
    #[must_use]
    pub fn take_sent_by(&self) -> Vec<(usize, MemFrame)> {
        core::mem::take(&mut lock(&self.state).sent)
    }

    /// From now on the device takes at most `packets` at one call.
    pub fn take_at_most(&self, packets: usize) {
        lock(&self.state).takes = packets;
    }

    /// Packets that are neither free nor on the wire: somebody holds them.
    #[must_use]
    pub fn held(&self) -> usize {
        let state = lock(&self.state);
        state
            .packets
            .saturating_sub(state.free.len())
            .saturating_sub(state.arriving.iter().map(VecDeque::len).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::port::RxChecksum;
    use dhcp_wire::ethernet::Mac;

    fn port(packets: usize) -> (MemPort, MemWire) {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let facts = Facts {
            mac,
            udp_checksum_offload: false,
            rx_checksum: RxChecksum::Verify,
        };
        MemPort::new(MemConfig { facts, packets })
    }

    #[test]
    fn what_the_device_does_not_take_stays_in_the_burst() {
        let (mut port, wire) = port(4);
        wire.take_at_most(2);
        let mut burst: Vec<_> = (0..3).filter_map(|_| port.allocate()).collect();
        for (len, packet) in (60..).zip(&mut burst) {
            packet.set_len(len).unwrap();
        }
        assert_eq!(port.transmit(&mut burst), 2);
        let sent: Vec<_> = wire
            .take_sent()
            .iter()
            .map(|frame| frame.octets.len())
            .collect();
        assert_eq!(sent, [60, 61]);
        assert_eq!(burst.len(), 1);
        assert_eq!(burst[0].octets().len(), 62);
        assert_eq!(wire.held(), 1);
    }

    #[test]
    fn a_burst_is_never_more_than_its_capacity() {
        let (mut port, wire) = port(8);
        for n in 0..5 {
            assert!(wire.deliver(&MemFrame::from(&[n; 60][..])));
        }
        let mut burst = Vec::with_capacity(4);
        assert_eq!(port.receive(&mut burst), 0);
        assert_eq!(burst.len(), 4);
        burst.clear();
        port.receive(&mut burst);
        assert_eq!(burst[0].octets(), [4; 60]);
    }

    #[test]
    fn an_empty_pool_gives_nothing_and_takes_nothing_from_the_wire() {
        let (mut port, wire) = port(1);
        let packet = port.allocate().unwrap();
        assert!(port.allocate().is_none());
        assert!(!wire.deliver(&MemFrame::from(&[0; 60][..])));
        drop(packet);
        assert!(wire.deliver(&MemFrame::from(&[0; 60][..])));
        assert!(!wire.deliver(&MemFrame::from(&[0; ROOM + 1][..])));
    }

    #[test]
    fn a_short_frame_is_padded_with_zeros() {
        let (mut port, _wire) = port(1);
        let mut packet = port.allocate().unwrap();
        packet.room().fill(0xee);
        packet.set_frame_len(42).unwrap();
        assert_eq!(packet.octets().len(), 60);
        assert!(packet.octets()[42..].iter().all(|&octet| octet == 0));
        assert_eq!(packet.set_frame_len(ROOM + 1), Err(TooLong));
    }
}
