//! What a frame that is not DHCP says to a probe, and whose probe that is.

use dhcp_proto::address::AddressState;
use dhcp_proto::record::Journal;
use dhcp_wire::arp::Op;
use dhcp_wire::ethernet::Mac;
use dhcp_wire::frame::{self, Frame};
use std::net::Ipv4Addr;

use super::Parts;
use crate::dataplane::arrival::{Arrival, Receiver};
use crate::dataplane::exchange::Snapshot;
use crate::dataplane::port::{Packet, Port};
use crate::dataplane::probe::{Answer, Cookie};
use crate::dataplane::probes::At;

/// What a frame that is not DHCP is to a probe.
pub(super) enum Heard {
    Answer(Answer),
    /// An echo that nobody asked for.
    Mismatch,
}

impl<P: Port, J: Journal> Parts<P, J> {
    /// What a frame says to a probe, of whatever worker.
    pub(super) fn hear(&self, packet: &P::Packet, port: u8) -> Option<Heard> {
        let facts = self.ports.facts(port)?;
        match frame::parse(packet.octets(), facts.offloads(packet)).ok()? {
            Frame::Arp { eth, arp } => {
                let station = arp.sender();
                let for_us = arp.op() == Op::Reply && arp.tha() == facts.mac;
                let sound = !station.mac.is_zero() && !station.mac.is_multicast();
                let heard = for_us && sound && station.mac != facts.mac;
                let heard = heard.then_some((station.addr, station.mac))?;
                let arrival = Arrival::new(&eth, port, facts.mac, &self.snapshot.config).ok()?;
                self.answer_on(arrival, heard).map(Heard::Answer)
            }
            Frame::Icmp { eth, ip, icmp } if icmp.is_echo_reply() => {
                let heard = (ip.src(), eth.src());
                let arrival = Arrival::new(&eth, port, facts.mac, &self.snapshot.config).ok()?;
                let Snapshot { config, routes } = &*self.snapshot;
                if arrival.receiver(ip.dst(), config, routes).ok()? != Receiver::Us {
                    return None;
                }
                let space = config.link(arrival.link)?.space;
                let cookie = Cookie::read(&icmp);
                let key = self.shard.key();
                let ours = cookie.filter(|cookie| cookie.is_ours(key, (space, ip.src())));
                let Some(cookie) = ours else {
                    return Some(Heard::Mismatch);
                };
                let answer = self.answer_on(arrival, heard)?;
                Some(Heard::Answer(Answer {
                    worker: cookie.worker,
                    echo: Some(cookie.generation),
                    ..answer
                }))
            }
            Frame::Icmp { .. }
            | Frame::Dhcp { .. }
            | Frame::OtherUdp { .. }
            | Frame::OtherIp { .. }
            | Frame::Other { .. } => None,
        }
    }

    /// The answer of the station `mac` about `addr`, for the worker that holds the address.
    fn answer_on(&self, arrival: Arrival, (addr, mac): (Ipv4Addr, Mac)) -> Option<Answer> {
        let config = &self.snapshot.config;
        let link = config.link(arrival.link)?;
        let word = config.cell(link.space, addr)?.load();
        match word.state() {
            AddressState::Held | AddressState::SetAside => {}
            AddressState::Free | AddressState::Bound | AddressState::Remembered => return None,
        }
        Some(Answer {
            worker: word.owner().0,
            space: link.space,
            addr,
            mac,
            hop: arrival.hop(addr),
            echo: None,
        })
    }

    /// The question that `answer` answers: it came by the link that was asked, or it is the echo.
    pub(super) fn asked(&self, answer: &Answer) -> Option<At> {
        let at = self.probes.find(answer.space, answer.addr)?;
        let entry = self.probes.get(at)?;
        let matches = match answer.echo {
            Some(generation) => generation == entry.probe.generation,
            None => entry.way.on_link && entry.sent && entry.way.hop == answer.hop,
        };
        matches.then_some(at)
    }
}
