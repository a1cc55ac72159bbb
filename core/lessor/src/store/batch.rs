//! What one group commit makes durable: records of many rings, numbered without a gap.

use super::encode::{self, Lsn};
use dhcp_proto::group::GroupSet;
use dhcp_proto::record::Sequence;

/// Octets kept free before the records, for the header that an engine puts there.
pub const HEADROOM: usize = 64;

/// How far a batch reaches into one ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The ring, by the order in which the committer was given them.
    pub ring: usize,
    /// The last record of that ring in this batch.
    pub upto: Sequence,
}

/// Records on their way to an engine.
#[derive(Debug)]
pub struct Batch {
    octets: Vec<u8>,
    first: Lsn,
    count: u32,
    marks: Vec<Mark>,
}

impl Batch {
    /// An empty batch whose first record will be `first`.
    #[must_use]
    pub fn new(first: Lsn) -> Self {
        Self {
            octets: vec![0; HEADROOM],
            first,
            count: 0,
            marks: Vec::new(),
        }
    }

    /// A batch of records that have their numbers already.
    pub(crate) fn of_sealed(first: Lsn, count: u32, records: &[u8]) -> Self {
        let mut batch = Self::new(first);
        batch.octets.extend_from_slice(records);
        batch.count = count;
        batch
    }

    /// Empties the batch for its next use.
    pub fn reset(&mut self, first: Lsn) {
        self.octets.truncate(HEADROOM);
        self.first = first;
        self.count = 0;
        self.marks.clear();
    }

    /// Adds an encoded record that lies in two pieces, and gives it its number.
    pub fn push(&mut self, head: &[u8], tail: &[u8]) {
        let from = self.octets.len();
        self.octets.extend_from_slice(head);
        self.octets.extend_from_slice(tail);
        if let Some(record) = self.octets.get_mut(from..) {
            encode::seal(record, self.first.plus(self.count));
        }
        self.count += 1;
    }

    /// Adds a record that has its number already.
    pub(crate) fn push_sealed(&mut self, record: &[u8]) {
        self.octets.extend_from_slice(record);
        self.count += 1;
    }

    /// Notes how far the batch reaches into a ring.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.push(mark);
    }

    /// How far the batch reaches into each ring that it has records of.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// How many records it holds.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Number of its first record.
    #[must_use]
    pub fn first(&self) -> Lsn {
        self.first
    }

    /// Number behind its last record.
    #[must_use]
    pub fn next(&self) -> Lsn {
        self.first.plus(self.count)
    }

    /// The records, one behind the other.
    #[must_use]
    pub fn records(&self) -> &[u8] {
        self.octets.get(HEADROOM..).unwrap_or(&[])
    }

    /// The records behind [`HEADROOM`] octets for a header.
    pub(crate) fn frame(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }
}

/// A batch that is done.
#[derive(Debug)]
pub enum Completion {
    /// All its records are durable.
    Durable(Batch),
    /// The records of these groups were refused, because the groups are another appliance's now;
    /// the others are durable. The watermark passes over what was refused, and no reply leaves
    /// that states it.
    Fenced(Batch, GroupSet),
}

impl Completion {
    /// The batch, for its next use.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        match self {
            Self::Durable(batch) | Self::Fenced(batch, _) => batch,
        }
    }
}
