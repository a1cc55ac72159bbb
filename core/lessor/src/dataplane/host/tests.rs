mod services;

use super::*;

use std::net::Ipv4Addr;

use dhcp_proto::address::{Directory, Space};
use dhcp_proto::config::{Link, LinkAddress, LinkIndex, Prefix, Spec};
use dhcp_wire::arp::Op;
use dhcp_wire::ethernet::{self, Tag, ethertype};
use dhcp_wire::frame::FrameOut;
use dhcp_wire::{Checksum, icmp, ipv4, udp};
use proptest::prelude::*;

use crate::dataplane::arrival::Receiver::{Everybody, Us};
use crate::dataplane::counters::Group;
use crate::dataplane::port::{Facts, RxChecksum};
use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPacket, MemPort, MemWire};
use crate::dataplane::ports::BURST;
use crate::dataplane::routes::StaticRoute;
use crate::dataplane::waiting::MOST_PER_HOP;
use crate::dataplane::way::Way;

const OUR_MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
const THEIR_MAC: Mac = Mac([2, 0, 0, 0, 0, 9]);
const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 253);
const ON_VLAN: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 1);
const ON_QINQ: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
const UNTAGGED: Tags = Tags {
    outer: None,
    inner: None,
};
const PACKETS: usize = 600;

fn vlan(vid: u16) -> Tags {
    Tags {
        outer: Some(Tag {
            tpid: ethertype::VLAN,
            tci: vid,
        }),
        inner: None,
    }
}

fn qinq(outer: u16, inner: u16) -> Tags {
    let tag = |tpid, tci| Some(Tag { tpid, tci });
    Tags {
        outer: tag(ethertype::QINQ, outer),
        inner: tag(ethertype::VLAN, inner),
    }
}

/// A worker without DHCP: one port, links untagged, VLAN 100 and 200.300, a gateway and a route.
struct Rig {
    config: Config,
    routes: Routes,
    ports: Ports<MemPort>,
    wire: MemWire,
    counters: Counters,
    neighbors: Arc<Neighbors>,
    host: Host<MemPacket>,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        Self::serving(Vec::new())
    }

    /// With these service addresses.
    fn serving(service_addresses: Vec<(Space, Ipv4Addr)>) -> Self {
        let prefix = |addr, len| Prefix::new(addr, len).unwrap();
        let link = |vids: (u16, u16), addr| {
            let prefix = prefix(addr, 24);
            Link::new(0, vids, vec![LinkAddress { addr, prefix }])
        };
        let links = vec![
            link((0, 0), OURS),
            link((100, 0), ON_VLAN),
            link((200, 300), ON_QINQ),
        ];
        let route = |to: [u8; 4], len, via| StaticRoute {
            to: prefix(to.into(), len),
            via,
            link: LinkIndex(0),
        };
        let statics = [
            route([0; 4], 0, GATEWAY),
            route([172, 16, 0, 0], 12, ROUTER),
        ];
        let routes = Routes::new(&links, &service_addresses, &statics);
        let spec = Spec {
            links,
            service_addresses,
            ..Spec::default()
        };
        let facts = Facts {
            mac: OUR_MAC,
            udp_checksum_offload: false,
            rx_checksum: RxChecksum::Verify,
        };
        let (port, wire) = MemPort::new(MemConfig {
            facts,
            packets: PACKETS,
        });
        let neighbors = Arc::new(Neighbors::new(64, 5));
        let mut host = Host::new(Arc::clone(&neighbors), 0, 1);
        host.announcer = Announcer::silent();
        Self {
            config: Config::new(spec, Directory::builder(None).build()),
            routes,
            ports: Ports::new([port]),
            wire,
            counters: Counters::new(),
            neighbors,
            host,
            now: Instant(1_000_000),
        }
    }

    fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Host<MemPacket>, &mut Net<'_, MemPort>, Instant) -> T,
    ) -> T {
        let Self {
            config,
            routes,
            ports,
            counters,
            host,
            now,
            ..
        } = self;
        call(
            host,
            &mut Net {
                config,
                routes,
                ports,
                counters,
            },
            *now,
        )
    }

    /// Receives what is on the wire, answers, sends, and returns what was sent.
    fn poll(&mut self) -> Vec<MemFrame> {
        let mut burst = Vec::with_capacity(BURST);
        self.ports.receive(0, &mut burst, &self.counters);
        for packet in burst {
            self.with(|host, net, now| host.on_frame(packet, 0, net, now));
        }
        self.ports.flush(&self.counters);
        self.wire.take_sent()
    }

    fn exchange(&mut self, frame: impl Into<MemFrame>) -> Vec<MemFrame> {
        assert!(self.wire.deliver(&frame.into()));
        self.poll()
    }

    /// What becomes of a frame that gets no answer.
    fn reason(&mut self, frame: impl Into<MemFrame>) -> String {
        assert_eq!(self.exchange(frame), []);
        let snapshot = self.counters.snapshot();
        let ends = [Group::Drops, Group::Malformed];
        let rows = snapshot.rows().iter();
        let counted: Vec<_> = rows
            .filter(|row| ends.contains(&row.group) && row.count > 0)
            .collect();
        assert_eq!((counted.len(), counted[0].count), (1, 1), "{counted:?}");
        self.counters = Counters::new();
        counted[0].name.to_owned()
    }

    /// Lets `millis` pass, with ticks that look after the whole table, and returns what was sent.
    fn pass(&mut self, millis: u64) -> Vec<MemFrame> {
        for _ in 0..millis / 100 {
            self.now.0 += 100;
            for _ in 0..3 {
                self.with(Host::tick);
            }
        }
        self.ports.flush(&self.counters);
        self.wire.take_sent()
    }

    /// Sends a reply to `dst`, which arrived on the link with `tags`.
    fn reply(&mut self, dst: Ipv4Addr, tags: Tags) -> Result<Vec<MemFrame>, DropReason> {
        let (outer, inner) = tags.vids();
        let vids = (outer.unwrap_or(0), inner.unwrap_or(0));
        let link = self.config.link_of(0, vids).unwrap();
        let arrival = Arrival {
            port: 0,
            link,
            tags,
        };
        let way = Way::to(dst, &arrival, &self.config, &self.routes)?;
        let mut packet = self.ports.allocate(0, &self.counters).unwrap();
        let out = FrameOut {
            tags: way.leg.tags,
            src: way.source,
            dst,
            ..datagram()
        };
        let len = frame::write_headers(packet.room(), &out).unwrap();
        packet.set_len(len).unwrap();
        self.with(|host, net, now| host.send(packet, way.exit, net, now));
        self.ports.flush(&self.counters);
        Ok(self.wire.take_sent())
    }

    fn dropped(&self, reason: DropReason) -> u64 {
        self.counters.dropped(reason)
    }

    /// Every packet is free again, or waits for its next hop.
    fn assert_no_leak(&self) {
        assert_eq!(self.wire.held(), self.host.waiting());
    }
}

