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

pub mod batch;
pub mod commit;
pub mod encode;
pub mod error;
pub mod log;
pub mod medium;
pub mod null;
pub mod ring;
pub mod stats;

pub use batch::{Batch, Completion};
pub use commit::{ClockHold, CommitOptions, Committer, NotDurable, Stopped};
pub use encode::Lsn;
pub use error::StoreError;
pub use log::{
    HouseView, Log, LogOptions, Recovered, Seen, Summary, TimeRecord, TornTail, read, verify,
};
pub use medium::FileMedium;
pub use null::NullStore;
pub use ring::{JournalRing, ring};
pub use stats::{Stats, StatsView};

use std::io;

/// An engine that makes batches durable, in the order in which they are submitted.
///
/// It is asynchronous so that an engine over a network can have several batches in flight; the
/// committer asks for completions as often as it looks at its rings.
pub trait Store: Send {
    /// The number for the first record of the first batch.
    fn next_lsn(&self) -> Lsn;

    /// Whether another batch may be submitted now.
    fn ready(&self) -> bool;

    /// Takes a batch, to be asked for only while [`Store::ready`]. The engine tries until the
    /// batch is durable; it never drops one.
    fn submit(&mut self, batch: Batch);

    /// The oldest batch that is done, in the order of submission. An engine in trouble tries
    /// again in here.
    fn completed(&mut self) -> Option<Completion>;

    /// Why the oldest batch is not durable yet, while that is owed to a failure.
    fn trouble(&self) -> Option<&io::Error>;

    /// Marks a clean end, after the last completion.
    ///
    /// # Errors
    /// The mark could not be written; nothing that was durable is lost.
    fn close(&mut self) -> io::Result<()>;
}
