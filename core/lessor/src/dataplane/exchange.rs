//! From a received packet to the message in it, and from a plan to the frame that carries it out.

use dhcp_proto::config::Config;
use dhcp_proto::identity::HashKey;
use dhcp_proto::record::Origin;
use dhcp_proto::server::{self, Destination, Echo, NextHop, Plan, Query, ReplyKind, Silence};
use dhcp_wire::Malformed;
use dhcp_wire::dhcp::{Message, MessageType, Options};
use dhcp_wire::ethernet::{Ethernet, Mac};
use dhcp_wire::frame::{self, Frame, FrameOut};
use dhcp_wire::ipv4::{self, Ipv4};
use dhcp_wire::udp::{self, Udp};

use super::arrival::Arrival;
use super::counters::{Counters, DropReason, Event};
use super::host::Net;
use super::port::{Facts, HeaderLengths, Packet, Port};
use super::ports::Ports;
use super::trace::What;
use super::way::{Exit, Way};

/// RFC 1812 §4.2.2.9 asks for 64 or more.
const TTL: u8 = 64;
const SERVER_PORT: u16 = 67;

/// What a received frame is.
#[derive(Debug)]
pub enum Received<'a> {
    /// Not DHCP: the host's business.
    Host,
    /// A message for this server.
    Message,
    /// A message of nobody that is served here; it has been counted.
    Refused(Refusal<'a>),
    /// None of these; it has been counted.
    Counted,
}

/// A message that is refused before its network and client are known.
#[derive(Debug)]
pub struct Refusal<'a> {
    /// Why.
    pub why: What,
    /// The message, to be read again by whoever wants to know.
    pub payload: &'a [u8],
    /// Where it came in.
    pub origin: Origin,
    /// Whether it was sent to one address.
    pub unicast: bool,
}

/// How a packet came to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// Number of the port that received it.
    pub port: u8,
    /// Whether another worker has read it before: it is counted, and its checksums are right.
    pub handed: bool,
}

/// Reads a frame that a port received, as far as configuration alone tells whose it is. A message
/// goes to `room`, with where it came from: as a value it would be copied several times.
#[inline]
pub fn read<'a, P: Port>(
    packet: &'a P::Packet,
    Source { port, handed }: Source,
    (net, key): (&Net<'_, P>, &HashKey),
    room: &mut Option<(Query<'a>, Arrival)>,
) -> Received<'a> {
    let Some(facts) = net.ports.facts(port) else {
        net.counters.drop(DropReason::LinkGone);
        return Received::Counted;
    };
    let offloads = if handed {
        Facts::offloads_again(packet)
    } else {
        facts.offloads(packet)
    };
    let counters = (!handed).then_some(net.counters);
    let parsed = match frame::parse(packet.octets(), offloads) {
        Ok(Frame::Dhcp {
            eth,
            ip,
            udp,
            payload,
        }) => message(payload, counters).map(|(message, options)| Datagram {
            eth,
            ip,
            udp,
            payload,
            message,
            options,
        }),
        Ok(_) => return Received::Host,
        Err(reason) => Err(reason),
    };
    match parsed {
        Ok(datagram) => admit(&datagram, (port, facts.mac), (net, key), room),
        Err(reason) => {
            net.counters.malformed(reason);
            Received::Counted
        }
    }
}

/// A message, and what it came in.
struct Datagram<'a> {
    eth: Ethernet<'a>,
    ip: Ipv4<'a>,
    udp: Udp<'a>,
    payload: &'a [u8],
    message: Message<'a>,
    options: Options<'a>,
}

/// Says whose message this is, which a port of hardware address `mac` received.
#[inline]
fn admit<'a, P: Port>(
    datagram: &Datagram<'a>,
    (port, mac): (u8, Mac),
    (net, key): (&Net<'_, P>, &HashKey),
    room: &mut Option<(Query<'a>, Arrival)>,
) -> Received<'a> {
    let Datagram {
        eth,
        ip,
        udp,
        payload,
        message,
        options,
    } = *datagram;
    let origin = origin(&eth, port);
    let refused = |why| {
        Received::Refused(Refusal {
            why,
            payload,
            origin,
            unicast: !ip.dst().is_broadcast(),
        })
    };
    let arrival = match Arrival::new(&eth, port, mac, net.config) {
        Ok(arrival) => arrival,
        Err(reason) => {
            net.counters.drop(reason);
            // Otherwise it is for another station.
            let ours = reason == DropReason::NoLink;
            return if ours {
                refused(What::Dropped(reason))
            } else {
                Received::Counted
            };
        }
    };
    let seen = server::Arrival {
        origin,
        l2_src: eth.src(),
        ip_src: ip.src(),
        ip_dst: ip.dst(),
        src_port: udp.src_port(),
        payload,
    };
    match server::admit(net.config, key, seen, message, options) {
        Ok(query) => {
            *room = Some((query, arrival));
            Received::Message
        }
        Err(reason) => {
            silence(net.counters, reason);
            refused(What::Silence(reason))
        }
    }
}

