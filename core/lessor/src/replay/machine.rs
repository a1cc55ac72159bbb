//! The server of a configuration: one worker of the product on devices in memory, in no time but
//! the capture's.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use dhcp_proto::address::{Space, Worker as Number};
use dhcp_proto::binding::{Bindings, Sizes, Storage};
use dhcp_proto::config::{Added, Config};
use dhcp_proto::identity::HashKey;
use dhcp_proto::limit::Limits;
use dhcp_proto::record::{Journal, Record, Sequence};
use dhcp_proto::restart::Reading;
use dhcp_proto::server::Notice;
use dhcp_proto::shard::{Restored, Shard};
use dhcp_proto::time::{Instant, Wall};
use dhcp_wire::Checksum;
use dhcp_wire::arp::{self, Op, Station};
use dhcp_wire::ethernet::{self, Mac, ethertype};
use dhcp_wire::frame::{self, Frame, Offloads};
use rtrb::{Consumer, RingBuffer};

use super::message::TRUSTED;
use crate::appliance::bindings;
use crate::appliance::reservations::Book;
use crate::config::Settings;
use crate::dataplane::counters::{Counters, Group, Snapshot as Counted};
use crate::dataplane::desk::{Inquiry, desk};
use crate::dataplane::exchange::Snapshot;
use crate::dataplane::gauges::Gauges;
use crate::dataplane::handover::Peers;
use crate::dataplane::host::Host;
use crate::dataplane::neighbors::Neighbors;
use crate::dataplane::parked::ParkedReplies;
use crate::dataplane::port::{Facts, RxChecksum};
use crate::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
use crate::dataplane::ports::Ports;
use crate::dataplane::probes::Probes;
use crate::dataplane::routes::Routes;
use crate::dataplane::subscription::Publisher;
use crate::dataplane::trace::trace;
use crate::dataplane::worker::{Parts, Worker};
use crate::leasefile::Leases;
use crate::store::FileMedium;

/// Packets of each device.
const PACKETS: usize = 1024;
/// Next hops that are remembered.
const NEIGHBORS: usize = 4096;
/// Time between two turns of housekeeping, milliseconds.
const TURN: u64 = 100;
/// Turns that a silence of the capture takes at most.
const TURNS: u64 = 2_000;
/// How long the machine goes on behind the capture's end, milliseconds.
const BEHIND: u64 = 5_000;
/// Turns in which all of the table of next hops is looked after.
const WARM_UP: usize = 2 * NEIGHBORS / 64 + 1;
/// The same each time, so that a replay comes out the same each time.
const KEY: HashKey = HashKey(*b"lessor's replay ");

/// Why there is no machine.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The table has lists for so many only.
    #[error("too many networks: a table has 2^31 lists")]
    TooManyNetworks,
    /// The leases do not fit.
    #[error("there are more leases than the tables have room for; raise server.bindings")]
    TooManyLeases,
}

/// A journal that is durable at once and keeps nothing.
#[derive(Debug, Default)]
struct Nowhere(Sequence);

impl Journal for Nowhere {
    fn has_room(&self) -> bool {
        true
    }

    fn append(&mut self, _: &Record<'_>) -> Sequence {
        self.0 += 1;
        self.0
    }

    fn durable(&self) -> Sequence {
        self.0
    }
}

/// The server.
pub(super) struct Machine {
    worker: Worker<MemPort, Nowhere>,
    wires: Vec<MemWire>,
    /// How received UDP checksums are looked at, by port.
    checksums: Vec<RxChecksum>,
    counters: Arc<Counters>,
    notices: Consumer<Notice>,
    now: Instant,
    /// Stations that replies go to next: they answer when they are asked for.
    hops: BTreeSet<Ipv4Addr>,
    /// Frames that left since the last look.
    sent: Vec<Vec<u8>>,
    _inquiry: Inquiry,
}

