//! Offers that nobody has answered, and what they may cost others. A DISCOVER is free to send, so a
//! flood of them must take from no client what it has:
//!
//! * An offer to a **stranger** is one that nothing but the DISCOVER speaks for: neither a lease
//!   nor a memory of the address nor a reservation. These have a share of the table, and no more.
//! * They cost other clients their memories (address or slot) only while few of them are out: a
//!   network that gives leases has few offers unanswered, one that is flooded has many.
//! * When addresses run low they are cut, the oldest first, never one under 2 s (C35): by their own
//!   worker for the client that needs one, and by every worker in its housekeeping for clients that
//!   another one had to refuse.

use super::assign::Wanted;
use super::claim::{Mercy, Oldest};
use super::{BESIDE, OFFERED_AGAIN, RETURNING, STRANGER, Shard, Unavailable, key_of};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network};
use crate::time::deadline;
use core::net::Ipv4Addr;

/// Seconds after which a hold may be cut: never under 2 s, and the clock of the holds counts whole
/// seconds.
const YOUNGEST_CUT: u32 = 3;
/// Share of the table that offers may fill unless the configuration says otherwise, in 1/1000.
pub(super) const SHARE: u16 = 250;
/// Offers to strangers, at least, whatever their share of a small table is.
const FEWEST: usize = 32;
/// One in so many of a network's addresses, or of the table's slots: as long as no more offers to
/// strangers are out, they may cost memories.
const PATIENCE: u32 = 16;
/// As many may cost memories in any case.
const FEWEST_COSTLY: u32 = 4;
/// Networks that one turn of housekeeping looks at.
const NETWORKS: usize = 16;

/// How many of `capacity` slots are `per_mille`.
pub(super) fn share(capacity: usize, per_mille: u16) -> usize {
    let share = capacity.saturating_mul(usize::from(per_mille)) / 1000;
    share.max(FEWEST).min(capacity)
}

fn hold_secs(network: &Network) -> u32 {
    let hold = u32::try_from(network.rules.offer_hold.as_secs()).unwrap_or(u32::MAX);
    hold.min(u32::MAX - 1)
}

/// When a hold ends that begins at second `now`.
fn end_of_hold(network: &Network, now: u32) -> u32 {
    deadline(now.saturating_add(1), hold_secs(network))
}

impl Shard {
    /// Gives offers to strangers `per_mille` 1/1000 of the table.
    pub fn set_max_offers(&mut self, per_mille: u16) {
        self.most_offers = share(self.bindings.capacity(), per_mille);
    }

    /// The slot for an offer, made if the client has none.
    pub(super) fn slot_to_offer(
        &mut self,
        wanted: &Wanted<'_>,
        network: u32,
    ) -> Result<SlotIndex, Unavailable> {
        let client = &wanted.client;
        if let Some(slot) = self.bindings.find(client.hash, network, client.identity) {
            return Ok(slot);
        }
        let is_stranger = wanted.reservation.is_none() && network & BESIDE == 0;
        let strangers = usize::try_from(self.counts.strangers).unwrap_or(usize::MAX);
        if is_stranger && strangers >= self.most_offers && !self.cut(wanted) {
            return Err(Unavailable::OffersFull);
        }
        let costly = (self.bindings.capacity() / PATIENCE as usize).max(FEWEST_COSTLY as usize);
        let is_full = self.bindings.free() == 0;
        if is_full && is_stranger && strangers >= costly && !self.cut(wanted) {
            return Err(Unavailable::OffersFull);
        }
        match self.slot_for(wanted.config, client, network) {
            Err(Unavailable::TableFull) if self.cut(wanted) => {
                self.slot_for(wanted.config, client, network)
            }
            other => other,
        }
    }

    /// Starts or restarts the hold of the offer in `slot`.
    pub(super) fn hold_offer(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) {
        self.bindings
            .schedule(slot, end_of_hold(wanted.network(), wanted.now));
        let Some(binding) = self.bindings.slot_mut(slot) else {
            return;
        };
        let addr = Ipv4Addr::from_bits(binding.addr);
        if binding.flags & RETURNING != 0 || wanted.reservation == Some(addr) {
            // Reserved since its first offer.
            if binding.flags & STRANGER != 0 {
                binding.flags &= !STRANGER;
                let network = binding.network();
                self.bindings.unlist(slot);
                self.forget_stranger(network);
            }
            return;
        }
        let is_new = binding.flags & STRANGER == 0;
        binding.flags |= STRANGER;
        let network = key_of(binding.network());
        if let Some(lists) = self.lists.get_mut(network.0 as usize) {
            lists.held = lists.held.saturating_add(u32::from(is_new));
            self.counts.strangers += u64::from(is_new);
            self.bindings.unlist(slot);
            self.bindings.push_back(lists.holds, slot);
        }
    }

