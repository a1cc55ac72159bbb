//! More work than capacity: who is refused, and who loses nothing by it.

use crate::frames::{Client, client, numbered};
use crate::rig::{Rig, Sent, spec};
use crate::team::{Size, Team};
use dhcp_proto::config::{Reservation, Spec};
use dhcp_proto::limit::{Rate, Rates};
use dhcp_proto::time::Instant;
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::Mac;
use lessor::dataplane::counters::Group;
use lessor::dataplane::port_mem::MemFrame;
use std::net::Ipv4Addr;
use std::time::Duration;

const KEPT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
/// Spoofed DISCOVERs that come into each queue while a worker can decide about [`CAPACITY`] messages.
const LINE: usize = 160;
const CAPACITY: u64 = 64;
/// What that costs, in messages refused unseen, handed over, or polls of an empty queue.
const COST: u64 = 8;
/// Ticks that a message may wait for its turn.
const PATIENCE: usize = 60;

/// One subnet, and a reservation of client 7 outside of its pool.
fn home() -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets.truncate(1);
    let client = [&[2, 1][..], &client(7).mac.0].concat();
    home.reservations.push(Reservation::new(&client, KEPT));
    spec
}

fn size(workers: u8) -> Size {
    Size {
        packets: 8192,
        parked: 64,
        ..Size::of(workers)
    }
}

/// A flood, and the clients that live through it. Time is what the messages cost.
struct Flood {
    team: Team,
    spoofed: u32,
    xid: u32,
    bound: Vec<(Client, Ipv4Addr)>,
    known: Vec<(Client, Ipv4Addr)>,
    renewals: Vec<(u32, Ipv4Addr)>,
}

impl Flood {
    fn new(size: Size) -> Self {
        let mut team = Team::new(size, home());
        let mut lease = |client: Client| {
            let (_, offer) = team.ask(0, &client.clone().discover());
            let (_, ack) = team.ask(0, &client.clone().request(offer.yiaddr));
            assert_eq!(ack.kind, MessageType::Ack);
            (client, ack.yiaddr)
        };
        let bound = (0..24).map(numbered).map(&mut lease).collect();
        let mut known: Vec<_> = (100..116).map(numbered).map(&mut lease).collect();
        for (client, addr) in &known {
            team.tell(0, &client.clone().release(*addr));
        }
        known.push((client(7), KEPT));
        team.pass(5000);
        Self {
            team,
            spoofed: 0,
            xid: 1_000_000,
            bound,
            known,
            renewals: Vec::new(),
        }
    }

    /// A DISCOVER of a client that never was.
    fn spoof(&mut self) -> Vec<u8> {
        self.spoofed += 1;
        let [a, b, c, d] = self.spoofed.to_be_bytes();
        let mut spoofed = client(0);
        (spoofed.mac, spoofed.xid) = (Mac([6, 6, a, b, c, d]), self.spoofed);
        spoofed.discover().frame()
    }

    /// As much as the line carries into each queue, and `messages` somewhere among it.
    fn receive(&mut self, messages: &[Client]) {
        let queues = self.team.size.queues;
        let mut places = Vec::new();
        for message in messages {
            let (queue, at) = (self.team.dice.roll(queues), self.team.dice.roll(LINE));
            places.push((queue, at, message.frame()));
        }
        for at in 0..LINE {
            for queue in 0..queues {
                let spoofed = self.spoof();
                self.team.give(queue, &spoofed);
            }
            for (queue, _, frame) in places.iter().filter(|(_, place, _)| *place == at) {
                self.team.give(*queue, frame);
            }
        }
    }

    /// What a worker has done so far.
    fn spent(&self, worker: usize) -> u64 {
        let counted = self.team.counted_of(worker);
        let of = |group, name| counted.count(group, name).unwrap();
        let answers = ["offer", "ack", "nak"].map(|name| of(Group::MessagesOut, name));
        let shed = of(Group::Drops, "shed_discover");
        let decided = answers.iter().sum::<u64>() + counted.unanswered() - shed;
        shed + of(Group::Events, "handed_over") + COST * decided
    }

    /// Lets the workers do what they can in the time there is; an empty poll takes time, too.
    fn work(&mut self) {
        let workers = 0..usize::from(self.team.size.workers);
        let mut spent: Vec<_> = workers.clone().map(|w| self.spent(w)).collect();
        let ends: Vec<_> = spent.iter().map(|spent| spent + COST * CAPACITY).collect();
        let mut polls = 0;
        while workers.clone().any(|w| spent[w] + polls < ends[w]) {
            for w in workers.clone() {
                if spent[w] + polls < ends[w] {
                    self.team.poll(w);
                    spent[w] = self.spent(w);
                }
            }
            polls += 1;
        }
    }

