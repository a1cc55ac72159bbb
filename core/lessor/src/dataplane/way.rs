//! The way of a reply: port, tags and next hop.

use std::net::Ipv4Addr;

use dhcp_proto::config::{Config, Link};
use dhcp_wire::ethernet::Tags;

use super::arrival::Arrival;
use super::counters::DropReason;
use super::neighbors::Key;
use super::routes::{Hop, Routes};

/// How a reply leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// To the station that its frame names already.
    Direct {
        /// Number of the port.
        port: u8,
    },
    /// To a next hop, whose hardware address is put into the frame when it is known.
    Via {
        /// The next hop.
        hop: Key,
        /// The tags in the frame.
        tags: Tags,
    },
}

/// What a reply to a station beyond its own link is written with, and how it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// How it leaves.
    pub exit: Exit,
    /// The link it leaves on, and the tags to write.
    pub leg: Arrival,
    /// Our address on that link, for a reply to what was sent to no address of ours (C145).
    pub source: Ipv4Addr,
}

impl Hop {
    /// The next station on `link`, and the tags to write: those of `arrival` if it came by this
    /// link (C166). None if nothing says which of the link's VLANs it is in.
    #[must_use]
    pub fn leg(&self, link: &Link, arrival: Option<&Arrival>) -> Option<(Key, Tags)> {
        if let Some(arrival) = arrival.filter(|arrival| arrival.link == self.link) {
            return Some((arrival.hop(self.via), arrival.tags));
        }
        let key = Key::new(link.port, link.vlans.one()?, self.via);
        Some((key, key.usual_tags()))
    }
}

impl Way {
    /// The way to `dst` for the answer to what arrived from `arrival`. It is the link that the
    /// message came by (C166), unless no route leads there from it.
    ///
    /// # Errors
    ///
    /// [`DropReason::NoRoute`] if nothing leads to `dst`.
    pub fn to(
        dst: Ipv4Addr,
        arrival: &Arrival,
        config: &Config,
        routes: &Routes,
    ) -> Result<Self, DropReason> {
        let space = config.link(arrival.link).ok_or(DropReason::LinkGone)?.space;
        let next = routes.next_hop_from(Some(arrival.link), space, dst);
        let next = next.ok_or(DropReason::NoRoute)?;
        let there = config.link(next.link).ok_or(DropReason::LinkGone)?;
        let (hop, tags) = next.leg(there, Some(arrival)).ok_or(DropReason::NoRoute)?;
        let leg = Arrival {
            port: there.port,
            link: next.link,
            tags,
        };
        Ok(Self {
            exit: Exit::Via { hop, tags },
            leg,
            source: next.source,
        })
    }
}
