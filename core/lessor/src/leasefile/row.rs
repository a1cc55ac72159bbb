//! A record that owns its parts.

use std::net::Ipv4Addr;

use dhcp_proto::record::{Cause, Origin, Record, RecordKind};

use crate::control::State;

/// One statement about one address, as a file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: RecordKind,
    pub(super) space: u16,
    pub(super) addr: Ipv4Addr,
    pub(super) generation: u64,
    pub(super) time: u64,
    pub(super) expiry: u64,
    pub(super) lease: u32,
    pub(super) origin: Origin,
    pub(super) giaddr: Ipv4Addr,
    pub(super) identity: Vec<u8>,
    pub(super) htype: u8,
    pub(super) chaddr: Vec<u8>,
    pub(super) agent_info: Vec<u8>,
}

impl Row {
    /// The record, with another generation.
    pub(super) fn record(&self, generation: u64) -> Record<'_> {
        Record {
            kind: self.kind,
            cause: Cause::Unsaid,
            space: self.space,
            addr: self.addr,
            generation,
            time: self.time,
            expiry: self.expiry,
            lease: self.lease,
            origin: self.origin,
            giaddr: self.giaddr,
            identity: &self.identity,
            htype: self.htype,
            chaddr: &self.chaddr,
            agent_info: &self.agent_info,
        }
    }
}

/// The state of the address by this record at `now`; nothing if it is about a reservation.
pub(super) fn state(kind: RecordKind, expiry: u64, now: u64) -> Option<State> {
    State::of(kind, expiry <= now)
}

/// Whether the record says something about a reservation.
pub(super) fn is_reservation(kind: RecordKind) -> bool {
    match kind {
        RecordKind::ReservationAdded | RecordKind::ReservationRemoved => true,
        RecordKind::Active
        | RecordKind::Released
        | RecordKind::Ended
        | RecordKind::Declined
        | RecordKind::SetAside
        | RecordKind::ProbationEnded
        | RecordKind::Time => false,
    }
}
