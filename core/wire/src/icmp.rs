//! ICMP echo, RFC 792.

use crate::checksum::{self, Sum};
use crate::field;
use crate::{Checksum, Malformed};

/// Octets of an echo header.
pub const HEADER_LEN: usize = 8;

const ECHO_REPLY: [u8; 2] = [0, 0];
const ECHO_REQUEST: [u8; 2] = [8, 0];

mod at {
    pub(super) const TYPE_CODE: usize = 0;
    pub(super) const CHECKSUM: usize = 2;
    pub(super) const IDENT: usize = 4;
    pub(super) const SEQUENCE: usize = 6;

    const _: () = assert!(SEQUENCE + 2 == super::HEADER_LEN);
}

/// An ICMP message, borrowed from its packet.
#[derive(Debug, Clone, Copy)]
pub struct Icmp<'a> {
    header: &'a [u8; HEADER_LEN],
    data: &'a [u8],
}

impl<'a> Icmp<'a> {
    /// Checks `octets`, the payload of a packet.
    ///
    /// # Errors
    ///
    /// Refuses a message that is cut or whose checksum is wrong.
    pub fn parse(octets: &'a [u8], checksum: Checksum) -> Result<Self, Malformed> {
        let (header, data) = octets.split_first_chunk().ok_or(Malformed::IcmpTruncated)?;
        if checksum == Checksum::Verify && Sum::default().add_octets(octets).checksum() != 0 {
            return Err(Malformed::IcmpChecksum);
        }
        Ok(Self { header, data })
    }

    /// Whether this asks for an echo.
    #[inline]
    #[must_use]
    pub fn is_echo_request(&self) -> bool {
        field::octets::<{ at::TYPE_CODE }, 2, HEADER_LEN>(self.header) == ECHO_REQUEST
    }

    /// Whether this is an echo.
    #[inline]
    #[must_use]
    pub fn is_echo_reply(&self) -> bool {
        field::octets::<{ at::TYPE_CODE }, 2, HEADER_LEN>(self.header) == ECHO_REPLY
    }

    /// Identifier of an echo.
    #[inline]
    #[must_use]
    pub fn ident(&self) -> u16 {
        u16::from_be_bytes(field::octets::<{ at::IDENT }, 2, HEADER_LEN>(self.header))
    }

    /// Sequence number of an echo.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> u16 {
        u16::from_be_bytes(field::octets::<{ at::SEQUENCE }, 2, HEADER_LEN>(
            self.header,
        ))
    }

    /// Octets behind the header.
    #[inline]
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Turns an echo request into its reply where it stands; `None` if it is not one.
#[inline]
#[must_use]
pub fn write_echo_reply(message: &mut [u8]) -> Option<()> {
    let header = message.first_chunk_mut::<HEADER_LEN>()?;
    if field::octets::<{ at::TYPE_CODE }, 2, HEADER_LEN>(header) != ECHO_REQUEST {
        return None;
    }
    let old = u16::from_be_bytes(field::octets::<{ at::CHECKSUM }, 2, HEADER_LEN>(header));
    let new = checksum::update(
        old,
        u16::from_be_bytes(ECHO_REQUEST),
        u16::from_be_bytes(ECHO_REPLY),
    );
    field::put::<{ at::TYPE_CODE }, 2, HEADER_LEN>(header, ECHO_REPLY);
    field::put::<{ at::CHECKSUM }, 2, HEADER_LEN>(header, new.to_be_bytes());
    Some(())
}

/// Writes an echo request to the front of `buf` and returns its length; `None` if `buf` is too
/// short.
#[inline]
#[must_use]
pub fn write_echo_request(buf: &mut [u8], ident: u16, sequence: u16, data: &[u8]) -> Option<usize> {
    let len = HEADER_LEN.checked_add(data.len())?;
    let message = buf.get_mut(..len)?;
    let (header, rest) = message.split_first_chunk_mut::<HEADER_LEN>()?;
    rest.copy_from_slice(data);
    field::put::<{ at::TYPE_CODE }, 2, HEADER_LEN>(header, ECHO_REQUEST);
    field::put::<{ at::CHECKSUM }, 2, HEADER_LEN>(header, [0; 2]);
    field::put::<{ at::IDENT }, 2, HEADER_LEN>(header, ident.to_be_bytes());
    field::put::<{ at::SEQUENCE }, 2, HEADER_LEN>(header, sequence.to_be_bytes());
    let checksum = Sum::default().add_octets(message).checksum();
    message[at::CHECKSUM..at::CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    Some(len)
}
