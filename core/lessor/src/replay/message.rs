//! A DHCP message as it is compared: field by field.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use dhcp_wire::Checksum;
use dhcp_wire::dhcp::{Message, MessageType, code};
use dhcp_wire::ethernet::{Ethernet, Mac};
use dhcp_wire::frame::{self, Frame, Offloads};
use dhcp_wire::udp::Udp;

use crate::words::Colons;

/// A capture shows what left; who looked at checksums is nobody's concern here.
pub(super) const TRUSTED: Offloads = Offloads {
    stripped: None,
    ip: Checksum::Trusted,
    udp: Checksum::Trusted,
};
const SERVER_PORT: u16 = 67;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// What an exchange is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) xid: u32,
    pub(super) chaddr: Box<[u8]>,
}

/// What a frame is to a replay.
#[derive(Debug)]
pub(super) enum Said {
    /// A client's or a relay's message; without a key if it is malformed.
    Query(Option<Key>, Option<MessageType>),
    /// A server's.
    Reply(Box<Reply>),
    /// Anything else.
    Other,
}

/// A server's message.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) key: Key,
    pub(super) kind: Option<MessageType>,
    pub(super) src_mac: Mac,
    pub(super) src: Ipv4Addr,
    pub(super) yiaddr: Ipv4Addr,
    fields: BTreeMap<Field, Vec<u8>>,
}

/// What is compared of a reply, in the order of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Field {
    Vlans,
    Destination,
    DestinationPort,
    Flags,
    Ciaddr,
    Yiaddr,
    Siaddr,
    Giaddr,
    Sname,
    File,
    Option(u8),
}

/// Looks at a frame.
pub(super) fn look(octets: &[u8]) -> Said {
    let Ok(parsed) = frame::parse(octets, TRUSTED) else {
        return broken(octets);
    };
    let (eth, ip, udp) = match parsed {
        Frame::Dhcp { eth, ip, udp, .. } | Frame::OtherUdp { eth, ip, udp } => (eth, ip, udp),
        Frame::Arp { .. } | Frame::Icmp { .. } | Frame::OtherIp { .. } | Frame::Other { .. } => {
            return Said::Other;
        }
    };
    let payload = udp.payload();
    match payload.first() {
        Some(&REQUEST) if udp.dst_port() == SERVER_PORT => {
            let message = Message::parse(payload).ok();
            let options = message.and_then(|message| message.options().ok());
            let kind = options.and_then(|options| options.any_message_type().ok());
            Said::Query(message.map(key), kind)
        }
        Some(&REPLY) if udp.src_port() == SERVER_PORT => {
            let reply = reply(&eth, (ip.src(), ip.dst()), &udp);
            reply.map_or(Said::Other, |reply| Said::Reply(Box::new(reply)))
        }
        Some(_) | None => Said::Other,
    }
}

/// What cannot be read may be a client's all the same: the machine is to see it too.
fn broken(octets: &[u8]) -> Said {
    let is_ours = Ethernet::parse(octets).is_ok();
    if is_ours {
        Said::Query(None, None)
    } else {
        Said::Other
    }
}

fn key(message: Message<'_>) -> Key {
    Key {
        xid: message.xid(),
        chaddr: message.chaddr().into(),
    }
}

fn reply(eth: &Ethernet<'_>, (src, dst): (Ipv4Addr, Ipv4Addr), udp: &Udp<'_>) -> Option<Reply> {
    let message = Message::parse(udp.payload()).ok()?;
    let options = message.options().ok()?;
    let (outer, inner) = eth.tags().vids();
    let vids = [outer, inner].into_iter().flatten();
    let mut fields = BTreeMap::from([
        (Field::Vlans, vids.flat_map(u16::to_be_bytes).collect()),
        (Field::Destination, dst.octets().to_vec()),
        (
            Field::DestinationPort,
            udp.dst_port().to_be_bytes().to_vec(),
        ),
        (Field::Flags, message.flags().to_be_bytes().to_vec()),
        (Field::Ciaddr, message.ciaddr().octets().to_vec()),
        (Field::Yiaddr, message.yiaddr().octets().to_vec()),
        (Field::Siaddr, message.siaddr().octets().to_vec()),
        (Field::Giaddr, message.giaddr().octets().to_vec()),
    ]);
    // A field that holds options says nothing itself (RFC 2132 §9.3).
    let overload = options.u8(code::OVERLOAD).unwrap_or(0);
    if overload & 1 == 0 {
        fields.insert(Field::File, message.file().to_vec());
    }
    if overload & 2 == 0 {
        fields.insert(Field::Sname, message.sname().to_vec());
    }
    for code in 1..u8::MAX {
        if code != code::OVERLOAD
            && let Some(value) = options.get(code)
        {
            fields.insert(Field::Option(code), value.octets().collect());
        }
    }
    Some(Reply {
        key: key(message),
        kind: options.any_message_type().ok(),
        src_mac: eth.src(),
        src,
        yiaddr: message.yiaddr(),
        fields,
    })
}

