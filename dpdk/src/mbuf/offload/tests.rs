//! Flags as a device would set them: none of the devices that need no hardware does.

use std::sync::OnceLock;

use super::*;
use crate::{Mempool, unit};

fn pool() -> &'static Mempool {
    static POOL: OnceLock<&'static Mempool> = OnceLock::new();
    POOL.get_or_init(|| unit::pool("offload"))
}

/// A buffer that a device marked with `flags`, and whose tags it put aside.
fn received(flags: u64, tci: u16, outer: u16) -> Mbuf {
    let mut mbuf = pool().alloc().unwrap();
    mbuf.set_flags(flags);
    // SAFETY: the buffer is ours.
    unsafe { field::VLAN_TCI.write(mbuf.0, tci) };
    // SAFETY: the buffer is ours.
    unsafe { field::VLAN_TCI_OUTER.write(mbuf.0, outer) };
    mbuf
}

/// DPDK's flags that say a tag was seen, which is not that it is gone.
const SEEN: u64 = 1 | 1 << 20;

#[test]
fn a_tag_that_was_seen_and_left_in_the_frame_is_not_stripped() {
    let mbuf = received(SEEN, 100, 200);
    assert_eq!(mbuf.stripped_tags(), StrippedTags::None);
    let mbuf = pool().alloc().unwrap();
    assert_eq!(mbuf.stripped_tags(), StrippedTags::None);
}

#[test]
fn one_stripped_tag_is_the_outermost() {
    let mbuf = received(SEEN | sys::DPDK_RX_VLAN_STRIPPED, 100, 0);
    assert_eq!(mbuf.stripped_tags(), StrippedTags::One(100));
    // The outer is gone and the inner still in the frame, though the device tells both.
    let mbuf = received(SEEN | sys::DPDK_RX_QINQ_STRIPPED, 100, 200);
    assert_eq!(mbuf.stripped_tags(), StrippedTags::One(200));
}

#[test]
fn two_stripped_tags_keep_their_order() {
    let both = sys::DPDK_RX_VLAN_STRIPPED | sys::DPDK_RX_QINQ_STRIPPED;
    let mbuf = received(SEEN | both, 0x6064, 0x00c8);
    let outer = 0x00c8;
    let inner = 0x6064;
    assert_eq!(mbuf.stripped_tags(), StrippedTags::Two { outer, inner });
}

#[test]
fn the_devices_word_on_a_checksum_is_taken() {
    let cases = [
        (0, Checksum::Unknown, Checksum::Unknown),
        (sys::DPDK_RX_IP_CKSUM_BAD, Checksum::Bad, Checksum::Unknown),
        (
            sys::DPDK_RX_IP_CKSUM_GOOD,
            Checksum::Good,
            Checksum::Unknown,
        ),
        (sys::DPDK_RX_L4_CKSUM_BAD, Checksum::Unknown, Checksum::Bad),
        (
            sys::DPDK_RX_L4_CKSUM_GOOD,
            Checksum::Unknown,
            Checksum::Good,
        ),
        // Of a frame that never left the machine: not computed, and not needed.
        (
            sys::DPDK_RX_IP_CKSUM_NONE,
            Checksum::Good,
            Checksum::Unknown,
        ),
        (
            sys::DPDK_RX_L4_CKSUM_NONE,
            Checksum::Unknown,
            Checksum::Good,
        ),
    ];
    for (flags, ip, l4) in cases {
        let mbuf = received(flags, 0, 0);
        assert_eq!(
            (mbuf.ip_checksum(), mbuf.l4_checksum()),
            (ip, l4),
            "{flags:#x}"
        );
    }
}

