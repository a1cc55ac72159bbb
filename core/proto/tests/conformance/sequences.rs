//! Any sequence of messages, time, restarts and jumps of the clock, over one to three shards: what must hold after
//! each step, and what must be left at the end.

use crate::client::{Msg, SERVER};
use crate::reserved::kept;
use crate::world::{Answer, Setup, World, ip, pool};
use core::time::Duration;
use dhcp_proto::config::LeaseTimes;
use dhcp_proto::server::{ReplyKind, Silence};
use dhcp_proto::time::{Instant, Wall};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The last two are one station, before and after its system has started: its reservation is
/// for both of them.
const CLIENTS: u8 = 8;
const STATION: [u8; 2] = [7, 8];
/// Addresses in the pool, fewer than clients.
const ADDRESSES: u8 = 4;
/// The address of the reservation, in no pool.
const KEPT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const LEASE: u32 = 600;
const GRACE: u64 = 30;
const PROBATION: u64 = 300;
/// Seconds of a jump: beyond every lease, and so is any sum of jumps that is none of zero.
const JUMP: i64 = 1_000_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    Discover {
        n: u8,
        wish: Option<u8>,
    },
    Select {
        n: u8,
    },
    SelectAnother {
        n: u8,
    },
    Reboot {
        n: u8,
        addr: u8,
    },
    Renew {
        n: u8,
    },
    Usurp {
        n: u8,
        addr: u8,
    },
    Release {
        n: u8,
    },
    Decline {
        n: u8,
    },
    Pass {
        seconds: u64,
    },
    Restart {
        shards: u16,
    },
    /// The wall clock jumps while the server is down.
    Jump {
        ahead: i64,
    },
    /// The server is down for longer than the longest lease.
    Down,
    AcceptClock,
}

fn step() -> impl Strategy<Value = Step> {
    let n = 1..=CLIENTS;
    let addr = 0..ADDRESSES + 2;
    prop_oneof![
        4 => (n.clone(), proptest::option::of(addr.clone()))
            .prop_map(|(n, wish)| Step::Discover { n, wish }),
        6 => n.clone().prop_map(|n| Step::Select { n }),
        1 => n.clone().prop_map(|n| Step::SelectAnother { n }),
        2 => (n.clone(), addr.clone()).prop_map(|(n, addr)| Step::Reboot { n, addr }),
        3 => n.clone().prop_map(|n| Step::Renew { n }),
        1 => (n.clone(), addr).prop_map(|(n, addr)| Step::Usurp { n, addr }),
        2 => n.clone().prop_map(|n| Step::Release { n }),
        1 => n.prop_map(|n| Step::Decline { n }),
        4 => prop_oneof![Just(1), Just(4), Just(61), Just(605), Just(660)]
            .prop_map(|seconds| Step::Pass { seconds }),
        1 => (1..=3u16).prop_map(|shards| Step::Restart { shards }),
        1 => prop_oneof![Just(-2), Just(-1), Just(1), Just(3)]
            .prop_map(|jumps| Step::Jump { ahead: jumps * JUMP }),
        1 => Just(Step::Down),
        1 => Just(Step::AcceptClock),
    ]
}

/// The addresses of the pool, one behind it, and the reserved one.
fn nth(addr: u8) -> Ipv4Addr {
    if addr > ADDRESSES {
        KEPT
    } else {
        Ipv4Addr::new(10, 0, 0, 10 + addr)
    }
}

fn client(n: u8) -> Msg {
    let [firmware, system] = STATION;
    if n == system {
        crate::client::client(firmware).client_id(b"\0system")
    } else {
        crate::client::client(n)
    }
}

/// What the clients believe, which is what the server owes them.
struct Model {
    world: World,
    /// Last offer of each client.
    offers: BTreeMap<u8, Ipv4Addr>,
    /// Lease of each client, and the second it ends at.
    leases: BTreeMap<u8, (Ipv4Addr, u64)>,
}

