//! VLANs by the range: one link for all of them, and each reply with the tags of its query.

use crate::frames::{Client, SERVER_MAC, client};
use crate::pcap;
use crate::rig::{self, Alone, NOW, Rig, parse, spec};
use dhcp_proto::config::{Link, Spec, Vlans};
use dhcp_wire::arp::{self, Arp, Op, Station};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{self, Ethernet, Mac, Tag, Tags, ethertype};
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port as Device, PortConfig, StartedPort};
use lessor::dataplane::counters::Group;
use lessor::dataplane::port::RxChecksum;
use lessor::dataplane::port_dpdk::DpdkPort;
use lessor::dataplane::port_mem::MemFrame;
use std::net::Ipv4Addr;
use std::process;

const RELAY: Station = Station {
    mac: Mac([2, 0x77, 0, 0, 0, 1]),
    addr: Ipv4Addr::new(10, 1, 0, 77),
};

fn tags(outer: (u16, u16), inner: Option<(u16, u16)>) -> Tags {
    let tag = |(tpid, tci)| Tag { tpid, tci };
    Tags {
        outer: Some(tag(outer)),
        inner: inner.map(tag),
    }
}

/// That of [`spec`], with VLANs 100 to 199 and the pairs of 200 to 4094 and 1 to 4094 in place of
/// the single ones.
fn ranges() -> Spec {
    let mut spec = spec();
    let vlans = [((100, 199), (0, 0)), ((200, 4094), (1, 4094))];
    for (link, (outer, inner)) in spec.links.iter_mut().skip(1).zip(vlans) {
        link.vlans = Vlans { outer, inner };
    }
    spec
}

fn tagged(n: u8, tags: Tags) -> Client {
    Client { tags, ..client(n) }
}

/// Tags as they come: 802.1Q, 802.1ad, both of them with priorities, and those of older bridges.
fn kinds() -> Vec<(Tags, [u8; 3])> {
    let (vlan, pairs) = ([10, 1, 0], [10, 2, 0]);
    vec![
        (tags((ethertype::VLAN, 100), None), vlan),
        (tags((ethertype::QINQ, 199), None), vlan),
        (
            tags((ethertype::QINQ, 200), Some((ethertype::VLAN, 1))),
            pairs,
        ),
        (
            tags(
                (ethertype::QINQ, 0x6fff - 1),
                Some((ethertype::VLAN, 0xafff - 1)),
            ),
            pairs,
        ),
        (
            tags((ethertype::VLAN, 3000), Some((ethertype::VLAN, 7))),
            pairs,
        ),
        (
            tags((ethertype::QINQ_OLD, 3000), Some((ethertype::VLAN, 8))),
            pairs,
        ),
    ]
}

#[test]
fn c166_each_vlan_of_a_range_is_answered_with_its_own_tags() {
    let mut rig = Rig::on(ranges());
    for (n, (tags, net)) in (1..).zip(kinds()) {
        rig.send(&tagged(n, tags).discover());
        let sent = rig.wire.take_sent();
        let offer = parse(&sent[0].octets).unwrap();
        assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().tags(), tags);
        assert_eq!(offer.yiaddr.octets()[..3], net);
        rig.send(&tagged(n, tags).request(offer.yiaddr));
        rig.commit();
        assert_eq!(rig.reply().kind, MessageType::Ack);
    }
}

#[test]
fn c166_the_device_may_have_taken_the_outer_tag_off() {
    let mut rig = Rig::on(ranges());
    for (n, (tags, _)) in (1..).zip(kinds()) {
        let bare = Tags {
            outer: tags.inner,
            inner: None,
        };
        let frame = MemFrame {
            stripped: tags.outer,
            ..tagged(n, bare).discover().frame()[..].into()
        };
        assert!(rig.wire.deliver(&frame));
        rig.worker.poll(rig.now);
        let sent = rig.wire.take_sent();
        assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().tags(), tags);
    }
}

#[test]
fn tags_outside_of_the_ranges_are_of_no_link() {
    let mut rig = Rig::on(ranges());
    let outside = [
        tags((ethertype::VLAN, 99), None),
        tags((ethertype::VLAN, 200), None),
        tags((ethertype::QINQ, 199), Some((ethertype::VLAN, 1))),
        tags((ethertype::QINQ, 4095), Some((ethertype::VLAN, 1))),
    ];
    for (n, tags) in (1..).zip(outside) {
        rig.send(&tagged(n, tags).discover());
    }
    assert!(rig.replies().is_empty());
    assert_eq!(rig.count(Group::Drops, "no_link"), 4);
}

