//! Where replies go, on the wire: VLANs, relays, and the port as a host.

use crate::frames::{SERVER, SERVER_MAC, client};
use crate::rig::Rig;
use dhcp_wire::arp::{self, Op, Station};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{self, Ethernet, Mac, Tag, Tags, ethertype};
use lessor::dataplane::counters::Group;
use lessor::dataplane::port_mem::MemFrame;
use std::net::Ipv4Addr;

fn tag(vid: u16) -> Tag {
    Tag {
        tpid: 0x8100,
        tci: vid,
    }
}

fn vlan(vid: u16) -> Tags {
    Tags {
        outer: Some(tag(vid)),
        inner: None,
    }
}

fn arp_frame(op: Op, sender: Station, target: Station, dst: Mac) -> Vec<u8> {
    let mut frame = vec![0; 60];
    let tags = Tags::default();
    let at = ethernet::write(&mut frame, dst, sender.mac, &tags, ethertype::ARP).unwrap();
    arp::write(&mut frame[at..], op, sender, target).unwrap();
    frame
}

fn tagged_arp(op: Op, sender: Station, target: Station, tags: Tags) -> Vec<u8> {
    let mut frame = vec![0; 64];
    let at = ethernet::write(&mut frame, target.mac, sender.mac, &tags, ethertype::ARP).unwrap();
    arp::write(&mut frame[at..], op, sender, target).unwrap();
    frame
}

/// The answer of a station that the server asks for its hardware address.
fn introduce(rig: &mut Rig, station: Station) {
    let server = Station {
        mac: SERVER_MAC,
        addr: SERVER,
    };
    rig.give(&arp_frame(Op::Reply, station, server, SERVER_MAC));
}

#[test]
fn c166_a_reply_leaves_with_the_tags_of_its_query() {
    let mut rig = Rig::new();
    let mut one = client(1);
    one.tags = Tags {
        outer: Some(tag(100)),
        inner: None,
    };
    rig.send(&one.discover());
    let offer = rig.reply();
    assert_eq!(offer.vids, (Some(100), None));
    assert_eq!(offer.yiaddr.octets()[..3], [10, 1, 0]);
    let mut two = client(2);
    two.tags = Tags {
        outer: Some(Tag {
            tpid: 0x88a8,
            tci: 200,
        }),
        inner: Some(tag(30)),
    };
    rig.send(&two.discover());
    let offer = rig.reply();
    assert_eq!(offer.vids, (Some(200), Some(30)));
    assert_eq!(offer.yiaddr.octets()[..3], [10, 2, 0]);
}

#[test]
fn c166_a_priority_tag_counts_as_untagged_and_is_answered_untagged() {
    let mut rig = Rig::new();
    let mut one = client(1);
    one.tags = Tags {
        outer: Some(Tag {
            tpid: 0x8100,
            tci: 0xe000,
        }),
        inner: None,
    };
    rig.send(&one.discover());
    let offer = rig.reply();
    assert_eq!(offer.vids, (None, None));
    assert_eq!(offer.yiaddr.octets()[..3], [10, 0, 0]);
}

#[test]
fn c166_a_tag_that_the_device_took_off_counts() {
    let mut rig = Rig::new();
    let frame = MemFrame {
        stripped: Some(tag(100)),
        ..client(1).discover().frame()[..].into()
    };
    assert!(rig.wire.deliver(&frame));
    rig.worker.poll(rig.now);
    assert_eq!(rig.reply().vids, (Some(100), None));
}

#[test]
fn c004_an_offer_is_unicast_to_chaddr_and_yiaddr_without_arp() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let offer = rig.reply();
    assert_eq!((offer.dst_mac, offer.dst), (client(1).mac, offer.yiaddr));
    assert_eq!((offer.src, offer.dst_port), (SERVER, 68));
}

