//! What a worker asks of a network port: bursts of packets in and out, and buffers.
//!
//! [`port_dpdk`](super::port_dpdk) is the product, [`port_mem`](super::port_mem) the device of
//! tests. A worker has one queue pair of every port; [`Ports`](super::ports::Ports) holds them.

use std::fmt;

use dhcp_wire::ethernet::{self, Mac, Tag, Tags};
use dhcp_wire::frame::Offloads;
use dhcp_wire::{Checksum, udp};

/// Octets of the shortest frame without its check sequence. What is shorter is padded here, since
/// not every device does it.
pub const SHORTEST_FRAME: usize = 60;

/// The octets do not fit the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Where the headers of a frame end, for a device that computes the checksum of what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderLengths {
    /// Octets of Ethernet header and tags.
    pub l2: usize,
    /// Octets of IPv4 header.
    pub l3: usize,
}

/// One frame in one buffer, owned. Dropping it gives the buffer back to its pool.
pub trait Packet: fmt::Debug {
    /// The frame.
    fn octets(&self) -> &[u8];

    /// The whole buffer from the frame's start on, as much as a frame may fill.
    fn room(&mut self) -> &mut [u8];

    /// Says that the first `len` octets of the room are the frame.
    ///
    /// # Errors
    ///
    /// Refuses more than the room has, and changes nothing then.
    fn set_len(&mut self, len: usize) -> Result<(), TooLong>;

    /// The outer tag, if the device took it off.
    fn stripped_tag(&self) -> Option<Tag>;

    /// What the device says about the checksums of IPv4 and of UDP. What it calls wrong it does
    /// not answer for: that is looked at again, and counted by its reason.
    fn checksums(&self) -> (Checksum, Checksum);

    /// Asks the device for the UDP checksum; the frame holds the pseudo-header's sum.
    ///
    /// # Errors
    ///
    /// Refuses lengths that the frame has not; the checksum is the caller's to compute then.
    fn offload_udp_checksum(&mut self, headers: HeaderLengths) -> Result<(), TooLong>;

    /// Says that the first `len` octets of the room are the frame, and pads a short one.
    ///
    /// # Errors
    ///
    /// Refuses more than the room has, and changes nothing then.
    fn set_frame_len(&mut self, len: usize) -> Result<(), TooLong> {
        if len >= SHORTEST_FRAME {
            return self.set_len(len);
        }
        let padding = self.room().get_mut(len..SHORTEST_FRAME);
        padding.ok_or(TooLong)?.fill(0);
        self.set_len(SHORTEST_FRAME)
    }

    /// Puts a new Ethernet header before the payload of the frame, which begins behind `old_len`
    /// octets of header and moves if the tags take another place now.
    ///
    /// # Errors
    ///
    /// Refuses what does not fit the room, and changes nothing then.
    fn set_header(
        &mut self,
        old_len: usize,
        (dst, src): (Mac, Mac),
        tags: &Tags,
        ethertype: u16,
    ) -> Result<(), TooLong> {
        let len = self.octets().len();
        let new_len = ethernet::header_len(*tags);
        let payload_len = len.checked_sub(old_len).ok_or(TooLong)?;
        let room = self.room();
        if room.len() < new_len.saturating_add(payload_len) {
            return Err(TooLong);
        }
        if old_len != new_len {
            room.copy_within(old_len..len, new_len);
        }
        ethernet::write(room, dst, src, tags, ethertype).ok_or(TooLong)?;
        self.set_frame_len(new_len.saturating_add(payload_len))
    }
}

/// Whether received UDP checksums are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RxChecksum {
    /// They are, by the device if it can. A datagram without one is accepted.
    #[default]
    Verify,
    /// They are not: a kernel on the other end of a veth leaves them to an offload that nobody
    /// does. The checksum of IPv4 headers is verified all the same.
    Ignore,
}

/// What a port is and can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its hardware address.
    pub mac: Mac,
    /// Whether the device computes UDP checksums of what is sent.
    pub udp_checksum_offload: bool,
    /// Whether received UDP checksums are looked at.
    pub rx_checksum: RxChecksum,
}

impl Facts {
    /// How a packet that this port received is to be parsed.
    #[inline]
    #[must_use]
    pub fn offloads<P: Packet>(&self, packet: &P) -> Offloads {
        let (ip, udp) = packet.checksums();
        let udp = match self.rx_checksum {
            RxChecksum::Verify => udp,
            RxChecksum::Ignore => Checksum::Trusted,
        };
        Offloads {
            stripped: packet.stripped_tag(),
            ip,
            udp,
        }
    }

    /// How a packet of this port is to be parsed once its checksums have been looked at.
    #[inline]
    #[must_use]
    pub fn offloads_again<P: Packet>(packet: &P) -> Offloads {
        Offloads {
            stripped: packet.stripped_tag(),
            ip: Checksum::Trusted,
            udp: Checksum::Trusted,
        }
    }

    /// What a writer puts into the checksum field of UDP. With [`udp::Fill::PseudoHeader`] the
    /// packet is then told so by [`Packet::offload_udp_checksum`].
    #[inline]
    #[must_use]
    pub fn udp_fill(&self) -> udp::Fill {
        if self.udp_checksum_offload {
            udp::Fill::PseudoHeader
        } else {
            udp::Fill::Computed
        }
    }
}

/// One queue pair of a port, and the pool that its buffers come from. Nothing here waits.
pub trait Port {
    /// Its packets.
    type Packet: Packet;

    /// What the port is and can.
    fn facts(&self) -> Facts;

    /// Adds to `burst` what has arrived, as far as its capacity goes, and says how many frames it
    /// could not give: longer than a buffer, or not to be written to.
    fn receive(&mut self, burst: &mut Vec<Self::Packet>) -> usize;

    /// Sends from the front of `burst`, leaves there what the device has no place for, and says how
    /// many frames it took. What is neither the device could not have sent, and is gone.
    fn transmit(&mut self, burst: &mut Vec<Self::Packet>) -> usize;

    /// An empty packet; `None` if the pool is exhausted.
    fn allocate(&mut self) -> Option<Self::Packet>;
}
