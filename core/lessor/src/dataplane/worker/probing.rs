//! Offers that wait for a probe: the question goes out, the DISCOVER stays here, and is decided
//! about again when there is an answer or none comes.

use dhcp_proto::config::ProbeBy;
use dhcp_proto::record::Journal;
use dhcp_proto::server::{self, Found, Over, Probe, Seek};
use dhcp_proto::time::Instant;
use dhcp_wire::arp::Station;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

use super::answers::Heard;
use super::{Decided, Parts, Reply, Worker};
use crate::dataplane::arp::ArpFrame;
use crate::dataplane::arrival::Arrival;
use crate::dataplane::counters::{DropReason, Event};
use crate::dataplane::exchange::Source;
use crate::dataplane::port::{Port, TooLong};
use crate::dataplane::probe::{Answer, Cookie, EchoFrame};
use crate::dataplane::probes::{At, Entry, MOST_TRIES, Waiting, Way};

/// Probes that one turn of housekeeping ends.
const ENDED_A_TURN: usize = 128;
/// Probes that it tries to send again.
const RETRIED_A_TURN: usize = 32;

/// A probe that is over, with who waits for it.
struct Ended<K> {
    over: Over,
    waiting: Option<Waiting<K>>,
}

impl<P: Port, J: Journal> Worker<P, J> {
    /// Lets a DISCOVER wait for `probe`.
    #[cold]
    pub(super) fn probe(&mut self, packet: P::Packet, probe: Probe, from: Arrival, now: Instant) {
        let waiting = Waiting {
            packet,
            port: from.port,
            tries: 0,
        };
        if let Some(ended) = self
            .parts
            .begin_probe(probe, Some(waiting), Some(from), now)
        {
            self.conclude(ended, now);
        }
    }

    /// Another worker has no address left, and this one may have one in probation.
    #[cold]
    pub(super) fn on_seek(&mut self, seek: Seek, now: Instant) {
        let config = &self.parts.snapshot.config;
        let probe = server::look_aside(&seek, now, config, &mut self.parts.shard);
        if let Some(probe) = probe
            && let Some(ended) = self.parts.begin_probe(probe, None, None, now)
        {
            self.conclude(ended, now);
        }
    }

    /// Looks whether a frame that is not DHCP answers a probe; otherwise it is the host's.
    #[inline]
    pub(super) fn on_frame(&mut self, packet: P::Packet, port: u8, now: Instant) {
        if !self.parts.snapshot.config.has_probes() {
            return self.parts.on_frame(packet, port, now);
        }
        match self.parts.hear(&packet, port) {
            None => self.parts.on_frame(packet, port, now),
            Some(Heard::Mismatch) => self.parts.count(DropReason::ProbeMismatch),
            Some(Heard::Answer(answer)) => self.on_heard(answer, packet, now),
        }
    }

    fn on_heard(&mut self, answer: Answer, packet: P::Packet, now: Instant) {
        if answer.worker != self.parts.shard.worker().0 {
            let handed = self.parts.peers.answer(answer);
            return self.parts.counters.event(if handed {
                Event::ProbeAnswerHanded
            } else {
                Event::ProbeAnswerLost
            });
        }
        if self.parts.asked(&answer).is_some() {
            self.parts.counters.event(Event::ProbeAnswered);
            self.on_answer(&answer, now);
        } else if answer.echo.is_some() {
            self.parts.count(DropReason::ProbeMismatch);
        } else {
            // ARP that is about no probe may be about a next hop.
            self.parts.on_frame(packet, answer.hop.port(), now);
        }
    }

    /// The answer to a question of this worker, if it is still one.
    #[cold]
    pub(super) fn on_answer(&mut self, answer: &Answer, now: Instant) {
        let Some(at) = self.parts.asked(answer) else {
            return;
        };
        if let Some(ended) = self.parts.end_answered(at, answer) {
            self.conclude(ended, now);
        }
    }

    /// Ends the probes whose time is over, and sends those that could not be sent.
    pub(super) fn tend_probes(&mut self, now: Instant) {
        if self.parts.probes.is_empty() {
            return;
        }
        for _ in 0..self.parts.probes.unsent().min(RETRIED_A_TURN) {
            if let Some(at) = self.parts.probes.next_unsent() {
                self.parts.send_probe(at, now);
            }
        }
        for _ in 0..ENDED_A_TURN {
            let Some(entry) = self.parts.probes.take_due(now) else {
                break;
            };
            let (event, found) = if entry.sent {
                (Event::ProbeFree, Found::Nobody)
            } else {
                (Event::ProbeSkipped, Found::Nothing)
            };
            self.parts.counters.event(event);
            self.conclude(entry.over(found), now);
        }
    }