fn datagram() -> FrameOut {
    FrameOut {
        dst_mac: OUR_MAC,
        src_mac: OUR_MAC,
        tags: UNTAGGED,
        src: THEIRS,
        dst: OURS,
        src_port: 67,
        dst_port: 67,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len: 300,
        udp_checksum: udp::Fill::Computed,
    }
}

fn arp_frame(op: Op, sender: Station, target: Ipv4Addr, tags: Tags) -> MemFrame {
    let mut octets = vec![0; 64];
    let dst = if op == Op::Request {
        Mac::BROADCAST
    } else {
        OUR_MAC
    };
    let at = ethernet::write(&mut octets, dst, sender.mac, &tags, ethertype::ARP).unwrap();
    let target = Station {
        mac: Mac::default(),
        addr: target,
    };
    dhcp_wire::arp::write(&mut octets[at..], op, sender, target).unwrap();
    MemFrame {
        octets,
        ..MemFrame::default()
    }
}

fn who_has(target: Ipv4Addr, tags: Tags) -> MemFrame {
    arp_frame(
        Op::Request,
        Station {
            mac: THEIR_MAC,
            addr: THEIRS,
        },
        target,
        tags,
    )
}

fn is_at(addr: Ipv4Addr, mac: Mac, tags: Tags) -> MemFrame {
    arp_frame(Op::Reply, Station { mac, addr }, OURS, tags)
}

/// Headers and ARP packet of a frame that was sent.
fn read_arp(frame: &MemFrame) -> (Mac, Mac, Tags, Op, Station, Ipv4Addr) {
    let eth = Ethernet::parse(&frame.octets).unwrap();
    assert_eq!(eth.ethertype(), ethertype::ARP);
    assert!(frame.octets.len() >= 60);
    let arp = Arp::parse(eth.payload()).unwrap();
    (
        eth.dst(),
        eth.src(),
        eth.tags(),
        arp.op(),
        arp.sender(),
        arp.tpa(),
    )
}

