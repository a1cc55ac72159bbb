//! One record as octets, in the ring and on disk alike; little-endian, see `docs/store-format.md`.
//!
//! ```text
//!   0 length u16   2 kind u8    3 cause u8   4 space u16   6 identity length u16
//!   8 address [4]  12 lease u32               16 generation u64
//!  24 LSN u64                                 32 time u64
//!  40 expiry u64                              48 port u8   49 htype u8   50 hlen u8   51 zero
//!  52 outer VLAN u16  54 inner VLAN u16       56 giaddr [4]
//!  60 option 82 length u16  62 zero u16       64 identity, chaddr, option 82, CRC32C u32
//! ```
//!
//! The worker leaves LSN and CRC open; an engine that keeps the record fills both.

use crate::store::crc32c;
use core::fmt;
use core::net::Ipv4Addr;
use dhcp_proto::record::{Cause, MAX_AGENT_INFO, MAX_IDENTITY, Origin, Record, RecordKind};

/// Octets before the parts of variable length.
const FIXED: usize = 64;
/// Octets of the checksum at the end.
const CHECKSUM: usize = 4;
/// Most octets of a hardware address, RFC 2131 §2.
const MAX_CHADDR: usize = 16;
/// Fewest octets of a record.
pub const MIN_RECORD: usize = FIXED + CHECKSUM;
/// Most octets of a record.
pub const MAX_RECORD: usize = FIXED + MAX_IDENTITY + MAX_CHADDR + MAX_AGENT_INFO + CHECKSUM;

const AT_LENGTH: usize = 0;
const AT_KIND: usize = 2;
const AT_CAUSE: usize = 3;
const AT_SPACE: usize = 4;
const AT_IDENTITY_LEN: usize = 6;
const AT_ADDR: usize = 8;
const AT_LEASE: usize = 12;
const AT_GENERATION: usize = 16;
const AT_LSN: usize = 24;
const AT_TIME: usize = 32;
const AT_EXPIRY: usize = 40;
const AT_PORT: usize = 48;
const AT_HTYPE: usize = 49;
const AT_HLEN: usize = 50;
const AT_ZERO: usize = 51;
const AT_OUTER_VID: usize = 52;
const AT_INNER_VID: usize = 54;
const AT_GIADDR: usize = 56;
const AT_AGENT_LEN: usize = 60;
const AT_ZERO_TOO: usize = 62;

/// Log sequence number: the place of a record among all records of a store, 1 for the first.
/// It never restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The number `count` places on. A store that commits a million records a second has numbers
    /// for half a million years, so the bound is never met.
    #[must_use]
    pub const fn plus(self, count: u32) -> Self {
        Self(self.0.saturating_add(count as u64))
    }

    /// The number before this one, 0 before the first.
    #[must_use]
    pub const fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why octets are not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// Fewer octets than the record says, or than any record has.
    #[error("record is cut short")]
    Short,
    /// The length is not the sum of the parts.
    #[error("record length is not the sum of its parts")]
    Length,
    /// The checksum does not fit.
    #[error("record has a wrong checksum")]
    Checksum,
    /// A kind that this release does not know.
    #[error("record kind is unknown")]
    Kind,
    /// A cause that this release does not know, or a spare octet that is set.
    #[error("record has an unknown cause or flag")]
    Flags,
    /// A part is longer than such a part can be.
    #[error("record has a part that is too long")]
    Part,
}

/// A record that has no encoding; no message of a client makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

/// Writes `record` to the front of `out` and says how many octets it took; LSN and checksum are
/// left open for [`seal`]. Room for [`MAX_RECORD`] octets is always enough.
///
/// # Errors
/// A part is longer than such a part can be, or `out` is too short.
pub fn encode(record: &Record<'_>, out: &mut [u8]) -> Result<usize, TooLong> {
    let identity_len = within(record.identity, MAX_IDENTITY)?;
    let hlen = within(record.chaddr, MAX_CHADDR)?;
    let agent_len = within(record.agent_info, MAX_AGENT_INFO)?;
    let length = u16::try_from(MIN_RECORD).map_err(|_| TooLong)? + identity_len + hlen + agent_len;
    let [hlen, _] = hlen.to_le_bytes();

    let (head, mut rest) = out.split_first_chunk_mut::<FIXED>().ok_or(TooLong)?;
    put(head, AT_LENGTH, length.to_le_bytes());
    put(head, AT_KIND, [record.kind as u8, record.cause as u8]);
    put(head, AT_SPACE, record.space.to_le_bytes());
    put(head, AT_IDENTITY_LEN, identity_len.to_le_bytes());
    put(head, AT_ADDR, record.addr.octets());
    put(head, AT_LEASE, record.lease.to_le_bytes());
    put(head, AT_GENERATION, record.generation.to_le_bytes());
    put(head, AT_LSN, [0; 8]);
    put(head, AT_TIME, record.time.to_le_bytes());
    put(head, AT_EXPIRY, record.expiry.to_le_bytes());
    put(head, AT_PORT, [record.origin.port, record.htype, hlen, 0]);
    put(head, AT_OUTER_VID, record.origin.outer_vid.to_le_bytes());
    put(head, AT_INNER_VID, record.origin.inner_vid.to_le_bytes());
    put(head, AT_GIADDR, record.giaddr.octets());
    put(head, AT_AGENT_LEN, agent_len.to_le_bytes());
    put(head, AT_ZERO_TOO, [0; 2]);
    for part in [
        record.identity,
        record.chaddr,
        record.agent_info,
        &[0; CHECKSUM],
    ] {
        let (room, behind) = rest.split_at_mut_checked(part.len()).ok_or(TooLong)?;
        room.copy_from_slice(part);
        rest = behind;
    }
    Ok(usize::from(length))
}

