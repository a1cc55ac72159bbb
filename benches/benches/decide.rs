//! `decide` in bursts of 32, in the three passes of a worker: fetch the bucket, fetch the slot,
//! decide. Nanoseconds a message, reading the message not counted.
//!
//! `BENCH_10M=1 cargo bench --bench decide` adds ten million bindings. Tables stand on huge pages
//! if there are enough of them (for ten million some 600), and it says on which.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "criterion's macros document nothing, a bench that cannot start ends, and says on \
              which pages its tables stand"
)]

use core::net::Ipv4Addr;
use core::time::Duration;
use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_proto::config::Config;
use dhcp_proto::record::Origin;
use dhcp_proto::server::{self, Arrival, Client as Who, Query, ReplyKind};
use dhcp_proto::shard::Shard;
use dhcp_wire::dhcp::Message;
use hugemem::{Pages, prefetch_read};
use lessor::store::ring::{Drain, JournalRing};
use lessor::store::{Batch, Lsn, ring};
use lessor_benches::{Client, KEY, NOW, Say, configure, shard, shuffled, spec};
use std::time::Instant;

const BURST: usize = 32;
/// Clients that come and go beside those who hold a lease.
const GUESTS: u32 = 65_536;
const NETWORK: u32 = 0;
/// Between two REQUESTs of a client: one that comes sooner is taken for a repetition, and nothing is
/// written.
const BETWEEN: Duration = Duration::from_secs(20);

/// A client and what it was offered or has.
type Guest = (Client, Ipv4Addr);

struct Bench {
    config: Config,
    shard: Shard,
    journal: JournalRing,
    drain: Drain,
    batch: Batch,
    now: dhcp_proto::time::Instant,
    payloads: Vec<[u8; 320]>,
}

impl Bench {
    fn new(leased: u32) -> Self {
        let config = configure(spec(leased + GUESTS));
        let (mut shard, pages) = shard(&config, leased + GUESTS, leased);
        // All guests at once are more than are usually let in.
        shard.set_max_offers(1000);
        let pages = match pages {
            Pages::Huge => "huge pages",
            Pages::Ordinary => "ordinary pages",
        };
        println!("{leased} bindings: {pages}");
        let (journal, drain) = ring(1 << 10);
        Self {
            config,
            shard,
            journal,
            drain,
            batch: Batch::new(Lsn(1)),
            now: NOW,
            payloads: vec![[0; 320]; BURST],
        }
    }

    /// Decides one burst; says how long that took, and leaves the addresses given in `burst`.
    fn decide(
        &mut self,
        burst: &mut [Guest],
        say: impl Fn(Ipv4Addr) -> Say,
        due: Option<ReplyKind>,
    ) -> Duration {
        for ((client, addr), payload) in burst.iter().zip(&mut self.payloads) {
            let len = say(*addr).write(*client, payload);
            payload[len..].fill(0);
        }
        let queries = burst.iter().zip(&self.payloads);
        let queries: Vec<Query<'_>> = queries
            .map(|((client, addr), payload)| query(&self.config, *client, say(*addr), payload))
            .collect();
        let begin = Instant::now();
        for query in &queries {
            let place = place(query);
            if let Some(bucket) = self.shard.bindings().bucket(place, NETWORK) {
                prefetch_read(bucket);
            }
        }
        for query in &queries {
            let place = place(query);
            if let Some(slot) = self.shard.bindings().probe(place, NETWORK) {
                prefetch_read(slot);
                prefetch_read(slot.end());
            }
        }
        for (query, (_, addr)) in queries.iter().zip(burst) {
            let (shard, journal) = (&mut self.shard, &mut self.journal);
            let reply = server::decide(query, self.now, &self.config, shard, journal).reply;
            assert_eq!(reply.map(|plan| plan.kind).ok(), due);
            if let Ok(plan) = reply {
                *addr = plan.yiaddr;
            }
        }
        let took = begin.elapsed();
        self.batch.reset(Lsn(1));
        self.drain.take(0, &mut self.batch, usize::MAX);
        took
    }

    /// Decides all of `guests`, untimed.
    fn all(&mut self, guests: &mut [Guest], say: impl Fn(Ipv4Addr) -> Say, due: Option<ReplyKind>) {
        for burst in guests.chunks_mut(BURST) {
            self.decide(burst, &say, due);
        }
    }
}

