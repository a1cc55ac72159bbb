//! Any order of submissions, answers, losses and returns: the store thread's rounds, one by one.

use super::*;
use crate::store::tap::{Outlet, tap};
use core::time::Duration;
use dhcp_proto::record::Sequence;
use proptest::prelude::*;

const GROUPS: Groups = Groups::new(3);
/// An address of each group.
const ADDRS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 2, 0, 1),
    Ipv4Addr::new(10, 0, 1, 1),
    Ipv4Addr::new(10, 0, 0, 1),
];
const RINGS: usize = 2;
const IN_FLIGHT: usize = 3;

/// An engine of which a step of the test says what happens next.
#[derive(Default)]
struct Scripted {
    flight: VecDeque<Batch>,
    /// Answers that may come.
    answers: usize,
    /// Groups that another appliance has.
    others: GroupSet,
    /// Groups whose records are refused from the next answer on.
    stale: GroupSet,
    told: GroupSet,
    /// What was accepted: address and generation.
    accepted: Vec<(Ipv4Addr, u64)>,
    trouble: Option<io::Error>,
}

fn both(one: GroupSet, other: GroupSet) -> GroupSet {
    one.iter().chain(other.iter()).collect()
}

impl Store for Scripted {
    fn next_lsn(&self) -> Lsn {
        Lsn(1)
    }

    fn groups(&self) -> Groups {
        GROUPS
    }

    fn ready(&self) -> bool {
        self.flight.len() < IN_FLIGHT
    }

    fn submit(&mut self, mut batch: Batch) {
        assert!(self.ready());
        batch.seal();
        self.flight.push_back(batch);
    }

    fn completed(&mut self) -> Option<Completion> {
        self.answers = self.answers.checked_sub(1)?;
        let batch = self.flight.pop_front()?;
        let mut refused = GroupSet::EMPTY;
        let closed = both(self.stale, self.others);
        let mut rest = batch.records();
        while !rest.is_empty() {
            let (_, record, behind) = encode::decode(rest).unwrap();
            rest = behind;
            let group = GROUPS.of(record.space, record.addr);
            if record.kind == RecordKind::Time {
            } else if closed.contains(group) {
                refused = refused.with(group);
            } else {
                self.accepted.push((record.addr, record.generation));
            }
        }
        self.stale = both(self.stale, refused);
        Some(if refused.is_empty() {
            Completion::Durable(batch)
        } else {
            Completion::Fenced(batch, refused)
        })
    }

    fn lost(&mut self) -> GroupSet {
        let told = core::mem::take(&mut self.told);
        self.stale = both(self.stale, told);
        told
    }

    fn readmit(&mut self, groups: GroupSet) {
        self.stale = self.stale.iter().filter(|g| !groups.contains(*g)).collect();
    }

    fn trouble(&self) -> Option<&io::Error> {
        self.trouble.as_ref()
    }

    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A reply that waits: its record, and what it states.
struct Waiting {
    sequence: Sequence,
    addr: Ipv4Addr,
    generation: u64,
}

/// A worker as far as its ring goes.
struct Server {
    ring: JournalRing,
    waiting: VecDeque<Waiting>,
    durable: Sequence,
}

impl Server {
    fn is_served(&self, addr: Ipv4Addr) -> bool {
        self.ring.fenced().is_none_or(|f| !f.contains(0, addr))
    }

    /// Writes about `addr`; a worker that has not `looked` may know nothing of a loss.
    fn write(&mut self, addr: Ipv4Addr, generation: u64, looked: bool) {
        if !self.ring.has_room() || (looked && !self.is_served(addr)) {
            return;
        }
        let mut record = record(addr.to_bits(), generation, &[1]);
        record.addr = addr;
        let sequence = self.ring.append(&record);
        self.waiting.push_back(Waiting {
            sequence,
            addr,
            generation,
        });
    }

