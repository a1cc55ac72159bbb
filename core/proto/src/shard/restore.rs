//! Bindings read back from the store, before any worker runs.

use super::claim::Timed;
use super::{KEPT, Shard};
use crate::address::{AddressState, Generation, Space, Word};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network, Place};
use crate::record::{Record, RecordKind};
use crate::restart::Reading;
use crate::time::{deadline, remaining};
use core::net::Ipv4Addr;

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restored {
    /// It is a binding, a memory or an address set aside again.
    Taken,
    /// Its address is free, or the record says nothing about a binding.
    Nothing,
    /// Its address is in no network that is configured; the store keeps it.
    Outside,
    /// The table is full.
    Full,
}

/// What a record says of its client.
#[derive(Debug, Clone, Copy)]
enum Worth {
    Lease,
    Memory,
}

/// The kind octet of the slot of an address set aside: it is the address's, not a client's.
const OF_ADDRESS: u8 = 0;

/// The identity under which the slot of an address set aside is found.
pub(crate) fn address_identity(addr: Ipv4Addr) -> [u8; 5] {
    let [a, b, c, d] = addr.octets();
    [OF_ADDRESS, a, b, c, d]
}

impl Shard {
    /// No network has the address. It is shut, since a reload that brings its network back does not
    /// read the store: only a start gives it to its client again.
    fn shut(&self, config: &Config, record: &Record<'_>) {
        let state = match record.kind {
            RecordKind::Active | RecordKind::Declined | RecordKind::SetAside => AddressState::Bound,
            RecordKind::Released | RecordKind::Ended | RecordKind::ProbationEnded => {
                AddressState::Free
            }
            RecordKind::ReservationAdded | RecordKind::ReservationRemoved | RecordKind::Time => {
                return;
            }
        };
        if let Some(cell) = config.cell(Space(record.space), record.addr) {
            let generation = Generation::new(record.generation).unwrap_or(Generation::LAST);
            cell.restore(Word::new(state, self.me, generation));
            cell.set_slot(SlotIndex::NONE.0);
        }
    }

    /// Takes the newest record of an address, whose times are read as `reading` says.
    ///
    /// Records have to come by rising LSN: of two addresses of one client on one network the
    /// newer is its binding. The other is free, or its lease is kept to its end: the client was told
    /// of both, as when two networks were joined, and one that was told of keeps off all others.
    pub fn restore(&mut self, config: &Config, record: &Record<'_>, reading: &Reading) -> Restored {
        if matches!(
            record.kind,
            RecordKind::ReservationAdded | RecordKind::ReservationRemoved | RecordKind::Time
        ) {
            return Restored::Nothing;
        }
        let space = Space(record.space);
        let Some(place) = config.place_of(space, record.addr) else {
            self.shut(config, record);
            return Restored::Outside;
        };
        let Some(network) = config.network(place.network) else {
            return Restored::Outside;
        };
        match record.kind {
            RecordKind::Active => self.restore_lease(config, place, record, reading),
            RecordKind::Released => {
                self.restore_memory(config, network, (record, reading), BindingState::Released)
            }
            RecordKind::Declined | RecordKind::SetAside => {
                self.restore_set_aside(config, network, record, reading)
            }
            RecordKind::Ended | RecordKind::ProbationEnded => {
                self.place_word(
                    config,
                    network,
                    (record, SlotIndex::NONE),
                    AddressState::Free,
                );
                Restored::Nothing
            }
            RecordKind::ReservationAdded | RecordKind::ReservationRemoved | RecordKind::Time => {
                Restored::Nothing
            }
        }
    }

