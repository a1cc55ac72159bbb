//! One life of the server: the product's workers on a device in memory, its committer and its
//! housekeeper on a simulated disk, all of them moved by hand.

use super::client::Millis;
use super::dice::Dice;
use super::frame::SERVER_MAC;
use super::ledger::{Ledger, Witness};
use dhcp_proto::address::{Space, Word, Worker as Number};
use dhcp_proto::binding::{Bindings, Sizes, Storage};
use dhcp_proto::config::Config;
use dhcp_proto::identity::HashKey;
use dhcp_proto::limit::Limits;
use dhcp_proto::restart::{Reading, Start, longest_grace};
use dhcp_proto::server::Notice;
use dhcp_proto::shard::Shard;
use dhcp_proto::time::{Instant, Wall};
use dhcp_wire::ethernet::Mac;
use lessor::appliance::bindings;
use lessor::appliance::reservations::Keeper;
use lessor::config::{self, Settings};
use lessor::dataplane::counters::{Counters, Group, Snapshot as Counted};
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::exchange::Snapshot;
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::handover;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port::{Facts, RxChecksum};
use lessor::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
use lessor::dataplane::ports::Ports;
use lessor::dataplane::probes::Probes;
use lessor::dataplane::routes::Routes;
use lessor::dataplane::subscription::{NotTaken, Publisher};
use lessor::dataplane::trace::trace;
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::commit::{CommitOptions, Steps};
use lessor::store::log::simulated::Upkeep;
use lessor::store::medium::memory::MemoryMedium;
use lessor::store::ring::{JournalRing, ring};
use lessor::store::{Log, LogOptions, Recovered, StoreError};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Packets of the device.
const PACKETS: usize = 2048;
/// Clients whose rates are kept apart.
const CLIENTS: usize = 4096;
/// Replies that a worker may hold until they are durable.
const MAX_PARKED: usize = 256;
/// Most places of each ring from worker to worker, and slots of each journal ring.
const PLACES: usize = 64;
const SLOTS: usize = 1024;
/// How long each may wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// Clocks: the true one, in which nothing jumps, and the wall clock, which may.
#[derive(Debug, Clone)]
pub(super) struct Clocks {
    /// Unix milliseconds at the beginning.
    epoch: u64,
    /// How far the wall clock is ahead of the truth, milliseconds.
    pub(super) ahead: i64,
    pub(super) now: Millis,
    /// The wall clock in seconds, for the committer.
    seconds: Arc<AtomicU64>,
    /// A moment of this machine's clock that stands for the beginning.
    began: std::time::Instant,
}

impl Clocks {
    pub(super) fn new() -> Self {
        Self {
            epoch: 1_800_000_000_000,
            ahead: 0,
            now: 0,
            seconds: Arc::new(AtomicU64::new(0)),
            began: std::time::Instant::now(),
        }
    }

    fn wall(&self) -> u64 {
        (self.epoch + self.now).saturating_add_signed(self.ahead)
    }

    pub(super) fn tell(&self) {
        self.seconds.store(self.wall() / 1000, Ordering::Relaxed);
    }

    fn monotonic(&self) -> std::time::Instant {
        self.began + Duration::from_millis(self.now)
    }
}

#[derive(Debug)]
struct Member {
    worker: Worker<MemPort, JournalRing>,
    counters: Arc<Counters>,
    gauges: Arc<Gauges>,
    _inquiry: Inquiry,
    notices: rtrb::Consumer<Notice>,
}

#[derive(Debug)]
pub(super) struct Server {
    members: Vec<Member>,
    steps: Steps<Witness>,
    upkeep: Upkeep,
    wire: MemWire,
    size: Size,
    publisher: Arc<Publisher>,
    /// Who reserves addresses while it runs.
    pub(super) keeper: Arc<Keeper>,
    /// The inner clock at the true beginning of time, milliseconds.
    pub(super) inner: u64,
    /// What the start made of the clock.
    pub(super) start: Start,
}

