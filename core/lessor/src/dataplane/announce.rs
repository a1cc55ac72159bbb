//! Telling the links that our addresses are here: twice, two seconds apart (RFC 5227 §2.3), so
//! that neighbours forget the appliance that had them before.

use std::time::Duration;

use dhcp_proto::time::Instant;
use dhcp_wire::arp::Station;

use super::arp::ArpFrame;
use super::counters::Event;
use super::host::Net;
use super::neighbors::Key;
use super::port::Port;

/// RFC 5227 §1.1, `ANNOUNCE_NUM`.
const ROUNDS: u8 = 2;
/// RFC 5227 §1.1, `ANNOUNCE_INTERVAL`.
const INTERVAL: Duration = Duration::from_secs(2);
/// Links that one step looks at.
const LINKS_A_STEP: usize = 4;

/// How far the announcements are.
#[derive(Debug)]
pub(super) struct Announcer {
    rounds_left: u8,
    next_link: usize,
    not_before: Instant,
}

impl Announcer {
    /// All is to be announced.
    pub(super) fn begin() -> Self {
        Self {
            rounds_left: ROUNDS,
            next_link: 0,
            not_before: Instant::default(),
        }
    }

    /// Another worker announces.
    pub(super) fn silent() -> Self {
        Self {
            rounds_left: 0,
            ..Self::begin()
        }
    }

    /// Announces the addresses of a few links, if it is time.
    pub(super) fn step<P: Port>(&mut self, net: &mut Net<'_, P>, now: Instant) {
        if self.rounds_left == 0 || now < self.not_before {
            return;
        }
        let links = net
            .config
            .links()
            .iter()
            .skip(self.next_link)
            .take(LINKS_A_STEP);
        for link in links {
            // Where there is a range of VLANs it would be thousands of packets, or millions.
            let (Some(facts), Some(vids)) = (net.ports.facts(link.port), link.vlans.one()) else {
                continue;
            };
            let own = link.addresses.iter().map(|own| own.addr);
            for addr in own.chain(net.config.services_on(link)) {
                let ours = Station {
                    mac: facts.mac,
                    addr,
                };
                let tags = Key::new(link.port, vids, addr).usual_tags();
                if net.transmit_arp(link.port, &ArpFrame::announcement(ours, tags)) {
                    net.counters.event(Event::ArpAnnounced);
                }
            }
        }
        self.next_link = self.next_link.saturating_add(LINKS_A_STEP);
        if self.next_link >= net.config.links().len() {
            self.next_link = 0;
            self.rounds_left -= 1;
            self.not_before = now.after(INTERVAL);
        }
    }
}
