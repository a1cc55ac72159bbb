//! Chunks of a snapshot into an index.

use super::super::index::{Entry, Index, Reserved};
use super::super::octets::{field, zero};
use super::{CHUNK_HEAD, HEAD, MAX_CHUNK, SnapshotHeader, Unfit};
use crate::store::crc32c;
use crate::store::encode::Lsn;
use crate::store::medium::MediumFile;

pub(super) fn read_chunks<F: MediumFile>(
    file: &F,
    length: u64,
    header: &SnapshotHeader,
) -> Result<Index, Unfit> {
    let mut index = Index::default();
    let mut at = HEAD as u64;
    let mut content = Vec::new();
    loop {
        let damaged = Unfit::Damaged(at);
        if length.saturating_sub(at) < CHUNK_HEAD as u64 {
            return Err(damaged);
        }
        let mut head = [0; CHUNK_HEAD];
        file.read_exact_at(&mut head, at)?;
        let octets = u32::from_le_bytes(field(&head, 4));
        let size = octets as usize;
        at += CHUNK_HEAD as u64;
        if size > MAX_CHUNK || length - at < u64::from(octets) || !zero(&head[1..4]) {
            return Err(damaged);
        }
        content.resize(size, 0);
        file.read_exact_at(&mut content, at)?;
        at += u64::from(octets);
        if checksum(&head, &content) != u32::from_le_bytes(field(&head, 8)) {
            return Err(damaged);
        }
        let mut rest = Rest(&content);
        let sound = match head[0] {
            1 => addresses(&mut rest, &mut index, header.lsn),
            2 => reservations(&mut rest, &mut index, header.lsn),
            3 if size == 0 && at == length => break,
            _ => None,
        };
        sound.ok_or(damaged)?;
    }
    let counted = (index.addresses(), index.reservations());
    if counted != (header.addresses, header.reservations) {
        return Err(Unfit::Damaged(length));
    }
    index.set_marks(header.marks);
    Ok(index)
}

pub(super) fn checksum(head: &[u8; CHUNK_HEAD], content: &[u8]) -> u32 {
    crc32c::crc32c_of_both(&head[..8], content)
}

/// Blocks: space u16, block u32, count u8 (0 is 256), then low octet u8, and generation, LSN and
/// length as numbers of variable length.
fn addresses(rest: &mut Rest<'_>, index: &mut Index, last: Lsn) -> Option<()> {
    while !rest.0.is_empty() {
        let key = (rest.u16()?, rest.u32()?);
        let [count] = rest.take()?;
        let count = if count == 0 { 256 } else { u16::from(count) };
        let mut block = index.filling(key);
        for _ in 0..count {
            let [low] = rest.take()?;
            let generation = rest.number()?;
            let lsn = Lsn(rest.number()?);
            let length = u16::try_from(rest.number()?).ok()?;
            if lsn > last || lsn == Lsn(0) || key.1 >> 24 != 0 {
                return None;
            }
            let entry = Entry::new(generation, lsn, length);
            if block.put(low, entry).is_some() {
                return None;
            }
        }
    }
    Some(())
}

/// Reservations: space u16, address u32, length of the identity u16, identity, removed u8, LSN and
/// length as numbers of variable length.
fn reservations(rest: &mut Rest<'_>, index: &mut Index, last: Lsn) -> Option<()> {
    while !rest.0.is_empty() {
        let (space, addr, octets) = (rest.u16()?, rest.u32()?, rest.u16()?);
        let identity = Box::from(rest.octets(usize::from(octets))?);
        let [removed] = rest.take()?;
        let lsn = Lsn(rest.number()?);
        let reserved = Reserved {
            lsn,
            length: u16::try_from(rest.number()?).ok()?,
            removed: removed == 1,
        };
        if lsn > last || lsn == Lsn(0) || removed > 1 {
            return None;
        }
        if index.reserve((space, addr, identity), reserved).is_some() {
            return None;
        }
    }
    Some(())
}

/// Octets that have not been read yet.
pub(super) struct Rest<'a>(pub(super) &'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn octets(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// Seven bits an octet, the lowest first; the highest bit says that another follows.
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let [octet] = self.take()?;
            let bits = u64::from(octet & 0x7f);
            if bits << shift >> shift != bits {
                return None;
            }
            number |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}