    /// The replies that leave at this poll.
    fn poll(&mut self) -> Vec<Waiting> {
        let durable = self.ring.durable();
        assert!(durable >= self.durable, "a watermark only rises");
        self.durable = durable;
        let mut sent = Vec::new();
        while let Some(reply) = self.waiting.pop_front_if(|w| w.sequence <= durable) {
            if self.is_served(reply.addr) && !self.ring.refused(0, reply.addr, reply.sequence) {
                sent.push(reply);
            }
        }
        sent
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Write {
        ring: usize,
        addr: usize,
        looked: bool,
    },
    Poll(usize),
    Round,
    Answers(usize),
    Take {
        group: u16,
        told: bool,
    },
    Return(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let write = (0..RINGS, 0..ADDRS.len(), any::<bool>());
    prop_oneof![
        6 => write.prop_map(|(ring, addr, looked)| Step::Write { ring, addr, looked }),
        4 => (0..RINGS).prop_map(Step::Poll),
        6 => Just(Step::Round),
        4 => (1..3usize).prop_map(Step::Answers),
        1 => (0..3u16, any::<bool>()).prop_map(|(group, told)| Step::Take { group, told }),
        2 => (0..3u16).prop_map(Step::Return),
    ]
}

struct World {
    thread: Loop<Scripted>,
    servers: Vec<Server>,
    readmit: Sender<GroupSet>,
    generation: u64,
    outlet: Outlet,
    /// What a log of leases is told.
    told: Vec<(Ipv4Addr, u64)>,
}

impl World {
    fn new() -> Self {
        let (readmit, asked) = mpsc::channel();
        let (rings, drains): (Vec<_>, Vec<_>) = (0..RINGS).map(|_| ring(64)).unzip();
        let parts = Parts {
            engine: Scripted::default(),
            rings: drains,
            stats: Arc::default(),
            time: Arc::new(TimeNote::new(None, 0, Duration::ZERO)),
            asked,
        };
        let servers = rings.into_iter().map(|ring| Server {
            ring,
            waiting: VecDeque::new(),
            durable: 0,
        });
        let (tap, outlet) = tap(1 << 20, Arc::default());
        let options = CommitOptions {
            tap: Some(tap),
            ..options()
        };
        Self {
            outlet,
            told: Vec::new(),
            thread: Loop::new(parts, options),
            servers: servers.collect(),
            readmit,
            generation: 0,
        }
    }

    fn poll(&mut self, ring: usize) {
        let sent = self.servers[ring].poll();
        let engine = &self.thread.engine;
        for reply in sent {
            let stated = (reply.addr, reply.generation);
            assert!(engine.accepted.contains(&stated), "not durable: {stated:?}");
        }
    }

    /// A round of the store thread; what the engine refuses from here on no worker serves.
    fn round(&mut self) {
        self.thread.round(Instant::now());
        for group in self.thread.engine.stale.iter() {
            let addr = ADDRS[usize::from(group)];
            assert!(self.servers.iter().all(|server| !server.is_served(addr)));
        }
    }

    fn act(&mut self, step: Step) {
        let engine = &mut self.thread.engine;
        match step {
            Step::Write { ring, addr, looked } => {
                self.generation += 1;
                self.servers[ring].write(ADDRS[addr], self.generation, looked);
            }
            Step::Poll(ring) => self.poll(ring),
            Step::Round => self.round(),
            Step::Answers(n) => engine.answers += n,
            Step::Take { group, told } => {
                engine.others = engine.others.with(group);
                if told {
                    engine.told = engine.told.with(group);
                }
            }
            Step::Return(group) => {
                engine.others = engine.others.iter().filter(|g| *g != group).collect();
                self.readmit.send(GroupSet::EMPTY.with(group)).unwrap();
            }
        }
    }

    /// All that is under way comes to its end.
    fn settle(&mut self) {
        self.thread.engine.answers = 1000;
        while self.thread.round(Instant::now()) || self.thread.waiting() > 0 {}
        // Groups that were asked back when nothing was under way any more.
        self.thread.round(Instant::now());
        for ring in 0..RINGS {
            self.poll(ring);
        }
        let told = &mut self.told;
        self.outlet.take(1 << 20, |_, record| {
            if record.kind != RecordKind::Time {
                told.push((record.addr, record.generation));
            }
        });
    }
}

#[test]
fn each_address_of_the_test_is_of_a_group_of_its_own() {
    assert_eq!(ADDRS.map(|addr| GROUPS.of(0, addr)), [0, 1, 2]);
}

#[test]
fn a_new_reason_is_told_with_the_beginning_of_the_old_one() {
    let mut world = World::new();
    let reason = |world: &World| world.thread.stats.trouble().map(|trouble| trouble.reason);
    for text in ["no space", "no disk"] {
        world.thread.engine.trouble = Some(io::Error::other(text));
        world.thread.watch();
        thread::sleep(LOOK);
        world.thread.watch();
        assert_eq!(reason(&world).as_deref(), Some(text));
    }
    assert_eq!(world.thread.stats.view().troubles, 1);
    assert!(!world.servers[0].ring.has_room());
    world.thread.engine.trouble = None;
    world.thread.watch();
    assert_eq!(reason(&world), None);
    assert!(world.servers[0].ring.has_room());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_reply_leaves_that_was_refused_and_every_watermark_ends_at_the_last_record(
        steps in prop::collection::vec(step(), 1..200)
    ) {
        let mut world = World::new();
        for step in steps {
            world.act(step);
        }
        world.settle();
        for server in &world.servers {
            prop_assert_eq!(server.ring.durable(), server.ring.appended());
            prop_assert!(server.waiting.is_empty());
        }
        // What is nobody else's is served again, and is durable.
        for group in 0..3 {
            world.act(Step::Return(group));
        }
        world.settle();
        for ring in 0..RINGS {
            for addr in ADDRS {
                prop_assert!(world.servers[ring].is_served(addr));
                world.generation += 1;
                let generation = world.generation;
                world.servers[ring].write(addr, generation, true);
                world.settle();
                prop_assert!(world.thread.engine.accepted.contains(&(addr, generation)));
            }
        }
        // A log is told of what was accepted, and of nothing that was refused.
        prop_assert_eq!(&world.told, &world.thread.engine.accepted);
    }
}
