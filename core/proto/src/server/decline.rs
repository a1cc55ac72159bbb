//! DHCPDECLINE, RFC 2131 §4.3.3.

use super::plan::{NoticeKind, Outcome};
use super::silence::Silence;
use super::turn::Turn;
use crate::binding::{BindingState, SlotIndex};
use crate::config::Network;
use crate::record::{Journal, RecordKind};
use crate::shard::Timed;
use crate::time::{deadline, remaining};
use core::net::Ipv4Addr;

impl<J: Journal> Turn<'_, J> {
    pub(super) fn on_decline(&mut self) -> Outcome {
        if let Err(reason) = self.is_for_us() {
            return reason.into();
        }
        // C62
        let Some(addr) = self.query.requested_addr() else {
            return Silence::Incomplete.into();
        };
        if let Some(refusal) = self.refuses_move() {
            return refusal;
        }
        if !self.journal.has_room() {
            return Silence::JournalFull.into();
        }
        if !self.serves(addr) {
            return Silence::Fenced.into();
        }
        // C61, C153
        let Some(slot) = self.binding().filter(|slot| self.holds(*slot, addr)) else {
            return Silence::NotHolder.into();
        };
        let declines = self.shard.bindings.slot(slot).map_or(0, |s| s.declines);
        if declines >= self.network.rules.max_declines {
            // C170: whoever declines everything would empty the pool.
            self.end_in_conflict(slot);
            let notice = Some(self.notice(NoticeKind::TooManyDeclines, addr));
            return Outcome {
                notice,
                ..Silence::Declined.into()
            };
        }
        self.set_aside(slot, addr)
    }

    /// C60: "the server MUST mark the network address as not available and SHOULD notify the local
    /// system administrator".
    fn set_aside(&mut self, slot: SlotIndex, addr: Ipv4Addr) -> Outcome {
        let times = self.probation();
        let Some(aside) = self.shard.aside_slot(self.network, addr) else {
            return Silence::TableFull.into();
        };
        self.shard.bindings.disarm(slot, times.until);
        self.append(RecordKind::Declined, slot);
        self.shard
            .decline(self.config, self.network, (slot, aside), times);
        let notice = Some(self.notice(NoticeKind::Declined, addr));
        Outcome {
            notice,
            ..Silence::Declined.into()
        }
    }

    /// From now on, for the probation time.
    pub(super) fn probation(&self) -> Timed {
        probation(self.network, self.now)
    }

    /// Whether a DECLINE or RELEASE names this server, or none where that is taken (C62, C65).
    pub(super) fn is_for_us(&self) -> Result<(), Silence> {
        match self.query.server_id() {
            Some(id) if self.is_us(id) => Ok(()),
            Some(_) => Err(Silence::OtherServer),
            None if self.network.rules.strict_table5 => Err(Silence::Incomplete),
            None => Ok(()),
        }
    }

    /// Whether the client has a lease of `addr` that has not run out.
    pub(super) fn holds(&self, slot: SlotIndex, addr: Ipv4Addr) -> bool {
        let binding = self.shard.bindings.slot(slot);
        binding.is_some_and(|binding| {
            binding.state == BindingState::Active
                && binding.addr == addr.to_bits()
                && remaining(self.now, binding.until()) > 0
        })
    }
}

/// From `now` on, for the probation time of `network`.
pub(super) fn probation(network: &Network, now: u32) -> Timed {
    let probation = network.rules.probation.as_secs();
    let probation = u32::try_from(probation).unwrap_or(u32::MAX - 1);
    Timed {
        since: now,
        until: deadline(now.saturating_add(1), probation),
    }
}
