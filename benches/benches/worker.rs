//! A whole worker on a device in memory, in bursts of 32: from the frame received to the reply
//! sent, the journal drained by hand outside of the time taken. Nanoseconds a message.
//!
//! That device copies every frame that it sends and locks; what it alone costs is a row of its
//! own.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    reason = "criterion's macros document nothing, and a bench that cannot start ends"
)]

use core::time::Duration;
use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_proto::config::Spec;
use dhcp_proto::limit::{Limits, Rate};
use lessor::dataplane::counters::Counters;
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::exchange::Snapshot;
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::handover::mesh;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port::{Facts, Port as _, RxChecksum};
use lessor::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
use lessor::dataplane::ports::Ports;
use lessor::dataplane::probes::Probes;
use lessor::dataplane::routes::Routes;
use lessor::dataplane::subscription::Publisher;
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::ring::{Drain, JournalRing};
use lessor::store::{Batch, Lsn, ring};
use lessor_benches::{Client, NOW, SERVER_MAC, Say, configure, shards, shuffled, spec};
use rtrb::RingBuffer;
use std::sync::Arc;
use std::time::Instant;

const BURST: usize = 32;
const LEASED: u32 = 1024;

/// One worker and its end of the journal.
struct Member {
    worker: Worker<MemPort, JournalRing>,
    drain: Drain,
    taken: u64,
    _inquiry: Inquiry,
}

/// One worker, or several that hand their clients over, each with a queue.
struct Bench {
    members: Vec<Member>,
    wire: MemWire,
    batch: Batch,
}

fn devices(workers: u8) -> (Vec<MemPort>, MemWire) {
    let facts = Facts {
        mac: SERVER_MAC,
        udp_checksum_offload: false,
        rx_checksum: RxChecksum::Verify,
    };
    let packets = 4 * BURST;
    let workers = usize::from(workers);
    MemPort::of_queues(MemConfig { facts, packets }, workers, workers)
}

impl Bench {
    fn new(workers: u8) -> Self {
        Self::of(workers, spec(2 * LEASED))
    }

    fn of(workers: u8, spec: Spec) -> Self {
        let routes = Routes::new(&spec.links, &[], &[]);
        let config = configure(spec);
        let (ports, wire) = devices(workers);
        let (shards, _) = shards(&config, (2 * LEASED, LEASED), workers);
        let publisher = Publisher::new(Snapshot { config, routes });
        let neighbors = Arc::new(Neighbors::new(64, 1));
        let limits = Arc::new(Limits::new(2 * LEASED as usize, NOW));
        let many = usize::from(workers);
        let queues = ports.into_iter().zip(mesh(many, 4 * BURST)).zip(shards);
        let member = |(me, ((port, peers), shard))| {
            let (journal, drain) = ring(1 << 10);
            let (notices, _) = RingBuffer::new(64);
            let (desk, inquiry) = desk();
            let worker = Worker::new(Parts {
                ports: Ports::new([port]),
                peers,
                host: Host::new(Arc::clone(&neighbors), me, many),
                shard,
                journal,
                parked: ParkedReplies::new(1024, Duration::from_secs(2)),
                snapshot: publisher.subscribe(),
                probes: Probes::new(64),
                limits: Arc::clone(&limits),
                counters: Arc::new(Counters::new()),
                gauges: Arc::new(Gauges::default()),
                notices,
                desk,
            });
            Member {
                worker,
                drain,
                taken: 0,
                _inquiry: inquiry,
            }
        };
        let mut bench = Self {
            members: queues.enumerate().map(member).collect(),
            wire,
            batch: Batch::new(Lsn(1)),
        };
        bench.introduce();
        bench
    }

    /// Lets the workers say who they are, so that no announcement is counted as a reply.
    fn introduce(&mut self) {
        for member in &mut self.members {
            member.worker.housekeep(NOW);
            member.worker.poll(NOW);
        }
        drop(self.wire.take_sent());
    }

    /// Lets the workers answer one burst that came into `queue`, by two polls if its replies wait
    /// for the disk.
    fn answer(&mut self, queue: usize, frames: &[MemFrame]) -> Duration {
        deliver(&self.wire, queue, frames);
        let begin = Instant::now();
        for member in &mut self.members {
            member.worker.poll(NOW);
        }
        let mut took = begin.elapsed();
        for member in &mut self.members {
            self.batch.reset(Lsn(1));
            let records = member.drain.take(0, &mut self.batch, usize::MAX);
            if records > 0 {
                member.taken += records as u64;
                member.drain.publish(member.taken);
                let begin = Instant::now();
                member.worker.poll(NOW);
                took += begin.elapsed();
            }
        }
        assert_eq!(self.wire.take_sent().len(), frames.len());
        took
    }

