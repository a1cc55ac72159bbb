//! A new configuration while workers serve: each goes over to it in its housekeeping, some before
//! others, and no client notices but by what was changed.
//!
//! `RELOAD_SEED=n` plays other rounds.

use crate::frames::{Client, client, numbered};
use crate::rig::{self, Sent, link, network, spec, subnet};
use crate::team::{Dice, Size, Team};
use dhcp_proto::address::AddressState;
use dhcp_proto::config::{PoolSpec, Spec};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::Tag;
use lessor::dataplane::subscription::NotTaken;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

fn with_pool(first: u8, last: u8) -> Spec {
    let mut spec = spec();
    let home = &mut spec.networks[0];
    home.subnets.truncate(1);
    home.subnets[0].pools = vec![PoolSpec {
        first: [10, 0, 0, first].into(),
        last: [10, 0, 0, last].into(),
    }];
    spec
}

/// The home's second subnet is a network of its own, between others that come and go.
fn split(extra: u8) -> Spec {
    let mut spec = spec();
    let second = spec.networks[0].subnets.pop();
    let mut own = network(0, "second", [10, 0, 1]);
    own.subnets = second.into_iter().collect();
    spec.networks.insert(0, own);
    for n in 0..extra {
        let name = format!("extra-{n}");
        spec.networks.push(network(0, &name, [10, 77, n]));
        spec.links.push(link((vlan(n), 0), [10, 77, n, 1]));
    }
    spec
}

/// The VLAN of an extra network.
fn vlan(n: u8) -> u16 {
    300 + u16::from(n)
}

fn in_vlan(mut client: Client, tci: u16) -> Client {
    client.tags.outer = Some(Tag { tpid: 0x8100, tci });
    client
}

/// A lease for each client, asked through any queue.
fn lease(team: &mut Team, clients: u8) -> Vec<(Client, Ipv4Addr)> {
    let queues = team.size.queues;
    let lease = |n| {
        let client = client(n);
        let queue = team.dice.roll(queues);
        let addr = team.ask(queue, &client.clone().discover()).1.yiaddr;
        let (_, ack) = team.ask(queue, &client.clone().request(addr));
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, addr));
        (client, addr)
    };
    (0..clients).map(lease).collect()
}

#[test]
fn each_worker_sees_what_was_changed_with_its_next_packet() {
    for workers in 1..=4 {
        let mut team = Team::new(Size::of(workers), spec());
        let clients = lease(&mut team, 16);
        let mut changed = spec();
        changed.networks[0].subnets[0].lease.default = 1800;
        let old = Arc::downgrade(&team.publisher.current());
        team.publish(changed);
        for worker in 0..usize::from(workers) {
            assert!(!team.publisher.tend(), "not all have gone over");
            assert!(old.upgrade().is_some());
            team.housekeep_of(worker);
            for (client, addr) in &clients {
                let owner = team.owner_of(client);
                let (_, ack) = team.ask(0, &client.clone().renew(*addr));
                let told = if owner <= worker { 1800 } else { 3600 };
                assert_eq!((ack.yiaddr, ack.lease), (*addr, Some(told)));
            }
        }
        assert!(team.publisher.tend());
        assert!(old.upgrade().is_none(), "control has dropped the old one");
        team.is_sound();
    }
}

#[test]
fn a_parked_reply_and_an_offer_outlive_the_change() {
    for workers in [1, 2] {
        let mut team = Team::new(Size::of(workers), spec());
        let (_, offer) = team.ask(0, &client(1).discover());
        team.publish(split(3));
        team.pass(1);
        team.give(0, &client(1).request(offer.yiaddr).frame());
        team.settle();
        assert!(team.replies().is_empty(), "it waits for the disk");
        team.publish(spec());
        team.pass(1);
        assert_eq!(team.commit(), 1);
        let (_, ack) = team.reply();
        assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, offer.yiaddr));
        team.is_sound();
    }
}

#[test]
fn new_networks_are_served_by_all_workers_and_by_the_hundred() {
    for workers in [1, 3] {
        let mut team = Team::new(Size::of(workers), spec());
        let clients = lease(&mut team, 8);
        for extra in [1, 100, 2, 200] {
            team.publish(split(extra));
            team.pass(1);
            let last = extra - 1;
            for n in 100..108 {
                let client = in_vlan(client(n), vlan(last));
                let (_, offer) = team.ask(0, &client.clone().discover());
                assert_eq!(offer.yiaddr.octets()[..3], [10, 77, last]);
                team.ask(0, &client.request(offer.yiaddr));
            }
        }
        for (client, addr) in clients {
            assert_eq!(team.ask(0, &client.renew(addr)).1.yiaddr, addr);
        }
        team.is_sound();
    }
}

