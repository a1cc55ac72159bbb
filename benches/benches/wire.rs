//! What reading a relayed DISCOVER and writing its OFFER cost, in nanoseconds a message.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "criterion's macros document nothing, and a bench that cannot start ends"
)]

use core::hint::black_box;
use core::net::Ipv4Addr;
use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_wire::dhcp::{Header, Message, Options, Writer, code, op};
use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{self, Frame, FrameOut, Offloads};
use dhcp_wire::udp::{Fill, port};
use dhcp_wire::{Checksum, Malformed};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Option 82 of a DSLAM: circuit-id and remote-id.
const AGENT_INFO: &[u8] = b"\x52\x12\x01\x06\0\x04\0\x01\0\x02\x02\x08\0\x06\x02\0\0\0\0\x01";
/// Codes that a server looks for in a DISCOVER.
const LOOKED_FOR: [u8; 8] = [
    code::CLIENT_ID,
    code::REQUESTED_ADDRESS,
    code::LEASE_TIME,
    code::SERVER_ID,
    code::PARAMETER_REQUEST_LIST,
    code::MAX_MESSAGE_SIZE,
    code::SUBNET_SELECTION,
    code::AGENT_INFO,
];

fn header(op: u8) -> Header {
    Header {
        op,
        htype: 1,
        hlen: 6,
        hops: 1,
        xid: 0x1234_5678,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: RELAY,
        chaddr: *b"\x02\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0",
    }
}

/// What Windows sends.
fn discover(buf: &mut [u8]) -> usize {
    let mut writer = Writer::new(buf, 1472, &header(op::REQUEST)).expect("room");
    for (code, data) in [
        (code::MESSAGE_TYPE, &[1][..]),
        (code::CLIENT_ID, b"\x01\x02\0\0\0\0\x01"),
        (code::REQUESTED_ADDRESS, &[10, 0, 0, 9]),
        (code::HOST_NAME, b"DESKTOP-4G7KQ1T"),
        (code::VENDOR_CLASS, b"MSFT 5.0"),
        (
            code::PARAMETER_REQUEST_LIST,
            &[1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252],
        ),
    ] {
        writer.option(code, data).expect("room");
    }
    writer.finish(AGENT_INFO).len
}

fn offer(buf: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(buf, 548, &header(op::REPLY))?;
    writer.reserve(AGENT_INFO.len());
    for (code, data) in [
        (code::MESSAGE_TYPE, &[2][..]),
        (code::SERVER_ID, &SERVER.octets()),
        (code::LEASE_TIME, &[0, 0, 14, 16]),
        (code::RENEWAL_TIME, &[0, 0, 7, 8]),
        (code::REBINDING_TIME, &[0, 0, 12, 78]),
        (code::SUBNET_MASK, &[255, 255, 255, 0]),
        (code::ROUTERS, &[10, 0, 0, 1]),
        (code::DNS_SERVERS, &[10, 0, 0, 2, 10, 0, 0, 3]),
        (code::DOMAIN_NAME, b"example.net"),
        (code::CLIENT_ID, b"\x01\x02\0\0\0\0\x01"),
    ] {
        writer.option(code, data).ok()?;
    }
    Some(writer.finish(AGENT_INFO).len)
}

fn out(payload_len: usize, udp_checksum: Fill) -> FrameOut {
    FrameOut {
        dst_mac: Mac([2, 0, 0, 0, 0, 2]),
        src_mac: Mac([2, 0, 0, 0, 0, 3]),
        tags: Tags::default(),
        src: SERVER,
        dst: RELAY,
        src_port: port::SERVER,
        dst_port: port::SERVER,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len,
        udp_checksum,
    }
}

fn options(octets: &[u8], offloads: Offloads) -> Result<Option<Options<'_>>, Malformed> {
    let Frame::Dhcp { payload, .. } = frame::parse(octets, offloads)? else {
        return Ok(None);
    };
    let options = Message::parse_request(payload)?.options()?;
    options.message_type()?;
    Ok(Some(options))
}

fn reading(criterion: &mut Criterion) {
    let mut buf = [0; 1514];
    let payload_len = discover(&mut buf[frame::headers_len(Tags::default())..]);
    let len = frame::write_headers(&mut buf, &out(payload_len, Fill::Computed)).expect("room");
    let query = &buf[..len];
    let verified = Offloads::default();
    let trusted = Offloads {
        ip: Checksum::Trusted,
        udp: Checksum::Trusted,
        ..verified
    };
    assert!(options(query, verified).is_ok_and(|options| options.is_some()));
    let mut group = criterion.benchmark_group("wire");
    for (name, offloads) in [
        ("read DISCOVER, checksums by the device", trusted),
        ("read DISCOVER, checksums verified", verified),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(&options(black_box(query), offloads));
            });
        });
    }
    group.bench_function("read DISCOVER, eight options looked for", |bencher| {
        bencher.iter(|| {
            let options = options(black_box(query), trusted).ok().flatten();
            let found = options.map(|options| LOOKED_FOR.map(|code| options.get(code)));
            black_box(&found);
        });
    });
    group.finish();
}

fn writing(criterion: &mut Criterion) {
    let mut buf = [0; 1514];
    let at = frame::headers_len(Tags::default());
    let mut group = criterion.benchmark_group("wire");
    for (name, fill) in [
        ("write OFFER, checksum by the device", Fill::PseudoHeader),
        ("write OFFER, checksum computed", Fill::Computed),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let payload = black_box(buf.get_mut(at..).unwrap_or_default());
                let len = offer(payload).unwrap_or(0);
                black_box(frame::write_headers(&mut buf, &out(len, fill)))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, reading, writing);
criterion_main!(benches);