fn echo_request(data: &[u8], tags: Tags, dst: Ipv4Addr) -> MemFrame {
    let mut octets = vec![0; 200 + data.len()];
    let at = ethernet::write(&mut octets, OUR_MAC, THEIR_MAC, &tags, ethertype::IPV4).unwrap();
    let header = ipv4::Header {
        src: THEIRS,
        dst,
        protocol: ipv4::protocol::ICMP,
        ttl: 3,
        tos: 0xb8,
        id: 77,
    };
    let len = ipv4::HEADER_LEN + icmp::HEADER_LEN + data.len();
    ipv4::write(&mut octets[at..], &header, len - ipv4::HEADER_LEN).unwrap();
    let message = &mut octets[at + ipv4::HEADER_LEN..];
    icmp::write_echo_request(message, 0x1234, 7, data).unwrap();
    octets.truncate((at + len).max(60));
    MemFrame {
        octets,
        ..MemFrame::default()
    }
}

/// That `frame` is the reply to an [`echo_request`] with `data`.
fn assert_echo(frame: &MemFrame, data: &[u8], tags: Tags, ours: Ipv4Addr) {
    let parsed = frame::parse(&frame.octets, frame::Offloads::default()).unwrap();
    let Frame::Icmp { eth, ip, icmp } = parsed else {
        panic!("not ICMP: {parsed:?}")
    };
    assert_eq!(
        (eth.dst(), eth.src(), eth.tags()),
        (THEIR_MAC, OUR_MAC, tags)
    );
    assert_eq!(
        (ip.src(), ip.dst(), ip.ttl(), ip.tos()),
        (ours, THEIRS, 64, 0xb8)
    );
    assert!(icmp.is_echo_reply());
    assert_eq!(
        (icmp.ident(), icmp.sequence(), icmp.data()),
        (0x1234, 7, data)
    );
}

#[test]
fn arp_for_our_address_is_answered_to_who_asked() {
    let mut rig = Rig::new();
    let sent = rig.exchange(who_has(OURS, UNTAGGED));
    assert_eq!(sent.len(), 1);
    let ours = Station {
        mac: OUR_MAC,
        addr: OURS,
    };
    assert_eq!(
        read_arp(&sent[0]),
        (THEIR_MAC, OUR_MAC, UNTAGGED, Op::Reply, ours, THEIRS)
    );
    assert_eq!(rig.counters.count(Event::ArpAnswered), 1);
    rig.assert_no_leak();
}

#[test]
fn an_arp_probe_for_our_address_is_answered() {
    let mut rig = Rig::new();
    let prober = Station {
        mac: THEIR_MAC,
        addr: Ipv4Addr::UNSPECIFIED,
    };
    let sent = rig.exchange(arp_frame(Op::Request, prober, OURS, UNTAGGED));
    let ours = Station {
        mac: OUR_MAC,
        addr: OURS,
    };
    let nobody = Ipv4Addr::UNSPECIFIED;
    assert_eq!(
        read_arp(&sent[0]),
        (THEIR_MAC, OUR_MAC, UNTAGGED, Op::Reply, ours, nobody)
    );
}

#[test]
fn arp_is_answered_on_the_link_of_the_address_only() {
    let mut rig = Rig::new();
    assert_eq!(rig.reason(who_has(THEIRS, UNTAGGED)), "arp_not_ours");
    assert_eq!(rig.reason(who_has(OURS, vlan(100))), "arp_not_ours");
    assert_eq!(rig.reason(who_has(ON_VLAN, UNTAGGED)), "arp_not_ours");
    assert_eq!(rig.reason(who_has(ON_VLAN, vlan(101))), "no_link");
    assert_eq!(rig.exchange(who_has(ON_VLAN, vlan(100))).len(), 1);
}

#[test]
fn c166_arp_is_answered_with_the_tags_that_it_had() {
    let mut rig = Rig::new();
    let priority = Tags {
        outer: Some(Tag {
            tpid: ethertype::VLAN,
            tci: 0xe000,
        }),
        inner: None,
    };
    for (addr, tags, back) in [
        (ON_VLAN, vlan(100), vlan(100)),
        (ON_QINQ, qinq(200, 300), qinq(200, 300)),
        (OURS, priority, UNTAGGED),
    ] {
        let sent = rig.exchange(who_has(addr, tags));
        assert_eq!(read_arp(&sent[0]).2, back, "{addr}");
    }
}

#[test]
fn c166_a_tag_that_the_device_took_off_is_put_back() {
    let mut rig = Rig::new();
    let stripped = |frame: MemFrame, tags: Tags| MemFrame {
        stripped: tags.outer,
        ..frame
    };
    let sent = rig.exchange(stripped(who_has(ON_VLAN, UNTAGGED), vlan(100)));
    assert_eq!(read_arp(&sent[0]).2, vlan(100));
    let sent = rig.exchange(stripped(who_has(ON_QINQ, vlan(300)), qinq(200, 300)));
    assert_eq!(read_arp(&sent[0]).2, qinq(200, 300));
    let data = [9; 33];
    let sent = rig.exchange(stripped(
        echo_request(&data, vlan(300), ON_QINQ),
        qinq(200, 300),
    ));
    assert_echo(&sent[0], &data, qinq(200, 300), ON_QINQ);
}

