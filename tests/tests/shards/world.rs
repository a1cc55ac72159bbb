//! Shards, their journal rings and the log behind them: the product's pieces, without its threads.

use dhcp_proto::address::{Directory, Space, Worker};
use dhcp_proto::binding::{BindingState, Bindings, Sizes, Storage};
use dhcp_proto::config::{
    Boot, Config, LeaseTimes, Link, LinkAddress, NetworkKey, NetworkSpec, OptionSet, PoolSpec,
    Prefix, ProbeRules, Rules, Spec, SubnetSpec,
};
use dhcp_proto::identity::{HashKey, IdentityMode, shard_of};
use dhcp_proto::record::{Journal as _, Origin, Record};
use dhcp_proto::restart::Reading;
use dhcp_proto::server::{self, Arrival, Parked, Plan, ReplyKind, Silence};
use dhcp_proto::shard::Shard;
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::{Header, Message, Writer, code, op};
use dhcp_wire::ethernet::Mac;
use lessor::store::batch::HEADROOM;
use lessor::store::encode::{self, MAX_RECORD};
use lessor::store::ring::Drain;
use lessor::store::{Batch, JournalRing, Log, LogOptions, Recovered, Store as _, ring};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use tempfile::TempDir;

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 10);
const KEY: HashKey = HashKey([7; 16]);
const NOW: Instant = Instant::from_secs(1_800_000_000);
/// Batches begin on blocks of this many octets.
const BLOCK: usize = 4096;

/// A client of hardware address 02:00:00:00:00:n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client(pub u8);

impl Client {
    /// Clients of one shard of `shards`.
    pub fn of_shard(shard: usize, shards: u16) -> impl Iterator<Item = Self> {
        (0..=u8::MAX)
            .map(Self)
            .filter(move |client| client.shard(shards) == shard)
    }

    pub fn shard(self, shards: u16) -> usize {
        usize::from(shard_of(KEY.hash(&self.identity()), shards))
    }

    /// htype and chaddr behind the kind octet of such an identity.
    pub fn identity(self) -> [u8; 8] {
        [2, 1, 2, 0, 0, 0, 0, self.0]
    }

    fn message(self, ciaddr: Ipv4Addr, kind: u8, options: &[(u8, Ipv4Addr)]) -> Vec<u8> {
        let mut field = [0; 16];
        field[..6].copy_from_slice(&self.identity()[2..]);
        let header = Header {
            op: op::REQUEST,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid: u32::from(self.0),
            secs: 0,
            flags: 0,
            ciaddr,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr: field,
        };
        let mut octets = vec![0; 300];
        let mut writer = Writer::new(&mut octets, 300, &header).unwrap();
        writer.option(code::MESSAGE_TYPE, &[kind]).unwrap();
        for (code, addr) in options {
            writer.option(*code, &addr.octets()).unwrap();
        }
        let len = writer.finish(&[]).len;
        octets.truncate(len);
        octets
    }

    pub fn discover(self) -> Vec<u8> {
        self.message(Ipv4Addr::UNSPECIFIED, 1, &[])
    }

    /// The REQUEST of the SELECTING state.
    pub fn request(self, addr: Ipv4Addr) -> Vec<u8> {
        let options = [(code::REQUESTED_ADDRESS, addr), (code::SERVER_ID, SERVER)];
        self.message(Ipv4Addr::UNSPECIFIED, 3, &options)
    }

    pub fn renew(self, addr: Ipv4Addr) -> Vec<u8> {
        self.message(addr, 3, &[])
    }

    pub fn release(self, addr: Ipv4Addr) -> Vec<u8> {
        self.message(addr, 7, &[(code::SERVER_ID, SERVER)])
    }
}

/// An ACK that waits for its record.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    pub client: Client,
    pub addr: Ipv4Addr,
    parked: Parked,
}

pub struct Server {
    config: Config,
    shards: Vec<Shard>,
    rings: Vec<JournalRing>,
    drains: Vec<Drain>,
}

