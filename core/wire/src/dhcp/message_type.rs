//! What a message is, option 53.

use crate::Malformed;

/// Message types that travel over UDP: RFC 2132 §9.6, RFC 3203, RFC 4388.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageType {
    /// DHCPDISCOVER
    Discover = 1,
    /// DHCPOFFER
    Offer,
    /// DHCPREQUEST
    Request,
    /// DHCPDECLINE
    Decline,
    /// DHCPACK
    Ack,
    /// DHCPNAK
    Nak,
    /// DHCPRELEASE
    Release,
    /// DHCPINFORM
    Inform,
    /// DHCPFORCERENEW
    ForceRenew,
    /// DHCPLEASEQUERY
    LeaseQuery,
    /// DHCPLEASEUNASSIGNED
    LeaseUnassigned,
    /// DHCPLEASEUNKNOWN
    LeaseUnknown,
    /// DHCPLEASEACTIVE
    LeaseActive,
}

impl MessageType {
    /// The type that option 53 gives.
    ///
    /// # Errors
    ///
    /// Refuses what is not assigned, and 14 to 18, which belong to TCP.
    pub const fn from_octet(octet: u8) -> Result<Self, Malformed> {
        Ok(match octet {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            9 => Self::ForceRenew,
            10 => Self::LeaseQuery,
            11 => Self::LeaseUnassigned,
            12 => Self::LeaseUnknown,
            13 => Self::LeaseActive,
            14..=18 => return Err(Malformed::MessageTypeNotOverUdp),
            0 | 19.. => return Err(Malformed::MessageTypeUnknown),
        })
    }

    /// Whether a client or a requestor sends it. All others come from servers.
    #[inline]
    #[must_use]
    pub const fn is_from_client(self) -> bool {
        match self {
            Self::Discover
            | Self::Request
            | Self::Decline
            | Self::Release
            | Self::Inform
            | Self::LeaseQuery => true,
            Self::Offer
            | Self::Ack
            | Self::Nak
            | Self::ForceRenew
            | Self::LeaseUnassigned
            | Self::LeaseUnknown
            | Self::LeaseActive => false,
        }
    }
}
