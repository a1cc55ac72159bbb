//! What happens to a lease: it begins, ends, is declined, yields. The records are written here too.

use super::claim::{Mercy, Timed, Want};
use super::{Ask, ClientInfo, Keys, RETURNING, Shard, Unavailable, Yielded};
use crate::address::{AddressState, Claim, Space};
use crate::binding::{BindingState, SlotIndex};
use crate::circuit;
use crate::config::{Config, Network};
use crate::identity::{Identity, Kind};
use crate::record::{Cause, Journal, MAX_IDENTITY, Origin, Record, RecordKind, Statement};
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::SubOptions;

impl Shard {
    /// Whether the address on offer in `slot` was the client's before.
    pub(crate) fn is_returning(&self, slot: SlotIndex) -> bool {
        self.has_flag(slot, RETURNING)
    }

    /// Counts what was too long to be stored with a binding.
    pub(crate) fn count_not_stored(&mut self) {
        self.counts.not_stored += 1;
    }

    /// Binds a free address to a client that has none here.
    pub(crate) fn bind_new(
        &mut self,
        config: &Config,
        client: &ClientInfo<'_>,
        addr: Ipv4Addr,
    ) -> Result<SlotIndex, Unavailable> {
        let slot = self.slot_for(config, client, client.network.key.0)?;
        let want = Want {
            addr,
            to: Claim::Bound,
            mercy: Mercy::Spare,
        };
        match self.claim(client.network, config, slot, want) {
            Ok(_) => Ok(slot),
            Err(reason) => {
                if self.state(slot) == Some(BindingState::Available) {
                    self.vacate(slot);
                }
                Err(reason)
            }
        }
    }

    /// Makes the offer in `beside` the client's lease; the lease it stood beside has ended.
    pub(crate) fn promote(
        &mut self,
        config: &Config,
        client: &ClientInfo<'_>,
        beside: SlotIndex,
    ) -> Result<SlotIndex, Unavailable> {
        let slot = self.slot_for(config, client, client.network.key.0)?;
        if let Err(reason) = self.confirm(config, client.network, beside) {
            self.vacate(slot);
            return Err(reason);
        }
        let offer = self
            .bindings
            .slot(beside)
            .copied()
            .ok_or(Unavailable::Taken)?;
        let addr = Ipv4Addr::from_bits(offer.addr);
        let cell = config
            .cell(client.network.space, addr)
            .ok_or(Unavailable::Taken)?;
        let binding = self.bindings.slot_mut(slot).ok_or(Unavailable::TableFull)?;
        binding.addr = offer.addr;
        binding.state = offer.state;
        binding.set_generation(offer.generation());
        cell.set_slot(slot.0);
        self.bindings.remove(beside);
        Ok(slot)
    }

    /// A slot for the probation of `addr`; the word is not touched yet.
    pub(crate) fn aside_slot(&mut self, network: &Network, addr: Ipv4Addr) -> Option<SlotIndex> {
        let identity = super::restore::address_identity(addr);
        self.bindings
            .insert(self.key.hash(&identity), network.key.0, &identity)
            .ok()
    }