/// Two VLANs of a range may have stations of one address; each is asked for and answered in its
/// own.
#[test]
fn a_next_hop_of_a_range_is_asked_for_in_the_vlan_that_the_message_came_by() {
    let mut rig = Rig::on(ranges());
    for (n, vid) in [(1, 101), (2, 102)] {
        let tags = tags((ethertype::VLAN, vid), None);
        let mac = Mac([2, 0x77, 0, 0, 0, n]);
        let query = tagged(n, tags).discover().relayed(RELAY.addr);
        rig.send(&Client { mac, ..query });
        let sent = rig.wire.take_sent();
        let asked = Ethernet::parse(&sent[0].octets).unwrap();
        let arp = Arp::parse(asked.payload()).unwrap();
        assert_eq!((asked.tags(), arp.tpa()), (tags, RELAY.addr));
        rig.give(&arp_reply(Station { mac, ..RELAY }, arp.sender(), tags));
        let sent = rig.wire.take_sent();
        let offer = Ethernet::parse(&sent[0].octets).unwrap();
        assert_eq!((offer.dst(), offer.tags()), (mac, tags));
    }
}

fn arp_reply(sender: Station, target: Station, tags: Tags) -> Vec<u8> {
    let mut frame = vec![0; 64];
    let at = ethernet::write(&mut frame, SERVER_MAC, sender.mac, &tags, ethertype::ARP).unwrap();
    arp::write(&mut frame[at..], Op::Reply, sender, target).unwrap();
    frame
}

/// A relay elsewhere cannot be reached over a range: in which of its VLANs it is, nothing says.
#[test]
fn nothing_is_sent_into_a_range_that_nothing_came_from() {
    let mut rig = Rig::on(ranges());
    rig.send(&client(1).discover().relayed(RELAY.addr));
    assert!(rig.wire.take_sent().is_empty());
    assert_eq!(rig.count(Group::Drops, "no_route"), 1);
}

/// `net_af_packet` gives a stripped tag back as 802.1Q always; `net_pcap` leaves all as they are.
#[test]
fn c166_a_driver_receives_and_sends_tags_of_802_1q_and_802_1ad() {
    let eal = Eal::start(&EalConfig {
        file_prefix: format!("lessor-tagged-{}", process::id()),
        no_huge: true,
        memory_mib: Some(64),
        ..EalConfig::default()
    })
    .unwrap();
    let pool = MempoolConfig {
        name: "tagged".to_owned(),
        mbufs: 255,
        cache: 0,
        data_room: 2048,
    };
    let pool = Mempool::create(eal, pool).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let kinds = kinds();
    let frames = (1..)
        .zip(&kinds)
        .map(|(n, (tags, _))| tagged(n, *tags).discover().frame());
    pcap::write(&from, &frames.collect::<Vec<_>>());
    let device = format!(
        "net_pcap0,rx_pcap={},tx_pcap={}",
        from.display(),
        to.display()
    );
    let started = Device::open(eal, &device, pool, &PortConfig::default()).unwrap();
    let StartedPort {
        port,
        mut rx,
        mut tx,
    } = started;
    let queues = (Some(rx.remove(0)), Some(tx.remove(0)));
    let queue = DpdkPort::new(&port, queues, pool, RxChecksum::Verify);
    let Alone {
        mut worker,
        drain,
        inquiry,
        ..
    } = rig::alone([queue], ranges());
    worker.poll(NOW);
    drop((worker, drain, inquiry));
    port.close().unwrap();
    let sent = pcap::read(&to);
    assert_eq!(sent.len(), kinds.len());
    for (frame, (tags, net)) in sent.iter().zip(kinds) {
        assert_eq!(Ethernet::parse(frame).unwrap().tags(), tags);
        let offer = parse(frame).unwrap();
        assert_eq!(
            (offer.kind, &offer.yiaddr.octets()[..3]),
            (MessageType::Offer, &net[..])
        );
    }
}

/// The link that a test of ranges relies on.
#[test]
fn a_link_of_one_vlan_may_stand_beside_a_range() {
    let mut spec = ranges();
    let address = spec.links[0].addresses[0];
    spec.links.push(Link::new(0, (50, 0), vec![address]));
    let mut rig = Rig::on(spec);
    rig.send(&tagged(1, tags((ethertype::VLAN, 50), None)).discover());
    let offer = rig.reply();
    assert_eq!(
        (offer.vids, &offer.yiaddr.octets()[..3]),
        ((Some(50), None), &[10, 0, 0][..])
    );
}