#[test]
fn an_address_that_was_freed_by_a_worker_behind_the_others_is_found_again() {
    let mut team = Team::new(Size::of(2), with_pool(10, 10));
    let all: Vec<_> = (0..40).map(client).collect();
    let of = |worker| all.iter().find(|c| team.owner_of(c) == worker).unwrap();
    let (behind, ahead) = (of(1).clone(), of(0).clone());
    let addr = Ipv4Addr::new(10, 0, 0, 10);
    team.ask(1, &behind.clone().discover());
    team.ask(1, &behind.clone().request(addr));
    // Its hints are made while the address is in use; then it is released under the old ones.
    team.publish(with_pool(10, 10));
    team.housekeep_of(0);
    team.tell(1, &behind.release(addr));
    team.tell(0, &ahead.clone().discover());
    assert!(!team.publisher.tend());
    team.housekeep_of(1);
    assert!(team.publisher.tend());
    let (_, offer) = team.ask(0, &ahead.discover());
    assert_eq!(offer.yiaddr, addr);
    team.is_sound();
}

#[test]
fn a_worker_that_hangs_refuses_the_next_changes_and_loses_none() {
    let mut team = Team::new(Size::of(2), spec());
    let publish = |team: &Team, spec| {
        let publisher = &team.publisher;
        publisher.publish::<NotTaken>(|old, done| Ok(rig::successor(spec, old, done)))
    };
    while publish(&team, spec()).is_ok() {
        team.housekeep_of(0);
    }
    let current = team.publisher.current();
    assert_eq!(publish(&team, split(1)).map(|_| ()), Err(NotTaken));
    assert!(Arc::ptr_eq(&current, &team.publisher.current()));
    drop(current);
    for _ in 0..20 {
        team.pass(1);
    }
    assert!(team.publisher.tend());
    assert!(publish(&team, split(1)).is_ok());
    team.is_sound();
}

/// A client of the rounds: it takes an answer to its newest message only.
#[derive(Debug, Clone, Copy, Default)]
struct Model {
    xid: u32,
    offered: Option<Ipv4Addr>,
    has: Option<Ipv4Addr>,
}

/// Clients, messages, polls, commits and reloads in an order that a seed decides.
struct Round {
    team: Team,
    dice: Dice,
    clients: Vec<Model>,
    acks: u32,
    reloads: u32,
    xid: u32,
}

const CLIENTS: u16 = 24;
const STEPS: u32 = 1500;