#[test]
fn an_arp_sender_that_is_no_other_station_is_counted() {
    let mut rig = Rig::new();
    for mac in [
        Mac::default(),
        Mac::BROADCAST,
        Mac([1, 0, 0x5e, 0, 0, 1]),
        OUR_MAC,
    ] {
        let sender = Station { mac, addr: THEIRS };
        assert_eq!(
            rig.reason(arp_frame(Op::Request, sender, OURS, UNTAGGED)),
            "arp_sender"
        );
    }
}

#[test]
fn a_claim_to_our_address_is_counted_and_answered_once_in_ten_seconds() {
    let mut rig = Rig::new();
    let thief = Station {
        mac: THEIR_MAC,
        addr: ON_VLAN,
    };
    let claim = arp_frame(Op::Request, thief, ON_VLAN, vlan(100));
    let ours = Station {
        mac: OUR_MAC,
        addr: ON_VLAN,
    };
    for round in 1..3 {
        let sent = rig.exchange(claim.clone());
        let defence = (
            Mac::BROADCAST,
            OUR_MAC,
            vlan(100),
            Op::Request,
            ours,
            ON_VLAN,
        );
        assert_eq!(sent.iter().map(read_arp).collect::<Vec<_>>(), [defence]);
        rig.now.0 += 9999;
        assert_eq!(rig.exchange(claim.clone()), []);
        assert_eq!(rig.dropped(DropReason::AddressConflict), 2 * round);
        rig.now.0 += 1;
    }
    rig.assert_no_leak();
}

#[test]
fn an_echo_is_answered_with_its_data() {
    let mut rig = Rig::new();
    for len in [0, 1, 2, 17, 18, 19, 56, 1471, 1472] {
        let data: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let sent = rig.exchange(echo_request(&data, UNTAGGED, OURS));
        assert_eq!(sent.len(), 1, "{len}");
        assert_echo(&sent[0], &data, UNTAGGED, OURS);
    }
    rig.assert_no_leak();
}

#[test]
fn c166_an_echo_with_a_priority_tag_is_answered_untagged() {
    let mut rig = Rig::new();
    let priority = Tags {
        outer: Some(Tag {
            tpid: ethertype::VLAN,
            tci: 0x6000,
        }),
        inner: None,
    };
    let sent = rig.exchange(echo_request(&[5; 100], priority, OURS));
    assert_echo(&sent[0], &[5; 100], UNTAGGED, OURS);
}

#[test]
fn an_echo_that_cannot_be_answered_is_counted_by_its_reason() {
    let mut rig = Rig::new();
    let good = echo_request(&[1; 40], UNTAGGED, OURS);
    let with = |at: usize, octets: &[u8]| {
        let mut frame = good.clone();
        frame.octets[at..at + octets.len()].copy_from_slice(octets);
        frame
    };
    assert_eq!(rig.reason(with(60, &[2])), "icmp_checksum");
    assert_eq!(rig.reason(with(22, &[9])), "ipv4_checksum");
    assert_eq!(
        rig.reason(echo_request(&[], UNTAGGED, THEIRS)),
        "not_our_address"
    );
    assert_eq!(
        rig.reason(echo_request(&[], UNTAGGED, ON_VLAN)),
        "not_our_address"
    );
    assert_eq!(rig.reason(with(0, &Mac::BROADCAST.0)), "other_icmp");
    let mut from_us = echo_request(&[], UNTAGGED, OURS);
    let header = ipv4::Header {
        src: OURS,
        dst: OURS,
        protocol: ipv4::protocol::ICMP,
        ttl: 1,
        tos: 0,
        id: 0,
    };
    for src in [
        OURS,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        [10, 0, 0, 255].into(),
    ] {
        let header = ipv4::Header { src, ..header };
        ipv4::write(&mut from_us.octets[14..], &header, icmp::HEADER_LEN).unwrap();
        assert_eq!(rig.reason(from_us.clone()), "echo_source", "{src}");
    }
}

#[test]
fn a_flood_of_echoes_is_answered_up_to_a_limit_a_second() {
    let mut rig = Rig::new();
    let mut answered = 0;
    for _ in 0..2 * echo::ECHOES_PER_SECOND {
        answered += rig.exchange(echo_request(&[], UNTAGGED, OURS)).len();
    }
    assert_eq!(answered, 1000);
    assert_eq!(rig.dropped(DropReason::EchoLimit), 1000);
    rig.now.0 += 1000;
    assert_eq!(rig.exchange(echo_request(&[], UNTAGGED, OURS)).len(), 1);
}

