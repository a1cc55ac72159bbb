//! What the benches share: one network of ten million addresses, its clients, and what they send.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a bench that cannot start ends"
)]

pub mod fill;

use core::net::Ipv4Addr;
use dhcp_proto::address::{Directory, Space, Worker};
use dhcp_proto::binding::{Bindings, Bucket, Page, Sizes, Slot, Storage};
use dhcp_proto::config::{
    Boot, Config, LeaseTimes, Link, LinkAddress, NetworkKey, NetworkSpec, OptionEntry, OptionSet,
    PoolSpec, Prefix, ProbeRules, Rules, Spec, SubnetSpec,
};
use dhcp_proto::identity::{HashKey, IdentityMode, shard_of};
use dhcp_proto::record::{Cause, Origin, Record, RecordKind};
use dhcp_proto::restart::Reading;
use dhcp_proto::shard::{Restored, Shard};
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::{Header, Writer, code, op};
use dhcp_wire::ethernet::{Mac, Tags};
use dhcp_wire::frame::{self, FrameOut};
use dhcp_wire::udp::{Fill, port};
use hugemem::Pages;

/// The server, on the link of its clients.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// Its hardware address.
pub const SERVER_MAC: Mac = Mac([2, 0xff, 0, 0, 0, 1]);
/// The secret of the hash.
pub const KEY: HashKey = HashKey([7; 16]);
/// The moment of a bench, which stands still.
pub const NOW: Instant = Instant::from_secs(1_800_000_000);
/// A lease that outlasts every bench.
const LEASE: u32 = 86_400;
/// The first address of the pool.
pub const FIRST: u32 = 0x0a00_0100;

/// One network with room for `addresses` clients, on its own link.
#[must_use]
pub fn spec(addresses: u32) -> Spec {
    let prefix = Prefix::new(SERVER, 8).expect("a prefix");
    let option = |code, data: &[u8]| OptionEntry {
        code,
        data: data.into(),
        always: false,
    };
    let subnet = SubnetSpec {
        prefix,
        pools: vec![PoolSpec {
            first: FIRST.into(),
            last: (FIRST + addresses - 1).into(),
        }],
        excluded: Vec::new(),
        lease: LeaseTimes {
            default: LEASE,
            ..LeaseTimes::default()
        },
        options: OptionSet::new(vec![
            option(code::ROUTERS, &SERVER.octets()),
            option(code::DNS_SERVERS, &[10, 0, 0, 2, 10, 0, 0, 3]),
            option(code::DOMAIN_NAME, b"example.net"),
        ]),
        boot: Boot::default(),
        server_id: None,
        probe: ProbeRules::default(),
    };
    let network = NetworkSpec {
        name: "access".into(),
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
    Spec {
        links: vec![Link::new(0, (0, 0), vec![address])],
        networks: vec![network],
        ..Spec::default()
    }
}

/// A configuration of `spec`, with its words.
#[must_use]
pub fn configure(spec: Spec) -> Config {
    let mut directory = Directory::builder(None);
    for pool in spec.networks.iter().flat_map(|n| &n.subnets[0].pools) {
        directory.name_range(Space(0), pool.first, pool.last);
    }
    Config::new(spec, directory.build())
}

/// A shard with room for `capacity` bindings, on huge pages if there are enough, of which the
/// clients below `leased` hold the addresses of their numbers; and the pages that it stands on.
#[must_use]
pub fn shard(config: &Config, capacity: u32, leased: u32) -> (Shard, Pages) {
    let (mut shards, pages) = shards(config, (capacity, leased), 1);
    (shards.swap_remove(0), pages)
}

/// The same for `workers` shards, each with room for all; a client is in the one that it belongs
/// to.
#[must_use]
pub fn shards(config: &Config, (capacity, leased): (u32, u32), workers: u8) -> (Vec<Shard>, Pages) {
    let mut pages = Pages::Huge;
    let mut empty = |worker| {
        let (bindings, under) = tables(capacity);
        if under == Pages::Ordinary {
            pages = under;
        }
        let place = (Worker(worker), u16::from(workers));
        Shard::new(place, KEY, bindings, config).expect("few networks")
    };
    let mut shards: Vec<Shard> = (0..workers).map(&mut empty).collect();
    for client in (0..leased).map(Client) {
        let (mac, identity) = (client.mac(), client.identity());
        let second = u64::from(NOW.secs());
        let record = Record {
            kind: RecordKind::Active,
            cause: Cause::Unsaid,
            space: 0,
            addr: client.addr(),
            generation: 1,
            time: second,
            // Spread over the second half of a lease, as in a network that has run for a while.
            expiry: second + u64::from(LEASE / 2 + client.0 % (LEASE / 2)),
            lease: LEASE,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity: &identity,
            htype: 1,
            chaddr: &mac.0,
            agent_info: &[],
        };
        let owner = usize::from(client.owner(workers));
        let restored = shards[owner].restore(config, &record, &Reading::at(NOW.secs()));
        assert_eq!(restored, Restored::Taken);
    }
    (shards, pages)
}

/// Empty tables, and the pages under their slots.
fn tables(capacity: u32) -> (Bindings, Pages) {
    let sizes = Sizes::for_capacity(capacity as usize, 0);
    let slots = hugemem::slice_with(sizes.slots, |_| Slot::EMPTY).expect("slots");
    let storage = Storage {
        buckets: hugemem::slice_with(sizes.buckets, |_| Bucket::EMPTY)
            .expect("buckets")
            .slice,
        slots: slots.slice,
        pages: hugemem::slice_with(sizes.pages, |_| Page::EMPTY)
            .expect("pages")
            .slice,
    };
    (Bindings::new(storage), slots.pages)
}

/// A client by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(pub u32);

impl Client {
    /// A MAC as a cable modem has it.
    #[must_use]
    pub fn mac(self) -> Mac {
        let [a, b, c, d] = self.0.to_be_bytes();
        Mac([0x00, 0x1f, a, b, c, d])
    }

    /// What its binding is found by.
    fn identity(self) -> [u8; 8] {
        let mut identity = [2, 1, 0, 0, 0, 0, 0, 0];
        identity[2..].copy_from_slice(&self.mac().0);
        identity
    }

    /// The worker among `workers` that owns it.
    #[must_use]
    pub fn owner(self, workers: u8) -> u16 {
        shard_of(KEY.hash(&self.identity()), workers.into())
    }

    /// The address that the client of a [`shard`] holds.
    #[must_use]
    pub fn addr(self) -> Ipv4Addr {
        (FIRST + self.0).into()
    }
}

/// `count` clients from number `from` on, in an order that has nothing to do with that of their
/// slots.
#[must_use]
pub fn shuffled(from: u32, count: u32) -> Vec<Client> {
    let mut clients: Vec<Client> = (from..from + count).map(Client).collect();
    // SplitMix64, and the shuffle of Fisher and Yates.
    let mut state = 0_u64;
    for at in (1..clients.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let other = (mixed ^ (mixed >> 31)) % (at as u64 + 1);
        clients.swap(at, usize::try_from(other).unwrap_or(0));
    }
    clients
}

/// What a client sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Say {
    /// A DISCOVER.
    Discover,
    /// The REQUEST for an offered address.
    Request(Ipv4Addr),
    /// The REQUEST that renews a lease.
    Renew(Ipv4Addr),
    /// A RELEASE.
    Release(Ipv4Addr),
}

