//! The client of a reservation as an operator writes it, in the file and at run time.

use std::net::Ipv4Addr;

use dhcp_proto::identity::{Identity, Kind};
use serde::{Deserialize, Serialize};

use super::fault::Reason;
use super::text;
use crate::words::Colons;

/// The hardware type of Ethernet, which is meant if none is given.
const ETHERNET: u8 = 1;

/// A client by exactly one of hardware address, client-id, circuit-id and remote-id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientText<S = String> {
    /// Hardware address.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub hw_address: Option<S>,
    /// Its type, 1 if it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hw_type: Option<u8>,
    /// Option 61, octets or text.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub client_id: Option<S>,
    /// Circuit-id of option 82, octets or text; it goes with its relay.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub circuit_id: Option<S>,
    /// The relay of the circuit by giaddr; 0.0.0.0 where clients of a port bring option 82.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub relay: Option<S>,
    /// The relay of the circuit by its identifier (RFC 6925), octets or text.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub relay_id: Option<S>,
    /// Remote-id of option 82, octets or text.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub remote_id: Option<S>,
}

fn none<S>() -> Option<S> {
    None
}

/// What is wrong with it, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", .argument.map(|argument| format!("{argument}: ")).unwrap_or_default())]
pub struct ClientFault {
    /// The part that is wrong; none if it is the whole.
    pub argument: Option<&'static str>,
    /// What is wrong.
    pub why: Reason,
}

impl ClientFault {
    fn at(argument: &'static str) -> impl Fn(Reason) -> Self {
        move |why| Self {
            argument: Some(argument),
            why,
        }
    }

    fn whole(why: Reason) -> Self {
        Self {
            argument: None,
            why,
        }
    }
}

impl<S: AsRef<str>> ClientText<S> {
    /// The identity that a reservation is kept under.
    ///
    /// # Errors
    ///
    /// Fails if there is not exactly one client, or a part of it does not read.
    pub fn identity(&self) -> Result<Identity, ClientFault> {
        let given = [
            &self.hw_address,
            &self.client_id,
            &self.circuit_id,
            &self.remote_id,
        ];
        if given.into_iter().flatten().count() != 1 {
            let one = "hw_address, client_id, circuit_id, remote_id";
            return Err(ClientFault::whole(Reason::ExactlyOne(one)));
        }
        self.has_company()?;
        let identity = if let Some(text) = &self.hw_address {
            let at = ClientFault::at("hw_address");
            let chaddr = text::hw_address(text.as_ref()).map_err(at)?;
            Identity::new(
                Kind::Chaddr,
                &[&[self.hw_type.unwrap_or(ETHERNET)], &chaddr],
            )
        } else if let Some(text) = &self.client_id {
            let at = ClientFault::at("client_id");
            let id = text::client_id(text.as_ref()).map_err(at)?;
            Identity::new(Kind::ClientId, &[&id])
        } else if let Some(text) = &self.remote_id {
            let at = ClientFault::at("remote_id");
            let id = text::agent_id(text.as_ref()).map_err(at)?;
            Identity::new(Kind::RemoteId, &[&id])
        } else {
            return self.circuit();
        };
        // No part is longer than an identity.
        identity.ok_or_else(|| ClientFault::whole(Reason::Malformed("a client")))
    }

    /// Whether no part is there that belongs to another one.
    fn has_company(&self) -> Result<(), ClientFault> {
        let alone = |argument| Err(ClientFault::at(argument)(Reason::Alone(argument)));
        if self.hw_type.is_some() && self.hw_address.is_none() {
            return alone("hw_type");
        }
        match (&self.circuit_id, &self.relay, &self.relay_id) {
            (None, Some(_), _) => alone("relay"),
            (None, _, Some(_)) => alone("relay_id"),
            (Some(_), None, None) | (Some(_), Some(_), Some(_)) => {
                Err(ClientFault::whole(Reason::ExactlyOne("relay, relay_id")))
            }
            (None, None, None) | (Some(_), Some(_), None) | (Some(_), None, Some(_)) => Ok(()),
        }
    }

    fn circuit(&self) -> Result<Identity, ClientFault> {
        let text = self.circuit_id.as_ref().map_or("", AsRef::as_ref);
        let circuit = text::agent_id(text).map_err(ClientFault::at("circuit_id"))?;
        let identity = match (&self.relay, &self.relay_id) {
            (Some(relay), _) => {
                let at = ClientFault::at("relay");
                let relay = text::address(relay.as_ref()).map_err(at)?;
                Identity::new(Kind::Circuit, &[&relay.octets(), &circuit])
            }
            (None, id) => {
                let id = id.as_ref().map_or("", AsRef::as_ref);
                let id = text::agent_id(id).map_err(ClientFault::at("relay_id"))?;
                let len = u8::try_from(id.len()).unwrap_or(u8::MAX);
                Identity::new(Kind::RelayCircuit, &[&[len], &id, &circuit])
            }
        };
        let long = Reason::Malformed("short enough: relay and circuit-id have at most 254 octets");
        identity.ok_or_else(|| ClientFault::at("circuit_id")(long))
    }
}

