//! A new configuration while workers serve: each goes over to it in its housekeeping, some before
//! others, and no client notices but by what was changed.
//!
//! `RELOAD_SEED=n` plays other rounds.

use crate::frames::{Client, client, numbered};
use crate::rig::{self, link, network, spec, subnet};
use crate::rounds::{Crowd, Said};
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

/// Clients, messages, polls, commits and reloads in an order that a seed decides.
struct Round {
    crowd: Crowd,
    reloads: u32,
}

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
        Self {
            crowd: Crowd::new(Team::new(size, Self::layout(0)), dice),
            reloads: 0,
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

    fn speak(&mut self) {
        self.crowd.speak(|roll, client, addr| match roll {
            0..4 => Said::Keeps(client.renew(addr)),
            4..6 => Said::Keeps(client.reboot(addr)),
            6 => Said::Keeps(client.discover()),
            _ => Said::LeavesInOrder(client.release(addr)),
        });
    }

    fn reload(&mut self) {
        let which = self.crowd.dice.roll(6);
        let publisher = &self.crowd.team.publisher;
        let taken = publisher.publish::<NotTaken>(|previous, done| {
            Ok(rig::successor(Self::layout(which), previous, done))
        });
        self.reloads += u32::from(taken.is_ok());
    }

    fn step(&mut self) {
        let Crowd { team, dice, .. } = &mut self.crowd;
        let worker = dice.roll(team.size.workers.into());
        match dice.roll(24) {
            0..9 => self.speak(),
            9..17 => team.poll(worker),
            17..19 => {
                team.commit_of(worker);
            }
            19..21 => team.housekeep_of(worker),
            21 => self.reload(),
            22 => {
                team.publisher.tend();
            }
            _ => team.pass(200),
        }
        self.crowd.hear();
    }

    fn play(mut self) {
        for _ in 0..STEPS {
            self.step();
        }
        self.crowd.settle_up();
        assert!(self.reloads > 20, "too few reloads: {}", self.reloads);
        self.end();
    }

    /// When all leases are over nothing is left of them but memories, and each address of the
    /// pools can be had.
    fn end(self) {
        let Crowd {
            mut team, mut dice, ..
        } = self.crowd;
        for _ in 0..20 {
            team.pass(1);
        }
        team.publish(Self::layout(0));
        for _ in 0..20 {
            team.pass(1);
        }
        assert!(team.publisher.tend());
        team.pass(4_000_000);
        for _ in 0..20 {
            team.pass(40_000);
        }
        let mut got = BTreeMap::new();
        for n in 1000..1032 {
            let queue = dice.roll(team.size.queues);
            let (_, offer) = team.ask(queue, &numbered(n).discover());
            assert_eq!(got.insert(offer.yiaddr, n), None, "{got:?}");
            team.ask(queue, &numbered(n).request(offer.yiaddr));
            assert_eq!(team.word(offer.yiaddr).state(), AddressState::Bound);
        }
        assert_eq!(got.len(), 32);
        team.is_sound();
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
