//! A lease as an operator sees it, from the newest record of its address.

use std::fmt;
use std::net::Ipv4Addr;

use dhcp_proto::record::{Record, RecordKind};
use dhcp_proto::time::INFINITE;
use serde::{Deserialize, Serialize};

use crate::words::{Client, Colons, Hex, Utc};

/// State of an address, in the words of RFC 6926 §6.2.7 as far as they reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Leased.
    Active,
    /// The lease ran out; the address is kept in mind for the client.
    Expired,
    /// The client gave it back; the address is kept in mind for it.
    Released,
    /// Declined, or found in use: nobody gets it.
    Abandoned,
    /// Ended by the server, or out of probation: anybody may get it.
    Available,
}

impl State {
    /// The state that a record of `kind` tells of, whose term has `ended` or not; `None` if it is
    /// not about a lease.
    pub(crate) const fn of(kind: RecordKind, ended: bool) -> Option<Self> {
        match kind {
            RecordKind::Active if ended => Some(Self::Expired),
            RecordKind::Active => Some(Self::Active),
            RecordKind::Released => Some(Self::Released),
            RecordKind::Declined | RecordKind::SetAside if ended => Some(Self::Available),
            RecordKind::Declined | RecordKind::SetAside => Some(Self::Abandoned),
            RecordKind::Ended | RecordKind::ProbationEnded => Some(Self::Available),
            RecordKind::ReservationAdded | RecordKind::ReservationRemoved | RecordKind::Time => {
                None
            }
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Abandoned => "abandoned",
            Self::Available => "available",
        }
    }
}

/// Who has, or had, an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// Its space.
    pub space: u16,
    /// Its state.
    pub state: State,
    /// The client: `client-id …`, `hw …` or a circuit; empty if nobody.
    pub client: String,
    /// The client's hardware address; empty if unknown.
    pub hw_address: String,
    /// When this became so, Unix seconds.
    pub since: u64,
    /// When lease or probation end, Unix seconds; null is never.
    pub expires: Option<u64>,
    /// Lease time told to the client, seconds.
    pub lease_time: u32,
    /// Relay it came through.
    pub relay: Option<Ipv4Addr>,
    /// Number of the port.
    pub port: u8,
    /// VLAN tags, outer first.
    pub vlan: Vec<u16>,
    /// Option 82 as the relay sent it, in hexadecimal.
    pub agent_info: String,
}

impl Lease {
    /// Whether `record` is about a lease.
    #[must_use]
    pub(crate) const fn is_of_record(record: &Record<'_>) -> bool {
        State::of(record.kind, false).is_some()
    }

    /// What `record` says at `now`, Unix seconds; `None` if it is not about a lease.
    #[must_use]
    pub fn new(record: &Record<'_>, now: u64) -> Option<Self> {
        let state = State::of(record.kind, record.expiry <= now)?;
        let tags = [record.origin.outer_vid, record.origin.inner_vid];
        Some(Self {
            address: record.addr,
            space: record.space,
            state,
            client: Client(record.identity).to_string(),
            hw_address: Colons(record.chaddr).to_string(),
            since: record.time,
            expires: (record.expiry != u64::MAX).then_some(record.expiry),
            lease_time: record.lease,
            relay: (!record.giaddr.is_unspecified()).then_some(record.giaddr),
            port: record.origin.port,
            vlan: tags.into_iter().take_while(|tag| *tag != 0).collect(),
            agent_info: Hex(record.agent_info).to_string(),
        })
    }

    /// Whether `text` is what this lease is known by: address, hardware address, or client.
    #[must_use]
    pub fn is_of(&self, text: &str) -> bool {
        let client = self.client.split_once(' ').map_or("", |(_, id)| id);
        let same = |own: &str| !own.is_empty() && own.eq_ignore_ascii_case(text);
        self.address.to_string() == text
            || same(&self.hw_address)
            || same(client)
            || same(&self.client)
    }
}

