//! What is written to the journal: one absolute statement about one address.
//!
//! A record says all there is to say, so repeating one is harmless, and the newest record of an
//! address is its whole history. The octets on disk are the store's business.

use crate::group::Fenced;
use core::net::Ipv4Addr;

/// Most octets of an identity in a record, its kind octet included.
pub const MAX_IDENTITY: usize = 256;
/// Most octets of option 82 that are stored; a longer one is echoed only, and counted.
pub const MAX_AGENT_INFO: usize = 512;

/// What happened to the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RecordKind {
    /// A lease was granted, extended or moved to another relay or circuit.
    Active = 1,
    /// The client gave its lease back; the address stays remembered for it.
    Released = 2,
    /// The binding was ended by the server: yielded, by an operator, or by a NAK.
    Ended = 3,
    /// The client found the address in use; it is set aside until `expiry`.
    Declined = 4,
    /// The server set the address aside until `expiry` (a probe was answered).
    SetAside = 5,
    /// The address is free again before or at the end of its probation.
    ProbationEnded = 6,
    /// An operator reserved the address for the identity.
    ReservationAdded = 7,
    /// An operator removed the reservation.
    ReservationRemoved = 8,
    /// Wall time, each minute; the address is unspecified.
    Time = 9,
}

impl RecordKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Active,
        Self::Released,
        Self::Ended,
        Self::Declined,
        Self::SetAside,
        Self::ProbationEnded,
        Self::ReservationAdded,
        Self::ReservationRemoved,
        Self::Time,
    ];

    /// The kind that `number` stands for in a file.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// The kind as an operator reads it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Released => "released",
            Self::Ended => "ended",
            Self::Declined => "declined",
            Self::SetAside => "set-aside",
            Self::ProbationEnded => "probation-ended",
            Self::ReservationAdded => "reservation-added",
            Self::ReservationRemoved => "reservation-removed",
            Self::Time => "time",
        }
    }
}

/// Why a record was written, for whoever keeps a log of them; it decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Cause {
    /// Its kind says all there is to say, or nobody knows.
    #[default]
    Unsaid = 0,
    /// The client had no lease of the address.
    Granted = 1,
    /// The client had the lease, and goes on with it.
    Renewed = 2,
    /// As [`Self::Renewed`], by another relay or circuit.
    Moved = 3,
    /// The client found the address in use, and has declined too many to be believed (C170).
    Conflict = 4,
    /// An operator said so.
    Operator = 5,
}

impl Cause {
    /// All causes, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Unsaid,
        Self::Granted,
        Self::Renewed,
        Self::Moved,
        Self::Conflict,
        Self::Operator,
    ];

    /// The cause that `number` stands for in a file.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What a record says of its address, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) kind: RecordKind,
    pub(crate) cause: Cause,
}

impl From<RecordKind> for Statement {
    fn from(kind: RecordKind) -> Self {
        let cause = Cause::Unsaid;
        Self { kind, cause }
    }
}

impl From<(RecordKind, Cause)> for Statement {
    fn from((kind, cause): (RecordKind, Cause)) -> Self {
        Self { kind, cause }
    }
}

/// Where a message came in: port and VLAN, part of what a binding remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Origin {
    /// Number of the port in the configuration.
    pub port: u8,
    /// Outer VLAN, 0 if untagged.
    pub outer_vid: u16,
    /// Inner VLAN, 0 if there is none.
    pub inner_vid: u16,
}

/// One statement about one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What happened.
    pub kind: RecordKind,
    /// Why.
    pub cause: Cause,
    /// Address space (VRF) of the address.
    pub space: u16,
    /// The address.
    pub addr: Ipv4Addr,
    /// Generation of the address word under which this was decided.
    pub generation: u64,
    /// When it happened, Unix seconds.
    pub time: u64,
    /// When the lease or the probation ends, Unix seconds; `u64::MAX` never.
    pub expiry: u64,
    /// Lease time told to the client, seconds.
    pub lease: u32,
    /// Where the client was seen.
    pub origin: Origin,
    /// Relay agent it came through; unspecified if none.
    pub giaddr: Ipv4Addr,
    /// Identity of the client with its kind octet; empty if there is none.
    pub identity: &'a [u8],
    /// Hardware type, RFC 2131 §2.
    pub htype: u8,
    /// Hardware address, at most sixteen octets.
    pub chaddr: &'a [u8],
    /// Option 82 as received, without code and length.
    pub agent_info: &'a [u8],
}

/// Position of a record in its worker's ring: the first is 1, none is 0.
pub type Sequence = u64;

/// What a queue without a free place is full of, in the measure of [`fill_of`].
pub const FULL: u8 = 64;

/// How full a queue of `most` places is with `used` entries, in 1/64; 0 below half.
#[inline]
#[must_use]
pub fn fill_of(used: usize, most: usize) -> u8 {
    if used < most / 2 {
        return 0;
    }
    let fill = used.saturating_mul(usize::from(FULL)) / most.max(1);
    u8::try_from(fill).map_or(FULL, |fill| fill.min(FULL))
}

/// Where a shard writes its records. The worker's end of the journal ring, or a list in a test.
pub trait Journal {
    /// Whether two records of the greatest length fit. A shard asks before it changes anything.
    fn has_room(&self) -> bool;

    /// How full it is, in 1/64. At least what it was when it was last looked at closely, which is
    /// often enough from half full on.
    fn fill(&self) -> u8 {
        0
    }

    /// Takes a record, and says its place. Asked only after [`Journal::has_room`], at most twice
    /// for one message.
    fn append(&mut self, record: &Record<'_>) -> Sequence;

    /// Is told of a lease that ran out. That needs no record, for it follows from the newest one;
    /// `record` is that one again.
    fn expired(&mut self, _record: &Record<'_>) {}

    /// The place up to which records are durable, or refused.
    fn durable(&self) -> Sequence;

    /// Which addresses are another appliance's; `None` as long as none ever was. Asked after
    /// [`Journal::durable`] it says so of every record up to there.
    fn fenced(&self) -> Option<Fenced> {
        None
    }

    /// Whether the record at `sequence`, about this address, may have been refused: its place is
    /// passed, and it is nowhere. It stays so when the address is this appliance's again. Asked
    /// after [`Journal::durable`], as is [`Journal::fenced`].
    fn refused(&self, _space: u16, _addr: Ipv4Addr, _sequence: Sequence) -> bool {
        false
    }
}
