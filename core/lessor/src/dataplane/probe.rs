//! What a probe puts on the wire, and what of an answer shows that it is one.
//!
//! An ARP answer can only come from the link itself. An echo could be sent by anybody, so each
//! carries a keyed hash of what it asks: nobody who has not seen the question can answer it, and
//! any worker can tell, without a look at what is outstanding.

use std::net::Ipv4Addr;

use dhcp_proto::address::Space;
use dhcp_proto::identity::HashKey;
use dhcp_wire::ethernet::{self, Mac, Tags, ethertype};
use dhcp_wire::icmp::{self, Icmp};
use dhcp_wire::ipv4::{self, protocol};

use super::neighbors::Key;
use super::port::{Packet, TooLong};

const TTL: u8 = 64;
/// What the hash begins with: no identity has a kind like it.
const OF_ECHO: u8 = 0xee;
/// Octets of [`Cookie`] in an echo.
const COOKIE: usize = 17;

/// The answer to a probe, as the worker that hears it passes it to the one that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// The worker that asked, as far as the one that hears it knows.
    pub worker: u8,
    /// Address space.
    pub space: Space,
    /// The address.
    pub addr: Ipv4Addr,
    /// Who put the answer on the link.
    pub mac: Mac,
    /// The station, on the port and in the VLANs that it came by.
    pub hop: Key,
    /// The generation of the question, if it is an echo.
    pub echo: Option<u64>,
}

/// What an echo carries there and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// The worker that asks.
    pub worker: u8,
    /// The generation of the address.
    pub generation: u64,
    tag: u64,
}

impl Cookie {
    /// The cookie of a question by `worker`.
    #[must_use]
    pub fn new(
        key: &HashKey,
        worker: u8,
        (space, addr): (Space, Ipv4Addr),
        generation: u64,
    ) -> Self {
        let mut octets = [0; 16];
        let fields = [OF_ECHO, worker].into_iter();
        let fields = fields.chain(space.0.to_be_bytes()).chain(addr.octets());
        for (room, octet) in octets
            .iter_mut()
            .zip(fields.chain(generation.to_be_bytes()))
        {
            *room = octet;
        }
        let tag = key.hash(&octets);
        Self {
            worker,
            generation,
            tag,
        }
    }

    /// What an echo carries, if it is of this form.
    #[must_use]
    pub fn read(echo: &Icmp<'_>) -> Option<Self> {
        let (tag, rest) = echo.data().split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let [worker] = *rest else { return None };
        let cookie = Self {
            worker,
            generation: u64::from_be_bytes(*generation),
            tag: u64::from_be_bytes(*tag),
        };
        (cookie.numbers() == (echo.ident(), echo.sequence())).then_some(cookie)
    }

    /// Whether we asked this of `addr`.
    #[must_use]
    pub fn is_ours(&self, key: &HashKey, place: (Space, Ipv4Addr)) -> bool {
        Self::new(key, self.worker, place, self.generation) == *self
    }

