//! ARP: what a packet says to us, and the packets that we send.

use std::net::Ipv4Addr;

use dhcp_wire::arp::{self, Arp, Op, Station};
use dhcp_wire::ethernet::{self, Mac, Tags, ethertype};

use super::counters::DropReason;
use super::port::{Packet, TooLong};

/// What a packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Where a station is; its address is 0.0.0.0 in a probe (RFC 5227 §2.1).
    pub sender: Station,
    /// The address of ours that it asks for.
    pub asked: Option<Ipv4Addr>,
}

/// Reads a packet that came by a link where the addresses of `is_here` are ours, on a port whose
/// hardware address is `mac`.
///
/// # Errors
///
/// Refuses a sender that is no other station, and one that claims an address of ours.
pub fn hear(
    packet: Arp<'_>,
    is_here: impl Fn(Ipv4Addr) -> bool,
    mac: Mac,
) -> Result<Heard, DropReason> {
    let sender = packet.sender();
    if sender.mac.is_zero() || sender.mac.is_multicast() || sender.mac == mac {
        return Err(DropReason::ArpSender);
    }
    if is_here(sender.addr) {
        return Err(DropReason::AddressConflict);
    }
    let is_asked = packet.op() == Op::Request && is_here(packet.tpa());
    Ok(Heard {
        sender,
        asked: is_asked.then_some(packet.tpa()),
    })
}

/// A frame with an ARP packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpFrame {
    dst: Mac,
    tags: Tags,
    op: Op,
    sender: Station,
    target: Station,
}

impl ArpFrame {
    /// `ours` is here, for who asked. The answer to a probe goes to the prober alone: he looks at
    /// what comes for him, and nobody else has to (RFC 5227 §2.6 leaves it open).
    #[must_use]
    pub fn reply(ours: Station, asker: Station, tags: Tags) -> Self {
        Self {
            dst: asker.mac,
            tags,
            op: Op::Reply,
            sender: ours,
            target: asker,
        }
    }

    /// Where is `target`? Asked of `dst`, everybody or the station that had the address.
    #[must_use]
    pub fn request(ours: Station, target: Ipv4Addr, dst: Mac, tags: Tags) -> Self {
        let target = Station {
            mac: Mac::default(),
            addr: target,
        };
        Self {
            dst,
            tags,
            op: Op::Request,
            sender: ours,
            target,
        }
    }

    /// `ours` is here, for everybody (RFC 5227 §2.3).
    #[must_use]
    pub fn announcement(ours: Station, tags: Tags) -> Self {
        Self::request(ours, ours.addr, Mac::BROADCAST, tags)
    }

    /// Writes the frame in place of what `packet` holds.
    ///
    /// # Errors
    ///
    /// The buffer is too short for the frame; what is in it then is no frame.
    pub fn write<P: Packet>(&self, packet: &mut P) -> Result<(), TooLong> {
        let room = packet.room();
        let src = self.sender.mac;
        let at = ethernet::write(room, self.dst, src, &self.tags, ethertype::ARP);
        let at = at.ok_or(TooLong)?;
        let body = room.get_mut(at..).ok_or(TooLong)?;
        let len = arp::write(body, self.op, self.sender, self.target).ok_or(TooLong)?;
        packet.set_frame_len(at.saturating_add(len))
    }
}
