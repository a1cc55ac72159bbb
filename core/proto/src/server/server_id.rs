//! Option 54: which server a client means, and what it is told to take for its server, C10, RFC
//! 5107.

use super::agent::server_id_override;
use super::turn::Turn;
use crate::binding::{BindingState, SlotIndex};
use crate::record::Journal;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::SubOptions;

/// Whom option 54 of a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// One of our addresses, or what is configured.
    Us,
    /// What a relay has its clients take for their server. Other servers behind that relay have
    /// the same name (C172).
    Override,
    /// Another server.
    Other,
}

impl<J: Journal> Turn<'_, J> {
    /// Whom `server_id` names for this client (C10, C116, C117).
    pub(super) fn named(&self, server_id: Ipv4Addr) -> Named {
        let configured = |id: Option<Ipv4Addr>| id == Some(server_id);
        let ours = self.config.is_ours(self.network.space, server_id)
            || self.network.is_server_id(server_id);
        if ours {
            return Named::Us;
        }
        let remembered = || self.binding().and_then(|slot| self.stored_override(slot));
        if configured(self.query.directions.server_id) || configured(remembered()) {
            return Named::Override;
        }
        Named::Other
    }

    /// Whether option 54 of a message that makes nothing of it but that names this server.
    pub(super) fn is_us(&self, server_id: Ipv4Addr) -> bool {
        self.named(server_id) != Named::Other
    }

    /// Whether this server has offered `addr` to the client, or has it on record for it (C172).
    pub(super) fn has_given(&self, addr: Ipv4Addr) -> bool {
        let slots = [self.binding(), self.beside()];
        slots.into_iter().flatten().any(|slot| {
            let offered = self.shard.state(slot) == Some(BindingState::Offered);
            let known = offered || self.recorded(slot).is_some();
            known && self.shard.addr(slot) == Some(addr)
        })
    }

    /// What the client of `slot` took for its server when its lease was last granted by way of a
    /// relay, RFC 5107 §4: it is kept with the binding, in its option 82.
    fn stored_override(&self, slot: SlotIndex) -> Option<Ipv4Addr> {
        let info = self.shard.bindings.agent_info(slot);
        server_id_override(&SubOptions::new(info))
    }

    /// Option 54 as a relay wants it (C116): as the message says, and where it came past the relay
    /// as the relay last said of the client in `slot`.
    pub(super) fn override_for(&self, slot: Option<SlotIndex>) -> Option<Ipv4Addr> {
        let query = self.query;
        let past_relay = query.unicast && query.message.giaddr().is_unspecified();
        match query.directions.server_id {
            None if past_relay && query.agent_info().is_none() => {
                slot.and_then(|slot| self.stored_override(slot))
            }
            directed => directed,
        }
    }
}
