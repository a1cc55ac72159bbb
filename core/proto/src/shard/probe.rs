//! Addresses that are probed before they are offered, and those that were found in use.
//!
//! ```text
//!   new address ── held, PROBING ──┬── nobody ──► PROBED, offered
//!                                  └── in use ──► set aside, with its record
//!   set aside ──── PROBING ────────┬── nobody ──► free, with its record; then as a new address
//!                                  └── in use ──► set aside anew, with its record
//! ```

use super::claim::InUse;
use super::{OFFERED_AGAIN, RETURNING, STRANGER, Shard};
use crate::address::{AddressState, Space};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network};
use crate::record::{Cause, Journal, Origin, Record, RecordKind};
use core::net::Ipv4Addr;
use dhcp_wire::ethernet::Mac;

/// Slot flag: the address waits for the answer to a probe.
const PROBING: u8 = 64;
/// Slot flag: the address on offer was probed, or could not be.
const PROBED: u8 = 128;

const _: () = assert!((PROBING | PROBED) & (RETURNING | STRANGER | OFFERED_AGAIN) == 0);

/// Slots of addresses set aside that one search goes through.
const TRIES: usize = 64;
/// Seconds for which an address that was found in use is not probed again.
const RECENT: u32 = 60;

/// Ethernet, RFC 1700.
const ETHERNET: u8 = 1;

impl Shard {
    pub(super) fn has_flag(&self, slot: SlotIndex, flag: u8) -> bool {
        let binding = self.bindings.slot(slot);
        binding.is_some_and(|binding| binding.flags & flag != 0)
    }

    /// Whether the address of `slot` is under probe.
    pub(crate) fn is_probing(&self, slot: SlotIndex) -> bool {
        self.has_flag(slot, PROBING)
    }

    /// Whether the address on offer in `slot` needs no probe any more.
    pub(crate) fn is_probed(&self, slot: SlotIndex) -> bool {
        self.has_flag(slot, PROBED)
    }

    /// The address of `slot` is under probe; its generation.
    pub(crate) fn begin_probe(&mut self, slot: SlotIndex) -> Option<u64> {
        let binding = self.bindings.slot_mut(slot)?;
        binding.flags |= PROBING;
        Some(binding.generation())
    }

