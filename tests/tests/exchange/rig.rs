//! A worker of the product on a device in memory.

use crate::frames::{Client, SERVER_MAC};
use dhcp_proto::address::{Space, Worker as Number};
use dhcp_proto::binding::{Bindings, Sizes, Storage};
use dhcp_proto::config::{
    Boot, Config, LeaseTimes, Link, LinkAddress, NetworkKey, NetworkSpec, OptionSet, PoolSpec,
    Prefix, ProbeRules, Rules, Spec, SubnetSpec,
};
use dhcp_proto::identity::{HashKey, IdentityMode};
use dhcp_proto::limit::Limits;
use dhcp_proto::shard::Shard;
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::{Message, MessageType, code};
use dhcp_wire::ethernet::{Ethernet, Mac};
use dhcp_wire::frame::{self, Offloads};
use dhcp_wire::ipv4::Ipv4;
use dhcp_wire::udp::Udp;
use lessor::appliance::bindings;
use lessor::dataplane::counters::{Counters, Group, Snapshot as Counted};
use lessor::dataplane::desk::{Inquiry, desk};
use lessor::dataplane::exchange::Snapshot;
use lessor::dataplane::gauges::Gauges;
use lessor::dataplane::handover::Peers;
use lessor::dataplane::host::Host;
use lessor::dataplane::neighbors::Neighbors;
use lessor::dataplane::parked::ParkedReplies;
use lessor::dataplane::port::{Facts, Port, RxChecksum};
use lessor::dataplane::port_mem::{MemConfig, MemFrame, MemPort, MemWire};
use lessor::dataplane::ports::Ports;
use lessor::dataplane::probes::Probes;
use lessor::dataplane::routes::Routes;
use lessor::dataplane::subscription::Publisher;
use lessor::dataplane::trace::{About, Entry as Decision, Inquest, trace};
use lessor::dataplane::worker::{Parts, Worker};
use lessor::store::ring::{Drain, JournalRing, ring};
use lessor::store::{Batch, FileMedium, Lsn};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub const MAX_PARKED: usize = 8;
pub const MAX_PROBES: u32 = 8;
pub const PACKETS: usize = 256;
/// Decisions that a worker remembers.
pub const DECISIONS: usize = 64;
/// When every rig begins.
pub const NOW: Instant = Instant(1_000_000_000);
pub const KEY: HashKey = HashKey([3; 16]);

pub struct Rig {
    pub worker: Worker<MemPort, JournalRing>,
    pub wire: MemWire,
    /// The other end of the journal ring, while the test commits by hand.
    drain: Option<Drain>,
    pub counters: Arc<Counters>,
    pub now: Instant,
    taken: u64,
    pub inquiry: Inquiry,
    pub inquest: Inquest,
}

/// A reply, taken apart.
#[derive(Debug, Clone)]
pub struct Sent {
    pub dst_mac: Mac,
    pub vids: (Option<u16>, Option<u16>),
    pub src: Ipv4Addr,
    pub dst: Ipv4Addr,
    pub dst_port: u16,
    pub kind: MessageType,
    pub yiaddr: Ipv4Addr,
    pub xid: u32,
    pub chaddr: Mac,
    pub lease: Option<u32>,
}

fn prefix(addr: [u8; 4], len: u8) -> Prefix {
    Prefix::new(addr.into(), len).unwrap()
}

pub fn network(key: u32, name: &str, net: [u8; 3]) -> NetworkSpec {
    NetworkSpec {
        name: name.into(),
        key: NetworkKey(key),
        space: Space(0),
        identity: IdentityMode::ClientId,
        rules: Rules::default(),
        ignored_client_ids: Vec::new(),
        relays: None,
        subnets: vec![subnet(net)],
        reservations: Vec::new(),
    }
}

pub fn subnet([a, b, c]: [u8; 3]) -> SubnetSpec {
    SubnetSpec {
        prefix: prefix([a, b, c, 0], 24),
        pools: vec![PoolSpec {
            first: [a, b, c, 10].into(),
            last: [a, b, c, 200].into(),
        }],
        excluded: Vec::new(),
        lease: LeaseTimes::default(),
        options: OptionSet::default(),
        boot: Boot::default(),
        server_id: None,
        probe: ProbeRules::default(),
    }
}

