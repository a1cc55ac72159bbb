//! Which frames are captured.

use dhcp_wire::ethernet::{Mac, ethertype};

/// What an operator wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Only what a client has to do with.
    pub client: Option<Mac>,
    /// Only what passes this port.
    pub port: Option<u8>,
    /// Octets of a frame that are kept at most.
    pub snaplen: u32,
}

impl Wanted {
    pub(super) fn has_port(&self, number: u8) -> bool {
        self.port.is_none_or(|port| port == number)
    }

    pub(super) fn takes(&self, frame: &[u8]) -> bool {
        self.client.is_none_or(|client| concerns(frame, client))
    }
}

/// Where UDP's ports, and the client's hardware address in the message behind its header, stand.
const UDP_HEADER: usize = 8;
const CHADDR: usize = 28;
const DHCP_PORTS: [u16; 2] = [67, 68];
const UDP: u8 = 17;

/// Whether `client` sends or receives the frame, or a DHCP or ARP message in it is about it. Looks
/// where the fields should be and checks no more: what is malformed is to be seen too.
fn concerns(frame: &[u8], client: Mac) -> bool {
    let is_client = |at: usize| field::<6>(frame, at) == Some(client.0);
    if is_client(0) || is_client(6) {
        return true;
    }
    let (kind, at) = payload(frame);
    match kind {
        ethertype::ARP => is_client(at + 8) || is_client(at + 18),
        ethertype::IPV4 => {
            let header = frame
                .get(at)
                .map_or(0, |octet| usize::from(octet & 0xf) * 4);
            let datagram = at + header;
            let ports = [0, 2].map(|port| number(frame, datagram + port));
            let is_dhcp = ports.into_iter().flatten().any(|p| DHCP_PORTS.contains(&p));
            let is_udp = frame.get(at + 9) == Some(&UDP);
            is_udp && is_dhcp && is_client(datagram + UDP_HEADER + CHADDR)
        }
        _ => false,
    }
}

/// The ethertype behind at most two tags, and where what it announces begins.
fn payload(frame: &[u8]) -> (u16, usize) {
    let mut at = 12;
    for _ in 0..2 {
        match number(frame, at) {
            Some(ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD) => at += 4,
            Some(_) | None => break,
        }
    }
    (number(frame, at).unwrap_or(0), at + 2)
}

fn number(frame: &[u8], at: usize) -> Option<u16> {
    field(frame, at).map(u16::from_be_bytes)
}

fn field<const N: usize>(frame: &[u8], at: usize) -> Option<[u8; N]> {
    frame.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhcp_wire::ethernet::{self, Tag, Tags};

    const CLIENT: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const RELAY: Mac = Mac([2, 0, 0, 0, 0, 7]);
    const SERVER: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn tags(tagged: bool) -> Tags {
        let tag = |tpid| {
            let tci = 100;
            tagged.then_some(Tag { tpid, tci })
        };
        Tags {
            outer: tag(ethertype::QINQ),
            inner: tag(ethertype::VLAN),
        }
    }

    /// A frame of other stations, with `payload` behind the header.
    fn frame(kind: u16, tagged: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 22];
        let at = ethernet::write(&mut frame, SERVER, RELAY, &tags(tagged), kind).unwrap();
        frame.truncate(at);
        frame.extend_from_slice(payload);
        frame
    }

    fn message(words: u8, ports: (u16, u16)) -> Vec<u8> {
        let mut packet = vec![0; usize::from(words) * 4];
        packet[0] = 0x40 | words;
        packet[9] = UDP;
        packet.extend(ports.0.to_be_bytes());
        packet.extend(ports.1.to_be_bytes());
        packet.extend([0; 4 + CHADDR]);
        packet.extend(CLIENT.0);
        packet
    }

    #[test]
    fn a_client_is_found_as_station_in_arp_and_behind_a_relay_in_both_directions() {
        for tagged in [false, true] {
            for packet in [
                message(5, (67, 67)),
                message(7, (68, 67)),
                message(5, (67, 9067)),
            ] {
                let found = frame(ethertype::IPV4, tagged, &packet);
                assert!(concerns(&found, CLIENT) && concerns(&found, RELAY));
                assert!(!concerns(&found, Mac([2, 0, 0, 0, 0, 8])));
            }
            for at in [8, 18] {
                let mut packet = [0; 28];
                packet[at..at + 6].copy_from_slice(&CLIENT.0);
                assert!(concerns(&frame(ethertype::ARP, tagged, &packet), CLIENT));
            }
        }
        let other = frame(ethertype::IPV4, false, &message(5, (53, 53)));
        assert!(!concerns(&other, CLIENT), "its octets mean something else");
    }

    #[test]
    fn a_frame_cut_anywhere_is_looked_at_and_no_more() {
        let whole = frame(ethertype::IPV4, true, &message(15, (68, 67)));
        for len in 0..whole.len() {
            assert!(!concerns(&whole[..len], CLIENT));
        }
        let all = Wanted {
            client: None,
            port: Some(1),
            snaplen: 60,
        };
        assert!(all.takes(&[]) && all.has_port(1) && !all.has_port(0));
    }
}