impl Reply {
    /// Fields that differ: name, here, there. Nothing stands for a field that is not there.
    pub(super) fn differences(
        &self,
        other: &Self,
    ) -> Vec<(String, Option<String>, Option<String>)> {
        let fields = self.fields.keys().chain(other.fields.keys());
        let fields: std::collections::BTreeSet<_> = fields.copied().collect();
        let differing = fields.into_iter().filter_map(|field| {
            let (here, there) = (self.fields.get(&field), other.fields.get(&field));
            let show = |value: &Vec<u8>| field.show(value);
            let is_same = here == there || field.is_near(here, there);
            (!is_same).then(|| (field.to_string(), here.map(show), there.map(show)))
        });
        differing.collect()
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vlans => f.write_str("vlans"),
            Self::Destination => f.write_str("IP destination"),
            Self::DestinationPort => f.write_str("UDP destination port"),
            Self::Flags => f.write_str("flags"),
            Self::Ciaddr => f.write_str("ciaddr"),
            Self::Yiaddr => f.write_str("yiaddr"),
            Self::Siaddr => f.write_str("siaddr"),
            Self::Giaddr => f.write_str("giaddr"),
            Self::Sname => f.write_str("sname"),
            Self::File => f.write_str("file"),
            Self::Option(code) => match crate::config::option_name(*code) {
                Some(name) => write!(f, "option {code} ({name})"),
                None => write!(f, "option {code}"),
            },
        }
    }
}

impl Field {
    /// Whether two values are times a second apart: what is left of a lease is told in seconds, and
    /// the server's clock does not turn with the capture's.
    fn is_near(self, here: Option<&Vec<u8>>, there: Option<&Vec<u8>>) -> bool {
        let times = [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME];
        let is_time = times.into_iter().any(|code| self == Self::Option(code));
        let seconds = |value: Option<&Vec<u8>>| {
            let octets = value?.as_slice().try_into().ok()?;
            Some(u32::from_be_bytes(octets))
        };
        match (seconds(here), seconds(there)) {
            (Some(here), Some(there)) => is_time && here.abs_diff(there) <= 1,
            (_, _) => false,
        }
    }

    /// A value as an operator reads it.
    fn show(self, value: &[u8]) -> String {
        match self {
            Self::Destination | Self::Ciaddr | Self::Yiaddr | Self::Siaddr | Self::Giaddr => {
                addresses(value)
            }
            Self::Vlans | Self::DestinationPort => numbers(value),
            Self::Sname | Self::File => text(value),
            Self::Flags => Colons(value).to_string(),
            Self::Option(code) => match code {
                code::SUBNET_MASK
                | code::ROUTERS
                | code::DNS_SERVERS
                | code::BROADCAST_ADDRESS
                | code::NTP_SERVERS
                | code::REQUESTED_ADDRESS
                | code::SERVER_ID => addresses(value),
                code::LEASE_TIME | code::RENEWAL_TIME | code::REBINDING_TIME => seconds(value),
                code::HOST_NAME
                | code::DOMAIN_NAME
                | code::MESSAGE
                | code::TFTP_SERVER_NAME
                | code::BOOT_FILE_NAME => text(value),
                _ => Colons(value).to_string(),
            },
        }
    }
}

fn addresses(value: &[u8]) -> String {
    let (whole, rest) = value.as_chunks::<4>();
    if !rest.is_empty() {
        return Colons(value).to_string();
    }
    let shown: Vec<_> = whole
        .iter()
        .map(|octets| Ipv4Addr::from(*octets).to_string())
        .collect();
    shown.join(", ")
}

fn numbers(value: &[u8]) -> String {
    let (whole, _) = value.as_chunks::<2>();
    let shown: Vec<_> = whole
        .iter()
        .map(|octets| u16::from_be_bytes(*octets).to_string())
        .collect();
    if shown.is_empty() {
        "none".into()
    } else {
        shown.join(", ")
    }
}

fn seconds(value: &[u8]) -> String {
    match value.try_into().map(u32::from_be_bytes) {
        Ok(u32::MAX) => "infinite".into(),
        Ok(seconds) => format!("{seconds} s"),
        Err(_) => Colons(value).to_string(),
    }
}

fn text(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&octet| octet == 0)
        .unwrap_or(value.len());
    let text = value.get(..end).unwrap_or_default();
    format!("\"{}\"", text.escape_ascii())
}

/// The name of a type of message.
pub(super) fn kind_name(kind: Option<MessageType>) -> &'static str {
    match kind {
        Some(MessageType::Discover) => "DISCOVER",
        Some(MessageType::Offer) => "OFFER",
        Some(MessageType::Request) => "REQUEST",
        Some(MessageType::Decline) => "DECLINE",
        Some(MessageType::Ack) => "ACK",
        Some(MessageType::Nak) => "NAK",
        Some(MessageType::Release) => "RELEASE",
        Some(MessageType::Inform) => "INFORM",
        Some(_) => "another message",
        None => "a message without a type",
    }
}