/// How many there are of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    workers: u8,
    queues: usize,
    /// Places of each ring from worker to worker.
    places: usize,
    /// Slots of each journal ring.
    slots: usize,
    options: LogOptions,
}

impl Size {
    pub(super) fn roll(dice: &mut Dice) -> Self {
        let workers = dice.pick(&[1, 2, 2, 3, 4]);
        Self {
            workers,
            queues: 1 + dice.index(workers.into()),
            places: dice.pick(&[4, PLACES, PLACES]),
            slots: dice.pick(&[64, SLOTS]),
            options: LogOptions {
                segment_octets: 4096 * dice.between(4, 40),
                slice_octets: 4096 * (1 + dice.index(4)),
            },
        }
    }
}

/// Empty shards for all workers.
fn shards(
    (size, capacity): (Size, usize),
    key: HashKey,
    config: &Config,
    (now, wall): (Instant, Wall),
) -> Vec<Shard> {
    let workers = u16::from(size.workers);
    let shard = |me| {
        let sizes = Sizes::for_capacity(capacity, capacity * 16);
        let bindings = Bindings::new(Storage::leaked(sizes));
        let shard = Shard::new((Number(me), workers), key, bindings, config);
        let mut shard = shard.expect("few networks");
        shard.set_wall(wall);
        shard.begin(now.secs());
        shard
    };
    (0..size.workers).map(shard).collect()
}

impl Server {
    /// Starts as the appliance does: store, configuration, shards, committer, workers.
    pub(super) fn start(
        (disk, ledger): (&MemoryMedium, &Ledger),
        (text, capacity): (&str, usize),
        clocks: &Clocks,
        dice: &mut Dice,
    ) -> Option<Self> {
        let size = Size::roll(dice);
        let (recovered, log) = open(disk, size.options)?;
        ledger.compare(&recovered);
        let (settings, _) = config::parse(text).expect("a sound configuration");
        let routes = Routes::new(
            &settings.spec.links,
            &settings.spec.service_addresses,
            &settings.routes,
        );
        let config =
            bindings::configure_in(settings.spec, Some(&recovered), |_| Default::default());
        let start = Start::new(clocks.wall() / 1000, &bindings::noted(&recovered), &config);
        let inner = clocks.wall().max(start.now * 1000);
        let clock = (Instant(inner), wall(clocks.wall(), inner));
        let key = HashKey(std::array::from_fn(|_| {
            dice.roll(256).try_into().unwrap_or(0)
        }));
        let mut shards = shards((size, capacity), key, &config, clock);
        let reading = Reading {
            hold: start.hold,
            ..Reading::at(clock.0.secs())
        };
        let restored = bindings::restore(&mut shards, &config, &recovered, &reading);
        let book = restored.expect("there is room for all bindings");
        let (config, _against) = book.apply(&config);
        let (witness, upkeep) = Witness::new(log, recovered, ledger.clone());
        let (rings, mut drains): (Vec<_>, Vec<_>) = shards.iter().map(|_| ring(size.slots)).unzip();
        let (own, drain) = ring(64);
        drains.push(drain);
        clocks.tell();
        let seconds = Arc::clone(&clocks.seconds);
        let options = CommitOptions {
            clock: Box::new(move || seconds.load(Ordering::Relaxed)),
            hold: start.hold,
            grace: longest_grace(&config),
            patience: PATIENCE,
            tap: None,
        };
        let publisher = Arc::new(Publisher::new(Snapshot { config, routes }));
        let seconds = Arc::clone(&clocks.seconds);
        let time = move || seconds.load(Ordering::Relaxed);
        let keeper = Keeper::new(Arc::clone(&publisher), time, own, book);
        let (members, wire) = members((size, clock.0), &publisher, shards, rings);
        Some(Self {
            members,
            steps: Steps::new(witness, drains, options, clocks.monotonic()),
            upkeep,
            wire,
            size,
            publisher,
            keeper: Arc::new(keeper),
            inner: inner - clocks.now,
            start,
        })
    }

