//! Clients of several shards that take, renew and release a few addresses as the dice fall, with
//! commits in between, until the log is cut somewhere in its last commit.
//!
//! `SHARDS_SEED=n` plays other rounds.

use crate::world::{Client, Disk, FIRST, Server, Waiting};
use dhcp_proto::binding::BindingState;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const ROUNDS: u64 = 20;
const CLIENTS: u8 = 6;
const ADDRESSES: u32 = 3;
const STEPS: u32 = 200;

/// The generator `SplitMix64`.
struct Dice(u64);

impl Dice {
    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    /// Some rings, each once, in any order; one at least.
    fn rings(&mut self, rings: usize) -> Vec<usize> {
        let mut all: Vec<usize> = (0..rings).collect();
        for at in (1..rings).rev() {
            all.swap(at, self.roll(at + 1));
        }
        all.truncate(1 + self.roll(rings));
        all
    }
}

struct Round {
    dice: Dice,
    server: Server,
    disk: Disk,
    waiting: Vec<Waiting>,
    /// What each client was told it has, and has not given back.
    told: BTreeMap<Client, Ipv4Addr>,
    acks: u32,
    releases: u32,
}

impl Round {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let shards = 2 + u16::try_from(dice.roll(2)).unwrap();
        Self {
            dice,
            server: Server::new(shards, ADDRESSES),
            disk: Disk::new(),
            waiting: Vec::new(),
            told: BTreeMap::new(),
            acks: 0,
            releases: 0,
        }
    }

    /// One message, or DISCOVER and REQUEST, of some client.
    fn step(&mut self) {
        let client = Client(u8::try_from(self.dice.roll(usize::from(CLIENTS))).unwrap());
        let ack = match self.told.get(&client).copied() {
            Some(addr) if self.dice.roll(2) == 0 => {
                self.told.remove(&client);
                self.releases += 1;
                let reply = self.server.send(client, &client.release(addr));
                assert!(reply.is_err(), "a RELEASE has no reply");
                None
            }
            Some(addr) => {
                let ack = self.server.ack(client, &client.renew(addr));
                assert!(ack.is_some(), "{client:?} was told that it has {addr}");
                ack
            }
            None => self.server.offer(client).and_then(|addr| {
                let taken = self.told.values().any(|told| *told == addr);
                assert!(!taken, "{addr} is offered to {client:?}: {:?}", self.told);
                self.server.ack(client, &client.request(addr))
            }),
        };
        self.waiting.extend(ack);
    }

    /// A commit of some rings, and the ACKs that it lets go.
    fn commit(&mut self) {
        let order = self.dice.rings(usize::from(self.server.shards()));
        let (batch, _) = self.disk.commit(&mut self.server, &order);
        self.server.publish(&batch);
        let (due, waiting) = self
            .waiting
            .drain(..)
            .partition::<Vec<_>, _>(|ack| self.server.is_durable(ack));
        self.waiting = waiting;
        for ack in due {
            if self.server.may_leave(&ack) {
                self.told.insert(ack.client, ack.addr);
                self.acks += 1;
            }
        }
    }

    /// Plays, and cuts the last commit, of which nothing was acknowledged.
    fn play(mut self) {
        for _ in 0..STEPS {
            self.step();
            if self.dice.roll(4) == 0 {
                self.commit();
            }
        }
        let tail = loop {
            self.step();
            let order = self.dice.rings(usize::from(self.server.shards()));
            let (batch, tail) = self.disk.commit(&mut self.server, &order);
            if batch.count() > 0 {
                break tail;
            }
        };
        assert!(self.acks > 10 && self.releases > 10, "too little happened");
        let cut = tail.from + self.dice.roll(tail.to + 1 - tail.from);
        let (records, torn) = self.disk.files().cut(cut);
        assert_eq!(torn, cut > tail.from && cut < tail.to);
        for shards in [1, 2, 3] {
            self.check(Server::restored(shards, ADDRESSES, &records));
        }
    }

    fn check(&self, mut server: Server) {
        let mut leases: BTreeMap<Vec<u8>, Ipv4Addr> = BTreeMap::new();
        for addr in (FIRST.to_bits()..).take(ADDRESSES as usize) {
            let addr = Ipv4Addr::from_bits(addr);
            let holders = server.holders(addr);
            assert!(holders.len() <= 1, "{addr} has two owners: {holders:?}");
            for (identity, state) in holders {
                if state == BindingState::Active {
                    let other = leases.insert(identity, addr);
                    assert_eq!(other, None, "one client has {addr} too");
                }
            }
        }
        assert_eq!(server.leases(), leases.len() as u64);
        for (client, addr) in &self.told {
            let found = leases.get(&client.identity()[..]);
            assert_eq!(found, Some(addr), "{client:?} was told that it has it");
        }
        // Somebody new asks for all there is.
        for stranger in (CLIENTS..).take(ADDRESSES as usize + 1).map(Client) {
            if let Some(addr) = server.offer(stranger) {
                let owner = leases.values().find(|leased| **leased == addr);
                assert_eq!(owner, None, "a leased address is offered to a stranger");
            }
        }
        for (client, addr) in &self.told {
            let ack = server.ack(*client, &client.renew(*addr));
            assert_eq!(ack.map(|ack| ack.addr), Some(*addr));
        }
    }
}

#[test]
fn what_clients_were_told_holds_after_any_interleaving_and_any_cut() {
    let seed: u64 = std::env::var("SHARDS_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    for round in 0..ROUNDS {
        eprintln!("SHARDS_SEED={seed}, round {round}");
        Round::new(seed.wrapping_mul(1000).wrapping_add(round)).play();
    }
}