pub fn link(vids: (u16, u16), addr: [u8; 4]) -> Link {
    let address = LinkAddress {
        addr: addr.into(),
        prefix: prefix(addr, 24),
    };
    Link::new(0, vids, vec![address])
}

/// 10.0.0.1 untagged, with 10.0.1.0/24 on the same link, 10.1.0.1 in VLAN 100, 10.2.0.1 in VLANs
/// 200/30; network 10.9.0.0/24 behind relays.
pub fn spec() -> Spec {
    let links = vec![
        link((0, 0), [10, 0, 0, 1]),
        link((100, 0), [10, 1, 0, 1]),
        link((200, 30), [10, 2, 0, 1]),
    ];
    let mut home = network(0, "home", [10, 0, 0]);
    home.subnets.push(subnet([10, 0, 1]));
    let networks = vec![
        home,
        network(1, "vlan", [10, 1, 0]),
        network(2, "qinq", [10, 2, 0]),
        network(3, "far", [10, 9, 0]),
    ];
    Spec {
        links,
        networks,
        ..Spec::default()
    }
}

/// The configuration, with a word for each address that it names.
pub fn snapshot(spec: Spec) -> Snapshot {
    let routes = Routes::new(&spec.links, &spec.service_addresses, &[]);
    let config = bindings::configure::<FileMedium>(spec, None);
    Snapshot { config, routes }
}

/// The same with another configuration.
pub fn amended(old: &Snapshot, config: Config) -> Snapshot {
    let routes = old.routes.clone();
    Snapshot { config, routes }
}

/// The one that takes the place of `previous`.
pub fn successor(spec: Spec, previous: &Snapshot, done: u64) -> Snapshot {
    let routes = Routes::new(&spec.links, &spec.service_addresses, &[]);
    let config = bindings::succeed(spec, &previous.config, done);
    Snapshot { config, routes }
}

/// The empty shard of worker `me` of `workers`.
pub fn shard(config: &Config, me: u8, workers: u16) -> Shard {
    let bindings = Bindings::new(Storage::leaked(Sizes::for_capacity(2048, 16 << 10)));
    Shard::new((Number(me), workers), KEY, bindings, config).unwrap()
}

pub fn device(packets: usize) -> MemConfig {
    let facts = Facts {
        mac: SERVER_MAC,
        udp_checksum_offload: false,
        rx_checksum: RxChecksum::Verify,
    };
    MemConfig { facts, packets }
}

/// A single worker, and what is at its other ends.
pub struct Alone<P: Port> {
    pub worker: Worker<P, JournalRing>,
    pub drain: Drain,
    pub counters: Arc<Counters>,
    pub inquiry: Inquiry,
    pub inquest: Inquest,
}

/// The only worker of some ports, with nothing of its own to announce.
pub fn alone<P: Port>(ports: impl IntoIterator<Item = P>, spec: Spec) -> Alone<P> {
    let snapshot = snapshot(spec);
    let (journal, drain) = ring(1024);
    let (notices, _) = rtrb::RingBuffer::new(64);
    let (desk, inquiry) = desk();
    let (trace, inquest) = trace(places());
    let counters = Arc::new(Counters::new());
    let worker = Worker::new(Parts {
        ports: Ports::new(ports),
        peers: Peers::none(),
        host: Host::new(Arc::new(Neighbors::new(64, 1)), 1, 2),
        shard: shard(&snapshot.config, 0, 1),
        journal,
        parked: ParkedReplies::new(MAX_PARKED, Duration::from_secs(2)),
        snapshot: Publisher::new(snapshot).subscribe(),
        probes: Probes::new(MAX_PROBES),
        limits: Arc::new(Limits::new(2048, NOW)),
        counters: Arc::clone(&counters),
        gauges: Arc::new(Gauges::default()),
        notices,
        desk,
        trace,
    });
    Alone {
        worker,
        drain,
        counters,
        inquiry,
        inquest,
    }
}

/// What `ask` comes to, which waits for what `work` does over and over.
pub fn asked<T: Send>(ask: impl FnOnce() -> T + Send, mut work: impl FnMut()) -> T {
    thread::scope(|scope| {
        let asking = scope.spawn(ask);
        while !asking.is_finished() {
            work();
            thread::yield_now();
        }
        asking.join().unwrap()
    })
}

/// Room for the last decisions of a worker.
pub fn places() -> &'static mut [Decision] {
    Vec::leak(vec![Decision::EMPTY; DECISIONS])
}