/// An Ethernet frame with an IPv4 header of `l3_len` octets and an odd UDP payload.
fn datagram(l3_len: usize) -> Vec<u8> {
    let payload: Vec<u8> = (0..77u8).map(|octet| octet.wrapping_mul(37)).collect();
    let udp_len = u16::try_from(8 + payload.len()).unwrap();
    let total = u16::try_from(l3_len).unwrap() + udp_len;
    let mut frame = vec![0xee; 14];
    let mut ip = vec![0u8; l3_len];
    ip[0] = 0x40 | u8::try_from(l3_len / 4).unwrap();
    ip[2..4].copy_from_slice(&total.to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[12..20].copy_from_slice(&[192, 168, 255, 1, 255, 255, 255, 254]);
    frame.extend(ip);
    frame.extend([0, 67, 0, 68]);
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

/// RFC 1071 over `octets`, folded, not complemented.
fn sum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2);
    let mut sum: u64 = words
        .map(|word| u64::from(word[0]) << 8 | word.get(1).map_or(0, |&low| u64::from(low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

#[test]
fn a_device_that_sums_from_the_udp_header_on_gets_the_right_checksum() {
    for l3_len in [20, 24, 60] {
        let frame = datagram(l3_len);
        let (ip, udp) = frame[14..].split_at(l3_len);
        let mut whole = ip[12..20].to_vec();
        whole.extend([0, 17]);
        whole.extend(&udp[4..6]);
        whole.extend(udp);
        let right = !sum(&whole);

        let mut mbuf = pool().alloc().unwrap();
        mbuf.append(frame.len()).unwrap().copy_from_slice(&frame);
        mbuf.data_mut()[14 + 10..14 + 12].fill(0xaa);
        mbuf.request_checksums(Offloads::CHECKSUMS, 14, l3_len)
            .unwrap();
        assert_eq!(!sum(&mbuf.data()[14 + l3_len..]), right, "{l3_len}");
        assert_eq!(mbuf.data()[14 + 10..14 + 12], [0, 0]);
        let wanted = sys::DPDK_TX_IPV4 | sys::DPDK_TX_IP_CKSUM | sys::DPDK_TX_UDP_CKSUM;
        assert_eq!(mbuf.flags(), wanted);
        // SAFETY: the buffer is ours.
        let lengths = unsafe { field::TX_OFFLOAD.read(mbuf.0) };
        assert_eq!(lengths, 14 + ((l3_len as u64) << 7));
    }
}

#[test]
fn only_what_the_port_has_is_asked_of_it() {
    let frame = datagram(20);
    let mut mbuf = pool().alloc().unwrap();
    mbuf.append(frame.len()).unwrap().copy_from_slice(&frame);
    mbuf.request_checksums(Offloads::NONE, 14, 20).unwrap();
    assert_eq!((mbuf.flags(), mbuf.data()), (0, &*frame));
    mbuf.request_checksums(Offloads::TX_IP_CHECKSUM, 14, 20)
        .unwrap();
    assert_eq!(mbuf.flags(), sys::DPDK_TX_IPV4 | sys::DPDK_TX_IP_CKSUM);
    assert_eq!(mbuf.data()[14 + 26..], frame[14 + 26..]);
    mbuf.request_vlan(0x2064);
    // SAFETY: the buffer is ours.
    assert_eq!(unsafe { field::VLAN_TCI.read(mbuf.0) }, 0x2064);
    assert_ne!(mbuf.flags() & sys::DPDK_TX_VLAN, 0);
    mbuf.clear_requests();
    assert_eq!(mbuf.flags(), 0);
}

#[test]
fn headers_that_are_not_in_the_frame_are_refused() {
    let frame = datagram(20);
    let mut mbuf = pool().alloc().unwrap();
    mbuf.append(14 + 20 + 7)
        .unwrap()
        .copy_from_slice(&frame[..14 + 20 + 7]);
    let before = mbuf.data().to_vec();
    for (l2_len, l3_len) in [
        (14, 20),
        (14, 16),
        (14, 0),
        (1000, 20),
        (14, 512),
        (usize::MAX, 20),
    ] {
        let refused = mbuf.request_checksums(Offloads::CHECKSUMS, l2_len, l3_len);
        assert_eq!(refused, Err(NoHeaders), "{l2_len} {l3_len}");
    }
    assert_eq!((mbuf.flags(), mbuf.data()), (0, &*before));
}
