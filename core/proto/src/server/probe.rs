//! Probing an address before it is offered: RFC 2131 §2.2, §3.1 step 2, C177 to C181.
//!
//! ```text
//!   DISCOVER ─► decide ─► Outcome { probe } ··· the worker asks, the message waits ··· resume ─┐
//!                            ▲                                                                 │
//!                            └── in use: set aside, the next address ◄─────────────────────────┤
//!   OFFER ◄──────────────────────────────────────── nobody answered, or nobody could be asked ─┘
//! ```
//!
//! The slot says that its address is under probe; who waits for it is the worker's to know. So a
//! repeated DISCOVER comes to the same probe again, and a message that is lost while it waits costs
//! nothing: the next one starts the probe anew.

use super::decline::probation;
use super::plan::{Notice, NoticeKind, Outcome, Plan};
use super::query::{Client, Query};
use super::silence::Silence;
use super::turn::{Turn, with_turn};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network, ProbeBy, ProbeRules};
use crate::record::Journal;
use crate::rule::Rule;
use crate::shard::{Found, InUse, Over, Probe, Seek, Shard};
use crate::time::Instant;
use core::net::Ipv4Addr;
use dhcp_wire::ethernet::Mac;

/// Decides about `query`, a DISCOVER, anew: the probe that it waited for is over.
pub fn resume(
    query: &Query<'_>,
    over: &Over,
    (now, config): (Instant, &Config),
    shard: &mut Shard,
    journal: &mut impl Journal,
) -> Outcome {
    with_turn(query, (now, config), shard, journal, |turn| {
        if over.probe.aside {
            turn.on_aside_probed(over)
        } else {
            turn.on_probed(over)
        }
    })
}

/// Another worker has no address left in a network: the probe of the one that this worker has set
/// aside there longest, if it has any (C177).
pub fn look_aside(seek: &Seek, now: Instant, config: &Config, shard: &mut Shard) -> Option<Probe> {
    let network = config.network_by_key(seek.network)?;
    let is_anyones = |addr| {
        let subnet = network.subnet_of(addr).map(|(_, subnet)| subnet);
        let subnet = subnet.filter(|subnet| subnet.probe.by != ProbeBy::Off);
        subnet.is_some_and(|s| s.pool_of(addr).is_some())
            && config.reserved(network, addr).is_none()
    };
    // No client's hash: each question is a new one.
    let slot = shard.oldest_aside(network, (0, now.secs()), is_anyones)?;
    shard.note_asker(slot, 0);
    probe_of(shard, network, (slot, seek.relay), Purpose::Aside)
}

/// What came of the probe of [`look_aside`]: the address is free if nobody answered, and set aside
/// anew if somebody did.
pub fn settle(
    over: &Over,
    now: Instant,
    config: &Config,
    shard: &mut Shard,
    journal: &mut impl Journal,
) -> Option<Notice> {
    let Probe {
        space,
        addr,
        generation,
        ..
    } = over.probe;
    let place = config.place_of(space, addr)?;
    let network = config.network(place.network)?;
    let slot = shard.aside_under_probe(config, (space, addr), generation)?;
    let fenced = journal.fenced();
    let lost = fenced.is_some_and(|fenced| fenced.contains(space.0, addr));
    let now = now.secs();
    match over.found {
        Found::Nobody if !lost && journal.has_room() => {
            shard.end_probation(config, network, slot, (now, journal));
            None
        }
        Found::Station(station) if !lost && journal.has_room() => {
            let times = probation(network, now);
            let in_use = InUse { times, station };
            shard.keep_aside_longer(network, slot, in_use, journal);
            Some(busy(addr, station))
        }
        Found::Nobody | Found::Station(_) | Found::Nothing => {
            shard.drop_probe(slot);
            None
        }
    }
}

fn busy(addr: Ipv4Addr, station: Option<Mac>) -> Notice {
    Notice {
        kind: NoticeKind::Busy,
        addr,
        chaddr: station.unwrap_or_default().0,
    }
}

