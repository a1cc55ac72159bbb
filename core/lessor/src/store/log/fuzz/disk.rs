//! The files of a store as octets: where things are in them, and checksums that fit again.

use crate::store::crc32c;
use crate::store::encode;

pub(in crate::store::log) const BLOCK: usize = 4096;
pub(in crate::store::log) const SNAPSHOT: &str = "snapshot";
const BATCH: &[u8] = b"LESSORBT";
const BATCH_HEAD: usize = 64;
const HEAD: usize = 128;

/// Writes the lowest octets of `value`, as many as `width` says, as far as there is room.
pub(in crate::store::log) fn put(octets: &mut [u8], (at, width): (usize, usize), value: u64) {
    let room = octets.get_mut(at..).unwrap_or_default();
    for (octet, new) in room.iter_mut().take(width).zip(value.to_le_bytes()) {
        *octet = new;
    }
}

/// The number of `width` octets at `at`, zero where there is none.
pub(in crate::store::log) fn number(octets: &[u8], (at, width): (usize, usize)) -> u64 {
    let mut value = [0; 8];
    let there = octets.get(at..).unwrap_or_default();
    for (to, from) in value.iter_mut().take(width).zip(there) {
        *to = *from;
    }
    u64::from_le_bytes(value)
}

/// Where batches begin in a segment.
pub(in crate::store::log) fn batches(octets: &[u8]) -> Vec<usize> {
    (BLOCK..octets.len())
        .step_by(BLOCK)
        .filter(|at| octets[*at..].starts_with(BATCH))
        .collect()
}

/// Where the records of the batch at `at` begin, and how long each is.
pub(in crate::store::log) fn records(octets: &[u8], at: usize) -> Vec<(usize, usize)> {
    let end = records_end(octets, at);
    let mut from = (at + BATCH_HEAD).min(end);
    let mut found = Vec::new();
    while let Some(length) = encode::length(&octets[from..end]).filter(|l| from + l <= end) {
        found.push((from, length));
        from += length;
    }
    found
}

fn records_end(octets: &[u8], at: usize) -> usize {
    let length = number(octets, (at + 36, 4));
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    (at + BATCH_HEAD).saturating_add(length).min(octets.len())
}

/// Where the chunks of a snapshot begin, and how long their content is.
pub(in crate::store::log) fn chunks(octets: &[u8]) -> Vec<(usize, usize)> {
    let mut at = HEAD;
    let mut found = Vec::new();
    while at + 12 <= octets.len() {
        let length = usize::try_from(number(octets, (at + 4, 4))).unwrap_or(usize::MAX);
        let length = length.min(octets.len() - at - 12);
        found.push((at, length));
        at += 12 + length;
    }
    found
}

/// Computes every checksum anew.
pub(in crate::store::log) fn mend(name: &str, octets: &mut [u8]) {
    if octets.len() >= HEAD {
        let checksum = crc32c::crc32c(&octets[..124]);
        put(octets, (124, 4), checksum.into());
    }
    if name == SNAPSHOT {
        for (at, length) in chunks(octets) {
            let content = &octets[at + 12..at + 12 + length];
            let checksum = crc32c::crc32c_of_both(&octets[at..at + 8], content);
            put(octets, (at + 8, 4), checksum.into());
        }
        return;
    }
    for at in batches(octets) {
        for (from, length) in records(octets, at) {
            let behind = from + length - 4;
            let checksum = crc32c::crc32c(&octets[from..behind]);
            put(octets, (behind, 4), checksum.into());
        }
        if at + BATCH_HEAD <= octets.len() {
            let records = &octets[at + BATCH_HEAD..records_end(octets, at)];
            let checksum = crc32c::crc32c(records);
            put(octets, (at + 56, 4), checksum.into());
            let checksum = crc32c::crc32c(&octets[at..at + 60]);
            put(octets, (at + 60, 4), checksum.into());
        }
    }
}
