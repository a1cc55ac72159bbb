//! Frames: sorted, refused with their reason, written.

use std::collections::HashSet;
use std::net::Ipv4Addr;

use dhcp_wire::dhcp::Message;
use dhcp_wire::ethernet::{Mac, Tag, Tags};
use dhcp_wire::frame::{self, Frame, FrameOut, Offloads};
use dhcp_wire::udp::Fill;
use dhcp_wire::{Checksum, Malformed, arp, icmp, ipv4};
use proptest::prelude::*;

use crate::corpus::{self, DISCOVER, QINQ, Raw, RawTags, UNTAGGED, VLAN};

const TRUSTED: Offloads = Offloads {
    stripped: None,
    ip: Checksum::Trusted,
    udp: Checksum::Trusted,
};

/// All that a server does with a frame before it decides.
fn parse_all(octets: &[u8]) -> Result<(), Malformed> {
    if let Frame::Dhcp { payload, .. } = frame::parse(octets, Offloads::default())? {
        Message::parse_request(payload)?.options()?.message_type()?;
    }
    Ok(())
}

fn name(frame: Frame<'_>) -> &'static str {
    match frame {
        Frame::Arp { .. } => "arp",
        Frame::Icmp { .. } => "icmp",
        Frame::Dhcp { .. } => "dhcp",
        Frame::OtherUdp { .. } => "other udp",
        Frame::OtherIp { .. } => "other ip",
        Frame::Other { .. } => "other",
    }
}

#[test]
fn good_frames_are_sorted() {
    let sorted: Vec<_> = corpus::good()
        .iter()
        .map(|(_, octets)| name(frame::parse(octets, Offloads::default()).unwrap()))
        .collect();
    let expected = [
        "dhcp",
        "dhcp",
        "dhcp",
        "arp",
        "arp",
        "icmp",
        "other udp",
        "other ip",
    ];
    assert_eq!(sorted, expected);
    let ipv6 = corpus::ethernet(UNTAGGED, 0x86dd, &[0x60; 40]);
    assert_eq!(
        name(frame::parse(&ipv6, Offloads::default()).unwrap()),
        "other"
    );
}

#[test]
fn a_frame_cut_at_any_octet_is_refused() {
    for (what, octets) in corpus::good() {
        for cut in 0..octets.len() {
            for offloads in [Offloads::default(), TRUSTED] {
                assert!(
                    frame::parse(&octets[..cut], offloads).is_err(),
                    "{what} cut at {cut}"
                );
            }
        }
    }
}

#[test]
fn c194_malformed_frames_are_refused_with_their_reason() {
    for (reason, octets) in corpus::malformed() {
        assert_eq!(parse_all(&octets), Err(reason), "{octets:02x?}");
    }
}

#[test]
fn each_reason_is_reached() {
    let mut reached: HashSet<_> = corpus::malformed()
        .into_iter()
        .map(|(reason, _)| reason)
        .collect();
    let oversize = Raw::with_options(&vec![0; 65_536 - 240]).0;
    reached.extend(Message::parse(&oversize).err());
    let missing: Vec<_> = Malformed::ALL
        .iter()
        .filter(|reason| !reached.contains(reason))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn reasons_have_names_of_their_own() {
    let names: HashSet<_> = Malformed::ALL.iter().map(|reason| reason.name()).collect();
    let texts: HashSet<_> = Malformed::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(
        (names.len(), texts.len()),
        (Malformed::ALL.len(), Malformed::ALL.len())
    );
    let plain = |name: &&str| {
        name.bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_')
    };
    assert!(names.iter().all(plain));
}

#[test]
fn c167_dirty_messages_are_taken() {
    for (what, message) in corpus::dirty() {
        assert_eq!(
            parse_all(&corpus::dhcp(UNTAGGED, &message)),
            Ok(()),
            "{what}"
        );
    }
}

#[test]
fn c167_udp_checksum_zero_is_none() {
    let mut frame = corpus::dhcp(UNTAGGED, &Raw::with_options(DISCOVER).0);
    frame[40..42].fill(0);
    assert_eq!(parse_all(&frame), Ok(()));
}

#[test]
fn c166_priority_tagged_frames_are_taken() {
    let frame = corpus::dhcp(&[(0x8100, 0xe000)], &Raw::with_options(DISCOVER).0);
    let Frame::Dhcp { eth, .. } = frame::parse(&frame, Offloads::default()).unwrap() else {
        panic!("not DHCP");
    };
    assert_eq!(eth.tags().vids(), (None, None));
    assert_eq!(parse_all(&frame), Ok(()));
}

#[test]
fn padding_of_short_frames_is_left_out() {
    let message = Raw::with_options(DISCOVER).0;
    let mut frame = corpus::dhcp(VLAN, &message);
    frame.extend_from_slice(&[0xa5; 18]);
    let Frame::Dhcp { payload, .. } = frame::parse(&frame, Offloads::default()).unwrap() else {
        panic!("not DHCP");
    };
    assert_eq!(payload, message);
}

#[test]
fn octets_behind_the_udp_length_are_left_out() {
    let mut datagram = corpus::udp(67, b"message");
    datagram.extend_from_slice(b"more");
    let frame = corpus::ethernet(UNTAGGED, 0x0800, &corpus::ipv4(17, &datagram));
    let Frame::Dhcp { payload, .. } = frame::parse(&frame, Offloads::default()).unwrap() else {
        panic!("not DHCP");
    };
    assert_eq!(payload, b"message");
}

/// A frame whose IPv4 header has four octets of options.
fn with_ip_options(options: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = corpus::ipv4_edited(protocol, &[], |header| header[0] = 0x46);
    packet.extend_from_slice(&options);
    packet.extend_from_slice(payload);
    let len = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packet[10..12].fill(0);
    let checksum = corpus::checksum(&[&packet[..24]]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    corpus::ethernet(UNTAGGED, 0x0800, &packet)
}

#[test]
fn ip_options_are_stepped_over() {
    let frame = with_ip_options([1, 1, 1, 0], 17, &corpus::udp(67, b"message"));
    let Frame::Dhcp { ip, payload, .. } = frame::parse(&frame, Offloads::default()).unwrap() else {
        panic!("not DHCP");
    };
    assert_eq!((ip.header_len(), payload), (24, b"message".as_slice()));
}

#[test]
fn an_echo_request_with_ip_options_gets_no_reply() {
    // Options that would pass for the head of an echo request where one without them begins.
    let octets = with_ip_options([8, 0, 0, 0], 1, &corpus::echo_request(b"abcdefg"));
    let mut frame = octets.clone();
    assert_eq!(
        name(frame::parse(&frame, Offloads::default()).unwrap()),
        "icmp"
    );
    assert_eq!(frame::write_echo_reply(&mut frame, Mac::default()), None);
    assert_eq!(frame, octets);
}

#[test]
fn a_fragment_of_another_protocol_is_not_ours() {
    let packet = corpus::ipv4_edited(6, &[0; 20], |header| header[6] = 0x20);
    let frame = corpus::ethernet(UNTAGGED, 0x0800, &packet);
    assert_eq!(
        name(frame::parse(&frame, Offloads::default()).unwrap()),
        "other ip"
    );
    let alone = ipv4::Ipv4::parse(&packet, Checksum::Verify);
    assert_eq!(alone.err(), Some(Malformed::Ipv4Fragment));
}

#[test]
fn each_bit_of_the_offset_and_more_fragments_make_a_fragment() {
    for bit in 0..16 {
        let word = 1u16 << bit;
        let datagram = corpus::udp(67, b"message");
        let packet = corpus::ipv4_edited(17, &datagram, |header| {
            header[6..8].copy_from_slice(&word.to_be_bytes());
        });
        let parsed = ipv4::Ipv4::parse(&packet, Checksum::Verify);
        // The two others: DF, and the bit that is reserved.
        let expected = (bit < 14).then_some(Malformed::Ipv4Fragment);
        assert_eq!(parsed.err(), expected, "bit {bit}");
    }
}

#[test]
fn trusted_checksums_are_not_looked_at() {
    let mut frame = corpus::dhcp(UNTAGGED, &Raw::with_options(DISCOVER).0);
    frame[24] ^= 1;
    frame[40] ^= 1;
    assert!(frame::parse(&frame, TRUSTED).is_ok());
    let ip = Offloads {
        ip: Checksum::Trusted,
        ..Offloads::default()
    };
    assert_eq!(frame::parse(&frame, ip).err(), Some(Malformed::UdpChecksum));
    let udp = Offloads {
        udp: Checksum::Trusted,
        ..Offloads::default()
    };
    assert_eq!(
        frame::parse(&frame, udp).err(),
        Some(Malformed::Ipv4Checksum)
    );
}

#[test]
fn a_flipped_bit_anywhere_behind_the_ethernet_header_is_seen() {
    let frame = corpus::dhcp(UNTAGGED, &Raw::with_options(DISCOVER).0);
    for bit in 14 * 8..frame.len() * 8 {
        let mut flipped = frame.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let parsed = frame::parse(&flipped, Offloads::default());
        assert!(!matches!(parsed, Ok(Frame::Dhcp { .. })), "bit {bit}");
    }
}

#[test]
fn a_tag_that_the_device_took_off_counts() {
    let frame = corpus::dhcp(VLAN, &Raw::with_options(DISCOVER).0);
    let stripped = Some(Tag {
        tpid: 0x88a8,
        tci: 100,
    });
    let Frame::Dhcp { eth, .. } = frame::parse(
        &frame,
        Offloads {
            stripped,
            ..Offloads::default()
        },
    )
    .unwrap() else {
        panic!("not DHCP");
    };
    assert_eq!(eth.tags().vids(), (Some(100), Some(100)));
    let frame = corpus::dhcp(QINQ, &Raw::with_options(DISCOVER).0);
    let three = frame::parse(
        &frame,
        Offloads {
            stripped,
            ..Offloads::default()
        },
    );
    assert_eq!(three.err(), Some(Malformed::TooManyTags));
}

fn out(tags: RawTags<'_>, payload_len: usize, udp_checksum: Fill) -> FrameOut {
    let mut tags = tags.iter().map(|&(tpid, tci)| Tag { tpid, tci });
    FrameOut {
        dst_mac: Mac::BROADCAST,
        src_mac: Mac([2, 0, 0, 0, 0, 1]),
        tags: Tags {
            outer: tags.next(),
            inner: tags.next(),
        },
        src: Ipv4Addr::UNSPECIFIED,
        dst: Ipv4Addr::BROADCAST,
        src_port: 68,
        dst_port: 67,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len,
        udp_checksum,
    }
}

fn written(tags: RawTags<'_>, payload: &[u8], fill: Fill) -> Vec<u8> {
    let out = out(tags, payload.len(), fill);
    let at = frame::headers_len(out.tags);
    let mut buf = vec![0xa5; at + payload.len() + 9];
    buf[at..at + payload.len()].copy_from_slice(payload);
    let len = frame::write_headers(&mut buf, &out).unwrap();
    buf.truncate(len);
    buf
}

#[test]
fn headers_are_written_as_by_hand() {
    for tags in [UNTAGGED, VLAN, QINQ] {
        for payload in [b"".as_slice(), b"odd", &Raw::with_options(DISCOVER).0] {
            let frame = written(tags, payload, Fill::Computed);
            assert_eq!(frame, corpus::dhcp(tags, payload));
        }
    }
}

#[test]
fn udp_checksums_are_computed_left_out_or_left_to_the_device() {
    let payload = Raw::with_options(DISCOVER).0;
    let none = written(UNTAGGED, &payload, Fill::Zero);
    assert_eq!(none[40..42], [0, 0]);
    let mut offloaded = written(UNTAGGED, &payload, Fill::PseudoHeader);
    // What the device does: sum the datagram, seed included, and put the complement.
    let checksum = corpus::checksum(&[&offloaded[34..]]);
    offloaded[40..42].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(offloaded, corpus::dhcp(UNTAGGED, &payload));
}

#[test]
fn a_udp_checksum_that_comes_out_as_zero_is_sent_as_ones() {
    let without = written(UNTAGGED, &[0, 0], Fill::Computed);
    let frame = written(UNTAGGED, &without[40..42], Fill::Computed);
    assert_eq!(frame[40..42], [0xff, 0xff]);
    assert!(frame::parse(&frame, Offloads::default()).is_ok());
}

#[test]
fn headers_that_do_not_fit_are_not_written() {
    let out = out(QINQ, 300, Fill::Computed);
    let len = frame::headers_len(out.tags) + 300;
    assert_eq!(frame::write_headers(&mut vec![0; len - 1], &out), None);
    assert_eq!(frame::write_headers(&mut vec![0; len], &out), Some(len));
    let long = FrameOut {
        payload_len: 65_508,
        ..out
    };
    assert_eq!(frame::write_headers(&mut vec![0; 70_000], &long), None);
    let absurd = FrameOut {
        payload_len: usize::MAX,
        ..out
    };
    assert_eq!(frame::write_headers(&mut vec![0; 70_000], &absurd), None);
}

#[test]
fn an_echo_request_becomes_its_reply_in_place() {
    for tags in [UNTAGGED, VLAN, QINQ] {
        let packet = corpus::ipv4_edited(1, &corpus::echo_request(b"abcdefg"), |header| {
            header[12..16].copy_from_slice(&[10, 0, 0, 9]);
            header[16..20].copy_from_slice(&[10, 0, 0, 1]);
        });
        let mut octets = corpus::ethernet(tags, 0x0800, &packet);
        octets.extend_from_slice(&[0xa5; 5]);
        let len = octets.len();
        frame::write_echo_reply(&mut octets, Mac([2, 0, 0, 0, 0, 9])).unwrap();
        let Frame::Icmp { eth, ip, icmp } = frame::parse(&octets, Offloads::default()).unwrap()
        else {
            panic!("not ICMP");
        };
        assert_eq!(
            (eth.dst(), eth.src()),
            (Mac([2, 0, 0, 0, 0, 1]), Mac([2, 0, 0, 0, 0, 9]))
        );
        assert_eq!(ip.src(), Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(ip.dst(), Ipv4Addr::new(10, 0, 0, 9));
        assert!(icmp.is_echo_reply());
        assert_eq!((icmp.ident(), icmp.sequence()), (0x1234, 7));
        assert_eq!((icmp.data(), octets.len()), (b"abcdefg".as_slice(), len));
    }
}

#[test]
fn what_is_no_echo_request_stays_as_it_is() {
    let reply = {
        let mut message = vec![0, 0, 0xff, 0xff, 0, 0, 0, 0];
        message[2..4].copy_from_slice(&corpus::checksum(&[&[0; 8]]).to_be_bytes());
        corpus::ethernet(UNTAGGED, 0x0800, &corpus::ipv4(1, &message))
    };
    let other = corpus::good()
        .into_iter()
        .filter(|(what, _)| *what != "icmp");
    for octets in other.map(|(_, octets)| octets).chain([reply]) {
        let mut same = octets.clone();
        assert_eq!(frame::write_echo_reply(&mut same, Mac::default()), None);
        assert_eq!(same, octets);
    }
}

#[test]
fn an_echo_request_is_written_as_by_hand() {
    let mut buf = [0xa5; 20];
    let len = icmp::write_echo_request(&mut buf, 0x1234, 7, b"abcdefg").unwrap();
    assert_eq!(buf[..len], corpus::echo_request(b"abcdefg"));
    assert_eq!(
        icmp::write_echo_request(&mut buf[..14], 0, 0, b"abcdefg"),
        None
    );
}

#[test]
fn arp_is_read_and_answered() {
    let octets = corpus::ethernet(UNTAGGED, 0x0806, &corpus::arp());
    let Frame::Arp { arp, .. } = frame::parse(&octets, Offloads::default()).unwrap() else {
        panic!("not ARP");
    };
    assert_eq!((arp.op(), arp.tha()), (arp::Op::Request, Mac::default()));
    assert_eq!(arp.sender().addr, Ipv4Addr::new(10, 0, 0, 9));
    let us = arp::Station {
        mac: Mac([2, 0, 0, 0, 0, 9]),
        addr: arp.tpa(),
    };
    let mut buf = [0xa5; arp::LEN];
    assert_eq!(arp::write_reply(&mut buf, us, arp.sender()), Some(arp::LEN));
    let reply = arp::Arp::parse(&buf).unwrap();
    assert_eq!((reply.op(), reply.sender()), (arp::Op::Reply, us));
    assert_eq!((reply.tha(), reply.tpa()), (arp.sha(), arp.spa()));
    assert_eq!(
        arp::write_request(&mut buf, arp.sender(), us.addr),
        Some(arp::LEN)
    );
    assert_eq!(buf.as_slice(), corpus::arp());
    assert_eq!(arp::write_request(&mut buf[1..], us, us.addr), None);
}

proptest! {
    #[test]
    fn what_is_written_is_parsed(
        payload in prop::collection::vec(any::<u8>(), 0..600),
        ports in any::<(u16, bool)>(),
        addrs in any::<(u32, u32)>(),
        bytes in any::<(u8, u8, u16)>(),
        fill in prop_oneof![Just(Fill::Computed), Just(Fill::Zero)],
        tags in prop_oneof![Just(UNTAGGED), Just(VLAN), Just(QINQ)],
    ) {
        let out = FrameOut {
            src: addrs.0.into(),
            dst: addrs.1.into(),
            src_port: ports.0,
            dst_port: if ports.1 { 67 } else { ports.0 },
            ttl: bytes.0,
            tos: bytes.1,
            id: bytes.2,
            ..out(tags, payload.len(), fill)
        };
        let at = frame::headers_len(out.tags);
        let mut buf = vec![0; at];
        buf.extend_from_slice(&payload);
        frame::write_headers(&mut buf, &out).unwrap();
        let (eth, ip, udp) = match frame::parse(&buf, Offloads::default()).unwrap() {
            Frame::Dhcp { eth, ip, udp, .. } | Frame::OtherUdp { eth, ip, udp } => (eth, ip, udp),
            other @ (Frame::Arp { .. } | Frame::Icmp { .. } | Frame::OtherIp { .. } | Frame::Other { .. }) => {
                panic!("{}", name(other))
            }
        };
        prop_assert_eq!((eth.dst(), eth.src(), eth.tags()), (out.dst_mac, out.src_mac, out.tags));
        prop_assert_eq!((ip.src(), ip.dst()), (out.src, out.dst));
        prop_assert_eq!((ip.ttl(), ip.tos(), ip.is_fragment()), (out.ttl, out.tos, false));
        prop_assert_eq!((udp.src_port(), udp.dst_port()), (out.src_port, out.dst_port));
        prop_assert_eq!(udp.payload(), payload);
    }
}