fn query<'a>(config: &Config, client: Client, say: Say, payload: &'a [u8]) -> Query<'a> {
    let (ip_src, ip_dst) = say.ends();
    let arrival = Arrival {
        origin: Origin::default(),
        l2_src: client.mac(),
        ip_src,
        ip_dst,
        src_port: 68,
        payload,
    };
    let message = Message::parse_request(payload).expect("a message");
    let options = message.options().expect("options");
    server::admit(config, &KEY, arrival, message, options).expect("a message for this server")
}

fn place(query: &Query<'_>) -> u64 {
    match &query.client {
        Who::Known(_, hash) => *hash,
        Who::HolderOf(_) | Who::Anyone => 0,
    }
}

/// The share of `took` that `messages` messages have of whole bursts.
fn share(took: Duration, messages: u64) -> Duration {
    let decided = u128::from(messages.next_multiple_of(BURST as u64)).max(1);
    let nanos = took.as_nanos() * u128::from(messages) / decided;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Messages that change no more than the time of a lease.
fn of_leased(criterion: &mut Criterion, bench: &mut Bench, leased: u32) {
    let mut group = criterion.benchmark_group(format!("decide/{leased}"));
    let clients = shuffled(0, leased);
    let mut guests: Vec<Guest> = clients.iter().map(|c| (*c, c.addr())).collect();
    let bursts = guests.len() / BURST;
    let mut next = (0..bursts).cycle();
    let mut run = |name: &str, say: fn(Ipv4Addr) -> Say, due| {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|messages| {
                let mut took = Duration::ZERO;
                for _ in 0..messages.div_ceil(BURST as u64) {
                    let from = next.next().unwrap_or(0) * BURST;
                    if from == 0 && due == ReplyKind::Ack {
                        bench.now = bench.now.after(BETWEEN);
                    }
                    let burst = &mut guests[from..from + BURST];
                    took += bench.decide(burst, say, Some(due));
                }
                share(took, messages)
            });
        });
    };
    run("DISCOVER, leased", |_| Say::Discover, ReplyKind::Offer);
    run("REQUEST, leased", Say::Request, ReplyKind::Ack);
    run("renewal", Say::Renew, ReplyKind::Ack);
    group.finish();
}

/// Messages of clients that had an address before and take it again.
fn of_guests(criterion: &mut Criterion, bench: &mut Bench, leased: u32) {
    let mut group = criterion.benchmark_group(format!("decide/{leased}"));
    let clients = shuffled(leased, GUESTS);
    let mut guests: Vec<Guest> = clients.iter().map(|c| (*c, c.addr())).collect();
    let last = guests.len() / BURST;
    bench.all(&mut guests, |_| Say::Discover, Some(ReplyKind::Offer));
    let mut at = last;
    group.bench_function("DISCOVER, returning", |bencher| {
        bencher.iter_custom(|messages| {
            let mut took = Duration::ZERO;
            for _ in 0..messages.div_ceil(BURST as u64) {
                if at == last {
                    bench.all(&mut guests, Say::Request, Some(ReplyKind::Ack));
                    bench.all(&mut guests, Say::Release, None);
                    at = 0;
                }
                let burst = &mut guests[at * BURST..][..BURST];
                took += bench.decide(burst, |_| Say::Discover, Some(ReplyKind::Offer));
                at += 1;
            }
            share(took, messages)
        });
    });
    bench.all(
        &mut guests[at * BURST..],
        |_| Say::Discover,
        Some(ReplyKind::Offer),
    );
    let mut at = 0;
    group.bench_function("REQUEST, offered", |bencher| {
        bencher.iter_custom(|messages| {
            let mut took = Duration::ZERO;
            for _ in 0..messages.div_ceil(BURST as u64) {
                if at == last {
                    bench.all(&mut guests, Say::Release, None);
                    bench.all(&mut guests, |_| Say::Discover, Some(ReplyKind::Offer));
                    at = 0;
                }
                let burst = &mut guests[at * BURST..][..BURST];
                took += bench.decide(burst, Say::Request, Some(ReplyKind::Ack));
                at += 1;
            }
            share(took, messages)
        });
    });
    group.finish();
}

fn decisions(criterion: &mut Criterion) {
    let more = std::env::var_os("BENCH_10M").map(|_| 10_000_000);
    for leased in [1_000, 1_000_000].into_iter().chain(more) {
        let mut bench = Bench::new(leased);
        of_leased(criterion, &mut bench, leased);
        of_guests(criterion, &mut bench, leased);
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = decisions
}
criterion_main!(benches);