impl Say {
    /// IP source and destination.
    #[must_use]
    pub fn ends(self) -> (Ipv4Addr, Ipv4Addr) {
        match self {
            Self::Discover | Self::Request(_) => (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
            Self::Renew(addr) | Self::Release(addr) => (addr, SERVER),
        }
    }

    /// Writes the message of `client` to the front of `buf`; says how long it is.
    pub fn write(self, client: Client, buf: &mut [u8]) -> usize {
        let (kind, ciaddr) = match self {
            Self::Discover => (1, Ipv4Addr::UNSPECIFIED),
            Self::Request(_) => (3, Ipv4Addr::UNSPECIFIED),
            Self::Renew(addr) => (3, addr),
            Self::Release(addr) => (7, addr),
        };
        let mut writer = Writer::new(buf, 548, &header(client, ciaddr)).expect("room");
        let mut option = |code, data: &[u8]| writer.option(code, data).expect("room");
        option(code::MESSAGE_TYPE, &[kind]);
        if let Self::Request(addr) = self {
            option(code::REQUESTED_ADDRESS, &addr.octets());
            option(code::SERVER_ID, &SERVER.octets());
        }
        if let Self::Release(_) = self {
            option(code::SERVER_ID, &SERVER.octets());
        } else {
            option(code::VENDOR_CLASS, b"MSFT 5.0");
            let asked = [1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252];
            option(code::PARAMETER_REQUEST_LIST, &asked);
        }
        writer.finish(&[]).len
    }

    /// Writes the whole frame to the front of `buf`; says how long it is.
    pub fn write_frame(self, client: Client, buf: &mut [u8]) -> usize {
        let at = frame::headers_len(Tags::default());
        let payload_len = self.write(client, &mut buf[at..]);
        let (src, dst) = self.ends();
        let out = FrameOut {
            dst_mac: if dst.is_broadcast() {
                Mac::BROADCAST
            } else {
                SERVER_MAC
            },
            src_mac: client.mac(),
            tags: Tags::default(),
            src,
            dst,
            src_port: port::CLIENT,
            dst_port: port::SERVER,
            ttl: 64,
            tos: 0,
            id: 0,
            payload_len,
            udp_checksum: Fill::Computed,
        };
        frame::write_headers(buf, &out).expect("room")
    }
}

fn header(client: Client, ciaddr: Ipv4Addr) -> Header {
    let mut hardware = [0; 16];
    hardware[..6].copy_from_slice(&client.mac().0);
    Header {
        op: op::REQUEST,
        htype: 1,
        hlen: 6,
        hops: 0,
        xid: client.0,
        secs: 0,
        flags: 0,
        ciaddr,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr: hardware,
    }
}
