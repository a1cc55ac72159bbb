//! Captures as files: pcapng is written, pcapng and the older pcap are read.
//!
//! `draft-ietf-opsawg-pcapng` and `draft-ietf-opsawg-pcap` say what each octet means. Both are
//! read here and not by a crate: what an operator has may be cut off or damaged anywhere, and is
//! then refused with its place, or used up to there.

mod fields;
mod reader;
mod writer;

pub use reader::{CaptureError, Frame, Reader};
pub use writer::{Statistics, Writer};

/// Whether a frame was received or sent, as the capture's flags have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It came in.
    Inbound,
    /// It went out.
    Outbound,
}

/// Ethernet, as captures name it.
const ETHERNET: u16 = 1;

/// Types of blocks of pcapng.
mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const OLD_PACKET: u32 = 2;
    pub(super) const SIMPLE_PACKET: u32 = 3;
    pub(super) const STATISTICS: u32 = 5;
    pub(super) const PACKET: u32 = 6;
}

/// What tells the octet order of a section of pcapng.
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Codes of options of pcapng, by the block that has them.
mod option {
    pub(super) const USER_APPLICATION: u16 = 4; // section
    pub(super) const NAME: u16 = 2; // interface
    pub(super) const TIME_RESOLUTION: u16 = 9;
    pub(super) const TIME_OFFSET: u16 = 14;
    pub(super) const FLAGS: u16 = 2; // packet
    pub(super) const BEGIN: u16 = 2; // statistics
    pub(super) const END: u16 = 3;
    pub(super) const RECEIVED: u16 = 4;
    pub(super) const DROPPED: u16 = 5;
}
