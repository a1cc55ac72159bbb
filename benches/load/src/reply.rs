//! What arrives, read once.

use dhcp_wire::arp::Arp;
use dhcp_wire::dhcp::{Message, MessageType, Options};
use dhcp_wire::ethernet::{Ethernet, Mac, ethertype};
use dhcp_wire::ipv4::{Ipv4, protocol};
use dhcp_wire::udp::{Udp, port};
use dhcp_wire::{Checksum, Malformed};

/// Where `xid` stands in a frame without tags and IP options.
const XID: usize = 46;

/// A frame that was received.
#[derive(Debug)]
pub enum Received<'a> {
    /// A message to a client or relay.
    Message(Reply<'a>),
    /// An ARP packet.
    Arp(Arp<'a>),
    /// Anything else.
    Other,
}

/// A message, with its envelope.
#[derive(Debug)]
pub struct Reply<'a> {
    /// Station that sent it.
    pub src_mac: Mac,
    /// Station that it was sent to.
    pub dst_mac: Mac,
    /// IP destination.
    pub dst: u32,
    /// UDP destination.
    pub dst_port: u16,
    /// The message.
    pub message: Message<'a>,
    /// Its options.
    pub options: Options<'a>,
    /// What it is.
    pub kind: MessageType,
}

/// Reads a frame; of `ip` and `udp` it is told whether their checksums are looked at.
///
/// # Errors
///
/// Why the frame is not what its headers say, if it is UDP to port 67 or 68 as far as can be seen.
#[inline]
pub fn read(octets: &[u8], ip: Checksum, udp: Checksum) -> Result<Received<'_>, Malformed> {
    let eth = Ethernet::parse(octets)?;
    match eth.ethertype() {
        ethertype::IPV4 => {}
        ethertype::ARP => {
            return Ok(Arp::parse(eth.payload()).map_or(Received::Other, Received::Arp));
        }
        _ => return Ok(Received::Other),
    }
    let packet = Ipv4::parse_any(eth.payload(), ip)?;
    if packet.protocol() != protocol::UDP || packet.is_fragment() {
        return Ok(Received::Other);
    }
    let datagram = Udp::parse(&packet, Checksum::Trusted)?;
    if !matches!(datagram.dst_port(), port::SERVER | port::CLIENT) {
        return Ok(Received::Other);
    }
    let datagram = Udp::parse(&packet, udp)?;
    let message = Message::parse(datagram.payload())?;
    let options = message.options()?;
    Ok(Received::Message(Reply {
        src_mac: eth.src(),
        dst_mac: eth.dst(),
        dst: packet.dst().into(),
        dst_port: datagram.dst_port(),
        message,
        kind: options.any_message_type()?,
        options,
    }))
}

/// The `xid` that a frame has if it is the usual reply; anything else gives a number, too.
#[inline]
#[must_use]
pub fn probable_xid(octets: &[u8]) -> Option<u32> {
    match octets.get(XID..)? {
        &[a, b, c, d, ..] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}
