//! Hostile frames for the whole server: for the fuzzer, and for the test that runs its corpus.
//!
//! ```text
//!   octets ──► a program of pieces, each an octet that says what it is, and a length
//!                ├─ a frame as it is
//!                ├─ a payload in a frame without fault: on the link, by a relay, routed
//!                ├─ a payload of which a message without fault is the beginning
//!                └─ time, a commit, housekeeping
//! ```
//!
//! The server has leases, offers and reservations when it begins. Nothing panics, what it sends can
//! be read, every packet is sent or counted, and words and slots say the same.

use super::client::{Client, Nature};
use super::dice::Dice;
use super::frame::{self, GATEWAY_MAC, Sent};
use super::ledger::Ledger;
use super::message::{Kind, Query};
use super::scenario::{Home, SERVER};
use super::server::{Clocks, Server};
use dhcp_proto::address::AddressState;
use lessor::dataplane::counters::Group;
use lessor::store::medium::memory::MemoryMedium;
use std::net::Ipv4Addr;

const CONFIG: &str = r#"
[[ports]]
device = "net_null0"
addresses = ["10.0.0.1/24", { address = "10.1.0.1/24", vlan = 100 }, { address = "10.2.0.1/24", vlan = [200, 30] }]
gateway = "10.0.0.254"
trust_option82 = true

[defaults]
lease_time = 60
min_lease_time = 10
probation = 30
offer_hold = 20
options = { domain-name-servers = ["10.0.0.53"], domain-name = "example.org" }

[[networks]]
name = "link"
[[networks.subnets]]
prefix = "10.0.0.0/24"
pools = ["10.0.0.10-10.0.0.17"]
options = { routers = ["10.0.0.254"] }
[[networks.reservations]]
hw_address = "02:51:00:00:00:05"
address = "10.0.0.12"

[[networks]]
name = "tagged"
identity = "circuit+chaddr"
[[networks.subnets]]
prefix = "10.1.0.0/24"
pools = ["10.1.0.10-10.1.0.13"]

[[networks]]
name = "twice"
identity = "chaddr"
[[networks.subnets]]
prefix = "10.2.0.0/24"
pools = ["10.2.0.10-10.2.0.13"]

[[networks]]
name = "far"
identity = "circuit"
[[networks.subnets]]
prefix = "10.9.0.0/24"
pools = ["10.9.0.10-10.9.0.13"]
[[networks.subnets]]
prefix = "10.9.1.0/24"
pools = ["10.9.1.10-10.9.1.11"]
"#;

/// Clients of a worker.
const CAPACITY: usize = 32;
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

struct Host {
    server: Server,
    clocks: Clocks,
    dice: Dice,
}

/// Plays the program in `data`, and panics at the first thing that must not be.
pub fn hostile_frames(data: &[u8]) {
    let mut host = Host::new();
    host.greet();
    let mut rest = data;
    while let Some((piece, behind)) = piece(rest) {
        rest = behind;
        host.play(piece);
    }
    host.end();
}

/// What a piece is, and its octets.
type Piece<'d> = (u8, &'d [u8]);

/// The next piece, and what is behind it.
fn piece(data: &[u8]) -> Option<(Piece<'_>, &[u8])> {
    let (head, rest) = data.split_first_chunk::<3>()?;
    let [what, high, low] = *head;
    let length = usize::from(u16::from_be_bytes([high, low]) % 1600).min(rest.len());
    let (octets, behind) = rest.split_at(length);
    Some(((what, octets), behind))
}

impl Host {
    fn new() -> Self {
        let mut dice = Dice::new(7);
        let clocks = Clocks::new();
        let disk = MemoryMedium::default();
        let ledger = Ledger::default();
        let server = Server::start((&disk, &ledger), (CONFIG, CAPACITY), &clocks, &mut dice);
        let server = server.expect("a disk without fault");
        Self {
            server,
            clocks,
            dice,
        }
    }

    /// Some clients of the link become bound, one is left with an offer.
    fn greet(&mut self) {
        for number in 1..6 {
            let client = client(number);
            let home = Home::on_link();
            let mut query = Query::new(Kind::Discover);
            self.give(&frame::of_query(&query, &client, &home, 0));
            let offered = self.settle();
            if let (Some(addr), true) = (offered, number < 5) {
                query.kind = Kind::Request;
                (query.requested, query.server) = (Some(addr), Some(SERVER));
                self.give(&frame::of_query(&query, &client, &home, 0));
                self.settle();
            }
        }
    }

