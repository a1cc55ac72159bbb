//! An engine as one over a network will be: batches in flight, answers that come late or get lost,
//! groups that another appliance takes. The test decides when and what.

use dhcp_proto::group::{GroupSet, Groups};
use dhcp_proto::record::RecordKind;
use lessor::store::{Batch, Completion, Lsn, Store, encode};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Batches that may be in flight.
pub const IN_FLIGHT: usize = 3;
pub const GROUPS: Groups = Groups::new(3);

/// What the test sees and steers of the engine.
#[derive(Debug, Clone, Default)]
pub struct Cluster(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Groups that another appliance has.
    others: GroupSet,
    /// Groups of whose loss the engine tells without being asked for a record.
    told: GroupSet,
    /// Answers that may come.
    answers: usize,
    /// Of those, how many get lost on the way.
    lost_answers: usize,
    /// Whether a submission blocks, as the sync of a disk does.
    stuck: bool,
    in_flight: usize,
    /// Batches that were sent to the cluster once more.
    repeated: usize,
    /// Groups that came back.
    readmitted: GroupSet,
    /// What the cluster accepted: of each address the newest generation.
    accepted: BTreeMap<Ipv4Addr, u64>,
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    cluster: Cluster,
    flight: VecDeque<Batch>,
    next: Lsn,
    /// Groups whose token the cluster has refused.
    stale: GroupSet,
}

impl Cluster {
    pub fn engine(&self) -> Engine {
        Engine {
            cluster: self.clone(),
            flight: VecDeque::new(),
            next: Lsn(1),
            stale: GroupSet::EMPTY,
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// Lets `n` more answers come.
    pub fn answer(&self, n: usize) {
        self.with(|state| state.answers += n);
    }

    /// Lets `n` of the next answers get lost.
    pub fn lose_answers(&self, n: usize) {
        self.with(|state| state.lost_answers += n);
    }

    /// Another appliance takes a group.
    pub fn take(&self, group: u16) {
        self.with(|state| state.others = state.others.with(group));
    }

    /// Another appliance takes a group, and the engine hears of it.
    pub fn take_and_tell(&self, group: u16) {
        self.with(|state| {
            state.others = state.others.with(group);
            state.told = state.told.with(group);
        });
    }

    /// The group is nobody's any more.
    pub fn give_back(&self, group: u16) {
        self.with(|state| {
            state.others = state
                .others
                .iter()
                .filter(|other| *other != group)
                .collect();
        });
    }

    /// Lets submissions block, or go on.
    pub fn stick(&self, stuck: bool) {
        self.with(|state| state.stuck = stuck);
    }

    pub fn in_flight(&self) -> usize {
        self.with(|state| state.in_flight)
    }

    pub fn repeated(&self) -> usize {
        self.with(|state| state.repeated)
    }

    pub fn is_readmitted(&self, group: u16) -> bool {
        self.with(|state| state.readmitted.contains(group))
    }

    /// Whether the cluster has a record of the address.
    pub fn has(&self, addr: Ipv4Addr) -> bool {
        self.with(|state| state.accepted.contains_key(&addr))
    }
}

impl Engine {
    /// What the cluster does with a batch: the groups it refuses.
    fn write(&mut self, batch: &Batch) -> GroupSet {
        let mut refused = GroupSet::EMPTY;
        let cluster = self.cluster.clone();
        cluster.with(|state| {
            let mut rest = batch.records();
            while !rest.is_empty() {
                let (_, record, behind) = encode::decode(rest).unwrap();
                rest = behind;
                if record.kind == RecordKind::Time {
                    continue;
                }
                let group = GROUPS.of(record.space, record.addr);
                if self.stale.contains(group) || state.others.contains(group) {
                    refused = refused.with(group);
                } else {
                    state.accepted.insert(record.addr, record.generation);
                }
            }
        });
        self.stale = self.stale.iter().chain(refused.iter()).collect();
        refused
    }
}

impl Store for Engine {
    fn next_lsn(&self) -> Lsn {
        self.next
    }

    fn groups(&self) -> Groups {
        GROUPS
    }

    fn ready(&self) -> bool {
        self.flight.len() < IN_FLIGHT
    }

    fn submit(&mut self, mut batch: Batch) {
        assert!(self.ready(), "more in flight than there may be");
        assert_eq!(batch.first(), self.next, "numbered without a gap");
        self.next = batch.next();
        batch.seal();
        self.flight.push_back(batch);
        self.cluster.with(|state| state.in_flight += 1);
        while self.cluster.with(|state| state.stuck) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn completed(&mut self) -> Option<Completion> {
        let (may, lost) = self.cluster.with(|state| {
            let may = state.answers > 0 && !self.flight.is_empty();
            let lost = may && state.lost_answers > 0;
            state.answers -= usize::from(may);
            state.lost_answers -= usize::from(lost);
            state.repeated += usize::from(lost);
            (may, lost)
        });
        if !may {
            return None;
        }
        let batch = self.flight.pop_front()?;
        let refused = self.write(&batch);
        if lost {
            // Nobody knows whether it was written: once more, unchanged.
            self.flight.push_front(batch);
            return None;
        }
        self.cluster.with(|state| state.in_flight -= 1);
        Some(if refused.is_empty() {
            Completion::Durable(batch)
        } else {
            Completion::Fenced(batch, refused)
        })
    }

    fn lost(&mut self) -> GroupSet {
        let told = self.cluster.with(|state| core::mem::take(&mut state.told));
        self.stale = self.stale.iter().chain(told.iter()).collect();
        told
    }

    fn readmit(&mut self, groups: GroupSet) {
        let stays = |group: &u16| !groups.contains(*group);
        self.stale = self.stale.iter().filter(stays).collect();
        self.cluster.with(|state| {
            state.readmitted = state.readmitted.iter().chain(groups.iter()).collect();
        });
    }

    fn trouble(&self) -> Option<&io::Error> {
        None
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for what another thread does.
#[track_caller]
pub fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !so() {
        assert!(Instant::now() < until, "in vain: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}
