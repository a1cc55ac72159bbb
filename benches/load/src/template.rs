//! Messages of clients, written once and then patched: all but a few fields of one kind are the
//! same for all clients.
//!
//! ```text
//! Ethernet 0 │ IPv4 14 │ UDP 34 │ DHCP 42 … cookie 278 │ 53 │ 61 │ 50? │ 54? │ 55? │ 82? │ END │ 0…
//! ```
//!
//! Each field that is patched stands at an even place of the datagram, so that its words can be
//! added to the checksum of the rest, which was computed once.

use core::net::Ipv4Addr;

use dhcp_wire::dhcp::{Header, MessageType, Writer, code, op};
use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{self, FrameOut};
use dhcp_wire::udp::{Fill, port};

/// Octets of the shortest frame: a message of 300 octets and its headers.
pub const SHORTEST: usize = 342;
/// Octets of the longest: a packet of 1500 and its Ethernet header.
pub const LONGEST: usize = 1514;

/// What clients ask their server for. An even number, so that what follows stands even.
const ASKED: [u8; 10] = [
    code::SUBNET_MASK,
    code::ROUTERS,
    code::DNS_SERVERS,
    code::HOST_NAME,
    code::DOMAIN_NAME,
    code::INTERFACE_MTU,
    code::BROADCAST_ADDRESS,
    code::NTP_SERVERS,
    code::RENEWAL_TIME,
    code::CLASSLESS_ROUTES,
];

/// Octets of the agent information without its code and length: a circuit-id of eight, and the
/// relay's address as remote-id.
pub const AGENT_INFO: usize = 16;

/// Where the fields stand in a frame.
mod at {
    pub(super) const DST_MAC: usize = 0;
    pub(super) const SRC_MAC: usize = 6;
    pub(super) const IP_CHECKSUM: usize = 24;
    pub(super) const SRC: usize = 26;
    pub(super) const DST: usize = 30;
    pub(super) const UDP_CHECKSUM: usize = 40;
    pub(super) const DHCP: usize = 42;
    pub(super) const XID: usize = DHCP + 4;
    pub(super) const SECS: usize = DHCP + 8;
    pub(super) const CIADDR: usize = DHCP + 12;
    pub(super) const GIADDR: usize = DHCP + 24;
    pub(super) const CHADDR: usize = DHCP + 28;
    pub(super) const OPTIONS: usize = DHCP + 240;
    /// Behind option 53 and the first three octets of option 61.
    pub(super) const CLIENT_ID: usize = OPTIONS + 6;
    pub(super) const BEHIND_CLIENT_ID: usize = CLIENT_ID + 6;
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// DISCOVER.
    Discover,
    /// REQUEST of an offered address.
    Select,
    /// REQUEST that extends a lease, from its address.
    Extend,
    /// REQUEST of an address that the client remembers, RFC 2131 §4.3.2 INIT-REBOOT.
    Reboot,
    /// RELEASE.
    Release,
}

impl Kind {
    /// Each, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Discover,
        Self::Select,
        Self::Extend,
        Self::Reboot,
        Self::Release,
    ];

    const fn message_type(self) -> MessageType {
        match self {
            Self::Discover => MessageType::Discover,
            Self::Select | Self::Extend | Self::Reboot => MessageType::Request,
            Self::Release => MessageType::Release,
        }
    }

    const fn has_requested(self) -> bool {
        matches!(self, Self::Select | Self::Reboot)
    }

    const fn has_server_id(self) -> bool {
        matches!(self, Self::Select | Self::Release)
    }
}

/// How a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// From the client's own link: port 68 to 67.
    Direct,
    /// Through a relay: port 67 to 67, `hops` 1.
    Relayed {
        /// With option 82.
        option82: bool,
    },
}