    fn play(&mut self, (what, octets): Piece<'_>) {
        match what % 8 {
            0 | 1 => self.give(octets),
            2 => self.give(&frame::wrapped((GATEWAY_MAC, (RELAY, SERVER)), 67, octets)),
            3 => {
                let mac = client(u32::from(what >> 3)).nature.mac;
                let way = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
                self.give(&frame::wrapped((mac, way), 68, octets));
            }
            4 => {
                let from = Ipv4Addr::new(10, 0, 0, 10 + (what >> 3) % 8);
                self.give(&frame::wrapped((GATEWAY_MAC, (from, SERVER)), 68, octets));
            }
            5 => self.give_begun(what >> 3, octets),
            6 => {
                self.clocks.now += 1 + 40 * u64::from(what) * octets.len() as u64;
                self.settle();
            }
            _ => {
                self.settle();
            }
        }
    }

    /// A message that is right as far as its fixed fields go, with these options.
    fn give_begun(&mut self, which: u8, options: &[u8]) {
        let query = Query::new(Kind::Discover);
        let client = client(u32::from(which % 8));
        let relayed = which >= 16;
        let home = if relayed {
            Home::behind(RELAY)
        } else {
            Home::on_link()
        };
        let mut payload = query.payload(&client, &home, 0);
        payload.truncate(240);
        if which % 16 >= 8 {
            // ciaddr, as of who renews.
            payload[12..16].copy_from_slice(&[10, 0, 0, 10 + which % 8]);
        }
        payload.extend(options);
        let way = if relayed {
            (GATEWAY_MAC, (RELAY, SERVER))
        } else {
            (
                client.nature.mac,
                (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
            )
        };
        self.give(&frame::wrapped(way, 67 + u16::from(!relayed), &payload));
    }

    fn give(&mut self, frame: &[u8]) {
        // A frame that is longer than any buffer is the device's matter.
        let _taken = self.server.give(frame, &mut self.dice);
        self.settle();
    }

    /// Lets everybody work; the address of the last reply.
    fn settle(&mut self) -> Option<Ipv4Addr> {
        let mut last = None;
        for _ in 0..4 {
            self.server.all(&self.clocks, &mut self.dice);
            for frame in self.server.take_sent() {
                match Sent::parse(&frame.octets) {
                    Ok(Sent::Question(addr)) if addr.octets()[3] == 254 => {
                        let answer = frame::arp_answer(addr, GATEWAY_MAC);
                        let _taken = self.server.give(&answer, &mut self.dice);
                    }
                    Ok(Sent::Reply(parcel)) => last = Some(parcel.reply.yiaddr),
                    Ok(Sent::Question(_) | Sent::Echo(..) | Sent::Other) => {}
                    Err(wrong) => panic!("{wrong}: {:02x?}", frame.octets),
                }
            }
        }
        last
    }

    /// Everything ends, and nothing is left over.
    fn end(mut self) {
        for _ in 0..5 {
            self.clocks.now += 40_000;
            self.settle();
        }
        let counted = self.server.counted();
        let event = |name| counted.count(Group::Events, name).unwrap_or(0);
        let (held, parked) = self.server.held();
        assert_eq!((held, parked), (0, 0), "packets held and parked");
        let own = event("arp_asked") + event("arp_announced");
        assert_eq!(
            event("received") + own,
            event("sent") + event("arp_learnt") + counted.unanswered(),
            "each packet is sent or counted"
        );
        assert_eq!(event("handed_over"), event("taken_over"));
        self.check_words();
    }

    fn check_words(&self) {
        let nets = [
            ([10, 0, 0], 8),
            ([10, 1, 0], 4),
            ([10, 2, 0], 4),
            ([10, 9, 0], 4),
            ([10, 9, 1], 2),
        ];
        let mut words = vec![(0, 0, 0); self.server.workers()];
        for ([a, b, c], count) in nets {
            for last in 10..10 + count {
                let word = self.server.word(Ipv4Addr::new(a, b, c, last));
                let owned = &mut words[usize::from(word.owner().0)];
                match word.state() {
                    AddressState::Held => owned.0 += 1,
                    AddressState::Bound => owned.1 += 1,
                    AddressState::SetAside => owned.2 += 1,
                    AddressState::Free | AddressState::Remembered => {}
                }
            }
        }
        for (shard, words) in self.server.shards().zip(words) {
            let counts = shard.counts();
            assert_eq!(counts.inconsistent, 0);
            assert_eq!((counts.offered, counts.active, counts.set_aside), words);
        }
    }
}

fn client(number: u32) -> Client {
    let [a, b, c, d] = number.to_be_bytes();
    let nature = Nature {
        number,
        device: number,
        mac: [0x02, 0x51, a, b, c, d],
        client_id: None,
        home: 0,
        broadcast: number.is_multiple_of(2),
        wish: None,
    };
    Client::new(nature, 0, 0)
}
