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

use super::chain::segment_files;
use super::frame::{self, FrameKind};
use super::house::{Closed, HouseView, Housekeeper, Order};
use super::open::LogOptions;
use super::recovery::Recovered;
use super::segment::{BLOCK_LEN, Predecessor, SegmentFile, SegmentHeader, SegmentId};
use super::shared::Shared;
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
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const FIRST_RETRY: Duration = Duration::from_millis(10);
const SLOWEST_RETRY: Duration = Duration::from_secs(1);
/// How long a full disk is no trouble yet, because the housekeeper may make room on it.
const ROOM_IS_MADE: Duration = Duration::from_secs(1);

/// The embedded engine, open for writing. It keeps every other process out.
pub struct Log<M: Medium = FileMedium> {
    medium: Arc<M>,
    _lock: M::Lock,
    options: LogOptions,
    /// The segment that takes the next batch; none after it failed.
    active: Option<Active<M::File>>,
    /// What the next segment follows.
    last: Option<Predecessor>,
    /// The segment that the next one follows, of which the housekeeper is told then.
    closing: Option<Closed>,
    next_id: SegmentId,
    /// The random number of the store.
    store: u64,
    next_lsn: Lsn,
    durable: Lsn,
    pending: Option<Pending>,
    done: Option<Batch>,
    shared: Arc<Shared>,
    orders: Option<Sender<Order>>,
    house: Option<JoinHandle<()>>,
}

/// What control asks about the upkeep of a log.
#[derive(Debug, Clone)]
pub struct HouseMeter(Arc<Shared>);

impl HouseMeter {
    /// What it says now.
    #[must_use]
    pub fn view(&self) -> HouseView {
        self.0.view()
    }
}

struct Active<F> {
    file: F,
    header: SegmentHeader,
    /// Where the next batch goes; all in front is durable.
    at: u64,
}

/// A batch that is not durable yet.
struct Pending {
    batch: Batch,
    error: io::Error,
    /// When it failed first.
    since: Instant,
    retry_at: Instant,
    pause: Duration,
}

impl Pending {
    fn is_for_space(&self) -> bool {
        is_full(&self.error)
    }
}