    /// Identifier and sequence number.
    fn numbers(&self) -> (u16, u16) {
        let [a, b, c, d, ..] = self.tag.to_be_bytes();
        (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
    }

    fn octets(&self) -> [u8; COOKIE] {
        let mut octets = [0; COOKIE];
        let fields = self.tag.to_be_bytes().into_iter();
        let fields = fields.chain(self.generation.to_be_bytes());
        for (room, octet) in octets.iter_mut().zip(fields.chain([self.worker])) {
            *room = octet;
        }
        octets
    }
}

/// A frame with an echo request.
#[derive(Debug, Clone, Copy)]
pub struct EchoFrame {
    /// Next station.
    pub dst_mac: Mac,
    /// The port's own address.
    pub src_mac: Mac,
    /// Tags of the link.
    pub tags: Tags,
    /// Our address.
    pub src: Ipv4Addr,
    /// Who is asked.
    pub dst: Ipv4Addr,
    /// What it carries.
    pub cookie: Cookie,
}

impl EchoFrame {
    /// Writes the frame in place of what `packet` holds.
    ///
    /// # Errors
    ///
    /// The buffer is too short for the frame; what is in it then is no frame.
    pub fn write<P: Packet>(&self, packet: &mut P) -> Result<(), TooLong> {
        let room = packet.room();
        let l2 = ethernet::write(
            room,
            self.dst_mac,
            self.src_mac,
            &self.tags,
            ethertype::IPV4,
        );
        let l2 = l2.ok_or(TooLong)?;
        let datagram = room.get_mut(l2..).ok_or(TooLong)?;
        let message = datagram.get_mut(ipv4::HEADER_LEN..).ok_or(TooLong)?;
        let (ident, sequence) = self.cookie.numbers();
        let len = icmp::write_echo_request(message, ident, sequence, &self.cookie.octets());
        let len = len.ok_or(TooLong)?;
        let header = ipv4::Header {
            src: self.src,
            dst: self.dst,
            protocol: protocol::ICMP,
            ttl: TTL,
            tos: 0,
            id: 0,
        };
        let l3 = ipv4::write(datagram, &header, len).ok_or(TooLong)?;
        packet.set_frame_len(l2.saturating_add(l3).saturating_add(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataplane::port::{Facts, Port, RxChecksum};
    use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPort};
    use dhcp_wire::Checksum;
    use dhcp_wire::frame::{self, Frame, Offloads};

    const KEY: HashKey = HashKey([9; 16]);
    const PLACE: (Space, Ipv4Addr) = (Space(3), Ipv4Addr::new(10, 0, 0, 7));

    fn frame(cookie: Cookie) -> Vec<u8> {
        let facts = Facts {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            udp_checksum_offload: false,
            rx_checksum: RxChecksum::Verify,
        };
        let (mut port, _wire) = MemPort::new(MemConfig { facts, packets: 1 });
        let mut packet = port.allocate().unwrap();
        let echo = EchoFrame {
            dst_mac: Mac([2, 0, 0, 0, 0, 2]),
            src_mac: facts.mac,
            tags: Tags::default(),
            src: Ipv4Addr::new(10, 0, 0, 1),
            dst: PLACE.1,
            cookie,
        };
        echo.write(&mut packet).unwrap();
        packet.octets().to_vec()
    }

    /// What comes back from a station that answers.
    fn answered(cookie: Cookie, change: impl Fn(&mut [u8])) -> Option<Cookie> {
        let mut octets = frame(cookie);
        frame::write_echo_reply(&mut octets, Mac([2, 0, 0, 0, 0, 2])).unwrap();
        let Ok(Frame::Icmp { icmp, .. }) = frame::parse(&octets, Offloads::default()) else {
            panic!("{:?}", MemFrame::from(&octets[..]))
        };
        assert!(icmp.is_echo_reply());
        let mut message = [&[0, 0, 0, 0][..], &icmp.ident().to_be_bytes()].concat();
        message.extend_from_slice(&icmp.sequence().to_be_bytes());
        message.extend_from_slice(icmp.data());
        change(&mut message);
        let changed = Icmp::parse(&message, Checksum::Trusted).unwrap();
        Cookie::read(&changed)
    }

    #[test]
    fn an_echo_comes_back_with_its_cookie() {
        let cookie = Cookie::new(&KEY, 5, PLACE, 77);
        let back = answered(cookie, |_| {}).unwrap();
        assert_eq!(back, cookie);
        assert!(back.is_ours(&KEY, PLACE));
    }

    #[test]
    fn an_answer_for_another_address_space_generation_worker_or_key_is_none() {
        let cookie = Cookie::new(&KEY, 5, PLACE, 77);
        let neighbour = Ipv4Addr::new(10, 0, 0, 8);
        assert!(!cookie.is_ours(&KEY, (PLACE.0, neighbour)));
        assert!(!cookie.is_ours(&KEY, (Space(4), PLACE.1)));
        assert!(!cookie.is_ours(&HashKey([8; 16]), PLACE));
        for forged in [
            Cookie {
                worker: 6,
                ..cookie
            },
            Cookie {
                generation: 78,
                ..cookie
            },
            Cookie {
                tag: cookie.tag ^ 1,
                ..cookie
            },
        ] {
            assert!(!forged.is_ours(&KEY, PLACE));
        }
    }

    #[test]
    fn any_octet_that_is_not_as_it_was_makes_it_no_answer() {
        let cookie = Cookie::new(&KEY, 5, PLACE, 77);
        for at in 4..8 + COOKIE {
            let changed = answered(cookie, |message| message[at] ^= 0x10);
            assert!(!changed.is_some_and(|c| c.is_ours(&KEY, PLACE)), "{at}");
        }
    }
}
