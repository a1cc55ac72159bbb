//! Two workers as they run in the product: a thread, an lcore and a queue pair of a real device
//! each, a committer behind both. The device is shared memory (memif), whose other end is the
//! test's.

use crate::frames::{Client, numbered};
use crate::rig::{self, Sent, spec};
use dhcp_proto::limit::Limits;
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::Mac;
use dpdk::{Eal, EalConfig, Mempool, MempoolConfig, Port as Device, PortConfig, StartedPort};
use lessor::dataplane::clock::Clock;
use lessor::dataplane::counters::{Counters, DropReason, Event, Group, Snapshot as Counted};
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::handover;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port::RxChecksum;
use lessor::dataplane::port_dpdk::DpdkPort;
use lessor::dataplane::ports::{BURST, Ports};
use lessor::dataplane::probes::Probes;
use lessor::dataplane::subscription::Publisher;
use lessor::dataplane::trace::trace;
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::ring::JournalRing;
use lessor::store::{CommitOptions, Committer, NullStore, ring};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const WORKERS: u16 = 2;
const MBUFS: u32 = 8191;
const CLIENTS: u16 = 150;

fn open(role: &str, pool: &'static Mempool, eal: &'static Eal) -> StartedPort {
    let socket = format!("lessor-workers-{}", process::id());
    let name = format!("net_memif_{role}");
    let device = format!("{name},role={role},id=0,socket-abstract=yes,socket={socket}");
    let config = PortConfig {
        rx_queues: WORKERS,
        tx_queues: WORKERS,
        ..PortConfig::default()
    };
    Device::open(eal, &device, pool, &config).unwrap()
}

/// Asks `ready` again until it says yes; the time only ends a test that would hang.
fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !ready() {
        assert!(Instant::now() < end, "never: {what}");
        thread::yield_now();
    }
}

/// The server's side.
struct Server {
    threads: Vec<JoinHandle<()>>,
    counters: Vec<Arc<Counters>>,
    committer: Committer,
    stop: Arc<AtomicBool>,
    device: Device,
    mac: Mac,
    /// Held, so that the workers' desks are open.
    inquiries: Vec<Inquiry>,
}

impl Server {
    fn start(eal: &'static Eal, pool: &'static Mempool, started: StartedPort) -> Self {
        let publisher = Publisher::new(rig::snapshot(spec()));
        let snapshot = publisher.current();
        let (rings, drains): (Vec<_>, Vec<_>) = (0..WORKERS).map(|_| ring(1024)).unzip();
        let options = CommitOptions::default();
        let committer = Committer::start(NullStore::new(), drains, options).unwrap();
        let workers = usize::from(WORKERS);
        let neighbors = Arc::new(Neighbors::new(64, 1));
        let StartedPort { port, rx, tx } = started;
        let mut server = Self {
            threads: Vec::new(),
            counters: Vec::new(),
            committer,
            stop: Arc::default(),
            mac: Mac(port.mac()),
            device: port,
            inquiries: Vec::new(),
        };
        let clock = Clock::start(0);
        let limits = Arc::new(Limits::new(2048, clock.now()));
        let mesh = handover::mesh(workers, handover::places(workers));
        let queues = rx.into_iter().zip(tx);
        let all = queues.zip(mesh).zip(rings);
        for (me, ((((rx, tx), peers), journal), index)) in (0..).zip(all.zip(0..)) {
            let pair = (Some(rx), Some(tx));
            let queue = DpdkPort::new(&server.device, pair, pool, RxChecksum::Verify);
            let mut shard = rig::shard(&snapshot.config, me, WORKERS);
            shard.begin(clock.now().secs());
            let counters = Arc::new(Counters::new());
            let (notices, _) = rtrb::RingBuffer::new(64);
            let (desk, inquiry) = desk();
            let worker = Worker::new(Parts {
                ports: Ports::new([queue]),
                peers,
                host: Host::new(Arc::clone(&neighbors), index, workers),
                shard,
                journal,
                parked: ParkedReplies::new(256, Duration::from_secs(2)),
                snapshot: publisher.subscribe(),
                probes: Probes::new(64),
                limits: Arc::clone(&limits),
                counters: Arc::clone(&counters),
                gauges: Arc::new(Gauges::default()),
                notices,
                desk,
                trace: trace(&mut []).0,
            });
            server.counters.push(counters);
            server.inquiries.push(inquiry);
            server.spawn(eal, worker, clock);
        }
        server
    }

    fn spawn(
        &mut self,
        eal: &'static Eal,
        mut worker: Worker<DpdkPort, JournalRing>,
        clock: Clock,
    ) {
        let stop = Arc::clone(&self.stop);
        let thread = thread::spawn(move || {
            let _lcore = eal.register_thread().unwrap();
            worker.run(&clock, &stop);
        });
        self.threads.push(thread);
    }

    fn count(&self, event: Event) -> Vec<u64> {
        self.counters.iter().map(|c| c.count(event)).collect()
    }

