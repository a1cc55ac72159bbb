//! UDP over IPv4, RFC 768.

use core::net::Ipv4Addr;

use crate::checksum::Sum;
use crate::field;
use crate::ipv4::{Ipv4, protocol};
use crate::{Checksum, Malformed};

/// Octets of a header.
pub const HEADER_LEN: usize = 8;

/// Ports that the appliance knows.
pub mod port {
    /// Where servers and relays listen.
    pub const SERVER: u16 = 67;
    /// Where clients listen.
    pub const CLIENT: u16 = 68;
}

mod at {
    pub(super) const SRC_PORT: usize = 0;
    pub(super) const DST_PORT: usize = 2;
    pub(super) const LENGTH: usize = 4;
    pub(super) const CHECKSUM: usize = 6;

    const _: () = assert!(CHECKSUM + 2 == super::HEADER_LEN);
}

/// A datagram, borrowed from its packet.
#[derive(Debug, Clone, Copy)]
pub struct Udp<'a> {
    header: &'a [u8; HEADER_LEN],
    /// Header and payload.
    datagram: &'a [u8],
}

impl<'a> Udp<'a> {
    /// Checks the payload of `ip`; octets behind the UDP length are left out.
    ///
    /// # Errors
    ///
    /// Refuses a datagram that is cut, whose length is wrong, or whose checksum is neither
    /// right nor 0: 0 says that the sender made none.
    #[inline]
    pub fn parse(ip: &Ipv4<'a>, checksum: Checksum) -> Result<Self, Malformed> {
        let datagram = Self::of(ip)?;
        datagram.check(ip, checksum)?;
        Ok(datagram)
    }

    /// The datagram of `ip`, lengths checked.
    #[inline]
    pub(crate) fn of(ip: &Ipv4<'a>) -> Result<Self, Malformed> {
        let octets = ip.payload();
        let header = octets.first_chunk().ok_or(Malformed::UdpTruncated)?;
        let length = u16::from_be_bytes(field::octets::<{ at::LENGTH }, 2, HEADER_LEN>(header));
        match octets.get(..usize::from(length)) {
            Some(datagram) if datagram.len() >= HEADER_LEN => Ok(Self { header, datagram }),
            _ => Err(Malformed::UdpLength),
        }
    }

    /// Compares the checksum, if it is to be compared and there is one.
    #[inline]
    pub(crate) fn check(&self, ip: &Ipv4<'a>, checksum: Checksum) -> Result<(), Malformed> {
        let none = field::octets::<{ at::CHECKSUM }, 2, HEADER_LEN>(self.header) == [0; 2];
        if none || checksum == Checksum::Trusted {
            return Ok(());
        }
        let [.., high, low] = self.datagram.len().to_be_bytes();
        let length = u16::from_be_bytes([high, low]);
        if pseudo_header(ip.src(), ip.dst(), length)
            .add_octets(self.datagram)
            .checksum()
            == 0
        {
            Ok(())
        } else {
            Err(Malformed::UdpChecksum)
        }
    }

    /// Source port.
    #[inline]
    #[must_use]
    pub fn src_port(&self) -> u16 {
        u16::from_be_bytes(field::octets::<{ at::SRC_PORT }, 2, HEADER_LEN>(
            self.header,
        ))
    }

    /// Destination port.
    #[inline]
    #[must_use]
    pub fn dst_port(&self) -> u16 {
        u16::from_be_bytes(field::octets::<{ at::DST_PORT }, 2, HEADER_LEN>(
            self.header,
        ))
    }

    /// Octets behind the header, up to the UDP length.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.datagram[HEADER_LEN..]
    }
}

#[inline]
fn pseudo_header(src: Ipv4Addr, dst: Ipv4Addr, length: u16) -> Sum {
    Sum::default()
        .add_octets(&src.octets())
        .add_octets(&dst.octets())
        .add_word(protocol::UDP.into())
        .add_word(length)
}

/// What stands in the checksum field of a datagram that is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Fill {
    /// The checksum.
    #[default]
    Computed,
    /// Zero: there is none.
    Zero,
    /// The sum of the pseudo-header, from which the device makes the checksum.
    PseudoHeader,
}

/// What a header says that is written, and the addresses that its checksum covers.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
}

/// Writes the header of a datagram whose payload stands in `buf` behind it already, and returns
/// the header's length; `None` if `buf` is too short or the datagram would be too long.
#[inline]
#[must_use]
pub fn write(buf: &mut [u8], header: &Header, payload_len: usize, fill: Fill) -> Option<usize> {
    let len = HEADER_LEN.checked_add(payload_len)?;
    let length = u16::try_from(len).ok()?;
    let datagram = buf.get_mut(..len)?;
    let octets = datagram.first_chunk_mut::<HEADER_LEN>()?;
    field::put::<{ at::SRC_PORT }, 2, HEADER_LEN>(octets, header.src_port.to_be_bytes());
    field::put::<{ at::DST_PORT }, 2, HEADER_LEN>(octets, header.dst_port.to_be_bytes());
    field::put::<{ at::LENGTH }, 2, HEADER_LEN>(octets, length.to_be_bytes());
    field::put::<{ at::CHECKSUM }, 2, HEADER_LEN>(octets, [0; 2]);
    let pseudo_header = pseudo_header(header.src, header.dst, length);
    let checksum = match fill {
        // A computed 0 is sent as its other form, since 0 says "none" (RFC 768).
        Fill::Computed => match pseudo_header.add_octets(datagram).checksum() {
            0 => 0xffff,
            checksum => checksum,
        },
        Fill::Zero => 0,
        Fill::PseudoHeader => pseudo_header.folded(),
    };
    let octets = datagram.first_chunk_mut::<HEADER_LEN>()?;
    field::put::<{ at::CHECKSUM }, 2, HEADER_LEN>(octets, checksum.to_be_bytes());
    Some(HEADER_LEN)
}
