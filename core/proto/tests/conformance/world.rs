//! A server on virtual time: shards, address words and a journal, and nothing else.

use crate::client::Msg;
use dhcp_proto::address::{AddressState, Directory, DirectoryBuilder, Space, Worker};
use dhcp_proto::binding::{BindingState, Bindings, Sizes, SlotIndex, Storage};
use dhcp_proto::config::{
    Addition, Boot, Config, LeaseTimes, Link, LinkAddress, NetworkKey, NetworkSpec, OptionEntry,
    OptionSet, PoolSpec, Prefix, ProbeRules, Reservation, Rules, Spec, SubnetSpec,
};
use dhcp_proto::identity::{HashKey, IdentityMode, shard_of};
use dhcp_proto::record::{Cause, Journal, Origin, Record, RecordKind, Sequence};
use dhcp_proto::restart::{Noted, Reading, Start, longest_grace};
use dhcp_proto::server::{
    self, Arrival, Client, Destination, Echo, Found, Notice, Outcome, Over, Parked, Plan, Probe,
    Rank, ReplyKind, Silence, Written,
};
use dhcp_proto::shard::{EndedByOperator, Room, Shard};
use dhcp_proto::time::{Instant, Wall};
use dhcp_wire::dhcp::{Message, code};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub const KEY: HashKey = HashKey([7; 16]);
/// The flag of a slot whose lease the clock holds.
const CLOCK_HELD: u8 = 2;
/// The second at which every world begins.
pub const START: u64 = 1_000_000;

pub fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

pub fn prefix(text: &str) -> Prefix {
    let (addr, len) = text.split_once('/').unwrap();
    Prefix::new(ip(addr), len.parse().unwrap()).unwrap()
}

/// A record with its octets owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    pub ring: usize,
    pub sequence: Sequence,
    pub kind: RecordKind,
    pub cause: Cause,
    pub space: u16,
    pub addr: Ipv4Addr,
    pub generation: u64,
    pub time: u64,
    pub expiry: u64,
    pub lease: u32,
    pub origin: Origin,
    pub giaddr: Ipv4Addr,
    pub identity: Vec<u8>,
    pub htype: u8,
    pub chaddr: Vec<u8>,
    pub agent_info: Vec<u8>,
}

impl Owned {
    pub fn record(&self) -> Record<'_> {
        Record {
            kind: self.kind,
            cause: self.cause,
            space: self.space,
            addr: self.addr,
            generation: self.generation,
            time: self.time,
            expiry: self.expiry,
            lease: self.lease,
            origin: self.origin,
            giaddr: self.giaddr,
            identity: &self.identity,
            htype: self.htype,
            chaddr: &self.chaddr,
            agent_info: &self.agent_info,
        }
    }
}

/// One worker's end of the journal: records in the order in which they are stamped.
#[derive(Debug)]
struct Ring<'w> {
    number: usize,
    log: &'w mut Vec<Owned>,
    expired: &'w mut Vec<Owned>,
    appended: &'w mut Sequence,
    room: bool,
}

impl Ring<'_> {
    fn owned(&self, r: &Record<'_>) -> Owned {
        Owned {
            ring: self.number,
            sequence: *self.appended,
            kind: r.kind,
            cause: r.cause,
            space: r.space,
            addr: r.addr,
            generation: r.generation,
            time: r.time,
            expiry: r.expiry,
            lease: r.lease,
            origin: r.origin,
            giaddr: r.giaddr,
            identity: r.identity.to_vec(),
            htype: r.htype,
            chaddr: r.chaddr.to_vec(),
            agent_info: r.agent_info.to_vec(),
        }
    }
}

impl Journal for Ring<'_> {
    fn has_room(&self) -> bool {
        self.room
    }

    fn append(&mut self, r: &Record<'_>) -> Sequence {
        assert!(self.room, "a record was written without room");
        *self.appended += 1;
        let record = self.owned(r);
        self.log.push(record);
        *self.appended
    }

    fn expired(&mut self, r: &Record<'_>) {
        let record = self.owned(r);
        self.expired.push(record);
    }

    fn durable(&self) -> Sequence {
        *self.appended
    }
}