    /// The renewal of a client, which is to be answered.
    fn renewal(&mut self) -> Client {
        self.xid += 1;
        let n = usize::try_from(self.xid).unwrap() % self.bound.len();
        let (mut client, addr) = self.bound[n].clone();
        client.xid = self.xid;
        self.renewals.push((self.xid, addr));
        client.renew(addr)
    }

    /// What the workers send to others than strangers.
    fn hear(&mut self) -> Vec<Sent> {
        for worker in 0..usize::from(self.team.size.workers) {
            self.team.commit_of(worker);
            self.team.poll(worker);
        }
        let mut replies: Vec<_> = self.team.replies().into_iter().map(|(_, r)| r).collect();
        replies.retain(|reply| reply.chaddr.0[0] == 2);
        for reply in &replies {
            let told = (reply.xid, reply.yiaddr);
            self.renewals.retain(|waiting| *waiting != told);
        }
        replies
    }

    /// A twentieth of a second of the flood, with two renewals and perhaps another message.
    fn tick(&mut self, message: Option<Client>) -> Vec<Sent> {
        let mut messages = vec![self.renewal(), self.renewal()];
        messages.extend(message);
        self.receive(&messages);
        self.work();
        let replies = self.hear();
        self.team.now = Instant(self.team.now.0 + 50);
        self.team.housekeep();
        replies
    }

    /// What a client is told of a message that it sends once.
    fn answer(&mut self, message: Client) -> Option<(MessageType, Ipv4Addr)> {
        let mac = message.mac;
        let mut message = Some(message);
        (0..PATIENCE).find_map(|_| {
            let replies = self.tick(message.take());
            let own = replies.iter().find(|reply| reply.chaddr == mac);
            own.map(|reply| (reply.kind, reply.yiaddr))
        })
    }

    /// A known client comes back. As a client does, it repeats its DISCOVER.
    fn returns(&mut self, n: usize) {
        let (client, addr) = self.known[n].clone();
        let offer = [0, 4, 12].into_iter().find_map(|secs| {
            let discover = client.clone().discover();
            self.answer(Client { secs, ..discover })
        });
        assert_eq!(offer, Some((MessageType::Offer, addr)), "client {n}");
        let ack = self.answer(client.request(addr));
        assert_eq!(ack, Some((MessageType::Ack, addr)), "client {n}");
    }
}

/// A flood that is refused for `why`, beside what it is shed for.
fn nobody_loses_by_a_flood(size: Size, why: &str) {
    let mut flood = Flood::new(size);
    for _ in 0..200 {
        flood.tick(None);
    }
    for n in 0..flood.known.len() {
        flood.returns(n);
    }
    for _ in 0..PATIENCE {
        flood.work();
        flood.hear();
    }
    assert_eq!(flood.renewals, [], "renewals that were not answered");
    let team = &mut flood.team;
    assert!(team.count(Group::Drops, "shed_discover") > 10_000);
    assert!(team.count(Group::Silences, why) > 1000);
    assert!(team.count(Group::MessagesOut, "offer") > 100);
    for kept in ["shed_request", "shed_renewal", "hand_over_full"] {
        assert_eq!(team.count(Group::Drops, kept), 0, "{kept}");
    }
    team.is_sound();
}

#[test]
fn bound_clients_renew_and_known_ones_get_their_address_in_a_flood() {
    nobody_loses_by_a_flood(size(1), "no_address");
}

#[test]
fn a_flood_that_fills_its_share_of_the_table_costs_nobody_a_lease() {
    for workers in [1, 2] {
        let size = Size {
            offers: 20,
            ..size(workers)
        };
        nobody_loses_by_a_flood(size, "offers_full");
    }
}

#[test]
fn two_workers_keep_their_clients_in_a_flood() {
    nobody_loses_by_a_flood(size(2), "no_address");
}

