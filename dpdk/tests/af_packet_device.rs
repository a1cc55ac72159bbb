//! `net_af_packet`: a kernel's interface, here the two ends of a veth in a name space of the test's
//! own. Needs root.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use dpdk::{Mempool, Offloads, Port, PortConfig, PortError, StartedPort, StrippedTags};
use support::{eal, frame, fresh, in_a_network_of_its_own, ip, pool, receive, until};

/// A veth whose ends are up and on which the kernel itself says nothing.
fn veth() {
    support::quiet();
    ip("link add left type veth peer name right");
    for end in ["left", "right"] {
        ip(&format!("link set {end} up"));
    }
}

fn open(interface: &str, pool: &'static Mempool) -> StartedPort {
    open_with(interface, pool, &PortConfig::default())
}

fn open_with(interface: &str, pool: &'static Mempool, config: &PortConfig) -> StartedPort {
    let name = fresh("net_af_packet");
    let device = format!("{name},iface={interface},framecnt=8192");
    Port::open(eal(), &device, pool, config).unwrap()
}

#[test]
fn frames_pass_between_the_ends_of_a_veth() {
    in_a_network_of_its_own("child_passes_frames");
}

#[test]
#[ignore = "run by frames_pass_between_the_ends_of_a_veth"]
fn child_passes_frames() {
    veth();
    let pool = pool(4095);
    let mut left = open("left", pool);
    let mut right = open("right", pool);
    assert_ne!(left.port.mac(), right.port.mac());
    assert_eq!(
        (left.port.mtu(), left.port.driver()),
        (1500, "net_af_packet")
    );
    until("the link is up", || left.port.link().unwrap().up);
    for len in [60, 342, 1514] {
        let mut burst: Vec<_> = (1..=20).map(|octet| frame(pool, octet, len)).collect();
        until("all are sent", || {
            left.tx[0].transmit(&mut burst);
            burst.is_empty()
        });
        let got = receive(&mut right.rx[0], 20);
        for (octet, mbuf) in (1..=20).zip(&got) {
            assert_eq!(mbuf.data(), vec![octet; len]);
        }
    }
    assert_eq!(right.port.statistics().unwrap().rx_packets, 60);
    for StartedPort { port, rx, tx } in [left, right] {
        drop((rx, tx));
        port.close().unwrap();
    }
    assert_eq!(pool.available(), 4095);
}

#[test]
fn an_interface_that_is_not_there_is_named() {
    in_a_network_of_its_own("child_names_the_interface");
}

#[test]
#[ignore = "run by an_interface_that_is_not_there_is_named"]
fn child_names_the_interface() {
    let device = "net_af_packet0,iface=absent";
    let error = Port::open(eal(), device, pool(63), &PortConfig::default()).unwrap_err();
    assert!(matches!(error, PortError::Probe { .. }), "{error:?}");
    assert!(error.to_string().contains("iface=absent"), "{error}");
}

#[test]
fn without_permission_the_error_says_what_is_needed() {
    in_a_network_of_its_own("child_opens_without_permission");
}

#[test]
#[ignore = "run by without_permission_the_error_says_what_is_needed"]
fn child_opens_without_permission() {
    use rustix::thread::{Uid, set_thread_res_uid};
    veth();
    let pool = pool(63);
    let nobody = Uid::from_raw(65534);
    set_thread_res_uid(nobody, nobody, nobody).unwrap();
    let device = "net_af_packet0,iface=left";
    let error = Port::open(eal(), device, pool, &PortConfig::default()).unwrap_err();
    assert!(error.to_string().contains("CAP_NET_RAW"), "{error}");
}

#[test]
fn tags_are_put_in_and_taken_out_by_the_device() {
    in_a_network_of_its_own("child_tags_frames");
}

#[test]
#[ignore = "run by tags_are_put_in_and_taken_out_by_the_device"]
fn child_tags_frames() {
    veth();
    let pool = pool(4095);
    let wanted = PortConfig {
        offloads: Offloads::TX_VLAN_INSERT | Offloads::RX_VLAN_STRIP,
        ..PortConfig::default()
    };
    let mut left = open_with("left", pool, &wanted);
    let mut right = open_with("right", pool, &wanted);
    assert_eq!(left.port.offloads(), wanted.offloads);
    let mut plain = frame(pool, 7, 100);
    plain.data_mut()[12..14].copy_from_slice(&[0x08, 0x00]);
    let before = plain.data().to_vec();
    plain.request_vlan(0x6064);
    left.tx[0].transmit(&mut vec![plain]);
    let got = receive(&mut right.rx[0], 1);
    assert_eq!(got[0].stripped_tags(), StrippedTags::One(0x6064));
    assert_eq!(got[0].data(), before);
    drop((right, got));
    // Without the offload the tag is in the frame, and not told beside it.
    let mut right = open("right", pool);
    let mut plain = frame(pool, 7, 100);
    plain.data_mut().copy_from_slice(&before);
    plain.request_vlan(0x6064);
    left.tx[0].transmit(&mut vec![plain]);
    let got = receive(&mut right.rx[0], 1);
    assert_eq!(got[0].stripped_tags(), StrippedTags::None);
    let tagged = [&before[..12], &[0x81, 0x00, 0x60, 0x64], &before[12..]].concat();
    assert_eq!(got[0].data(), tagged);
}
