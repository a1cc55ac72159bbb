//! What networks by the ten thousand cost: the load of a file that has them, and a DISCOVER, from
//! the parsed message to the octets of its OFFER, with one network and with all of them. The
//! clients, their addresses and the words of these are the same in both.
//!
//! The time of a load is printed once, in its parts; then criterion takes nanoseconds a message, in
//! bursts of 32 and the passes of a worker.
#![forbid(unsafe_code)]
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "criterion's macros document nothing, and a bench that cannot start ends"
)]

use core::fmt::Write as _;
use core::net::Ipv4Addr;
use core::time::Duration;
use criterion::{Criterion, criterion_group, criterion_main};
use dhcp_proto::address::{Space, Worker};
use dhcp_proto::binding::{Bindings, Sizes, Storage};
use dhcp_proto::config::{Config, PoolSpec};
use dhcp_proto::record::Origin;
use dhcp_proto::server::{self, Arrival, Echo, Query, ReplyKind};
use dhcp_proto::shard::Shard;
use dhcp_proto::time::Instant as Moment;
use dhcp_wire::dhcp::Message;
use dhcp_wire::ethernet::Mac;
use lessor::appliance::bindings;
use lessor::config;
use lessor::dataplane::ahead;
use lessor::dataplane::routes::Routes;
use lessor::store::FileMedium;
use lessor::store::ring;
use lessor::store::ring::{Drain, JournalRing};
use lessor_benches::{Client, KEY, NOW, SERVER, Say, shuffled};
use std::time::Instant;

const BURST: usize = 32;
const NETWORKS: u32 = 10_000;
/// Reservations of each network in the file.
const RESERVED: u32 = 10;
/// Clients of each network that ask, in turn.
const CLIENTS: u32 = 40;
/// The first of the networks' prefixes, a /24 each.
const FIRST: u32 = 0x1400_0000;
/// Where the pool of each begins and ends.
const POOL: (u32, u32) = (20, 249);

fn prefix(network: u32) -> u32 {
    FIRST + (network << 8)
}

fn addr(network: u32, host: u32) -> Ipv4Addr {
    (prefix(network) + host).into()
}

/// A file of `NETWORKS` networks behind relays, with their reservations.
fn file() -> String {
    let mut text = format!(
        "[server]\nbindings = 3000000\n[[ports]]\ndevice = \"net_null0\"\n\
         addresses = [\"{SERVER}/8\"]\ngateway = \"10.255.255.254\"\n\
         [defaults]\noptions = {{ domain-name-servers = [\"10.0.0.2\", \"10.0.0.3\"], \
         domain-name = \"example.net\" }}\n"
    );
    for network in 0..NETWORKS {
        let (router, first, last) = (
            addr(network, 1),
            addr(network, POOL.0),
            addr(network, POOL.1),
        );
        write!(
            text,
            "\n[[networks]]\nname = \"network {network}\"\nrelays = [\"{router}\"]\n\
             [[networks.subnets]]\nprefix = \"{}/24\"\npools = [\"{first}-{last}\"]\n\
             options = {{ routers = [\"{router}\"] }}\n",
            addr(network, 0)
        )
        .expect("memory");
        for host in 2..2 + RESERVED {
            let [_, a, b, c] = (network << 8 | host).to_be_bytes();
            write!(
                text,
                "[[networks.reservations]]\nhw_address = \"02:00:00:{a:02x}:{b:02x}:{c:02x}\"\n\
                 address = \"{}\"\n",
                addr(network, host)
            )
            .expect("memory");
        }
    }
    text
}

/// Loads the file and says how long each part took.
fn load(text: &str) -> Config {
    let mut parts: Vec<(&str, Duration)> = Vec::new();
    let mut begin = Instant::now();
    let mut done = |part| {
        let end = Instant::now();
        parts.push((part, end - begin));
        begin = end;
    };
    let (settings, report) = config::parse(text).expect("a file without faults");
    done("file");
    let routes = Routes::new(&settings.spec.links, &[], &settings.routes);
    let config = bindings::configure::<FileMedium>(settings.spec, None);
    done("snapshot");
    let shard = shard(&config);
    done("shard");
    assert_eq!((report.warnings.len(), routes.routers().len()), (0, 1));
    assert_eq!(shard.counts().active, 0);
    let total: Duration = parts.iter().map(|(_, time)| *time).sum();
    println!(
        "load of {NETWORKS} networks and {} reservations, {} MiB of text: {total:.0?} {parts:.0?}",
        NETWORKS * RESERVED,
        text.len() >> 20
    );
    config
}

/// The same addresses and reservations in one network, behind one relay.
fn one(text: &str) -> Config {
    let (mut settings, _) = config::parse(text).expect("a file without faults");
    let rest = settings.spec.networks.split_off(1);
    let [network] = &mut settings.spec.networks[..] else {
        unreachable!("one network")
    };
    let reserved = rest.into_iter().flat_map(|network| network.reservations);
    network.reservations.extend(reserved);
    let subnets = &mut network.subnets;
    subnets[0].prefix = dhcp_proto::config::Prefix::new(FIRST.into(), 8).expect("a prefix");
    subnets[0].excluded.clear();
    subnets[0].pools = vec![PoolSpec {
        first: addr(0, POOL.0),
        last: addr(NETWORKS - 1, POOL.1),
    }];
    bindings::configure::<FileMedium>(settings.spec, None)
}

