//! What names a next hop.

use std::net::Ipv4Addr;

use dhcp_wire::ethernet::{Tag, Tags, ethertype};

/// A next hop: port, VLANs and address. Links have numbers that a reload changes, these stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u64);

impl Key {
    /// The station `addr` on the link of a port and its VLANs, 0 where there is none.
    #[must_use]
    pub fn new(port: u8, (outer, inner): (u16, u16), addr: Ipv4Addr) -> Self {
        let vids = u32::from(outer & 0xfff) << 12 | u32::from(inner & 0xfff);
        let link = u32::from(port) << 24 | vids;
        Self(u64::from(link) << 32 | u64::from(addr.to_bits()))
    }

    /// The port.
    #[must_use]
    pub const fn port(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    /// Outer and inner VLAN, 0 where there is none.
    #[must_use]
    pub const fn vids(self) -> (u16, u16) {
        let [_, a, b, c, ..] = self.0.to_be_bytes();
        let outer = u16::from_be_bytes([a, b]) >> 4;
        let inner = u16::from_be_bytes([b, c]) & 0xfff;
        (outer, inner)
    }

    /// The address.
    #[must_use]
    pub const fn addr(self) -> Ipv4Addr {
        let [.., a, b, c, d] = self.0.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    }

    /// What stands for the tags' ethertypes and priorities until a frame of the link shows them:
    /// 802.1Q, or 802.1ad around it.
    #[must_use]
    pub fn usual_tags(self) -> Tags {
        let tag = |tpid, tci| (tci != 0).then_some(Tag { tpid, tci });
        let (outer, inner) = self.vids();
        let inner = tag(ethertype::VLAN, inner);
        let tpid = if inner.is_some() {
            ethertype::QINQ
        } else {
            ethertype::VLAN
        };
        Tags {
            outer: tag(tpid, outer),
            inner,
        }
    }
}
