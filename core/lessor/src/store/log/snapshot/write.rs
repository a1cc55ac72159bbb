//! An index into chunks of a snapshot.

use super::super::index::{BlockKey, Index};
use super::super::octets::put;
use super::read::checksum;
use super::{CHUNK_HEAD, FULL_CHUNK};

/// Where the writing of an index has come to.
#[derive(Debug)]
enum Place {
    Addresses(usize),
    Reservations(usize),
    End,
    Done,
}

/// An index on its way into chunks.
#[derive(Debug)]
pub(in super::super) struct Chunks {
    keys: Vec<BlockKey>,
    place: Place,
}

impl Chunks {
    pub(in super::super) fn new(index: &Index) -> Self {
        Self {
            keys: index.keys(),
            place: Place::Addresses(0),
        }
    }

    /// The next chunk into `out`; false when there are no more.
    pub(in super::super) fn next(&mut self, index: &Index, out: &mut Vec<u8>) -> bool {
        out.clear();
        out.resize(CHUNK_HEAD, 0);
        let kind = match self.place {
            Place::Addresses(from) => {
                self.place = self.addresses(index, from, out);
                1
            }
            Place::Reservations(from) => {
                self.place = reservations_from(index, from, out);
                2
            }
            Place::End => {
                self.place = Place::Done;
                3
            }
            Place::Done => return false,
        };
        let length = u32::try_from(out.len() - CHUNK_HEAD).unwrap_or(u32::MAX);
        put(out, 0, [kind, 0, 0, 0]);
        put(out, 4, length.to_le_bytes());
        let mut head = [0; CHUNK_HEAD];
        head.copy_from_slice(out.get(..CHUNK_HEAD).unwrap_or(&[0; CHUNK_HEAD]));
        let checksum = checksum(&head, out.get(CHUNK_HEAD..).unwrap_or_default());
        put(out, 8, checksum.to_le_bytes());
        true
    }

    fn addresses(&self, index: &Index, from: usize, out: &mut Vec<u8>) -> Place {
        for (i, key) in self.keys.iter().enumerate().skip(from) {
            if out.len() >= FULL_CHUNK {
                return Place::Addresses(i);
            }
            // A block that is full counts 0.
            let [count, ..] = index.block(*key).count().to_le_bytes();
            out.extend_from_slice(&key.0.to_le_bytes());
            out.extend_from_slice(&key.1.to_le_bytes());
            out.push(count);
            for (low, entry) in index.block(*key) {
                out.push(low);
                number(out, entry.generation());
                number(out, entry.lsn.0);
                number(out, u64::from(entry.length()));
            }
        }
        Place::Reservations(0)
    }
}

fn reservations_from(index: &Index, from: usize, out: &mut Vec<u8>) -> Place {
    for (i, ((space, addr, identity), reserved)) in index.each_reservation().enumerate().skip(from)
    {
        if out.len() >= FULL_CHUNK {
            return Place::Reservations(i);
        }
        out.extend_from_slice(&space.to_le_bytes());
        out.extend_from_slice(&addr.to_le_bytes());
        let length = u16::try_from(identity.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(identity);
        out.push(u8::from(reserved.removed));
        number(out, reserved.lsn.0);
        number(out, u64::from(reserved.length));
    }
    Place::End
}

pub(super) fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}
