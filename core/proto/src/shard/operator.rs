//! What an operator ends.

use super::Shard;
use super::housekeeping::network_of;
use crate::address::Space;
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, NetworkKey};
use crate::record::{Cause, Journal, RecordKind, Sequence};
use core::net::Ipv4Addr;

/// What became of an operator's wish to end a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedByOperator {
    /// It has ended, by the record at this place.
    Ended {
        /// Place of the record, which is not durable yet.
        sequence: Sequence,
        /// Its network.
        network: NetworkKey,
    },
    /// There is no lease of the address here, and it is not set aside either.
    NoLease,
    /// It is another client's.
    OtherClient,
    /// The journal has no room: nothing has changed.
    JournalFull,
    /// The address is another appliance's: nothing has changed.
    Fenced,
}

impl Shard {
    /// Ends the lease of `addr`, if it is of `client` (if one is named), or its probation. What is
    /// parked about it does not leave any more. The client is not told; there is no message for it.
    pub fn end_by_operator(
        &mut self,
        config: &Config,
        (space, addr): (Space, Ipv4Addr),
        client: Option<&[u8]>,
        (now, journal): (u32, &mut impl Journal),
    ) -> EndedByOperator {
        let Some(cell) = config.cell(space, addr) else {
            return EndedByOperator::NoLease;
        };
        let slot = SlotIndex(cell.slot());
        if self.addr(slot) != Some(addr) || !self.is_own(cell, slot) {
            return EndedByOperator::NoLease;
        }
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return EndedByOperator::NoLease;
        };
        let Some(network) = network_of(config, &binding) else {
            return EndedByOperator::NoLease;
        };
        let aside = binding.state == BindingState::Abandoned;
        let leased = match binding.state {
            BindingState::Active | BindingState::Expired => self.is_bound(config, network, slot),
            BindingState::Available
            | BindingState::Offered
            | BindingState::Released
            | BindingState::Abandoned => false,
        };
        if !leased && !aside {
            return EndedByOperator::NoLease;
        }
        let holder = if aside {
            self.bindings.agent_info(slot)
        } else {
            self.bindings.identity(slot)
        };
        if client.is_some_and(|client| client != holder) {
            return EndedByOperator::OtherClient;
        }
        if journal.fenced().is_some_and(|f| f.contains(space.0, addr)) {
            return EndedByOperator::Fenced;
        }
        if !journal.has_room() {
            return EndedByOperator::JournalFull;
        }
        let sequence = if aside {
            self.end_probation(config, network, slot, (now, journal))
        } else {
            let statement = (RecordKind::Ended, Cause::Operator);
            self.write(network, slot, statement, (now, journal));
            let sequence = self.sequence(slot);
            self.end(config, network, slot);
            sequence
        };
        let network = network.key;
        EndedByOperator::Ended { sequence, network }
    }
}
