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

mod indexing;
mod merging;
mod snapshotting;
mod view;

pub use view::HouseView;

use indexing::holder;
use snapshotting::Snapshot;

use super::chain::Link;
use super::index::Index;
use super::merge::{self, Bounds, Element, Merge};
use super::open::LogOptions;
use super::reserve::Reserve;
use super::segment::{SegmentFile, SegmentHeader};
use super::shared::Shared;
use crate::event::Event;
use crate::store::encode::Lsn;
use crate::store::medium::Medium;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Instant;

/// How long the housekeeper waits for work before it looks around.
const LOOK: Duration = Duration::from_millis(100);
/// How long it waits after a failure.
const BACKOFF: Duration = Duration::from_secs(5);

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
    /// Nothing has been done yet.
    fresh: bool,
    /// The last thing that was done is that a segment was indexed.
    has_indexed: bool,
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
    /// The number up to which the snapshot knows all records, and when it was written.
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
        let (lsn, time) = snapshot.unwrap_or_default();
        let behind = elements.iter().filter(|element| element.last > lsn);
        let reserve = Reserve::find(medium.as_ref(), options.segment_octets);
        Self {
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
            fresh: true,
            has_indexed: false,
            ending: None,
            view: HouseView {
                snapshot_lsn: lsn.0,
                snapshot_time: time,
                ..HouseView::default()
            },
        }
    }

    /// Adds up what lives in each segment, and makes the reserve: in the first step, since a start
    /// need not wait for it.
    fn begin_work(&mut self) {
        let elements = &mut self.elements;
        self.index.each_live(|lsn, length| {
            if let Some(element) = holder(elements, lsn) {
                element.live += u64::from(length);
            }
        });
        self.reserve.make(self.medium.as_ref());
        self.publish();
    }

    /// Works until the log ends.
    pub(super) fn run(mut self) {
        let mut looked = Instant::now();
        loop {
            // Long merges and many closed segments are no reason not to see what has happened.
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look_around();
            }
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
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.end(Ending::Abrupt),
        }
    }

    /// Sees whether the directory is where it was, and whether there is room for a reserve.
    pub(super) fn look_around(&mut self) {
        let gone = !self.medium.is_in_place();
        self.shared.set_gone(gone);
        if !gone && !self.shared.wants_space() {
            self.reserve.look_after(self.medium.as_ref());
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
        if core::mem::take(&mut self.fresh) {
            self.begin_work();
        }
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
        // In turns with merges, or a writer at full speed would leave no time for these.
        let merge_first = core::mem::take(&mut self.has_indexed) && self.is_over();
        if !merge_first && let Some(closed) = self.closed.pop_front() {
            self.index_closed(closed);
            self.has_indexed = true;
            return Step::Worked;
        }
        let rest = if self.closed.is_empty() {
            Step::Idle
        } else {
            Step::Worked
        };
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return rest;
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
        rest
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

#[cfg(any(test, feature = "simulation"))]
impl<M: Medium> Housekeeper<M> {
    /// Lets what failed be tried again at once.
    pub(super) fn retry_now(&mut self) {
        self.retry_at = None;
    }
}