fn within(part: &[u8], most: usize) -> Result<u16, TooLong> {
    if part.len() > most {
        return Err(TooLong);
    }
    u16::try_from(part.len()).map_err(|_| TooLong)
}

fn put<const N: usize>(head: &mut [u8; FIXED], at: usize, value: [u8; N]) {
    head[at..at + N].copy_from_slice(&value);
}

/// Gives an encoded record its number and its checksum. `record` is exactly the record's octets.
pub fn seal(record: &mut [u8], lsn: Lsn) {
    if let Some(place) = record.get_mut(AT_LSN..AT_LSN + 8) {
        place.copy_from_slice(&lsn.0.to_le_bytes());
    }
    if let Some((body, checksum)) = record.split_last_chunk_mut::<CHECKSUM>() {
        *checksum = crc32c::crc32c(body).to_le_bytes();
    }
}

/// The length that the record at the front of `octets` claims, if any record has that length.
#[must_use]
pub fn length(octets: &[u8]) -> Option<usize> {
    let length = usize::from(u16::from_le_bytes(*octets.first_chunk()?));
    (MIN_RECORD..=MAX_RECORD)
        .contains(&length)
        .then_some(length)
}

/// The record at the front of `octets`, its number, and the octets behind it.
///
/// # Errors
/// The octets are not a whole and sound record.
pub fn decode(octets: &[u8]) -> Result<(Lsn, Record<'_>, &[u8]), Odd> {
    let length = length(octets).ok_or(Odd::Short)?;
    let record = octets.get(..length).ok_or(Odd::Short)?;
    let (body, checksum) = record.split_last_chunk::<CHECKSUM>().ok_or(Odd::Short)?;
    if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
        return Err(Odd::Checksum);
    }
    decode_again(octets)
}

/// The same of octets that [`decode`] has found sound, without a look at the checksum.
///
/// # Errors
/// The octets are not a whole record.
pub fn decode_again(octets: &[u8]) -> Result<(Lsn, Record<'_>, &[u8]), Odd> {
    let length = length(octets).ok_or(Odd::Short)?;
    let (record, behind) = octets.split_at_checked(length).ok_or(Odd::Short)?;
    let (body, _) = record.split_last_chunk::<CHECKSUM>().ok_or(Odd::Short)?;
    let (head, parts) = body.split_first_chunk::<FIXED>().ok_or(Odd::Short)?;
    let spare: [u8; 2] = field(head, AT_ZERO_TOO);
    if head[AT_ZERO] != 0 || spare != [0; 2] {
        return Err(Odd::Flags);
    }
    let identity_len = usize::from(u16::from_le_bytes(field(head, AT_IDENTITY_LEN)));
    let hlen = usize::from(head[AT_HLEN]);
    let agent_len = usize::from(u16::from_le_bytes(field(head, AT_AGENT_LEN)));
    if identity_len > MAX_IDENTITY || hlen > MAX_CHADDR || agent_len > MAX_AGENT_INFO {
        return Err(Odd::Part);
    }
    let (identity, parts) = parts.split_at_checked(identity_len).ok_or(Odd::Length)?;
    let (chaddr, agent_info) = parts.split_at_checked(hlen).ok_or(Odd::Length)?;
    if agent_info.len() != agent_len {
        return Err(Odd::Length);
    }
    let record = Record {
        kind: RecordKind::from_number(head[AT_KIND]).ok_or(Odd::Kind)?,
        cause: Cause::from_number(head[AT_CAUSE]).ok_or(Odd::Flags)?,
        space: u16::from_le_bytes(field(head, AT_SPACE)),
        addr: Ipv4Addr::from_octets(field(head, AT_ADDR)),
        generation: u64::from_le_bytes(field(head, AT_GENERATION)),
        time: u64::from_le_bytes(field(head, AT_TIME)),
        expiry: u64::from_le_bytes(field(head, AT_EXPIRY)),
        lease: u32::from_le_bytes(field(head, AT_LEASE)),
        origin: Origin {
            port: head[AT_PORT],
            outer_vid: u16::from_le_bytes(field(head, AT_OUTER_VID)),
            inner_vid: u16::from_le_bytes(field(head, AT_INNER_VID)),
        },
        giaddr: Ipv4Addr::from_octets(field(head, AT_GIADDR)),
        identity,
        htype: head[AT_HTYPE],
        chaddr,
        agent_info,
    };
    Ok((Lsn(u64::from_le_bytes(field(head, AT_LSN))), record, behind))
}

fn field<const N: usize>(head: &[u8; FIXED], at: usize) -> [u8; N] {
    let mut value = [0; N];
    value.copy_from_slice(&head[at..at + N]);
    value
}

#[cfg(test)]
mod tests;
