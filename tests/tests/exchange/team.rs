//! Several workers of the product on one device in memory, each with its shard, polled by one
//! thread in an order that a seed decides.

use crate::frames::Client;
use crate::rig::{self, KEY, MAX_PARKED, MAX_PROBES, Sent, device};
use dhcp_proto::address::{AddressState, Space, Word};
use dhcp_proto::config::Spec;
use dhcp_proto::identity::shard_of;
use dhcp_proto::limit::Limits;
use dhcp_proto::time::Instant;
use lessor::dataplane::counters::{Counters, Group, Snapshot as Counted};
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::handover;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port_mem::{MemFrame, MemPort, MemWire};
use lessor::dataplane::ports::Ports;
use lessor::dataplane::probes::Probes;
use lessor::dataplane::subscription::{NotTaken, Publisher};
use lessor::dataplane::trace::{About, Entry as Decision, Inquest, trace};
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::ring::{Drain, Halt, JournalRing, ring};
use lessor::store::{Batch, Lsn};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// The generator `SplitMix64`.
#[derive(Debug, Clone, Copy)]
pub struct Dice(pub u64);

impl Dice {
    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }
}

/// How many there are of each.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub workers: u8,
    /// Queues of the device.
    pub queues: usize,
    /// Places of each ring from worker to worker.
    pub places: usize,
    /// Packets of the device.
    pub packets: usize,
    /// Replies that each worker may park.
    pub parked: usize,
    /// Share of each table that offers to strangers may fill, in 1/1000.
    pub offers: u16,
}

impl Size {
    pub fn of(workers: u8) -> Self {
        Self {
            workers,
            queues: workers.into(),
            places: 64,
            packets: 512,
            parked: MAX_PARKED,
            offers: 250,
        }
    }
}

/// One of the workers and what the test has of it.
struct Member {
    worker: Worker<MemPort, JournalRing>,
    drain: Drain,
    taken: u64,
    counters: Arc<Counters>,
    gauges: Arc<Gauges>,
    _inquiry: Inquiry,
    inquest: Inquest,
}

pub struct Team {
    members: Vec<Member>,
    pub wire: MemWire,
    pub size: Size,
    pub dice: Dice,
    pub now: Instant,
    /// Control's side of the configuration.
    pub publisher: Arc<Publisher>,
}

impl Team {
    pub fn new(size: Size, spec: Spec) -> Self {
        let publisher = Arc::new(Publisher::new(rig::snapshot(spec)));
        let snapshot = publisher.current();
        let workers = usize::from(size.workers);
        let (ports, wire) = MemPort::of_queues(device(size.packets), workers, size.queues);
        let mut ports: Vec<_> = ports.into_iter().map(|port| Ports::new([port])).collect();
        Ports::share(&mut ports, 0, size.queues);
        let mesh = handover::mesh(workers, size.places);
        let neighbors = Arc::new(Neighbors::new(64, 1));
        let now = Instant(1_000_000_000);
        let limits = Arc::new(Limits::new(2048, now));
        let member = |(me, (ports, peers))| {
            let (journal, drain) = ring(1024);
            let (notices, _) = rtrb::RingBuffer::new(64);
            let (desk, inquiry) = desk();
            let (trace, inquest) = trace(rig::places());
            let mut shard = rig::shard(&snapshot.config, me, size.workers.into());
            shard.set_max_offers(size.offers);
            let (counters, gauges) = (Arc::new(Counters::new()), Arc::new(Gauges::default()));
            let worker = Worker::new(Parts {
                ports,
                peers,
                // None of them is the first, which announces addresses.
                host: Host::new(Arc::clone(&neighbors), usize::from(me) + 1, workers + 1),
                shard,
                journal,
                parked: ParkedReplies::new(size.parked, Duration::from_secs(2)),
                snapshot: publisher.subscribe(),
                probes: Probes::new(MAX_PROBES),
                limits: Arc::clone(&limits),
                counters: Arc::clone(&counters),
                gauges: Arc::clone(&gauges),
                notices,
                desk,
                trace,
            });
            Member {
                worker,
                drain,
                taken: 0,
                counters,
                gauges,
                _inquiry: inquiry,
                inquest,
            }
        };
        let members = (0..size.workers).zip(ports.into_iter().zip(mesh));
        Self {
            members: members.map(member).collect(),
            wire,
            size,
            dice: Dice(1),
            now,
            publisher,
        }
    }

    /// The worker that owns a client of this identity.
    pub fn owner(&self, identity: &[u8]) -> usize {
        usize::from(shard_of(KEY.hash(identity), self.size.workers.into()))
    }

    /// The worker that owns a client without option 61.
    pub fn owner_of(&self, client: &Client) -> usize {
        let mut identity = vec![2, 1];
        identity.extend_from_slice(&client.mac.0);
        self.owner(&identity)
    }

    /// Publishes a configuration; each worker takes it in its next housekeeping.
    pub fn publish(&self, spec: Spec) {
        let published = self
            .publisher
            .publish::<NotTaken>(|previous, done| Ok(rig::successor(spec, previous, done)));
        published.unwrap();
    }

    /// What one worker knows of the decisions about a client, the newest first.
    pub fn why(&mut self, worker: usize, about: &About) -> Vec<Decision> {
        let (member, now) = (&mut self.members[worker], self.now);
        let (worker, inquest) = (&mut member.worker, &mut member.inquest);
        let ask = || inquest.ask(about, 1000).unwrap();
        rig::asked(ask, || worker.housekeep(now))
    }