    /// Has the workers go over to the file `text`, each in its own time; whether it is taken. It is
    /// not while one of them is two files behind.
    pub(super) fn reload(&self, text: &str) -> bool {
        let (settings, _) = config::parse(text).expect("a sound configuration");
        let Settings { spec, routes, .. } = settings;
        let routes = Routes::new(&spec.links, &spec.service_addresses, &routes);
        let published = self.publisher.publish(|running, done| {
            let config = bindings::succeed(spec, &running.config, done);
            let config = self.keeper.apply(&config);
            Ok::<_, NotTaken>(Snapshot { config, routes })
        });
        published.is_ok()
    }

    /// How far its clock is ahead of the truth, milliseconds.
    pub(super) fn ahead(&self, clocks: &Clocks) -> i64 {
        i64::try_from(self.inner).unwrap_or(i64::MAX) - i64::try_from(clocks.epoch).unwrap_or(0)
    }

    pub(super) fn workers(&self) -> usize {
        self.members.len()
    }

    fn now(&self, clocks: &Clocks) -> Instant {
        Instant(self.inner + clocks.now)
    }

    /// Whether the device has taken the frame.
    pub(super) fn give(&self, frame: &[u8], dice: &mut Dice) -> bool {
        let queue = dice.index(self.size.queues);
        self.wire.deliver_to(queue, &MemFrame::from(frame))
    }

    /// What has left since the last look.
    pub(super) fn take_sent(&self) -> Vec<MemFrame> {
        self.wire.take_sent()
    }

    pub(super) fn poll(&mut self, worker: usize, clocks: &Clocks) {
        let now = self.now(clocks);
        if let Some(member) = self.members.get_mut(worker) {
            // A turn of the product's loop has one time for both.
            member.worker.set_wall(wall(clocks.wall(), now.0));
            member.worker.poll(now);
        }
    }

    pub(super) fn housekeep(&mut self, worker: usize, clocks: &Clocks) {
        let now = self.now(clocks);
        if let Some(member) = self.members.get_mut(worker) {
            member.worker.set_wall(wall(clocks.wall(), now.0));
            member.worker.housekeep(now);
            while member.notices.pop().is_ok() {}
        }
    }

    /// One look of the committer at everything; whether there was anything to do.
    pub(super) fn commit(&mut self, clocks: &Clocks) -> bool {
        clocks.tell();
        self.steps.round(clocks.monotonic())
    }

    /// One step of the housekeeper.
    pub(super) fn keep_house(&mut self, dice: &mut Dice) {
        if dice.one_in(20) {
            self.upkeep.look_around();
        }
        self.upkeep.step();
        self.publisher.tend();
    }

    /// Everybody once, in any order.
    pub(super) fn all(&mut self, clocks: &Clocks, dice: &mut Dice) {
        let first = dice.index(self.workers());
        for worker in 0..self.workers() {
            let worker = (first + worker) % self.workers();
            self.housekeep(worker, clocks);
            self.poll(worker, clocks);
        }
        self.commit(clocks);
        self.keep_house(dice);
    }

    /// Whether its rings are so small that it refuses messages of all kinds without any flood.
    pub(super) fn is_cramped(&self) -> bool {
        self.size.places < PLACES || self.size.slots < SLOTS
    }

    /// Messages that were refused for want of time or room.
    pub(super) fn refused(&self) -> u64 {
        let counted = self.counted();
        let of = |group, name| counted.count(group, name).unwrap_or(0);
        let shed = [
            "shed_discover",
            "shed_request",
            "shed_renewal",
            "hand_over_full",
        ];
        let shed: u64 = shed.into_iter().map(|name| of(Group::Drops, name)).sum();
        let silent = ["journal_full", "offers_full"];
        let silent: u64 = silent
            .into_iter()
            .map(|name| of(Group::Silences, name))
            .sum();
        shed + silent
    }

