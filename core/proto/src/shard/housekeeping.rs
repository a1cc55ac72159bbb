//! What time brings, in bounded steps: holds, leases and probations end, stale memories go.

use super::{Shard, key_of};
use crate::address::AddressState;
use crate::binding::{BindingState, Slot, SlotIndex};
use crate::config::{Config, Network};
use crate::record::{Cause, Journal, Origin, Record, RecordKind, Sequence};
use crate::time::deadline;
use core::net::Ipv4Addr;

/// What a turn of housekeeping did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turned {
    /// Holds that ended without an answer.
    pub holds: u32,
    /// Leases that ended.
    pub leases: u32,
    /// Addresses whose grace is over.
    pub graces: u32,
    /// Memories whose affinity is over.
    pub forgotten: u32,
    /// Addresses back from probation.
    pub probations: u32,
    /// Stale slots that were removed.
    pub swept: u32,
    /// Leases that were held until the clock was accepted.
    pub accepted: u32,
    /// Holds that were cut because clients found no address.
    pub cut: u32,
}

impl Shard {
    /// Ends what is over at second `now`, at most `budget` timers, and sweeps as many slots.
    pub fn turn(
        &mut self,
        config: &Config,
        now: u32,
        budget: usize,
        journal: &mut impl Journal,
    ) -> Turned {
        let mut turned = Turned::default();
        let mut left = budget;
        while let Some(slot) = self.bindings.due(now, &mut left) {
            self.on_timer(config, slot, (now, journal), &mut turned);
        }
        self.sweep(config, (now, budget), &mut turned);
        turned.cut = self.relieve(config, now, budget);
        self.regroup_step(config);
        turned
    }

    fn on_timer(
        &mut self,
        config: &Config,
        slot: SlotIndex,
        (now, journal): (u32, &mut impl Journal),
        turned: &mut Turned,
    ) {
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return;
        };
        let Some(network) = network_of(config, &binding) else {
            return;
        };
        match binding.state {
            BindingState::Offered => {
                self.withdraw(config, network, slot);
                turned.holds += 1;
            }
            // C171: the address is given to nobody else before the grace is over.
            BindingState::Active => {
                let grace = self.grace_of(network, slot);
                if let Some(record) = self.record(network, slot, (RecordKind::Active.into(), now)) {
                    journal.expired(&record);
                }
                self.clear_flags(slot);
                if let Some(binding) = self.bindings.slot_mut(slot) {
                    binding.state = BindingState::Expired;
                }
                self.bindings
                    .schedule(slot, deadline(binding.until(), grace));
                turned.leases += 1;
            }
            BindingState::Expired if self.is_bound(config, network, slot) => {
                self.retire(config, network, slot, BindingState::Expired);
                turned.graces += 1;
            }
            BindingState::Expired | BindingState::Released => {
                self.end(config, network, slot);
                turned.forgotten += 1;
            }
            BindingState::Abandoned if may_record(journal, network, &binding) => {
                self.end_probation(config, network, slot, (now, journal));
                turned.probations += 1;
            }
            // It will be tried again when the journal has room, and the address is ours.
            BindingState::Abandoned => self.bindings.schedule(slot, now.saturating_add(1)),
            BindingState::Available => {}
        }
    }

    /// Whether the address of `slot` is its client's still, the grace included.
    pub(super) fn is_bound(&self, config: &Config, network: &Network, slot: SlotIndex) -> bool {
        let word = self.word_of(config, network, slot);
        word.is_some_and(|word| word.state() == AddressState::Bound)
    }

    /// The address that `slot` set aside is free again (C60); the place of the record that says so.
    pub(crate) fn end_probation(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        (now, journal): (u32, &mut impl Journal),
    ) -> Sequence {
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return 0;
        };
        let addr = Ipv4Addr::from_bits(binding.addr);
        let record = Record {
            kind: RecordKind::ProbationEnded,
            cause: Cause::Unsaid,
            space: network.space.0,
            addr,
            generation: binding.generation(),
            time: self.wall.at(now),
            expiry: self.wall.at(now),
            lease: 0,
            origin: Origin::default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            identity: &[],
            htype: 0,
            chaddr: &[],
            agent_info: &[],
        };
        let sequence = journal.append(&record);
        self.forgive(slot, network);
        self.counts.set_aside = self.counts.set_aside.saturating_sub(1);
        self.let_go(config, network, slot, AddressState::Free);
        self.bindings.remove(slot);
        sequence
    }

    /// Takes the decline that `slot` remembers off its client's count (C170).
    fn forgive(&mut self, slot: SlotIndex, network: &Network) {
        let identity = self.bindings.agent_info(slot);
        let hash = self.key.hash(identity);
        let Some(client) = self.bindings.find(hash, network.key.0, identity) else {
            return;
        };
        let Some(binding) = self.bindings.slot_mut(client) else {
            return;
        };
        binding.declines = binding.declines.saturating_sub(1);
        if binding.state == BindingState::Available {
            self.vacate(client);
        }
    }

    /// Removes memories whose address another worker has taken meanwhile, and lets go of leases
    /// that were held until the clock was accepted.
    fn sweep(&mut self, config: &Config, (now, budget): (u32, usize), turned: &mut Turned) {
        self.accepting &= self.counts.clock_held > 0;
        for _ in 0..budget {
            let slot = self.sweep;
            if slot.0 >= self.bindings.slots_used() {
                self.sweep = SlotIndex(0);
                return;
            }
            self.sweep = SlotIndex(slot.0 + 1);
            if self.expire_accepted(slot, now) {
                turned.accepted += 1;
            } else if self.is_stale(config, slot) {
                if self.state(slot) == Some(BindingState::Available) {
                    self.bindings.remove(slot);
                } else {
                    self.vacate(slot);
                }
                turned.swept += 1;
            }
        }
    }

    /// Whether the network has addresses in probation here, whose end takes a decline off a count.
    /// A reload may have moved them to another one.
    fn has_aside(&self, network: u32) -> bool {
        let lists = self.lists(network);
        lists.is_some_and(|lists| self.bindings.front(lists.aside).is_some())
    }

    fn is_stale(&self, config: &Config, slot: SlotIndex) -> bool {
        let Some(binding) = self.bindings.slot(slot) else {
            return false;
        };
        match binding.state {
            BindingState::Expired | BindingState::Released => {
                let addr = Ipv4Addr::from_bits(binding.addr);
                let network = network_of(config, binding);
                let cell = network.and_then(|n| config.cell(n.space, addr));
                cell.is_some_and(|cell| !self.is_own(cell, slot))
            }
            BindingState::Available => binding.declines == 0 || !self.has_aside(binding.network()),
            BindingState::Offered | BindingState::Active | BindingState::Abandoned => false,
        }
    }
}

/// Whether the journal has room for a record about the address of `binding`, and the address is
/// this appliance's.
fn may_record(journal: &impl Journal, network: &Network, binding: &Slot) -> bool {
    let addr = Ipv4Addr::from_bits(binding.addr);
    let fenced = journal.fenced();
    journal.has_room() && !fenced.is_some_and(|f| f.contains(network.space.0, addr))
}

/// The network of a binding, unless a reload has dropped it.
pub(super) fn network_of<'c>(config: &'c Config, binding: &Slot) -> Option<&'c Network> {
    config.network_by_key(key_of(binding.network()))
}
