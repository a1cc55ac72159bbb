//! DHCPRELEASE, RFC 2131 §4.3.4.

use super::plan::Outcome;
use super::silence::Silence;
use super::turn::Turn;
use crate::binding::{BindingState, SlotIndex};
use crate::circuit::{circuit_id, remote_id};
use crate::record::{Journal, RecordKind};
use dhcp_wire::dhcp::agent::SubOptions;

impl<J: Journal> Turn<'_, J> {
    pub(super) fn on_release(&mut self) -> Outcome {
        if let Err(reason) = self.is_for_us() {
            return reason.into();
        }
        let Some(addr) = self.query.ciaddr() else {
            return Silence::Incomplete.into();
        };
        let src = self.query.arrival.ip_src;
        let direct = self.query.message.giaddr().is_unspecified();
        // C66
        if self.network.rules.strict_source && direct && !src.is_unspecified() && src != addr {
            return Silence::SourceMismatch.into();
        }
        if !self.journal.has_room() {
            return Silence::JournalFull.into();
        }
        if !self.serves(addr) {
            return Silence::Fenced.into();
        }
        // C64, C153: who it is and what it holds, before anything changes.
        let Some(slot) = self.binding().filter(|slot| self.holds(*slot, addr)) else {
            return Silence::NotHolder.into();
        };
        if !self.network.rules.release_from_elsewhere && self.is_elsewhere(slot) {
            return Silence::Elsewhere.into();
        }
        // "The server SHOULD retain a record of the client's initialization parameters".
        let now = self.now;
        self.shard.bindings.disarm(slot, now);
        self.append(RecordKind::Released, slot);
        self.shard
            .retire(self.config, self.network, slot, BindingState::Released);
        Silence::Released.into()
    }

    /// Whether the message came over another circuit, or straight from another port or VLAN, than
    /// the binding's (C66).
    fn is_elsewhere(&self, slot: SlotIndex) -> bool {
        let Some(binding) = self.shard.bindings.slot(slot) else {
            return true;
        };
        let origin = self.query.arrival.origin;
        let seen = (binding.port, binding.outer_vid, binding.inner_vid);
        let routed = !self.query.message.giaddr().is_unspecified()
            || self.query.path == super::query::Path::Routed
            || binding.giaddr != 0;
        if !routed && seen != (origin.port, origin.outer_vid, origin.inner_vid) {
            return true;
        }
        let Some(sent) = self.query.agent_info() else {
            return false;
        };
        // The rest of option 82 may differ from message to message, as the flags of RFC 5010 do.
        let stored = self.shard.bindings.agent_info(slot);
        let other = |sent: SubOptions<'_>| {
            let stored = SubOptions::new(stored);
            let circuit = circuit_id(&sent) != circuit_id(&stored);
            Some(circuit || remote_id(&sent) != remote_id(&stored))
        };
        sent.read(other).unwrap_or(!stored.is_empty())
    }
}
