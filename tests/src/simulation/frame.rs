//! Frames as they are on the server's wire: put together and taken apart octet by octet.

use super::client::{Client, Millis};
use super::message::{Query, Reply};
use super::scenario::{Home, SERVER};
use std::net::Ipv4Addr;

pub(super) const SERVER_MAC: [u8; 6] = [2, 0xee, 0, 0, 0, 1];
pub(super) const GATEWAY_MAC: [u8; 6] = [2, 0xee, 0, 0, 0, 2];

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;

/// Where a frame comes from and goes to.
#[derive(Debug, Clone, Copy)]
struct Way {
    mac: ([u8; 6], [u8; 6]),
    ip: (Ipv4Addr, Ipv4Addr),
    src_port: u16,
}

/// A client's message, by itself or by its relay.
pub(super) fn of_query(query: &Query, client: &Client, home: &Home, now: Millis) -> Vec<u8> {
    let mac = client.nature.mac;
    let own = query.ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let way = match (query.to, home.relay) {
        (Some(server), relay) => Way {
            mac: (if relay.is_some() { GATEWAY_MAC } else { mac }, SERVER_MAC),
            ip: (own, server),
            src_port: 68,
        },
        (None, Some(relay)) => Way {
            mac: (GATEWAY_MAC, SERVER_MAC),
            ip: (relay, SERVER),
            src_port: 67,
        },
        (None, None) => Way {
            mac: (mac, [0xff; 6]),
            ip: (own, Ipv4Addr::BROADCAST),
            src_port: 68,
        },
    };
    datagram(way, &query.payload(client, home, now))
}

/// Any payload, from this station and these addresses to the server.
pub(super) fn wrapped(
    (mac, ip): ([u8; 6], (Ipv4Addr, Ipv4Addr)),
    src_port: u16,
    payload: &[u8],
) -> Vec<u8> {
    let to = if ip.1.is_broadcast() {
        [0xff; 6]
    } else {
        SERVER_MAC
    };
    let way = Way {
        mac: (mac, to),
        ip,
        src_port,
    };
    datagram(way, payload)
}

fn datagram(way: Way, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET + IP + UDP + payload.len());
    frame.extend([way.mac.1, way.mac.0].as_flattened());
    frame.extend([0x08, 0x00]);
    let length = |octets: usize| {
        u16::try_from(octets)
            .expect("a small datagram")
            .to_be_bytes()
    };
    let [high, low] = length(IP + UDP + payload.len());
    let mut header = [
        0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    header[12..16].copy_from_slice(&way.ip.0.octets());
    header[16..].copy_from_slice(&way.ip.1.octets());
    let sum = checksum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    frame.extend(header);
    frame.extend(way.src_port.to_be_bytes());
    frame.extend([0, 67]);
    frame.extend(length(UDP + payload.len()));
    // RFC 768: no checksum.
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

/// The Internet checksum of an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks_exact(2).map(|word| match word {
        [high, low] => u32::from(*high) << 8 | u32::from(*low),
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !u16::try_from(sum).expect("folded")
}

/// What the server has sent.
#[derive(Debug)]
pub(super) enum Sent {
    /// It asks who has an address.
    Question(Ipv4Addr),
    Reply(Parcel),
    /// Neither; that its own addresses are announced, for example.
    Other,
}

/// A reply and how it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parcel {
    pub(super) mac: [u8; 6],
    pub(super) dst: Ipv4Addr,
    pub(super) port: u16,
    pub(super) reply: Reply,
}

impl Sent {
    /// # Errors
    /// What is wrong with a frame.
    pub(super) fn parse(frame: &[u8]) -> Result<Self, String> {
        let short = || format!("a frame of {} octets", frame.len());
        let (ethernet, rest) = frame.split_at_checked(ETHERNET).ok_or_else(short)?;
        if ethernet[12..] == [0x08, 0x06] {
            let target = rest.get(24..28).ok_or_else(short)?;
            let target: [u8; 4] = target.try_into().map_err(|_| short())?;
            let asks = rest.get(7) == Some(&1) && rest.get(14..18) != Some(&target[..]);
            return Ok(if asks {
                Self::Question(target.into())
            } else {
                Self::Other
            });
        }
        let (ip, rest) = rest.split_at_checked(IP).ok_or_else(short)?;
        if ethernet[12..] != [0x08, 0x00] || ip[9] != 17 {
            return Ok(Self::Other);
        }
        if checksum(ip) != 0 {
            return Err("wrong checksum of IPv4".to_owned());
        }
        let (udp, payload) = rest.split_at_checked(UDP).ok_or_else(short)?;
        let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        let payload = length
            .checked_sub(UDP)
            .and_then(|length| payload.get(..length));
        let mut mac = [0; 6];
        mac.copy_from_slice(&ethernet[..6]);
        Ok(Self::Reply(Parcel {
            mac,
            dst: Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]),
            port: u16::from_be_bytes([udp[2], udp[3]]),
            reply: Reply::decode(payload.ok_or_else(short)?)?,
        }))
    }
}

impl Parcel {
    /// Whether it reaches a client of `home` as things are on a real wire.
    pub(super) fn reaches(&self, client: &Client, home: &Home) -> bool {
        match home.relay {
            Some(relay) if self.port == 67 => self.dst == relay && self.mac == GATEWAY_MAC,
            Some(_) => self.mac == GATEWAY_MAC && home.contains(self.dst),
            None => self.port == 68 && [client.nature.mac, [0xff; 6]].contains(&self.mac),
        }
    }
}

/// The router's answer to who has `addr`.
pub(super) fn gateway_answer(addr: Ipv4Addr) -> Vec<u8> {
    let mut frame = [SERVER_MAC, GATEWAY_MAC].as_flattened().to_vec();
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(GATEWAY_MAC);
    frame.extend(addr.octets());
    frame.extend(SERVER_MAC);
    frame.extend(SERVER.octets());
    frame.resize(60, 0);
    frame
}
