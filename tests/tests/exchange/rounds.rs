//! Rounds that a seed decides: clients that say this or that, twice at times, into any queue, and
//! believe the answer to their newest message. No address ever has two of them.

use crate::frames::{Client, numbered};
use crate::team::{Dice, Team};
use dhcp_wire::dhcp::MessageType;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const CLIENTS: u16 = 24;

/// A client of the rounds: it takes an answer to its newest message only.
#[derive(Debug, Clone, Copy, Default)]
struct Model {
    xid: u32,
    offered: Option<Ipv4Addr>,
    has: Option<Ipv4Addr>,
}

/// What a client with a lease says.
pub enum Said {
    /// It keeps its lease.
    Keeps(Client),
    /// It has none any more.
    Leaves(Client),
    /// Neither, and what it says next does not overtake this.
    LeavesInOrder(Client),
}

/// Clients and the workers that serve them.
pub struct Crowd {
    pub team: Team,
    pub dice: Dice,
    pub acks: u32,
    clients: Vec<Model>,
    xid: u32,
}

impl Crowd {
    pub fn new(mut team: Team, dice: Dice) -> Self {
        team.dice = Dice(dice.0 ^ 1);
        Self {
            team,
            dice,
            acks: 0,
            clients: vec![Model::default(); CLIENTS.into()],
            xid: 0,
        }
    }

    /// One message of some client into some queue, twice at times. What one says that has a lease
    /// of an address follows from a roll of eight.
    pub fn speak(&mut self, with_lease: impl FnOnce(usize, Client, Ipv4Addr) -> Said) {
        let n = self.dice.roll(CLIENTS.into());
        self.xid += 1;
        let mut frame = numbered(u16::try_from(n).unwrap());
        frame.xid = self.xid;
        let model = &mut self.clients[n];
        model.xid = self.xid;
        let message = match (model.has, model.offered.take()) {
            (Some(addr), _) => match with_lease(self.dice.roll(8), frame, addr) {
                Said::Keeps(message) => message,
                Said::Leaves(message) => {
                    model.has = None;
                    message
                }
                Said::LeavesInOrder(message) => {
                    model.has = None;
                    self.team.give(0, &message.frame());
                    return self.team.settle();
                }
            },
            (None, Some(addr)) => frame.request(addr),
            (None, None) => frame.discover(),
        };
        for _ in 0..=usize::from(self.dice.roll(10) == 0) {
            let queue = self.dice.roll(self.team.size.queues);
            self.team.give(queue, &message.frame());
        }
    }

    /// The clients hear what was sent since the last time.
    pub fn hear(&mut self) {
        for (_, sent) in self.team.replies() {
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
                continue;
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
    }

    /// The last answers are heard: enough has happened, and each client's address is bound by its
    /// worker, for it alone.
    pub fn settle_up(&mut self) {
        self.team.commit();
        self.hear();
        assert!(self.acks > 50, "too little happened: {}", self.acks);
        let mut owners = BTreeMap::new();
        for (n, model) in (0..).zip(&self.clients) {
            if let Some(addr) = model.has {
                let owner = self.team.owner_of(&numbered(n));
                self.team.is_bound_by(addr, owner);
                assert_eq!(owners.insert(addr, n), None);
            }
        }
    }
}
