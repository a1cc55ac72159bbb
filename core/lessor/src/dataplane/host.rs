//! What makes a port a host on its links: it answers ARP and echo for its addresses, and finds
//! the hardware address of whom a reply goes to next.
//!
//! ```text
//!  frame, not DHCP ──► on_frame ──┬── ARP for us, echo ──► reply in the same buffer ──► Ports
//!                                 └── ARP of a next hop ──► Neighbors, and who waited ─► Ports
//!  reply, via a hop ──► send ──┬── known ───────────────────────────────────────────► Ports
//!                              └── not known: waits; ARP request ───────────────────► Ports
//!  now and then ──► tick: ask again, poll, give up, announce ────────────────────────► Ports
//! ```
//!
//! Each worker has a host; the table of neighbours is shared. Every packet that goes in comes out
//! at a port or is counted.

use std::sync::Arc;
use std::time::Duration;

use dhcp_proto::config::{Config, Link};
use dhcp_proto::time::Instant;
use dhcp_wire::arp::{Arp, Station};
use dhcp_wire::ethernet::{Ethernet, Mac, Tags};
use dhcp_wire::frame::{self, Frame};

use super::announce::Announcer;
use super::arp::{self, ArpFrame};
use super::arrival::Arrival;
use super::counters::{Counters, DropReason, Event};
use super::echo::{self, EchoLimit};
use super::neighbors::{Key, Neighbors, NextHop, Request};
use super::port::{Packet, Port};
use super::ports::Ports;
use super::routes::Routes;
use super::waiting::Waiting;
use super::way::Exit;

/// Places of the table of neighbours that one tick looks after.
const PLACES_A_TICK: usize = 64;

/// RFC 5227 §1.1: an appliance never gives its addresses up, and says so no more often than this
/// (§2.4 (c)).
const DEFEND_INTERVAL: Duration = Duration::from_secs(10);

/// What a worker lends its host for a call.
#[derive(Debug)]
pub struct Net<'a, P: Port> {
    /// The configuration in force.
    pub config: &'a Config,
    /// Its routes.
    pub routes: &'a Routes,
    /// The worker's queues.
    pub ports: &'a mut Ports<P>,
    /// The worker's counters.
    pub counters: &'a Counters,
}

/// The host side of one worker.
#[derive(Debug)]
pub struct Host<K> {
    neighbors: Arc<Neighbors>,
    waiting: Waiting<K>,
    echoes: EchoLimit,
    announcer: Announcer,
    /// When the next claim to an address of ours is answered.
    defend_from: Instant,
    /// The next place of the table to look after; this worker has each `workers`th.
    place: usize,
    worker: usize,
    workers: usize,
}

/// What is to be done with a frame that is for us.
#[derive(Debug)]
enum Task {
    AnswerArp {
        ours: Station,
        asker: Station,
        tags: Tags,
    },
    Defend {
        ours: Station,
        tags: Tags,
    },
    AnswerEcho {
        tags: Tags,
        mac: Mac,
    },
    Release {
        hop: Key,
        mac: Mac,
    },
}

/// Why a frame ends here.
enum End {
    Malformed(dhcp_wire::Malformed),
    Drop(DropReason),
}

impl From<DropReason> for End {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

impl<K: Packet> Host<K> {
    /// The host of worker number `worker` of `workers`; number 0 announces the addresses.
    #[must_use]
    pub fn new(neighbors: Arc<Neighbors>, worker: usize, workers: usize) -> Self {
        Self {
            neighbors,
            waiting: Waiting::default(),
            echoes: EchoLimit::default(),
            announcer: if worker == 0 {
                Announcer::begin()
            } else {
                Announcer::silent()
            },
            defend_from: Instant::default(),
            place: worker,
            worker,
            workers: workers.max(1),
        }
    }

    /// Takes note of a new configuration: its addresses are announced.
    pub fn on_reload(&mut self) {
        if self.worker == 0 {
            self.announcer = Announcer::begin();
        }
    }

