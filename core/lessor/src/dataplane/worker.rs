//! The poll loop of one worker. Nothing here locks, logs, allocates or calls the kernel.
//!
//! ```text
//!  queue ─► burst ─► read (parse, network, client) ─► decide ─► write over the query ─┬─► queue
//!             ▲          │  prefetch bucket │ prefetch slot                           │
//!             │          ▼                  ▼                                         │
//!        other workers ◄─┘         records ─► journal ring ··· watermark ─► parked reply
//! ```
//!
//! A message of a client that another worker owns goes there as it came, and is answered from
//! there.

mod answers;
mod noting;
mod probing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant as Moment;

use dhcp_proto::config::Config;
use dhcp_proto::limit::Limits;
use dhcp_proto::record::Journal;
use dhcp_proto::server::{
    self, Ask, Echo, Notice, Outcome, Parked, Plan, Probe, Query, Rank, Yielded,
};
use dhcp_proto::shard::Shard;
use dhcp_proto::time::{Instant, Wall};
use dhcp_wire::dhcp::Message;
use dhcp_wire::frame;
use rtrb::Producer;

use super::ahead;
use super::arrival::Arrival;
use super::clock::Clock;
use super::counters::{Counters, DropReason, Event};
use super::desk::Desk;
use super::exchange::{self, Received, Source};
use super::gate::{Gate, Load, drop_copies};
use super::gauges::Gauges;
use super::handover::{self, Handed, Peers};
use super::host::Host;
use super::latency::Stopwatch;
use super::parked::{Due, ParkedReplies};
use super::port::{Facts, Packet, Port};
use super::ports::{BURST, Ports};
use super::probes::Probes;
use super::subscription::Subscription;
use super::trace::{Fate, Ticket, Trace};

/// Polls between two turns of housekeeping.
const POLLS: u32 = 256;
/// Timers, and slots of the sweep, that one turn of housekeeping goes through.
const TIMERS: usize = 64;

/// What a worker is made of.
#[derive(Debug)]
pub struct Parts<P: Port, J> {
    /// Its queues.
    pub ports: Ports<P>,
    /// Its ends of the rings to and from the other workers.
    pub peers: Peers<P::Packet>,
    /// Its side of being a host.
    pub host: Host<P::Packet>,
    /// Its bindings.
    pub shard: Shard,
    /// Its end of the journal ring.
    pub journal: J,
    /// Its parked replies.
    pub parked: ParkedReplies<P::Packet>,
    /// Its probes, and the DISCOVERs that wait for them.
    pub probes: Probes<P::Packet>,
    /// The configuration.
    pub snapshot: Subscription,
    /// The token buckets of all workers.
    pub limits: Arc<Limits>,
    /// Its counters.
    pub counters: Arc<Counters>,
    /// Its gauges.
    pub gauges: Arc<Gauges>,
    /// What the operator is told goes here.
    pub notices: Producer<Notice>,
    /// Where control asks.
    pub desk: Desk,
    /// Its last decisions.
    pub trace: Trace,
}

/// One poll thread: a queue pair of every port and one shard.
#[derive(Debug)]
pub struct Worker<P: Port, J> {
    parts: Parts<P, J>,
    load: Load,
    echo: Box<Echo>,
    burst: Burst<P::Packet>,
    stopwatch: Stopwatch,
}

/// Packets that are dealt with together.
#[derive(Debug)]
struct Burst<K> {
    /// Empty between polls; its capacity is one burst.
    packets: Vec<K>,
    /// The port of each.
    ports: [u8; BURST],
    /// Whether another worker gave them.
    handed: bool,
}

impl<K> Burst<K> {
    fn empty(packets: Vec<K>) -> Self {
        Self {
            packets,
            ports: [0; BURST],
            handed: false,
        }
    }

    /// Adds a packet; there is room for it.
    fn push(&mut self, packet: K, port: u8) {
        if let Some(place) = self.ports.get_mut(self.packets.len()) {
            *place = port;
            self.packets.push(packet);
        }
    }

    /// The packets, each with where it came from.
    fn sources(&self) -> impl Iterator<Item = (&K, Source)> {
        let handed = self.handed;
        let source = move |(packet, port)| (packet, Source { port, handed });
        self.packets.iter().zip(self.ports).map(source)
    }
}