/// What a world is made of; change it before [`Setup::world`].
#[derive(Debug)]
pub struct Setup {
    pub links: Vec<Link>,
    pub services: Vec<Ipv4Addr>,
    pub networks: Vec<Net>,
    pub shards: u16,
    pub bindings: usize,
}

/// A network, cloneable.
#[derive(Debug, Clone)]
pub struct Net {
    pub name: &'static str,
    pub identity: IdentityMode,
    pub rules: Rules,
    pub ignored_client_ids: Vec<Vec<u8>>,
    pub relays: Option<Vec<Ipv4Addr>>,
    pub subnets: Vec<Sub>,
    pub reservations: Vec<Reservation>,
}

/// A subnet, cloneable.
#[derive(Debug, Clone)]
pub struct Sub {
    pub prefix: Prefix,
    pub pools: Vec<PoolSpec>,
    pub excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    pub lease: LeaseTimes,
    pub options: Vec<(u8, Vec<u8>, bool)>,
    pub boot: Boot,
    pub server_id: Option<Ipv4Addr>,
    pub probe: ProbeRules,
}

pub fn pool(first: &str, last: &str) -> PoolSpec {
    PoolSpec {
        first: ip(first),
        last: ip(last),
    }
}

/// A subnet with one pool and the usual options.
pub fn subnet(of: &str, first: &str, last: &str) -> Sub {
    let prefix = prefix(of);
    let router = Ipv4Addr::from_bits(prefix.first().to_bits() + 1);
    Sub {
        prefix,
        pools: vec![pool(first, last)],
        excluded: Vec::new(),
        lease: LeaseTimes::default(),
        options: vec![
            (code::ROUTERS, router.octets().to_vec(), false),
            (code::DNS_SERVERS, vec![10, 0, 0, 53, 10, 0, 0, 54], false),
            (code::DOMAIN_NAME, b"example.net".to_vec(), false),
            (code::NTP_SERVERS, vec![10, 0, 0, 123], false),
        ],
        boot: Boot::default(),
        server_id: None,
        probe: ProbeRules::default(),
    }
}

pub fn net(name: &'static str, subnets: Vec<Sub>) -> Net {
    Net {
        name,
        identity: IdentityMode::ClientId,
        rules: Rules::default(),
        ignored_client_ids: Vec::new(),
        relays: None,
        subnets,
        reservations: Vec::new(),
    }
}

pub fn link(port: u8, vids: (u16, u16), addresses: &[&str]) -> Link {
    let address = |text: &&str| LinkAddress {
        addr: ip(text.split_once('/').unwrap().0),
        prefix: prefix(text),
    };
    Link::new(port, vids, addresses.iter().map(address).collect())
}

impl Default for Setup {
    /// 10.0.0.1 on port 0, with network "home" of 10.0.0.0/24 and its pool .10 to .20; network
    /// "far" of 10.9.0.0/24 behind relays, its pool .10 to .20.
    fn default() -> Self {
        Self {
            links: vec![link(0, (0, 0), &["10.0.0.1/24"])],
            services: Vec::new(),
            networks: vec![
                net(
                    "home",
                    vec![subnet("10.0.0.0/24", "10.0.0.10", "10.0.0.20")],
                ),
                net("far", vec![subnet("10.9.0.0/24", "10.9.0.10", "10.9.0.20")]),
            ],
            shards: 1,
            bindings: 256,
        }
    }
}

impl Setup {
    pub fn home(&mut self) -> &mut Net {
        &mut self.networks[0]
    }

    pub fn far(&mut self) -> &mut Net {
        &mut self.networks[1]
    }

    pub fn home_subnet(&mut self) -> &mut Sub {
        &mut self.networks[0].subnets[0]
    }

    fn spec(&self) -> Spec {
        let networks = (0..).zip(&self.networks).map(|(key, n)| NetworkSpec {
            name: n.name.into(),
            key: NetworkKey(key),
            space: Space(0),
            identity: n.identity,
            rules: n.rules,
            ignored_client_ids: n
                .ignored_client_ids
                .iter()
                .map(|id| id.clone().into_boxed_slice())
                .collect(),
            relays: n.relays.clone(),
            subnets: n.subnets.iter().map(Sub::spec).collect(),
            reservations: n.reservations.clone(),
        });
        Spec {
            links: self.links.clone(),
            service_addresses: self.services.iter().map(|a| (Space(0), *a)).collect(),
            networks: networks.collect(),
        }
    }

