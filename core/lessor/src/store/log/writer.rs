//! The writing end of the log: one batch, one write, one sync.
//!
//! ```text
//!            write and sync fine
//!   Idle ◄──────────────────────── Pending ──┐ write failed: cut back, same place again
//!     └────────── submit ──────────► │  ▲ ◄──┘
//!                                    │  └───── new segment failed: another one, later
//!                                    ▼
//!                  sync failed or segment full: new segment
//! ```
//!
//! After a failed sync a file is never written or synced again: Linux forgets the pages it could
//! not write, and the next sync would succeed falsely. The batch goes to a new segment, whose
//! header says how much of the old one counts.

use super::frame::{self, FrameKind};
use super::open::LogOptions;
use super::segment::{self, BLOCK_LEN, Predecessor, SegmentHeader, SegmentId};
use crate::event::Event;
use crate::store::Store;
use crate::store::batch::{Batch, Completion};
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium, MediumFile};
use core::fmt;
use core::time::Duration;
use rustix::rand::{GetRandomFlags, getrandom};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const FIRST_RETRY: Duration = Duration::from_millis(10);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);

/// The embedded engine, open for writing. It keeps every other process out.
pub struct Log<M: Medium = FileMedium> {
    medium: Arc<M>,
    _lock: M::Lock,
    options: LogOptions,
    /// The segment that takes the next batch; none after it failed.
    active: Option<Active<M::File>>,
    /// What the next segment follows.
    last: Option<Predecessor>,
    next_id: SegmentId,
    next_lsn: Lsn,
    durable: Lsn,
    pending: Option<Pending>,
    done: Option<Batch>,
}

struct Active<F> {
    file: F,
    id: SegmentId,
    salt: u64,
    /// Where the next batch goes; all in front is durable.
    at: u64,
}

/// A batch that is not durable yet.
struct Pending {
    batch: Batch,
    error: io::Error,
    retry_at: Instant,
    pause: Duration,
}

/// What failed, and whether the file may be used again.
enum Failure {
    Write(io::Error),
    Sync(io::Error),
}

impl<M: Medium> fmt::Debug for Log<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("dir", &self.medium.dir())
            .field("durable", &self.durable)
            .field("trouble", &self.trouble())
            .finish_non_exhaustive()
    }
}

impl<M: Medium> Log<M> {
    pub(super) fn new(
        medium: Arc<M>,
        lock: M::Lock,
        options: LogOptions,
        next_id: SegmentId,
    ) -> Self {
        Self {
            medium,
            _lock: lock,
            options,
            active: None,
            last: None,
            next_id,
            next_lsn: Lsn(1),
            durable: Lsn(0),
            pending: None,
            done: None,
        }
    }

    /// Goes on behind `last`, with the number `next`.
    pub(super) fn resume(&mut self, last: Option<Predecessor>, next: Lsn) {
        self.last = last;
        self.next_lsn = next;
        self.durable = next.before();
    }

    /// Length of the active segment.
    pub(super) fn written(&self) -> u64 {
        self.active.as_ref().map_or(BLOCK_LEN, |active| active.at)
    }

    /// Makes `batch` durable, in the active segment or in a new one.
    fn commit(&mut self, batch: &mut Batch) -> io::Result<()> {
        let durable = batch.first().before();
        if let Some(active) = &mut self.active {
            let frame = frame::finish(batch, active.salt, durable, FrameKind::Commit);
            let end = active.at + frame.octets().len() as u64;
            if end <= self.options.segment_octets || active.at == BLOCK_LEN {
                match active.append(frame.octets()) {
                    Ok(()) => {
                        self.last = Some(active.as_predecessor());
                        return Ok(());
                    }
                    Err(Failure::Write(error)) => return Err(error),
                    Err(Failure::Sync(error)) => {
                        self.abandon(&error);
                    }
                }
            }
        }
        self.start_segment(batch)
    }

    fn abandon(&mut self, error: &io::Error) {
        if let Some(active) = self.active.take() {
            tracing::error!(
                event = %Event::StoreSegmentAbandoned,
                file = %self.medium.dir().join(segment::name(active.id)).display(),
                offset = active.at,
                %error,
                "the segment could not be synced; it is not written to again, and what was not \
                 durable goes to a new one"
            );
        }
    }

