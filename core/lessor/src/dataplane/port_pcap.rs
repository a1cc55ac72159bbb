//! A port that writes what passes to a capture, for tests and for looking at one worker. It
//! writes on the poll path: not for a server at work.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::port::{Facts, Packet, Port};

/// Ethernet, as captures name it.
const LINKTYPE_ETHERNET: u32 = 1;
/// Longest frame of a capture.
const SNAPLEN: u32 = 65_535;

/// A port and its capture, in the form of libpcap 2.4, both directions in one. Frames stand there
/// as in their buffers: a tag that the device took off is not in them.
#[derive(Debug)]
pub struct TracedPort<P: Port, W: Write> {
    port: P,
    capture: W,
    clock: Arc<AtomicU64>, // milliseconds; test: write, worker: read
    fault: Option<io::Error>,
}

impl<P: Port, W: Write> TracedPort<P, W> {
    /// Captures what passes `port`, at the times that `clock` tells.
    ///
    /// # Errors
    ///
    /// What the capture says to its first octets.
    pub fn new(port: P, mut capture: W, clock: Arc<AtomicU64>) -> io::Result<Self> {
        let [magic, zone, accuracy] = [0xa1b2_c3d4_u32, 0, 0].map(u32::to_ne_bytes);
        let version = [2u16, 4].map(u16::to_ne_bytes).concat();
        capture.write_all(&magic)?;
        capture.write_all(&version)?;
        for word in [
            zone,
            accuracy,
            SNAPLEN.to_ne_bytes(),
            LINKTYPE_ETHERNET.to_ne_bytes(),
        ] {
            capture.write_all(&word)?;
        }
        Ok(Self {
            port,
            capture,
            clock,
            fault: None,
        })
    }

    /// Why the capture ends before the frames do.
    #[must_use]
    pub fn fault(&self) -> Option<&io::Error> {
        self.fault.as_ref()
    }

    fn trace(&mut self, frame: &[u8]) {
        if self.fault.is_none() {
            self.fault = self.write(frame).err();
        }
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let now = self.clock.load(Relaxed);
        let len = u32::try_from(frame.len()).map_err(io::Error::other)?;
        let secs = u32::try_from(now / 1000).map_err(io::Error::other)?;
        let micros = u32::try_from(now % 1000 * 1000).map_err(io::Error::other)?;
        for word in [secs, micros, len, len] {
            self.capture.write_all(&word.to_ne_bytes())?;
        }
        self.capture.write_all(frame)
    }
}

impl<P: Port, W: Write> Port for TracedPort<P, W> {
    type Packet = P::Packet;

    fn facts(&self) -> Facts {
        self.port.facts()
    }

    fn receive(&mut self, burst: &mut Vec<P::Packet>) -> usize {
        let before = burst.len();
        let refused = self.port.receive(burst);
        for packet in burst.iter().skip(before) {
            self.trace(packet.octets());
        }
        refused
    }

    fn transmit(&mut self, burst: &mut Vec<P::Packet>) -> usize {
        let offered: Vec<Vec<u8>> = burst
            .iter()
            .map(|packet| packet.octets().to_vec())
            .collect();
        let taken = self.port.transmit(burst);
        // What the device refused may be any of those that are gone.
        let gone = offered.len().saturating_sub(burst.len());
        for frame in offered.iter().take(gone) {
            self.trace(frame);
        }
        taken
    }

    fn allocate(&mut self) -> Option<P::Packet> {
        self.port.allocate()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::port::RxChecksum;
    use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPort};
    use dhcp_wire::ethernet::Mac;

    #[test]
    fn a_capture_has_what_came_and_what_the_device_took() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let rx_checksum = RxChecksum::Verify;
        let facts = Facts {
            mac,
            udp_checksum_offload: false,
            rx_checksum,
        };
        let (port, wire) = MemPort::new(MemConfig { facts, packets: 3 });
        let clock = Arc::new(AtomicU64::new(5_250));
        let mut port = TracedPort::new(port, Vec::new(), Arc::clone(&clock)).unwrap();
        assert!(wire.deliver(&MemFrame::from(&[7; 60][..])));
        let mut burst = Vec::with_capacity(4);
        port.receive(&mut burst);
        clock.store(6_000, Relaxed);
        let mut second = port.allocate().unwrap();
        second.set_frame_len(61).unwrap();
        burst.push(second);
        wire.take_at_most(1);
        assert_eq!(port.transmit(&mut burst), 1);
        let record = |secs: u32, micros: u32| {
            let words = [secs, micros, 60, 60].map(u32::to_ne_bytes).concat();
            [words, vec![7; 60]].concat()
        };
        let records = [record(5, 250_000), record(6, 0)].concat();
        assert_eq!(port.capture[24..], records);
        assert!(port.fault().is_none());
        let magic = 0xa1b2_c3d4_u32.to_ne_bytes();
        assert_eq!(
            (port.capture[..4].to_vec(), port.capture[20]),
            (magic.to_vec(), 1)
        );
    }

    #[test]
    fn a_capture_that_fails_stops_and_says_why() {
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let rx_checksum = RxChecksum::Verify;
        let facts = Facts {
            mac,
            udp_checksum_offload: false,
            rx_checksum,
        };
        let (port, wire) = MemPort::new(MemConfig { facts, packets: 3 });
        let mut room = [0; 60];
        let capture = io::Cursor::new(&mut room[..]);
        let mut port = TracedPort::new(port, capture, Arc::default()).unwrap();
        assert!(wire.deliver(&MemFrame::from(&[7; 60][..])));
        let mut burst = Vec::with_capacity(4);
        port.receive(&mut burst);
        assert_eq!(burst.len(), 1);
        assert_eq!(
            port.fault().map(io::Error::kind),
            Some(io::ErrorKind::WriteZero)
        );
    }
}
