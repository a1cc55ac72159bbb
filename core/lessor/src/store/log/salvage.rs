//! What can be had of a damaged segment: every record that is certainly one that was written
//! there.
//!
//! A client chooses some octets of its records, and may have put something into them that looks
//! like a record or a batch. So a batch header counts with the segment's salt alone, and behind
//! damage the records of a batch count only if they follow each other to its very end.

use super::frame::{FrameHeader, FrameKind};
use super::octets::{field, whole_blocks};
use super::segment::BLOCK;
use crate::store::batch::HEADROOM;
use crate::store::encode::{self, Lsn};
use std::collections::BTreeMap;
use std::ops::Range;

/// The records of a segment that are sound.
#[derive(Debug, Default)]
pub(super) struct Salvaged {
    /// By number, as they lay there.
    pub(super) records: BTreeMap<Lsn, Vec<u8>>,
    /// Where octets are that were records once, and are not any more.
    pub(super) lost: Vec<Range<usize>>,
    /// The highest number that a batch says it has.
    pub(super) last: Lsn,
}

/// Reads the segment in `octets`, whose batches have `salt`.
pub(super) fn salvage(octets: &[u8], salt: u64) -> Salvaged {
    let mut salvaged = Salvaged::default();
    let mut at = BLOCK;
    while at < octets.len() {
        let rest = octets.get(at..).unwrap_or_default();
        let Some(header) = FrameHeader::parse(rest, salt) else {
            at = salvaged.headless(octets, at, salt);
            continue;
        };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        let end = length.saturating_add(at + HEADROOM).min(octets.len());
        let last = match header.kind {
            FrameKind::Commit | FrameKind::Close => header.first.plus(header.count).before(),
            FrameKind::Merged => Lsn(u64::MAX),
        };
        if last != Lsn(u64::MAX) {
            salvaged.last = salvaged.last.max(last);
        }
        salvaged.records(octets, at + HEADROOM..end, (header.first, last));
        at = whole_blocks(end.max(at + 1));
    }
    salvaged
}

impl Salvaged {
    /// Takes the records between `at`, where a batch header is unreadable, and the next sound one;
    /// says where that is.
    fn headless(&mut self, octets: &[u8], at: usize, salt: u64) -> usize {
        let next = (at + BLOCK..octets.len()).step_by(BLOCK).find_map(|block| {
            let rest = octets.get(block..)?;
            FrameHeader::parse(rest, salt).map(|header| (block, header.first))
        });
        // Without one there is no telling where the records end.
        let Some((end, first)) = next else {
            self.lost.push(at..octets.len());
            return octets.len();
        };
        let due = self.records.last_key_value();
        let due = due.map_or(Lsn(1), |(lsn, _)| lsn.plus(1));
        let padding = octets.get(at..end).unwrap_or_default();
        let used = padding.iter().rposition(|octet| *octet != 0);
        // The checksum of the last record may end in zeros.
        let used = at + used.map_or(0, |last| last + 1);
        let found = (used..used + 4)
            .find_map(|end| chained(octets, at + HEADROOM..end, (due, first.before())));
        match found {
            Some(records) => self.records.extend(records),
            None => self.lost.push(at..end),
        }
        end
    }

    /// Takes the records of a batch at `place`, numbered within `bounds`.
    fn records(&mut self, octets: &[u8], place: Range<usize>, (first, last): (Lsn, Lsn)) {
        let mut at = place.start;
        let mut due = first;
        while at < place.end {
            let rest = octets.get(at..place.end).unwrap_or_default();
            match encode::decode(rest) {
                Ok((lsn, _, behind)) if lsn >= due && lsn <= last => {
                    let length = rest.len() - behind.len();
                    let record = rest.get(..length).unwrap_or_default().to_vec();
                    self.records.insert(lsn, record);
                    due = lsn.plus(1);
                    at += length;
                }
                Ok(_) | Err(_) => {
                    let resumed = (at + 1..place.end).find_map(|from| {
                        let chain = chained(octets, from..place.end, (due.plus(1), last))?;
                        Some((from, chain))
                    });
                    let (from, records) = resumed.unwrap_or((place.end, Vec::new()));
                    self.lost.push(at..from);
                    self.records.extend(records);
                    return;
                }
            }
        }
    }
}

/// The records at `place`, if there is nothing else from its first octet to its last.
fn chained(
    octets: &[u8],
    place: Range<usize>,
    (first, last): (Lsn, Lsn),
) -> Option<Vec<(Lsn, Vec<u8>)>> {
    let mut rest = octets.get(place)?;
    let mut records = Vec::new();
    let mut due = first;
    while !rest.is_empty() {
        let (lsn, _, behind) = encode::decode(rest).ok()?;
        if lsn < due || lsn > last {
            return None;
        }
        let record = rest.get(..rest.len() - behind.len())?;
        records.push((lsn, record.to_vec()));
        due = lsn.plus(1);
        rest = behind;
    }
    (!records.is_empty()).then_some(records)
}

/// The salt of a segment whose first block is unreadable: that of most of its batches.
pub(super) fn likely_salt(octets: &[u8]) -> Option<u64> {
    let mut votes: BTreeMap<u64, usize> = BTreeMap::new();
    for block in octets.chunks(BLOCK).skip(1) {
        let salt = u64::from_le_bytes(field(block, 8));
        if FrameHeader::parse(block, salt).is_some() {
            *votes.entry(salt).or_default() += 1;
        }
    }
    votes
        .into_iter()
        .max_by_key(|(_, votes)| *votes)
        .map(|(salt, _)| salt)
}
