//! A client that shows up behind another relay or circuit of its network (C173).
//!
//! Where a client is, its binding says by giaddr and option 82 of the last ACK's record. An OFFER
//! changes neither.

use super::plan::{NoticeKind, Outcome};
use super::silence::Silence;
use super::turn::Turn;
use crate::binding::{BindingState, SlotIndex};
use crate::circuit::{circuit_id, remote_id};
use crate::config::OnMove;
use crate::record::Journal;
use crate::time::remaining;
use core::net::Ipv4Addr;
use dhcp_wire::dhcp::agent::{self, SubOptions};

impl<J: Journal> Turn<'_, J> {
    /// The refusal of a client that has a lease at one place and asks at another one, where leases
    /// do not move (`on_move = "deny"`). When the lease is over the client may begin anew anywhere.
    #[inline]
    pub(super) fn refuses_move(&self) -> Option<Outcome> {
        if self.network.rules.on_move != OnMove::Deny {
            return None;
        }
        let slot = self.binding()?;
        let left = self.shard.bindings.slot(slot)?.until();
        if remaining(self.now, left) == 0 || !self.has_changed_place(slot) {
            return None;
        }
        let addr = self.shard.addr(slot)?;
        Some(Outcome {
            notice: Some(self.notice(NoticeKind::MoveDenied, addr)),
            ..Silence::MoveDenied.into()
        })
    }

    /// Whether the message comes by another relay or circuit than the one that the lease in `slot`
    /// was last granted by. What came past the relay says nothing (C174), and neither does a
    /// binding that was never seen behind one.
    pub(super) fn has_changed_place(&self, slot: SlotIndex) -> bool {
        let Some(binding) = self.shard.bindings.slot(slot) else {
            return false;
        };
        if binding.state != BindingState::Active {
            return false;
        }
        let giaddr = self.query.message.giaddr();
        let was = Place {
            giaddr: Ipv4Addr::from_bits(binding.giaddr),
            info: SubOptions::new(self.shard.bindings.agent_info(slot)),
        };
        if was.is_unknown() {
            return false;
        }
        match self.query.agent_info() {
            Some(info) => {
                let differs =
                    |info: SubOptions<'_>| Some(Place { giaddr, info }.is_elsewhere(&was));
                info.read(differs).unwrap_or(false)
            }
            None if giaddr.is_unspecified() && self.query.unicast => false,
            None => giaddr != was.giaddr,
        }
    }
}

/// Where a client is, as far as its relay says.
struct Place<'a> {
    giaddr: Ipv4Addr,
    info: SubOptions<'a>,
}

impl<'a> Place<'a> {
    fn relay_id(&self) -> Option<&'a [u8]> {
        self.info.first(agent::RELAY_ID)
    }

    fn is_unknown(&self) -> bool {
        self.giaddr.is_unspecified() && self.info.clone().next().is_none()
    }

    /// Whether relay, circuit-id or remote-id are others. One that is said once only is no other.
    fn is_elsewhere(&self, was: &Place<'_>) -> bool {
        let other_relay = match (self.relay_id(), was.relay_id()) {
            (Some(new), Some(old)) => new != old,
            (Some(_), None) | (None, Some(_) | None) => self.giaddr != was.giaddr,
        };
        let (new, old) = (&self.info, &was.info);
        other_relay
            || is_other(circuit_id(new), circuit_id(old))
            || is_other(remote_id(new), remote_id(old))
    }
}

fn is_other(new: Option<&[u8]>, old: Option<&[u8]>) -> bool {
    new.zip(old).is_some_and(|(new, old)| new != old)
}
