//! Where behind its relay a client is: what keys and counts by circuit or remote-id goes by.
//!
//! A circuit-id means something at its own relay only, so that a circuit is the pair of them (RFC
//! 3046 §3.1): the relay by its identifier (RFC 6925) if it says one, else by giaddr. A remote-id
//! is unique by itself (§3.2).

use crate::identity::{Identity, Kind};
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::{self, SubOptions};

/// The circuit that `info`, option 82 of a message from relay `giaddr`, names: a kind octet, the
/// relay and the circuit-id, compared as octets (C93). `None` without a circuit-id, and if relay
/// and circuit-id are too long for an identity.
///
/// The first instance of a sub-option counts (C176); an empty one is none.
#[must_use]
pub fn circuit(giaddr: Ipv4Addr, info: &SubOptions<'_>) -> Option<Identity> {
    let circuit = named(info, agent::CIRCUIT_ID)?;
    match named(info, agent::RELAY_ID) {
        Some(relay) => {
            let len = [u8::try_from(relay.len()).ok()?];
            Identity::new(Kind::RelayCircuit, &[&len, relay, circuit])
        }
        None => Identity::new(Kind::Circuit, &[&giaddr.octets(), circuit]),
    }
}

/// The circuit-id alone: what an operator reserves and lists by, at a relay or anywhere.
#[must_use]
pub fn circuit_id<'a>(info: &SubOptions<'a>) -> Option<&'a [u8]> {
    named(info, agent::CIRCUIT_ID)
}

/// The remote-id, if there is one.
#[must_use]
pub fn remote_id<'a>(info: &SubOptions<'a>) -> Option<&'a [u8]> {
    named(info, agent::REMOTE_ID)
}

fn named<'a>(info: &SubOptions<'a>, code: u8) -> Option<&'a [u8]> {
    info.first(code).filter(|data| !data.is_empty())
}

/// The client `client`, an identity of its own, on `circuit`: one client on each circuit.
#[must_use]
pub(crate) fn client_on(circuit: &Identity, client: &Identity) -> Option<Identity> {
    let (circuit, client) = (circuit.as_slice(), client.as_slice());
    let len = [u8::try_from(circuit.len()).ok()?];
    Identity::new(Kind::CircuitClient, &[&len, circuit, client])
}

/// The client's own identity in one that [`client_on`] made.
#[must_use]
pub(crate) fn client_of(identity: &[u8]) -> Option<&[u8]> {
    match identity {
        [kind, len, rest @ ..] if *kind == Kind::CircuitClient as u8 => {
            rest.get(usize::from(*len)..)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);
    const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

    fn key(giaddr: Ipv4Addr, info: &[u8]) -> Option<Identity> {
        circuit(giaddr, &SubOptions::new(info))
    }

    #[test]
    fn c175_a_circuit_is_its_relays_and_the_relay_is_82_12_else_giaddr() {
        let plain = key(RELAY, b"\x01\x02p7").unwrap();
        assert_eq!(plain.as_slice(), b"\x03\x0a\x09\x00\x01p7");
        assert_ne!(key(OTHER, b"\x01\x02p7"), Some(plain));
        let named = key(RELAY, b"\x01\x02p7\x0c\x02bx").unwrap();
        assert_eq!(named.as_slice(), b"\x05\x02bxp7");
        assert_eq!(key(OTHER, b"\x0c\x02bx\x01\x02p7"), Some(named));
        // Relay "bxp" with circuit "7" is another one.
        assert_ne!(key(RELAY, b"\x0c\x03bxp\x01\x017"), Some(named));
    }

    #[test]
    fn c175_a_remote_id_is_the_same_at_every_relay() {
        let info = SubOptions::new(b"\x01\x02p7\x02\x03cpe\x02\x03dup");
        assert_eq!(remote_id(&info), Some(&b"cpe"[..]));
        assert_eq!(circuit_id(&info), Some(&b"p7"[..]));
        assert_eq!(remote_id(&SubOptions::new(b"\x02\x00")), None);
    }

    #[test]
    fn c176_an_empty_sub_option_names_nothing_and_what_is_too_long_neither() {
        assert_eq!(key(RELAY, b"\x01\x00"), None);
        assert_eq!(key(RELAY, b"\x0c\x00\x01\x017"), key(RELAY, b"\x01\x017"));
        let mut long = [b'c'; 254];
        long[..2].copy_from_slice(&[1, 252]);
        assert_eq!(key(RELAY, &long), None);
        assert_eq!(key(RELAY, &[]), None);
    }
}