impl Rig {
    /// One worker on [`spec`].
    pub fn new() -> Self {
        Self::on(spec())
    }

    /// One worker on a configuration.
    pub fn on(spec: Spec) -> Self {
        let (port, wire) = MemPort::new(device(PACKETS));
        let Alone {
            worker,
            drain,
            counters,
            inquiry,
            inquest,
        } = alone([port], spec);
        Self {
            worker,
            wire,
            drain: Some(drain),
            counters,
            now: NOW,
            taken: 0,
            inquiry,
            inquest,
        }
    }

    /// Puts a frame on the wire and lets the worker poll once.
    pub fn give(&mut self, frame: &[u8]) {
        assert!(
            self.wire.deliver(&MemFrame::from(frame)),
            "the device is out of packets"
        );
        self.worker.poll(self.now);
    }

    pub fn send(&mut self, client: &Client) {
        self.give(&client.frame());
    }

    /// Commits what is in the journal ring, and lets the worker poll.
    pub fn commit(&mut self) -> usize {
        let mut batch = Batch::new(Lsn(1));
        let drain = self.drain.as_mut().unwrap();
        let records = drain.take(0, &mut batch, usize::MAX);
        self.taken += records as u64;
        drain.publish(self.taken);
        self.worker.poll(self.now);
        records
    }

    /// The other end of the journal ring.
    pub fn drain(&self) -> &Drain {
        self.drain.as_ref().unwrap()
    }

    /// Gives the other end of the journal ring away, to a committer.
    pub fn take_drain(&mut self) -> Drain {
        self.drain.take().unwrap()
    }

    pub fn pass(&mut self, millis: u64) {
        self.now = Instant(self.now.0 + millis);
        self.worker.housekeep(self.now);
        self.worker.poll(self.now);
    }

    /// DHCP replies sent since the last look.
    pub fn replies(&mut self) -> Vec<Sent> {
        let sent = self.wire.take_sent();
        sent.iter()
            .filter_map(|frame| parse(&frame.octets))
            .collect()
    }

    #[track_caller]
    pub fn reply(&mut self) -> Sent {
        let replies = self.replies();
        assert_eq!(replies.len(), 1, "{replies:?}");
        replies.into_iter().next().unwrap()
    }

    /// What control asks at the worker's desk, while the worker does its housekeeping.
    pub fn control<T: Send>(&mut self, ask: impl FnOnce(&mut Inquiry) -> T + Send) -> T {
        let (worker, now) = (&mut self.worker, self.now);
        asked(|| ask(&mut self.inquiry), || worker.housekeep(now))
    }

    /// The decisions about a client, the newest first.
    pub fn why(&mut self, about: &About) -> Vec<Decision> {
        let (worker, now, inquest) = (&mut self.worker, self.now, &mut self.inquest);
        asked(
            || inquest.ask(about, 1000).unwrap(),
            || worker.housekeep(now),
        )
    }

    pub fn counted(&self) -> Counted {
        self.counters.snapshot()
    }

    pub fn count(&self, group: Group, name: &str) -> u64 {
        self.counted()
            .count(group, name)
            .unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// The sum of a group.
    pub fn sum(&self, group: Group) -> u64 {
        let counted = self.counted();
        counted
            .rows()
            .iter()
            .filter(|row| row.group == group)
            .map(|row| row.count)
            .sum()
    }
}

/// A DHCP reply, taken apart; nothing if it is another frame.
pub fn parse(octets: &[u8]) -> Option<Sent> {
    // Checksums are verified here: the product computed them.
    frame::parse(octets, Offloads::default()).unwrap();
    let eth = Ethernet::parse(octets).unwrap();
    let ip = Ipv4::parse(eth.payload(), dhcp_wire::Checksum::Verify).ok()?;
    let udp = Udp::parse(&ip, dhcp_wire::Checksum::Verify).ok()?;
    let message = Message::parse(udp.payload()).ok()?;
    let options = message.options().unwrap();
    Some(Sent {
        dst_mac: eth.dst(),
        vids: eth.tags().vids(),
        src: ip.src(),
        dst: ip.dst(),
        dst_port: udp.dst_port(),
        kind: options.any_message_type().unwrap(),
        yiaddr: message.yiaddr(),
        xid: message.xid(),
        chaddr: Mac(message.chaddr().try_into().unwrap()),
        lease: options.u32(code::LEASE_TIME),
    })
}
