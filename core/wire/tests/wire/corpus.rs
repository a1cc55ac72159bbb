//! Frames and messages made octet by octet, without the writers under test.

use dhcp_wire::Malformed;

/// DISCOVER of a client that sends a client-id, a PRL and a maximum message size.
pub(crate) const DISCOVER: &[u8] =
    b"\x35\x01\x01\x3d\x07\x01\x02\x00\x00\x00\x00\x01\x37\x04\x01\x03\x06\x0f\x39\x02\x05\xc0\xff";

/// VLAN tags as they stand in a frame: TPID and TCI.
pub(crate) type RawTags<'a> = &'a [(u16, u16)];

pub(crate) const UNTAGGED: RawTags<'_> = &[];
pub(crate) const VLAN: RawTags<'_> = &[(0x8100, 0x6064)];
pub(crate) const QINQ: RawTags<'_> = &[(0x88a8, 100), (0x8100, 200)];

/// A message, to be changed where a test wants it.
#[derive(Clone)]
pub(crate) struct Raw(pub(crate) Vec<u8>);

impl Raw {
    /// A BOOTREQUEST of an Ethernet client with these octets in the options field.
    pub(crate) fn with_options(options: &[u8]) -> Self {
        let mut octets = vec![0; 240];
        octets[..8].copy_from_slice(&[1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78]);
        octets[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        octets[236..].copy_from_slice(&[99, 130, 83, 99]);
        octets.extend_from_slice(options);
        Self(octets)
    }

    /// With `octets` from `at` on.
    pub(crate) fn with(mut self, at: usize, octets: &[u8]) -> Self {
        self.0[at..at + octets.len()].copy_from_slice(octets);
        self
    }

    pub(crate) fn with_sname(self, octets: &[u8]) -> Self {
        assert!(octets.len() <= 64);
        self.with(44, octets)
    }

    pub(crate) fn with_file(self, octets: &[u8]) -> Self {
        assert!(octets.len() <= 128);
        self.with(108, octets)
    }
}

/// The checksum, word by word as RFC 1071 §1 has it.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let octets = parts.concat();
    let mut sum: u32 = octets
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn word(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap().to_be_bytes()
}

/// A broadcast frame with this payload.
pub(crate) fn ethernet(tags: RawTags<'_>, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 1]);
    for (tpid, tci) in tags {
        frame.extend_from_slice(&tpid.to_be_bytes());
        frame.extend_from_slice(&tci.to_be_bytes());
    }
    frame.extend_from_slice(&ethertype.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// A packet from 0.0.0.0 to all, its header changed by `edit` before the checksum is made.
pub(crate) fn ipv4_edited(protocol: u8, payload: &[u8], edit: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(&[255; 4]);
    packet[2..4].copy_from_slice(&word(20 + payload.len()));
    edit(&mut packet);
    let checksum = checksum(&[&packet]);
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

pub(crate) fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_edited(protocol, payload, |_| ())
}

/// A datagram from port 68 to `port`, with its checksum.
pub(crate) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0, 68];
    datagram.extend_from_slice(&port.to_be_bytes());
    datagram.extend_from_slice(&word(8 + payload.len()));
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    let pseudo_header = [0, 0, 0, 0, 255, 255, 255, 255, 0, 17];
    let checksum = checksum(&[&pseudo_header, &word(datagram.len()), &datagram]);
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    datagram
}

/// A whole frame with this DHCP message.
pub(crate) fn dhcp(tags: RawTags<'_>, message: &[u8]) -> Vec<u8> {
    ethernet(tags, 0x0800, &ipv4(17, &udp(67, message)))
}

pub(crate) fn arp() -> Vec<u8> {
    let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 9];
    packet.extend_from_slice(&[0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
    packet
}

pub(crate) fn echo_request(data: &[u8]) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 7];
    message.extend_from_slice(data);
    let checksum = checksum(&[&message]);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    message
}

