//! ARP: the relays answer for their addresses, clients for what they have leased.

use core::net::Ipv4Addr;

use dhcp_wire::arp::{self, Arp, Op, Station};
use dhcp_wire::ethernet::{self, Mac, Tags, ethertype};

use super::Engine;
use crate::clients::{Nanos, second};
use crate::identity::relay_mac;
use crate::plan::Mode;
use crate::sink::Sink;

/// Octets of the shortest frame on a wire, without its check sequence.
const SHORTEST: usize = 60;

impl Engine {
    /// Answers who asks for an address of ours, and hears where the server is.
    pub(super) fn on_arp(&mut self, arp: Arp<'_>, now: Nanos, sink: &mut impl Sink) {
        self.counts.other += 1;
        let asked = u32::from(arp.tpa());
        if arp.op() == Op::Request
            && let Some(mac) = self.station(asked, now)
        {
            let us = Station {
                mac,
                addr: arp.tpa(),
            };
            let target = arp.sender();
            self.counts.sent += u64::from(sink.put(|buf| {
                frame(buf, target.mac, mac, |packet| {
                    arp::write_reply(packet, us, target)
                })
            }));
        }
        let server = self.plan.relays.map(|relays| relays.server);
        if arp.op() == Op::Reply && server == Some(arp.spa()) && self.plan.server_mac.is_none() {
            self.plan.server_mac = Some(arp.sha());
        }
    }

    /// Who of us has `addr`.
    fn station(&self, addr: u32, now: Nanos) -> Option<Mac> {
        if let Some(relays) = self.plan.relays {
            return relays.mac_of(addr);
        }
        let holder = self.holders.of(addr)?;
        let client = self.clients.get(holder)?;
        let has = client.lease == addr && client.is_bound(second(now));
        has.then(|| self.identities.mac(holder))
    }

    /// Whether it is known where to send to.
    #[must_use]
    pub fn knows_the_way(&self) -> bool {
        let is_echoed = self.plan.mode == Mode::Macswap;
        is_echoed || self.plan.relays.is_none() || self.plan.server_mac.is_some()
    }

    /// Asks for the server's hardware address, in the name of the first relay.
    pub fn ask_the_way(&mut self, sink: &mut impl Sink) {
        let Some(relays) = self.plan.relays else {
            return;
        };
        let us = Station {
            mac: relay_mac(relays.base),
            addr: Ipv4Addr::from(relays.base),
        };
        self.counts.sent += u64::from(sink.put(|buf| {
            frame(buf, Mac::BROADCAST, us.mac, |packet| {
                arp::write_request(packet, us, relays.server)
            })
        }));
    }
}

/// Writes an ARP packet's frame.
fn frame(
    buf: &mut [u8],
    dst: Mac,
    src: Mac,
    packet: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> usize {
    let Some(frame) = buf.get_mut(..SHORTEST) else {
        return 0;
    };
    frame.fill(0);
    let at = ethernet::write(frame, dst, src, &Tags::default(), ethertype::ARP);
    let written = at.and_then(|at| packet(frame.get_mut(at..)?));
    written.map_or(0, |_| SHORTEST)
}