/// What is to be done with a packet of a burst.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    Host,
    HandOver(u8, Rank),
    Reply(Reply),
    Probe(Probe, Arrival),
    Done,
}

/// A reply that is to be written.
#[derive(Debug, Clone, Copy)]
struct Reply {
    plan: Plan,
    arrival: Arrival,
    /// Where its decision is noted.
    ticket: Ticket,
}

/// What a message came to, as far as its packet is concerned.
#[allow(
    clippy::large_enum_variant,
    reason = "the packet path allocates nothing"
)]
enum Decided {
    Plan(Plan),
    Probe(Probe),
    /// It has been counted.
    Silence(server::Silence),
}

impl<P: Port, J: Journal> Worker<P, J> {
    /// A worker of these parts.
    #[must_use]
    pub fn new(parts: Parts<P, J>) -> Self {
        Self {
            parts,
            load: Load::default(),
            echo: Box::default(),
            burst: Burst::empty(Vec::with_capacity(BURST)),
            stopwatch: Stopwatch::default(),
        }
    }

    /// Polls until `stop` is raised; then answers what it was handed and sends what is parked, as
    /// long as it may wait.
    pub fn run(&mut self, clock: &Clock, stop: &AtomicBool) {
        while !stop.load(Relaxed) {
            let now = clock.now();
            self.set_wall(clock.wall());
            self.housekeep(now);
            for _ in 0..POLLS {
                self.poll(now);
            }
        }
        while !self.is_done() {
            let now = clock.now();
            self.take_over(now);
            self.send(now);
            std::hint::spin_loop();
        }
    }

    /// Tells how far the wall clock is ahead of the inner one.
    pub fn set_wall(&mut self, wall: Wall) {
        self.parts.shard.set_wall(wall);
    }

    /// Its bindings, to be looked at between two polls.
    #[must_use]
    pub fn shard(&self) -> &Shard {
        &self.parts.shard
    }

    /// Whether nothing waits here, and nobody needs its queues.
    fn is_done(&self) -> bool {
        let Parts {
            ports,
            peers,
            parked,
            ..
        } = &self.parts;
        parked.is_empty() && peers.is_idle() && ports.is_idle()
    }

    /// Takes what other workers have handed over, then receives one burst from every port; answers
    /// it, and sends what is ready.
    pub fn poll(&mut self, now: Instant) {
        let mut full = self.take_over(now);
        for port in self.parts.ports.numbers() {
            self.parts
                .ports
                .receive(port, &mut self.burst.packets, &self.parts.counters);
            full |= self.burst.packets.len() == BURST;
            if !self.burst.packets.is_empty() {
                self.burst.ports = [port; BURST];
                self.answer(now);
            }
        }
        self.load.note(full);
        self.send(now);
        self.stopwatch.end(self.parts.counters.latency());
    }

    fn send(&mut self, now: Instant) {
        self.send_parked(now);
        self.parts.ports.flush(&self.parts.counters);
    }

    /// Answers one burst of each other worker; whether one of them may have more.
    #[inline]
    fn take_over(&mut self, now: Instant) -> bool {
        let mut full = false;
        for peer in self.parts.peers.numbers() {
            let mut stale = 0;
            for _ in 0..BURST {
                match self.parts.peers.take(peer) {
                    Some(Handed::Message {
                        packet,
                        port,
                        since,
                    }) if since.after(handover::REPEATED) <= now => {
                        self.parts
                            .note_lost(&packet, port, DropReason::ShedStale, now);
                        stale += 1;
                    }
                    Some(Handed::Message { packet, port, .. }) => self.burst.push(packet, port),
                    Some(Handed::Yield(ask)) => self.parts.on_ask(peer, &ask, now),
                    Some(Handed::Later(ask)) => self.parts.shard.forget_question(&ask),
                    Some(Handed::Seek(seek)) => self.on_seek(seek, now),
                    Some(Handed::Answer(answer)) => self.on_answer(&answer, now),
                    None => break,
                }
            }
            let taken = self.burst.packets.len() + stale;
            if taken > 0 {
                full |= taken == BURST;
                self.parts.counters.events(Event::TakenOver, taken);
                self.parts.counters.drops(DropReason::ShedStale, stale);
                self.burst.handed = true;
                self.answer(now);
                self.burst.handed = false;
            }
        }
        full
    }