/// Where a frame came in.
fn origin(eth: &Ethernet<'_>, port: u8) -> Origin {
    let (outer, inner) = eth.tags().without_priority().vids();
    Origin {
        port,
        outer_vid: outer.unwrap_or(0),
        inner_vid: inner.unwrap_or(0),
    }
}

/// The message in a datagram to port 67, counted by its type if it is new.
fn message<'a>(
    payload: &'a [u8],
    counters: Option<&Counters>,
) -> Result<(Message<'a>, Options<'a>), Malformed> {
    let message = Message::parse_request(payload)?;
    let options = message.options()?;
    if let Some(counters) = counters {
        let kind = options.any_message_type().map_or(0, |kind| kind as u8);
        counters.message_in(kind);
    }
    options.message_type()?;
    Ok((message, options))
}

/// Counts a message that is not answered.
pub fn silence(counters: &Counters, reason: Silence) {
    counters.silence(reason);
}

/// Writes the reply that `plan` describes over its query, and says how it leaves.
///
/// # Errors
///
/// Why it cannot be sent; the packet is unusable then.
pub fn write<P: Port>(
    packet: &mut P::Packet,
    plan: &Plan,
    echo: &Echo,
    arrival: &Arrival,
    net: &Net<'_, P>,
) -> Result<Exit, DropReason> {
    let (exit, leg, mac) = way(&plan.destination, arrival, net)?;
    let facts = net.ports.facts(leg.port).ok_or(DropReason::LinkGone)?;
    let at = frame::headers_len(leg.tags);
    let room = packet.room();
    let payload = room.get_mut(at..).ok_or(DropReason::NoRoom)?;
    let written = server::write_reply(net.config, plan, echo, payload).ok_or(DropReason::NoRoom)?;
    let out = FrameOut {
        dst_mac: mac,
        src_mac: facts.mac,
        tags: leg.tags,
        src: plan.destination.source,
        dst: plan.destination.addr,
        src_port: SERVER_PORT,
        dst_port: plan.destination.port,
        ttl: TTL,
        tos: 0,
        id: 0,
        payload_len: written.len,
        udp_checksum: facts.udp_fill(),
    };
    let len = frame::write_headers(room, &out).ok_or(DropReason::NoRoom)?;
    packet.set_frame_len(len).map_err(|_| DropReason::NoRoom)?;
    if facts.udp_checksum_offload {
        let l3 = ipv4::HEADER_LEN;
        let l2 = at.saturating_sub(l3).saturating_sub(udp::HEADER_LEN);
        packet
            .offload_udp_checksum(HeaderLengths { l2, l3 })
            .map_err(|_| DropReason::NoRoom)?;
    }
    net.counters
        .events(Event::OptionsDropped, usize::from(written.dropped));
    net.counters.events(
        Event::AgentInfoDropped,
        usize::from(written.agent_info_dropped),
    );
    net.counters.message_out(match plan.kind {
        ReplyKind::Offer => MessageType::Offer as u8,
        ReplyKind::Ack => MessageType::Ack as u8,
        ReplyKind::Nak => MessageType::Nak as u8,
    });
    Ok(exit)
}

/// Where a reply leaves, with the tags and the destination of its frame.
fn way<P: Port>(
    destination: &Destination,
    arrival: &Arrival,
    net: &Net<'_, P>,
) -> Result<(Exit, Arrival, Mac), DropReason> {
    let direct = Exit::Direct { port: arrival.port };
    match destination.next_hop {
        NextHop::Broadcast => Ok((direct, *arrival, Mac::BROADCAST)),
        NextHop::Station(mac) => Ok((direct, *arrival, mac)),
        NextHop::Routed => {
            let way = Way::to(destination.addr, arrival, net.config, net.routes)?;
            // The next hop's address is put in when it is known.
            Ok((way.exit, way.leg, Mac([0; 6])))
        }
    }
}

/// The configuration and what follows from it, as a worker sees it.
#[derive(Debug)]
pub struct Snapshot {
    /// What was configured.
    pub config: Config,
    /// Its routes.
    pub routes: super::routes::Routes,
}

impl Snapshot {
    /// What a worker lends its host, under this configuration.
    #[inline]
    pub fn net<'a, P: Port>(
        &'a self,
        ports: &'a mut Ports<P>,
        counters: &'a Counters,
    ) -> Net<'a, P> {
        let Self { config, routes } = self;
        Net {
            config,
            routes,
            ports,
            counters,
        }
    }
}