impl Server {
    /// A server of `shards` shards with a pool of `addresses` addresses from [`FIRST`] on.
    pub fn new(shards: u16, addresses: u32) -> Self {
        let config = config(addresses);
        let shard = |me| {
            let bindings = Bindings::new(Storage::leaked(Sizes::for_capacity(32, 0)));
            Shard::new((Worker(me), shards), KEY, bindings, &config).unwrap()
        };
        let all = 0..u8::try_from(shards).unwrap();
        let (rings, drains) = all.clone().map(|_| ring(64)).unzip();
        Self {
            shards: all.map(shard).collect(),
            config,
            rings,
            drains,
        }
    }

    /// A server that starts with what a store had.
    pub fn restored(shards: u16, addresses: u32, records: &[Vec<u8>]) -> Self {
        let mut server = Self::new(shards, addresses);
        for octets in records {
            let (_, record, _) = encode::decode(octets).unwrap();
            let owner = usize::from(shard_of(KEY.hash(record.identity), shards));
            server.shards[owner].restore(&server.config, &record, &Reading::at(NOW.secs()));
        }
        server
    }

    pub fn shards(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap()
    }

    /// What the client's shard decides.
    pub fn send(&mut self, client: Client, payload: &[u8]) -> Result<Plan, Silence> {
        let message = Message::parse_request(payload).unwrap();
        let ciaddr = message.ciaddr();
        let arrival = Arrival {
            origin: Origin::default(),
            l2_src: Mac([2, 0, 0, 0, 0, client.0]),
            ip_src: ciaddr,
            ip_dst: if ciaddr.is_unspecified() {
                Ipv4Addr::BROADCAST
            } else {
                SERVER
            },
            src_port: 68,
            payload,
        };
        let options = message.options().unwrap();
        let query = server::admit(&self.config, &KEY, arrival, message, options)?;
        let owner = client.shard(self.shards());
        let (shard, journal) = (&mut self.shards[owner], &mut self.rings[owner]);
        let outcome = server::decide(&query, NOW, &self.config, shard, journal);
        assert_eq!(shard.counts().inconsistent, 0);
        outcome.reply
    }

    /// The address that the client is offered.
    pub fn offer(&mut self, client: Client) -> Option<Ipv4Addr> {
        let plan = self.send(client, &client.discover()).ok()?;
        (plan.kind == ReplyKind::Offer).then_some(plan.yiaddr)
    }

    /// The ACK that a REQUEST comes to.
    pub fn ack(&mut self, client: Client, request: &[u8]) -> Option<Waiting> {
        let plan = self.send(client, request).ok()?;
        let (addr, parked) = (plan.yiaddr, plan.wait?);
        Some(Waiting {
            client,
            addr,
            parked,
        })
    }

    /// Whether the ACK may leave now.
    pub fn may_leave(&self, ack: &Waiting) -> bool {
        self.is_durable(ack) && self.shards[ack.client.shard(self.shards())].stands(&ack.parked)
    }

    pub fn is_durable(&self, ack: &Waiting) -> bool {
        let ring = ack.client.shard(self.shards());
        ack.parked.sequence <= self.rings[ring].durable()
    }

    /// Identity and state of whoever has `addr`, as every shard sees it.
    pub fn holders(&self, addr: Ipv4Addr) -> Vec<(Vec<u8>, BindingState)> {
        let view = |shard: &Shard| shard.view(&self.config, Space(0), addr);
        let views = self.shards.iter().filter_map(view);
        views
            .map(|view| (view.identity().to_vec(), view.state))
            .collect()
    }

    /// Leases in all shards.
    pub fn leases(&self) -> u64 {
        self.shards.iter().map(|shard| shard.counts().active).sum()
    }
}