    /// Stops the workers, and gives back what each counted.
    fn stop(self) -> Counted {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        assert!(self.committer.stop().is_some());
        self.device.close().unwrap();
        assert_eq!(self.inquiries.len(), self.counters.len());
        Counted::total(self.counters.iter().map(|counters| &**counters)).unwrap()
    }
}

/// The clients' end of the device.
struct Wire {
    port: StartedPort,
    pool: &'static Mempool,
    server: Mac,
}

impl Wire {
    /// Puts the messages into both queues in turn, again and again until each client has a reply.
    fn ask(&mut self, messages: &BTreeMap<Mac, Client>) -> BTreeMap<Mac, Sent> {
        let mut replies = BTreeMap::new();
        until("all replies", || {
            let left = messages
                .iter()
                .filter(|(mac, _)| !replies.contains_key(*mac));
            let left: Vec<_> = left.map(|(_, client)| client).collect();
            self.send(&left);
            let end = Instant::now() + Duration::from_millis(500);
            while Instant::now() < end && replies.len() < messages.len() {
                self.hear(&mut replies);
                thread::yield_now();
            }
            replies.len() == messages.len()
        });
        replies
    }

    fn send(&mut self, messages: &[&Client]) {
        for (n, messages) in messages.chunks(8).enumerate() {
            let mut burst = Vec::with_capacity(BURST);
            for client in messages {
                let mut client = (*client).clone();
                if !client.dst_mac.is_broadcast() {
                    client.dst_mac = self.server;
                }
                let frame = client.frame();
                let mut mbuf = self.pool.alloc().unwrap();
                mbuf.append(frame.len()).unwrap().copy_from_slice(&frame);
                burst.push(mbuf);
            }
            let queue = &mut self.port.tx[n % usize::from(WORKERS)];
            until("the device takes all", || {
                queue.transmit(&mut burst);
                burst.is_empty()
            });
        }
    }

    fn hear(&mut self, replies: &mut BTreeMap<Mac, Sent>) {
        for queue in &mut self.port.rx {
            let mut burst = Vec::with_capacity(BURST);
            queue.receive(&mut burst);
            for mbuf in burst {
                if let Some(sent) = parse(mbuf.data()) {
                    replies.insert(sent.chaddr, sent);
                }
            }
        }
    }
}

fn parse(frame: &[u8]) -> Option<Sent> {
    let reply = rig::parse(frame)?;
    matches!(reply.kind, MessageType::Offer | MessageType::Ack).then_some(reply)
}

fn all(say: impl Fn(Client) -> Client) -> BTreeMap<Mac, Client> {
    let clients = (0..CLIENTS).map(numbered);
    clients.map(|client| (client.mac, say(client))).collect()
}

fn environment() -> (&'static Eal, &'static Mempool) {
    let config = EalConfig {
        file_prefix: format!("lessor-workers-{}", process::id()),
        no_huge: true,
        memory_mib: Some(128),
        ..EalConfig::default()
    };
    let eal = Eal::start(&config).unwrap();
    let pool = MempoolConfig {
        name: "pool".to_owned(),
        mbufs: MBUFS,
        cache: 0,
        data_room: 2048,
    };
    (eal, Mempool::create(eal, pool).unwrap())
}

/// All clients obtain a lease, each its own, and renew it.
fn lease(wire: &mut Wire) {
    let offers = wire.ask(&all(Client::discover));
    let is_offer = |reply: &Sent| reply.kind == MessageType::Offer;
    assert!(offers.values().all(is_offer));
    let addresses: BTreeSet<Ipv4Addr> = offers.values().map(|reply| reply.yiaddr).collect();
    assert_eq!(addresses.len(), usize::from(CLIENTS), "each has its own");
    for say in [Client::request, Client::renew] {
        let acks = wire.ask(&all(|client| {
            let addr = offers[&client.mac].yiaddr;
            say(client, addr)
        }));
        for (mac, ack) in &acks {
            let addr = offers[mac].yiaddr;
            assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, addr));
        }
    }
}

#[test]
fn two_workers_on_two_queues_serve_each_others_clients() {
    let (eal, pool) = environment();
    let device = open("server", pool, eal);
    let port = open("client", pool, eal);
    until("the ends connect", || {
        let ends = [&device, &port];
        ends.iter().all(|end| end.port.link().unwrap().up)
    });
    let server = Server::start(eal, pool, device);
    let mut wire = Wire {
        port,
        pool,
        server: server.mac,
    };
    lease(&mut wire);
    let events = [
        Event::Received,
        Event::Sent,
        Event::HandedOver,
        Event::TakenOver,
    ];
    for event in events {
        let counts = server.count(event);
        assert!(counts.iter().all(|n| *n > 0), "{event:?}: {counts:?}");
    }
    // What is on its way when they stop is answered or dropped, not lost.
    let again = all(Client::discover);
    wire.send(&again.values().collect::<Vec<_>>());
    let counted = server.stop();
    let full = DropReason::HandOverFull.name();
    assert_eq!(counted.count(Group::Drops, full), Some(0));
    let StartedPort { port, rx, tx } = wire.port;
    drop((rx, tx));
    port.close().unwrap();
    assert_eq!(pool.available(), MBUFS, "a buffer is leaked");
}