#[test]
fn what_is_not_for_us_is_counted_by_its_reason() {
    let mut rig = Rig::new();
    let frame = |out: FrameOut, ethertype: u16| {
        let mut octets = vec![0; 400];
        let len = frame::write_headers(&mut octets, &out).unwrap();
        octets[12..14].copy_from_slice(&ethertype.to_be_bytes());
        MemFrame::from(&octets[..len])
    };
    let group = FrameOut {
        dst_mac: Mac([1, 0x80, 0xc2, 0, 0, 0]),
        ..datagram()
    };
    let other = FrameOut {
        dst_mac: THEIR_MAC,
        ..datagram()
    };
    let port = FrameOut {
        dst_port: 53,
        ..datagram()
    };
    let there = FrameOut {
        dst: THEIRS,
        dst_port: 53,
        ..datagram()
    };
    assert_eq!(rig.reason(frame(group, ethertype::IPV4)), "not_our_mac");
    assert_eq!(rig.reason(frame(other, ethertype::IPV4)), "not_our_mac");
    assert_eq!(rig.reason(frame(port, ethertype::IPV4)), "other_udp_port");
    assert_eq!(rig.reason(frame(there, ethertype::IPV4)), "not_our_address");
    assert_eq!(rig.reason(frame(datagram(), 0x86dd)), "other_ethertype");
    assert_eq!(
        rig.reason(MemFrame::from(&[0xff; 13][..])),
        "ethernet_truncated"
    );
    rig.wire.deliver_segments();
    assert_eq!(rig.poll(), []);
    assert_eq!(rig.dropped(DropReason::RxRefused), 1);
}

#[test]
fn c165_a_packet_is_for_us_by_its_address_or_a_broadcast_of_its_link() {
    let rig = Rig::new();
    let receiver = |dst_mac, tags, dst| {
        let mut octets = [0; 64];
        ethernet::write(&mut octets, dst_mac, THEIR_MAC, &tags, ethertype::IPV4).unwrap();
        let eth = Ethernet::parse(&octets).unwrap();
        let arrival = Arrival::new(&eth, 0, OUR_MAC, &rig.config)?;
        arrival.receiver(dst, &rig.config, &rig.routes)
    };
    let all = Ipv4Addr::BROADCAST;
    // Our unicast address in a frame for all stations.
    assert_eq!(receiver(Mac::BROADCAST, UNTAGGED, OURS), Ok(Us));
    assert_eq!(receiver(OUR_MAC, UNTAGGED, OURS), Ok(Us));
    // A renewal that routers send by another link.
    assert_eq!(receiver(OUR_MAC, vlan(100), OURS), Ok(Us));
    assert_eq!(receiver(Mac::BROADCAST, UNTAGGED, all), Ok(Everybody));
    assert_eq!(
        receiver(Mac::BROADCAST, UNTAGGED, [10, 0, 0, 255].into()),
        Ok(Everybody)
    );
    let no = Err(DropReason::NotOurAddress);
    assert_eq!(
        receiver(Mac::BROADCAST, UNTAGGED, [10, 1, 0, 255].into()),
        no
    );
    assert_eq!(receiver(OUR_MAC, UNTAGGED, THEIRS), no);
    assert_eq!(
        receiver(THEIR_MAC, UNTAGGED, OURS),
        Err(DropReason::NotOurMac)
    );
    assert_eq!(receiver(OUR_MAC, vlan(7), OURS), Err(DropReason::NoLink));
}

#[test]
fn a_reply_to_a_relay_waits_until_its_gateway_is_known() {
    let mut rig = Rig::new();
    let relay = Ipv4Addr::new(192, 0, 2, 1);
    let sent = rig.reply(relay, UNTAGGED).unwrap();
    assert_eq!(sent.len(), 1);
    let ours = Station {
        mac: OUR_MAC,
        addr: OURS,
    };
    let asked = (
        Mac::BROADCAST,
        OUR_MAC,
        UNTAGGED,
        Op::Request,
        ours,
        GATEWAY,
    );
    assert_eq!(read_arp(&sent[0]), asked);
    // Asked once, however many wait.
    assert_eq!(rig.reply(relay, UNTAGGED).unwrap(), []);
    assert_eq!(rig.host.waiting(), 2);
    let sent = rig.exchange(is_at(GATEWAY, THEIR_MAC, UNTAGGED));
    assert_eq!(sent.len(), 2);
    for frame in &sent {
        let parsed = frame::parse(&frame.octets, frame::Offloads::default()).unwrap();
        let Frame::Dhcp { eth, ip, .. } = parsed else {
            panic!("not DHCP: {parsed:?}")
        };
        assert_eq!((eth.dst(), eth.src()), (THEIR_MAC, OUR_MAC));
        assert_eq!((ip.src(), ip.dst()), (OURS, relay));
    }
    // From now on at once.
    assert_eq!(rig.reply(relay, UNTAGGED).unwrap().len(), 1);
    rig.assert_no_leak();
}

