//! Clients, wires, a disk, clocks, and a server that may not be there.

use super::air::Air;
use super::beliefs::Beliefs;
use super::client::{Client, Fate, Lease, Millis, NEVER, State};
use super::dice::Dice;
use super::frame::{self, Parcel, Sent};
use super::ledger::Ledger;
use super::message::{Kind, Query, ReplyKind};
use super::scenario::{GATEWAY, Scenario, Weather};
use super::server::{Clocks, Server};
use super::tally::Tally;
use super::trace::Trace;
use dhcp_proto::address::AddressState;
use lessor::dataplane::port_mem::MemFrame;
use lessor::store::medium::memory::{Faults, MemoryMedium};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// DISCOVERs that may go unanswered while there are addresses for all who want one.
const PATIENCE: u32 = 10;

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) clients: Vec<Client>,
    /// When which client wakes.
    pub(super) timers: BTreeSet<(Millis, usize)>,
    /// DISCOVERs of each client that the server had and did not answer.
    pub(super) unanswered: Vec<u32>,
    pub(super) air: Air,
    pub(super) server: Option<Server>,
    /// When the server is back.
    pub(super) back: Millis,
    pub(super) disk: MemoryMedium,
    pub(super) ledger: Ledger,
    /// What the last server left, if it stopped in order.
    pub(super) left: Option<Left>,
    pub(super) clocks: Clocks,
    pub(super) beliefs: Beliefs,
    pub(super) dice: Dice,
    /// Nothing goes wrong any more.
    pub(super) calm: bool,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    /// What the counters said at the last look.
    pub(super) told: Tally,
}

/// What a server left that stopped in order.
pub(super) struct Left {
    /// What its words said.
    pub(super) states: BTreeMap<Ipv4Addr, AddressState>,
    /// How far its clock was ahead of the truth, milliseconds.
    pub(super) ahead: i64,
}

