//! The configuration in force, from control to the workers.
//!
//! ```text
//!   control                                              a worker, in housekeeping
//!   Publisher ── Change { new Arc, room, announce } ──► Subscription   goes over to it
//!             ◄── Left { old Arc, old memory } ────────                and gives the old one back
//! ```
//!
//! A worker never drops a configuration and never makes room for one: control does both. Between
//! two polls no packet is in a worker's hands, so that is where it goes over; packets that are
//! parked, waiting or in a ring outlive the change. For a moment workers may have different
//! configurations; address words are common to all, so none is given twice.

use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::{Duration, Instant};

use dhcp_proto::shard::{Room, Shard};
use rtrb::{Consumer, Producer, RingBuffer};

use super::exchange::Snapshot;

/// Changes that may wait at a worker.
const CHANGES: usize = 8;
/// How many more networks there is room for than there are, so that not each change needs memory.
const SLACK: u32 = 64;

/// What a worker gets.
#[derive(Debug)]
struct Change {
    snapshot: Arc<Snapshot>,
    room: Option<Room>,
    announce: bool,
}

/// What comes back.
#[derive(Debug)]
struct Left {
    _snapshot: Arc<Snapshot>,
    _room: Option<Room>,
}

/// A worker's side: the configuration that it has.
#[derive(Debug)]
pub struct Subscription {
    current: Arc<Snapshot>,
    changes: Consumer<Change>,
    left: Producer<Left>,
    regrouped: Arc<AtomicU64>, // worker: write, control: read
}

/// What a worker has to see to after it went over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// Whether addresses of the appliance are others than before.
    pub announce: bool,
}

impl Deref for Subscription {
    type Target = Snapshot;

    #[inline]
    fn deref(&self) -> &Snapshot {
        &self.current
    }
}

impl Subscription {
    /// Goes over to the next configuration, if there is one, and takes `shard` along; tells
    /// control how far the bindings are.
    #[inline]
    pub fn turn(&mut self, shard: &mut Shard) -> Option<Changed> {
        // Pairs with the look at it in `publish_as`: what was kept before is seen.
        self.regrouped.store(shard.regrouped(), Release);
        if self.changes.is_empty() || self.left.is_full() {
            return None;
        }
        self.go_over(shard)
    }

    #[cold]
    fn go_over(&mut self, shard: &mut Shard) -> Option<Changed> {
        let Change {
            snapshot,
            mut room,
            announce,
        } = self.changes.pop().ok()?;
        shard.on_reload(&snapshot.config, room.as_mut());
        let left = Left {
            _snapshot: core::mem::replace(&mut self.current, snapshot),
            _room: room,
        };
        // There is room: this side alone fills the ring.
        let _given_back = self.left.push(left).is_ok();
        Some(Changed { announce })
    }
}

/// Where the hints of a snapshot come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hinted {
    /// They are new.
    Anew,
    /// They are those of the snapshot before.
    AsBefore,
}

/// Why a configuration was not published; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a worker has not taken the changes before this one; it hangs")]
pub struct NotTaken;

/// Control's side: what is in force, and the way to the workers.
#[derive(Debug)]
pub struct Publisher {
    current: RwLock<Arc<Snapshot>>,
    line: Mutex<Line>,
}

#[derive(Debug)]
struct Line {
    workers: Vec<Outlet>,
    /// Keys of networks that the workers have room for.
    keys: u32,
    /// Whether hints have to be settled once all workers have left the older configurations.
    unsettled: bool,
}

#[derive(Debug)]
struct Outlet {
    changes: Producer<Change>,
    left: Consumer<Left>,
    regrouped: Arc<AtomicU64>,
    /// Changes that did not come back.
    out: usize,
}

impl Outlet {
    /// Drops what the worker has left.
    fn collect(&mut self) {
        while self.left.pop().is_ok() {
            self.out = self.out.saturating_sub(1);
        }
    }
}