impl Round {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let workers = 1 + u8::try_from(dice.roll(4)).unwrap();
        let size = Size {
            queues: 1 + dice.roll(workers.into()),
            places: [8, 64][dice.roll(2)],
            ..Size::of(workers)
        };
        let mut team = Team::new(size, Self::layout(0));
        team.dice = Dice(dice.0 ^ 1);
        Self {
            team,
            dice,
            clients: vec![Model::default(); CLIENTS.into()],
            acks: 0,
            reloads: 0,
            xid: 0,
        }
    }

    /// Some 32 addresses in two subnets of one link, grouped and bounded in many ways.
    fn layout(which: usize) -> Spec {
        let small = |first, last, third| {
            let mut subnet = subnet([10, 0, third]);
            subnet.pools = vec![PoolSpec {
                first: [10, 0, third, first].into(),
                last: [10, 0, third, last].into(),
            }];
            subnet
        };
        let mut spec = spec();
        let (a, b) = (small(10, 25, 0), small(10, 25, 1));
        let home = &mut spec.networks[0];
        match which {
            0 => home.subnets = vec![a, b],
            1 => home.subnets = vec![small(10, 14, 0), small(20, 40, 1)],
            2 => {
                home.subnets = vec![b, a];
                home.name = "casa".into();
            }
            3 => {
                home.subnets = vec![a];
                spec.networks[1].subnets.push(b);
            }
            4 => {
                home.subnets = vec![a];
                let mut second = network(0, "second", [0; 3]);
                second.subnets = vec![b];
                spec.networks.push(second);
            }
            _ => home.subnets = vec![a],
        }
        spec
    }

    /// One message of some client into some queue, twice at times.
    fn speak(&mut self) {
        let n = self.dice.roll(CLIENTS.into());
        self.xid += 1;
        let mut frame = numbered(u16::try_from(n).unwrap());
        frame.xid = self.xid;
        let model = &mut self.clients[n];
        model.xid = self.xid;
        let message = match (model.has, model.offered.take()) {
            (Some(addr), _) => match self.dice.roll(8) {
                0..4 => frame.renew(addr),
                4..6 => frame.reboot(addr),
                6 => frame.discover(),
                _ => return self.release(n, &frame.release(addr)),
            },
            (None, Some(addr)) => frame.request(addr),
            (None, None) => frame.discover(),
        };
        for _ in 0..=usize::from(self.dice.roll(10) == 0) {
            let queue = self.dice.roll(self.team.size.queues);
            self.team.give(queue, &message.frame());
        }
    }

    /// A RELEASE is not to be overtaken by what the client says next.
    fn release(&mut self, n: usize, message: &Client) {
        self.team.give(0, &message.frame());
        self.clients[n].has = None;
        self.team.settle();
    }

    fn hear(&mut self) {
        for (_, sent) in self.team.replies() {
            self.take(&sent);
        }
    }

    fn take(&mut self, sent: &Sent) {
        let (kind, addr) = (sent.kind, sent.yiaddr);
        let n = usize::from(u16::from_be_bytes([sent.chaddr.0[4], sent.chaddr.0[5]]));
        let mut holders = self.clients.iter().enumerate();
        let other = holders.find(|(m, model)| *m != n && model.has == Some(addr));
        assert!(
            kind == MessageType::Nak || other.is_none(),
            "{addr} has another holder than {n}"
        );
        let model = &mut self.clients[n];
        if model.xid != sent.xid {
            return;
        }
        if kind == MessageType::Offer {
            model.offered = Some(addr);
        } else if kind == MessageType::Ack {
            model.has = Some(addr);
            self.acks += 1;
        } else {
            (model.has, model.offered) = (None, None);
        }
    }

    fn reload(&mut self) {
        let which = self.dice.roll(6);
        let publisher = &self.team.publisher;
        let taken = publisher.publish::<NotTaken>(|previous, done| {
            Ok(rig::successor(Self::layout(which), previous, done))
        });
        self.reloads += u32::from(taken.is_ok());
    }

    fn step(&mut self) {
        let workers = usize::from(self.team.size.workers);
        let worker = self.dice.roll(workers);
        match self.dice.roll(24) {
            0..9 => self.speak(),
            9..17 => self.team.poll(worker),
            17..19 => {
                self.team.commit_of(worker);
            }
            19..21 => self.team.housekeep_of(worker),
            21 => self.reload(),
            22 => {
                self.team.publisher.tend();
            }
            _ => self.team.pass(200),
        }
        self.hear();
    }

    fn play(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.team.commit();
        self.hear();
        assert!(self.acks > 50, "too little happened: {}", self.acks);
        assert!(self.reloads > 20, "too few reloads: {}", self.reloads);
        let mut owners = BTreeMap::new();
        for (n, model) in (0..).zip(&self.clients) {
            if let Some(addr) = model.has {
                let owner = self.team.owner_of(&numbered(n));
                self.team.is_bound_by(addr, owner);
                assert_eq!(owners.insert(addr, n), None);
            }
        }
        self.end();
    }

    /// When all leases are over nothing is left of them but memories, and each address of the
    /// pools can be had.
    fn end(mut self) {
        for _ in 0..20 {
            self.team.pass(1);
        }
        self.team.publish(Self::layout(0));
        for _ in 0..20 {
            self.team.pass(1);
        }
        assert!(self.team.publisher.tend());
        self.team.pass(4_000_000);
        for _ in 0..20 {
            self.team.pass(40_000);
        }
        let mut got = BTreeMap::new();
        for n in 1000..1032 {
            let queue = self.dice.roll(self.team.size.queues);
            let (_, offer) = self.team.ask(queue, &numbered(n).discover());
            assert_eq!(got.insert(offer.yiaddr, n), None, "{got:?}");
            self.team.ask(queue, &numbered(n).request(offer.yiaddr));
            assert_eq!(self.team.word(offer.yiaddr).state(), AddressState::Bound);
        }
        assert_eq!(got.len(), 32);
        self.team.is_sound();
    }
}

#[test]
fn no_address_has_two_holders_whatever_is_reloaded_at_whatever_moment() {
    let seed: u64 = std::env::var("RELOAD_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    for round in 0..40 {
        eprintln!("RELOAD_SEED={seed}, round {round}");
        Round::new(seed.wrapping_mul(1000).wrapping_add(round)).play();
    }
}
