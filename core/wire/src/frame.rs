//! From the octets of a frame to what a worker asks of it, and back.

use core::net::Ipv4Addr;

use crate::arp::Arp;
use crate::dhcp::Message;
use crate::ethernet::{self, Ethernet, Mac, Tag, Tags, ethertype};
use crate::icmp::{self, Icmp};
use crate::ipv4::{self, Ipv4, protocol};
use crate::udp::{self, Udp, port};
use crate::{Checksum, Malformed, field};

/// What the device did to a frame before it handed it over.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offloads {
    /// The outer tag, if the device took it off.
    pub stripped: Option<Tag>,
    /// Who looks at the checksum of the IPv4 header.
    pub ip: Checksum,
    /// Who looks at the checksum of the UDP datagram.
    pub udp: Checksum,
}

/// A frame, sorted by what the appliance does with it. Lengths and checksums are those of whole
/// and undamaged packets; who they are for is the worker's to see.
#[derive(Debug, Clone, Copy)]
pub enum Frame<'a> {
    /// ARP for IPv4.
    Arp {
        /// The frame.
        eth: Ethernet<'a>,
        /// Its packet.
        arp: Arp<'a>,
    },
    /// ICMP, echo or another.
    Icmp {
        /// The frame.
        eth: Ethernet<'a>,
        /// Its packet.
        ip: Ipv4<'a>,
        /// The packet's message.
        icmp: Icmp<'a>,
    },
    /// UDP to port 67. The message in it is not looked at yet: a relay forwards what a server
    /// would refuse.
    Dhcp {
        /// The frame.
        eth: Ethernet<'a>,
        /// Its packet.
        ip: Ipv4<'a>,
        /// The packet's datagram.
        udp: Udp<'a>,
        /// The datagram's payload, for [`Message::parse`].
        payload: &'a [u8],
    },
    /// UDP to another port; its checksum is not looked at.
    OtherUdp {
        /// The frame.
        eth: Ethernet<'a>,
        /// Its packet.
        ip: Ipv4<'a>,
        /// The packet's datagram.
        udp: Udp<'a>,
    },
    /// IPv4 with another protocol, or a fragment of it.
    OtherIp {
        /// The frame.
        eth: Ethernet<'a>,
        /// Its packet.
        ip: Ipv4<'a>,
    },
    /// Another ethertype.
    Other {
        /// The frame.
        eth: Ethernet<'a>,
    },
}

/// Reads a frame as far down as the appliance cares.
///
/// # Errors
///
/// Returns the first reason why the frame is not what its headers say.
#[inline]
pub fn parse(octets: &[u8], offloads: Offloads) -> Result<Frame<'_>, Malformed> {
    let eth = Ethernet::parse(octets)?.with_stripped(offloads.stripped)?;
    match eth.ethertype() {
        ethertype::IPV4 => parse_ipv4(eth, offloads),
        ethertype::ARP => {
            let arp = Arp::parse(eth.payload())?;
            Ok(Frame::Arp { eth, arp })
        }
        _ => Ok(Frame::Other { eth }),
    }
}

/// What [`Message::glance`] says of the DHCP message in a frame. Nothing is checked.
#[inline]
#[must_use]
pub fn glance(octets: &[u8]) -> Option<Ipv4Addr> {
    let packet = Ethernet::parse(octets).ok()?.payload();
    let words = packet.first()? & 0x0f;
    Message::glance(packet.get(4 * usize::from(words) + udp::HEADER_LEN..)?)
}