#[test]
fn a_static_route_wins_over_the_gateway() {
    let mut rig = Rig::new();
    let sent = rig.reply([172, 20, 0, 1].into(), UNTAGGED).unwrap();
    assert_eq!(read_arp(&sent[0]).5, ROUTER);
    let sent = rig.reply([172, 32, 0, 1].into(), UNTAGGED).unwrap();
    assert_eq!(read_arp(&sent[0]).5, GATEWAY);
    let sent = rig.reply(THEIRS, UNTAGGED).unwrap();
    assert_eq!(read_arp(&sent[0]).5, THEIRS);
}

#[test]
fn c166_a_reply_leaves_by_the_link_of_its_message_if_a_route_does() {
    let mut rig = Rig::new();
    let near = Ipv4Addr::new(10, 2, 0, 7);
    let tags = Tags {
        outer: Some(Tag {
            tpid: ethertype::VLAN,
            tci: 0xa0c8,
        }),
        inner: Some(Tag {
            tpid: ethertype::VLAN,
            tci: 300,
        }),
    };
    let sent = rig.reply(near, tags).unwrap();
    let ours = Station {
        mac: OUR_MAC,
        addr: ON_QINQ,
    };
    let asked = (Mac::BROADCAST, OUR_MAC, tags, Op::Request, ours, near);
    assert_eq!(read_arp(&sent[0]), asked);
    let sent = rig.exchange(is_at(near, THEIR_MAC, tags));
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().tags(), tags);
    // No route leads there from VLAN 100: by the gateway, on its link.
    let sent = rig.reply([192, 0, 2, 1].into(), vlan(100)).unwrap();
    assert_eq!(read_arp(&sent[0]).2, UNTAGGED);
    assert_eq!(rig.reply(OURS, UNTAGGED), Err(DropReason::NoRoute));
}

#[test]
fn a_reply_whose_next_hop_stays_silent_is_dropped_and_counted() {
    let mut rig = Rig::new();
    assert_eq!(rig.reply(THEIRS, UNTAGGED).unwrap().len(), 1);
    assert_eq!(rig.pass(1400).len(), 1, "asked again");
    assert_eq!(rig.host.waiting(), 1);
    rig.pass(200);
    assert_eq!(rig.host.waiting(), 0);
    assert_eq!(rig.dropped(DropReason::Unresolved), 1);
    assert_eq!(rig.pass(20_000).len(), 1, "asked a last time");
    assert_eq!(rig.counters.count(Event::ArpAsked), 3);
    rig.assert_no_leak();
}

#[test]
fn those_that_wait_are_bounded_and_the_oldest_makes_room() {
    let mut rig = Rig::new();
    for _ in 0..MOST_PER_HOP + 5 {
        rig.reply(THEIRS, UNTAGGED).unwrap();
    }
    assert_eq!(rig.host.waiting(), MOST_PER_HOP);
    assert_eq!(rig.dropped(DropReason::WaitingFull), 5);
    let sent = rig.exchange(is_at(THEIRS, THEIR_MAC, UNTAGGED));
    assert_eq!(sent.len(), MOST_PER_HOP);
    rig.assert_no_leak();
}

#[test]
fn what_another_worker_heard_lets_those_go_that_wait_here() {
    let mut rig = Rig::new();
    rig.reply(THEIRS, UNTAGGED).unwrap();
    assert!(
        rig.neighbors
            .learn(Key::new(0, (0, 0), THEIRS), THEIR_MAC, rig.now)
    );
    let sent = rig.pass(100);
    assert_eq!(sent.len(), 1);
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().dst(), THEIR_MAC);
    rig.assert_no_leak();
}

#[test]
fn a_request_of_the_next_hop_itself_is_learnt_from_and_answered() {
    let mut rig = Rig::new();
    rig.reply(THEIRS, UNTAGGED).unwrap();
    let sent = rig.exchange(who_has(OURS, UNTAGGED));
    assert_eq!(read_arp(&sent[0]).3, Op::Reply);
    assert_eq!(rig.pass(100).len(), 1);
    rig.assert_no_leak();
}

#[test]
fn a_gratuitous_arp_moves_a_next_hop_at_once() {
    let mut rig = Rig::new();
    rig.reply(THEIRS, UNTAGGED).unwrap();
    rig.exchange(is_at(THEIRS, THEIR_MAC, UNTAGGED));
    let moved = Station {
        mac: Mac([2, 0, 0, 0, 7, 7]),
        addr: THEIRS,
    };
    assert_eq!(
        rig.exchange(arp_frame(Op::Request, moved, THEIRS, UNTAGGED)),
        []
    );
    let sent = rig.reply(THEIRS, UNTAGGED).unwrap();
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().dst(), moved.mac);
}