impl Machine {
    /// The server of `settings` on ports with these hardware addresses, at `begin`, Unix
    /// nanoseconds, with the leases that it had then.
    pub(super) fn new(
        mut settings: Settings,
        macs: &[Mac],
        begin: u64,
        leases: Option<&Leases>,
    ) -> Result<Self, NotMade> {
        let now = Instant(begin / 1_000_000);
        let spec = std::mem::take(&mut settings.spec);
        let routes = Routes::new(&spec.links, &spec.service_addresses, &settings.routes);
        let config = bindings::configure::<FileMedium>(spec, None);
        let mut shard = shard(&settings, &config, now)?;
        let config = restore(&mut shard, config, leases, now)?;
        let (ports, wires): (Vec<_>, Vec<_>) = devices(&settings, macs).unzip();
        let (notices, told) = RingBuffer::new(64);
        let (desk, inquiry) = desk();
        let counters = Arc::new(Counters::new());
        let neighbors = Arc::new(Neighbors::new(NEIGHBORS, 1));
        neighbors.keep_routers(routes.routers(), now);
        let clients = usize::try_from(settings.server.bindings).unwrap_or(usize::MAX);
        let worker = Worker::new(Parts {
            ports: Ports::new(ports),
            peers: Peers::none(),
            host: Host::new(neighbors, 0, 1),
            shard,
            journal: Nowhere::default(),
            parked: ParkedReplies::new(1, Duration::from_secs(2)),
            probes: Probes::new(settings.server.probes()),
            snapshot: Publisher::new(Snapshot { config, routes }).subscribe(),
            limits: Arc::new(Limits::new(clients, now)),
            counters: Arc::clone(&counters),
            gauges: Arc::new(Gauges::default()),
            notices,
            desk,
            trace: trace(&mut []).0,
        });
        let mut machine = Self {
            worker,
            wires,
            checksums: settings.ports.iter().map(|port| port.rx_checksum).collect(),
            counters,
            notices: told,
            now,
            hops: settings.routes.iter().map(|route| route.via).collect(),
            sent: Vec::new(),
            _inquiry: inquiry,
        };
        // A server that has run for a while knows its routers.
        for _ in 0..WARM_UP {
            machine.turn();
        }
        Ok(machine)
    }

    /// Lets time pass until `at`, Unix nanoseconds. It never goes back.
    pub(super) fn advance(&mut self, at: u64) {
        self.pass(at / 1_000_000);
    }

    /// Lets what is under way come to its end.
    pub(super) fn finish(&mut self) {
        self.pass(self.now.0.saturating_add(BEHIND));
    }

    fn pass(&mut self, until: u64) {
        let step = (until.saturating_sub(self.now.0) / TURNS).max(TURN);
        while self.now.0.saturating_add(step) < until {
            self.now = Instant(self.now.0.saturating_add(step));
            self.turn();
        }
        self.now = Instant(self.now.0.max(until));
        self.turn();
    }

    fn turn(&mut self) {
        self.worker.set_wall(Wall { ahead: 0 });
        self.worker.housekeep(self.now);
        self.poll();
        while self.notices.pop().is_ok() {}
    }

    /// Gives a frame to a port; whether it took it.
    pub(super) fn give(&mut self, port: u8, octets: &[u8]) -> bool {
        self.learn(octets);
        let wire = self.wires.get(usize::from(port));
        let taken = wire.is_some_and(|wire| wire.deliver(&MemFrame::from(octets)));
        self.poll();
        taken
    }

    /// How a frame to a port is parsed.
    pub(super) fn offloads(&self, port: u8) -> Offloads {
        let udp = match self.checksums.get(usize::from(port)) {
            Some(RxChecksum::Ignore) => Checksum::Trusted,
            Some(RxChecksum::Verify) | None => Checksum::Verify,
        };
        Offloads {
            udp,
            ..Offloads::default()
        }
    }

    /// Frames that left since the last look.
    pub(super) fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    /// What the machine has counted so far.
    pub(super) fn counted(&self) -> Counted {
        self.counters.snapshot()
    }

    /// Polls, answers for next hops, and collects what leaves.
    fn poll(&mut self) {
        // The second poll sends what waited for a next hop that the first one asked for.
        for _ in 0..2 {
            self.worker.poll(self.now);
            let mut answers = Vec::new();
            for (at, wire) in self.wires.iter().enumerate() {
                for MemFrame { octets, .. } in wire.take_sent() {
                    match answer(&octets, &self.hops) {
                        Some(answer) => answers.push((at, answer)),
                        None => self.sent.push(octets),
                    }
                }
            }
            if answers.is_empty() {
                return;
            }
            for (at, answer) in answers {
                let wire = self.wires.get(at);
                // A device without a packet left loses it, as the network may.
                let _taken = wire.is_some_and(|w| w.deliver(&MemFrame::from(&answer[..])));
            }
        }
    }