    /// Decides about the DISCOVER that waited, which may have to wait for the next address.
    fn conclude(&mut self, ended: Ended<P::Packet>, now: Instant) {
        let mut next = Some(ended);
        while let Some(Ended { over, waiting }) = next {
            next = if let Some(waiting) = waiting {
                self.resume(&over, waiting, now)
            } else {
                self.parts.settle(&over, now);
                None
            };
        }
    }

    fn resume(
        &mut self,
        over: &Over,
        waiting: Waiting<P::Packet>,
        now: Instant,
    ) -> Option<Ended<P::Packet>> {
        let parts = &mut self.parts;
        let source = Source {
            port: waiting.port,
            handed: true,
        };
        let mut read = None;
        parts.read(&waiting.packet, source, &mut read);
        let Some((query, arrival)) = read else {
            // A reload took its network; it has been counted.
            parts.settle(over, now);
            return None;
        };
        let home = parts
            .snapshot
            .config
            .place_of(over.probe.space, over.probe.addr);
        let is_moved = home.is_none_or(|home| home.network != query.network);
        if is_moved || parts.other_owner(&query).is_some() {
            // A reload has put the client or the address elsewhere.
            parts.counters.silence(server::Silence::ProbeMoot);
            parts.settle(over, now);
            return None;
        }
        parts.note_probed(&query, over, now);
        let place = (now, &parts.snapshot.config);
        let outcome = server::resume(&query, over, place, &mut parts.shard, &mut parts.journal);
        let decided = parts.carry_out(outcome);
        let ticket = parts.note(&query, &decided, now);
        match decided {
            Decided::Plan(plan) => {
                let reply = Reply {
                    plan,
                    arrival,
                    ticket,
                };
                self.reply(waiting.packet, &reply, now);
                None
            }
            Decided::Probe(probe) => {
                let tries = waiting.tries.saturating_add(1);
                if tries >= MOST_TRIES {
                    parts.shed(&query, DropReason::ProbeGivenUp, now);
                    let found = Found::Nothing;
                    parts.settle(&Over { probe, found }, now);
                    return None;
                }
                let waiting = Waiting { tries, ..waiting };
                parts.begin_probe(probe, Some(waiting), Some(arrival), now)
            }
            Decided::Silence(_) => None,
        }
    }
}

impl<K> Entry<K> {
    fn over(self, found: Found) -> Ended<K> {
        Ended {
            over: Over {
                probe: self.probe,
                found,
            },
            waiting: self.waiting,
        }
    }
}

impl<P: Port, J: Journal> Parts<P, J> {
    /// Asks for an address, unless it is asked for already; then the newer DISCOVER takes the place
    /// of the older one, for its client waits for its xid (C181). Gives back what cannot wait.
    fn begin_probe(
        &mut self,
        probe: Probe,
        waiting: Option<Waiting<P::Packet>>,
        from: Option<Arrival>,
        now: Instant,
    ) -> Option<Ended<P::Packet>> {
        if let Some(at) = self.probes.find(probe.space, probe.addr) {
            let same = self.probes.get_mut(at);
            let same = same.filter(|entry| entry.probe.generation == probe.generation);
            if let Some(entry) = same {
                let waiting = waiting?;
                let other = entry.waiting.as_ref().map(|other| other.tries);
                // What has waited before, for another address, is the older one.
                if other.is_none() || waiting.tries == 0 {
                    let tries = waiting.tries.max(other.unwrap_or(0));
                    entry.waiting = Some(Waiting { tries, ..waiting });
                }
                let older = usize::from(other.is_some());
                self.counters.drops(DropReason::ProbeRepeated, older);
                return None;
            }
            // The address was another client's, who has gone on.
            if self
                .probes
                .take(at)
                .is_some_and(|old| old.waiting.is_some())
            {
                self.counters.silence(server::Silence::ProbeMoot);
            }
        }
        let Some(way) = self.way_to(&probe, from) else {
            self.counters.event(Event::ProbeSkipped);
            let found = Found::Nothing;
            let over = Over { probe, found };
            return Some(Ended { over, waiting });
        };
        match self.probes.add(Entry::new(probe, waiting, way, now)) {
            Ok(at) => {
                self.send_probe(at, now);
                None
            }
            Err(entry) => {
                self.counters.event(Event::ProbeTableFull);
                Some(entry.over(Found::Nothing))
            }
        }
    }