    fn config(&self, records: &[Owned]) -> Config {
        let spec = self.spec();
        let mut directory = Setup::name(Directory::builder(None), &spec);
        for record in records {
            directory.name(Space(record.space), record.addr);
        }
        Config::new(spec, directory.build())
    }

    /// Names all addresses of `spec`.
    fn name(mut directory: DirectoryBuilder, spec: &Spec) -> DirectoryBuilder {
        for network in &spec.networks {
            for subnet in &network.subnets {
                for pool in &subnet.pools {
                    directory.name_range(Space(0), pool.first, pool.last);
                }
            }
            for reservation in &network.reservations {
                directory.name_range(Space(0), reservation.addr, reservation.last());
            }
        }
        directory
    }

    pub fn world(self) -> World {
        World::new(self)
    }
}

impl Sub {
    fn spec(&self) -> SubnetSpec {
        let option = |(code, data, always): &(u8, Vec<u8>, bool)| OptionEntry {
            code: *code,
            data: data.clone().into_boxed_slice(),
            always: *always,
        };
        SubnetSpec {
            prefix: self.prefix,
            pools: self.pools.clone(),
            excluded: self.excluded.clone(),
            lease: self.lease,
            options: OptionSet::new(self.options.iter().map(option).collect()),
            boot: self.boot.clone(),
            server_id: self.server_id,
            probe: self.probe,
        }
    }
}

/// A server and its surroundings.
#[derive(Debug)]
pub struct World {
    pub setup: Setup,
    pub config: Config,
    pub shards: Vec<Shard>,
    pub log: Vec<Owned>,
    /// Leases that ran out.
    pub expired: Vec<Owned>,
    appended: Vec<Sequence>,
    pub room: bool,
    /// What the operator was told of.
    pub notices: Vec<Notice>,
    /// Probes of addresses that other shards asked for, each with the shard that makes it.
    pub sought: Vec<(usize, Probe)>,
    /// Inner time.
    pub now: Instant,
    /// Wall seconds ahead of it.
    pub wall: i64,
    /// The newest record of the time: when it was written, and what it says of a held clock.
    pub noted: Noted,
    /// What the last start made of the clock.
    pub start: Option<Start>,
    echo: Echo,
}

/// What a message came to.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "there are few at a time")]
pub enum Answer {
    Reply(Reply),
    Silence(Silence),
    Probe(Probe),
    Malformed(dhcp_wire::Malformed),
}

/// A reply as it went on the wire.
#[derive(Debug, Clone)]
pub struct Reply {
    pub kind: ReplyKind,
    pub octets: Vec<u8>,
    pub destination: Destination,
    pub parked: Option<Parked>,
    pub written: Written,
    pub plan: Plan,
    pub shard: usize,
}

impl Reply {
    pub fn message(&self) -> Message<'_> {
        Message::parse(&self.octets).unwrap()
    }

    pub fn yiaddr(&self) -> Ipv4Addr {
        self.message().yiaddr()
    }

    /// The value of an option, joined.
    pub fn option(&self, code: u8) -> Option<Vec<u8>> {
        let options = self.message().options().unwrap();
        options.get(code).map(|value| value.octets().collect())
    }

    pub fn u32(&self, code: u8) -> Option<u32> {
        self.message().options().unwrap().u32(code)
    }

    pub fn server_id(&self) -> Ipv4Addr {
        self.message()
            .options()
            .unwrap()
            .addr(code::SERVER_ID)
            .unwrap()
    }

    pub fn lease(&self) -> Option<u32> {
        self.u32(code::LEASE_TIME)
    }

    /// The codes of the options field, in order.
    pub fn codes(&self) -> Vec<u8> {
        let mut codes = Vec::new();
        let mut rest = &self.octets[240..];
        while let [code, tail @ ..] = rest {
            match *code {
                0 => rest = tail,
                255 => break,
                code => {
                    codes.push(code);
                    rest = &tail[1 + usize::from(tail[0])..];
                }
            }
        }
        codes
    }
}