fn is_full(error: &io::Error) -> bool {
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded].contains(&error.kind())
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
        (next_id, store): (SegmentId, u64),
    ) -> Self {
        Self {
            medium,
            _lock: lock,
            options,
            active: None,
            last: None,
            closing: None,
            next_id,
            store,
            next_lsn: Lsn(1),
            durable: Lsn(0),
            pending: None,
            done: None,
            shared: Arc::new(Shared::default()),
            orders: None,
            house: None,
        }
    }

    /// Starts the housekeeper, which merges and writes snapshots from here on. `recovered` must
    /// have been handed out by then.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn keep_house(&mut self, recovered: Recovered<M>) -> io::Result<()> {
        let house = self.housekeeper(recovered);
        let named = thread::Builder::new().name("store-upkeep".to_owned());
        self.house = Some(named.spawn(move || house.run())?);
        Ok(())
    }

    /// The housekeeper, to be run by whoever takes it.
    pub(super) fn housekeeper(&mut self, mut recovered: Recovered<M>) -> Housekeeper<M> {
        let (orders, taken) = mpsc::channel();
        self.orders = Some(orders);
        Housekeeper::new(
            Arc::clone(&self.medium),
            self.options,
            (Arc::clone(&self.shared), taken),
            recovered.known(),
        )
    }

    /// Who reads what the housekeeper counts.
    #[must_use]
    pub fn house_meter(&self) -> HouseMeter {
        HouseMeter(Arc::clone(&self.shared))
    }

    /// Goes on behind `last`, with the number `next`.
    pub(super) fn resume(&mut self, last: Option<Predecessor>, next: Lsn) {
        self.last = last;
        self.next_lsn = next;
        self.durable = next.before();
    }

    pub(super) fn options(&self) -> LogOptions {
        self.options
    }

    /// The active segment and its length.
    pub(super) fn active(&self) -> Option<(SegmentHeader, u64)> {
        self.active
            .as_ref()
            .map(|active| (active.header, active.at))
    }

    /// Makes `batch` durable, in the active segment or in a new one.
    fn commit(&mut self, batch: &mut Batch) -> io::Result<()> {
        if self.shared.is_gone() {
            let what = "the directory is not where it was: removed, renamed or unmounted";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        let durable = batch.first().before();
        let rotate = self.shared.is_rotation_asked();
        if let Some(active) = self.active.as_mut().filter(|_| !rotate) {
            let frame = frame::finish(batch, active.header.salt, durable, FrameKind::Commit);
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
            self.closing = Some(active.as_closed(self.durable));
            tracing::error!(
                event = %Event::StoreSegmentAbandoned,
                file = %self.medium.dir().join(active.header.file().to_string()).display(),
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
        self.has_predecessor()?;
        let id = self.next_id;
        self.next_id += 1;
        let header = SegmentHeader {
            id,
            salt: random()?,
            created: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |now| now.as_secs()),
            first: batch.first(),
            durable: batch.first().before(),
            predecessor: self.last,
            store: self.store,
            merged: None,
        };
        match self.write_segment(header, batch) {
            Ok(active) => {
                self.last = Some(active.as_predecessor());
                let before = self.active.replace(active);
                let before = before.map(|before| before.as_closed(header.durable));
                let closed = before.or(self.closing.take());
                self.tell(closed.map(Order::Closed));
                self.shared.rotated();
                Ok(())
            }
            Err(error) => {
                // Either name may be there or not; both are void, since the next segment names
                // what this one named.
                let file = header.file();
                let _left = self.medium.unlink(&file.unfinished_name());
                let _left = self.medium.unlink(&file.to_string());
                if let Some(active) = self.active.take() {
                    self.closing = Some(active.as_closed(self.durable));
                }
                Err(error)
            }
        }
    }

    /// Without the segment that it names a new one would be worth nothing at the next start.
    fn has_predecessor(&self) -> io::Result<()> {
        let Some(before) = self.last else {
            return Ok(());
        };
        let files = segment_files(self.medium.as_ref()).map_err(io::Error::other)?;
        if files.iter().any(|file| file.id == before.id) {
            return Ok(());
        }
        let file = SegmentFile::plain(before.id);
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{file} is missing, which the next segment must follow; put it back"),
        ))
    }

    fn tell(&self, order: Option<Order>) {
        if let (Some(orders), Some(order)) = (&self.orders, order) {
            // A housekeeper that has ended has told why.
            let _told = orders.send(order);
        }
    }

    fn write_segment(
        &self,
        header: SegmentHeader,
        batch: &mut Batch,
    ) -> io::Result<Active<M::File>> {
        let name = header.file();
        let unfinished = name.unfinished_name();
        let file = self.medium.create(&unfinished)?;
        file.write_all_at(&header.to_octets(), 0)?;
        let mut at = BLOCK_LEN;
        if batch.count() > 0 {
            let frame = frame::finish(batch, header.salt, header.durable, FrameKind::Commit);
            file.write_all_at(frame.octets(), at)?;
            at += frame.octets().len() as u64;
        }
        file.sync()?;
        self.medium.rename(&unfinished, &name.to_string())?;
        self.medium.sync_dir()?;
        Ok(Active { file, header, at })
    }

    /// Tries to make a batch durable, and remembers it if that fails.
    fn attempt(&mut self, mut batch: Batch, since: Instant, pause: Duration) {
        self.shared.begin_commit();
        let committed = self.commit(&mut batch);
        self.shared.end_commit();
        match committed {
            Ok(()) => {
                self.shared.want_space(false);
                self.durable = batch.next().before();
                self.done = Some(batch);
            }
            Err(error) => {
                self.shared.want_space(is_full(&error));
                self.pending = Some(Pending {
                    batch,
                    error,
                    since,
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
            id: self.header.id,
            durable_len: self.at,
        }
    }

    fn as_closed(&self, last: Lsn) -> Closed {
        Closed {
            header: self.header,
            end: self.at,
            last,
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
        // Written to a file without a name: nothing of it would be there after a restart.
        if self.file.links().map_err(Failure::Sync)? == 0 {
            let what = "the file was removed from its directory";
            return Err(Failure::Sync(io::Error::new(io::ErrorKind::NotFound, what)));
        }
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
        self.attempt(batch, Instant::now(), FIRST_RETRY);
    }

    fn completed(&mut self) -> Option<Completion> {
        if let Some(pending) = self
            .pending
            .take_if(|pending| Instant::now() >= pending.retry_at)
        {
            self.attempt(pending.batch, pending.since, pending.pause);
        }
        self.done.take().map(Completion::Durable)
    }

    /// A full disk is one only after a while: near its limit merges make room all the time.
    fn trouble(&self) -> Option<&io::Error> {
        let pending = self.pending.as_ref()?;
        let may_be_cured = self.house.is_some() && pending.is_for_space();
        let waits = may_be_cured && pending.since.elapsed() < ROOM_IS_MADE;
        (!waits).then_some(&pending.error)
    }

    fn place(&self) -> Option<PathBuf> {
        let dir = self.medium.dir();
        let name = self
            .active
            .as_ref()
            .map(|active| active.header.file().to_string());
        Some(name.map_or_else(|| dir.to_owned(), |name| dir.join(name)))
    }

    /// A batch without records, so that damage to the last one is not taken for a torn tail.
    fn close(&mut self) -> io::Result<()> {
        let durable = self.durable;
        let Some(active) = self.active.as_mut().filter(|_| self.pending.is_none()) else {
            return Ok(());
        };
        let mut mark = Batch::new(self.next_lsn);
        let frame = frame::finish(&mut mark, active.header.salt, durable, FrameKind::Close);
        match active.append(frame.octets()) {
            Ok(()) => {
                let closed = active.as_closed(durable);
                self.active = None;
                self.tell(Some(Order::Stop(closed)));
                self.join();
                Ok(())
            }
            Err(Failure::Write(error) | Failure::Sync(error)) => {
                self.active = None;
                Err(error)
            }
        }
    }
}

impl<M: Medium> Log<M> {
    /// Waits for the housekeeper to end.
    fn join(&mut self) {
        self.orders = None;
        if let Some(house) = self.house.take()
            && house.join().is_err()
        {
            tracing::error!(event = %Event::StoreUpkeepFailed, "the housekeeper has panicked");
        }
    }
}

impl<M: Medium> Drop for Log<M> {
    fn drop(&mut self) {
        self.join();
    }
}

/// What tells a segment's batches from anything else, and a store from others. Never 0.
pub(super) fn random() -> io::Result<u64> {
    let mut octets = [0; 8];
    getrandom(&mut octets, GetRandomFlags::empty())?;
    Ok(u64::from_le_bytes(octets).max(1))
}

#[cfg(any(test, feature = "simulation"))]
impl<M: Medium> Log<M> {
    /// Lets the next [`Store::completed`] try again at once.
    pub fn retry_now(&mut self) {
        if let Some(pending) = &mut self.pending {
            pending.retry_at = Instant::now();
        }
    }
}