/// Frames that nobody can find fault with; none is padded.
pub(crate) fn good() -> Vec<(&'static str, Vec<u8>)> {
    let message = Raw::with_options(DISCOVER).0;
    vec![
        ("direct", dhcp(UNTAGGED, &message)),
        ("vlan", dhcp(VLAN, &message)),
        ("qinq", dhcp(QINQ, &message)),
        ("arp", ethernet(UNTAGGED, 0x0806, &arp())),
        ("arp in a vlan", ethernet(VLAN, 0x0806, &arp())),
        (
            "icmp",
            ethernet(UNTAGGED, 0x0800, &ipv4(1, &echo_request(b"abcdefg"))),
        ),
        (
            "other udp",
            ethernet(UNTAGGED, 0x0800, &ipv4(17, &udp(53, b"query"))),
        ),
        ("other ip", ethernet(UNTAGGED, 0x0800, &ipv4(6, &[0; 20]))),
    ]
}

/// Messages that real clients send, and that are answered all the same (C167).
pub(crate) fn dirty() -> Vec<(&'static str, Vec<u8>)> {
    let options = |octets: &[u8]| Raw::with_options(octets).0;
    vec![
        ("243 octets", options(b"\x35\x01\x01")),
        ("no END", options(b"\x35\x01\x01\x0c\x01x")),
        (
            "garbage behind END",
            options(b"\x35\x01\x01\xff\x3d\xff\x00\x35"),
        ),
        (
            "PAD before, between and behind",
            options(b"\0\0\x35\x01\x01\0\x0c\x01x\0\xff\0\0"),
        ),
        (
            "empty options",
            options(b"\x0c\0\x35\x01\x01\x3d\0\x37\0\xff"),
        ),
        (
            "misshapen options",
            options(b"\x32\x03abc\x35\x01\x01\x33\x01a\x39\x04abcd\xff"),
        ),
        ("overload 0", options(b"\x34\x01\x00\x35\x01\x01\xff")),
        ("overload 4", options(b"\x34\x01\x04\x35\x01\x01\xff")),
        (
            "overload of two octets",
            options(b"\x34\x02\x01\x01\x35\x01\x01\xff"),
        ),
        ("overload of no octet", options(b"\x34\x00\x35\x01\x01\xff")),
        (
            "sub-options of 82 overrun it",
            options(b"\x35\x01\x01\x52\x03\x01\x09x\xff"),
        ),
    ]
}

fn changed(frame: &[u8], at: usize, octets: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[at..at + octets.len()].copy_from_slice(octets);
    frame
}

fn malformed_links() -> Vec<(Malformed, Vec<u8>)> {
    let direct = dhcp(UNTAGGED, &Raw::with_options(DISCOVER).0);
    let three = [(0x88a8, 1), (0x8100, 2), (0x8100, 3)];
    let whole_arp = ethernet(UNTAGGED, 0x0806, &arp());
    vec![
        (Malformed::EthernetTruncated, direct[..13].to_vec()),
        (Malformed::TooManyTags, dhcp(&three, &[])),
        (
            Malformed::ArpTruncated,
            ethernet(UNTAGGED, 0x0806, &arp()[..27]),
        ),
        (Malformed::ArpForm, changed(&whole_arp, 15, &[6])),
    ]
}

