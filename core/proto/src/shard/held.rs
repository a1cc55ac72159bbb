//! Leases that are kept although the clock says that they are over: it is not believed.

use super::{STRANGER, Shard};
use crate::binding::{BindingState, SlotIndex};

/// Slot flag: the lease is over by the clock, and kept because the clock is held.
const CLOCK_HELD: u8 = 2;

impl Shard {
    /// The operator takes the clock for right: what is held expires, some in each turn. How many
    /// leases that are.
    pub fn accept_clock(&mut self) -> u64 {
        self.accepting = true;
        self.counts.clock_held
    }

    /// Notes that the lease in `slot` is held.
    pub(super) fn keep_for_clock(&mut self, slot: SlotIndex) {
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.flags = CLOCK_HELD;
            self.counts.clock_held += 1;
        }
    }

    /// Whether the lease in `slot` is held.
    pub(crate) fn is_clock_held(&self, slot: SlotIndex) -> bool {
        self.has_flag(slot, CLOCK_HELD)
    }

    /// Takes all flags off a slot, which begins something new.
    pub(crate) fn clear_flags(&mut self, slot: SlotIndex) {
        if let Some(binding) = self.bindings.slot_mut(slot) {
            let held = u64::from(binding.flags & CLOCK_HELD != 0);
            self.counts.clock_held = self.counts.clock_held.saturating_sub(held);
            let (stranger, network) = (binding.flags & STRANGER != 0, binding.network());
            binding.flags = 0;
            if stranger {
                self.forget_stranger(network);
            }
        }
    }

    /// Lets the lease in `slot` expire at `now` if it is held and the clock was accepted; whether
    /// it does.
    pub(super) fn expire_accepted(&mut self, slot: SlotIndex, now: u32) -> bool {
        let over = self.accepting
            && self.is_clock_held(slot)
            && self.state(slot) == Some(BindingState::Active);
        if over {
            if let Some(binding) = self.bindings.slot_mut(slot) {
                binding.flags &= !CLOCK_HELD;
            }
            self.counts.clock_held = self.counts.clock_held.saturating_sub(1);
            self.bindings.schedule(slot, now);
        }
        over
    }
}
