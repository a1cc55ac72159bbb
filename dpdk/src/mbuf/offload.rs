//! What a device did to a received frame, and what it is asked to do to one that is sent.

use dpdk_sys as sys;

use super::{Mbuf, field};
use crate::Offloads;

/// What the device found of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It did not look: the checksum is to be computed.
    Unknown,
    /// It is right, or the frame never left the machine and needs none.
    Good,
    /// It is wrong.
    Bad,
}

/// VLAN tags that the device took out of a received frame. The octets of the frame begin as if
/// they had never been there; tags that are still in it are not counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrippedTags {
    /// None.
    None,
    /// The outermost, with this tag control information.
    One(u16),
    /// The two outermost.
    Two {
        /// Tag control information of the first on the wire.
        outer: u16,
        /// Tag control information of the second.
        inner: u16,
    },
}

/// Where a checksum is in its header, and where the parts of the pseudo header are in IPv4's.
mod at {
    pub(super) const IP_TOTAL_LENGTH: usize = 2;
    pub(super) const IP_PROTOCOL: usize = 9;
    pub(super) const IP_CHECKSUM: usize = 10;
    pub(super) const IP_ADDRESSES: usize = 12;
    pub(super) const IP_OPTIONS: usize = 20;
    pub(super) const UDP_CHECKSUM: usize = 6;
    pub(super) const UDP_PAYLOAD: usize = 8;
}

/// The frame has not the headers that the caller says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame has no IPv4 and UDP header of these lengths")]
pub struct NoHeaders;

impl Mbuf {
    /// The VLAN tags that the device took out of this received frame.
    #[must_use]
    #[inline]
    pub fn stripped_tags(&self) -> StrippedTags {
        let flags = self.flags();
        // SAFETY: the buffer is ours.
        let tci = unsafe { field::VLAN_TCI.read(self.0) };
        // SAFETY: the buffer is ours.
        let outer = unsafe { field::VLAN_TCI_OUTER.read(self.0) };
        let vlan = flags & sys::DPDK_RX_VLAN_STRIPPED != 0;
        let qinq = flags & sys::DPDK_RX_QINQ_STRIPPED != 0;
        // The flags RX_VLAN and RX_QINQ say that there was a tag, not that it is gone.
        match (qinq, vlan) {
            (true, true) => StrippedTags::Two { outer, inner: tci },
            (true, false) => StrippedTags::One(outer),
            (false, true) => StrippedTags::One(tci),
            (false, false) => StrippedTags::None,
        }
    }

    /// What the device found of the IPv4 header's checksum.
    #[must_use]
    #[inline]
    pub fn ip_checksum(&self) -> Checksum {
        match self.flags() & sys::DPDK_RX_IP_CKSUM_MASK {
            sys::DPDK_RX_IP_CKSUM_BAD => Checksum::Bad,
            sys::DPDK_RX_IP_CKSUM_GOOD | sys::DPDK_RX_IP_CKSUM_NONE => Checksum::Good,
            _ => Checksum::Unknown,
        }
    }

    /// What the device found of the UDP checksum.
    #[must_use]
    #[inline]
    pub fn l4_checksum(&self) -> Checksum {
        match self.flags() & sys::DPDK_RX_L4_CKSUM_MASK {
            sys::DPDK_RX_L4_CKSUM_BAD => Checksum::Bad,
            sys::DPDK_RX_L4_CKSUM_GOOD | sys::DPDK_RX_L4_CKSUM_NONE => Checksum::Good,
            _ => Checksum::Unknown,
        }
    }

