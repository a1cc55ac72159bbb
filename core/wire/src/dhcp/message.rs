//! The fixed part of a message, RFC 2131 §2.

use core::net::Ipv4Addr;

use super::Options;
use crate::{Malformed, field};

/// Octets before the options: the fixed part and the magic cookie, RFC 2131 §2, §3.
pub(super) const FIXED: usize = 240;

/// Octets of `chaddr`.
pub(super) const CHADDR_LEN: usize = 16;

/// Octets of `sname`.
pub(super) const SNAME_LEN: usize = 64;

/// Octets of `file`.
pub(super) const FILE_LEN: usize = 128;

pub(super) const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// The flag by which a client asks for broadcast replies, RFC 2131 figure 2.
const BROADCAST: u16 = 0x8000;

/// Values of `op`.
pub mod op {
    /// BOOTREQUEST: to a server.
    pub const REQUEST: u8 = 1;
    /// BOOTREPLY: from a server.
    pub const REPLY: u8 = 2;
}

/// Where each field begins, RFC 2131 figure 1.
pub(super) mod at {
    pub(in crate::dhcp) const OP: usize = 0;
    pub(in crate::dhcp) const HTYPE: usize = 1;
    pub(in crate::dhcp) const HLEN: usize = 2;
    pub(in crate::dhcp) const HOPS: usize = 3;
    pub(in crate::dhcp) const XID: usize = 4;
    pub(in crate::dhcp) const SECS: usize = 8;
    pub(in crate::dhcp) const FLAGS: usize = 10;
    pub(in crate::dhcp) const CIADDR: usize = 12;
    pub(in crate::dhcp) const YIADDR: usize = 16;
    pub(in crate::dhcp) const SIADDR: usize = 20;
    pub(in crate::dhcp) const GIADDR: usize = 24;
    pub(in crate::dhcp) const CHADDR: usize = 28;
    pub(in crate::dhcp) const SNAME: usize = 44;
    pub(in crate::dhcp) const FILE: usize = 108;
    pub(in crate::dhcp) const COOKIE: usize = 236;

    const _: () = assert!(GIADDR + 4 == CHADDR && CHADDR + super::CHADDR_LEN == SNAME);
    const _: () = assert!(SNAME + super::SNAME_LEN == FILE && FILE + super::FILE_LEN == COOKIE);
    const _: () = assert!(COOKIE + 4 == super::FIXED);
}

