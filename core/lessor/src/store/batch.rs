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
    sealed: Sealed,
}

/// How much of a batch has its numbers.
#[derive(Debug, Clone, Copy)]
struct Sealed {
    octets: usize,
    count: u32,
}

impl Sealed {
    const NONE: Self = Self {
        octets: HEADROOM,
        count: 0,
    };
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
            sealed: Sealed::NONE,
        }
    }

    /// A batch of records that have their numbers already.
    pub(crate) fn of_sealed(first: Lsn, count: u32, records: &[u8]) -> Self {
        let mut batch = Self::new(first);
        batch.octets.extend_from_slice(records);
        batch.count = count;
        batch.pass_over();
        batch
    }

    /// Empties the batch for its next use.
    pub fn reset(&mut self, first: Lsn) {
        self.octets.truncate(HEADROOM);
        self.first = first;
        self.count = 0;
        self.marks.clear();
        self.sealed = Sealed::NONE;
    }

    /// Adds an encoded record that lies in two pieces; it gets its number from [`Batch::seal`].
    pub fn push(&mut self, head: &[u8], tail: &[u8]) {
        self.octets.extend_from_slice(head);
        if !tail.is_empty() {
            self.octets.extend_from_slice(tail);
        }
        self.count += 1;
    }

    /// Adds a record that has its number already.
    pub(crate) fn push_sealed(&mut self, record: &[u8]) {
        self.seal();
        self.octets.extend_from_slice(record);
        self.count += 1;
        self.pass_over();
    }

    /// Gives each record that was pushed its number and its checksum. An engine does that which
    /// keeps the octets, and does it once for all of them: a checksum over octets that have just
    /// been copied waits for the copy, and takes twice as long.
    pub fn seal(&mut self) {
        let Sealed { octets, count } = self.sealed;
        let mut lsn = self.first.plus(count);
        let mut rest = self.octets.get_mut(octets..).unwrap_or_default();
        while let Some(length) = encode::length(rest) {
            let Some((record, behind)) = core::mem::take(&mut rest).split_at_mut_checked(length)
            else {
                break;
            };
            encode::seal(record, lsn);
            lsn = lsn.plus(1);
            rest = behind;
        }
        self.pass_over();
    }

    /// All that is in the batch has its number.
    fn pass_over(&mut self) {
        self.sealed = Sealed {
            octets: self.octets.len(),
            count: self.count,
        };
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

    /// The records, one behind the other; their numbers are there after [`Batch::seal`].
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
