//! `net_pcap`: a device that reads frames from one file and writes them to another.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

#[path = "support/pcap.rs"]
mod pcap;
mod support;

use std::fs;
use std::path::PathBuf;

use dpdk::{BURST, Port, PortConfig, RxDropped, StartedPort};
use support::{eal, frame, fresh, pool, receive};

/// A folder of this test's, removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("dpdk-pcap-{}-{}", std::process::id(), fresh(""));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A frame of 90 octets behind two VLAN tags, the outer one of 802.1ad.
fn double_tagged() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 200, 0x81, 0, 0, 100, 8, 0]);
    frame.resize(90, 0x5a);
    frame
}

#[test]
fn frames_pass_as_they_are_with_both_tags_in_place() {
    let folder = Folder::new();
    let (from, to) = (folder.0.join("from.pcap"), folder.0.join("to.pcap"));
    let sent = vec![vec![1; 60], double_tagged(), vec![2; 1514]];
    pcap::write(&from, &sent);
    let pool = pool(255);
    let (name, from, to) = (fresh("net_pcap"), from.display(), to.display());
    let device = format!("{name},rx_pcap={from},tx_pcap={to}");
    let started = Port::open(eal(), &device, pool, &PortConfig::default()).unwrap();
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = started;
    let mut burst = receive(&mut rx[0], 3);
    assert!(burst.iter().map(dpdk::Mbuf::data).eq(sent.iter()));
    let none = burst
        .iter()
        .all(|mbuf| mbuf.stripped_tags() == dpdk::StrippedTags::None);
    assert!(none, "a tag that is in the frame is not stripped");
    assert_eq!(tx[0].transmit(&mut burst), 3);
    drop((rx, tx));
    port.close().unwrap();
    assert_eq!(pcap::read(&folder.0.join("to.pcap")), sent);
    assert_eq!(pool.available(), 255);
}

#[test]
fn a_frame_of_more_than_one_segment_is_dropped_and_counted() {
    let folder = Folder::new();
    let from = folder.0.join("from.pcap");
    pcap::write(
        &from,
        &[vec![1; 60], vec![2; 5000], vec![3; 60], vec![4; 2049]],
    );
    let pool = pool(255);
    let device = format!("{},rx_pcap={}", fresh("net_pcap"), from.display());
    let started = Port::open(eal(), &device, pool, &PortConfig::default()).unwrap();
    let StartedPort { mut rx, .. } = started;
    let burst = receive(&mut rx[0], 2);
    assert_eq!(support::firsts(&burst), [1, 3]);
    assert_eq!(rx[0].receive(&mut Vec::with_capacity(BURST)), 0);
    let counted = RxDropped {
        segmented: 2,
        ..RxDropped::default()
    };
    assert_eq!(rx[0].dropped(), counted);
    drop(burst);
    assert_eq!(pool.available(), 255);
}

#[test]
fn a_shared_frame_is_sent_once_for_each_holder() {
    let folder = Folder::new();
    let to = folder.0.join("to.pcap");
    let pool = pool(255);
    let device = format!("{},tx_pcap={}", fresh("net_pcap"), to.display());
    let started = Port::open(eal(), &device, pool, &PortConfig::default()).unwrap();
    let StartedPort { port, rx, mut tx } = started;
    let kept = frame(pool, 6, 100).share();
    let mut burst: Vec<_> = (0..3).map(|_| kept.try_clone().unwrap()).collect();
    assert_eq!(tx[0].transmit_shared(&mut burst), 3);
    assert!(burst.is_empty());
    assert_eq!((kept.holders(), kept.data()), (1, &[6; 100][..]));
    drop((kept, rx, tx));
    port.close().unwrap();
    assert_eq!(pcap::read(&to), vec![vec![6; 100]; 3]);
    assert_eq!(pool.available(), 255);
}