#[test]
fn a_flood_of_arp_and_of_spoofed_relays_leaves_known_next_hops_alone() {
    let mut rig = Rig::new();
    rig.reply(THEIRS, UNTAGGED).unwrap();
    rig.exchange(is_at(THEIRS, THEIR_MAC, UNTAGGED));
    for n in 0..2000u32 {
        let [.., high, low] = n.to_be_bytes();
        let stranger = Station {
            mac: Mac([2, 9, 9, 9, high, low]),
            addr: Ipv4Addr::from_bits(0x0a00_0000 + n % 256),
        };
        if stranger.addr != THEIRS {
            rig.exchange(arp_frame(Op::Reply, stranger, OURS, UNTAGGED));
            drop(rig.reply(stranger.addr, UNTAGGED));
        }
    }
    let sent = rig.reply(THEIRS, UNTAGGED).unwrap();
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().dst(), THEIR_MAC);
    assert!(rig.dropped(DropReason::NeighborsFull) > 0);
    rig.pass(2000);
    rig.assert_no_leak();
}

#[test]
fn without_a_buffer_for_its_request_a_next_hop_is_asked_for_later() {
    let mut rig = Rig::new();
    let relay = rig.ports.allocate(0, &rig.counters).unwrap();
    let mut taken = Vec::new();
    while let Some(packet) = rig.ports.allocate(0, &rig.counters) {
        taken.push(packet);
    }
    let hop = Key::new(0, (0, 0), THEIRS);
    let exit = Exit::Via {
        hop,
        tags: UNTAGGED,
    };
    rig.with(|host, net, now| host.send(relay, exit, net, now));
    assert_eq!(rig.dropped(DropReason::NoMbuf), 2);
    taken.clear();
    let sent = rig.pass(1100);
    assert_eq!(read_arp(&sent[0]).5, THEIRS);
}

#[test]
fn a_port_or_link_that_is_gone_is_counted() {
    let mut rig = Rig::new();
    let packet = rig.ports.allocate(0, &rig.counters).unwrap();
    rig.with(|host, net, now| host.send(packet, Exit::Direct { port: 3 }, net, now));
    assert_eq!(rig.dropped(DropReason::LinkGone), 1);
    // A reply parked before a reload took its link away.
    let packet = rig.ports.allocate(0, &rig.counters).unwrap();
    let exit = Exit::Via {
        hop: Key::new(0, (9, 0), THEIRS),
        tags: vlan(9),
    };
    rig.with(|host, net, now| host.send(packet, exit, net, now));
    assert_eq!(rig.pass(2000), []);
    assert_eq!(rig.dropped(DropReason::Unresolved), 1);
    rig.assert_no_leak();
}

#[test]
fn addresses_are_announced_twice_with_the_tags_of_their_links() {
    let mut rig = Rig::new();
    rig.host.on_reload();
    let sent = rig.pass(10_000);
    let expected = [
        (OURS, UNTAGGED),
        (ON_VLAN, vlan(100)),
        (ON_QINQ, qinq(200, 300)),
    ];
    let expected: Vec<_> = [expected, expected]
        .concat()
        .into_iter()
        .map(|(addr, tags)| {
            let ours = Station { mac: OUR_MAC, addr };
            (Mac::BROADCAST, OUR_MAC, tags, Op::Request, ours, addr)
        })
        .collect();
    assert_eq!(sent.iter().map(read_arp).collect::<Vec<_>>(), expected);
}

#[test]
fn routers_are_resolved_before_a_reply_needs_them() {
    let mut rig = Rig::new();
    rig.neighbors.keep_routers(rig.routes.routers(), rig.now);
    let sent = rig.pass(100);
    let mut asked: Vec<_> = sent.iter().map(|frame| read_arp(frame).5).collect();
    asked.sort_unstable();
    assert_eq!(asked, [ROUTER, GATEWAY]);
    rig.exchange(is_at(GATEWAY, THEIR_MAC, UNTAGGED));
    let sent = rig.reply([192, 0, 2, 1].into(), UNTAGGED).unwrap();
    assert_eq!(Ethernet::parse(&sent[0].octets).unwrap().dst(), THEIR_MAC);
}

#[test]
fn workers_share_the_places_so_that_each_hop_is_asked_for_once() {
    let mut rig = Rig::new();
    rig.neighbors.keep_routers(rig.routes.routers(), rig.now);
    let mut asked = Vec::new();
    for worker in 0..3 {
        rig.host = Host::new(Arc::clone(&rig.neighbors), worker, 3);
        rig.host.announcer = Announcer::silent();
        asked.extend(rig.pass(100).iter().map(|frame| read_arp(frame).5));
        rig.now.0 -= 100;
    }
    asked.sort_unstable();
    assert_eq!(asked, [ROUTER, GATEWAY]);
}

