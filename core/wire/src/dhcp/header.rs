//! The fixed part of a message that is written.

use core::net::Ipv4Addr;

use super::message::{CHADDR_LEN, COOKIE, FIXED, Message, at, op};
use crate::field;

/// The fixed part of a message that is written, but for `sname` and `file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// BOOTREQUEST or BOOTREPLY.
    pub op: u8,
    /// Hardware type.
    pub htype: u8,
    /// Octets of the hardware address.
    pub hlen: u8,
    /// Relay agents passed.
    pub hops: u8,
    /// Transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// Flags.
    pub flags: u16,
    /// Address that the client has.
    pub ciaddr: Ipv4Addr,
    /// Address that the client is given.
    pub yiaddr: Ipv4Addr,
    /// Next server of a boot.
    pub siaddr: Ipv4Addr,
    /// Relay agent.
    pub giaddr: Ipv4Addr,
    /// The sixteen octets that hold the hardware address.
    pub chaddr: [u8; CHADDR_LEN],
}

impl Header {
    /// The fixed part of a reply to `query` that gives nothing yet: RFC 2131 §4.3.1, table 3.
    #[inline]
    #[must_use]
    pub fn reply_to(query: Message<'_>) -> Self {
        Self {
            op: op::REPLY,
            htype: query.htype(),
            hlen: query.hlen(),
            hops: 0,
            xid: query.xid(),
            secs: 0,
            flags: query.flags(),
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: query.giaddr(),
            chaddr: *query.chaddr_field(),
        }
    }

    /// Fills all of `fixed`, `sname` and `file` with zeros.
    pub(super) fn write(&self, fixed: &mut [u8; FIXED]) {
        *fixed = [0; FIXED];
        field::put::<{ at::OP }, 4, FIXED>(fixed, [self.op, self.htype, self.hlen, self.hops]);
        field::put::<{ at::XID }, 4, FIXED>(fixed, self.xid.to_be_bytes());
        field::put::<{ at::SECS }, 2, FIXED>(fixed, self.secs.to_be_bytes());
        field::put::<{ at::FLAGS }, 2, FIXED>(fixed, self.flags.to_be_bytes());
        field::put::<{ at::CIADDR }, 4, FIXED>(fixed, self.ciaddr.octets());
        field::put::<{ at::YIADDR }, 4, FIXED>(fixed, self.yiaddr.octets());
        field::put::<{ at::SIADDR }, 4, FIXED>(fixed, self.siaddr.octets());
        field::put::<{ at::GIADDR }, 4, FIXED>(fixed, self.giaddr.octets());
        field::put::<{ at::CHADDR }, CHADDR_LEN, FIXED>(fixed, self.chaddr);
        field::put::<{ at::COOKIE }, 4, FIXED>(fixed, COOKIE);
    }
}