/// What is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A new address, which the rule has chosen.
    New(Rule),
    /// An address in probation.
    Aside,
}

/// The probe of the address in `slot`, which is under probe from now on.
fn probe_of(
    shard: &mut Shard,
    network: &Network,
    (slot, relay): (SlotIndex, Ipv4Addr),
    purpose: Purpose,
) -> Option<Probe> {
    let addr = shard.addr(slot)?;
    let (_, subnet) = network.subnet_of(addr)?;
    let ProbeRules { by, wait, .. } = subnet.probe;
    let space = network.space;
    let generation = shard.begin_probe(slot)?;
    Some(Probe {
        space,
        addr,
        generation,
        by,
        wait,
        relay,
        aside: purpose == Purpose::Aside,
        rule: match purpose {
            Purpose::New(rule) => rule,
            Purpose::Aside => Rule::Probation,
        },
    })
}

impl<J: Journal> Turn<'_, J> {
    fn rules_of(&self, addr: Ipv4Addr) -> ProbeRules {
        let subnet = self.network.subnet_of(addr);
        subnet.map_or_else(ProbeRules::default, |(_, subnet)| subnet.probe)
    }

    /// The probe that the offer in `slot` has to wait for. C180: none for an address that is the
    /// client's already, or was and is remembered for it, nor for its reservation unless asked.
    #[inline]
    pub(super) fn probe_first(&mut self, slot: SlotIndex, rule: Rule) -> Option<Probe> {
        if self.config.has_probes() {
            self.probe_new(slot, rule)
        } else {
            None
        }
    }

    #[cold]
    fn probe_new(&mut self, slot: SlotIndex, rule: Rule) -> Option<Probe> {
        let addr = self.shard.addr(slot)?;
        let rules = self.rules_of(addr);
        let is_reserved = self.reservation() == Some(addr) && !rules.reservations;
        let is_known = self.shard.is_probed(slot) || self.shard.is_returning(slot);
        if rules.by == ProbeBy::Off || is_reserved || is_known {
            self.shard.pass_probe(slot);
            return None;
        }
        let relay = self.query.message.giaddr();
        probe_of(self.shard, self.network, (slot, relay), Purpose::New(rule))
    }

    /// Whether `addr`, on offer in `slot`, has not been offered yet: it is under probe.
    pub(super) fn is_under_probe(&self, slot: SlotIndex, addr: Ipv4Addr) -> bool {
        self.config.has_probes()
            && self.shard.is_probing(slot)
            && self.rules_of(addr).by != ProbeBy::Off
    }

    /// The probe of a new address is over.
    fn on_probed(&mut self, over: &Over) -> Outcome {
        let Some(slot) = self.slot_under(&over.probe) else {
            return Silence::ProbeMoot.into();
        };
        let Found::Station(station) = over.found else {
            self.shard.pass_probe(slot);
            let outcome = self.on_discover();
            return as_chosen(&over.probe, outcome);
        };
        if let Err(reason) = self.may_write(over.probe.addr) {
            return reason.into();
        }
        let Some(aside) = self.shard.aside_slot(self.network, over.probe.addr) else {
            return Silence::TableFull.into();
        };
        let place = (self.config, self.network);
        let times = self.probation();
        let in_use = InUse { times, station };
        self.shard
            .set_busy_aside(place, (slot, aside), in_use, self.journal);
        self.go_on(over)
    }

    /// The probe of an address in probation is over (C177).
    fn on_aside_probed(&mut self, over: &Over) -> Outcome {
        let Probe {
            space,
            addr,
            generation,
            ..
        } = over.probe;
        let place = (space, addr);
        let Some(slot) = self.shard.aside_under_probe(self.config, place, generation) else {
            // Its probation has ended meanwhile: there may be an address now.
            return self.on_discover();
        };
        if let Err(reason) = self.may_write(addr) {
            self.shard.drop_probe(slot);
            return reason.into();
        }
        match over.found {
            Found::Nobody => {
                let now = (self.now, &mut *self.journal);
                self.shard
                    .end_probation(self.config, self.network, slot, now);
                self.discover(Some(addr))
            }
            Found::Station(station) => {
                let times = self.probation();
                let in_use = InUse { times, station };
                self.shard
                    .keep_aside_longer(self.network, slot, in_use, self.journal);
                self.go_on(over)
            }
            Found::Nothing => {
                self.shard.drop_probe(slot);
                self.refuse_for_lack()
            }
        }
    }

    /// The next address for the same DISCOVER; the operator is told of the one that is in use.
    fn go_on(&mut self, over: &Over) -> Outcome {
        let station = match over.found {
            Found::Station(station) => station,
            Found::Nobody | Found::Nothing => None,
        };
        Outcome {
            notice: Some(busy(over.probe.addr, station)),
            ..self.on_discover()
        }
    }

    fn may_write(&self, addr: Ipv4Addr) -> Result<(), Silence> {
        if !self.journal.has_room() {
            Err(Silence::JournalFull)
        } else if !self.serves(addr) {
            Err(Silence::Fenced)
        } else {
            Ok(())
        }
    }

    /// The client's slot, if it still holds the address that was probed.
    fn slot_under(&self, probe: &Probe) -> Option<SlotIndex> {
        let client = self.client()?;
        let slots = [self.binding(), self.shard.find_beside(&client)];
        slots.into_iter().flatten().find(|slot| {
            let binding = self.shard.bindings.slot(*slot);
            let same = binding.is_some_and(|binding| {
                binding.state == BindingState::Offered
                    && binding.addr == probe.addr.to_bits()
                    && binding.generation() == probe.generation
            });
            same && self.shard.is_probing(*slot)
        })
    }

    /// No address is left: the one that was set aside first may be free by now. It is probed before
    /// a client is refused (C177); if other workers have some, they are asked.
    #[cold]
    pub(super) fn on_exhausted(&mut self) -> Outcome {
        if !self.config.has_probes() {
            return self.refuse_for_lack();
        }
        let Some(client) = self.client() else {
            return Silence::NoIdentity.into();
        };
        let wanted = self.wanted(client);
        let asker = asker(&self.query.client);
        let (network, probed) = (self.network, |addr| self.rules_of(addr).by != ProbeBy::Off);
        let open = |addr| wanted.may_have(addr) && probed(addr);
        let aside = self.shard.oldest_aside(network, (asker, self.now), open);
        let relay = self.query.message.giaddr();
        if let Some(slot) = aside {
            self.shard.note_asker(slot, asker);
            let probe = probe_of(self.shard, network, (slot, relay), Purpose::Aside);
            return Outcome {
                probe,
                ..Silence::Probing.into()
            };
        }
        let seek = self.shard.may_seek(network, self.now).then_some(Seek {
            network: network.key,
            relay,
        });
        Outcome {
            seek,
            ..self.refuse_for_lack()
        }
    }
}

/// The offer of an address that waited for its probe, by the rule that had chosen it before.
fn as_chosen(probe: &Probe, outcome: Outcome) -> Outcome {
    match outcome.reply {
        Ok(plan) if plan.yiaddr == probe.addr => {
            let rule = probe.rule;
            let reply = Ok(Plan { rule, ..plan });
            Outcome { reply, ..outcome }
        }
        Ok(_) | Err(_) => outcome,
    }
}

/// What tells one client that waits for an address in probation from another; never 0.
fn asker(client: &Client) -> u32 {
    let hash = match client {
        Client::Known(_, hash) => *hash,
        Client::HolderOf(_) | Client::Anyone => 0,
    };
    let [.., a, b, c, d] = hash.to_be_bytes();
    u32::from_be_bytes([a, b, c, d]) | 1
}