    /// The probe of the address on offer in `slot` is over, or not needed any more.
    pub(crate) fn pass_probe(&mut self, slot: SlotIndex) {
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.flags = binding.flags & !PROBING | PROBED;
        }
    }

    /// The probe of the address set aside in `slot` said nothing.
    pub(crate) fn drop_probe(&mut self, slot: SlotIndex) {
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.flags &= !PROBING;
        }
    }

    /// Sets the address on offer in `slot` aside: a station has it. `aside` keeps its time. The
    /// caller has seen that the journal has room.
    pub(crate) fn set_busy_aside(
        &mut self,
        (config, network): (&Config, &Network),
        (slot, aside): (SlotIndex, SlotIndex),
        InUse { times, station }: InUse,
        journal: &mut impl Journal,
    ) {
        let Some(addr) = self.addr(slot) else { return };
        self.counts.offered = self.counts.offered.saturating_sub(1);
        let word = self.let_go(config, network, slot, AddressState::SetAside);
        let generation = word.map_or(0, |word| word.generation().number());
        if let Some(cell) = config.cell(network.space, addr) {
            cell.set_slot(aside.0);
        }
        self.keep_aside(aside, (addr, generation), &[], times);
        self.vacate(slot);
        self.note_station(aside, station);
        self.write_aside(network, aside, (times.since, journal));
    }

    /// The address set aside in `aside` is still in use: its probation begins anew, with a record.
    pub(crate) fn keep_aside_longer(
        &mut self,
        network: &Network,
        aside: SlotIndex,
        InUse { times, station }: InUse,
        journal: &mut impl Journal,
    ) {
        let Some(binding) = self.bindings.slot_mut(aside) else {
            return;
        };
        binding.flags &= !PROBING;
        binding.started = times.since;
        self.bindings.schedule(aside, times.until);
        if let Some(lists) = self.lists(network.key.0) {
            self.bindings.unlist(aside);
            self.bindings.push_back(lists.aside, aside);
        }
        self.note_station(aside, station);
        self.write_aside(network, aside, (times.since, journal));
    }

    /// Notes who answered. Without room for it the address is set aside all the same.
    fn note_station(&mut self, aside: SlotIndex, station: Option<Mac>) {
        if let Some(mac) = station
            && self.bindings.set_chaddr(aside, ETHERNET, &mac.0).is_err()
        {
            self.count_not_stored();
        }
    }

    fn write_aside(
        &mut self,
        network: &Network,
        aside: SlotIndex,
        (now, journal): (u32, &mut impl Journal),
    ) {
        let Some(binding) = self.bindings.slot(aside) else {
            return;
        };
        let record = Record {
            kind: RecordKind::SetAside,
            cause: Cause::Unsaid,
            space: network.space.0,
            addr: Ipv4Addr::from_bits(binding.addr),
            generation: binding.generation(),
            time: self.wall.at(now),
            expiry: self.wall.at(binding.until()),
            lease: 0,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity: &[],
            htype: binding.htype(),
            chaddr: self.bindings.chaddr(aside),
            agent_info: &[],
        };
        let sequence = journal.append(&record);
        if let Some(binding) = self.bindings.slot_mut(aside) {
            binding.set_sequence(sequence);
        }
    }

    /// The slot of the address that was set aside first and is `open` to whoever asks, whom
    /// `asker` tells from others: the one that is under probe for it already, before others. One
    /// that was just found in use is left alone.
    pub(crate) fn oldest_aside(
        &self,
        network: &Network,
        (asker, now): (u32, u32),
        open: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<SlotIndex> {
        let mut next = self.bindings.front(self.lists(network.key.0)?.aside);
        let mut oldest = None;
        for _ in 0..TRIES {
            let Some(slot) = next else { break };
            next = self.bindings.next_in_list(slot);
            let binding = self.bindings.slot(slot)?;
            let probing = binding.flags & PROBING != 0;
            if probing && binding.lease == asker {
                return Some(slot);
            }
            let recent = now.saturating_sub(binding.started) < RECENT;
            if oldest.is_none() && !probing && !recent && open(Ipv4Addr::from_bits(binding.addr)) {
                oldest = Some(slot);
            }
        }
        oldest
    }

    /// Notes for whom an address set aside is probed.
    pub(crate) fn note_asker(&mut self, aside: SlotIndex, asker: u32) {
        if let Some(binding) = self.bindings.slot_mut(aside) {
            binding.lease = asker;
        }
    }

    /// The slot of an address set aside here that is under the probe of this generation.
    pub(crate) fn aside_under_probe(
        &self,
        config: &Config,
        (space, addr): (Space, Ipv4Addr),
        generation: u64,
    ) -> Option<SlotIndex> {
        let cell = config.cell(space, addr)?;
        let slot = SlotIndex(cell.slot());
        let binding = self.bindings.slot(slot)?;
        let same = binding.state == BindingState::Abandoned
            && binding.addr == addr.to_bits()
            && binding.generation() == generation;
        (same && self.is_own(cell, slot) && self.is_probing(slot)).then_some(slot)
    }

    /// Whether the other workers are to be asked for addresses of `network` that they have set
    /// aside: of a network once in a while, and of few networks at a time.
    pub(crate) fn may_seek(&mut self, network: &Network, now: u32) -> bool {
        let key = network.key.0;
        let recent = |at: u32| now.saturating_sub(at) < SEEK_AGAIN;
        if self.workers < 2 || self.sought.iter().any(|&(k, at)| k == key && recent(at)) {
            return false;
        }
        let Some(room) = self.sought.iter_mut().find(|(_, at)| !recent(*at)) else {
            return false;
        };
        *room = (key, now);
        true
    }
}

/// Seconds before the other workers are asked again about the same network.
const SEEK_AGAIN: u32 = 2;
/// Networks that they are asked about in this time.
pub(super) const SOUGHT: usize = 16;