#[test]
fn a_router_in_no_prefix_of_its_link_is_asked_for_from_the_first_address() {
    let mut rig = Rig::new();
    let beyond = Ipv4Addr::new(100, 64, 0, 1);
    let to = Prefix::new([198, 51, 100, 0].into(), 24).unwrap();
    let route = StaticRoute {
        to,
        via: beyond,
        link: LinkIndex(1),
    };
    rig.routes = Routes::new(rig.config.links(), &[], &[route]);
    let sent = rig.reply([198, 51, 100, 7].into(), vlan(100)).unwrap();
    let ours = Station {
        mac: OUR_MAC,
        addr: ON_VLAN,
    };
    let asked = (
        Mac::BROADCAST,
        OUR_MAC,
        vlan(100),
        Op::Request,
        ours,
        beyond,
    );
    assert_eq!(read_arp(&sent[0]), asked);
}

#[test]
fn what_a_full_device_does_not_take_is_counted() {
    let mut rig = Rig::new();
    rig.wire.take_at_most(2);
    for _ in 0..3 {
        assert!(rig.wire.deliver(&who_has(OURS, UNTAGGED)));
    }
    assert_eq!(rig.poll().len(), 2);
    assert_eq!(rig.counters.count(Event::Sent), 2);
    assert_eq!(rig.dropped(DropReason::TxFull), 1);
    rig.assert_no_leak();
}

/// A frame of one of the kinds that mean something, with up to three octets changed and a cut.
fn any_frame() -> impl Strategy<Value = MemFrame> {
    let kinds = prop_oneof![
        (0u8..4, 0u8..4).prop_map(|(last, link)| {
            let tags = [UNTAGGED, vlan(100), qinq(200, 300), vlan(5)][usize::from(link)];
            who_has(Ipv4Addr::new(10, link % 3, 0, last), tags)
        }),
        any::<u8>().prop_map(|last| is_at([10, 0, 0, last].into(), THEIR_MAC, UNTAGGED)),
        (prop::collection::vec(any::<u8>(), 0..300), any::<bool>()).prop_map(
            |(data, vlan_link)| {
                if vlan_link {
                    echo_request(&data, vlan(100), ON_VLAN)
                } else {
                    echo_request(&data, UNTAGGED, OURS)
                }
            }
        ),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|octets| MemFrame {
            octets,
            ..MemFrame::default()
        }),
    ];
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    let tag = prop::option::weighted(0.2, any::<u16>());
    (
        kinds,
        changes,
        prop::option::weighted(0.2, any::<prop::sample::Index>()),
        tag,
    )
        .prop_map(|(mut frame, changes, cut, tag)| {
            for (at, octet) in changes {
                if !frame.octets.is_empty() {
                    let at = at.index(frame.octets.len());
                    frame.octets[at] = octet;
                }
            }
            if let Some(cut) = cut {
                frame.octets.truncate(cut.index(frame.octets.len() + 1));
            }
            let stripped = tag.map(|tci| Tag {
                tpid: ethertype::VLAN,
                tci,
            });
            let checksums = (Checksum::Verify, Checksum::Verify);
            MemFrame {
                stripped,
                checksums,
                ..frame
            }
        })
}

proptest! {
    #[test]
    fn each_packet_is_answered_or_counted(
        frames in prop::collection::vec(any_frame(), 0..60),
        replies in prop::collection::vec(any::<u8>(), 0..40),
        takes in prop_oneof![Just(usize::MAX), Just(1), Just(0)],
    ) {
        let mut rig = Rig::new();
        rig.wire.take_at_most(takes);
        let received = frames.len() as u64;
        let mut replied = 0u64;
        let mut replies = replies.into_iter();
        for frame in frames {
            rig.exchange(frame);
            if let Some(last) = replies.next() {
                replied += u64::from(rig.reply([10, 0, 0, last].into(), UNTAGGED).is_ok());
            }
        }
        rig.pass(3000);
        let count = |event| rig.counters.count(event);
        prop_assert_eq!(count(Event::Received), received);
        prop_assert_eq!(rig.host.waiting(), 0);
        prop_assert_eq!(rig.wire.held(), 0);
        let own = count(Event::ArpAsked) + count(Event::ArpAnnounced);
        let ended = count(Event::Sent) + count(Event::ArpLearnt);
        let unanswered = rig.counters.snapshot().unanswered();
        prop_assert_eq!(received + replied + own, ended + unanswered);
    }
}
