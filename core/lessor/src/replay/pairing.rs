//! Replies of the machine beside those of the capture: by xid and chaddr, in their order, those of
//! one type first.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::path::Path;

use dhcp_wire::dhcp::MessageType;

use super::machine::{Machine, counted_between};
use super::message::{Key, Reply, Said, kind_name, look};
use super::report::{Difference, FieldDifference, NotCompared, Report};
use super::steer;
use super::traffic::{Passed, Traffic};
use crate::control::utc;
use crate::words::Colons;

/// A reply may come so long after its query, nanoseconds: what was asked that shortly before the
/// end of the capture may have been answered behind it.
const OPEN: u64 = 2_000_000_000;
/// Differences that are told one by one.
const TOLD: usize = 10_000;

/// What is known of one exchange.
#[derive(Debug, Default)]
struct Exchange {
    /// When its queries came, and the type of each.
    queries: Vec<(u64, Option<MessageType>)>,
    captured: Vec<(u64, Reply)>,
    replayed: Vec<Reply>,
    /// What the machine counted when it had last no reply to a query.
    why: Vec<&'static str>,
}

#[derive(Debug)]
pub(super) struct Pairing {
    exchanges: HashMap<Key, Exchange>,
    /// The address of the first OFFER to each.
    offered: HashMap<Key, Ipv4Addr>,
    queries: u64,
    not_taken: u64,
}

impl Pairing {
    pub(super) fn new(traffic: &Traffic) -> Self {
        let mut offered = HashMap::new();
        for (_, passed) in traffic.passed() {
            if let Passed::Out(reply) = passed
                && reply.kind == Some(MessageType::Offer)
            {
                offered.entry(reply.key.clone()).or_insert(reply.yiaddr);
            }
        }
        Self {
            exchanges: HashMap::new(),
            offered,
            queries: 0,
            not_taken: 0,
        }
    }

    /// Gives the machine what came, and notes what left, here and there.
    pub(super) fn note(&mut self, machine: &mut Machine, at: u64, passed: &Passed) {
        match passed {
            Passed::Out(reply) => {
                let exchange = self.exchanges.entry(reply.key.clone()).or_default();
                exchange.captured.push((at, (**reply).clone()));
            }
            Passed::In {
                port,
                octets,
                key: None,
                ..
            } => self.not_taken += u64::from(!machine.give(*port, octets)),
            Passed::In {
                port,
                octets,
                key: Some(key),
                kind,
            } => {
                // What the time that has passed has brought is not this query's.
                self.note_late(machine);
                self.queries += 1;
                let exchange = self.exchanges.entry(key.clone()).or_default();
                exchange.queries.push((at, *kind));
                let addr = self.offered.get(key).copied();
                let steered =
                    addr.and_then(|addr| steer::asking_for(addr, octets, machine.offloads(*port)));
                let before = machine.counted();
                let octets = steered.as_ref().unwrap_or(octets);
                self.not_taken += u64::from(!machine.give(*port, octets));
                if self.note_late(machine) == 0
                    && let Some(exchange) = self.exchanges.get_mut(key)
                {
                    exchange.why = counted_between(&before, &machine.counted());
                }
            }
        }
    }

    /// Notes what the machine has sent since the last look; how many replies there were.
    pub(super) fn note_late(&mut self, machine: &mut Machine) -> usize {
        let mut replies = 0;
        for frame in machine.take_sent() {
            if let Said::Reply(reply) = look(&frame) {
                replies += 1;
                let exchange = self.exchanges.entry(reply.key.clone()).or_default();
                exchange.replayed.push(*reply);
            }
        }
        replies
    }

    pub(super) fn into_report(self, file: &Path, traffic: &Traffic) -> Report {
        let left_out = traffic.left_out();
        let mut report = Report {
            file: file.display().to_string(),
            frames: traffic.frames(),
            queries: self.queries,
            cut_at: traffic.cut(),
            not_compared: NotCompared {
                cut_short: left_out.cut_short,
                foreign: left_out.foreign,
                other: left_out.other,
                too_long: self.not_taken,
                ..NotCompared::default()
            },
            ..Report::default()
        };
        let end = traffic.end();
        let exchanges = self.exchanges.into_iter();
        let by_time: BTreeMap<_, _> = exchanges
            .map(|(key, exchange)| ((exchange.first(), key), exchange))
            .collect();
        for ((_, key), exchange) in by_time {
            exchange.compare(&key, end, &mut report);
        }
        report
    }
}

impl Exchange {
    fn first(&self) -> u64 {
        let queries = self.queries.iter().map(|(at, _)| *at);
        let captured = self.captured.iter().map(|(at, _)| *at);
        queries.chain(captured).min().unwrap_or(0)
    }

    fn compare(mut self, key: &Key, end: u64, report: &mut Report) {
        report.replies += self.captured.len() as u64;
        if self.queries.is_empty() {
            // Its query came before the capture, or was left out.
            report.not_compared.without_query += self.captured.len() as u64;
            return;
        }
        let last = self.queries.iter().map(|(at, _)| *at).max().unwrap_or(0);
        let mut pairs = Vec::new();
        let mut alone = Vec::new();
        for (at, captured) in std::mem::take(&mut self.captured) {
            let same = self
                .replayed
                .iter()
                .position(|reply| reply.kind == captured.kind);
            match same {
                Some(same) => pairs.push((at, captured, self.replayed.remove(same))),
                None => alone.push((at, captured)),
            }
        }
        // Of what has no like, one stands for the other.
        let mut replayed = self.replayed.drain(..);
        let mut missing = Vec::new();
        for (at, captured) in alone {
            match replayed.next() {
                Some(reply) => pairs.push((at, captured, reply)),
                None => missing.push((at, captured)),
            }
        }
        for (at, captured, reply) in pairs {
            let fields = captured.differences(&reply);
            if fields.is_empty() {
                report.same += 1;
            } else {
                report.different += 1;
                tell(report, key, (at, Some(&captured), Some(&reply)), fields);
            }
        }
        for (at, captured) in missing {
            report.missing += 1;
            tell(report, key, (at, Some(&captured), None), Vec::new());
            if let Some(told) = report.differences.last_mut() {
                told.why.clone_from(&self.why);
            }
        }
        for reply in replayed {
            if last.saturating_add(OPEN) > end {
                report.not_compared.open += 1;
                continue;
            }
            report.unexpected += 1;
            tell(report, key, (last, None, Some(&reply)), Vec::new());
        }
    }
}

fn tell(
    report: &mut Report,
    key: &Key,
    (at, captured, replayed): (u64, Option<&Reply>, Option<&Reply>),
    fields: Vec<(String, Option<String>, Option<String>)>,
) {
    if report.differences.len() >= TOLD {
        report.more += 1;
        return;
    }
    let name = |reply: &Reply| kind_name(reply.kind).to_owned();
    let addr = captured.or(replayed).map(|reply| reply.yiaddr);
    let field = |(field, captured, replayed)| FieldDifference {
        field,
        captured,
        replayed,
    };
    report.differences.push(Difference {
        time: utc(at / 1_000_000_000),
        client: Colons(&key.chaddr).to_string(),
        xid: format!("{:#010x}", key.xid),
        address: addr.filter(|addr| !addr.is_unspecified()),
        captured: captured.map(name),
        replayed: replayed.map(name),
        why: Vec::new(),
        fields: fields.into_iter().map(field).collect(),
    });
}