/// Offers fill a share of the table only.
fn shard(config: &Config) -> Shard {
    let sizes = Sizes::for_capacity((5 * NETWORKS * CLIENTS) as usize, 1 << 20);
    let bindings = Bindings::new(Storage::leaked(sizes));
    Shard::new((Worker(0), 1), KEY, bindings, config).expect("few networks")
}

/// A client that asks through the relay of its network.
#[derive(Debug, Clone, Copy)]
struct Asker {
    client: Client,
    relay: Ipv4Addr,
}

struct Bench {
    config: Config,
    shard: Shard,
    journal: JournalRing,
    _drain: Drain,
    echo: Echo,
    payloads: Vec<[u8; 548]>,
    askers: Vec<Asker>,
    at: usize,
    round: usize,
    now: Moment,
}

impl Bench {
    fn new(config: Config) -> Self {
        let many = config.networks().len() > 1;
        let relay = |client: &Client| addr(if many { client.0 % NETWORKS } else { 0 }, 1);
        let askers = shuffled(0, NETWORKS * CLIENTS).into_iter();
        let askers = askers.map(|client| Asker {
            relay: relay(&client),
            client,
        });
        let (journal, drain) = ring(1 << 10);
        Self {
            shard: shard(&config),
            journal,
            _drain: drain,
            config,
            echo: Echo::default(),
            payloads: vec![[0; 548]; BURST],
            askers: askers.collect(),
            at: 0,
            round: 0,
            now: NOW,
        }
    }

    /// Has all ask once more.
    fn begin(&mut self) {
        (self.at, self.round) = (0, self.round + 1);
    }

    /// Lets all holds end: whoever asks next is new.
    fn forget(&mut self) {
        self.now = self.now.after(Duration::from_secs(90));
        while self.shard.counts().offered > 0 {
            let now = self.now.secs();
            self.shard.turn(&self.config, now, 4096, &mut self.journal);
        }
        self.begin();
    }

    /// Whether all have asked.
    fn is_over(&self) -> bool {
        self.at + BURST > self.askers.len()
    }

    /// Answers the next burst of DISCOVERs; says how long that took.
    fn burst(&mut self) -> Duration {
        let count = self.askers.len();
        // Each round in another order, so that who asked before somebody last time does not now.
        let stride = 10 * self.round + 3;
        let turn = self.at..self.at + BURST;
        let askers = turn.map(|at| self.askers[at * stride % count]);
        let askers: Vec<Asker> = askers.collect();
        self.at += BURST;
        for (asker, payload) in askers.iter().zip(&mut self.payloads) {
            let len = Say::Discover.write(asker.client, payload);
            payload[len..].fill(0);
            payload[24..28].copy_from_slice(&asker.relay.octets());
        }
        let messages = self.payloads.iter().map(|payload| {
            let message = Message::parse_request(payload).expect("a message");
            (payload, message, message.options().expect("options"))
        });
        let messages: Vec<_> = messages.collect();
        let mut out = [0; 548];
        let begin = Instant::now();
        let mut queries: Vec<Option<Query<'_>>> = vec![None; BURST];
        let seen = messages
            .iter()
            .map(|(payload, ..)| Some((Space(0), Message::glance(&payload[..])?)));
        ahead::look(&self.config, seen);
        let given = messages.iter().zip(&askers).zip(&mut queries);
        for (((payload, message, options), asker), query) in given {
            let arrival = Arrival {
                origin: Origin::default(),
                l2_src: Mac([2, 0, 0, 0, 0, 9]),
                ip_src: asker.relay,
                ip_dst: SERVER,
                src_port: 67,
                payload: &payload[..],
            };
            let admitted = server::admit(&self.config, &KEY, arrival, *message, *options);
            let admitted = admitted.expect("a message for this server");
            ahead::begin(&self.config, &self.shard, &admitted);
            *query = Some(admitted);
        }
        ahead::fetch(&self.config, &self.shard, queries.iter().flatten());
        for query in queries.iter().flatten() {
            let (shard, config) = (&mut self.shard, &self.config);
            let reply = server::decide(query, self.now, config, shard, &mut self.journal).reply;
            let plan = reply.expect("an offer");
            assert_eq!(plan.kind, ReplyKind::Offer);
            self.echo.take(&query.message, &query.options, 1500);
            let written = server::write_reply(config, &plan, &self.echo, &mut out);
            assert!(written.is_some());
        }
        begin.elapsed()
    }
}

/// Nanoseconds a message of whole bursts.
fn each(criterion: &mut Criterion, name: &str, mut burst: impl FnMut() -> Duration) {
    criterion.bench_function(name, |bencher| {
        bencher.iter_custom(|messages| {
            let bursts = messages.div_ceil(BURST as u64);
            let took: Duration = (0..bursts).map(|_| burst()).sum();
            let answered = u128::from(bursts * BURST as u64).max(1);
            let nanos = took.as_nanos() * u128::from(messages) / answered;
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        });
    });
}

fn networks(criterion: &mut Criterion) {
    let text = file();
    for config in [one(&text), load(&text)] {
        let networks = config.networks().len();
        let mut bench = Bench::new(config);
        each(
            criterion,
            &format!("networks/{networks}, new client"),
            || {
                if bench.is_over() {
                    bench.forget();
                }
                bench.burst()
            },
        );
        bench.forget();
        while !bench.is_over() {
            bench.burst();
        }
        each(
            criterion,
            &format!("networks/{networks}, client asks again"),
            || {
                if bench.is_over() {
                    bench.begin();
                }
                bench.burst()
            },
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = networks
}
criterion_main!(benches);