impl ClientText {
    /// An identity as it would be written; `None` of what no reservation can be for.
    #[must_use]
    pub fn of(identity: &[u8]) -> Option<Self> {
        let (kind, rest) = identity.split_first()?;
        let mut text = Self::default();
        match Kind::from_number(*kind)? {
            Kind::Chaddr => {
                let (htype, chaddr) = rest.split_first()?;
                text.hw_type = (*htype != ETHERNET).then_some(*htype);
                text.hw_address = Some(written(chaddr));
            }
            Kind::ClientId => text.client_id = Some(written(rest)),
            Kind::Circuit => {
                let (relay, circuit) = rest.split_first_chunk::<4>()?;
                text.relay = Some(Ipv4Addr::from_octets(*relay).to_string());
                text.circuit_id = Some(written(circuit));
            }
            Kind::RelayCircuit => {
                let (len, rest) = rest.split_first()?;
                let (relay, circuit) = rest.split_at_checked(usize::from(*len))?;
                text.relay_id = Some(written(relay));
                text.circuit_id = Some(written(circuit));
            }
            Kind::RemoteId => text.remote_id = Some(written(rest)),
            Kind::CircuitClient => return None,
        }
        Some(text)
    }
}

impl std::fmt::Display for ClientText {
    /// On one line, for a table.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            ("hw", &self.hw_address),
            ("client-id", &self.client_id),
            ("circuit", &self.circuit_id),
            ("at relay", &self.relay),
            ("at relay-id", &self.relay_id),
            ("remote-id", &self.remote_id),
        ];
        let mut before = "";
        for (name, part) in parts {
            if let Some(part) = part {
                write!(f, "{before}{name} {part}")?;
                before = " ";
            }
        }
        match self.hw_type {
            Some(hw_type) => write!(f, " type {hw_type}"),
            None => Ok(()),
        }
    }
}

/// Octets with colons between them; a single one needs its prefix to be told from a text.
fn written(octets: &[u8]) -> String {
    let prefix = if octets.len() < 2 { "hex:" } else { "" };
    format!("{prefix}{}", Colons(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(change: impl FnOnce(&mut ClientText)) -> ClientText {
        let mut text = ClientText::default();
        change(&mut text);
        text
    }

    #[test]
    fn what_is_written_reads_as_the_same_client() {
        let some = |text: &str| Some(text.to_owned());
        let all = [
            (
                text(|t| t.hw_address = some("02:00:00:00:00:05")),
                &[2, 1, 2, 0, 0, 0, 0, 5][..],
            ),
            (
                text(|t| (t.hw_address, t.hw_type) = (some("hex:05"), Some(6))),
                &[2, 6, 5],
            ),
            (text(|t| t.client_id = some("modem")), b"\x01modem"),
            (
                text(|t| (t.circuit_id, t.relay) = (some("p7"), some("10.9.0.1"))),
                b"\x03\x0a\x09\x00\x01p7",
            ),
            (
                text(|t| (t.circuit_id, t.relay) = (some("7"), some("0.0.0.0"))),
                b"\x03\0\0\0\x007",
            ),
            (
                text(|t| (t.circuit_id, t.relay_id) = (some("7"), some("bng-a"))),
                b"\x05\x05bng-a7",
            ),
            (text(|t| t.remote_id = some("x")), b"\x06x"),
        ];
        for (given, octets) in all {
            let identity = given.identity().unwrap();
            assert_eq!(identity.as_slice(), octets, "{given}");
            let again = ClientText::of(octets).unwrap();
            assert_eq!(again.identity().unwrap(), identity, "{again}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_argument() {
        let some = |text: &str| Some(text.to_owned());
        let long = "x".repeat(252);
        let cases = [
            (text(|_| {}), "must have exactly one of hw_address"),
            (
                text(|t| (t.hw_address, t.client_id) = (some("02:03"), some("ab"))),
                "must have exactly one of hw_address",
            ),
            (
                text(|t| t.hw_address = some("02-03")),
                "hw_address: is not a hardware address",
            ),
            (
                text(|t| t.client_id = some("a")),
                "client_id: is not a client-id",
            ),
            (
                text(|t| t.circuit_id = some("a")),
                "must have exactly one of relay, relay_id",
            ),
            (
                text(|t| (t.circuit_id, t.relay) = (some("a"), some("bng"))),
                "relay: is not an IPv4 address",
            ),
            (
                text(|t| (t.circuit_id, t.relay) = (some(&long), some("10.0.0.1"))),
                "circuit_id: is not short enough",
            ),
            (
                text(|t| (t.remote_id, t.relay) = (some("a"), some("10.0.0.1"))),
                "relay: `relay` says nothing here",
            ),
            (
                text(|t| (t.remote_id, t.hw_type) = (some("a"), Some(1))),
                "hw_type: `hw_type` says nothing here",
            ),
            (text(|t| t.remote_id = some("")), "remote_id: is not"),
        ];
        for (given, says) in cases {
            let why = given.identity().unwrap_err().to_string();
            assert!(why.starts_with(says), "{why}");
        }
    }

    #[test]
    fn no_octets_of_a_store_are_a_fault() {
        for octets in [
            &[][..],
            &[2],
            &[3, 1],
            &[5, 9, 1],
            &[5],
            &[9, 9],
            &[4, 1, 1],
        ] {
            assert_eq!(ClientText::of(octets), None, "{octets:?}");
        }
    }
}
