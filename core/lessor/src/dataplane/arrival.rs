//! Whether a frame is for us, and where it came from: port and VLAN tags, RFC 1122 §3.2.1.3.

use std::net::Ipv4Addr;

use dhcp_proto::config::{Config, Link, LinkIndex};
use dhcp_wire::ethernet::{Ethernet, Mac, Tags};

use super::counters::DropReason;
use super::neighbors::Key;
use super::routes::{Routes, is_directed_broadcast};

/// Where a frame came from, and what its answer goes back with (C166).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Number of the port.
    pub port: u8,
    /// The link of the port and the tags.
    pub link: LinkIndex,
    /// The tags that name a VLAN: a frame with VID 0 counts as untagged and is answered so.
    pub tags: Tags,
}

/// Whom a packet is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Receiver {
    /// An address of ours.
    Us,
    /// Every station of a link.
    Everybody,
}

impl Arrival {
    /// Where `eth` came from that a port received whose hardware address is `mac`. A frame for all
    /// stations may carry a packet for us alone (C165); one for a group or another station is
    /// none of ours, even if a promiscuous port saw it.
    ///
    /// # Errors
    ///
    /// Says why the frame is not for us.
    #[inline]
    pub fn new(
        eth: &Ethernet<'_>,
        port: u8,
        mac: Mac,
        config: &Config,
    ) -> Result<Self, DropReason> {
        if eth.dst() != mac && !eth.dst().is_broadcast() {
            return Err(DropReason::NotOurMac);
        }
        let tags = eth.tags().without_priority();
        let link = config.link_of(port, vids(tags)).ok_or(DropReason::NoLink)?;
        Ok(Self { port, link, tags })
    }

    /// A next hop in the VLAN that the frame came by.
    #[must_use]
    pub fn hop(&self, addr: Ipv4Addr) -> Key {
        Key::new(self.port, vids(self.tags), addr)
    }

    /// Whom a packet to `dst` is for that came this way. An address of ours on another link of
    /// the same space is ours all the same: a renewal is sent to the server identifier, by
    /// whatever way routers know (C143).
    ///
    /// # Errors
    ///
    /// [`DropReason::NotOurAddress`] if it is for somebody else (C165).
    #[inline]
    pub fn receiver(
        &self,
        dst: Ipv4Addr,
        config: &Config,
        routes: &Routes,
    ) -> Result<Receiver, DropReason> {
        let link = config.link(self.link).ok_or(DropReason::NoLink)?;
        if link.has(dst) {
            Ok(Receiver::Us)
        } else if dst.is_broadcast() || is_broadcast_of(link, dst) {
            Ok(Receiver::Everybody)
        } else if routes.is_ours(link.space, dst) {
            Ok(Receiver::Us)
        } else {
            Err(DropReason::NotOurAddress)
        }
    }
}

/// Outer and inner VLAN, 0 where there is none.
fn vids(tags: Tags) -> (u16, u16) {
    let (outer, inner) = tags.vids();
    (outer.unwrap_or(0), inner.unwrap_or(0))
}

/// Whether `dst` means all stations of a prefix that `link` is attached to.
fn is_broadcast_of(link: &Link, dst: Ipv4Addr) -> bool {
    link.addresses
        .iter()
        .any(|own| is_directed_broadcast(own.prefix, dst))
}