    /// What time brings and what control asks, in bounded steps.
    pub fn housekeep(&mut self, now: Instant) {
        self.tend_probes(now);
        self.parts.ports.turn();
        let Parts {
            ports,
            host,
            shard,
            journal,
            parked,
            probes,
            snapshot,
            counters,
            gauges,
            desk,
            trace,
            ..
        } = &mut self.parts;
        if snapshot.turn(shard).is_some_and(|changed| changed.announce) {
            host.on_reload();
        }
        let config = &snapshot.config;
        shard.turn(config, now.secs(), TIMERS, journal);
        host.tick(&mut snapshot.net(ports, counters), now);
        desk.answer(config, shard, (journal, trace), now);
        trace.attend(shard.key());
        gauges.publish(shard, parked.len(), probes.len());
    }

    /// Answers the packets of one burst.
    fn answer(&mut self, now: Instant) {
        self.stopwatch.begin();
        let empty = Burst::empty(Vec::new());
        let mut burst = core::mem::replace(&mut self.burst, empty);
        let mut verdicts = [Verdict::Done; BURST];
        self.decide(&burst, &mut verdicts, now);
        let packets = burst.packets.drain(..).zip(burst.ports);
        for ((packet, port), verdict) in packets.zip(verdicts) {
            match verdict {
                Verdict::Host => self.on_frame(packet, port, now),
                Verdict::HandOver(owner, rank) => {
                    let message = handover::Message {
                        packet,
                        port,
                        rank,
                        since: now,
                    };
                    self.parts.hand_over(owner, message, now);
                }
                Verdict::Reply(reply) => self.reply(packet, &reply, now),
                Verdict::Probe(probe, arrival) => self.probe(packet, probe, arrival, now),
                Verdict::Done => {}
            }
        }
        self.parts.peers.flush(&self.parts.counters);
        self.burst = burst;
    }