    /// Notes the relay of a message: a reply goes there.
    fn learn(&mut self, octets: &[u8]) {
        if let Ok(Frame::Dhcp { ip, payload, .. }) = frame::parse(octets, TRUSTED)
            && let Ok(message) = dhcp_wire::dhcp::Message::parse(payload)
            && !message.giaddr().is_unspecified()
        {
            self.hops.extend([message.giaddr(), ip.src()]);
        }
    }
}

/// Names of what was counted between two moments that explains why there is no reply.
pub(super) fn counted_between(before: &Counted, after: &Counted) -> Vec<&'static str> {
    let rows = before.rows().iter().zip(after.rows());
    let rows = rows.filter(|(before, after)| {
        let tells = matches!(
            after.group,
            Group::Silences | Group::Drops | Group::Malformed
        );
        tells && after.count > before.count
    });
    rows.map(|(_, after)| after.name).collect()
}

/// The answer of a station of `hops` that is asked for.
fn answer(octets: &[u8], hops: &BTreeSet<Ipv4Addr>) -> Option<Vec<u8>> {
    let Frame::Arp { eth, arp } = frame::parse(octets, TRUSTED).ok()? else {
        return None;
    };
    if arp.op() != Op::Request || !hops.contains(&arp.tpa()) {
        return None;
    }
    let [a, b, c, d] = arp.tpa().octets();
    let station = Station {
        mac: Mac([2, 0, a, b, c, d]),
        addr: arp.tpa(),
    };
    let mut frame = vec![0; 64];
    let (src, tags) = (station.mac, eth.tags());
    let at = ethernet::write(&mut frame, eth.src(), src, &tags, ethertype::ARP)?;
    let len = arp::write(frame.get_mut(at..)?, Op::Reply, station, arp.sender())?;
    frame.truncate(at + len);
    Some(frame)
}

fn devices<'d>(
    settings: &'d Settings,
    macs: &'d [Mac],
) -> impl Iterator<Item = (MemPort, MemWire)> + 'd {
    settings.ports.iter().zip(macs).map(|(port, &mac)| {
        let facts = Facts {
            mac,
            udp_checksum_offload: false,
            rx_checksum: port.rx_checksum,
        };
        let packets = PACKETS;
        MemPort::new(MemConfig { facts, packets })
    })
}

fn shard(settings: &Settings, config: &Config, now: Instant) -> Result<Shard, NotMade> {
    let server = &settings.server;
    let capacity = usize::try_from(server.bindings).unwrap_or(usize::MAX);
    let arena = capacity.saturating_mul(usize::from(server.agent_info_octets));
    let bindings = Bindings::new(Storage::leaked(Sizes::for_capacity(capacity, arena)));
    let shard = Shard::new((Number(0), 1), KEY, bindings, config);
    let mut shard = shard.ok_or(NotMade::TooManyNetworks)?;
    shard.set_max_offers(server.max_offers);
    shard.begin(now.secs());
    Ok(shard)
}

/// Puts the leases into the shard, and the reservations among them into the configuration.
fn restore(
    shard: &mut Shard,
    config: Config,
    leases: Option<&Leases>,
    now: Instant,
) -> Result<Config, NotMade> {
    let Some(leases) = leases else {
        return Ok(config);
    };
    // As at a start: each address that a lease is of has a word, in a pool or not.
    let mut named = Vec::new();
    leases.for_each(|record| {
        let (space, addr) = (Space(record.space), record.addr);
        if config.place_of(space, addr).is_some() {
            named.push((space, addr));
        }
    });
    let config = config.with(Added::default(), named);
    let (mut book, mut full) = (Book::default(), false);
    leases.for_each(|record| {
        book.note(record);
        // An address without a word, outside of what is configured, is nobody's business here.
        if config.cell(Space(record.space), record.addr).is_some() {
            let restored = shard.restore(&config, record, &Reading::at(now.secs()));
            full |= restored == Restored::Full;
        }
    });
    if full {
        return Err(NotMade::TooManyLeases);
    }
    Ok(book.apply(&config).0)
}
