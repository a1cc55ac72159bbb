//! Which of the free addresses a new client gets is the server's choice, and differs with the
//! number of workers and what was there before. The machine is asked for the address that the
//! capture shows, by option 50, which a server grants if nothing stands before it (RFC 2131
//! §4.3.1): what is reserved or remembered for the client still comes first.

use std::net::Ipv4Addr;

use dhcp_wire::dhcp::{Message, MessageType, code};
use dhcp_wire::frame::{self, Frame, FrameOut, Offloads};
use dhcp_wire::udp;

/// Octets before the options.
const FIXED: usize = 240;

/// The frame of a DISCOVER that asks for `addr`; none if it is none, asks for an address itself,
/// or is not sound as `offloads` has it.
pub(super) fn asking_for(addr: Ipv4Addr, octets: &[u8], offloads: Offloads) -> Option<Vec<u8>> {
    let parsed = frame::parse(octets, offloads).ok()?;
    let Frame::Dhcp {
        eth,
        ip,
        udp,
        payload,
    } = parsed
    else {
        return None;
    };
    let options = Message::parse_request(payload).ok()?.options().ok()?;
    let is_discover = options.message_type().ok()? == MessageType::Discover;
    if !is_discover || options.contains(code::REQUESTED_ADDRESS) {
        return None;
    }
    let (fixed, rest) = payload.split_at_checked(FIXED)?;
    let [a, b, c, d] = addr.octets();
    let option = [code::REQUESTED_ADDRESS, 4, a, b, c, d];
    let payload = [fixed, &option, rest].concat();
    let at = frame::headers_len(eth.tags());
    let mut steered = vec![0; at];
    steered.extend_from_slice(&payload);
    let out = FrameOut {
        dst_mac: eth.dst(),
        src_mac: eth.src(),
        tags: eth.tags(),
        src: ip.src(),
        dst: ip.dst(),
        src_port: udp.src_port(),
        dst_port: udp.dst_port(),
        ttl: 64,
        tos: ip.tos(),
        id: 0,
        payload_len: payload.len(),
        udp_checksum: udp::Fill::Computed,
    };
    let len = frame::write_headers(&mut steered, &out)?;
    steered.truncate(len);
    Some(steered)
}
