//! `net_tap`: a device that has the checksum offloads, seen from the kernel's side of it by
//! `net_af_packet`, which has none. Needs root.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use dpdk::{Checksum, Mbuf, Mempool, Offloads, Port, PortConfig, StartedPort};
use support::{eal, in_a_network_of_its_own, pool, receive, until};

const L2: usize = 14;
const L3: usize = 20;
const UDP: usize = L2 + L3;

/// A DHCP-like broadcast, both checksums right.
fn datagram() -> Vec<u8> {
    let payload: Vec<u8> = (0..101u8).collect();
    let udp_len = u16::try_from(8 + payload.len()).unwrap();
    let total = udp_len + 20;
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9, 0x08, 0x00]);
    frame.extend([0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 255, 255, 255, 255]);
    frame.extend([0, 67, 0, 68]);
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    let ip = !sum(&frame[L2..UDP]);
    frame[L2 + 10..L2 + 12].copy_from_slice(&ip.to_be_bytes());
    let mut whole = frame[L2 + 12..UDP].to_vec();
    whole.extend([0, 17]);
    whole.extend(udp_len.to_be_bytes());
    whole.extend(&frame[UDP..]);
    let udp = !sum(&whole);
    frame[UDP + 6..UDP + 8].copy_from_slice(&udp.to_be_bytes());
    frame
}

/// RFC 1071 over `octets`, folded, not complemented.
fn sum(octets: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| low.into());
    let mut sum: u32 = octets.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap()
}

fn mbuf(pool: &Mempool, frame: &[u8]) -> Mbuf {
    let mut mbuf = pool.alloc().unwrap();
    mbuf.append(frame.len()).unwrap().copy_from_slice(frame);
    mbuf
}

/// The tap, and the kernel's interface behind it.
fn both_sides(pool: &'static Mempool) -> [StartedPort; 2] {
    support::quiet();
    let config = PortConfig::default();
    let tap = Port::open(eal(), "net_tap0,iface=behind", pool, &config).unwrap();
    support::ip("link set behind up");
    let kernel = "net_af_packet0,iface=behind,framecnt=8192";
    [tap, Port::open(eal(), kernel, pool, &config).unwrap()]
}

#[test]
fn the_device_completes_the_checksums_it_is_asked_for() {
    in_a_network_of_its_own("child_sends_checksums");
}

#[test]
#[ignore = "run by the_device_completes_the_checksums_it_is_asked_for"]
fn child_sends_checksums() {
    let pool = pool(4095);
    let [mut tap, mut kernel] = both_sides(pool);
    assert_eq!(kernel.port.offloads(), Offloads::NONE);
    assert!(tap.port.offloads().contains(Offloads::CHECKSUMS));
    let right = datagram();
    let mut wrong = right.clone();
    wrong[L2 + 10..L2 + 12].fill(0xaa);
    wrong[UDP + 6..UDP + 8].fill(0xaa);
    let mut asked = mbuf(pool, &wrong);
    asked
        .request_checksums(tap.port.offloads(), L2, L3)
        .unwrap();
    let mut unasked = mbuf(pool, &wrong);
    unasked
        .request_checksums(kernel.port.offloads(), L2, L3)
        .unwrap();
    let mut burst = vec![asked, unasked];
    until("both are sent", || {
        tap.tx[0].transmit(&mut burst);
        burst.is_empty()
    });
    assert_eq!(tap.tx[0].refused(), 0);
    let got = receive(&mut kernel.rx[0], 2);
    assert_eq!(got[0].data(), right);
    assert_eq!(got[1].data(), wrong);
}

#[test]
fn the_device_tells_good_checksums_from_bad_ones() {
    in_a_network_of_its_own("child_receives_checksums");
}

#[test]
#[ignore = "run by the_device_tells_good_checksums_from_bad_ones"]
fn child_receives_checksums() {
    let pool = pool(4095);
    let [mut tap, mut kernel] = both_sides(pool);
    let right = datagram();
    let mut wrong_ip = right.clone();
    wrong_ip[L2 + 11] ^= 1;
    let mut wrong_udp = right.clone();
    wrong_udp[UDP + 20] ^= 1;
    let mut burst: Vec<_> = [&right, &wrong_ip, &wrong_udp]
        .map(|f| mbuf(pool, f))
        .into();
    until("all are sent", || {
        kernel.tx[0].transmit(&mut burst);
        burst.is_empty()
    });
    let got = receive(&mut tap.rx[0], 3);
    let told: Vec<_> = got
        .iter()
        .map(|mbuf| (mbuf.ip_checksum(), mbuf.l4_checksum()))
        .collect();
    assert_eq!(told[0], (Checksum::Good, Checksum::Good));
    assert_eq!(told[1].0, Checksum::Bad);
    assert_eq!(told[2], (Checksum::Good, Checksum::Bad));
    // A device that does not look says so.
    tap.tx[0].transmit(&mut vec![mbuf(pool, &right)]);
    let got = receive(&mut kernel.rx[0], 1);
    assert_eq!(
        (got[0].ip_checksum(), got[0].l4_checksum()),
        (Checksum::Unknown, Checksum::Unknown)
    );
}