/// What differs from client to client. A field that the kind of message has not is 0.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// Next station.
    pub dst_mac: Mac,
    /// Sender's station: the client's or the relay's.
    pub src_mac: Mac,
    /// IP source.
    pub src: u32,
    /// IP destination.
    pub dst: u32,
    /// Transaction.
    pub xid: u32,
    /// Seconds since the exchange began.
    pub secs: u16,
    /// Address that the client has.
    pub ciaddr: u32,
    /// The relay.
    pub giaddr: u32,
    /// Hardware address of the client.
    pub chaddr: Mac,
    /// Option 50.
    pub requested: u32,
    /// Option 54.
    pub server_id: u32,
    /// Circuit-id of option 82.
    pub circuit: [u8; 8],
}

/// A kind of message, all but its fields.
#[derive(Debug)]
pub struct Template {
    frame: Vec<u8>,
    /// Sum over IPv4's header without addresses.
    ip_sum: u64,
    /// Sum over pseudo header and datagram, every field 0.
    udp_sum: u64,
    requested: Option<usize>,
    server_id: Option<usize>,
    agent_info: Option<usize>,
}

impl Template {
    /// Frames of `len` octets, at least [`SHORTEST`] and at most [`LONGEST`]; None if not.
    #[must_use]
    pub fn new(kind: Kind, path: Path, len: usize) -> Option<Self> {
        if !(SHORTEST..=LONGEST).contains(&len) {
            return None;
        }
        let mut behind = at::BEHIND_CLIENT_ID;
        let mut place = |there: bool, octets: usize| {
            let place = there.then_some(behind + 2);
            behind += if there { octets } else { 0 };
            place
        };
        let requested = place(kind.has_requested(), 6);
        let server_id = place(kind.has_server_id(), 6);
        place(kind != Kind::Release, 2 + ASKED.len());
        let option82 = path == Path::Relayed { option82: true };
        let agent_info = place(option82, 2 + AGENT_INFO);
        let frame = blank(kind, path, len)?;
        let word = |at: usize| match frame.get(at..) {
            Some(&[high, low, ..]) => u64::from(u16::from_be_bytes([high, low])),
            _ => 0,
        };
        // The blank's checksums are those of a packet without addresses.
        let (ip_sum, udp_sum) = (!word(at::IP_CHECKSUM), !word(at::UDP_CHECKSUM));
        Some(Self {
            ip_sum: ip_sum & 0xffff,
            udp_sum: udp_sum & 0xffff,
            frame,
            requested,
            server_id,
            agent_info,
        })
    }

    /// Writes a frame to the front of `buf`, and says how long it is; 0 if `buf` is too short.
    #[inline]
    pub fn write(&self, fields: &Fields, buf: &mut [u8]) -> usize {
        let len = self.frame.len();
        let Some(frame) = buf.get_mut(..len) else {
            return 0;
        };
        frame.copy_from_slice(&self.frame);
        put(frame, at::DST_MAC, fields.dst_mac.0);
        put(frame, at::SRC_MAC, fields.src_mac.0);
        put(frame, at::SRC, fields.src.to_be_bytes());
        put(frame, at::DST, fields.dst.to_be_bytes());
        let ends = words(fields.src) + words(fields.dst);
        put(frame, at::IP_CHECKSUM, checksum(self.ip_sum + ends));
        let sum = self.write_message(fields, frame);
        let checksum = match checksum(self.udp_sum + ends + sum) {
            // RFC 768: a computed 0 is sent as ones.
            [0, 0] => [0xff, 0xff],
            sum => sum,
        };
        put(frame, at::UDP_CHECKSUM, checksum);
        len
    }

    /// Writes the fields of the message, and returns the sum of their words.
    #[inline]
    fn write_message(&self, fields: &Fields, frame: &mut [u8]) -> u64 {
        put(frame, at::XID, fields.xid.to_be_bytes());
        put(frame, at::SECS, fields.secs.to_be_bytes());
        put(frame, at::CIADDR, fields.ciaddr.to_be_bytes());
        put(frame, at::GIADDR, fields.giaddr.to_be_bytes());
        put(frame, at::CHADDR, fields.chaddr.0);
        put(frame, at::CLIENT_ID, fields.chaddr.0);
        let mut sum = words(fields.xid)
            + u64::from(fields.secs)
            + words(fields.ciaddr)
            + words(fields.giaddr)
            + 2 * words_of(fields.chaddr.0);
        if let Some(at) = self.requested {
            put(frame, at, fields.requested.to_be_bytes());
            sum += words(fields.requested);
        }
        if let Some(at) = self.server_id {
            put(frame, at, fields.server_id.to_be_bytes());
            sum += words(fields.server_id);
        }
        if let Some(at) = self.agent_info {
            put(frame, at, agent_info(fields.circuit, fields.giaddr));
            sum += words_of(fields.circuit) + words(fields.giaddr);
        }
        sum
    }
}