#[test]
fn a_reply_to_a_relay_waits_for_its_hardware_address() {
    let mut rig = Rig::new();
    // The relay is on the link; its giaddr is in the network that it serves.
    let relay = Ipv4Addr::new(10, 0, 0, 77);
    let mac = Mac([2, 0x77, 0, 0, 0, 1]);
    let mut query = client(1).discover().relayed(relay);
    query.mac = mac;
    rig.send(&query);
    let sent = rig.wire.take_sent();
    assert_eq!(sent.len(), 1, "an ARP request first");
    assert_eq!(
        Ethernet::parse(&sent[0].octets).unwrap().ethertype(),
        ethertype::ARP
    );
    introduce(&mut rig, Station { mac, addr: relay });
    let offer = rig.reply();
    assert_eq!((offer.dst_mac, offer.dst, offer.dst_port), (mac, relay, 67));
    assert_eq!(offer.kind, MessageType::Offer);
    // From now on it is known.
    let mut again = client(2).discover().relayed(relay);
    again.mac = mac;
    rig.send(&again);
    assert_eq!(rig.reply().dst_mac, mac);
}

#[test]
fn c185_the_reply_to_a_relay_with_82_19_goes_to_the_port_that_its_message_came_from() {
    let mut rig = Rig::new();
    let relay = Ipv4Addr::new(10, 0, 0, 77);
    let mac = Mac([2, 0x77, 0, 0, 0, 1]);
    let query = |n, port| {
        let mut query = client(n).discover().listening_at(port).relayed(relay);
        query.mac = mac;
        query
    };
    rig.send(&query(1, 4067));
    assert_eq!(rig.wire.take_sent().len(), 1, "an ARP request first");
    introduce(&mut rig, Station { mac, addr: relay });
    let offer = rig.reply();
    assert_eq!((offer.dst, offer.dst_port), (relay, 4067));
    rig.send(&query(1, 65535));
    assert_eq!(rig.reply().dst_port, 65535);
}

#[test]
fn the_port_answers_arp_for_its_own_address_only() {
    let mut rig = Rig::new();
    let asker = Station {
        mac: Mac([2, 9, 9, 9, 9, 9]),
        addr: Ipv4Addr::new(10, 0, 0, 99),
    };
    let ask = |addr| {
        let target = Station {
            mac: Mac([0; 6]),
            addr,
        };
        arp_frame(Op::Request, asker, target, Mac::BROADCAST)
    };
    rig.give(&ask(Ipv4Addr::new(10, 0, 0, 2)));
    assert!(rig.wire.take_sent().is_empty());
    rig.give(&ask(SERVER));
    let sent = rig.wire.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().dst(), asker.mac);
}

/// Relays are told one address of the appliance, and reach it by whatever VLAN.
#[test]
fn c145_a_relay_that_asks_a_service_address_is_answered_from_it_on_every_link() {
    let service = Ipv4Addr::new(192, 0, 2, 67);
    let mut spec = crate::rig::spec();
    spec.service_addresses = vec![(dhcp_proto::address::Space(0), service)];
    let mut rig = Rig::on(spec);
    let ways = [
        (Tags::default(), [10, 0, 0, 77], SERVER),
        (vlan(100), [10, 1, 0, 77], Ipv4Addr::new(10, 1, 0, 1)),
    ];
    for (n, (tags, relay, ours)) in (1..).zip(ways) {
        let relay = Station {
            mac: Mac([2, 0x77, 0, 0, 0, n]),
            addr: relay.into(),
        };
        let mut query = client(n).discover().relayed(relay.addr);
        (query.mac, query.tags, query.dst) = (relay.mac, tags, service);
        rig.send(&query);
        assert_eq!(rig.wire.take_sent().len(), 1, "an ARP request first");
        let ours = Station {
            mac: SERVER_MAC,
            addr: ours,
        };
        rig.give(&tagged_arp(Op::Reply, relay, ours, tags));
        let offer = rig.reply();
        assert_eq!(
            (offer.src, offer.dst, offer.vids),
            (service, relay.addr, tags.vids())
        );
    }
    // A renewal through a router, by a VLAN that the client is not in.
    let mut renewal = client(3).renew(Ipv4Addr::new(10, 9, 0, 50));
    (renewal.tags, renewal.dst) = (vlan(100), service);
    rig.send(&renewal);
    assert!(rig.replies().is_empty());
    assert_eq!(rig.count(Group::Silences, "unknown_client"), 1);
}
