//! Clients, wires, a disk, clocks, and a server that may not be there.

use super::air::{Air, From};
use super::beliefs::Beliefs;
use super::client::{Client, Fate, Lease, Millis, NEVER, State};
use super::dice::Dice;
use super::flood::Flood;
use super::frame;
use super::judge::Judge;
use super::ledger::Ledger;
use super::message::{Kind, Query};
use super::offers::Offers;
use super::office::Office;
use super::scenario::{Scenario, Weather};
use super::server::{Clocks, Server};
use super::strangers::Strangers;
use super::tally::Tally;
use super::trace::Trace;
use dhcp_proto::address::AddressState;
use lessor::store::medium::memory::{Faults, MemoryMedium};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub(super) struct World {
    pub(super) scenario: Scenario,
    pub(super) clients: Vec<Client>,
    /// When which client wakes.
    pub(super) timers: BTreeSet<(Millis, usize)>,
    /// What each client may expect of the server.
    pub(super) judges: Vec<Judge>,
    pub(super) air: Air,
    pub(super) server: Option<Server>,
    /// When the server is back.
    pub(super) back: Millis,
    /// When it began.
    pub(super) began: Millis,
    pub(super) disk: MemoryMedium,
    pub(super) ledger: Ledger,
    /// What the last server left, if it stopped in order.
    pub(super) left: Option<Left>,
    pub(super) clocks: Clocks,
    /// When the server last refused messages for want of time or room, and how many it has.
    pub(super) strained: Millis,
    refused: u64,
    /// How far ahead a clock ever was, milliseconds.
    pub(super) ahead: i64,
    pub(super) beliefs: Beliefs,
    pub(super) offers: Offers,
    pub(super) strangers: Strangers,
    pub(super) flood: Flood,
    pub(super) office: Office,
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
            judges: vec![Judge::default(); clients.len()],
            air: Air::new(scenario.weather),
            scenario,
            clients,
            server: None,
            back: 0,
            began: 0,
            disk: MemoryMedium::default(),
            ledger: Ledger::default(),
            left: None,
            clocks: Clocks::new(),
            ahead: 0,
            strained: 0,
            refused: 0,
            beliefs: Beliefs::default(),
            offers: Offers::default(),
            strangers: Strangers::default(),
            flood: Flood::default(),
            office: Office::default(),
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
        let file = world.scenario.toml(&world.scenario.layouts.now);
        world.trace.line(0, format_args!("{file}"));
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
            self.go_on_flooding();
        }
        if self.server.is_none() && self.clocks.now >= self.back {
            self.start();
        }
        self.work();
        self.look_after_strangers();
        self.look_for_strain();
    }

    /// A step in which nothing goes wrong but that the server may end, and clients say nothing new.
    pub(super) fn go_on(&mut self) {
        self.clocks.now += self.dice.between(1, self.scenario.pace);
        self.ledger.tell(self.clocks.now);
        self.deliver();
        if !self.calm && self.dice.one_in(200) {
            self.end();
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
                strangers: &self.strangers,
            };
            let query = self.clients[client].wake(now, &mut fate);
            self.after(client, before, query);
        }
    }

    fn look_for_strain(&mut self) {
        let refused = self.server.as_ref().map_or(0, Server::refused);
        if refused > self.refused {
            self.strained = self.clocks.now;
        }
        self.refused = refused;
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
            let from = From::Client(at, client.xid, query);
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
            if server.give(&frame, &mut self.dice) {
                self.arrived(from);
            }
        }
        while let Some((at, parcel)) = self.air.arrived_at_client(now) {
            let before = self.clients[at].lease;
            let mut fate = Fate {
                dice: &mut self.dice,
                calm: self.calm,
                strangers: &self.strangers,
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

    /// The server has a frame.
    fn arrived(&mut self, from: From) {
        match from {
            From::Client(at, xid, query) => match query.kind {
                Kind::Discover => self.expect_offer(at),
                Kind::Request | Kind::Release | Kind::Decline => {
                    self.expect_answer(at, (xid, &query));
                }
                Kind::Inform => {}
            },
            From::Stranger(addr) => self.heard_stranger(addr),
            From::Other => {}
        }
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

    /// All clients are switched off.
    pub(super) fn switch_off(&mut self) {
        self.timers.clear();
        for client in &mut self.clients {
            client.switch_off();
            debug_assert_eq!(client.wakes, NEVER);
        }
    }
}