fn malformed_packets() -> Vec<(Malformed, Vec<u8>)> {
    let datagram = udp(67, &Raw::with_options(DISCOVER).0);
    let ip = |at: usize, octets: &[u8]| {
        let edit = |header: &mut [u8]| header[at..at + octets.len()].copy_from_slice(octets);
        ethernet(UNTAGGED, 0x0800, &ipv4_edited(17, &datagram, edit))
    };
    let icmp = |message: &[u8]| ethernet(UNTAGGED, 0x0800, &ipv4(1, message));
    let direct = ip(0, &[0x45]);
    vec![
        (Malformed::Ipv4Truncated, direct[..33].to_vec()),
        (Malformed::Ipv4Version, ip(0, &[0x65])),
        (Malformed::Ipv4HeaderLength, ip(0, &[0x44])),
        (
            Malformed::Ipv4HeaderLength,
            ethernet(UNTAGGED, 0x0800, &[0x46; 20]),
        ),
        (Malformed::Ipv4Length, ip(2, &[2])),
        (Malformed::Ipv4Length, ip(2, &[0, 19])),
        (
            Malformed::Ipv4Checksum,
            changed(&direct, 24, &[direct[24] ^ 1]),
        ),
        (Malformed::Ipv4Fragment, ip(6, &[0x20])),
        (Malformed::Ipv4Fragment, ip(6, &[0, 1])),
        (Malformed::Ipv4Fragment, ip(6, &[0x1f, 0xff])),
        (Malformed::IcmpTruncated, icmp(&[8, 0, 0, 0])),
        (
            Malformed::IcmpChecksum,
            icmp(&changed(&echo_request(b"x"), 7, &[8])),
        ),
        (
            Malformed::UdpTruncated,
            ethernet(UNTAGGED, 0x0800, &ipv4(17, &datagram[..7])),
        ),
        (Malformed::UdpLength, changed(&direct, 38, &[2])),
        (Malformed::UdpLength, changed(&direct, 38, &[0, 7])),
        (Malformed::UdpLength, changed(&direct, 38, &[0, 0])),
        (
            Malformed::UdpChecksum,
            changed(&direct, 40, &[direct[40] ^ 1]),
        ),
    ]
}

fn malformed_messages() -> Vec<(Malformed, Vec<u8>)> {
    let good = Raw::with_options(DISCOVER);
    let options = |octets: &[u8]| Raw::with_options(octets).0;
    let mut messages = vec![
        (Malformed::MessageTruncated, good.0[..239].to_vec()),
        (Malformed::Cookie, good.clone().with(239, &[98]).0),
        (Malformed::Op, good.clone().with(0, &[0]).0),
        (Malformed::Op, good.clone().with(0, &[3]).0),
        (Malformed::NotARequest, good.clone().with(0, &[2]).0),
        (Malformed::OptionOverrun, options(b"\x35\x01\x01\x0c")),
        (Malformed::OptionOverrun, options(b"\x35\x01\x01\x0c\x02x")),
        (
            Malformed::OptionOverrun,
            options(b"\x35\x01\x01\x0c\xff\xff"),
        ),
        (Malformed::OptionOverrun, {
            let end = Raw::with_options(b"\x35\x01\x01\x34\x01\x01\xff");
            end.with(108 + 127, &[12]).0
        }),
        (Malformed::OptionOverrun, {
            let end = Raw::with_options(b"\x35\x01\x01\x34\x01\x02\xff");
            end.with(44 + 62, &[12, 1]).0
        }),
        (Malformed::MessageTypeAbsent, options(b"\x0c\x01x\xff")),
        (Malformed::MessageTypeAbsent, options(b"")),
        (Malformed::MessageTypeAbsent, options(b"\xff\x35\x01\x01")),
        (
            Malformed::MessageTypeDoubled,
            options(b"\x35\x01\x01\x35\x01\x01\xff"),
        ),
        (
            Malformed::MessageTypeDoubled,
            options(b"\x35\x01\x01\x0c\x01x\x35\x00\xff"),
        ),
        (Malformed::MessageTypeLength, options(b"\x35\x00\xff")),
        (
            Malformed::MessageTypeLength,
            options(b"\x35\x02\x01\x01\xff"),
        ),
    ];
    messages.extend(
        (17..=255).map(|hlen| (Malformed::HardwareLength, good.clone().with(2, &[hlen]).0)),
    );
    messages.extend((0..=255).filter_map(|octet| {
        let reason = match octet {
            1 | 3 | 4 | 7 | 8 | 10 => return None,
            0 | 19.. => Malformed::MessageTypeUnknown,
            14..=18 => Malformed::MessageTypeNotOverUdp,
            2 | 5 | 6 | 9 | 11..=13 => Malformed::MessageTypeServerOnly,
        };
        Some((reason, options(&[53, 1, octet, 255])))
    }));
    messages
}

/// Frames that get no reply, and why.
pub(crate) fn malformed() -> Vec<(Malformed, Vec<u8>)> {
    let messages = malformed_messages()
        .into_iter()
        .map(|(reason, message)| (reason, dhcp(UNTAGGED, &message)));
    let headers = malformed_links().into_iter().chain(malformed_packets());
    headers.chain(messages).collect()
}