    /// The lease in `slot` is offered to its client: the address is held even if the lease runs out
    /// meanwhile.
    pub(super) fn offer_again(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) {
        let hold = end_of_hold(wanted.network(), wanted.now);
        let Some(binding) = self.bindings.slot_mut(slot) else {
            return;
        };
        if binding.until() >= hold {
            return;
        }
        if binding.state == BindingState::Active {
            binding.flags |= OFFERED_AGAIN;
        } else {
            // In its grace, which the hold outlasts.
            self.bindings.schedule(slot, hold);
        }
    }

    /// Seconds for which the address of the lease in `slot` stays its client's when it runs out.
    pub(super) fn grace_of(&self, network: &Network, slot: SlotIndex) -> u32 {
        let grace = network.rules.grace_secs();
        if self.has_flag(slot, OFFERED_AGAIN) {
            grace.max(hold_secs(network))
        } else {
            grace
        }
    }

    /// An offer of this network to a stranger has come to its end.
    pub(super) fn forget_stranger(&mut self, network: u32) {
        self.counts.strangers = self.counts.strangers.saturating_sub(1);
        if let Some(lists) = self.lists.get_mut(key_of(network).0 as usize) {
            lists.held = lists.held.saturating_sub(1);
        }
    }

    /// An offer to a stranger is another network's now.
    pub(super) fn move_stranger(&mut self, from: u32, to: u32) {
        if let Some(lists) = self.lists.get_mut(key_of(from).0 as usize) {
            lists.held = lists.held.saturating_sub(1);
        }
        if let Some(lists) = self.lists.get_mut(key_of(to).0 as usize) {
            lists.held = lists.held.saturating_add(1);
        }
    }

    /// Whether an offer may take an address that is remembered for another client.
    pub(super) fn may_cost_memories(&self, network: &Network) -> bool {
        let held = self.lists(network.key.0).map_or(0, |lists| lists.held);
        let most = network.size() / PATIENCE / u32::from(self.workers.max(1));
        held < most.max(FEWEST_COSTLY)
    }

    /// Holds the address of the oldest offer that is not too young (C35).
    pub(super) fn hold_cut(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) -> bool {
        let Some((oldest, addr)) = self.cuttable(wanted.network(), wanted.now) else {
            return false;
        };
        if !wanted.may_have(addr) {
            return false;
        }
        self.cut_hold(wanted.config, wanted.network(), oldest);
        self.try_hold(wanted, slot, addr, Mercy::Take)
    }

    /// Cuts the oldest offer of the client's network, if it is not too young, to make room.
    fn cut(&mut self, wanted: &Wanted<'_>) -> bool {
        let Some((oldest, _)) = self.cuttable(wanted.network(), wanted.now) else {
            return false;
        };
        self.cut_hold(wanted.config, wanted.network(), oldest);
        true
    }

    /// The oldest offer to a stranger, if it may be cut, and its address.
    fn cuttable(&self, network: &Network, now: u32) -> Option<(SlotIndex, Ipv4Addr)> {
        let oldest = self.oldest(network, Oldest::Hold)?;
        let binding = self.bindings.slot(oldest)?;
        let age = end_of_hold(network, now).saturating_sub(binding.until());
        (age >= YOUNGEST_CUT).then(|| (oldest, Ipv4Addr::from_bits(binding.addr)))
    }

    fn cut_hold(&mut self, config: &Config, network: &Network, hold: SlotIndex) {
        self.counts.holds_cut += 1;
        self.withdraw(config, network, hold);
    }

    /// Cuts holds for clients that were refused, here or by another worker: at most `budget`, in
    /// some of the networks. How many.
    pub(super) fn relieve(&mut self, config: &Config, now: u32, budget: usize) -> u32 {
        let networks = config.networks();
        let mut cut = 0;
        for _ in 0..NETWORKS.min(networks.len()) {
            let Some(network) = networks.get(self.relief) else {
                self.relief = 0;
                continue;
            };
            self.relief += 1;
            let refused = network.take_demand();
            if refused == 0 {
                continue;
            }
            let most = u32::try_from(budget).unwrap_or(u32::MAX);
            let missing = refused.saturating_sub(network.free());
            let helped = self.cut_oldest(config, network, (now, missing.min(most)));
            cut += helped;
            if missing > helped {
                network.return_demand(missing - helped);
            }
        }
        cut
    }

    /// Cuts the oldest holds of a network, at most `most`.
    fn cut_oldest(&mut self, config: &Config, network: &Network, (now, most): (u32, u32)) -> u32 {
        for cut in 0..most {
            let Some((oldest, _)) = self.cuttable(network, now) else {
                return cut;
            };
            self.cut_hold(config, network, oldest);
        }
        most
    }
}