    fn restore_lease(
        &mut self,
        config: &Config,
        place: Place,
        record: &Record<'_>,
        reading: &Reading,
    ) -> Restored {
        let Some((network, subnet)) = config.subnet(place) else {
            return Restored::Outside;
        };
        let until = reading.end_of(record);
        let grace = network.rules.grace_secs();
        let held = if remaining(reading.now, until) == 0 {
            reading.held_until(record, grace, (&subnet.lease, config))
        } else {
            None
        };
        let until = held.unwrap_or(until);
        if remaining(reading.now, deadline(until, grace)) == 0 {
            let given = (record, reading);
            return self.restore_memory(config, network, given, BindingState::Expired);
        }
        let slot = match self.restore_slot(config, network, (record, reading), Worth::Lease) {
            Ok(slot) => slot,
            Err(why) => return self.unwanted(config, network, record, why),
        };
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.state = BindingState::Active;
        }
        if held.is_some() {
            self.keep_for_clock(slot);
        }
        self.counts.active += 1;
        self.bindings.schedule(slot, until);
        self.place_word(config, network, (record, slot), AddressState::Bound);
        Restored::Taken
    }

    fn restore_memory(
        &mut self,
        config: &Config,
        network: &Network,
        (record, reading): (&Record<'_>, &Reading),
        state: BindingState,
    ) -> Restored {
        let slot = match self.restore_slot(config, network, (record, reading), Worth::Memory) {
            Ok(slot) => slot,
            Err(why) => return self.unwanted(config, network, record, why),
        };
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.state = state;
        }
        // A clock that is not believed ends no affinity either.
        let ended = match reading.hold {
            Some(_) => reading.now,
            None => reading.end_of(record),
        };
        self.keep_in_mind(network, slot, ended);
        self.place_word(config, network, (record, slot), AddressState::Remembered);
        Restored::Taken
    }

    fn restore_set_aside(
        &mut self,
        config: &Config,
        network: &Network,
        record: &Record<'_>,
        reading: &Reading,
    ) -> Restored {
        let until = reading.end_of(record);
        if remaining(reading.now, until) == 0 {
            self.place_word(
                config,
                network,
                (record, SlotIndex::NONE),
                AddressState::Free,
            );
            return Restored::Nothing;
        }
        let Some(slot) = self.aside_slot(network, record.addr) else {
            return Restored::Full;
        };
        let word = (record.addr, record.generation);
        let since = reading.wall.inner(record.time);
        self.keep_aside(slot, word, record.identity, Timed { since, until });
        self.place_word(config, network, (record, slot), AddressState::SetAside);
        if !record.identity.is_empty() {
            let hash = self.key.hash(record.identity);
            let found = self.bindings.find(hash, network.key.0, record.identity);
            let client = found.or_else(|| {
                self.bindings
                    .insert(hash, network.key.0, record.identity)
                    .ok()
            });
            if let Some(client) = client.and_then(|client| self.bindings.slot_mut(client)) {
                client.declines = client.declines.saturating_add(1);
            }
        }
        Restored::Taken
    }

    /// The slot of the record's client, filled from the record; none if that says less than an
    /// older record of the client.
    fn restore_slot(
        &mut self,
        config: &Config,
        network: &Network,
        (record, reading): (&Record<'_>, &Reading),
        worth: Worth,
    ) -> Result<SlotIndex, Restored> {
        let hash = self.key.hash(record.identity);
        if record.identity.is_empty() {
            return Err(Restored::Nothing);
        }
        let mut found = self.bindings.find(hash, network.key.0, record.identity);
        let mut declines = 0;
        if let Some(slot) = found {
            let is_leased = self.state(slot) == Some(BindingState::Active);
            match worth {
                Worth::Memory if is_leased => return Err(Restored::Nothing),
                Worth::Lease if is_leased => {
                    declines = self.keep_apart(network, slot);
                    found = None;
                }
                Worth::Memory | Worth::Lease => self.supersede(config, network, slot),
            }
        }
        let slot = match found {
            Some(slot) => slot,
            None => self
                .bindings
                .insert(hash, network.key.0, record.identity)
                .map_err(|_| Restored::Full)?,
        };
        let fits = self
            .bindings
            .set_chaddr(slot, record.htype, record.chaddr)
            .is_ok()
            && self
                .bindings
                .store_agent_info(slot, record.agent_info)
                .is_ok();
        let binding = self
            .bindings
            .slot_mut(slot)
            .filter(|_| fits)
            .ok_or(Restored::Full)?;
        binding.declines = binding.declines.max(declines);
        binding.addr = record.addr.to_bits();
        binding.giaddr = record.giaddr.to_bits();
        binding.set_generation(record.generation);
        binding.lease = record.lease;
        // A clock that was set back since does not make it the newest there is.
        binding.started = reading.wall.inner(record.time).min(reading.now);
        binding.port = record.origin.port;
        binding.outer_vid = record.origin.outer_vid;
        binding.inner_vid = record.origin.inner_vid;
        Ok(slot)
    }

    /// Keeps the lease in `older`, whose client has a newer one, to its end. How many declines it
    /// counted: they go with the client's binding.
    pub(super) fn keep_apart(&mut self, network: &Network, older: SlotIndex) -> u8 {
        self.bindings.rekey_network(older, network.key.0 | KEPT);
        let binding = self.bindings.slot_mut(older);
        binding.map_or(0, |binding| core::mem::take(&mut binding.declines))
    }

    /// Whether `slot` is a lease whose client has another one.
    pub(super) fn is_kept_apart(&self, slot: SlotIndex) -> bool {
        let binding = self.bindings.slot(slot);
        binding.is_some_and(|binding| binding.network() & KEPT != 0)
    }

    /// Frees an older address that is merely remembered for a client.
    fn supersede(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        let Some(addr) = self.addr(slot) else { return };
        self.bindings.unlist(slot);
        self.bindings.cancel(slot);
        self.clear_flags(slot);
        if let Some(cell) = config.cell(network.space, addr) {
            let word = cell.load();
            cell.restore(Word::new(
                AddressState::Free,
                word.owner(),
                word.generation(),
            ));
            rehint((config, network), addr, cell);
        }
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.addr = 0;
        }
    }

    /// A record that is no binding: its address is free, but keeps its generation.
    fn unwanted(
        &mut self,
        config: &Config,
        network: &Network,
        record: &Record<'_>,
        why: Restored,
    ) -> Restored {
        if why != Restored::Full {
            self.place_word(
                config,
                network,
                (record, SlotIndex::NONE),
                AddressState::Free,
            );
        }
        why
    }

    fn place_word(
        &mut self,
        config: &Config,
        network: &Network,
        (record, slot): (&Record<'_>, SlotIndex),
        state: AddressState,
    ) {
        let Some(cell) = config.cell(network.space, record.addr) else {
            return;
        };
        let generation = Generation::new(record.generation).unwrap_or(Generation::LAST);
        cell.restore(Word::new(state, self.me, generation));
        cell.set_slot(slot.0);
        rehint((config, network), record.addr, cell);
    }
}

/// Makes the hints of an address say what its word says.
fn rehint((config, network): (&Config, &Network), addr: Ipv4Addr, cell: crate::address::Cell) {
    if let Some((pool, index)) = super::claim::pool_of(config, network, addr) {
        pool.hints.drop_free(index);
        pool.hints.drop_reclaimable(index);
        pool.hints.settle(index, cell);
    }
}
