//! A server in memory that answers as one should, or wrongly in one way, and clients to ask it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "what tests share; not every test file needs all of it"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use dhcp_wire::Checksum;
use dhcp_wire::dhcp::{Header, Message, MessageType, Options, Writer, code};
use dhcp_wire::ethernet::{Ethernet, Mac, Tags};
use dhcp_wire::frame::{self, Frame, FrameOut, Offloads};
use dhcp_wire::udp::{Fill, port};
use lessor_load::clients::Nanos;
use lessor_load::identity::Macs;
use lessor_load::plan::{End, Expect, Mode, Pace, Plan, Relays, Retry, Timing};
use lessor_load::run::{Run, Stage};
use lessor_load::template::SHORTEST;
use lessor_load::violation::Violation;

pub const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
pub const SERVER_MAC: Mac = Mac([2, 0xff, 0, 0, 0, 1]);
pub const FIRST: u32 = 0x0a01_0000;
pub const LAST: u32 = 0x0a01_ffff;
pub const LEASE: u32 = 3600;
pub const MILLI: Nanos = 1_000_000;

/// One answer on its way.
#[derive(Debug, Clone)]
pub struct Answer {
    pub kind: MessageType,
    pub header: Header,
    pub server_id: Option<Ipv4Addr>,
    pub lease_time: Option<u32>,
    pub client_id: Option<Vec<u8>>,
    pub agent_info: Vec<u8>,
    pub dst_mac: Mac,
    pub dst: Ipv4Addr,
    pub dst_port: u16,
    /// Sent so often.
    pub copies: usize,
    /// The frame is spoilt by this.
    pub damage: Option<fn(&mut Vec<u8>)>,
}

/// What a wrong server does to a right answer.
pub type Fault = fn(&mut Answer);

/// The server.
pub struct Server {
    leases: BTreeMap<[u8; 6], u32>,
    next: u32,
    /// Addresses given back, the oldest first.
    free: VecDeque<u32>,
    /// Who has ever been given an address.
    pub holders: BTreeMap<u32, BTreeSet<[u8; 6]>>,
    /// A DISCOVER that was sent again is answered twice, for its first copy too.
    pub answers_both: bool,
    pub fault: Fault,
    /// Queries by type.
    pub queries: BTreeMap<u8, u32>,
    /// Query frames that are not answered, counted down.
    pub deaf: u32,
    /// The same of REQUESTs alone.
    pub deaf_to_requests: u32,
}

pub fn sound(_: &mut Answer) {}

impl Server {
    pub fn new(fault: Fault) -> Self {
        Self {
            leases: BTreeMap::new(),
            next: FIRST,
            free: VecDeque::new(),
            holders: BTreeMap::new(),
            answers_both: false,
            fault,
            queries: BTreeMap::new(),
            deaf: 0,
            deaf_to_requests: 0,
        }
    }

    /// The frames that answer one.
    pub fn answer(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        let Ok(Frame::Dhcp { eth, payload, .. }) = frame::parse(octets, Offloads::default()) else {
            return answer_arp(octets);
        };
        let query = Message::parse_request(payload).unwrap();
        let options = query.options().unwrap();
        let kind = options.message_type().unwrap();
        *self.queries.entry(kind as u8).or_default() += 1;
        if self.deaf > 0 {
            self.deaf -= 1;
            return Vec::new();
        }
        if kind == MessageType::Request && self.deaf_to_requests > 0 {
            self.deaf_to_requests -= 1;
            return Vec::new();
        }
        let Some(mut answer) = self.decide(query, &options, kind, eth) else {
            return Vec::new();
        };
        if self.answers_both && query.secs() > 0 && answer.kind == MessageType::Offer {
            answer.copies = 2;
        }
        (self.fault)(&mut answer);
        if answer.kind == MessageType::Offer {
            let chaddr = query.chaddr().try_into().unwrap();
            self.leases.insert(chaddr, answer.header.yiaddr.into());
        }
        let mut frame = write(&answer);
        if let Some(damage) = answer.damage {
            damage(&mut frame);
        }
        vec![frame; answer.copies]
    }