/// The data of option 82, RFC 3046 §2.0: circuit-id and remote-id.
#[inline]
#[must_use]
pub fn agent_info(circuit: [u8; 8], relay: u32) -> [u8; AGENT_INFO] {
    let mut info = [1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 0, 0, 0, 0];
    put(&mut info, 2, circuit);
    put(&mut info, 12, relay.to_be_bytes());
    info
}

/// The frame of a message whose fields are all 0.
fn blank(kind: Kind, path: Path, len: usize) -> Option<Vec<u8>> {
    let relayed = path != Path::Direct;
    let mut frame = vec![0; len];
    let message = frame.get_mut(at::DHCP..)?;
    let header = Header {
        op: op::REQUEST,
        htype: 1,
        hlen: 6,
        hops: u8::from(relayed),
        xid: 0,
        secs: 0,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr: [0; 16],
    };
    let payload_len = message.len();
    let mut writer = Writer::new(message, payload_len, &header)?;
    let mut option = |code, data: &[u8]| writer.option(code, data).ok();
    option(code::MESSAGE_TYPE, &[kind.message_type() as u8])?;
    option(code::CLIENT_ID, &[1, 0, 0, 0, 0, 0, 0])?;
    if kind.has_requested() {
        option(code::REQUESTED_ADDRESS, &[0; 4])?;
    }
    if kind.has_server_id() {
        option(code::SERVER_ID, &[0; 4])?;
    }
    if kind != Kind::Release {
        option(code::PARAMETER_REQUEST_LIST, &ASKED)?;
    }
    let mut info = [0; 2 + AGENT_INFO];
    info[..2].copy_from_slice(&[code::AGENT_INFO, 16]);
    info[2..].copy_from_slice(&agent_info([0; 8], 0));
    let option82 = path == Path::Relayed { option82: true };
    let finished = writer.finish(if option82 { &info } else { &[] });
    let out = FrameOut {
        dst_mac: Mac::default(),
        src_mac: Mac::default(),
        tags: Tags::default(),
        src: Ipv4Addr::UNSPECIFIED,
        dst: Ipv4Addr::UNSPECIFIED,
        src_port: if relayed { port::SERVER } else { port::CLIENT },
        dst_port: port::SERVER,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len,
        udp_checksum: Fill::Computed,
    };
    frame::write_headers(&mut frame, &out)?;
    finished.agent_info_written.then_some(frame)
}

/// Puts `octets` at `at`; a template has room for what it has a place for.
#[inline]
fn put<const N: usize>(frame: &mut [u8], at: usize, octets: [u8; N]) {
    if let Some(place) = frame.get_mut(at..at + N) {
        place.copy_from_slice(&octets);
    }
}

/// The sum of the two words of an address.
#[inline]
const fn words(addr: u32) -> u64 {
    (addr >> 16) as u64 + (addr & 0xffff) as u64
}

/// The sum of the words of an even number of octets.
#[inline]
fn words_of<const N: usize>(octets: [u8; N]) -> u64 {
    let (pairs, _) = octets.as_chunks::<2>();
    pairs
        .iter()
        .map(|&pair| u64::from(u16::from_be_bytes(pair)))
        .sum()
}

/// The checksum that belongs to a sum of words in the order of the wire.
#[inline]
const fn checksum(sum: u64) -> [u8; 2] {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    let [.., high, low] = twice.to_be_bytes();
    [!high, !low]
}

#[cfg(test)]
mod tests;