    /// Sets the address of the lease in `slot` aside for the time of `times`, which `aside` keeps.
    pub(crate) fn decline(
        &mut self,
        config: &Config,
        network: &Network,
        (slot, aside): (SlotIndex, SlotIndex),
        times: Timed,
    ) {
        let Some(addr) = self.addr(slot) else { return };
        self.counts.active = self.counts.active.saturating_sub(1);
        let word = self.let_go(config, network, slot, AddressState::SetAside);
        let generation = word.map_or(0, |word| word.generation().number());
        let mut identity = [0; MAX_IDENTITY];
        let len = self.bindings.identity(slot).len().min(MAX_IDENTITY);
        if let (Some(to), Some(from)) = (
            identity.get_mut(..len),
            self.bindings.identity(slot).get(..len),
        ) {
            to.copy_from_slice(from);
        }
        if let Some(cell) = config.cell(network.space, addr) {
            cell.set_slot(aside.0);
        }
        self.keep_aside(
            aside,
            (addr, generation),
            identity.get(..len).unwrap_or(&[]),
            times,
        );
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.declines = binding.declines.saturating_add(1);
        }
        self.vacate(slot);
    }

    /// Fills the slot of an address in probation.
    pub(super) fn keep_aside(
        &mut self,
        aside: SlotIndex,
        (addr, generation): (Ipv4Addr, u64),
        client: &[u8],
        times: Timed,
    ) {
        let Some(binding) = self.bindings.slot_mut(aside) else {
            return;
        };
        let network = binding.network();
        binding.started = times.since;
        binding.state = BindingState::Abandoned;
        binding.addr = addr.to_bits();
        binding.set_generation(generation);
        // Whose decline it was, to take it off the client's count at the end; without room for it
        // the count stays until the client's slot goes.
        if self.bindings.store_agent_info(aside, client).is_err() {
            self.count_not_stored();
        }
        self.bindings.schedule(aside, times.until);
        if let Some(lists) = self.lists(network) {
            self.bindings.push_back(lists.aside, aside);
        }
        self.counts.set_aside += 1;
    }

    /// Whether the client of `slot` has a reservation of `addr`.
    pub(crate) fn has_right(
        &self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        addr: Ipv4Addr,
    ) -> bool {
        let Some(owner) = config.reserved(network, addr) else {
            return false;
        };
        let identity = self.bindings.identity(slot);
        if owner.is(circuit::client_of(identity).unwrap_or(identity)) {
            return true;
        }
        let Some(binding) = self.bindings.slot(slot) else {
            return false;
        };
        let (htype, chaddr) = (binding.htype(), self.bindings.chaddr(slot));
        let hardware = Identity::new(Kind::Chaddr, &[&[htype], chaddr]);
        let giaddr = Ipv4Addr::from_bits(binding.giaddr);
        let info = SubOptions::new(self.bindings.agent_info(slot));
        let seen = Keys::new(config.reserved_kinds(network), (None, hardware));
        seen.with_agent_info(giaddr, &info).matches(owner)
    }

    /// Ends what `slot` says: a lease with its record, an offer or a memory without. The caller
    /// has seen that the journal has room.
    pub(crate) fn end_recorded(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        (now, journal): (u32, &mut impl Journal),
    ) {
        let ended = (RecordKind::Ended, Cause::Unsaid);
        self.end_stated(config, network, slot, (ended.into(), now, journal));
    }

    /// As [`Self::end_recorded`], with another statement about a lease.
    pub(crate) fn end_stated(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        (statement, now, journal): (Statement, u32, &mut impl Journal),
    ) {
        if self.is_bound(config, network, slot) {
            self.write(network, slot, statement, (now, journal));
        }
        self.end(config, network, slot);
    }

    /// Notes a question to another worker; whether it is a new one. Who was asked and goes on has
    /// a lease that is not to be ended, so that to ask again would be to wait for ever (C178).
    pub(crate) fn is_new_question(&mut self, ask: Ask) -> bool {
        let new = !self.asked.contains(&Some(ask));
        if new {
            self.asked.rotate_right(1);
            if let Some(newest) = self.asked.first_mut() {
                *newest = Some(ask);
            }
        }
        new
    }

    /// The question did not leave: the next one is new.
    pub fn forget_question(&mut self, ask: &Ask) {
        for asked in &mut self.asked {
            if asked.as_ref() == Some(ask) {
                *asked = None;
            }
        }
    }

    /// Another worker's client has the reservation that a client of this shard is using: its
    /// binding ends, if it is still the one that was meant and not the owner of the reservation
    /// alone.
    pub fn yield_to(
        &mut self,
        config: &Config,
        ask: &Ask,
        (now, journal): (u32, &mut impl Journal),
    ) -> Yielded {
        let space = Space(ask.space);
        let Some(network) = config
            .place_of(space, ask.addr)
            .and_then(|place| config.network(place.network))
        else {
            return Yielded::Refused;
        };
        let Some(cell) = config.cell(space, ask.addr) else {
            return Yielded::Refused;
        };
        let Some(slot) = self.holder(config, space, ask.addr) else {
            return Yielded::Refused;
        };
        let meant = cell.load().generation().number() == ask.generation;
        let fenced = journal.fenced();
        let lost = fenced.is_some_and(|f| f.contains(ask.space, ask.addr));
        if !meant || lost || !self.has_right(config, network, slot, ask.addr) {
            return Yielded::Refused;
        }
        if !journal.has_room() {
            return Yielded::Later;
        }
        self.end_recorded(config, network, slot, (now, journal));
        Yielded::Ended
    }

    /// Writes what `slot` says to the journal. The caller has seen that there is room.
    pub(crate) fn write(
        &mut self,
        network: &Network,
        slot: SlotIndex,
        statement: impl Into<Statement>,
        (now, journal): (u32, &mut impl Journal),
    ) {
        let Some(record) = self.record(network, slot, (statement.into(), now)) else {
            return;
        };
        let sequence = journal.append(&record);
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.set_sequence(sequence);
        }
    }

    /// What `slot` says, as a record of the second `now`.
    pub(crate) fn record(
        &self,
        network: &Network,
        slot: SlotIndex,
        (Statement { kind, cause }, now): (Statement, u32),
    ) -> Option<Record<'_>> {
        let bindings = &self.bindings;
        let binding = bindings.slot(slot)?;
        let (port, outer_vid, inner_vid) = (binding.port, binding.outer_vid, binding.inner_vid);
        Some(Record {
            kind,
            cause,
            space: network.space.0,
            addr: Ipv4Addr::from_bits(binding.addr),
            generation: binding.generation(),
            time: self.wall.at(now),
            expiry: self.wall.at(binding.until()),
            lease: binding.lease,
            origin: Origin {
                port,
                outer_vid,
                inner_vid,
            },
            giaddr: Ipv4Addr::from_bits(binding.giaddr),
            identity: bindings.identity(slot),
            htype: binding.htype(),
            chaddr: bindings.chaddr(slot),
            agent_info: bindings.agent_info(slot),
        })
    }
}