    /// Passes over the burst, so that its cache misses overlap: read, fetch ahead in steps, decide.
    #[allow(
        clippy::large_stack_arrays,
        reason = "32 queries; the packet path allocates nothing"
    )]
    fn decide(&mut self, burst: &Burst<P::Packet>, verdicts: &mut [Verdict; BURST], now: Instant) {
        let Self { parts, load, .. } = self;
        let config = &parts.snapshot.config;
        ahead::look(
            config,
            burst.sources().map(|(packet, source)| {
                Some((
                    config.space_of(source.port)?,
                    frame::glance(packet.octets())?,
                ))
            }),
        );
        let mut queries: [Option<(Query<'_>, Arrival)>; BURST] = [const { None }; BURST];
        let packets = burst.sources().zip(&mut queries);
        for (((packet, source), query), verdict) in packets.zip(verdicts.iter_mut()) {
            match parts.read(packet, source, query) {
                Received::Host => *verdict = Verdict::Host,
                Received::Refused(refusal) => parts.trace.note_refusal(&refusal, now),
                Received::Message | Received::Counted => {}
            }
            let Some((message, _)) = query else { continue };
            if let Some(steered) = parts.steer(message, now) {
                *verdict = steered;
                *query = None;
            } else {
                ahead::begin(&parts.snapshot.config, &parts.shard, message);
            }
        }
        let burst = queries.iter().flatten().map(|(query, _)| query);
        ahead::fetch(&parts.snapshot.config, &parts.shard, burst);
        let mut gate = Gate::new(load, (&parts.parked, &parts.journal), now);
        if gate.is_narrow {
            drop_copies(&mut queries, |query| {
                parts.shed(query, DropReason::ShedStale, now);
            });
        }
        for (query, verdict) in queries.iter().zip(verdicts) {
            let Some((query, arrival)) = query else {
                continue;
            };
            if gate.is_narrow
                && let Err(reason) = gate.admit(query, &parts.snapshot.config, &parts.shard)
            {
                parts.shed(query, reason, now);
                continue;
            }
            let decided = parts.decide(query, now);
            let ticket = parts.note(query, &decided, now);
            match decided {
                Decided::Plan(plan) => {
                    gate.used += usize::from(plan.wait.is_some());
                    *verdict = Verdict::Reply(Reply {
                        plan,
                        arrival: *arrival,
                        ticket,
                    });
                }
                Decided::Probe(probe) => *verdict = Verdict::Probe(probe, *arrival),
                Decided::Silence(_) => {}
            }
        }
    }

    /// Writes a reply over its query, and sends it or parks it.
    fn reply(&mut self, mut packet: P::Packet, reply: &Reply, now: Instant) {
        let Self {
            parts,
            echo,
            stopwatch,
            ..
        } = self;
        let Reply {
            plan,
            arrival,
            ticket,
        } = reply;
        if !parts.take_echo(&packet, (plan, arrival), echo) {
            return;
        }
        let mut net = parts.snapshot.net(&mut parts.ports, &parts.counters);
        let counters = net.counters;
        let mut lose = |reason| {
            counters.drop(reason);
            parts.trace.settle(*ticket, Fate::Dropped(reason), now);
        };
        let exit = match exchange::write(&mut packet, plan, echo, arrival, &net) {
            Ok(exit) => exit,
            Err(reason) => return lose(reason),
        };
        match plan.wait {
            Some(parked) if parked.sequence > parts.journal.durable() => {
                net.counters.event(Event::Parked);
                let since = (now, stopwatch.begin(), *ticket);
                if parts.parked.park(packet, exit, parked, since).is_err() {
                    lose(DropReason::ShedRequest);
                } else {
                    parts.trace.settle(*ticket, Fate::Waits, now);
                }
            }
            Some(parked) if is_fenced(&parts.journal, &parts.shard, net.config, &parked) => {
                lose(DropReason::Fenced);
            }
            Some(_) | None => {
                // One that waited for a probe has no beginning in this poll.
                stopwatch.begin();
                stopwatch.reply();
                parts.host.send(packet, exit, &mut net, now);
            }
        }
    }

    /// Sends the parked replies whose records are durable, if their bindings still say the same.
    fn send_parked(&mut self, now: Instant) {
        let Parts {
            ports,
            host,
            shard,
            journal,
            parked,
            snapshot,
            counters,
            trace,
            ..
        } = &mut self.parts;
        if parked.is_empty() {
            return;
        }
        let durable = journal.durable();
        let mut net = snapshot.net(ports, counters);
        let mut at = None;
        while let Some(due) = parked.due(durable, now) {
            let (ticket, lost) = match &due {
                Due::Late(entry) => (entry.ticket, Some(DropReason::AckTimeout)),
                Due::Durable(entry) if !shard.stands(&entry.parked) => {
                    (entry.ticket, Some(DropReason::Superseded))
                }
                Due::Durable(entry) if is_fenced(journal, shard, net.config, &entry.parked) => {
                    (entry.ticket, Some(DropReason::Fenced))
                }
                Due::Durable(entry) => (entry.ticket, None),
            };
            trace.settle(ticket, lost.map_or(Fate::Durable, Fate::Dropped), now);
            match (due, lost) {
                (_, Some(reason)) => net.counters.drop(reason),
                (Due::Durable(entry) | Due::Late(entry), None) => {
                    let at = *at.get_or_insert_with(Moment::now);
                    let took = at.saturating_duration_since(entry.received);
                    net.counters.latency().durable.add(took, 1);
                    host.send(entry.packet, entry.exit, &mut net, now);
                }
            }
        }
    }
}

/// Whether an ACK that waits no longer must not leave: its record was refused, or its address is
/// another appliance's. To be asked after [`Journal::durable`].
fn is_fenced(journal: &impl Journal, shard: &Shard, config: &Config, parked: &Parked) -> bool {
    let Some(fenced) = journal.fenced() else {
        return false;
    };
    shard.stated(config, parked).is_none_or(|(space, addr)| {
        fenced.contains(space.0, addr) || journal.refused(space.0, addr, parked.sequence)
    })
}

impl<P: Port, J: Journal> Parts<P, J> {
    #[inline]
    fn read<'a>(
        &mut self,
        packet: &'a P::Packet,
        source: Source,
        room: &mut Option<(Query<'a>, Arrival)>,
    ) -> Received<'a> {
        let net = self.snapshot.net(&mut self.ports, &self.counters);
        exchange::read(packet, source, (&net, self.shard.key()), room)
    }

    fn on_frame(&mut self, packet: P::Packet, port: u8, now: Instant) {
        let mut net = self.snapshot.net(&mut self.ports, &self.counters);
        self.host.on_frame(packet, port, &mut net, now);
    }

    /// The worker that decides about a message, if it is another.
    #[inline]
    fn other_owner(&self, query: &Query<'_>) -> Option<u8> {
        let owner = server::owner(query, &self.snapshot.config, &self.shard);
        (owner != self.shard.worker()).then_some(owner.0)
    }

    /// What is done with a message that another worker decides about.
    #[inline]
    fn steer(&mut self, query: &Query<'_>, now: Instant) -> Option<Verdict> {
        let owner = self.other_owner(query)?;
        let rank = server::glance(query);
        let Some(reason) = self.peers.refuses(owner, rank) else {
            return Some(Verdict::HandOver(owner, rank));
        };
        self.shed(query, reason, now);
        Some(Verdict::Done)
    }

    fn hand_over(&mut self, owner: u8, message: handover::Message<P::Packet>, now: Instant) {
        if let Err((reason, message)) = self.peers.give(owner, message) {
            self.count(reason);
            self.note_lost(&message.packet, message.port, reason, now);
        }
    }

    /// A client of another worker has the reservation of an address that this one has.
    #[cold]
    fn on_ask(&mut self, peer: usize, ask: &Ask, now: Instant) {
        let (config, journal) = (&self.snapshot.config, &mut self.journal);
        let event = match self.shard.yield_to(config, ask, (now.secs(), journal)) {
            Yielded::Ended => Event::Yielded,
            Yielded::Later if self.peers.put_off(peer, *ask) => Event::YieldPutOff,
            Yielded::Later | Yielded::Refused => Event::YieldRefused,
        };
        self.counters.event(event);
    }

    /// Asks another worker to yield an address. A question that finds no room is put again when
    /// the client repeats itself.
    #[cold]
    fn put(&mut self, ask: Ask) {
        if self.peers.ask(ask) {
            self.counters.event(Event::YieldAsked);
        } else {
            self.shard.forget_question(&ask);
            self.counters.event(Event::YieldLost);
        }
    }

    fn count(&self, reason: DropReason) {
        let counters: &Counters = &self.counters;
        counters.drop(reason);
    }

    fn decide(&mut self, query: &Query<'_>, now: Instant) -> Decided {
        let config = &self.snapshot.config;
        if let Some(network) = config.network(query.network)
            && let Err(reason) = self.limits.admit(query, network, self.shard.key(), now)
        {
            exchange::silence(&self.counters, reason);
            return Decided::Silence(reason);
        }
        let decided = server::decide(query, now, config, &mut self.shard, &mut self.journal);
        self.carry_out(decided)
    }

    /// Asks and tells what an outcome says.
    fn carry_out(&mut self, outcome: Outcome) -> Decided {
        if let Some(ask) = outcome.ask {
            self.put(ask);
        }
        if let Some(seek) = outcome.seek {
            self.seek(seek);
        }
        self.tell(outcome.notice);
        match (outcome.reply, outcome.probe) {
            (Ok(plan), _) => Decided::Plan(plan),
            (Err(_), Some(probe)) => Decided::Probe(probe),
            (Err(reason), None) => {
                exchange::silence(&self.counters, reason);
                Decided::Silence(reason)
            }
        }
    }

    fn tell(&mut self, notice: Option<Notice>) {
        if let Some(notice) = notice
            && self.notices.push(notice).is_err()
        {
            self.counters.event(Event::NoticeLost);
        }
    }

    /// Copies out of the query what its reply repeats; false if it cannot be read again.
    fn take_echo(
        &self,
        packet: &P::Packet,
        (plan, arrival): (&Plan, &Arrival),
        echo: &mut Echo,
    ) -> bool {
        let Some(most) = self.most(plan, arrival) else {
            return false;
        };
        let parsed = frame::parse(packet.octets(), Facts::offloads_again(packet));
        let Ok(frame::Frame::Dhcp { payload, .. }) = parsed else {
            return false;
        };
        let Ok(message) = Message::parse_request(payload) else {
            return false;
        };
        let Ok(options) = message.options() else {
            return false;
        };
        echo.take(&message, &options, most);
        true
    }

    /// The largest reply that its link and its network allow, IP header included.
    fn most(&self, plan: &Plan, arrival: &Arrival) -> Option<u16> {
        let config = &self.snapshot.config;
        let link = config.link(arrival.link)?;
        let (network, _) = config.subnet(plan.place)?;
        Some(link.mtu.min(network.rules.max_reply))
    }
}
