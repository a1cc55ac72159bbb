//! The embedded engine: an append-only log in segments, and an index of it.
//!
//! ```text
//!   directory            segment-0000000007.log
//!   ├ lock, format       ┌──────────┬─────────────────┬──────────┬─────────┬─ ─ ─
//!   ├ snapshot, reserve  │ header   │ batch           │ batch    │ batch   │
//!   ├ merged-….log       │ 4 KiB    │ header, records │          │         │
//!   └ segment-….log      └──────────┴─────────────────┴──────────┴─────────┴─ ─ ─
//!                        0          4096, each batch on a block border
//!
//!   store thread     writer ──── closed segments ────► housekeeper     a thread of its own
//!                    one batch, one write, one sync    indexes, merges, writes the snapshot
//! ```
//!
//! The next batch is written when the one before is durable. So only the last batch of the newest
//! segment can be torn: damage there is cut and reported, damage anywhere else is refused.
//!
//! Neighbouring segments are merged into one that takes their place, with the newest records of
//! their addresses alone. So the log stays in the order of its numbers, and a record is known by
//! its number wherever it lies. `docs/store-format.md` has every octet and every rule.
//!
//! ```text
//!   octets, on disk     segment · frame · snapshot        what a file says
//!   which files count   chain                             how segments follow each other
//!   reading             scan · reader · window            one segment; many at once; in pieces
//!   starting            open ─► first ─► recovery · live  lock, first pass, newest records
//!   running             writer ─► shared ◄─ house         store thread; upkeep: index, merge, reserve
//!   without the lock    look · verify                     beside a running server
//!   after damage        repair · salvage
//! ```

mod chain;
mod first;
mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod house;
mod index;
mod live;
mod look;
mod merge;
mod octets;
mod open;
mod reader;
mod recovery;
mod repair;
mod reserve;
mod salvage;
mod scan;
mod segment;
mod shared;
#[cfg(feature = "simulation")]
pub mod simulated;
mod snapshot;
mod verify;
mod window;
mod writer;

pub use house::HouseView;
pub use look::read;
pub use open::LogOptions;
pub use reader::Seen;
pub use recovery::{Recovered, Summary, TimeRecord, TornTail};
pub use repair::{Plan, Replacement, plan, repair};
pub use segment::SegmentFile;
pub use verify::{Report, SnapshotState, verify};
pub use writer::{HouseMeter, Log};

use super::StoreError;
use super::encode::Odd;
use std::path::Path;

/// Something in a segment that should not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{file} at offset {offset}: {what}")]
pub struct Fault {
    /// The file.
    pub file: SegmentFile,
    /// Offset in its file.
    pub offset: u64,
    /// What is wrong there.
    pub what: What,
}

/// What is wrong with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum What {
    /// The first block is not that of a segment, or has a wrong checksum.
    #[error("segment header is unreadable")]
    SegmentHeader,
    /// The segment says that it has another format than the directory.
    #[error("segment has another format version")]
    Version,
    /// The segment says that it is another one.
    #[error("segment header belongs to another file")]
    Misplaced,
    /// The segment is of another store than the others.
    #[error("segment belongs to another store")]
    Foreign,
    /// A segment that this one follows is not there.
    #[error("segment {0}, which this one follows, is missing")]
    Missing(u64),
    /// The file ends before what it must hold.
    #[error("file is shorter than what was acknowledged from it")]
    Short,
    /// The file is longer than any segment.
    #[error("file is longer than any segment")]
    Long,
    /// No sound batch header where one must be.
    #[error("batch header is unreadable")]
    BatchHeader,
    /// The records of a batch do not fit their checksum.
    #[error("batch has a wrong checksum or is cut short")]
    Batch,
    /// A batch holds more than the records it counts.
    #[error("batch holds more than its records")]
    Count,
    /// A record in a sound batch is not one.
    #[error("{0}")]
    Record(#[from] Odd),
    /// A record has not the number that it must have here.
    #[error("log sequence number is not the one due here")]
    Sequence,
}

impl Fault {
    fn at(file: SegmentFile, offset: u64, what: What) -> Self {
        Self { file, offset, what }
    }

    /// The name of the file it is in.
    #[must_use]
    pub fn file_name(&self) -> String {
        self.file.to_string()
    }

    fn refuse(self, dir: &Path) -> StoreError {
        StoreError::Damaged {
            file: dir.join(self.file_name()),
            offset: self.offset,
            what: self.what.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
