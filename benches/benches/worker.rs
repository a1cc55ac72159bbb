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
use lessor::dataplane::counters::Counters;
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::exchange::Snapshot;
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port::{Facts, Port as _, RxChecksum};
use lessor::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
use lessor::dataplane::ports::Ports;
use lessor::dataplane::routes::Routes;
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::ring::{Drain, JournalRing};
use lessor::store::{Batch, Lsn, ring};
use lessor_benches::{Client, NOW, SERVER_MAC, Say, configure, shard, shuffled, spec};
use rtrb::RingBuffer;
use std::sync::Arc;
use std::time::Instant;

const BURST: usize = 32;
const LEASED: u32 = 1024;

struct Bench {
    worker: Worker<MemPort, JournalRing>,
    wire: MemWire,
    drain: Drain,
    batch: Batch,
    taken: u64,
    _inquiry: Inquiry,
}

fn device() -> (MemPort, MemWire) {
    let facts = Facts {
        mac: SERVER_MAC,
        udp_checksum_offload: false,
        rx_checksum: RxChecksum::Verify,
    };
    let packets = 4 * BURST;
    MemPort::new(MemConfig { facts, packets })
}

impl Bench {
    fn new() -> Self {
        let spec = spec(2 * LEASED);
        let routes = Routes::new(&spec.links, &[]);
        let config = configure(spec);
        let (port, wire) = device();
        let (journal, drain) = ring(1 << 10);
        let (notices, _) = RingBuffer::new(64);
        let (desk, inquiry) = desk();
        let worker = Worker::new(Parts {
            ports: Ports::new([port]),
            host: Host::new(Arc::new(Neighbors::new(64, 1)), 0, 1),
            shard: shard(&config, 2 * LEASED, LEASED),
            journal,
            parked: ParkedReplies::new(BURST, Duration::from_secs(2)),
            snapshot: Arc::new(Snapshot { config, routes }),
            counters: Arc::new(Counters::new()),
            gauges: Arc::new(Gauges::default()),
            notices,
            desk,
        });
        let mut bench = Self {
            worker,
            wire,
            drain,
            batch: Batch::new(Lsn(1)),
            taken: 0,
            _inquiry: inquiry,
        };
        bench.introduce();
        bench
    }

    /// Lets the worker say who it is, so that no announcement is counted as a reply.
    fn introduce(&mut self) {
        self.worker.housekeep(NOW);
        self.worker.poll(NOW);
        drop(self.wire.take_sent());
    }

    /// Lets the worker answer one burst, by two polls if its replies wait for the disk.
    fn answer(&mut self, frames: &[MemFrame]) -> Duration {
        deliver(&self.wire, frames);
        let begin = Instant::now();
        self.worker.poll(NOW);
        let mut took = begin.elapsed();
        self.batch.reset(Lsn(1));
        let records = self.drain.take(0, &mut self.batch, usize::MAX);
        if records > 0 {
            self.taken += records as u64;
            self.drain.publish(self.taken);
            let begin = Instant::now();
            self.worker.poll(NOW);
            took += begin.elapsed();
        }
        assert_eq!(self.wire.take_sent().len(), frames.len());
        took
    }
}

fn deliver(wire: &MemWire, frames: &[MemFrame]) {
    for frame in frames {
        assert!(wire.deliver(frame), "the device is out of packets");
    }
}

/// A burst of frames of clients that hold a lease.
fn bursts(say: fn(Client) -> Say) -> Vec<Vec<MemFrame>> {
    let frame = |client: &Client| {
        let mut octets = [0; 600];
        let len = say(*client).write_frame(*client, &mut octets);
        MemFrame::from(&octets[..len])
    };
    let frames: Vec<MemFrame> = shuffled(0, LEASED).iter().map(frame).collect();
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
    let discovers = bursts(|_| Say::Discover);
    let renewals = bursts(|client| Say::Renew(client.addr()));
    let mut bench = Bench::new();
    each(criterion, "worker/DISCOVER to OFFER", |at| {
        bench.answer(&discovers[at % discovers.len()])
    });
    each(criterion, "worker/renewal to ACK", |at| {
        bench.answer(&renewals[at % renewals.len()])
    });
    let (mut port, wire) = device();
    let mut received = Vec::with_capacity(BURST);
    each(criterion, "worker/the device alone", |at| {
        deliver(&wire, &discovers[at % discovers.len()]);
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
