//! ICMP echo to an address of ours.

use dhcp_proto::config::Link;
use dhcp_proto::time::Instant;
use dhcp_wire::ethernet::{Ethernet, Mac, Tags};
use dhcp_wire::frame;
use dhcp_wire::icmp::Icmp;
use dhcp_wire::ipv4::{self, Ipv4};

use super::counters::DropReason;
use super::port::Packet;
use super::routes::{Routes, is_directed_broadcast, is_host};

/// Requests that a worker answers in one second. Who measures sends fewer; who floods is not to
/// have the queue that replies leave by.
pub const ECHOES_PER_SECOND: u32 = 1000;

/// Whether a request to an address of ours that came by `link`, on a port whose hardware address is
/// `mac`, is answered.
///
/// # Errors
///
/// Says why not: RFC 1122 §3.2.2.6 lets broadcasts go unanswered, and §3.2.2 answers nobody whose
/// address is not one host's. A packet with IP options might ask for its own way back.
pub fn admit(
    (eth, ip, icmp): (&Ethernet<'_>, &Ipv4<'_>, &Icmp<'_>),
    link: &Link,
    routes: &Routes,
    mac: Mac,
) -> Result<(), DropReason> {
    let src = ip.src();
    if !icmp.is_echo_request() || eth.dst() != mac || ip.header_len() != ipv4::HEADER_LEN {
        return Err(DropReason::OtherIcmp);
    }
    let is_broadcast = |prefix| is_directed_broadcast(prefix, src);
    let is_group = link.addresses.iter().any(|own| is_broadcast(own.prefix));
    let is_station = !eth.src().is_multicast() && !eth.src().is_zero() && eth.src() != mac;
    if !is_host(src) || is_group || routes.is_ours(link.space, src) || !is_station {
        return Err(DropReason::EchoSource);
    }
    Ok(())
}

/// Turns an admitted request into its reply where it stands, with `tags` for those it had.
///
/// # Errors
///
/// [`DropReason::NoRoom`] if a tag that the device took off does not fit in again.
pub fn answer<P: Packet>(packet: &mut P, tags: &Tags, mac: Mac) -> Result<(), DropReason> {
    let eth = Ethernet::parse(packet.octets()).map_err(|_| DropReason::OtherIcmp)?;
    let (len, addresses, ethertype) = (eth.header_len(), (eth.dst(), eth.src()), eth.ethertype());
    let moved = packet.set_header(len, addresses, tags, ethertype);
    moved.map_err(|_| DropReason::NoRoom)?;
    let len = packet.octets().len();
    let frame = packet.room().get_mut(..len).ok_or(DropReason::NoRoom)?;
    frame::write_echo_reply(frame, mac).ok_or(DropReason::OtherIcmp)
}

/// How many echoes a worker may still answer in this second.
#[derive(Debug, Default)]
pub struct EchoLimit {
    second: u32,
    answered: u32,
}

impl EchoLimit {
    /// Whether one more may be answered.
    #[must_use]
    pub fn admit(&mut self, now: Instant) -> bool {
        if self.second != now.secs() {
            *self = Self {
                second: now.secs(),
                answered: 0,
            };
        }
        self.answered = self.answered.saturating_add(1);
        self.answered <= ECHOES_PER_SECOND
    }
}