/// A message, borrowed from the packet it arrived in.
///
/// [`Message::parse`] is the only way in and refuses what an accessor could not
/// answer for, so no accessor fails.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    fixed: &'a [u8; FIXED],
    /// All of the message, not longer than a `u16` can say.
    octets: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks the fixed part of `octets`, a UDP payload.
    ///
    /// # Errors
    ///
    /// Returns the first reason the octets are not a message.
    #[inline]
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let fixed = octets.first_chunk().ok_or(Malformed::MessageTruncated)?;
        if octets.len() > usize::from(u16::MAX) {
            return Err(Malformed::MessageOversize);
        }
        let message = Self { fixed, octets };
        if message.field::<{ at::COOKIE }, 4>() != COOKIE {
            return Err(Malformed::Cookie);
        }
        if !matches!(message.op(), op::REQUEST | op::REPLY) {
            return Err(Malformed::Op);
        }
        if usize::from(message.hlen()) > CHADDR_LEN {
            return Err(Malformed::HardwareLength);
        }
        Ok(message)
    }

    /// giaddr of what may be a message, or ciaddr where that is 0: what its network most likely
    /// goes by, so that it can be fetched ahead. Octets of something else say something else.
    #[inline]
    #[must_use]
    pub fn glance(octets: &[u8]) -> Option<Ipv4Addr> {
        let field = |at: usize| Some(Ipv4Addr::from(*octets.get(at..)?.first_chunk::<4>()?));
        let giaddr = field(at::GIADDR)?;
        if giaddr.is_unspecified() {
            field(at::CIADDR)
        } else {
            Some(giaddr)
        }
    }

    /// As [`Message::parse`], for a server, which answers no replies.
    ///
    /// # Errors
    ///
    /// Returns the first reason the octets are not a request.
    #[inline]
    pub fn parse_request(octets: &'a [u8]) -> Result<Self, Malformed> {
        let message = Self::parse(octets)?;
        if message.op() == op::REQUEST {
            Ok(message)
        } else {
            Err(Malformed::NotARequest)
        }
    }

    /// Walks the options once, so that each can be asked for.
    ///
    /// # Errors
    ///
    /// Refuses options of which one overruns its field.
    #[inline]
    pub fn options(self) -> Result<Options<'a>, Malformed> {
        Options::parse(self.octets)
    }

    /// All octets of the message.
    #[inline]
    #[must_use]
    pub const fn as_octets(self) -> &'a [u8] {
        self.octets
    }

    /// BOOTREQUEST or BOOTREPLY.
    #[inline]
    #[must_use]
    pub const fn op(self) -> u8 {
        self.fixed[at::OP]
    }

    /// Hardware type.
    #[inline]
    #[must_use]
    pub const fn htype(self) -> u8 {
        self.fixed[at::HTYPE]
    }

    /// Octets of the hardware address, at most sixteen.
    #[inline]
    #[must_use]
    pub const fn hlen(self) -> u8 {
        self.fixed[at::HLEN]
    }

    /// Relay agents that the message passed.
    #[inline]
    #[must_use]
    pub const fn hops(self) -> u8 {
        self.fixed[at::HOPS]
    }

    /// Transaction.
    #[inline]
    #[must_use]
    pub fn xid(self) -> u32 {
        u32::from_be_bytes(self.field::<{ at::XID }, 4>())
    }

    /// Seconds since the client began.
    #[inline]
    #[must_use]
    pub fn secs(self) -> u16 {
        u16::from_be_bytes(self.field::<{ at::SECS }, 2>())
    }

    /// Flags, all sixteen.
    #[inline]
    #[must_use]
    pub fn flags(self) -> u16 {
        u16::from_be_bytes(self.field::<{ at::FLAGS }, 2>())
    }

    /// Whether the client asks for broadcast replies.
    #[inline]
    #[must_use]
    pub fn broadcast(self) -> bool {
        self.flags() & BROADCAST != 0
    }

    /// Address that the client has and answers for; unspecified if none.
    #[inline]
    #[must_use]
    pub fn ciaddr(self) -> Ipv4Addr {
        self.field::<{ at::CIADDR }, 4>().into()
    }

    /// Address that the client is given.
    #[inline]
    #[must_use]
    pub fn yiaddr(self) -> Ipv4Addr {
        self.field::<{ at::YIADDR }, 4>().into()
    }

    /// Next server of a boot.
    #[inline]
    #[must_use]
    pub fn siaddr(self) -> Ipv4Addr {
        self.field::<{ at::SIADDR }, 4>().into()
    }

    /// Relay agent the message came through; unspecified if none.
    #[inline]
    #[must_use]
    pub fn giaddr(self) -> Ipv4Addr {
        self.field::<{ at::GIADDR }, 4>().into()
    }

    /// Hardware address of the client, `hlen` octets of the sixteen.
    #[inline]
    #[must_use]
    pub fn chaddr(self) -> &'a [u8] {
        &self.chaddr_field()[..usize::from(self.hlen())]
    }

    /// The sixteen octets that hold the hardware address.
    #[inline]
    #[must_use]
    pub fn chaddr_field(self) -> &'a [u8; CHADDR_LEN] {
        self.part::<{ at::CHADDR }, CHADDR_LEN>()
    }

    /// Server host name, or options if option 52 says so.
    #[inline]
    #[must_use]
    pub fn sname(self) -> &'a [u8; SNAME_LEN] {
        self.part::<{ at::SNAME }, SNAME_LEN>()
    }

    /// Boot file name, or options if option 52 says so.
    #[inline]
    #[must_use]
    pub fn file(self) -> &'a [u8; FILE_LEN] {
        self.part::<{ at::FILE }, FILE_LEN>()
    }

    fn field<const AT: usize, const N: usize>(self) -> [u8; N] {
        field::octets::<AT, N, FIXED>(self.fixed)
    }

    fn part<const AT: usize, const N: usize>(self) -> &'a [u8; N] {
        field::part::<AT, N, FIXED>(self.fixed)
    }
}
