//! What a device does instead of the processor.

use core::fmt;
use core::ops::BitOr;

use dpdk_sys as sys;

/// A set of offloads: those wanted of a port, or those it has.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Offloads(u8);

/// An offload's name, its bit, and DPDK's bit of it for receive and for transmit.
type Row = (&'static str, Offloads, u64, u64);

impl Offloads {
    /// Checks the IPv4 header checksum of received frames.
    pub const RX_IP_CHECKSUM: Self = Self(1);
    /// Checks the UDP checksum of received frames.
    pub const RX_UDP_CHECKSUM: Self = Self(1 << 1);
    /// Takes the outermost VLAN tag out of received frames.
    pub const RX_VLAN_STRIP: Self = Self(1 << 2);
    /// Takes the two outermost VLAN tags out of received frames.
    pub const RX_QINQ_STRIP: Self = Self(1 << 3);
    /// Computes the IPv4 header checksum of frames sent.
    pub const TX_IP_CHECKSUM: Self = Self(1 << 4);
    /// Computes the UDP checksum of frames sent.
    pub const TX_UDP_CHECKSUM: Self = Self(1 << 5);
    /// Puts a VLAN tag into frames sent.
    pub const TX_VLAN_INSERT: Self = Self(1 << 6);

    /// No offload.
    pub const NONE: Self = Self(0);
    /// Every checksum, both ways.
    pub const CHECKSUMS: Self = Self(0b011_0011);

    const ALL: [Row; 7] = [
        (
            "RX_IP_CHECKSUM",
            Self::RX_IP_CHECKSUM,
            sys::DPDK_PORT_RX_IP_CKSUM,
            0,
        ),
        (
            "RX_UDP_CHECKSUM",
            Self::RX_UDP_CHECKSUM,
            sys::DPDK_PORT_RX_UDP_CKSUM,
            0,
        ),
        (
            "RX_VLAN_STRIP",
            Self::RX_VLAN_STRIP,
            sys::DPDK_PORT_RX_VLAN_STRIP,
            0,
        ),
        (
            "RX_QINQ_STRIP",
            Self::RX_QINQ_STRIP,
            sys::DPDK_PORT_RX_QINQ_STRIP,
            0,
        ),
        (
            "TX_IP_CHECKSUM",
            Self::TX_IP_CHECKSUM,
            0,
            sys::DPDK_PORT_TX_IP_CKSUM,
        ),
        (
            "TX_UDP_CHECKSUM",
            Self::TX_UDP_CHECKSUM,
            0,
            sys::DPDK_PORT_TX_UDP_CKSUM,
        ),
        (
            "TX_VLAN_INSERT",
            Self::TX_VLAN_INSERT,
            0,
            sys::DPDK_PORT_TX_VLAN,
        ),
    ];

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that DPDK's capability bits of a device name.
    pub(super) fn of_device(rx: u64, tx: u64) -> Self {
        let able = |&&(_, _, of_rx, of_tx): &&Row| rx & of_rx == of_rx && tx & of_tx == of_tx;
        let able = Self::ALL.iter().filter(able);
        able.fold(Self::NONE, |set, &(_, one, _, _)| set | one)
    }

    /// DPDK's bits for these, receive and transmit.
    pub(super) fn bits(self) -> (u64, u64) {
        let wanted = Self::ALL.iter().filter(|row| self.contains(row.1));
        wanted.fold((0, 0), |(rx, tx), row| (rx | row.2, tx | row.3))
    }

    /// Whether frames must be prepared for the device before they are sent.
    pub(crate) const fn prepares(self) -> bool {
        self.0 & (Self::TX_IP_CHECKSUM.0 | Self::TX_UDP_CHECKSUM.0) != 0
    }
}

impl BitOr for Offloads {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Offloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::ALL.iter().filter(|row| self.contains(row.1));
        f.debug_set().entries(names.map(|row| row.0)).finish()
    }
}
