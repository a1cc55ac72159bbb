//! The housekeeper: a thread that indexes what was written, merges, and writes snapshots, beside
//! the store thread and without holding it up.
//!
//! ```text
//!   closed segment ─► index ─► too much dead? ─► merge, a slice a step ─► remove what it replaces
//!                       │
//!                       └────► much written since the last? ─► snapshot, a chunk a step
//! ```
//!
//! Its unit is the step, so that tests drive it without a thread.

use super::chain::Link;
use super::index::Index;
use super::merge::{self, Bounds, Element, Failed, Merge};
use super::open::LogOptions;
use super::reserve::Reserve;
use super::segment::{SegmentFile, SegmentHeader};
use super::shared::Shared;
use super::snapshot::{self, Chunks, HEAD, SNAPSHOT, SnapshotHeader};
use super::window::{SegmentReader, Unreadable};
use crate::event::Event;
use crate::store::encode::Lsn;
use crate::store::medium::{Medium, MediumFile};
use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How long the housekeeper waits for work before it looks around.
const LOOK: Duration = Duration::from_millis(100);
/// How long it waits after a failure.
const BACKOFF: Duration = Duration::from_secs(5);

/// What an operator may see of the log's upkeep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HouseView {
    /// Segments that take no more batches.
    pub segments: u64,
    /// Octets of them.
    pub octets: u64,
    /// Octets of the records in them that are the newest of their addresses.
    pub live_octets: u64,
    /// Addresses with a record.
    pub addresses: u64,
    /// Reservations with a record.
    pub reservations: u64,
    /// Merges since the start.
    pub merges: u64,
    /// Octets that merges have written since the start.
    pub merged_octets: u64,
    /// Octets that merges have freed since the start.
    pub freed_octets: u64,
    /// Octets that snapshots have taken since the start.
    pub snapshot_octets: u64,
    /// The snapshot knows all records up to this one; 0 if there is none.
    pub snapshot_lsn: u64,
    /// When it was written, Unix seconds.
    pub snapshot_time: u64,
    /// Octets held in reserve.
    pub reserve_octets: u64,
    /// How often a merge waited for commits.
    pub yields: u64,
    /// Why the last merge or snapshot failed, if none has succeeded since.
    pub trouble: Option<String>,
}

/// What the housekeeper is told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// A segment takes no more batches.
    Closed(Closed),
    /// The log ends in order, with this segment.
    Stop(Closed),
}

/// A segment that takes no more batches.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    pub(super) header: SegmentHeader,
    pub(super) end: u64,
    pub(super) last: Lsn,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Something; there may be more.
    Worked,
    /// Nothing, because commits are slow.
    Yielded,
    /// Nothing: there is nothing to do.
    Idle,
    /// The log has ended.
    Ended,
}

enum Task<M: Medium> {
    None,
    Merge(Box<Merge<M>>),
    Snapshot(Box<Snapshot<M>>),
}

struct Snapshot<M: Medium> {
    file: M::File,
    chunks: Chunks,
    chunk: Vec<u8>,
    header: SnapshotHeader,
    at: u64,
}

/// See the head of this file.
pub(super) struct Housekeeper<M: Medium> {
    medium: Arc<M>,
    options: LogOptions,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    index: Index,
    elements: Vec<Element>,
    /// Segments that are not in the index yet.
    closed: VecDeque<Closed>,
    task: Task<M>,
    reserve: Reserve,
    /// Replaced files, to be removed when the directory is synced.
    replaced: Vec<SegmentFile>,
    /// Not before then is a merge or a snapshot tried again.
    retry_at: Option<Instant>,
    /// Octets closed since the last snapshot.
    since_snapshot: u64,
    /// A segment is not in the index: a snapshot would not know its records.
    blind: bool,
    /// How the log ends.
    ending: Option<Ending>,
    view: HouseView,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Its writer was dropped.
    Abrupt,
    /// In order: a snapshot is written.
    Orderly,
    Done,
}

