//! One event, and the fields that a line of the file and a message to syslog say of it.

use core::fmt;
use std::io::Write as _;

use dhcp_proto::record::{Cause, Record, RecordKind};
use dhcp_wire::dhcp::agent::{self, SubOptions};

use crate::store::Lsn;
use crate::words::{Client, Colons, Hex, Utc};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Granted,
    Renewed,
    Moved,
    /// A lease that nobody said more about.
    Active,
    Released,
    Expired,
    Declined,
    SetAside,
    Ended,
    EndedByOperator,
    Conflict,
    ProbationEnded,
    ReservationAdded,
    ReservationRemoved,
}

impl What {
    /// What a durable record says; `None` if it is not about an address.
    pub(super) const fn of(kind: RecordKind, cause: Cause) -> Option<Self> {
        Some(match (kind, cause) {
            (RecordKind::Active, Cause::Granted) => Self::Granted,
            (RecordKind::Active, Cause::Renewed) => Self::Renewed,
            (RecordKind::Active, Cause::Moved) => Self::Moved,
            (RecordKind::Active, Cause::Unsaid | Cause::Conflict | Cause::Operator) => Self::Active,
            (RecordKind::Released, _) => Self::Released,
            (RecordKind::Ended, Cause::Conflict) => Self::Conflict,
            (RecordKind::Ended, Cause::Operator) => Self::EndedByOperator,
            (RecordKind::Ended, _) => Self::Ended,
            (RecordKind::Declined, _) => Self::Declined,
            (RecordKind::SetAside, _) => Self::SetAside,
            (RecordKind::ProbationEnded, _) => Self::ProbationEnded,
            (RecordKind::ReservationAdded, _) => Self::ReservationAdded,
            (RecordKind::ReservationRemoved, _) => Self::ReservationRemoved,
            (RecordKind::Time, _) => return None,
        })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Renewed => "renewed",
            Self::Moved => "moved",
            Self::Active => "active",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Declined => "declined",
            Self::SetAside => "set-aside",
            Self::Ended => "ended",
            Self::EndedByOperator => "ended-by-operator",
            Self::Conflict => "conflict",
            Self::ProbationEnded => "probation-ended",
            Self::ReservationAdded => "reservation-added",
            Self::ReservationRemoved => "reservation-removed",
        }
    }

    /// RFC 5424 §6.2.1: warning where an address is in use that should not be.
    pub(super) const fn severity(self) -> u8 {
        match self {
            Self::Declined | Self::SetAside | Self::Conflict => 4,
            Self::Granted
            | Self::Renewed
            | Self::Moved
            | Self::Active
            | Self::Released
            | Self::Expired
            | Self::Ended
            | Self::EndedByOperator
            | Self::ProbationEnded
            | Self::ReservationAdded
            | Self::ReservationRemoved => 6,
        }
    }

    const fn has_lease_time(self) -> bool {
        matches!(
            self,
            Self::Granted | Self::Renewed | Self::Moved | Self::Active | Self::Expired
        )
    }

    const fn has_end(self) -> bool {
        self.has_lease_time() || matches!(self, Self::Declined | Self::SetAside)
    }
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) what: What,
    /// Its number in the store; 0 of what is not recorded.
    pub(super) lsn: Lsn,
    pub(super) record: &'a Record<'a>,
    /// Name of the port.
    pub(super) port: &'a str,
}

/// What a field says.
pub(super) enum Value<'a> {
    Text(fmt::Arguments<'a>),
    Number(u64),
    Never,
    Tags(&'a [u16]),
}

impl Entry<'_> {
    /// Its fields in the order in which they are written, but for time and name.
    pub(super) fn fields(&self, each: &mut dyn FnMut(&'static str, Value<'_>)) {
        use Value::{Never, Number, Tags, Text};
        let record = self.record;
        each("address", Text(format_args!("{}", record.addr)));
        each("space", Number(record.space.into()));
        if !record.identity.is_empty() {
            each("client", Text(format_args!("{}", Client(record.identity))));
        }
        if !record.chaddr.is_empty() {
            each(
                "hw_address",
                Text(format_args!("{}", Colons(record.chaddr))),
            );
        }
        if !record.giaddr.is_unspecified() {
            each("relay", Text(format_args!("{}", record.giaddr)));
        }
        agent_info(record.agent_info, each);
        let tags = [record.origin.outer_vid, record.origin.inner_vid];
        let tags = tags.split(|tag| *tag == 0).next().unwrap_or_default();
        if !record.chaddr.is_empty() {
            each("port", Text(format_args!("{}", self.port)));
        }
        if !tags.is_empty() {
            each("vlan", Tags(tags));
        }
        if self.what.has_lease_time() {
            each("lease_time", Number(record.lease.into()));
        }
        if self.what.has_end() {
            match record.expiry {
                u64::MAX => each("expires", Never),
                end => each("expires", Text(format_args!("{}", Utc(end)))),
            }
        }
        if self.lsn > Lsn(0) {
            each("lsn", Number(self.lsn.0));
        }
    }

    /// Adds the line of the file.
    pub(super) fn json(&self, line: &mut Vec<u8>) {
        // Writing into memory does not fail.
        drop(write!(
            line,
            r#"{{"time":"{}","event":"{}""#,
            Utc(self.record.time),
            self.what.name()
        ));
        self.fields(&mut |name, value| {
            drop(write!(line, r#","{name}":"#));
            match value {
                Value::Text(text) => drop(serde_json::to_writer(&mut *line, &text)),
                Value::Number(number) => drop(write!(line, "{number}")),
                Value::Never => line.extend_from_slice(b"null"),
                Value::Tags(tags) => drop(serde_json::to_writer(&mut *line, tags)),
            }
        });
        line.extend_from_slice(b"}\n");
    }
}

/// Circuit and remote id, RFC 3046 §3; all of option 82 where it does not read.
fn agent_info(info: &[u8], each: &mut dyn FnMut(&'static str, Value<'_>)) {
    let sub = SubOptions::new(info);
    if !sub.is_well_formed() {
        return each("agent_info", Value::Text(format_args!("{}", Hex(info))));
    }
    let ids = [
        (agent::CIRCUIT_ID, "circuit_id", "circuit_text"),
        (agent::REMOTE_ID, "remote_id", "remote_text"),
    ];
    for (code, name, in_text) in ids {
        let Some(id) = sub.first(code) else { continue };
        each(name, Value::Text(format_args!("{}", Hex(id))));
        if let Some(text) = printable(id) {
            each(in_text, Value::Text(format_args!("{text}")));
        }
    }
}

/// Octets that are a text that a person can read: ASCII without control characters.
fn printable(octets: &[u8]) -> Option<&str> {
    let plain = |octet: &u8| octet.is_ascii_graphic() || *octet == b' ';
    let all = !octets.is_empty() && octets.iter().all(plain);
    str::from_utf8(octets).ok().filter(|_| all)
}