#[test]
fn an_older_copy_makes_way_for_a_newer_one_if_there_is_more_work_than_capacity() {
    // Eight replies may be parked, so that a burst might not find room.
    let mut rig = Rig::new();
    let offers = |rig: &mut Rig| {
        for xid in 1..=3 {
            for n in [1, 2] {
                let mut copy = client(n);
                copy.xid = xid;
                assert!(
                    rig.wire
                        .deliver(&MemFrame::from(&copy.discover().frame()[..]))
                );
            }
        }
        rig.worker.poll(rig.now);
        let offers = rig.replies().into_iter();
        offers
            .map(|offer| (offer.chaddr, offer.xid))
            .collect::<Vec<_>>()
    };
    assert_eq!(offers(&mut rig), [(client(1).mac, 3), (client(2).mac, 3)]);
    assert_eq!(rig.count(Group::Drops, "shed_stale"), 4);
}

#[test]
fn copies_are_answered_while_there_is_capacity() {
    let mut team = Team::new(size(1), home());
    for _ in 0..3 {
        team.give(0, &client(1).discover().frame());
    }
    team.settle();
    assert_eq!(team.replies().len(), 3);
    team.is_sound();
}

#[test]
fn what_waited_for_its_worker_until_the_client_repeats_itself_is_dropped() {
    let mut team = Team::new(Size::of(2), home());
    let mut clients = (0..=u8::MAX).map(client);
    let client = clients.find(|c| team.owner_of(c) == 1).unwrap();
    for (waits, stale) in [(3999, 0), (4000, 1)] {
        team.give(0, &client.clone().discover().frame());
        team.poll(0);
        team.now = Instant(team.now.0 + waits);
        team.poll(1);
        assert_eq!(team.count(Group::Drops, "shed_stale"), stale);
        assert_eq!(team.replies().len(), usize::from(stale == 0));
    }
    team.is_sound();
}

fn rate(count: u32, burst: u32) -> Option<Rate> {
    Rate::new(count, Duration::from_secs(1), burst)
}

/// Gives `messages` to the workers in turn; how many OFFERs there are.
fn offers(team: &mut Team, messages: impl Iterator<Item = Client>) -> usize {
    for (n, message) in messages.enumerate() {
        team.give(n % 2, &message.frame());
    }
    team.settle();
    team.replies().len()
}

#[test]
fn rates_are_exact_over_all_workers_and_the_narrowest_is_asked_first() {
    let mut spec = home();
    spec.links[0].trust_option82 = true;
    spec.networks[0].rules.rates = Rates {
        identity: rate(1, 2),
        circuit: rate(5, 10),
        relay: None,
    };
    let mut team = Team::new(size(2), spec);
    let on = |circuit: u8, n: u16| numbered(n).discover().on_circuit(&[circuit]);
    // One client takes two, whoever receives them; its circuit has eight left for others.
    assert_eq!(offers(&mut team, (0..40).map(|_| on(1, 1))), 2);
    assert_eq!(team.count(Group::Silences, "client_rate"), 38);
    assert_eq!(offers(&mut team, (100..140).map(|n| on(1, n))), 8);
    assert_eq!(team.count(Group::Silences, "circuit_rate"), 32);
    // Other circuits, and clients without one, are not touched.
    assert_eq!(offers(&mut team, (200..205).map(|n| on(2, n))), 5);
    let plain = (300..330).map(|n| numbered(n).discover());
    assert_eq!(offers(&mut team, plain), 30);
    team.now = Instant(team.now.0 + 1000);
    assert_eq!(offers(&mut team, (400..440).map(|n| on(1, n))), 5);
    team.is_sound();
}

#[test]
fn a_relay_has_its_rate_and_what_it_sends_else_is_not_counted() {
    let mut spec = home();
    for network in &mut spec.networks {
        network.rules.rates.relay = rate(10, 20);
    }
    let mut team = Team::new(size(2), spec);
    let relay = Ipv4Addr::new(10, 9, 0, 1);
    let relayed = |n| numbered(n).discover().relayed(relay);
    for (moment, admitted) in [(0, 20), (500, 5), (10_000, 20)] {
        team.now = Instant(team.now.0 + moment);
        let before = team.count(Group::Drops, "no_route");
        let refused = team.count(Group::Silences, "relay_rate");
        assert_eq!(
            offers(&mut team, (0..60).map(relayed)),
            0,
            "no way leads to it"
        );
        assert_eq!(team.count(Group::Drops, "no_route") - before, admitted);
        assert_eq!(
            team.count(Group::Silences, "relay_rate") - refused,
            60 - admitted
        );
    }
    // Clients on the link itself have no relay.
    assert_eq!(
        offers(&mut team, (0..60).map(|n| numbered(n).discover())),
        60
    );
    team.is_sound();
}