#[inline]
fn parse_ipv4(eth: Ethernet<'_>, offloads: Offloads) -> Result<Frame<'_>, Malformed> {
    let ip = Ipv4::parse_any(eth.payload(), offloads.ip)?;
    match ip.protocol() {
        protocol::UDP | protocol::ICMP if ip.is_fragment() => Err(Malformed::Ipv4Fragment),
        protocol::UDP => {
            let udp = Udp::of(&ip)?;
            if udp.dst_port() != port::SERVER {
                return Ok(Frame::OtherUdp { eth, ip, udp });
            }
            udp.check(&ip, offloads.udp)?;
            Ok(Frame::Dhcp {
                eth,
                ip,
                udp,
                payload: udp.payload(),
            })
        }
        protocol::ICMP => {
            let icmp = Icmp::parse(ip.payload(), Checksum::Verify)?;
            Ok(Frame::Icmp { eth, ip, icmp })
        }
        _ => Ok(Frame::OtherIp { eth, ip }),
    }
}

/// What the headers of a UDP frame say.
#[derive(Debug, Clone, Copy)]
pub struct FrameOut {
    /// Next station.
    pub dst_mac: Mac,
    /// The port's own address.
    pub src_mac: Mac,
    /// Tags to write; those that the device puts in are left out.
    pub tags: Tags,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Time to live.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// Identification of the IPv4 packet.
    pub id: u16,
    /// Octets of the payload, which stands at [`headers_len`] already.
    pub payload_len: usize,
    /// What stands in the checksum field of UDP.
    pub udp_checksum: udp::Fill,
}

/// Octets before the payload of a UDP frame with these tags.
#[inline]
#[must_use]
pub fn headers_len(tags: Tags) -> usize {
    ethernet::header_len(tags) + ipv4::HEADER_LEN + udp::HEADER_LEN
}

/// Writes the headers before a payload that stands in `buf` already, and returns the length of
/// the frame; `None` if `buf` is too short or the packet would be too long.
///
/// Short frames are not padded: the device does that.
#[inline]
#[must_use]
pub fn write_headers(buf: &mut [u8], out: &FrameOut) -> Option<usize> {
    let len = headers_len(out.tags).checked_add(out.payload_len)?;
    let frame = buf.get_mut(..len)?;
    let at = ethernet::write(frame, out.dst_mac, out.src_mac, &out.tags, ethertype::IPV4)?;
    let packet = frame.get_mut(at..)?;
    let ip = ipv4::Header {
        src: out.src,
        dst: out.dst,
        protocol: protocol::UDP,
        ttl: out.ttl,
        tos: out.tos,
        id: out.id,
    };
    let at = ipv4::write(packet, &ip, udp::HEADER_LEN.checked_add(out.payload_len)?)?;
    let udp = udp::Header {
        src: out.src,
        dst: out.dst,
        src_port: out.src_port,
        dst_port: out.dst_port,
    };
    udp::write(
        packet.get_mut(at..)?,
        &udp,
        out.payload_len,
        out.udp_checksum,
    )?;
    Some(len)
}

/// Turns the frame of an echo request into that of its reply where it stands, from `src_mac`;
/// `None`, and the frame as it was, if it is not one that [`parse`] took.
///
/// A packet with IP options gets no reply: a source route would have to be turned round.
#[inline]
#[must_use]
pub fn write_echo_reply(frame: &mut [u8], src_mac: Mac) -> Option<()> {
    const TTL: u8 = 64;
    let eth = Ethernet::parse(frame).ok()?;
    let ip = Ipv4::parse(eth.payload(), Checksum::Trusted).ok()?;
    let is_icmp = eth.ethertype() == ethertype::IPV4 && ip.protocol() == protocol::ICMP;
    if !is_icmp || ip.header_len() != ipv4::HEADER_LEN {
        return None;
    }
    let (dst_mac, at, message_len) = (eth.src(), eth.header_len(), ip.payload().len());
    let header = ipv4::Header {
        src: ip.dst(),
        dst: ip.src(),
        protocol: protocol::ICMP,
        ttl: TTL,
        tos: ip.tos(),
        id: 0,
    };
    let (eth, packet) = frame.split_at_mut_checked(at)?;
    let message = packet.get_mut(ipv4::HEADER_LEN..)?.get_mut(..message_len)?;
    icmp::write_echo_reply(message)?;
    ipv4::write(packet, &header, message_len)?;
    let addresses = eth.first_chunk_mut::<12>()?;
    field::put::<0, 6, 12>(addresses, dst_mac.0);
    field::put::<6, 6, 12>(addresses, src_mac.0);
    Some(())
}
