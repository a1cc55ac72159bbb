//! The host side of a worker on a DPDK device: `net_pcap` reads frames from one file and writes
//! what is sent to another, so frames pass through mbufs and a driver.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

#[path = "../../../dpdk/tests/support/pcap.rs"]
mod pcap;

use std::net::Ipv4Addr;
use std::path::Path;
use std::process;
use std::sync::Arc;

use dhcp_proto::address::Directory;
use dhcp_proto::config::{Config, Link, LinkAddress, Prefix, Spec};
use dhcp_proto::time::Instant;
use dhcp_wire::arp::{self, Arp, Op, Station};
use dhcp_wire::ethernet::{self, Ethernet, Mac, Tag, Tags, ethertype};
use dhcp_wire::frame::{self, Frame, Offloads};
use dhcp_wire::{icmp, ipv4};
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port as Device, PortConfig, StartedPort};
use lessor::dataplane::counters::{Counters, DropReason, Event};
use lessor::dataplane::host::{Host, Net};
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::port::RxChecksum;
use lessor::dataplane::port_dpdk::DpdkPort;
use lessor::dataplane::ports::{BURST, Ports};
use lessor::dataplane::routes::Routes;

const THEIRS: Station = Station {
    mac: Mac([2, 0, 0, 0, 0, 9]),
    addr: Ipv4Addr::new(10, 2, 0, 9),
};
const OURS: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
const NOW: Instant = Instant(1_000_000);

fn qinq() -> Tags {
    let tag = |tpid, tci| Some(Tag { tpid, tci });
    Tags {
        outer: tag(ethertype::QINQ, 200),
        inner: tag(ethertype::VLAN, 0x612c),
    }
}

fn config() -> Config {
    let prefix = Prefix::new(OURS, 24).unwrap();
    let address = LinkAddress { addr: OURS, prefix };
    let spec = Spec {
        links: vec![Link::new(0, (200, 300), vec![address])],
        ..Spec::default()
    };
    Config::new(spec, Directory::builder(None).build())
}

fn who_has(addr: Ipv4Addr) -> Vec<u8> {
    let mut octets = vec![0; 64];
    let (dst, src) = (Mac::BROADCAST, THEIRS.mac);
    let at = ethernet::write(&mut octets, dst, src, &qinq(), ethertype::ARP).unwrap();
    arp::write_request(&mut octets[at..], THEIRS, addr).unwrap();
    octets
}

fn echo_request(data: &[u8]) -> Vec<u8> {
    let mut octets = vec![0; 22 + ipv4::HEADER_LEN + icmp::HEADER_LEN + data.len()];
    let at = ethernet::write(&mut octets, OUR_MAC, THEIRS.mac, &qinq(), ethertype::IPV4).unwrap();
    let header = ipv4::Header {
        src: THEIRS.addr,
        dst: OURS,
        protocol: ipv4::protocol::ICMP,
        ttl: 3,
        tos: 0,
        id: 7,
    };
    let packet = &mut octets[at..];
    ipv4::write(packet, &header, icmp::HEADER_LEN + data.len()).unwrap();
    icmp::write_echo_request(&mut packet[ipv4::HEADER_LEN..], 1, 2, data).unwrap();
    octets
}

/// What `net_pcap` gives its first device.
const OUR_MAC: Mac = Mac([2, 0x70, 0x63, 0x61, 0x70, 0]);

/// A pool, and a device that reads from and writes to the two files.
fn open(from: &Path, to: &Path) -> (&'static Mempool, StartedPort) {
    let config = EalConfig {
        file_prefix: format!("lessor-port-{}", process::id()),
        no_huge: true,
        memory_mib: Some(64),
        ..EalConfig::default()
    };
    let eal = Eal::start(&config).unwrap();
    let config = MempoolConfig {
        name: "pool".to_owned(),
        mbufs: 255,
        cache: 0,
        data_room: 2048,
    };
    let pool = Mempool::create(eal, config).unwrap();
    let (from, to) = (from.display(), to.display());
    let device = format!("net_pcap0,rx_pcap={from},tx_pcap={to}");
    let started = Device::open(eal, &device, pool, &PortConfig::default()).unwrap();
    assert_eq!(Mac(started.port.mac()), OUR_MAC);
    (pool, started)
}

/// Lets a host answer `frames`, and returns what left the device.
fn exchange(frames: &[Vec<u8>], counters: &Counters) -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    pcap::write(&from, frames);
    let (
        pool,
        StartedPort {
            port,
            mut rx,
            mut tx,
        },
    ) = open(&from, &to);
    let queues = (Some(rx.remove(0)), Some(tx.remove(0)));
    let mut ports = Ports::new([DpdkPort::new(&port, queues, pool, RxChecksum::Verify)]);
    let mut burst = Vec::with_capacity(BURST);
    ports.receive(0, &mut burst, counters);
    let config = config();
    let routes = Routes::new(config.links(), &[], &[]);
    let mut host = Host::new(Arc::new(Neighbors::new(64, 1)), 0, 1);
    let mut net = Net {
        config: &config,
        routes: &routes,
        ports: &mut ports,
        counters,
    };
    for packet in burst {
        host.on_frame(packet, 0, &mut net, NOW);
    }
    host.tick(&mut net, NOW);
    ports.flush(counters);
    drop((ports, rx, tx));
    port.close().unwrap();
    assert_eq!(pool.available(), 255, "each buffer was sent or freed");
    pcap::read(&to)
}

#[test]
fn arp_and_echo_are_answered_through_a_driver_with_both_tags() {
    let echo = echo_request(&[0x5a; 301]);
    let frames = [who_has(OURS), echo, who_has(THEIRS.addr), vec![1; 5000]];
    let counters = Counters::new();
    let sent = exchange(&frames, &counters);
    assert_eq!(sent.len(), 3);
    let eth = Ethernet::parse(&sent[0]).unwrap();
    assert_eq!(
        (eth.dst(), eth.src(), eth.tags()),
        (THEIRS.mac, OUR_MAC, qinq())
    );
    let reply = Arp::parse(eth.payload()).unwrap();
    assert_eq!(
        (reply.op(), reply.sender()),
        (
            Op::Reply,
            Station {
                mac: OUR_MAC,
                addr: OURS
            }
        )
    );
    let parsed = frame::parse(&sent[1], Offloads::default()).unwrap();
    let Frame::Icmp { eth, icmp, .. } = parsed else {
        unreachable!("not ICMP: {parsed:?}")
    };
    assert_eq!((eth.dst(), eth.tags()), (THEIRS.mac, qinq()));
    assert!(icmp.is_echo_reply());
    assert_eq!(icmp.data(), [0x5a; 301]);
    // The announcement of the first tick, in a buffer of our own.
    let eth = Ethernet::parse(&sent[2]).unwrap();
    assert_eq!(eth.dst(), Mac::BROADCAST);
    assert_eq!(Arp::parse(eth.payload()).unwrap().tpa(), OURS);
    assert_eq!(counters.count(Event::Received), 4);
    assert_eq!(counters.count(Event::Sent), 3);
    assert_eq!(counters.dropped(DropReason::RxRefused), 1);
    assert_eq!(counters.dropped(DropReason::ArpNotOurs), 1);
}
