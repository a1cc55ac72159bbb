//! The lease store: durable before acknowledged, RFC 2131 §3.1 step 4.
//!
//! ```text
//!   worker ──► journal ring ──┐                      ┌──► Log: segments on a disk
//!   worker ──► journal ring ──┼──► Committer ──batch─┤
//!   worker ──► journal ring ──┘    one thread        └──► NullStore: nothing, for measuring
//!      ▲                               │
//!      └───── watermark of the ring ◄──┘ completion
//! ```
//!
//! A worker encodes its records into its [`ring`](mod@ring); the [`commit`] thread takes
//! what it finds in all rings, stamps each record with its [`Lsn`], hands the batch to an engine
//! behind [`Store`],
//! and publishes how far each ring is durable. Nothing here decides about leases.

pub mod alarm;
pub mod batch;
pub mod commit;
mod crc32c;
pub mod encode;
pub mod error;
mod fence;
pub mod log;
pub mod medium;
pub mod null;
mod readmit;
pub mod ring;
pub mod stats;
pub mod tap;

pub use alarm::{Trouble, TroubleKind, Watcher};
pub use batch::{Batch, Completion};
pub use commit::{ClockHold, CommitOptions, Committer, Jumped, NotDurable, Stopped};
pub use encode::Lsn;
pub use error::StoreError;
pub use log::{
    HouseView, Log, LogOptions, Recovered, Seen, Summary, TimeRecord, TornTail, read, verify,
};
pub use medium::FileMedium;
pub use null::NullStore;
pub use ring::{JournalRing, ring};
pub use stats::{Stats, StatsView};

use dhcp_proto::group::{GroupSet, Groups};
use std::io;
use std::path::PathBuf;

/// An engine that makes batches durable, in the order in which they are submitted.
///
/// It is asynchronous and may have several batches in flight. The committer submits as long as it
/// is ready, and asks for completions as often as it looks at its rings, all on one thread. An
/// engine that does not know what became of a batch submits it again itself: a record says all
/// there is to say, so that a repeat is harmless.
///
/// Several appliances may share an engine. Then each address belongs to a group, each group to one
/// appliance, and what another one writes about it is refused:
///
/// ```text
///   ours ── lost(), or a completion says Fenced ──► another's: all its records are refused
///     ▲                                                │
///     └────────────────── readmit() ◄──────────────────┘ the tables have been brought up to date
/// ```
pub trait Store: Send {
    /// The number for the first record of the first batch.
    fn next_lsn(&self) -> Lsn;

    /// How addresses are divided into groups; always the same answer.
    fn groups(&self) -> Groups {
        Groups::ONE
    }

    /// Whether another batch may be submitted now.
    fn ready(&self) -> bool;

    /// Takes a batch, to be asked for only while [`Store::ready`]. The engine tries until the
    /// batch is durable or refused; it never drops one.
    fn submit(&mut self, batch: Batch);

    /// The oldest batch that is done, in the order of submission. An engine in trouble tries
    /// again in here. Once a batch was fenced for a group, the records of that group in all later
    /// ones are refused too, until [`Store::readmit`].
    fn completed(&mut self) -> Option<Completion>;

    /// The groups that were found to be another's since this was asked last, other than by a
    /// refused batch: at the start those that are not this appliance's.
    fn lost(&mut self) -> GroupSet {
        GroupSet::EMPTY
    }

    /// From here on batches may have records of these groups again. All that was written about
    /// them before has been submitted and completed.
    fn readmit(&mut self, _groups: GroupSet) {}

    /// Why the oldest batch is not durable yet, while that is owed to a failure.
    fn trouble(&self) -> Option<&io::Error>;

    /// The file or directory that [`Store::trouble`] is about.
    fn place(&self) -> Option<PathBuf> {
        None
    }

    /// Marks a clean end, after the last completion.
    ///
    /// # Errors
    /// The mark could not be written; nothing that was durable is lost.
    fn close(&mut self) -> io::Result<()>;
}