    /// As [`Bench::answer`], of workers that keep up: each poll of a whole burst is followed by
    /// one of none.
    fn keep_up(&mut self, queue: usize, frames: &[MemFrame]) -> Duration {
        let took = self.answer(queue, frames);
        for member in &mut self.members {
            member.worker.poll(NOW);
        }
        took
    }
}

/// The same with a rate that nobody exceeds.
fn with_rate() -> Spec {
    let mut spec = spec(2 * LEASED);
    for network in &mut spec.networks {
        let rate = Rate::new(1_000_000, Duration::from_secs(1), 4_000_000_000);
        network.rules.rates.identity = rate;
        assert!(rate.is_some(), "a rate");
    }
    spec
}

fn deliver(wire: &MemWire, queue: usize, frames: &[MemFrame]) {
    for frame in frames {
        assert!(
            wire.deliver_to(queue, frame),
            "the device is out of packets"
        );
    }
}

/// Bursts of frames of those clients that hold a lease and are `whose`.
fn bursts(whose: fn(&Client) -> bool, say: fn(Client) -> Say) -> Vec<Vec<MemFrame>> {
    let frame = |client: Client| {
        let mut octets = [0; 600];
        let len = say(client).write_frame(client, &mut octets);
        MemFrame::from(&octets[..len])
    };
    let clients = shuffled(0, LEASED).into_iter().filter(whose);
    let frames: Vec<MemFrame> = clients.map(frame).collect();
    frames.chunks_exact(BURST).map(<[_]>::to_vec).collect()
}

/// Nanoseconds a message of whole bursts.
fn each(criterion: &mut Criterion, name: &str, mut burst: impl FnMut(usize) -> Duration) {
    let mut at = 0;
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|messages| {
            let bursts = messages.div_ceil(BURST as u64);
            let mut took = Duration::ZERO;
            for _ in 0..bursts {
                took += burst(at);
                at += 1;
            }
            let answered = u128::from(bursts * BURST as u64).max(1);
            let nanos = took.as_nanos() * u128::from(messages) / answered;
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
    });
}

fn workers(criterion: &mut Criterion) {
    let discovers = bursts(|_| true, |_| Say::Discover);
    let renewals = bursts(|_| true, |client| Say::Renew(client.addr()));
    let mut bench = Bench::new(1);
    each(criterion, "worker/DISCOVER to OFFER", |at| {
        bench.keep_up(0, &discovers[at % discovers.len()])
    });
    let mut limited = Bench::of(1, with_rate());
    each(criterion, "worker/DISCOVER to OFFER, with a rate", |at| {
        limited.keep_up(0, &discovers[at % discovers.len()])
    });
    let mut behind = Bench::new(1);
    each(criterion, "worker/DISCOVER to OFFER, behind", |at| {
        behind.answer(0, &discovers[at % discovers.len()])
    });
    each(criterion, "worker/renewal to ACK", |at| {
        bench.keep_up(0, &renewals[at % renewals.len()])
    });
    // The same clients, received by their own worker and by the other one: on one core here.
    let of_second = bursts(|client| client.owner(2) == 1, |_| Say::Discover);
    let mut bench = Bench::new(2);
    for (name, queue) in [("own", 1), ("handed over", 0)] {
        let name = format!("worker/DISCOVER to OFFER, one of two workers, {name}");
        each(criterion, &name, |at| {
            bench.keep_up(queue, &of_second[at % of_second.len()])
        });
    }
    let (mut ports, wire) = devices(1);
    let mut port = ports.swap_remove(0);
    let mut received = Vec::with_capacity(BURST);
    each(criterion, "worker/the device alone", |at| {
        deliver(&wire, 0, &discovers[at % discovers.len()]);
        let begin = Instant::now();
        port.receive(&mut received);
        port.transmit(&mut received);
        let took = begin.elapsed();
        assert_eq!(wire.take_sent().len(), BURST);
        took
    });
}

criterion_group!(benches, workers);
criterion_main!(benches);