fn config(addresses: u32) -> Config {
    let prefix = Prefix::new(SERVER, 24).unwrap();
    let last = Ipv4Addr::from_bits(FIRST.to_bits() + addresses - 1);
    let subnet = SubnetSpec {
        prefix,
        pools: vec![PoolSpec { first: FIRST, last }],
        excluded: Vec::new(),
        lease: LeaseTimes::default(),
        options: OptionSet::default(),
        boot: Boot::default(),
        server_id: None,
        probe: ProbeRules::default(),
    };
    let network = NetworkSpec {
        name: "home".into(),
        key: NetworkKey(0),
        space: Space(0),
        identity: IdentityMode::ClientId,
        rules: Rules::default(),
        ignored_client_ids: Vec::new(),
        relays: None,
        subnets: vec![subnet],
        reservations: Vec::new(),
    };
    let address = LinkAddress {
        addr: SERVER,
        prefix,
    };
    let spec = Spec {
        links: vec![Link::new(0, (0, 0), vec![address])],
        networks: vec![network],
        ..Spec::default()
    };
    let mut directory = Directory::builder(None);
    directory.name_range(Space(0), FIRST, last);
    Config::new(spec, directory.build())
}

/// Where the last batch lies in its segment: its first octet, and the first behind its records.
#[derive(Debug, Clone, Copy)]
pub struct Tail {
    pub from: usize,
    pub to: usize,
}

/// The log of a server, in a directory that is gone when this is.
pub struct Disk {
    dir: TempDir,
    log: Log,
}

impl Disk {
    pub fn new() -> Self {
        let dir = scratch();
        let (_, log) = Log::open(dir.path(), LogOptions::default()).unwrap();
        Self { dir, log }
    }

    /// Makes one commit of what is in the rings named, in that order.
    pub fn commit(&mut self, server: &mut Server, order: &[usize]) -> (Batch, Tail) {
        let mut batch = Batch::new(self.log.next_lsn());
        for ring in order {
            server.drains[*ring].take(*ring, &mut batch, usize::MAX);
        }
        let from = Files::of(self.dir.path()).segment().1.len();
        let from = from.next_multiple_of(BLOCK);
        let to = from + HEADROOM + batch.records().len();
        if batch.count() > 0 {
            self.log.submit(batch);
            batch = self.log.completed().unwrap().into_batch();
        }
        (batch, Tail { from, to })
    }

    pub fn files(&self) -> Files {
        Files::of(self.dir.path())
    }
}

impl Server {
    /// Tells the workers that a batch is durable.
    pub fn publish(&mut self, batch: &Batch) {
        for mark in batch.marks() {
            self.drains[mark.ring].publish(mark.upto);
        }
    }
}

/// A store's directory, copied.
pub struct Files(Vec<(String, Vec<u8>)>);

impl Files {
    fn of(dir: &Path) -> Self {
        let entry = |entry: std::io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        };
        Self(fs::read_dir(dir).unwrap().map(entry).collect())
    }

    fn segment(&self) -> &(String, Vec<u8>) {
        let mut segments = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with("segment-"));
        let segment = segments.next().unwrap();
        assert!(segments.next().is_none(), "one segment");
        segment
    }

    /// What a start finds when the segment ends at `cut`: the newest records, and whether a tail
    /// was torn.
    pub fn cut(&self, cut: usize) -> (Vec<Vec<u8>>, bool) {
        let dir = scratch();
        for (name, octets) in &self.0 {
            let len = if name.starts_with("segment-") {
                cut.min(octets.len())
            } else {
                octets.len()
            };
            fs::write(dir.path().join(name), &octets[..len]).unwrap();
        }
        let (recovered, _log) = Log::open(dir.path(), LogOptions::default()).unwrap();
        let torn = recovered.summary().torn.is_some();
        (records(&recovered), torn)
    }
}

fn records(recovered: &Recovered) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let each = recovered.for_each_newest(|lsn, record| records.push(octets(lsn, record)));
    each.unwrap();
    records
}

fn octets(lsn: lessor::store::Lsn, record: &Record<'_>) -> Vec<u8> {
    let mut octets = vec![0; MAX_RECORD];
    let len = encode::encode(record, &mut octets).unwrap();
    octets.truncate(len);
    encode::seal(&mut octets, lsn);
    octets
}

/// Cuts and not lost power are the matter here, so memory will do for a disk.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