impl fmt::Display for Lease {
    /// All of it, a line for each fact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: &dyn fmt::Display| {
            writeln!(f, "{name:<12} {value}")
        };
        line(f, "address", &self.address)?;
        if self.space != 0 {
            line(f, "space", &self.space)?;
        }
        line(f, "state", &self.state.as_str())?;
        for (name, value) in [("client", &self.client), ("hw address", &self.hw_address)] {
            if !value.is_empty() {
                line(f, name, value)?;
            }
        }
        line(f, "since", &utc(self.since))?;
        line(
            f,
            "expires",
            &self.expires.map_or_else(|| "never".into(), utc),
        )?;
        match self.lease_time {
            0 => {}
            INFINITE => line(f, "lease time", &"infinite")?,
            seconds => line(f, "lease time", &format_args!("{seconds} s"))?,
        }
        if let Some(relay) = self.relay {
            line(f, "relay", &relay)?;
        }
        line(f, "port", &self.port)?;
        for tag in &self.vlan {
            line(f, "vlan", tag)?;
        }
        if !self.agent_info.is_empty() {
            line(f, "option 82", &self.agent_info)?;
        }
        Ok(())
    }
}

/// Unix seconds as `2026-01-31T12:00:00Z`.
pub(crate) fn utc(seconds: u64) -> String {
    Utc(seconds).to_string()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::control) const RECORD: Record<'static> = Record {
        kind: RecordKind::Active,
        cause: dhcp_proto::record::Cause::Unsaid,
        space: 0,
        addr: Ipv4Addr::new(10, 77, 0, 9),
        generation: 1,
        time: 1_000,
        expiry: 4_600,
        lease: 3_600,
        origin: dhcp_proto::record::Origin {
            port: 1,
            outer_vid: 200,
            inner_vid: 30,
        },
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &[2, 1, 2, 0, 0, 0, 0, 5],
        htype: 1,
        chaddr: &[2, 0, 0, 0, 0, 5],
        agent_info: &[1, 1, 7],
    };

    #[test]
    fn the_state_follows_from_record_and_time() {
        use RecordKind::{Active, Declined, Ended, ProbationEnded, Released, SetAside, Time};
        let state = |kind, now| Lease::new(&Record { kind, ..RECORD }, now).map(|l| l.state);
        assert_eq!(state(Active, 4_599), Some(State::Active));
        assert_eq!(state(Active, 4_600), Some(State::Expired));
        assert_eq!(state(Released, 0), Some(State::Released));
        assert_eq!(state(Declined, 4_599), Some(State::Abandoned));
        assert_eq!(state(SetAside, 4_600), Some(State::Available));
        assert_eq!(state(Ended, 0), Some(State::Available));
        assert_eq!(state(ProbationEnded, 0), Some(State::Available));
        assert_eq!(state(Time, 0), None);
    }

    #[test]
    fn c184_an_endless_lease_is_shown_as_such() {
        let record = Record {
            expiry: u64::MAX,
            lease: INFINITE,
            ..RECORD
        };
        let lease = Lease::new(&record, u64::MAX - 1).unwrap();
        assert_eq!((lease.state, lease.expires), (State::Active, None));
        let shown = lease.to_string();
        assert!(
            shown.contains("expires      never") && shown.contains("infinite"),
            "{shown}"
        );
    }

    #[test]
    fn a_lease_is_found_by_address_hardware_address_and_client() {
        let lease = Lease::new(&RECORD, 0).unwrap();
        for text in ["10.77.0.9", "02:00:00:00:00:05", "hw 02:00:00:00:00:05"] {
            assert!(lease.is_of(text), "{text}");
        }
        let id = Record {
            identity: &[1, 1, 0xAB],
            chaddr: &[],
            ..RECORD
        };
        let lease = Lease::new(&id, 0).unwrap();
        assert!(lease.is_of("01:AB") && lease.is_of("client-id 01:ab"));
        assert!(!lease.is_of("") && !lease.is_of("ab") && !lease.is_of("10.77.0.90"));
    }

    #[test]
    fn no_identity_of_any_form_is_a_fault() {
        for identity in [&[][..], &[0], &[1], &[2], &[3, 1], &[9, 9]] {
            let shown = Lease::new(&Record { identity, ..RECORD }, 0)
                .unwrap()
                .client;
            assert_eq!(shown.is_empty(), identity.is_empty());
        }
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(utc(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(utc(4_102_444_800), "2100-01-01T00:00:00Z");
        assert!(!utc(u64::MAX).is_empty());
    }
}
