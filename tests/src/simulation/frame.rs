//! Frames as they are on the server's wire: put together and taken apart octet by octet.

use super::client::{Client, Millis};
use super::message::{Query, Reply};
use super::scenario::{Home, SERVER};
use super::strangers;
use std::borrow::Cow;
use std::net::Ipv4Addr;

pub(super) const SERVER_MAC: [u8; 6] = [2, 0xee, 0, 0, 0, 1];
pub(super) const GATEWAY_MAC: [u8; 6] = [2, 0xee, 0, 0, 0, 2];

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
/// Its number in IPv4, and the type of its question.
const ICMP: u8 = 1;
const ECHO: u8 = 8;
/// 802.1ad and 802.1Q.
const QINQ: [u8; 2] = [0x88, 0xa8];
const VLAN: [u8; 2] = [0x81, 0x00];

/// Where a frame comes from and goes to.
#[derive(Debug, Clone, Copy)]
struct Way {
    mac: ([u8; 6], [u8; 6]),
    ip: (Ipv4Addr, Ipv4Addr),
    src_port: u16,
    vlans: Option<[u16; 2]>,
}

/// A client's message, by itself or by its relay.
pub(super) fn of_query(query: &Query, client: &Client, home: &Home, now: Millis) -> Vec<u8> {
    let mac = client.nature.mac;
    let own = query.ciaddr.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let vlans = home.vlans(client.nature.number);
    let way = match (query.to, home.relay) {
        (Some(server), relay) => Way {
            mac: (if relay.is_some() { GATEWAY_MAC } else { mac }, SERVER_MAC),
            ip: (own, server),
            src_port: 68,
            vlans,
        },
        (None, Some(relay)) => Way {
            mac: (GATEWAY_MAC, SERVER_MAC),
            ip: (relay, SERVER),
            src_port: 67,
            vlans,
        },
        (None, None) => Way {
            mac: (mac, [0xff; 6]),
            ip: (own, Ipv4Addr::BROADCAST),
            src_port: 68,
            vlans,
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
        vlans: None,
    };
    datagram(way, payload)
}

fn datagram(way: Way, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(ETHERNET + IP + UDP + payload.len());
    frame.extend([way.mac.1, way.mac.0].as_flattened());
    let vlans = way
        .vlans
        .iter()
        .flat_map(|[outer, inner]| [(QINQ, outer), (VLAN, inner)]);
    for (tag, vlan) in vlans {
        frame.extend([tag, vlan.to_be_bytes()].as_flattened());
    }
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

/// The Internet checksum.
pub(super) fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|word| match word {
        [high, low] => u32::from(*high) << 8 | u32::from(*low),
        [high] => u32::from(*high) << 8,
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
    /// It asks an address beyond the router whether it is there; the answer to that.
    Echo(Ipv4Addr, Vec<u8>),
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
    vlans: Option<[u16; 2]>,
    pub(super) reply: Reply,
}

impl Sent {
    /// # Errors
    /// What is wrong with a frame.
    pub(super) fn parse(frame: &[u8]) -> Result<Self, String> {
        let short = || format!("a frame of {} octets", frame.len());
        let (vlans, untagged) = without_tags(frame);
        let (ethernet, rest) = untagged.split_at_checked(ETHERNET).ok_or_else(short)?;
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
        if ethernet[12..] == [0x08, 0x00] && ip[9] == ICMP && rest.first() == Some(&ECHO) {
            let addr = Ipv4Addr::new(ip[16], ip[17], ip[18], ip[19]);
            return Ok(Self::Echo(addr, strangers::echo_answer(&untagged)));
        }
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
            vlans,
            reply: Reply::decode(payload.ok_or_else(short)?)?,
        }))
    }
}

/// The VLANs of a frame, and the frame without its tags.
fn without_tags(frame: &[u8]) -> (Option<[u16; 2]>, Cow<'_, [u8]>) {
    if frame.len() < 22 || frame[12..14] != QINQ || frame[16..18] != VLAN {
        return (None, frame.into());
    }
    let vlan = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]) & 0xfff;
    let untagged = [&frame[..12], &frame[20..]].concat();
    (Some([vlan(14), vlan(18)]), untagged.into())
}

impl Parcel {
    /// Whether it reaches a client of `home` as things are on a real wire.
    pub(super) fn reaches(&self, client: &Client, home: &Home) -> bool {
        match home.relay {
            Some(relay) if self.port == 67 => self.dst == relay && self.mac == GATEWAY_MAC,
            // Routed: behind the relays is everything but the server's own link.
            Some(_) => self.mac == GATEWAY_MAC && self.dst.octets()[1] != SERVER.octets()[1],
            None => {
                self.port == 68
                    && [client.nature.mac, [0xff; 6]].contains(&self.mac)
                    && self.vlans == home.vlans(client.nature.number)
            }
        }
    }
}

/// The answer of the station `mac` to who has `addr`.
pub(super) fn arp_answer(addr: Ipv4Addr, mac: [u8; 6]) -> Vec<u8> {
    let mut frame = [SERVER_MAC, mac].as_flattened().to_vec();
    frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame.extend(mac);
    frame.extend(addr.octets());
    frame.extend(SERVER_MAC);
    frame.extend(SERVER.octets());
    frame.resize(60, 0);
    frame
}