/// What a start has found.
pub(super) struct Known<'k, F> {
    pub(super) index: Index,
    pub(super) links: &'k [Link<F>],
    /// The last number in each of the links.
    pub(super) snapshot: Option<(Lsn, u64)>,
}

impl<M: Medium> Housekeeper<M> {
    pub(super) fn new(
        medium: Arc<M>,
        options: LogOptions,
        (shared, orders): (Arc<Shared>, Receiver<Order>),
        known: Known<'_, M::File>,
    ) -> Self {
        let Known {
            index,
            links,
            snapshot,
        } = known;
        let mut elements = Vec::new();
        // The last one is the writer's.
        for pair in links.windows(2) {
            let [link, next] = pair else { continue };
            elements.push(Element {
                header: link.header,
                end: link.end,
                last: link
                    .last_lsn(Some(next))
                    .unwrap_or(next.header.first.before()),
                live: 0,
                sick: false,
            });
        }
        index.each_live(|lsn, length| {
            if let Some(element) = holder(&mut elements, lsn) {
                element.live += u64::from(length);
            }
        });
        let (lsn, time) = snapshot.unwrap_or_default();
        let behind = elements.iter().filter(|element| element.last > lsn);
        let reserve = Reserve::find(medium.as_ref(), options.segment_octets);
        let mut house = Self {
            since_snapshot: behind.map(|element| element.end).sum(),
            medium,
            options,
            shared,
            orders,
            index,
            elements,
            closed: VecDeque::new(),
            task: Task::None,
            reserve,
            replaced: Vec::new(),
            retry_at: None,
            blind: false,
            ending: None,
            view: HouseView {
                snapshot_lsn: lsn.0,
                snapshot_time: time,
                ..HouseView::default()
            },
        };
        house.reserve.make(house.medium.as_ref());
        house.publish();
        house
    }

    /// Works until the log ends.
    pub(super) fn run(mut self) {
        loop {
            match self.step() {
                Step::Worked => {}
                Step::Yielded => std::thread::sleep(Shared::PAUSE),
                Step::Idle => self.wait(),
                Step::Ended => return,
            }
        }
    }

    fn wait(&mut self) {
        match self.orders.recv_timeout(LOOK) {
            Ok(order) => self.take(order),
            Err(RecvTimeoutError::Timeout) => self.look_around(),
            Err(RecvTimeoutError::Disconnected) => self.end(Ending::Abrupt),
        }
    }

    /// Sees whether the directory is where it was, and whether there is room for a reserve.
    pub(super) fn look_around(&mut self) {
        let gone = !self.medium.is_in_place();
        self.shared.set_gone(gone);
        if !gone && !self.shared.wants_space() {
            self.reserve.make(self.medium.as_ref());
        }
    }

    fn take(&mut self, order: Order) {
        match order {
            Order::Closed(closed) => self.closed.push_back(closed),
            Order::Stop(closed) => {
                self.closed.push_back(closed);
                self.end(Ending::Orderly);
            }
        }
    }

    fn end(&mut self, ending: Ending) {
        self.ending = Some(self.ending.unwrap_or(ending));
    }