impl Answer {
    #[track_caller]
    pub fn reply(self, kind: ReplyKind) -> Reply {
        match self {
            Self::Reply(reply) if reply.kind == kind => reply,
            other => panic!("expected {kind:?}, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn offer(self) -> Reply {
        self.reply(ReplyKind::Offer)
    }

    #[track_caller]
    pub fn ack(self) -> Reply {
        self.reply(ReplyKind::Ack)
    }

    #[track_caller]
    pub fn nak(self) -> Reply {
        self.reply(ReplyKind::Nak)
    }

    #[track_caller]
    pub fn silence(self) -> Silence {
        match self {
            Self::Silence(reason) => reason,
            other => panic!("expected silence, got {other:?}"),
        }
    }

    /// The probe that has to be made first.
    #[track_caller]
    pub fn probe(self) -> Probe {
        match self {
            Self::Probe(probe) => probe,
            other => panic!("expected a probe, got {other:?}"),
        }
    }

    #[track_caller]
    pub fn malformed(self) -> dhcp_wire::Malformed {
        match self {
            Self::Malformed(reason) => reason,
            other => panic!("expected a malformed message, got {other:?}"),
        }
    }
}

/// What the word of an address says.
pub fn state(world: &World, addr: Ipv4Addr) -> AddressState {
    world.config.cell(Space(0), addr).unwrap().load().state()
}

impl World {
    pub fn new(setup: Setup) -> Self {
        let config = setup.config(&[]);
        let mut world = Self {
            shards: Vec::new(),
            log: Vec::new(),
            expired: Vec::new(),
            appended: vec![0; usize::from(setup.shards)],
            room: true,
            notices: Vec::new(),
            sought: Vec::new(),
            now: Instant(START * 1000),
            wall: 0,
            noted: Noted::default(),
            start: None,
            echo: Echo::default(),
            config,
            setup,
        };
        world.shards = world.empty_shards();
        world
    }

    fn empty_shards(&self) -> Vec<Shard> {
        let shards = self.setup.shards;
        let shard = |me| {
            let sizes = Sizes::for_capacity(self.setup.bindings, 64 * 1024);
            let bindings = Bindings::new(Storage::leaked(sizes));
            let mut shard = Shard::new((Worker(me), shards), KEY, bindings, &self.config).unwrap();
            shard.set_wall(Wall { ahead: self.wall });
            shard
        };
        (0..u8::try_from(shards).unwrap()).map(shard).collect()
    }

    /// Ends the server and starts it again from its records, with as many shards as the setup
    /// says now.
    pub fn restart(&mut self) {
        self.config = self.setup.config(&self.log);
        self.appended = vec![0; usize::from(self.setup.shards)];
        self.shards = self.empty_shards();
        let reading = self.begin();
        let mut newest: BTreeMap<(u16, Ipv4Addr), (u64, usize)> = BTreeMap::new();
        for (lsn, record) in self.log.iter().enumerate() {
            let entry = newest.entry((record.space, record.addr)).or_insert((0, 0));
            *entry = (*entry).max((record.generation, lsn));
        }
        let mut lsns: Vec<_> = newest.into_values().map(|(_, lsn)| lsn).collect();
        lsns.sort_unstable();
        for lsn in lsns {
            let record = &self.log[lsn];
            let owner = if record.identity.is_empty() {
                usize::try_from(record.addr.to_bits()).unwrap() % self.shards.len()
            } else {
                usize::from(shard_of(KEY.hash(&record.identity), self.setup.shards))
            };
            self.shards[owner].restore(&self.config, &record.record(), &reading);
        }
        self.check();
    }

    /// Reserves an address while the server runs, in the order in which a server does it.
    pub fn add(&mut self, reservation: &Reservation) {
        let place = self.config.place_of(Space(0), reservation.addr).unwrap();
        let addition = Addition {
            network: self.config.network(place.network).unwrap().key,
            space: Space(0),
            addr: reservation.addr,
            client: reservation.client.clone(),
        };
        let mut added = self.config.added().clone();
        added.insert(addition.clone());
        self.config.close(&addition);
        self.config = self.config.with(added, [(Space(0), addition.addr)]);
        self.config.close(&addition);
    }

    /// Takes such a reservation away again.
    pub fn remove(&mut self, addr: Ipv4Addr) {
        let mut added = self.config.added().clone();
        let addition = added.remove(Space(0), addr).unwrap();
        self.config.open(&addition);
        self.config = self.config.with(added, []);
        self.config.open(&addition);
    }

    /// Reloads the configuration: the setup as it is now, at all shards between two messages.
    pub fn reload(&mut self) {
        let spec = self.setup.spec();
        let previous = Directory::builder(Some(self.config.directory()));
        let directory = Setup::name(previous, &spec).build();
        let done = self.shards.iter().map(Shard::regrouped).min().unwrap();
        self.config = Config::succeed(spec, directory, &self.config, done);
        for shard in &mut self.shards {
            let mut room = Room::new(self.config.keys());
            shard.on_reload(&self.config, Some(&mut room));
        }
        self.check();
    }

    /// Looks at the clock and at the newest record of the time, and writes the next one.
    fn begin(&mut self) -> Reading {
        let start = Start::new(self.wall_now(), &self.noted, &self.config);
        let now = self.now.secs();
        self.start = Some(start);
        self.noted.hold = start.hold;
        self.note_time();
        let ahead = i64::try_from(start.now).unwrap() - i64::from(now);
        Reading {
            now,
            wall: Wall { ahead },
            hold: start.hold,
        }
    }

    /// The record of the time, which a server writes each minute.
    fn note_time(&mut self) {
        let wall = self.wall_now();
        self.noted.newest = Some(wall);
        let grace = longest_grace(&self.config).as_secs();
        self.noted.hold = self.noted.hold.filter(|hold| hold.until + grace > wall);
    }

    /// The operator accepts the clock: it is on record, and the workers are told.
    pub fn accept_clock(&mut self) -> u64 {
        self.noted.hold = None;
        self.note_time();
        self.shards.iter_mut().map(Shard::accept_clock).sum()
    }

    /// The addresses whose leases the clock holds.
    pub fn clock_held(&self) -> Vec<Ipv4Addr> {
        let bindings = self.shards.iter().map(Shard::bindings);
        let slots = bindings.flat_map(|bindings| {
            let slots = (0..bindings.slots_used()).map(SlotIndex);
            slots.filter_map(|index| bindings.slot(index))
        });
        let held = slots.filter(|slot| slot.flags & CLOCK_HELD != 0);
        held.map(|slot| Ipv4Addr::from_bits(slot.addr)).collect()
    }

    /// The wall second it is.
    pub fn wall_now(&self) -> u64 {
        let now = u64::from(self.now.secs());
        now.checked_add_signed(self.wall).unwrap()
    }

    /// Lets `seconds` pass, with housekeeping each second.
    pub fn pass(&mut self, seconds: u64) {
        if seconds > 4000 {
            self.now = Instant(self.now.0 + (seconds - 4000) * 1000);
        }
        for _ in 0..seconds.min(4000) {
            self.now = Instant(self.now.0 + 1000);
            self.housekeep();
        }
    }

    pub fn housekeep(&mut self) {
        for ring in 0..self.shards.len() {
            let mut journal = Ring {
                number: ring,
                log: &mut self.log,
                expired: &mut self.expired,
                appended: &mut self.appended[ring],
                room: self.room,
            };
            self.shards[ring].turn(&self.config, self.now.secs(), 64, &mut journal);
        }
        self.note_time();
        self.check();
    }

    /// What one message comes to.
    pub fn send(&mut self, msg: Msg) -> Answer {
        self.send_octets(&msg, &msg.octets())
    }

    /// As [`World::send`], with a payload that `msg` does not make.
    pub fn send_octets(&mut self, msg: &Msg, payload: &[u8]) -> Answer {
        let answer = self.answer(msg, payload, None);
        self.note_time();
        self.check();
        answer
    }

    /// What a message is worth to the only shard.
    pub fn rank(&self, msg: &Msg) -> Rank {
        let payload = msg.octets();
        let message = Message::parse_request(&payload).unwrap();
        let options = message.options().unwrap();
        let arrival = arrival(msg, &payload);
        let query = server::admit(&self.config, &KEY, arrival, message, options).unwrap();
        server::rank(&query, &self.config, &self.shards[0], self.now.secs())
    }

    /// What the DISCOVER `msg` comes to when the probe that it waited for is over.
    pub fn probed(&mut self, msg: Msg, probe: Probe, found: Found) -> Answer {
        let answer = self.answer(&msg, &msg.octets(), Some(Over { probe, found }));
        self.note_time();
        self.check();
        answer
    }

    /// The end of a probe that a shard makes for another one.
    pub fn settle(&mut self, (shard, probe): (usize, Probe), found: Found) {
        let mut journal = Ring {
            number: shard,
            log: &mut self.log,
            appended: &mut self.appended[shard],
            room: self.room,
            expired: &mut self.expired,
        };
        let over = Over { probe, found };
        let shard = &mut self.shards[shard];
        let notice = server::settle(&over, self.now, &self.config, shard, &mut journal);
        self.notices.extend(notice);
        self.check();
    }

    fn answer(&mut self, msg: &Msg, payload: &[u8], over: Option<Over>) -> Answer {
        let arrival = arrival(msg, payload);
        let parsed = Message::parse_request(payload).and_then(|message| {
            let options = message.options()?;
            options.message_type()?;
            Ok((message, options))
        });
        let (message, options) = match parsed {
            Ok(parsed) => parsed,
            Err(reason) => return Answer::Malformed(reason),
        };
        let query = match server::admit(&self.config, &KEY, arrival, message, options) {
            Ok(query) => query,
            Err(reason) => return Answer::Silence(reason),
        };
        let owner = match &query.client {
            Client::Known(_, hash) => usize::from(shard_of(*hash, self.setup.shards)),
            Client::HolderOf(addr) => {
                let cell = self.config.cell(Space(0), *addr);
                cell.map_or(0, |cell| usize::from(cell.load().owner().0))
            }
            Client::Anyone => 0,
        };
        let mut journal = Ring {
            number: owner,
            log: &mut self.log,
            expired: &mut self.expired,
            appended: &mut self.appended[owner],
            room: self.room,
        };
        let shard = &mut self.shards[owner];
        let (now, config) = (self.now, &self.config);
        let outcome = match over {
            None => server::decide(&query, now, config, shard, &mut journal),
            Some(over) => server::resume(&query, &over, (now, config), shard, &mut journal),
        };
        self.carry_out(&outcome, owner);
        match (outcome.reply, outcome.probe) {
            (_, Some(probe)) => Answer::Probe(probe),
            (Ok(plan), None) => self.write(&plan, &query, owner),
            (Err(reason), None) => Answer::Silence(reason),
        }
    }

    /// What others are asked and told.
    fn carry_out(&mut self, outcome: &Outcome, owner: usize) {
        if let Some(ask) = outcome.ask {
            let ring = usize::from(ask.owner);
            let mut journal = Ring {
                number: ring,
                log: &mut self.log,
                expired: &mut self.expired,
                appended: &mut self.appended[ring],
                room: self.room,
            };
            let now = self.now.secs();
            let yielded = self.shards[ring].yield_to(&self.config, &ask, (now, &mut journal));
            if yielded == server::Yielded::Later {
                self.shards[owner].forget_question(&ask);
            }
        }
        self.notices.extend(outcome.notice);
        for other in (0..self.shards.len()).filter(|other| *other != owner) {
            let shard = &mut self.shards[other];
            let look = |seek| server::look_aside(&seek, self.now, &self.config, shard);
            let probe = outcome.seek.and_then(look);
            self.sought.extend(probe.map(|probe| (other, probe)));
        }
    }

    fn write(&mut self, plan: &Plan, query: &server::Query<'_>, shard: usize) -> Answer {
        let link = self.config.link(query.link).unwrap();
        let (network, _) = self.config.subnet(plan.place).unwrap();
        let most = link.mtu.min(network.rules.max_reply);
        self.echo.take(&query.message, &query.options, most);
        // What the query left in the buffer must not shine through.
        let mut octets = vec![0xa5; 1500];
        let written = server::write_reply(&self.config, plan, &self.echo, &mut octets).unwrap();
        octets.truncate(written.len);
        Answer::Reply(Reply {
            kind: plan.kind,
            octets,
            destination: plan.destination,
            parked: plan.wait,
            written,
            plan: *plan,
            shard,
        })
    }

    /// What an operator's wish to end the lease of an address comes to.
    pub fn end(&mut self, addr: Ipv4Addr, client: Option<&[u8]>) -> EndedByOperator {
        let word = self.config.cell(Space(0), addr).unwrap().load();
        let owner = usize::from(word.owner().0);
        let mut journal = Ring {
            number: owner,
            log: &mut self.log,
            expired: &mut self.expired,
            appended: &mut self.appended[owner],
            room: self.room,
        };
        let at = (self.now.secs(), &mut journal);
        let shard = &mut self.shards[owner];
        let ended = shard.end_by_operator(&self.config, (Space(0), addr), client, at);
        self.check();
        ended
    }

    /// Whether a parked reply may still be sent.
    pub fn stands(&self, reply: &Reply) -> bool {
        self.shards[reply.shard].stands(&reply.parked.unwrap())
    }

    /// A whole DORA exchange of `msg`'s client.
    #[track_caller]
    pub fn lease(&mut self, msg: &Msg) -> Reply {
        let offer = self.send(msg.clone().discover()).offer();
        let (addr, server) = (offer.yiaddr(), offer.server_id());
        self.send(msg.clone().request().requested(addr).server(server))
            .ack()
    }

    /// What must hold after every step: slots, words and counts say the same.
    pub fn check(&self) {
        let mut owned = BTreeMap::new();
        for shard in &self.shards {
            self.check_slots(shard, &mut owned);
        }
        for subnet in self.config.networks().iter().flat_map(|n| &n.subnets) {
            for addr in subnet.pools.iter().flat_map(|p| p.first..=p.last) {
                let cell = self.config.cell(Space(0), addr).unwrap();
                let state = cell.load().state();
                // Shut: no network had it when the store was read.
                let is_shut = state == AddressState::Bound && cell.slot() == SlotIndex::NONE.0;
                let has_owner = owned.contains_key(&addr);
                let wants_one = match state {
                    AddressState::Free | AddressState::Remembered => false,
                    AddressState::Held | AddressState::Bound | AddressState::SetAside => !is_shut,
                };
                assert_eq!(has_owner, wants_one, "{addr} is {state:?}");
            }
        }
    }

    /// Each slot with a right to an address is the only one, and its word says so.
    fn check_slots(&self, shard: &Shard, owned: &mut BTreeMap<Ipv4Addr, SlotIndex>) {
        let (mut offered, mut active, mut set_aside, mut held) = (0, 0, 0, 0);
        let bindings = shard.bindings();
        let mut at = SlotIndex::NONE;
        while let Some(index) = bindings.next_after(at) {
            at = index;
            let slot = bindings.slot(index).unwrap();
            let addr = Ipv4Addr::from_bits(slot.addr);
            if slot.flags & CLOCK_HELD != 0 {
                held += 1;
                assert_eq!(slot.state, BindingState::Active, "{addr} is held");
            }
            let Some(cell) = self.config.cell(Space(0), addr) else {
                assert_eq!(slot.addr, 0, "{addr} has no word");
                continue;
            };
            let word = cell.load();
            let own =
                word.owner() == shard.worker() && word.generation().number() == slot.generation();
            let (count, state) = match slot.state {
                BindingState::Offered => (&mut offered, AddressState::Held),
                BindingState::Active => (&mut active, AddressState::Bound),
                // Until its grace is over.
                BindingState::Expired if own && word.state() == AddressState::Bound => {
                    (&mut active, AddressState::Bound)
                }
                BindingState::Abandoned => (&mut set_aside, AddressState::SetAside),
                BindingState::Available | BindingState::Expired | BindingState::Released => {
                    continue;
                }
            };
            *count += 1;
            assert!(own && word.state() == state, "{addr}: {slot:?}, {word:?}");
            assert_eq!(cell.slot(), index.0, "{addr}: its word names another slot");
            let other = owned.insert(addr, index);
            assert_eq!(other, None, "{addr} has two owners");
        }
        let counts = shard.counts();
        assert_eq!(
            (counts.offered, counts.active, counts.set_aside),
            (offered, active, set_aside)
        );
        assert_eq!(counts.clock_held, held);
        assert_eq!(counts.inconsistent, 0, "slot and word disagree: {shard:?}");
    }
}

fn arrival<'a>(msg: &Msg, payload: &'a [u8]) -> Arrival<'a> {
    Arrival {
        origin: Origin {
            port: msg.port,
            outer_vid: msg.vids.0,
            inner_vid: msg.vids.1,
        },
        l2_src: msg.l2_src,
        ip_src: msg.ip_src,
        ip_dst: msg.ip_dst,
        src_port: msg.src_port,
        payload,
    }
}
