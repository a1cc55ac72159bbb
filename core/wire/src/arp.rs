//! ARP for IPv4 on Ethernet, RFC 826.

use core::net::Ipv4Addr;

use crate::Malformed;
use crate::ethernet::Mac;
use crate::field;

/// Octets of a packet.
pub const LEN: usize = 28;

/// Hardware type 1, protocol type 0x0800, six and four octets of address.
const FORM: [u8; 6] = [0, 1, 8, 0, 6, 4];

/// What a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Who has the target's address?
    Request,
    /// The sender has.
    Reply,
    /// Of RFC 903 and others; nothing of ours.
    Other(u16),
}

/// An address pair of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Station {
    /// Hardware address.
    pub mac: Mac,
    /// Protocol address.
    pub addr: Ipv4Addr,
}

/// A packet, borrowed from its frame.
#[derive(Debug, Clone, Copy)]
pub struct Arp<'a>(&'a [u8; LEN]);

impl<'a> Arp<'a> {
    /// Checks `octets`, the payload of a frame.
    ///
    /// # Errors
    ///
    /// Refuses a packet that is cut, or for other than IPv4 on Ethernet.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let packet = octets.first_chunk().ok_or(Malformed::ArpTruncated)?;
        if field::octets::<0, 6, LEN>(packet) == FORM {
            Ok(Self(packet))
        } else {
            Err(Malformed::ArpForm)
        }
    }

    /// What the packet is for.
    #[inline]
    #[must_use]
    pub fn op(self) -> Op {
        match u16::from_be_bytes(field::octets::<6, 2, LEN>(self.0)) {
            1 => Op::Request,
            2 => Op::Reply,
            other => Op::Other(other),
        }
    }

    /// Sender's hardware address.
    #[inline]
    #[must_use]
    pub fn sha(self) -> Mac {
        Mac(field::octets::<8, 6, LEN>(self.0))
    }

    /// Sender's protocol address; 0.0.0.0 in a probe of RFC 5227.
    #[inline]
    #[must_use]
    pub fn spa(self) -> Ipv4Addr {
        field::octets::<14, 4, LEN>(self.0).into()
    }

    /// Target's hardware address.
    #[inline]
    #[must_use]
    pub fn tha(self) -> Mac {
        Mac(field::octets::<18, 6, LEN>(self.0))
    }

    /// Target's protocol address.
    #[inline]
    #[must_use]
    pub fn tpa(self) -> Ipv4Addr {
        field::octets::<24, 4, LEN>(self.0).into()
    }

    /// The sender.
    #[inline]
    #[must_use]
    pub fn sender(self) -> Station {
        Station {
            mac: self.sha(),
            addr: self.spa(),
        }
    }
}

/// Writes a packet to the front of `buf` and returns its length; `None` if `buf` is too short.
#[inline]
#[must_use]
pub fn write(buf: &mut [u8], op: Op, sender: Station, target: Station) -> Option<usize> {
    let packet = buf.first_chunk_mut::<LEN>()?;
    let op: u16 = match op {
        Op::Request => 1,
        Op::Reply => 2,
        Op::Other(other) => other,
    };
    field::put::<0, 6, LEN>(packet, FORM);
    field::put::<6, 2, LEN>(packet, op.to_be_bytes());
    field::put::<8, 6, LEN>(packet, sender.mac.0);
    field::put::<14, 4, LEN>(packet, sender.addr.octets());
    field::put::<18, 6, LEN>(packet, target.mac.0);
    field::put::<24, 4, LEN>(packet, target.addr.octets());
    Some(LEN)
}

/// Writes the request for `target`'s hardware address.
#[inline]
#[must_use]
pub fn write_request(buf: &mut [u8], sender: Station, target: Ipv4Addr) -> Option<usize> {
    let target = Station {
        mac: Mac::default(),
        addr: target,
    };
    write(buf, Op::Request, sender, target)
}

/// Writes the reply to a request of `target`.
#[inline]
#[must_use]
pub fn write_reply(buf: &mut [u8], sender: Station, target: Station) -> Option<usize> {
    write(buf, Op::Reply, sender, target)
}