    fn decide(
        &mut self,
        query: Message<'_>,
        options: &Options<'_>,
        kind: MessageType,
        eth: Ethernet<'_>,
    ) -> Option<Answer> {
        let chaddr: [u8; 6] = query.chaddr().try_into().unwrap();
        if kind == MessageType::Release {
            let held = self.leases.remove(&chaddr).unwrap();
            assert_eq!(Ipv4Addr::from(held), query.ciaddr());
            self.free.push_back(held);
            return None;
        }
        let addr = *self.leases.entry(chaddr).or_insert_with(|| {
            // Not the client's own of a moment ago, but one that another gave back.
            let other = (self.free.len() > 1).then(|| self.free.pop_front());
            other.flatten().unwrap_or_else(|| {
                self.next += 1;
                self.next
            })
        });
        self.holders.entry(addr).or_default().insert(chaddr);
        let kind = if kind == MessageType::Discover {
            MessageType::Offer
        } else {
            // What a client asks for is what it was offered or holds.
            let requested = options
                .addr(code::REQUESTED_ADDRESS)
                .unwrap_or(query.ciaddr());
            assert_eq!(requested, Ipv4Addr::from(addr));
            assert!(options.addr(code::SERVER_ID).is_none_or(|id| id == SERVER));
            MessageType::Ack
        };
        let header = Header {
            yiaddr: addr.into(),
            ciaddr: query.ciaddr(),
            ..Header::reply_to(query)
        };
        let relayed = !query.giaddr().is_unspecified();
        let mut agent_info = vec![0; 64];
        let len = options
            .copy_instances(code::AGENT_INFO, &mut agent_info)
            .unwrap();
        agent_info.truncate(len);
        Some(Answer {
            kind,
            header,
            server_id: Some(SERVER),
            lease_time: Some(LEASE),
            client_id: options.get(code::CLIENT_ID).map(|id| id.octets().collect()),
            agent_info,
            dst_mac: eth.src(),
            dst: if relayed { query.giaddr() } else { addr.into() },
            dst_port: if relayed { port::SERVER } else { port::CLIENT },
            copies: 1,
            damage: None,
        })
    }
}

fn answer_arp(octets: &[u8]) -> Vec<Vec<u8>> {
    use dhcp_wire::arp::{self, Op, Station};
    let Ok(Frame::Arp { arp, .. }) = frame::parse(octets, Offloads::default()) else {
        panic!("a frame that no server takes");
    };
    if arp.op() != Op::Request || arp.tpa() != SERVER {
        return Vec::new();
    }
    let mut frame = vec![0; 60];
    let us = Station {
        mac: SERVER_MAC,
        addr: SERVER,
    };
    let tags = Tags::default();
    dhcp_wire::ethernet::write(&mut frame, arp.sha(), SERVER_MAC, &tags, 0x0806).unwrap();
    arp::write_reply(&mut frame[14..], us, arp.sender()).unwrap();
    vec![frame]
}

fn write(answer: &Answer) -> Vec<u8> {
    let mut frame = vec![0; 600];
    let at = frame::headers_len(Tags::default());
    let mut writer = Writer::new(&mut frame[at..], 548, &answer.header).unwrap();
    writer
        .option(code::MESSAGE_TYPE, &[answer.kind as u8])
        .unwrap();
    if let Some(id) = answer.server_id {
        writer.option(code::SERVER_ID, &id.octets()).unwrap();
    }
    if let Some(time) = answer.lease_time {
        writer
            .option(code::LEASE_TIME, &time.to_be_bytes())
            .unwrap();
    }
    if let Some(id) = &answer.client_id {
        writer.option(code::CLIENT_ID, id).unwrap();
    }
    let payload_len = writer.finish(&answer.agent_info).len;
    let out = FrameOut {
        dst_mac: answer.dst_mac,
        src_mac: SERVER_MAC,
        tags: Tags::default(),
        src: SERVER,
        dst: answer.dst,
        src_port: port::SERVER,
        dst_port: answer.dst_port,
        ttl: 64,
        tos: 0,
        id: 0,
        payload_len,
        udp_checksum: Fill::Computed,
    };
    let len = frame::write_headers(&mut frame, &out).unwrap();
    frame.truncate(len);
    frame
}

pub const fn plan(mode: Mode) -> Plan {
    Plan {
        mode,
        seed: 3,
        clients: 100,
        macs: Macs::Random,
        relays: None,
        server_mac: None,
        expect: Expect {
            range: Some((FIRST, LAST)),
            lease_time: Some(LEASE),
        },
        frame_size: SHORTEST,
        retry: Retry {
            first: 4000 * MILLI,
            tries: 5,
        },
        rest: 0,
    }
}

pub const fn behind_relays(mut plan: Plan, option82: bool) -> Plan {
    plan.relays = Some(Relays {
        count: 7,
        base: 0x0a00_0002,
        option82,
        server: SERVER,
    });
    plan
}

pub const fn timing(exchanges: u64) -> Timing {
    Timing {
        pace: Pace::Window(10),
        warmup: 0,
        end: End::Exchanges(exchanges),
        drain: 1000 * MILLI,
    }
}

/// Runs clients against a server, a message and its answer each millisecond, to the end or for an
/// hour of their time.
pub fn play(plan: &Plan, timing: Timing, server: &mut Server) -> Run {
    let mut run = Run::new(plan, timing).unwrap();
    let mut wire: Vec<Vec<u8>> = Vec::new();
    let mut now = 0;
    while run.stage() != Stage::Over && now < 3_600_000 * MILLI {
        run.poll(now, &mut wire);
        let queries = std::mem::take(&mut wire);
        now += MILLI;
        for query in queries {
            for reply in server.answer(&query) {
                run.expect(&reply);
                let checked = (Checksum::Verify, Checksum::Verify);
                run.receive(&reply, checked, now, &mut wire);
            }
        }
    }
    run
}

/// The kinds of wrong replies that were seen.
pub fn kinds(run: &Run) -> Vec<Violation> {
    run.engine()
        .violations()
        .kinds()
        .map(|(kind, _)| kind)
        .collect()
}