    /// Whether every record is on disk.
    pub(super) fn is_written(&self) -> bool {
        self.steps.waiting() == 0
    }

    /// Marks the end of the store, and leaves it as a start finds it soonest.
    pub(super) fn finish(mut self) {
        self.steps.finish();
        while self.upkeep.step() {}
    }

    pub(super) fn word(&self, addr: Ipv4Addr) -> Word {
        let cell = self.publisher.current().config.cell(Space(0), addr);
        cell.expect("a word for each address").load()
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.members.iter().map(|member| member.worker.shard())
    }

    /// The counters of all workers together.
    pub(super) fn counted(&self) -> Counted {
        Counted::total(self.counters()).expect("a worker")
    }

    /// Packets that somebody holds, and replies that are parked.
    pub(super) fn held(&self) -> (usize, u64) {
        let parked = self
            .members
            .iter()
            .map(|member| member.gauges.view().parked);
        (self.wire.held(), parked.sum())
    }

    pub(super) fn counters(&self) -> impl Iterator<Item = &Counters> {
        self.members.iter().map(|member| &*member.counters)
    }
}

/// What a start finds; none if the disk does not let it.
fn open(
    disk: &MemoryMedium,
    options: LogOptions,
) -> Option<(Recovered<MemoryMedium>, Log<MemoryMedium>)> {
    match Log::open_on(disk.clone(), options) {
        Ok(opened) => Some(opened),
        Err(StoreError::Damaged { .. } | StoreError::ForeignSnapshot { .. }) => {
            panic!("the store is refused after an ordinary end")
        }
        Err(_) => None,
    }
}

fn wall(wall: u64, inner: u64) -> Wall {
    let ahead = (i128::from(wall) - i128::from(inner)).div_euclid(1000);
    Wall {
        ahead: i64::try_from(ahead).unwrap_or(0),
    }
}

fn members(
    (size, now): (Size, Instant),
    publisher: &Publisher,
    shards: Vec<Shard>,
    rings: Vec<JournalRing>,
) -> (Vec<Member>, MemWire) {
    let facts = Facts {
        mac: Mac(SERVER_MAC),
        udp_checksum_offload: false,
        rx_checksum: RxChecksum::Verify,
    };
    let device = MemConfig {
        facts,
        packets: PACKETS,
    };
    let workers = shards.len();
    let (ports, wire) = MemPort::of_queues(device, workers, size.queues);
    let mut ports: Vec<_> = ports.into_iter().map(|port| Ports::new([port])).collect();
    Ports::share(&mut ports, 0, size.queues);
    let limits = Arc::new(Limits::new(CLIENTS, now));
    let mesh = handover::mesh(workers, size.places);
    let neighbors = Arc::new(Neighbors::new(64, 1));
    neighbors.keep_routers(publisher.current().routes.routers(), now);
    let all = shards.into_iter().zip(rings).zip(ports).zip(mesh);
    let member = |(index, (((shard, journal), ports), peers))| {
        let (notify, notices) = rtrb::RingBuffer::new(64);
        let (desk, inquiry) = desk();
        let (counters, gauges) = (Arc::new(Counters::new()), Arc::new(Gauges::default()));
        let worker = Worker::new(Parts {
            ports,
            peers,
            host: Host::new(Arc::clone(&neighbors), index, workers),
            shard,
            journal,
            parked: ParkedReplies::new(MAX_PARKED, PATIENCE),
            probes: Probes::new(64),
            snapshot: publisher.subscribe(),
            limits: Arc::clone(&limits),
            counters: Arc::clone(&counters),
            gauges: Arc::clone(&gauges),
            notices: notify,
            desk,
            trace: trace(&mut []).0,
        });
        Member {
            worker,
            counters,
            gauges,
            _inquiry: inquiry,
            notices,
        }
    };
    (all.enumerate().map(member).collect(), wire)
}