    /// Packets that wait for a next hop.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Answers or counts a frame that is not DHCP, received on `port`.
    pub fn on_frame<P>(&mut self, mut packet: K, port: u8, net: &mut Net<'_, P>, now: Instant)
    where
        P: Port<Packet = K>,
    {
        let done = match self.judge(&packet, port, net, now) {
            Ok(Task::AnswerArp { ours, asker, tags }) => {
                let reply = ArpFrame::reply(ours, asker, tags);
                let written = reply.write(&mut packet).map_err(|_| DropReason::NoRoom);
                written.map(|()| Event::ArpAnswered).map_err(End::Drop)
            }
            Ok(Task::Defend { ours, tags }) => {
                net.counters.drop(DropReason::AddressConflict);
                let claim = ArpFrame::announcement(ours, tags);
                let written = claim.write(&mut packet).map_err(|_| DropReason::NoRoom);
                written.map(|()| Event::ArpAnnounced).map_err(End::Drop)
            }
            Ok(Task::AnswerEcho { tags, mac }) => {
                let written = echo::answer(&mut packet, &tags, mac);
                written.map(|()| Event::EchoAnswered).map_err(End::Drop)
            }
            Ok(Task::Release { hop, mac }) => {
                net.counters.event(Event::ArpLearnt);
                while let Some(waiter) = self.waiting.pop(hop) {
                    deliver(waiter, hop.port(), mac, net);
                }
                return;
            }
            Err(end) => Err(end),
        };
        match done {
            Ok(event) => {
                net.counters.event(event);
                net.ports.send(port, packet, net.counters);
            }
            Err(End::Malformed(reason)) => net.counters.malformed(reason),
            Err(End::Drop(reason)) => net.counters.drop(reason),
        }
    }

    /// What a frame that is not DHCP asks for.
    fn judge<P>(
        &mut self,
        packet: &K,
        port: u8,
        net: &Net<'_, P>,
        now: Instant,
    ) -> Result<Task, End>
    where
        P: Port<Packet = K>,
    {
        let facts = net.ports.facts(port).ok_or(DropReason::LinkGone)?;
        let parsed = frame::parse(packet.octets(), facts.offloads(packet));
        let (eth, ip, other) = match parsed.map_err(End::Malformed)? {
            Frame::Arp { eth, arp } => return self.on_arp((&eth, arp), port, net, now),
            Frame::Icmp { eth, ip, icmp } => {
                let arrival = Arrival::new(&eth, port, facts.mac, net.config)?;
                arrival.receiver(ip.dst(), net.config, net.routes)?;
                let link = net.config.link(arrival.link).ok_or(DropReason::NoLink)?;
                let is_service = net.config.is_service(link.space, ip.dst());
                if !link.has(ip.dst()) && !is_service {
                    return Err(DropReason::NotOurAddress.into());
                }
                echo::admit((&eth, &ip, &icmp), link, net.routes, facts.mac)?;
                if !self.echoes.admit(now) {
                    return Err(DropReason::EchoLimit.into());
                }
                return Ok(Task::AnswerEcho {
                    tags: arrival.tags,
                    mac: facts.mac,
                });
            }
            Frame::Dhcp { eth, ip, .. } | Frame::OtherUdp { eth, ip, .. } => {
                (eth, Some(ip), DropReason::OtherUdpPort)
            }
            Frame::OtherIp { eth, ip } => (eth, Some(ip), DropReason::OtherProtocol),
            Frame::Other { eth } => (eth, None, DropReason::OtherEthertype),
        };
        let arrival = Arrival::new(&eth, port, facts.mac, net.config)?;
        if let Some(ip) = ip {
            arrival.receiver(ip.dst(), net.config, net.routes)?;
        }
        Err(other.into())
    }

    /// RFC 826: what the packet says of its sender first, then whether it asks for us.
    fn on_arp<P>(
        &mut self,
        (eth, packet): (&Ethernet<'_>, Arp<'_>),
        port: u8,
        net: &Net<'_, P>,
        now: Instant,
    ) -> Result<Task, End>
    where
        P: Port<Packet = K>,
    {
        let mac = net.ports.facts(port).ok_or(DropReason::LinkGone)?.mac;
        let arrival = Arrival::new(eth, port, mac, net.config)?;
        let link = net.config.link(arrival.link).ok_or(DropReason::NoLink)?;
        let is_service = |addr| net.config.services_on(link).any(|service| service == addr);
        let is_here = |addr| link.has(addr) || is_service(addr);
        let heard = match arp::hear(packet, is_here, mac) {
            Err(DropReason::AddressConflict) if self.defend_from <= now => {
                self.defend_from = now.after(DEFEND_INTERVAL);
                let ours = Station {
                    mac,
                    addr: packet.spa(),
                };
                return Ok(Task::Defend {
                    ours,
                    tags: arrival.tags,
                });
            }
            heard => heard?,
        };
        let hop = arrival.hop(heard.sender.addr);
        let is_hop = self.neighbors.learn(hop, heard.sender.mac, now);
        match heard.asked {
            // Who waits for the asker leaves with the next tick.
            Some(addr) => Ok(Task::AnswerArp {
                ours: Station { mac, addr },
                asker: heard.sender,
                tags: arrival.tags,
            }),
            None if is_hop => Ok(Task::Release {
                hop,
                mac: heard.sender.mac,
            }),
            None => Err(DropReason::ArpNotOurs.into()),
        }
    }

    /// Sends a reply, at once or when its next hop is known.
    #[inline]
    pub fn send<P>(&mut self, packet: K, exit: Exit, net: &mut Net<'_, P>, now: Instant)
    where
        P: Port<Packet = K>,
    {
        let (hop, tags) = match exit {
            Exit::Direct { port } => return net.ports.send(port, packet, net.counters),
            Exit::Via { hop, tags } => (hop, tags),
        };
        match self.neighbors.resolve(hop, &tags, now) {
            NextHop::Known(mac) => deliver(packet, hop.port(), mac, net),
            NextHop::Asked => self.wait(packet, hop, net.counters, now),
            NextHop::Ask => {
                ask(
                    Request {
                        key: hop,
                        tags,
                        dst: Mac::BROADCAST,
                    },
                    net,
                );
                self.wait(packet, hop, net.counters, now);
            }
            NextHop::Full => net.counters.drop(DropReason::NeighborsFull),
        }
    }

    /// The hardware address of a next hop; if it is not known yet it is asked for.
    pub fn station<P>(
        &mut self,
        hop: Key,
        tags: &Tags,
        net: &mut Net<'_, P>,
        now: Instant,
    ) -> Option<Mac>
    where
        P: Port<Packet = K>,
    {
        match self.neighbors.resolve(hop, tags, now) {
            NextHop::Known(mac) => Some(mac),
            NextHop::Ask => {
                let (key, tags, dst) = (hop, *tags, Mac::BROADCAST);
                ask(Request { key, tags, dst }, net);
                None
            }
            NextHop::Asked | NextHop::Full => None,
        }
    }

    fn wait(&mut self, packet: K, hop: Key, counters: &Counters, now: Instant) {
        counters.event(Event::Waited);
        if self.waiting.push(hop, packet, now).is_some() {
            counters.drop(DropReason::WaitingFull);
        }
    }

    /// One bounded step of what is to be done without a packet asking for it.
    pub fn tick<P>(&mut self, net: &mut Net<'_, P>, now: Instant)
    where
        P: Port<Packet = K>,
    {
        // Another worker may have heard the answer.
        while let Some((hop, mac, packet)) =
            self.waiting.pop_resolved(|hop| self.neighbors.mac(hop))
        {
            deliver(packet, hop.port(), mac, net);
        }
        while self.waiting.pop_late(now).is_some() {
            net.counters.drop(DropReason::Unresolved);
        }
        for _ in 0..PLACES_A_TICK {
            if let Some(request) = self.neighbors.maintain(self.place, now) {
                ask(request, net);
            }
            self.place = self.place.saturating_add(self.workers);
            if self.place >= self.neighbors.places() {
                self.place = self.worker;
            }
        }
        self.announcer.step(net, now);
    }
}

/// Sends a packet to the station `mac`.
fn deliver<P: Port>(mut packet: P::Packet, port: u8, mac: Mac, net: &mut Net<'_, P>) {
    match packet.room().first_chunk_mut() {
        Some(dst) => {
            *dst = mac.0;
            net.ports.send(port, packet, net.counters);
        }
        None => net.counters.drop(DropReason::NoRoom),
    }
}

/// Sends an ARP request, if the link is still there. Without a buffer for it, it is repeated by
/// its timer.
fn ask<P: Port>(request: Request, net: &mut Net<'_, P>) {
    let Request { key, tags, dst } = request;
    let link = net.config.link_of(key.port(), key.vids());
    let link = link.and_then(|link| net.config.link(link));
    // A router may lie in no prefix of its link, as behind a link of /32.
    let near = |link: &Link| {
        link.address_beside(key.addr())
            .or(link.addresses.first().copied())
    };
    let own = link.and_then(near);
    let (Some(own), Some(facts)) = (own, net.ports.facts(key.port())) else {
        return;
    };
    let ours = Station {
        mac: facts.mac,
        addr: own.addr,
    };
    let sent = net.transmit_arp(key.port(), &ArpFrame::request(ours, key.addr(), dst, tags));
    if sent {
        net.counters.event(Event::ArpAsked);
    }
}

impl<P: Port> Net<'_, P> {
    /// Sends an ARP packet in a buffer of its own; says whether there was one.
    pub(super) fn transmit_arp(&mut self, port: u8, frame: &ArpFrame) -> bool {
        self.ports
            .originate(port, self.counters, |packet| frame.write(packet))
    }
}

#[cfg(test)]
mod tests;