impl Model {
    fn new(shards: u16) -> Self {
        let mut setup = Setup::default();
        setup.shards = shards;
        let home = setup.home();
        home.rules.grace = Duration::from_secs(GRACE);
        home.rules.probation = Duration::from_secs(PROBATION);
        home.reservations.push(kept(STATION[0], KEPT));
        let subnet = setup.home_subnet();
        subnet.pools = vec![pool("10.0.0.10", "10.0.0.13")];
        subnet.lease = LeaseTimes {
            default: LEASE,
            max: LEASE,
            ..LeaseTimes::default()
        };
        setup.far().subnets[0].lease = setup.home_subnet().lease;
        let mut world = setup.world();
        world.wall = 1000 * JUMP;
        for shard in &mut world.shards {
            shard.set_wall(Wall { ahead: world.wall });
        }
        Self {
            world,
            offers: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::from(self.world.now.secs())
    }

    /// The lease that a client still has.
    fn lease(&self, n: u8) -> Option<Ipv4Addr> {
        let (addr, until) = self.leases.get(&n)?;
        (self.now() < *until).then_some(*addr)
    }

    /// No address is given to `n` that another client has, or had within the grace.
    fn is_nobody_elses(&self, n: u8, addr: Ipv4Addr) {
        for (other, (theirs, until)) in &self.leases {
            let kept = self.now() < until + GRACE;
            assert!(
                *other == n || *theirs != addr || !kept,
                "{addr} is client {other}'s until {until}, and goes to {n} at {}",
                self.now()
            );
        }
    }

    fn take(&mut self, n: u8, msg: Msg) -> Answer {
        let answer = self.world.send(msg);
        if let Answer::Reply(reply) = &answer {
            let addr = reply.yiaddr();
            match reply.kind {
                ReplyKind::Offer => {
                    self.is_nobody_elses(n, addr);
                    self.offers.insert(n, addr);
                }
                ReplyKind::Ack => {
                    self.is_nobody_elses(n, addr);
                    let until = self.now() + u64::from(reply.lease().unwrap());
                    self.leases.insert(n, (addr, until));
                }
                // RFC 2131 §4.4.2: a client that is refused begins anew.
                ReplyKind::Nak => {
                    self.leases.remove(&n);
                }
            }
        }
        answer
    }

    fn take_step(&mut self, step: Step) {
        match step {
            Step::Discover { n, wish } => self.discover(n, wish),
            Step::Select { n } => {
                if let Some(addr) = self.offers.get(&n).copied() {
                    let _answer = self.take(n, client(n).reboot(addr).server(SERVER));
                }
            }
            Step::SelectAnother { n } => {
                let theirs = client(n).reboot(ip("10.0.0.99")).server(ip("10.0.0.98"));
                let _reason = self.take(n, theirs).silence();
            }
            Step::Reboot { n, addr } => {
                let had = self.lease(n);
                let answer = self.take(n, client(n).reboot(nth(addr)));
                if had == Some(nth(addr)) {
                    assert_eq!(answer.ack().yiaddr(), nth(addr), "C50");
                }
            }
            Step::Renew { n } => {
                if let Some(addr) = self.lease(n) {
                    let ack = self.take(n, client(n).renew(addr)).ack();
                    assert_eq!(ack.yiaddr(), addr, "C52");
                }
            }
            Step::Usurp { n, addr } => {
                if self.lease(n).is_none() {
                    self.take(n, client(n).rebind(nth(addr)));
                }
            }
            Step::Release { n } => {
                self.give_up(n, |addr| client(n).release().ciaddr(addr).unicast(SERVER));
            }
            Step::Decline { n } => self.give_up(n, |addr| client(n).decline().requested(addr)),
            Step::Pass { seconds } => self.world.pass(seconds),
            Step::Restart { shards } => {
                self.world.setup.shards = shards;
                self.world.restart();
            }
            Step::Jump { ahead } => {
                self.world.wall += ahead;
                self.world.restart();
            }
            Step::Down => {
                self.world.now = Instant(self.world.now.0 + 1_000_000);
                self.world.restart();
            }
            Step::AcceptClock => {
                // Whose lease was held loses it: the operator has said that it is over.
                let held = self.world.clock_held();
                self.leases.retain(|_, (addr, _)| !held.contains(addr));
                assert_eq!(self.world.accept_clock(), held.len() as u64);
            }
        }
        self.world.check();
    }

    fn discover(&mut self, n: u8, wish: Option<u8>) {
        let discover = client(n).discover();
        // The one half of the station ends the other's lease, and leaves its own.
        let is_station = STATION.contains(&n);
        let had = self.lease(n).filter(|_| !is_station);
        if is_station {
            self.leases
                .retain(|other, (addr, _)| *other == n || *addr != KEPT);
        }
        let discover = match wish {
            Some(wish) => discover.requested(nth(wish)),
            None => discover,
        };
        let answer = self.take(n, discover);
        if let Some(addr) = had {
            assert_eq!(answer.offer().yiaddr(), addr, "C30");
        }
    }

    fn give_up(&mut self, n: u8, says: impl Fn(Ipv4Addr) -> Msg) {
        if let Some(addr) = self.lease(n) {
            let reason = self.world.send(says(addr)).silence();
            assert!(matches!(reason, Silence::Released | Silence::Declined));
            self.leases.remove(&n);
            self.offers.remove(&n);
        }
    }

    /// After all leases, graces, holds and probations every address can be offered again.
    fn nothing_leaked(&mut self) {
        self.world.pass(1200);
        let counts = self.world.shards.iter().map(|shard| {
            let counts = shard.counts();
            (counts.offered, counts.active, counts.set_aside)
        });
        assert!(counts.into_iter().all(|counts| counts == (0, 0, 0)));
        let offered: BTreeSet<_> = (100..100 + ADDRESSES)
            .map(|n| self.world.send(client(n).discover()).offer().yiaddr())
            .collect();
        assert_eq!(offered.len(), usize::from(ADDRESSES));
        let more = self.world.send(client(99).discover());
        assert_eq!(more.silence(), Silence::NoAddress);
        let reserved = self.world.send(client(STATION[0]).discover());
        assert_eq!(reserved.offer().yiaddr(), KEPT);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 512,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_keeps_every_lease_and_leaks_no_address(
        shards in 1..=3u16,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let mut model = Model::new(shards);
        for step in steps {
            model.take_step(step);
        }
        model.nothing_leaked();
    }
}