    /// Where the question goes: to the address itself if it is on a link of ours, to the router
    /// towards it, or without a route to the relay of its client, which is attached to its subnet.
    fn way_to(&self, probe: &Probe, from: Option<Arrival>) -> Option<Way> {
        let config = &self.snapshot.config;
        let routes = &self.snapshot.routes;
        let near = from.map(|from| from.link);
        let to = |addr| routes.next_hop_from(near, probe.space, addr);
        let direct = to(probe.addr);
        let on_link = direct.is_some_and(|hop| hop.via == probe.addr);
        let reachable = on_link || probe.by != ProbeBy::Arp;
        let hop = direct.or_else(|| to(probe.relay)).filter(|_| reachable)?;
        let (key, tags) = hop.leg(config.link(hop.link)?, from.as_ref())?;
        Some(Way {
            hop: key,
            tags,
            source: hop.source,
            on_link,
        })
    }

    /// Sends the question at a place, or has it tried again.
    fn send_probe(&mut self, at: At, now: Instant) {
        let Some(entry) = self.probes.get(at).filter(|entry| !entry.sent) else {
            return;
        };
        let (probe, way) = (entry.probe, entry.way);
        let sent = if way.on_link {
            self.send_arp(&probe, &way)
        } else {
            let mut net = self.snapshot.net(&mut self.ports, &self.counters);
            let mac = self.host.station(way.hop, &way.tags, &mut net, now);
            mac.is_some_and(|mac| self.send_echo(&probe, &way, mac))
        };
        match self.probes.get_mut(at).filter(|_| sent) {
            Some(entry) => entry.sent = true,
            None => self.probes.put_off(at),
        }
    }

    /// Asks the link, in the form that says nothing of the asker (RFC 5227 §1.1): no cache learns
    /// anything from it.
    fn send_arp(&mut self, probe: &Probe, way: &Way) -> bool {
        let port = way.hop.port();
        let Some(facts) = self.ports.facts(port) else {
            return false;
        };
        let ours = Station {
            mac: facts.mac,
            addr: Ipv4Addr::UNSPECIFIED,
        };
        let frame = ArpFrame::request(ours, probe.addr, Mac::BROADCAST, way.tags);
        self.transmit_probe(port, |packet| frame.write(packet))
    }

    fn send_echo(&mut self, probe: &Probe, way: &Way, mac: Mac) -> bool {
        let port = way.hop.port();
        let Some(facts) = self.ports.facts(port) else {
            return false;
        };
        let place = (probe.space, probe.addr);
        let worker = self.shard.worker().0;
        let frame = EchoFrame {
            dst_mac: mac,
            src_mac: facts.mac,
            tags: way.tags,
            src: way.source,
            dst: probe.addr,
            cookie: Cookie::new(self.shard.key(), worker, place, probe.generation),
        };
        self.transmit_probe(port, |packet| frame.write(packet))
    }

    fn transmit_probe(
        &mut self,
        port: u8,
        write: impl FnOnce(&mut P::Packet) -> Result<(), TooLong>,
    ) -> bool {
        let sent = self.ports.originate(port, &self.counters, write);
        self.counters.events(Event::ProbesSent, usize::from(sent));
        sent
    }

    /// Ends a probe that was answered; one that is to be by ICMP has only found its station.
    fn end_answered(&mut self, at: At, answer: &Answer) -> Option<Ended<P::Packet>> {
        let entry = self.probes.get_mut(at)?;
        let (probe, way) = (entry.probe, entry.way);
        if probe.by == ProbeBy::Icmp && answer.echo.is_none() {
            if !core::mem::replace(&mut entry.echoed, true) {
                self.send_echo(&probe, &way, answer.mac);
            }
            return None;
        }
        let station = way.on_link.then_some(answer.mac);
        self.counters.event(Event::ProbeBusy);
        let entry = self.probes.take(at)?;
        Some(entry.over(Found::Station(station)))
    }

    /// Asks all other workers for an address of a network that has none left.
    #[cold]
    pub(super) fn seek(&mut self, seek: Seek) {
        let asked = self.peers.seek(seek);
        self.counters.events(Event::AsideSought, asked);
    }

    /// The end of the probe of an address in probation that no message waits for. Of any other it
    /// changes nothing: the next DISCOVER asks again.
    fn settle(&mut self, over: &Over, now: Instant) {
        let (config, journal) = (&self.snapshot.config, &mut self.journal);
        let notice = server::settle(over, now, config, &mut self.shard, journal);
        self.tell(notice);
    }
}
