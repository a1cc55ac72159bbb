//! What parsing a DISCOVER and writing an OFFER cost, in nanoseconds a message.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Instant;

use dhcp_wire::dhcp::{Header, Message, Writer, code, op};
use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{self, Frame, FrameOut, Offloads};
use dhcp_wire::udp::Fill;
use dhcp_wire::{Checksum, Malformed};

const ROUNDS: u32 = 2_000_000;

/// Codes a server asks for.
const ASKED: [u8; 16] = [
    code::MESSAGE_TYPE,
    code::REQUESTED_ADDRESS,
    code::LEASE_TIME,
    code::SERVER_ID,
    code::PARAMETER_REQUEST_LIST,
    code::MAX_MESSAGE_SIZE,
    code::VENDOR_CLASS,
    code::CLIENT_ID,
    code::USER_CLASS,
    code::RAPID_COMMIT,
    code::CLIENT_FQDN,
    code::AGENT_INFO,
    code::CLIENT_ARCHITECTURE,
    code::CLIENT_MACHINE_ID,
    code::SUBNET_SELECTION,
    code::HOST_NAME,
];

fn header(op: u8) -> Header {
    Header {
        op,
        htype: 1,
        hlen: 6,
        hops: 0,
        xid: 0x1234_5678,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::new(192, 0, 2, 1),
        chaddr: *b"\x02\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0",
    }
}

/// What Windows sends through a relay.
fn discover(buf: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(buf, 1472, &header(op::REQUEST))?;
    writer.option(code::MESSAGE_TYPE, &[1]).ok()?;
    writer
        .option(code::CLIENT_ID, b"\x01\x02\0\0\0\0\x01")
        .ok()?;
    writer
        .option(code::REQUESTED_ADDRESS, &[10, 0, 0, 9])
        .ok()?;
    writer.option(code::HOST_NAME, b"DESKTOP-4G7KQ1T").ok()?;
    writer.option(code::VENDOR_CLASS, b"MSFT 5.0").ok()?;
    let prl = [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];
    writer.option(code::PARAMETER_REQUEST_LIST, &prl).ok()?;
    let agent_info = *b"\x52\x12\x01\x06\0\x04\0\x01\0\x02\x02\x08\0\x06\x02\0\0\0\0\x01";
    Some(writer.finish(&agent_info).len)
}

#[inline(never)]
fn offer(buf: &mut [u8]) -> Option<usize> {
    let mut writer = Writer::new(buf, 548, &header(op::REPLY))?;
    let agent_info = *b"\x52\x12\x01\x06\0\x04\0\x01\0\x02\x02\x08\0\x06\x02\0\0\0\0\x01";
    writer.reserve(agent_info.len());
    writer.option(code::MESSAGE_TYPE, &[2]).ok()?;
    writer.option(code::SERVER_ID, &[192, 0, 2, 2]).ok()?;
    writer.option(code::LEASE_TIME, &[0, 0, 14, 16]).ok()?;
    writer.option(code::RENEWAL_TIME, &[0, 0, 7, 8]).ok()?;
    writer.option(code::REBINDING_TIME, &[0, 0, 12, 78]).ok()?;
    writer.option(code::SUBNET_MASK, &[255, 255, 255, 0]).ok()?;
    writer.option(code::ROUTERS, &[10, 0, 0, 1]).ok()?;
    writer
        .option(code::DNS_SERVERS, &[10, 0, 0, 2, 10, 0, 0, 3])
        .ok()?;
    writer.option(code::DOMAIN_NAME, b"example.net").ok()?;
    writer
        .option(code::CLIENT_ID, b"\x01\x02\0\0\0\0\x01")
        .ok()?;
    Some(writer.finish(&agent_info).len)
}

fn out(payload_len: usize) -> FrameOut {
    FrameOut {
        dst_mac: Mac([2, 0, 0, 0, 0, 2]),
        src_mac: Mac([2, 0, 0, 0, 0, 3]),
        tags: Tags::default(),
        src: Ipv4Addr::new(192, 0, 2, 2),
        dst: Ipv4Addr::new(192, 0, 2, 1),
        src_port: 67,
        dst_port: 67,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len,
        udp_checksum: Fill::Computed,
    }
}

#[inline(never)]
fn parse(frame: &[u8], offloads: Offloads) -> Result<usize, Malformed> {
    let Frame::Dhcp { payload, .. } = frame::parse(frame, offloads)? else {
        return Ok(0);
    };
    let options = Message::parse_request(payload)?.options()?;
    options.message_type()?;
    black_box(&options);
    Ok(payload.len())
}

#[inline(never)]
fn parse_and_ask(frame: &[u8], offloads: Offloads) -> Result<usize, Malformed> {
    let Frame::Dhcp { payload, .. } = frame::parse(frame, offloads)? else {
        return Ok(0);
    };
    let options = Message::parse_request(payload)?.options()?;
    let found = ASKED.iter().filter_map(|&code| options.get(code));
    Ok(found
        .filter_map(|value| value.contiguous())
        .map(<[u8]>::len)
        .sum())
}

fn time<T>(what: &str, mut run: impl FnMut() -> T) {
    let best = (0..5)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..ROUNDS {
                black_box(run());
            }
            start.elapsed() / ROUNDS
        })
        .min();
    println!("{what:40} {best:?}");
}

fn main() {
    let mut query = [0; 1514];
    let at = frame::headers_len(Tags::default());
    let Some(len) = discover(&mut query[at..]) else {
        return;
    };
    let Some(len) = frame::write_headers(&mut query, &out(len)) else {
        return;
    };
    let query = &query[..len];
    let verify = Offloads::default();
    let trust = Offloads {
        ip: Checksum::Trusted,
        udp: Checksum::Trusted,
        ..verify
    };
    println!("DISCOVER of {len} octets");
    time("parse, checksums trusted", || {
        parse(black_box(query), trust)
    });
    time("parse, checksums verified", || {
        parse(black_box(query), verify)
    });
    time("parse, trusted, 16 options asked for", || {
        parse_and_ask(black_box(query), trust)
    });
    let mut reply = [0; 1514];
    time("write an OFFER", || offer(black_box(&mut reply[at..])));
    time("write its headers, UDP checksum computed", || {
        frame::write_headers(black_box(&mut reply), &out(black_box(301)))
    });
}