impl World {
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let (scenario, clients) = Scenario::new(&mut dice);
        let timers = clients
            .iter()
            .enumerate()
            .map(|(at, client)| (client.wakes, at));
        let mut world = Self {
            timers: timers.collect(),
            unanswered: vec![0; clients.len()],
            air: Air::new(scenario.weather),
            scenario,
            clients,
            server: None,
            back: 0,
            disk: MemoryMedium::default(),
            ledger: Ledger::default(),
            left: None,
            clocks: Clocks::new(),
            beliefs: Beliefs::default(),
            dice,
            calm: false,
            tally: Tally::default(),
            trace,
            told: Tally::default(),
        };
        world.beliefs.step_wall(0, 0);
        world
            .trace
            .line(0, format_args!("{:?}", world.scenario.weather));
        world
            .trace
            .line(0, format_args!("{}", world.scenario.toml()));
        world
    }

    /// Nothing is lost, broken or switched off from now on; clients stay bound once they are.
    pub(super) fn calm_down(&mut self) {
        self.calm = true;
        self.air.weather = Weather::FINE;
        self.disk.fail(Faults::default());
        self.back = self.back.min(self.clocks.now);
    }

    /// A little time, and whatever happens in it.
    pub(super) fn step(&mut self) {
        self.clocks.now += self.dice.between(1, 2 * self.scenario.pace);
        self.ledger.tell(self.clocks.now);
        self.wake();
        self.deliver();
        if !self.calm {
            self.misfortune();
        }
        if self.server.is_none() && self.clocks.now >= self.back {
            self.start();
        }
        self.work();
    }

    /// Time passes and the server works, without anybody who says anything.
    pub(super) fn pass(&mut self, millis: Millis) {
        self.clocks.now += millis;
        self.ledger.tell(self.clocks.now);
        for _ in 0..4 {
            let Self {
                server,
                clocks,
                dice,
                ..
            } = self;
            if let Some(server) = server {
                server.all(clocks, dice);
            }
        }
        self.collect();
    }

    fn wake(&mut self) {
        while let Some((at, client)) = self.timers.first().copied()
            && at <= self.clocks.now
        {
            self.timers.pop_first();
            let before = self.clients[client].lease;
            let now = self.clocks.now;
            let mut fate = Fate {
                dice: &mut self.dice,
                calm: self.calm,
            };
            let query = self.clients[client].wake(now, &mut fate);
            self.after(client, before, query);
        }
    }

    /// What follows from what a client has done.
    fn after(&mut self, at: usize, before: Option<Lease>, query: Option<Query>) {
        let client = &self.clients[at];
        let (number, device) = (client.nature.number, client.nature.device);
        self.timers.insert((client.wakes, at));
        if client.lease != before {
            if let Some(lease) = before {
                self.beliefs.forget(number, lease.addr);
            }
            if let Some(lease) = &client.lease {
                self.beliefs.hold(number, device, lease);
            }
        }
        if let Some(query) = query {
            let home = &self.scenario.homes[client.nature.home];
            let frame = frame::of_query(&query, client, home, self.clocks.now);
            let from = Some((at, query));
            self.air
                .send_up((&frame, from), self.clocks.now, &mut self.dice);
            let (xid, state) = (client.xid, client.state);
            self.tally.queries += 1;
            self.trace.line(
                self.clocks.now,
                format_args!("client {number} {state:?} xid {xid:08x} says {query:?}"),
            );
        }
    }

    /// Frames arrive, at the server and at clients.
    fn deliver(&mut self) {
        let now = self.clocks.now;
        while let Some((frame, from)) = self.air.arrived_at_server(now) {
            let Some(server) = &self.server else { continue };
            if server.give(&frame, &mut self.dice)
                && let Some((client, query)) = from
                && query.kind == Kind::Discover
            {
                self.expect_answer(client);
            }
        }
        while let Some((at, parcel)) = self.air.arrived_at_client(now) {
            let before = self.clients[at].lease;
            let mut fate = Fate {
                dice: &mut self.dice,
                calm: self.calm,
            };
            let client = &mut self.clients[at];
            let wakes = client.wakes;
            let heard = client.hear(&parcel.reply, now, &mut fate);
            let query = heard.unwrap_or_else(|wrong| panic!("client {at}: {wrong}"));
            self.timers.remove(&(wakes, at));
            if before.is_none() && self.clients[at].state == State::Bound {
                self.tally.bound += 1;
            }
            self.after(at, before, query);
        }
    }

    /// Counts a DISCOVER that the server has; no client is left without answers while there are
    /// addresses for all who want one.
    fn expect_answer(&mut self, client: usize) {
        self.unanswered[client] += 1;
        let home = self.clients[client].nature.home;
        if self.ledger.is_troubled() || (self.unanswered[client] > 1 && !self.is_plenty(home)) {
            self.unanswered[client] = 0;
        }
        assert!(
            self.unanswered[client] < PATIENCE,
            "client {client} starves while addresses are free"
        );
    }

    /// The server's threads have their turns, in any order and not all of them.
    fn work(&mut self) {
        let workers = self.server.as_ref().map_or(0, Server::workers);
        for _ in 0..self.dice.between(1, 3 + 2 * workers as u64) {
            self.turn();
        }
        // None is without a turn for longer than this.
        let first = self.dice.index(workers.max(1));
        for worker in (0..workers).cycle().skip(first).take(workers) {
            if let Some(server) = &mut self.server {
                server.housekeep(worker, &self.clocks);
                server.poll(worker, &self.clocks);
            }
            self.collect();
        }
    }

    /// One thread of the server has its turn, and what it has sent is seen before anything else.
    fn turn(&mut self) {
        let Self {
            server,
            clocks,
            dice,
            ledger,
            ..
        } = self;
        let Some(server) = server else { return };
        let worker = dice.index(server.workers());
        match dice.roll(10) {
            0..6 => server.poll(worker, clocks),
            6 => server.housekeep(worker, clocks),
            7..9 => {
                if dice.one_in(4) {
                    ledger.let_retry();
                }
                server.commit(clocks);
            }
            _ => server.keep_house(&mut dice.fork()),
        }
        self.collect();
    }

    pub(super) fn collect(&mut self) {
        if let Some(server) = &self.server {
            let sent = server.take_sent();
            if self.trace.is_on() {
                self.trace_counters();
            }
            self.look_at(&sent);
        }
    }

    /// Why messages were not answered since the last look.
    fn trace_counters(&mut self) {
        let Some(server) = &self.server else { return };
        let mut told = Tally::default();
        told.count(server.counters());
        for (name, count) in &told.silences {
            let before = self.told.silences.get(name).copied().unwrap_or(0);
            if *count > before {
                let line = format_args!("{name} {}", count - before);
                self.trace.line(self.clocks.now, line);
            }
        }
        self.told = told;
    }

    /// What the server has sent is looked at before it is lost, delayed or doubled.
    fn look_at(&mut self, sent: &[MemFrame]) {
        for frame in sent {
            let sent = Sent::parse(&frame.octets);
            match sent.unwrap_or_else(|wrong| panic!("a frame of the server: {wrong}")) {
                Sent::Question(addr) if addr == GATEWAY => {
                    let answer = frame::gateway_answer(addr);
                    self.air
                        .send_up((&answer, None), self.clocks.now, &mut self.dice);
                }
                Sent::Question(_) | Sent::Other => {}
                Sent::Reply(parcel) => self.look_at_reply(parcel),
            }
        }
    }

    fn look_at_reply(&mut self, parcel: Parcel) {
        let reply = parcel.reply;
        let at = usize::try_from(reply.xid >> 16).expect("a number");
        let client = self.clients.get(at).expect("a reply to nobody");
        let home = &self.scenario.homes[client.nature.home];
        let (device, number) = (client.nature.device, client.nature.number);
        let (kind, addr) = (reply.kind, reply.yiaddr);
        assert_eq!(
            reply.chaddr, client.nature.mac,
            "chaddr of a reply to client {number}"
        );
        assert!(
            parcel.reaches(client, home),
            "client {number} never sees {parcel:?}"
        );
        self.unanswered[at] = 0;
        if kind != ReplyKind::Nak {
            assert!(
                home.contains(addr),
                "client {number} has {addr} of another network"
            );
            let kept = self.scenario.reserved.get(&addr);
            assert!(
                kept.is_none_or(|owner| *owner == device),
                "{kind:?} of {addr} to client {number}, which is reserved for device {kept:?}"
            );
            let rival = self.beliefs.rival(addr, device, self.clocks.now);
            assert!(
                rival.is_none(),
                "{kind:?} of {addr} to client {number}, which client {rival:?} has"
            );
        }
        if kind == ReplyKind::Ack {
            self.check_durable(&parcel, number);
        }
        match kind {
            ReplyKind::Offer => self.tally.offers += 1,
            ReplyKind::Ack => self.tally.acks += 1,
            ReplyKind::Nak => self.tally.naks += 1,
        }
        self.trace.line(
            self.clocks.now,
            format_args!("the server says {kind:?} of {addr} to client {number}"),
        );
        self.air
            .send_down((at, parcel), self.clocks.now, &mut self.dice);
    }

    /// What an ACK states is on disk when it leaves.
    fn check_durable(&self, parcel: &Parcel, number: u32) {
        let reply = &parcel.reply;
        let lease = reply.lease.map_or(0, u64::from);
        let stated = self.ledger.has_stated(reply.yiaddr, reply.chaddr, lease);
        assert!(
            stated,
            "an ACK of {} to client {number} leaves, and on disk is {:?}",
            reply.yiaddr,
            self.ledger.of(reply.yiaddr)
        );
    }

    /// All clients are switched off.
    pub(super) fn switch_off(&mut self) {
        self.timers.clear();
        for client in &mut self.clients {
            client.switch_off();
            debug_assert_eq!(client.wakes, NEVER);
        }
    }
}