    /// Asks the device for those checksums of a UDP datagram that `port` has the offload for, and
    /// prepares their fields: the IPv4 checksum is zeroed, the UDP checksum holds the sum of the
    /// pseudo header. The others are left to the caller. `l2_len` octets stand before the IPv4
    /// header, which has `l3_len`.
    ///
    /// # Errors
    ///
    /// [`NoHeaders`] if the frame is shorter than its headers or `l3_len` is no header's length;
    /// nothing changes.
    pub fn request_checksums(
        &mut self,
        port: Offloads,
        l2_len: usize,
        l3_len: usize,
    ) -> Result<(), NoHeaders> {
        let lengths = lengths(l2_len, l3_len).ok_or(NoHeaders)?;
        let headers = self.data_mut().get_mut(l2_len..).ok_or(NoHeaders)?;
        let (ip, udp) = headers.split_at_mut_checked(l3_len).ok_or(NoHeaders)?;
        if l3_len < at::IP_OPTIONS || udp.len() < at::UDP_PAYLOAD {
            return Err(NoHeaders);
        }
        let mut flags = 0;
        if port.contains(Offloads::TX_UDP_CHECKSUM) {
            let sum = pseudo_header_sum(ip).to_be_bytes();
            udp[at::UDP_CHECKSUM..at::UDP_PAYLOAD].copy_from_slice(&sum);
            flags |= sys::DPDK_TX_UDP_CKSUM | sys::DPDK_TX_IPV4;
        }
        if port.contains(Offloads::TX_IP_CHECKSUM) {
            ip[at::IP_CHECKSUM..at::IP_ADDRESSES].fill(0);
            flags |= sys::DPDK_TX_IP_CKSUM | sys::DPDK_TX_IPV4;
        }
        // SAFETY: the buffer is ours, and the lengths are those of headers within it.
        unsafe { field::TX_OFFLOAD.write(self.0, lengths) };
        self.set_flags(self.flags() | flags);
        Ok(())
    }

    /// Asks the device to put a tag with this control information in front of the frame, which
    /// only a port with [`Offloads::TX_VLAN_INSERT`] does.
    pub fn request_vlan(&mut self, tci: u16) {
        // SAFETY: the buffer is ours, and any tag fits any frame.
        unsafe { field::VLAN_TCI.write(self.0, tci) };
        self.set_flags(self.flags() | sys::DPDK_TX_VLAN);
    }

    /// Asks the device for nothing.
    pub fn clear_requests(&mut self) {
        self.set_flags(self.flags() & !sys::DPDK_TX_OFFLOAD_MASK);
    }

    #[inline]
    pub(super) fn flags(&self) -> u64 {
        // SAFETY: the buffer is ours.
        unsafe { field::OL_FLAGS.read(self.0) }
    }

    #[inline]
    pub(super) fn set_flags(&mut self, flags: u64) {
        // SAFETY: the buffer is ours. No caller sets the flags that say where its memory is, and
        // the lengths that an offload needs are set before its flag.
        unsafe { field::OL_FLAGS.write(self.0, flags) };
    }
}

/// The header lengths as DPDK packs them; `None` if they do not fit.
fn lengths(l2_len: usize, l3_len: usize) -> Option<u64> {
    let fits = |len: usize, bits: u32| len >> bits == 0;
    if !fits(l2_len, sys::DPDK_L2_LEN_BITS) || !fits(l3_len, sys::DPDK_L3_LEN_BITS) {
        return None;
    }
    let l2 = u64::try_from(l2_len).ok()? << sys::DPDK_L2_LEN_SHIFT;
    let l3 = u64::try_from(l3_len).ok()? << sys::DPDK_L3_LEN_SHIFT;
    Some(l2 | l3)
}

/// The sum of the pseudo header of RFC 768 for what follows the IPv4 header `ip`, not complemented.
fn pseudo_header_sum(ip: &[u8]) -> u16 {
    let word = |index: usize| match ip.get(index..) {
        Some([high, low, ..]) => u32::from(u16::from_be_bytes([*high, *low])),
        _ => 0,
    };
    let header = u32::try_from(ip.len()).unwrap_or(u32::MAX);
    let length = word(at::IP_TOTAL_LENGTH).saturating_sub(header);
    let protocol = ip.get(at::IP_PROTOCOL).copied().map_or(0, u32::from);
    let addresses: u32 = (at::IP_ADDRESSES..at::IP_OPTIONS)
        .step_by(2)
        .map(word)
        .sum();
    let sum = addresses + protocol + length;
    let folded = (sum & 0xffff) + (sum >> 16);
    u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