    /// Lets one worker do its housekeeping.
    pub fn housekeep_of(&mut self, worker: usize) {
        self.members[worker].worker.housekeep(self.now);
    }

    /// Puts a frame into a queue of the device.
    pub fn give(&self, queue: usize, frame: &[u8]) {
        let frame = MemFrame::from(frame);
        assert!(self.wire.deliver_to(queue, &frame), "no packet is left");
    }

    /// Lets one worker poll.
    pub fn poll(&mut self, worker: usize) {
        self.members[worker].worker.poll(self.now);
    }

    /// Lets all poll until what was given is answered, in any order.
    pub fn settle(&mut self) {
        let workers = self.members.len();
        for _ in 0..4 {
            let mut order: Vec<usize> = (0..workers).collect();
            for at in (1..workers).rev() {
                order.swap(at, self.dice.roll(at + 1));
            }
            for worker in order {
                self.poll(worker);
            }
        }
    }

    /// Commits what is in one worker's journal ring.
    pub fn commit_of(&mut self, worker: usize) -> usize {
        let member = &mut self.members[worker];
        let mut batch = Batch::new(Lsn(1));
        let records = member.drain.take(0, &mut batch, usize::MAX);
        member.taken += records as u64;
        member.drain.publish(member.taken);
        records
    }

    /// Commits what is in all journal rings, and lets all poll. Returns the records.
    pub fn commit(&mut self) -> usize {
        let records = (0..self.members.len()).map(|worker| self.commit_of(worker));
        let records: Vec<_> = records.collect();
        self.settle();
        records.iter().sum()
    }

    pub fn pass(&mut self, millis: u64) {
        self.now = Instant(self.now.0 + millis);
        self.housekeep();
        self.settle();
    }

    /// What time brings, at all workers.
    pub fn housekeep(&mut self) {
        for member in &mut self.members {
            member.worker.housekeep(self.now);
        }
    }

    /// Lets the disk of one worker fail, or work again.
    pub fn fail(&self, worker: usize, fails: bool) {
        self.members[worker].drain.halt(Halt::Failing, fails);
    }

    /// DHCP replies sent since the last look, each with the queue that it left by.
    pub fn replies(&mut self) -> Vec<(usize, Sent)> {
        let sent = self.wire.take_sent_by();
        let reply = |(queue, frame): &(usize, MemFrame)| Some((*queue, rig::parse(&frame.octets)?));
        sent.iter().filter_map(reply).collect()
    }

    #[track_caller]
    pub fn reply(&mut self) -> (usize, Sent) {
        let replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.into_iter().next().unwrap()
    }

    /// Puts a message into a queue; its reply, committed if it needs be.
    #[track_caller]
    pub fn ask(&mut self, queue: usize, client: &Client) -> (usize, Sent) {
        self.give(queue, &client.frame());
        self.settle();
        self.commit();
        self.reply()
    }

    /// Puts a message into a queue that has no reply.
    #[track_caller]
    pub fn tell(&mut self, queue: usize, client: &Client) {
        self.give(queue, &client.frame());
        self.settle();
        self.commit();
        let replies = self.replies();
        assert!(replies.is_empty(), "{replies:?}");
    }

    pub fn counted(&self) -> Counted {
        let counters = self.members.iter().map(|member| &*member.counters);
        Counted::total(counters).unwrap()
    }

    pub fn count(&self, group: Group, name: &str) -> u64 {
        self.counted()
            .count(group, name)
            .unwrap_or_else(|| panic!("no counter {name}"))
    }

    pub fn counted_of(&self, worker: usize) -> Counted {
        self.members[worker].counters.snapshot()
    }

    pub fn count_of(&self, worker: usize, group: Group, name: &str) -> u64 {
        self.counted_of(worker)
            .count(group, name)
            .unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// What the word of an address says.
    pub fn word(&self, addr: Ipv4Addr) -> Word {
        let snapshot = self.publisher.current();
        snapshot.config.cell(Space(0), addr).unwrap().load()
    }

    #[track_caller]
    pub fn is_bound_by(&self, addr: Ipv4Addr, worker: usize) {
        let word = self.word(addr);
        assert_eq!(word.state(), AddressState::Bound, "{addr}");
        assert_eq!(usize::from(word.owner().0), worker, "{addr}");
    }

    /// Each packet was sent or counted, none is left, and no shard contradicts itself. Nothing may
    /// be parked any more.
    #[track_caller]
    pub fn is_sound(&mut self) {
        self.pass(3000);
        let counted = self.counted();
        let event = |name: &str| counted.count(Group::Events, name).unwrap();
        let asked = event("arp_asked") + event("probes_sent");
        let answers = ["answered", "answer_handed", "answer_lost"];
        let answers = answers.map(|name| event(format!("probe_{name}").as_str()));
        let ended = counted.unanswered() + answers.iter().sum::<u64>();
        assert_eq!(event("received"), event("sent") - asked + ended);
        assert_eq!(event("handed_over"), event("taken_over"));
        assert_eq!(self.wire.held(), 0, "a packet is leaked");
        for member in &self.members {
            assert_eq!(member.gauges.view().inconsistent, 0);
        }
    }
}
