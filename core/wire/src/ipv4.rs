//! IPv4, RFC 791. Fragments are recognised, never joined.

use core::net::Ipv4Addr;

use crate::checksum::Sum;
use crate::field;
use crate::{Checksum, Malformed};

/// Octets of a header without options.
pub const HEADER_LEN: usize = 20;

/// Protocol numbers that the appliance knows.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// UDP.
    pub const UDP: u8 = 17;
}

mod at {
    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOS: usize = 1;
    pub(super) const LENGTH: usize = 2;
    pub(super) const ID: usize = 4;
    pub(super) const FRAGMENT: usize = 6;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: usize = 10;
    pub(super) const SRC: usize = 12;
    pub(super) const DST: usize = 16;

    const _: () = assert!(DST + 4 == super::HEADER_LEN);
}

/// A packet, borrowed from its frame.
#[derive(Debug, Clone, Copy)]
pub struct Ipv4<'a> {
    fixed: &'a [u8; HEADER_LEN],
    header_len: usize,
    payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Checks `octets`, the payload of a frame; padding behind the packet is left out.
    ///
    /// # Errors
    ///
    /// Returns the first reason why this is no whole datagram.
    #[inline]
    pub fn parse(octets: &'a [u8], checksum: Checksum) -> Result<Self, Malformed> {
        let packet = Self::parse_any(octets, checksum)?;
        if packet.is_fragment() {
            return Err(Malformed::Ipv4Fragment);
        }
        Ok(packet)
    }

    /// As [`Ipv4::parse`], and takes fragments too: their payload is not a datagram's.
    ///
    /// # Errors
    ///
    /// Returns the first reason why this is no packet.
    #[inline]
    pub fn parse_any(octets: &'a [u8], checksum: Checksum) -> Result<Self, Malformed> {
        let fixed: &[u8; HEADER_LEN] = octets.first_chunk().ok_or(Malformed::Ipv4Truncated)?;
        let [version_ihl] = field::octets::<{ at::VERSION_IHL }, 1, HEADER_LEN>(fixed);
        if version_ihl >> 4 != 4 {
            return Err(Malformed::Ipv4Version);
        }
        let header_len = usize::from(version_ihl & 0x0f) * 4;
        if header_len < HEADER_LEN || header_len > octets.len() {
            return Err(Malformed::Ipv4HeaderLength);
        }
        let total = u16::from_be_bytes(field::octets::<{ at::LENGTH }, 2, HEADER_LEN>(fixed));
        let payload = octets
            .get(header_len..usize::from(total))
            .ok_or(Malformed::Ipv4Length)?;
        if checksum == Checksum::Verify
            && Sum::default().add_octets(&octets[..header_len]).checksum() != 0
        {
            return Err(Malformed::Ipv4Checksum);
        }
        Ok(Self {
            fixed,
            header_len,
            payload,
        })
    }

    /// Source address.
    #[inline]
    #[must_use]
    pub fn src(&self) -> Ipv4Addr {
        self.octets::<{ at::SRC }, 4>().into()
    }

    /// Destination address.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> Ipv4Addr {
        self.octets::<{ at::DST }, 4>().into()
    }

    /// Protocol of the payload.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.fixed[at::PROTOCOL]
    }

    /// Time to live.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.fixed[at::TTL]
    }

    /// Type of service: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn tos(&self) -> u8 {
        self.fixed[at::TOS]
    }

    /// Whether more fragments follow or others precede.
    #[inline]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        const MORE_OR_OFFSET: u16 = 0x3fff;
        u16::from_be_bytes(self.octets::<{ at::FRAGMENT }, 2>()) & MORE_OR_OFFSET != 0
    }

    /// Octets behind the header, up to the total length.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Octets of the header, its options included.
    #[inline]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }

    #[inline]
    fn octets<const AT: usize, const N: usize>(&self) -> [u8; N] {
        field::octets::<AT, N, HEADER_LEN>(self.fixed)
    }
}

/// What a header says that is written.
#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Identification, for routers that fragment: DF is not set.
    pub id: u16,
}

/// Writes a header for `payload_len` octets to the front of `buf`, its checksum computed, and
/// returns its length; `None` if `buf` is too short or the packet would be too long.
#[inline]
#[must_use]
pub fn write(buf: &mut [u8], header: &Header, payload_len: usize) -> Option<usize> {
    let fixed = buf.first_chunk_mut::<HEADER_LEN>()?;
    let total = u16::try_from(HEADER_LEN.checked_add(payload_len)?).ok()?;
    *fixed = [0; HEADER_LEN];
    fixed[at::VERSION_IHL] = 0x45;
    fixed[at::TOS] = header.tos;
    fixed[at::TTL] = header.ttl;
    fixed[at::PROTOCOL] = header.protocol;
    field::put::<{ at::LENGTH }, 2, HEADER_LEN>(fixed, total.to_be_bytes());
    field::put::<{ at::ID }, 2, HEADER_LEN>(fixed, header.id.to_be_bytes());
    field::put::<{ at::SRC }, 4, HEADER_LEN>(fixed, header.src.octets());
    field::put::<{ at::DST }, 4, HEADER_LEN>(fixed, header.dst.octets());
    let checksum = Sum::default().add_octets(fixed).checksum();
    field::put::<{ at::CHECKSUM }, 2, HEADER_LEN>(fixed, checksum.to_be_bytes());
    Some(HEADER_LEN)
}
