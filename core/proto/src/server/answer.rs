//! Granting a lease, refusing one, and the plan of the reply that says so.

use super::plan::{NoticeKind, Outcome, Plan, ReplyKind};
use super::reply_addr::Addressing;
use super::silence::Silence;
use super::turn::Turn;
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Mark, Place, Subnet};
use crate::record::{Cause, Journal, Origin, RecordKind, Statement};
use crate::rule::Rule;
use crate::time::{INFINITE, deadline, remaining};
use core::net::Ipv4Addr;

/// A REQUEST that repeats one this recent is answered from the binding, without a record (C45):
/// clients repeat after 4 and 8 s, RFC 2131 §4.1.
const REPEAT: u32 = 16;

impl<J: Journal> Turn<'_, J> {
    pub(super) fn addressing(&self) -> Addressing<'_> {
        Addressing {
            query: self.query,
            link: self.link,
            network: self.network,
        }
    }

    /// The reply of `kind` that `rule` makes about an address, with a lease; its server is named as
    /// the client in `slot` knows it (C117).
    pub(super) fn plan(
        &self,
        (kind, rule): (ReplyKind, Rule),
        (addr, lease): (Ipv4Addr, Option<u32>),
        slot: Option<SlotIndex>,
    ) -> Result<Plan, Silence> {
        let addressing = self.addressing();
        let (index, subnet) = self
            .network
            .subnet_of(addr)
            .unwrap_or((self.query.subnet, self.subnet));
        let place = Place {
            network: self.query.network,
            subnet: index,
        };
        let nak = kind == ReplyKind::Nak;
        let destination = addressing.of_reply(kind, addr)?;
        let spread = self.query.message.xid();
        Ok(Plan {
            kind,
            rule,
            yiaddr: if nak { Ipv4Addr::UNSPECIFIED } else { addr },
            ciaddr: match kind {
                ReplyKind::Ack => self.query.message.ciaddr(),
                ReplyKind::Offer | ReplyKind::Nak => Ipv4Addr::UNSPECIFIED,
            },
            lease,
            renewal: lease.and_then(|lease| subnet.lease.renewal(lease, spread)),
            place: if nak { self.query.place() } else { place },
            server_id: self
                .override_for(slot)
                .unwrap_or_else(|| addressing.server_id(subnet, addr)),
            destination,
            echo_agent_info: true,
            subnet_selection: self.query.subnet_selection,
            wait: None,
        })
    }

    pub(super) fn nak(&self, rule: Rule) -> Outcome {
        let about = (Ipv4Addr::UNSPECIFIED, None);
        self.plan((ReplyKind::Nak, rule), about, self.binding())
            .into()
    }

    /// The subnet of `addr`.
    fn subnet_of(&self, addr: Ipv4Addr) -> &Subnet {
        self.network
            .subnet_of(addr)
            .map_or(self.subnet, |(_, subnet)| subnet)
    }

    /// The lease that the client may have of `addr` now.
    pub(super) fn lease_of(&self, addr: Ipv4Addr) -> u32 {
        self.subnet_of(addr).lease.granted(self.query.wish())
    }

    /// Acknowledges the lease in `slot`, whose address is bound: anew, unless the client has just
    /// been told and only repeats itself.
    pub(super) fn ack(&mut self, slot: SlotIndex) -> Outcome {
        let addr = self.shard.addr(slot).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let lease = self.lease_of(addr);
        if let Some(rule) = self.is_told(slot, lease) {
            return self.acknowledge_again(slot, rule);
        }
        self.renew(slot, lease, Rule::Extended)
    }

    /// Grants a lease in `slot`, whose address was bound a moment ago by `rule`.
    pub(super) fn grant(&mut self, slot: SlotIndex, lease: u32, rule: Rule) -> Outcome {
        self.note_client(slot);
        self.lease(slot, lease, (Cause::Granted, rule))
    }

    /// Goes on with the lease in `slot`, by `rule` unless it moves.
    pub(super) fn renew(&mut self, slot: SlotIndex, lease: u32, rule: Rule) -> Outcome {
        let moved = self.has_changed_place(slot);
        let why = if moved {
            (Cause::Moved, Rule::Moved)
        } else {
            (Cause::Renewed, rule)
        };
        self.note_client(slot);
        self.lease(slot, lease, why)
    }

    fn lease(&mut self, slot: SlotIndex, lease: u32, (cause, rule): (Cause, Rule)) -> Outcome {
        let now = self.now;
        self.shard.clear_flags(slot);
        let Some(binding) = self.shard.bindings.slot_mut(slot) else {
            return Silence::TableFull.into();
        };
        // A lease counts from the end of the running second, so that the client's own clock never
        // runs longer; and it is never shorter here than what the client was told before (C59).
        // One that begins now was told nothing; its slot's timer was that of a memory.
        let goes_on = binding.state == BindingState::Active && cause != Cause::Granted;
        let held = if goes_on { binding.until() } else { 0 };
        let until = deadline(now.saturating_add(1), lease).max(held);
        binding.state = BindingState::Active;
        binding.started = now;
        binding.lease = lease;
        self.shard.bindings.unlist(slot);
        self.shard.bindings.schedule(slot, until);
        self.append((RecordKind::Active, cause), slot);
        let outcome = self.acknowledge(slot, lease, rule);
        match self.shard.addr(slot).filter(|_| cause == Cause::Moved) {
            Some(addr) => Outcome {
                notice: Some(self.notice(NoticeKind::Moved, addr)),
                ..outcome
            },
            None => outcome,
        }
    }

    /// The ACK of a lease that has its record already. A record that the store refused is written
    /// again.
    pub(super) fn acknowledge_again(&mut self, slot: SlotIndex, rule: Rule) -> Outcome {
        if let Some(addr) = self.shard.addr(slot) {
            let newest = self.shard.sequence(slot);
            if self.journal.refused(self.network.space.0, addr, newest) {
                self.append((RecordKind::Active, Cause::Renewed), slot);
            }
        }
        let left = self.remaining(slot);
        self.acknowledge(slot, left, rule)
    }

    /// The ACK of what the binding says; it waits for the binding's newest record.
    fn acknowledge(&mut self, slot: SlotIndex, lease: u32, rule: Rule) -> Outcome {
        let Some(addr) = self.shard.addr(slot) else {
            return Silence::UnknownClient.into();
        };
        let plan = self.plan((ReplyKind::Ack, rule), (addr, Some(lease)), Some(slot));
        let wait = self.shard.park(slot);
        plan.map(|plan| Plan { wait, ..plan }).into()
    }

    /// By which rule the client, who was told of this lease recently and under the same
    /// circumstances, is told what it was told, without a record.
    fn is_told(&self, slot: SlotIndex, lease: u32) -> Option<Rule> {
        let binding = self.shard.bindings.slot(slot)?;
        let age = self.now.saturating_sub(binding.started);
        let repeats = age <= self.repeats_within(binding.addr, lease);
        let told = binding.state == BindingState::Active
            && binding.lease == lease
            && binding.sequence() > 0
            && (repeats || age <= self.cached_within(lease))
            && remaining(self.now, binding.until()) > 0
            && (binding.until() != INFINITE || lease == INFINITE)
            && !self.shard.is_clock_held(slot)
            && !self.has_changed(slot);
        let rule = if repeats {
            Rule::Repeated
        } else {
            Rule::Cached
        };
        told.then_some(rule)
    }

    /// Seconds within which a REQUEST repeats one that was answered (C45).
    fn repeats_within(&self, addr: u32, lease: u32) -> u32 {
        // A client whose T1 is that short renews, and does not repeat itself.
        let times = self.subnet_of(Ipv4Addr::from_bits(addr)).lease;
        let t1 = times.renewal(lease, 0).map(|(t1, _)| t1);
        REPEAT.min(lease / 8).min(t1.unwrap_or(lease) / 2)
    }

    /// Seconds within which a renewal states the time left rather than extends the lease
    /// (`cache_threshold`). What was offered anew is granted as it was offered (C41).
    fn cached_within(&self, lease: u32) -> u32 {
        let share = self.network.rules.cache_threshold;
        let renews = self.query.ciaddr().is_some() || self.query.server_id().is_none();
        if share == 0 || !renews {
            return 0;
        }
        Mark::PerMille(share).of(lease)
    }

    /// Whether the message says of its client anything that the binding does not.
    fn has_changed(&self, slot: SlotIndex) -> bool {
        let Some(binding) = self.shard.bindings.slot(slot) else {
            return true;
        };
        let message = &self.query.message;
        let stored = self.shard.bindings.agent_info(slot);
        let new_circuit = self.query.agent_info().is_some_and(|info| {
            // More than a record holds is echoed only.
            let differs = info.octets(|octets| octets != stored);
            differs.unwrap_or(!stored.is_empty())
        });
        let relay = message.giaddr();
        let new_station = message.htype() != binding.htype()
            || message.chaddr() != self.shard.bindings.chaddr(slot);
        new_station || new_circuit || (!relay.is_unspecified() && relay.to_bits() != binding.giaddr)
    }

    /// Notes in the binding where and with what the client was seen. A unicast renewal says
    /// neither relay nor circuit, and leaves them (C54, C174).
    fn note_client(&mut self, slot: SlotIndex) {
        let message = &self.query.message;
        let direct = message.giaddr().is_unspecified();
        if !direct || self.query.ciaddr().is_none() {
            let bindings = &mut self.shard.bindings;
            let mut store = |info: &[u8]| bindings.store_agent_info(slot, info).is_ok();
            let stored = match self.query.agent_info() {
                None => store(&[]),
                Some(info) => info.octets(&mut store).unwrap_or_else(|| {
                    // More than a record holds is echoed only.
                    store(&[]);
                    false
                }),
            };
            if !stored {
                self.shard.count_not_stored();
            }
        }
        let chaddr = self
            .shard
            .bindings
            .set_chaddr(slot, message.htype(), message.chaddr());
        if chaddr.is_err() {
            self.shard.count_not_stored();
        }
        let unicast = self.query.unicast && direct;
        let Origin {
            port,
            outer_vid,
            inner_vid,
        } = self.query.arrival.origin;
        let giaddr = message.giaddr().to_bits();
        if let Some(binding) = self.shard.bindings.slot_mut(slot).filter(|_| !unicast) {
            (binding.port, binding.outer_vid, binding.inner_vid) = (port, outer_vid, inner_vid);
            binding.giaddr = giaddr;
        }
    }

    /// Writes what `slot` says to the journal. The caller has seen that there is room.
    pub(super) fn append(&mut self, statement: impl Into<Statement>, slot: SlotIndex) {
        self.shard
            .write(self.network, slot, statement, (self.now, self.journal));
    }

    /// Ends what `slot` says, with its record if it is a lease.
    pub(super) fn end_binding(&mut self, slot: SlotIndex) {
        self.shard
            .end_recorded(self.config, self.network, slot, (self.now, self.journal));
    }

    /// As [`Self::end_binding`], of a lease whose client found its address in use.
    pub(super) fn end_in_conflict(&mut self, slot: SlotIndex) {
        let statement = (RecordKind::Ended, Cause::Conflict).into();
        let (config, network, now) = (self.config, self.network, self.now);
        self.shard
            .end_stated(config, network, slot, (statement, now, self.journal));
    }

    /// Whether `place` is the query's network.
    pub(super) fn is_here(&self, place: Option<Place>) -> bool {
        place.is_some_and(|place| place.network == self.query.network)
    }
}