    /// Makes a new segment that begins with `batch`, and makes both durable. The file gets its
    /// name only when its content is, so a segment is never seen half made.
    pub(super) fn start_segment(&mut self, batch: &mut Batch) -> io::Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        let header = SegmentHeader {
            id,
            salt: salt()?,
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |now| now.as_secs()),
            first: batch.first(),
            durable: batch.first().before(),
            predecessor: self.last,
        };
        let result = self.write_segment(&header, batch);
        match result {
            Ok(active) => {
                self.last = Some(active.as_predecessor());
                self.active = Some(active);
                Ok(())
            }
            Err(error) => {
                // Either name may be there or not; both are void, since the next segment names
                // what this one named.
                let _left = self.medium.unlink(&segment::unfinished_name(id));
                let _left = self.medium.unlink(&segment::name(id));
                self.active = None;
                Err(error)
            }
        }
    }

    fn write_segment(
        &self,
        header: &SegmentHeader,
        batch: &mut Batch,
    ) -> io::Result<Active<M::File>> {
        let SegmentHeader { id, salt, .. } = *header;
        let unfinished = segment::unfinished_name(id);
        let file = self.medium.create(&unfinished)?;
        file.write_all_at(&header.to_octets(), 0)?;
        let mut at = BLOCK_LEN;
        if batch.count() > 0 {
            let frame = frame::finish(batch, salt, header.durable, FrameKind::Commit);
            file.write_all_at(frame.octets(), at)?;
            at += frame.octets().len() as u64;
        }
        file.sync()?;
        self.medium.rename(&unfinished, &segment::name(id))?;
        self.medium.sync_dir()?;
        Ok(Active { file, id, salt, at })
    }

    /// Tries to make a batch durable, and remembers it if that fails.
    fn attempt(&mut self, mut batch: Batch, pause: Duration) {
        match self.commit(&mut batch) {
            Ok(()) => {
                self.durable = batch.next().before();
                self.done = Some(batch);
            }
            Err(error) => {
                self.pending = Some(Pending {
                    batch,
                    error,
                    retry_at: Instant::now() + pause,
                    pause: (pause * 2).min(SLOWEST_RETRY),
                });
            }
        }
    }
}

impl<F: MediumFile> Active<F> {
    fn as_predecessor(&self) -> Predecessor {
        Predecessor {
            id: self.id,
            durable_len: self.at,
        }
    }

    fn append(&mut self, octets: &[u8]) -> Result<(), Failure> {
        if let Err(error) = self.file.write_all_at(octets, self.at) {
            // A part of it may be in the file. If it cannot be cut back, the file is not to be
            // trusted with the next try.
            return match self.file.truncate(self.at) {
                Ok(()) => Err(Failure::Write(error)),
                Err(_) => Err(Failure::Sync(error)),
            };
        }
        self.file.sync().map_err(Failure::Sync)?;
        self.at += octets.len() as u64;
        Ok(())
    }
}

impl<M: Medium> Store for Log<M> {
    fn next_lsn(&self) -> Lsn {
        self.next_lsn
    }

    fn ready(&self) -> bool {
        self.pending.is_none() && self.done.is_none()
    }

    fn submit(&mut self, batch: Batch) {
        self.next_lsn = batch.next();
        self.attempt(batch, FIRST_RETRY);
    }

    fn completed(&mut self) -> Option<Completion> {
        if let Some(pending) = self
            .pending
            .take_if(|pending| Instant::now() >= pending.retry_at)
        {
            self.attempt(pending.batch, pending.pause);
        }
        self.done.take().map(Completion::Durable)
    }

    fn trouble(&self) -> Option<&io::Error> {
        self.pending.as_ref().map(|pending| &pending.error)
    }

    fn place(&self) -> Option<PathBuf> {
        let dir = self.medium.dir();
        let name = self.active.as_ref().map(|active| segment::name(active.id));
        Some(name.map_or_else(|| dir.to_owned(), |name| dir.join(name)))
    }

    /// A batch without records, so that damage to the last one is not taken for a torn tail.
    fn close(&mut self) -> io::Result<()> {
        let durable = self.durable;
        let Some(active) = self.active.as_mut().filter(|_| self.pending.is_none()) else {
            return Ok(());
        };
        let mut mark = Batch::new(self.next_lsn);
        let frame = frame::finish(&mut mark, active.salt, durable, FrameKind::Close);
        match active.append(frame.octets()) {
            Ok(()) => Ok(()),
            Err(Failure::Write(error) | Failure::Sync(error)) => {
                self.active = None;
                Err(error)
            }
        }
    }
}

/// What tells a segment's batches from anything else.
fn salt() -> io::Result<u64> {
    let mut octets = [0; 8];
    getrandom(&mut octets, GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(octets))
}

#[cfg(test)]
impl<M: Medium> Log<M> {
    /// Lets the next [`Store::completed`] try again at once.
    pub(super) fn retry_now(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.retry_at = Instant::now();
        }
    }
}