    /// Does the next thing that is to be done.
    pub(super) fn step(&mut self) -> Step {
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.take(order),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.end(Ending::Abrupt);
                    break;
                }
            }
        }
        if let Some(ending) = self.ending {
            return self.finish(ending);
        }
        let step = self.advance();
        self.shared
            .set_busy(!matches!(self.task, Task::None) || step == Step::Worked);
        if step == Step::Worked {
            self.publish();
        }
        step
    }

    fn advance(&mut self) -> Step {
        self.remove_replaced();
        if !matches!(self.task, Task::None) && self.must_yield() {
            self.view.yields += 1;
            self.shared.forget_last();
            return Step::Yielded;
        }
        match core::mem::replace(&mut self.task, Task::None) {
            Task::Merge(merge) => self.merge(merge),
            Task::Snapshot(snapshot) => self.write_snapshot(snapshot),
            Task::None => return self.begin(),
        }
        Step::Worked
    }

    fn begin(&mut self) -> Step {
        if let Some(closed) = self.closed.pop_front() {
            self.index_closed(closed);
            return Step::Worked;
        }
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Step::Idle;
        }
        if self.is_over() || self.shared.wants_space() {
            let bounds = Bounds {
                segment: self.options.segment_octets,
                slice: self.options.slice_octets,
                room: if self.shared.wants_space() {
                    self.reserve.held()
                } else {
                    u64::MAX
                },
            };
            if let Some(range) = merge::choose(&self.elements, bounds) {
                return self.begin_merge(range);
            }
            if self.shared.wants_space() && !self.shared.is_rotation_asked() {
                self.make_way();
            }
        }
        if self.wants_snapshot() {
            return self.begin_snapshot();
        }
        Step::Idle
    }

    /// Nothing closed can give space: the active segment has to be closed, for which the writer
    /// needs a little of the reserve.
    fn make_way(&mut self) {
        if let Err(error) = self.reserve.lend(self.medium.as_ref(), 1) {
            self.fail(&error, "the reserve cannot be used");
            return;
        }
        self.shared.ask_rotation();
    }

    fn octets(&self) -> u64 {
        self.elements.iter().map(|element| element.end).sum()
    }

    fn live(&self) -> u64 {
        self.elements.iter().map(|element| element.live).sum()
    }

    /// What closed segments may take up: twice what is live, less what snapshots take.
    fn budget(&self) -> u64 {
        let live = self.live();
        (2 * live).saturating_sub(self.snapshot_length() * 2)
    }

    /// About what a snapshot takes up.
    fn snapshot_length(&self) -> u64 {
        (self.index.addresses() + self.index.reservations()) * 12
    }

    fn is_over(&self) -> bool {
        self.octets() > self.budget()
    }

    /// Whether commits are slow, and there is no hurry.
    fn must_yield(&self) -> bool {
        let urgent = self.octets() > self.budget() + 2 * self.options.segment_octets
            || self.shared.wants_space();
        !urgent && self.shared.is_slow()
    }

    fn index_closed(&mut self, closed: Closed) {
        let Closed { header, end, last } = closed;
        self.elements.push(Element {
            header,
            end,
            last,
            live: 0,
            sick: false,
        });
        self.since_snapshot += end;
        if let Err(error) = self.read_closed(header, end) {
            self.blind = true;
            if let Some(element) = self.elements.last_mut() {
                element.sick = true;
            }
            self.fail(&error, "a segment that was just written cannot be read");
        }
    }

    fn read_closed(&mut self, header: SegmentHeader, end: u64) -> Result<(), Unreadable> {
        let name = header.file();
        let file = self
            .medium
            .open(&name.to_string())
            .map_err(|source| Unreadable::Io {
                file: name,
                offset: 0,
                source,
            })?;
        let mut reader = SegmentReader::new(file, (name, header.salt), end);
        let (index, elements) = (&mut self.index, &mut self.elements);
        while reader.next(|found| {
            found.each(&mut |placed| {
                let dead = index.note(placed);
                if dead.is_some_and(|dead| dead.lsn == placed.lsn) {
                    return;
                }
                if let Some(dead) = dead
                    && let Some(element) = holder(elements, dead.lsn)
                {
                    // Less than that is there of a segment that could not be read.
                    element.live = element.live.saturating_sub(u64::from(dead.length));
                }
                if let Some(element) = elements.last_mut() {
                    element.live += placed.octets.len() as u64;
                }
            })
        })? {}
        Ok(())
    }

    fn begin_merge(&mut self, range: core::ops::Range<usize>) -> Step {
        let elements = self
            .elements
            .get(range.clone())
            .unwrap_or_default()
            .to_vec();
        let Some(target) = merge::target(&elements) else {
            return Step::Idle;
        };
        let medium = Arc::clone(&self.medium);
        let begun = self
            .reserve
            .take(medium.as_ref(), target.file())
            .and_then(|file| {
                let file = (file, self.options.slice_octets);
                Merge::begin(medium.as_ref(), &elements, range, file)
            });
        match begun {
            Ok(merge) => self.task = Task::Merge(Box::new(merge)),
            Err(error) => {
                let _left = medium.unlink(&target.file().unfinished_name());
                self.fail(&error, "segments cannot be merged");
            }
        }
        Step::Worked
    }

    fn merge(&mut self, mut merge: Box<Merge<M>>) {
        match merge.go_on(&self.index) {
            Ok(false) => self.task = Task::Merge(merge),
            Ok(true) => match merge.publish(self.medium.as_ref()) {
                Ok(element) => self.replace(&merge, element),
                Err(error) => self.give_up(&merge, &Failed::Write(error)),
            },
            Err(failed) => self.give_up(&merge, &failed),
        }
    }

    fn give_up(&mut self, merge: &Merge<M>, failed: &Failed) {
        let _left = self.medium.unlink(&merge.target().unfinished_name());
        if let Failed::Source(source) = failed {
            let file = match source {
                Unreadable::Io { file, .. } => *file,
                Unreadable::Damaged(fault) => fault.file,
            };
            for element in self.elements.iter_mut().filter(|e| e.file() == file) {
                element.sick = true;
            }
        }
        self.fail(failed, "segments cannot be merged");
        self.reserve.make(self.medium.as_ref());
    }

    /// The merged segment has its name: it takes the place of the others.
    fn replace(&mut self, merge: &Merge<M>, element: Element) {
        let range = merge.range.clone();
        let mut freed = 0;
        for old in self.elements.get(range.clone()).unwrap_or_default() {
            freed += old.end;
            if old.file() != element.file() {
                self.replaced.push(old.file());
            }
        }
        self.elements.splice(range, [element]);
        for (space, addr, identity) in &merge.forgotten {
            self.index.forget(*space, *addr, identity);
        }
        self.view.merges += 1;
        self.view.merged_octets += merge.written();
        self.view.freed_octets += freed.saturating_sub(element.end);
        self.view.trouble = None;
        tracing::debug!(
            event = %Event::StoreMerged,
            file = %element.file(),
            octets = element.end,
            freed = freed.saturating_sub(element.end),
            "segments are merged"
        );
        self.remove_replaced();
        self.reserve.make(self.medium.as_ref());
    }

    /// Removes what was replaced, once the names of what replaces it are durable.
    fn remove_replaced(&mut self) {
        if self.replaced.is_empty() {
            return;
        }
        if let Err(error) = self.medium.sync_dir() {
            self.fail(&error, "the directory cannot be synced");
            return;
        }
        for file in core::mem::take(&mut self.replaced) {
            let removed = self.medium.unlink(&file.to_string());
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                self.fail(&error, "a segment that is replaced cannot be removed");
            }
        }
        self.reserve.make(self.medium.as_ref());
    }

    fn covered(&self) -> Lsn {
        self.elements.last().map_or(Lsn(0), |element| element.last)
    }

    fn wants_snapshot(&self) -> bool {
        let much = (4 * self.options.segment_octets).max(self.live());
        self.since_snapshot > much && self.has_snapshot()
    }

    /// Whether there is a snapshot to be written, of what is known and no more: after a start the
    /// index knows the first batch of the active segment, and not what that has replaced.
    fn has_snapshot(&self) -> bool {
        let covered = self.covered();
        let (known, _) = self.index.marks().latest;
        !self.blind && covered.0 > self.view.snapshot_lsn && known <= covered
    }

    fn begin_snapshot(&mut self) -> Step {
        match self.new_snapshot() {
            Ok(Some(snapshot)) => {
                self.task = Task::Snapshot(Box::new(snapshot));
                Step::Worked
            }
            Ok(None) => Step::Idle,
            Err(error) => {
                self.fail(&error, "a snapshot cannot be written");
                Step::Worked
            }
        }
    }

    fn new_snapshot(&self) -> io::Result<Option<Snapshot<M>>> {
        let Some(newest) = self.elements.last() else {
            return Ok(None);
        };
        match self.medium.unlink(snapshot::UNFINISHED) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut marks = *self.index.marks();
        marks.latest = (newest.last, marks.latest.1);
        Ok(Some(Snapshot {
            file: self.medium.create(snapshot::UNFINISHED)?,
            chunks: Chunks::new(&self.index),
            chunk: Vec::new(),
            header: SnapshotHeader {
                store: newest.header.store,
                segment: (newest.header.id, newest.header.salt),
                lsn: newest.last,
                created: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |now| now.as_secs()),
                addresses: self.index.addresses(),
                reservations: self.index.reservations(),
                marks,
            },
            at: HEAD as u64,
        }))
    }

    fn write_snapshot(&mut self, mut snapshot: Box<Snapshot<M>>) {
        match snapshot.go_on(&self.index, self.medium.as_ref()) {
            Ok(false) => self.task = Task::Snapshot(snapshot),
            Ok(true) => {
                self.since_snapshot = 0;
                self.view.snapshot_lsn = snapshot.header.lsn.0;
                self.view.snapshot_time = snapshot.header.created;
                self.view.snapshot_octets += snapshot.at;
                self.view.trouble = None;
            }
            Err(error) => {
                let _left = self.medium.unlink(snapshot::UNFINISHED);
                self.fail(&error, "a snapshot cannot be written");
            }
        }
    }

    fn finish(&mut self, ending: Ending) -> Step {
        if let Task::Merge(merge) = core::mem::replace(&mut self.task, Task::None) {
            let _left = self.medium.unlink(&merge.target().unfinished_name());
        }
        self.remove_replaced();
        if ending == Ending::Orderly {
            self.ending = Some(Ending::Done);
            while let Some(closed) = self.closed.pop_front() {
                self.index_closed(closed);
            }
            if self.has_snapshot() {
                self.begin_snapshot();
                while let Task::Snapshot(snapshot) = core::mem::replace(&mut self.task, Task::None)
                {
                    self.write_snapshot(snapshot);
                }
            }
            self.publish();
        }
        Step::Ended
    }

    fn fail(&mut self, error: &dyn core::fmt::Display, what: &str) {
        let trouble = format!("{what}: {error}");
        if self.view.trouble.as_ref() != Some(&trouble) {
            tracing::error!(
                event = %Event::StoreUpkeepFailed,
                dir = %self.medium.dir().display(),
                %error,
                "{what}"
            );
        }
        self.view.trouble = Some(trouble);
        self.retry_at = Some(Instant::now() + BACKOFF);
    }

    fn publish(&mut self) {
        let view = HouseView {
            segments: self.elements.len() as u64,
            octets: self.octets(),
            live_octets: self.live(),
            addresses: self.index.addresses(),
            reservations: self.index.reservations(),
            reserve_octets: self.reserve.held(),
            ..self.view.clone()
        };
        self.shared.publish(view);
    }
}

impl<M: Medium> Snapshot<M> {
    /// Writes a chunk; true when the snapshot has its name.
    fn go_on(&mut self, index: &Index, medium: &M) -> io::Result<bool> {
        if self.chunks.next(index, &mut self.chunk) {
            self.file.write_all_at(&self.chunk, self.at)?;
            self.file.sync()?;
            self.at += self.chunk.len() as u64;
            return Ok(false);
        }
        self.file.write_all_at(&self.header.to_octets(), 0)?;
        self.file.sync()?;
        medium.rename(snapshot::UNFINISHED, SNAPSHOT)?;
        medium.sync_dir()?;
        Ok(true)
    }
}

/// The element that has the record `lsn`.
fn holder(elements: &mut [Element], lsn: Lsn) -> Option<&mut Element> {
    let behind = elements.partition_point(|element| element.header.first <= lsn);
    let element = elements.get_mut(behind.checked_sub(1)?)?;
    (lsn <= element.last).then_some(element)
}

#[cfg(test)]
impl<M: Medium> Housekeeper<M> {
    /// Lets what failed be tried again at once.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = None;
    }
}