impl Publisher {
    /// Begins with `snapshot`.
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        let keys = snapshot.config.keys();
        let line = Line {
            workers: Vec::new(),
            keys,
            unsettled: false,
        };
        Self {
            current: RwLock::new(Arc::new(snapshot)),
            line: Mutex::new(line),
        }
    }

    /// The side of one more worker, which has yet to begin.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let (changes, to) = RingBuffer::new(CHANGES);
        let (from, left) = RingBuffer::new(CHANGES);
        let mut line = self.line();
        let current = self.current();
        let regrouped = Arc::new(AtomicU64::new(current.config.regroup().number()));
        line.workers.push(Outlet {
            changes,
            left,
            regrouped: Arc::clone(&regrouped),
            out: 0,
        });
        Subscription {
            current,
            changes: to,
            left: from,
            regrouped,
        }
    }

    /// What is in force. Workers may be behind it for a moment.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Publishes what `make` makes of the configuration in force and of the number of the last
    /// regrouping that all workers are through with (for [`dhcp_proto::config::Config::succeed`]).
    /// One at a time, so that each succeeds the one before.
    ///
    /// # Errors
    ///
    /// What `make` says, or [`NotTaken`]; then nothing has changed.
    pub fn publish<E: From<NotTaken>>(
        &self,
        make: impl FnOnce(&Snapshot, u64) -> Result<Snapshot, E>,
    ) -> Result<Arc<Snapshot>, E> {
        self.publish_as(Hinted::Anew, make)
    }

    /// The same for a snapshot that has the networks of the one in force and their hints: what
    /// there is to settle in these the caller does.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`].
    pub fn amend<E: From<NotTaken>>(
        &self,
        make: impl FnOnce(&Snapshot) -> Result<Snapshot, E>,
    ) -> Result<Arc<Snapshot>, E> {
        self.publish_as(Hinted::AsBefore, |old, _| make(old))
    }

    fn publish_as<E: From<NotTaken>>(
        &self,
        hinted: Hinted,
        make: impl FnOnce(&Snapshot, u64) -> Result<Snapshot, E>,
    ) -> Result<Arc<Snapshot>, E> {
        let mut line = self.line();
        line.workers.iter_mut().for_each(Outlet::collect);
        let most = line.workers.iter().map(|worker| worker.out).max();
        if most.is_some_and(|out| out >= CHANGES) {
            return Err(NotTaken.into());
        }
        let old = self.current();
        let regrouped = line.workers.iter().map(|w| w.regrouped.load(Acquire));
        let done = regrouped.min().unwrap_or(u64::MAX);
        let new = Arc::new(make(&old, done)?);
        let announce = new.config.links() != old.config.links()
            || new.config.service_addresses() != old.config.service_addresses();
        line.send(&new, announce);
        line.unsettled |= hinted == Hinted::Anew;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::clone(&new);
        Ok(new)
    }

    /// Drops what workers have left; once all have the newest configuration its hints are settled.
    /// Whether that is so. To be called now and then, by control.
    pub fn tend(&self) -> bool {
        let mut line = match self.line.try_lock() {
            Ok(line) => line,
            Err(TryLockError::Poisoned(broken)) => broken.into_inner(),
            // Whoever publishes may take seconds, and who watches the store is not to wait for it.
            Err(TryLockError::WouldBlock) => return false,
        };
        line.workers.iter_mut().for_each(Outlet::collect);
        let all = line.workers.iter().all(|worker| worker.out == 0);
        if all && line.unsettled {
            settle(&self.current());
            line.unsettled = false;
        }
        all
    }

    /// Waits until all workers have the newest configuration and its hints are settled; whether
    /// they have, after `patience`.
    #[must_use]
    pub fn wait(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while !self.tend() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        true
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn send(&mut self, new: &Arc<Snapshot>, announce: bool) {
        let keys = new.config.keys();
        let grows = keys > self.keys;
        if grows {
            self.keys = keys.saturating_add(keys / 4).saturating_add(SLACK);
        }
        for worker in &mut self.workers {
            let change = Change {
                snapshot: Arc::clone(new),
                room: grows.then(|| Room::new(self.keys)),
                announce,
            };
            // There is room: fewer than it has places are out.
            worker.out += usize::from(worker.changes.push(change).is_ok());
        }
    }
}

/// Has every hint say what its word says: while workers ran on older configurations they hinted
/// there (`dhcp_proto::address::Hints`).
fn settle(snapshot: &Snapshot) {
    let config = &snapshot.config;
    for network in config.networks() {
        for pool in network.subnets.iter().flat_map(|subnet| &subnet.pools) {
            for index in 0..pool.len() {
                if let Some(cell) = config.cell(network.space, pool.addr(index)) {
                    pool.hints.settle(index, cell);
                }
            }
        }
    }
}
