//! Which address a client is offered: RFC 2131 §4.3.1, in its order.

use super::claim::{Mercy, Oldest, Want};
use super::{BESIDE, ClientInfo, Keys, Shard, Unavailable};
use crate::address::{AddressState, Claim, start_for};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network, Pool, SubnetIndex};
use crate::group::Fenced;
use core::net::Ipv4Addr;

/// Stale hints that one search goes through in a pool before it looks elsewhere.
const TRIES: usize = 64;
/// Addresses of a block, which is in one group.
const BLOCK: u32 = 256;
/// A client that wants an address, and what the choice goes by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'q> {
    pub(crate) config: &'q Config,
    pub(crate) client: ClientInfo<'q>,
    /// What reservations may know the client by.
    pub(crate) keys: &'q Keys,
    /// Subnet of giaddr or of the link: new addresses come from it first.
    pub(crate) subnet: SubnetIndex,
    /// The address kept for the client.
    pub(crate) reservation: Option<Ipv4Addr>,
    /// Which addresses are another appliance's.
    pub(crate) fenced: Option<&'q Fenced>,
    /// Option 50.
    pub(crate) requested: Option<Ipv4Addr>,
    /// The second it is.
    pub(crate) now: u32,
}

impl Wanted<'_> {
    pub(super) fn network(&self) -> &Network {
        self.client.network
    }

    /// Whether `addr` is another appliance's.
    fn is_fenced(&self, addr: Ipv4Addr) -> bool {
        let space = self.network().space.0;
        self.fenced.is_some_and(|f| f.contains(space, addr))
    }

    /// Whether the client may have `addr` here: its reservation, or an address of a pool that is
    /// not excluded, not kept for another (C30), and this appliance's.
    pub(crate) fn may_have(&self, addr: Ipv4Addr) -> bool {
        if self.is_fenced(addr) {
            return false;
        }
        if self.reservation == Some(addr) {
            return true;
        }
        let pool = self
            .network()
            .subnet_of(addr)
            .and_then(|(_, subnet)| subnet.pool_of(addr));
        pool.is_some() && !self.is_kept(addr)
    }

    /// Whether an address is kept for somebody else.
    pub(crate) fn is_kept(&self, addr: Ipv4Addr) -> bool {
        self.config
            .reserved(self.network(), addr)
            .is_some_and(|owner| !self.keys.matches(owner))
    }
}

/// What a client is offered, and the slot that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assigned {
    /// The address of its lease.
    Current(SlotIndex),
    /// An address that is held for it.
    Held(SlotIndex),
}

impl Shard {
    /// Finds the client an address and holds it.
    pub(crate) fn assign(&mut self, wanted: &Wanted<'_>) -> Result<Assigned, Unavailable> {
        let key = wanted.client.network.key.0;
        let slot = self.slot_to_offer(wanted, key)?;
        let leased = self.leased(wanted, slot);
        if let Some(addr) = leased
            && self.is_best(wanted, addr)
        {
            self.offer_again(wanted, slot);
            return Ok(Assigned::Current(slot));
        }
        let slot = match leased {
            // The lease is left as it is until the client takes the other address.
            Some(_) => self.slot_to_offer(wanted, key | BESIDE)?,
            None => slot,
        };
        match self.hold(wanted, slot) {
            Ok(()) => {
                self.hold_offer(wanted, slot);
                Ok(Assigned::Held(slot))
            }
            Err(reason) => {
                if self.state(slot) == Some(BindingState::Available) {
                    self.vacate(slot);
                }
                if reason == Unavailable::Taken {
                    wanted.network().want();
                }
                // A lease that is not the best is still better than nothing.
                match (
                    leased,
                    self.find(
                        wanted.client.hash,
                        wanted.client.network.key,
                        wanted.client.identity,
                    ),
                ) {
                    (Some(addr), Some(slot)) if wanted.may_have(addr) => {
                        self.offer_again(wanted, slot);
                        Ok(Assigned::Current(slot))
                    }
                    _ => Err(reason),
                }
            }
        }
    }

    /// The address that the client has a lease of, its grace included.
    fn leased(&self, wanted: &Wanted<'_>, slot: SlotIndex) -> Option<Ipv4Addr> {
        let addr = self.addr(slot)?;
        let bound = self.is_bound(wanted.config, wanted.network(), slot);
        bound.then_some(addr)
    }

    /// Whether the client's lease is what it is to be offered: valid, and no reservation of its
    /// own is free elsewhere (C30, C182).
    fn is_best(&self, wanted: &Wanted<'_>, addr: Ipv4Addr) -> bool {
        let elsewhere = wanted.reservation.filter(|kept| *kept != addr);
        wanted.may_have(addr) && !elsewhere.is_some_and(|kept| self.is_open(wanted, kept))
    }

    /// Whether an address could be claimed by name.
    fn is_open(&self, wanted: &Wanted<'_>, addr: Ipv4Addr) -> bool {
        let cell = wanted.config.cell(wanted.network().space, addr);
        cell.is_some_and(|cell| match cell.load().state() {
            AddressState::Free | AddressState::Remembered => true,
            AddressState::Held => self
                .find_beside(&wanted.client)
                .is_some_and(|slot| self.addr(slot) == Some(addr)),
            AddressState::Bound | AddressState::SetAside => false,
        })
    }

    /// Holds the best address there is in `slot`, which has no lease.
    fn hold(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) -> Result<(), Unavailable> {
        let mut mine = self.addr(slot);
        let offered = self.state(slot) == Some(BindingState::Offered);
        if let Some(kept) = wanted.reservation.filter(|kept| Some(*kept) != mine)
            && self.is_open(wanted, kept)
        {
            self.let_go_of_all(wanted.config, wanted.client.network, slot);
            mine = None;
            if self.try_hold(wanted, slot, kept, Mercy::Take) {
                return Ok(());
            }
        }
        if let Some(addr) = mine {
            // C39: what is on offer stays on offer. C31: its previous address.
            if wanted.may_have(addr) && (offered || self.try_hold(wanted, slot, addr, Mercy::Spare))
            {
                return Ok(());
            }
            self.let_go_of_all(wanted.config, wanted.client.network, slot);
        }
        // C32
        let requested = wanted.requested.filter(|addr| wanted.may_have(*addr));
        if requested.is_some_and(|addr| self.try_hold(wanted, slot, addr, Mercy::Spare)) {
            return Ok(());
        }
        // C33
        if self.hold_free(wanted, slot) {
            return Ok(());
        }
        if self.may_cost_memories(wanted.network())
            && (requested.is_some_and(|addr| self.try_hold(wanted, slot, addr, Mercy::Take))
                || self.hold_remembered(wanted, slot))
        {
            return Ok(());
        }
        if self.hold_cut(wanted, slot) {
            return Ok(());
        }
        Err(Unavailable::Taken)
    }

    pub(super) fn try_hold(
        &mut self,
        wanted: &Wanted<'_>,
        slot: SlotIndex,
        addr: Ipv4Addr,
        mercy: Mercy,
    ) -> bool {
        let want = Want {
            addr,
            to: Claim::Held,
            mercy,
        };
        self.claim(wanted.client.network, wanted.config, slot, want)
            .is_ok()
    }

    /// Holds an address of a pool by its hints; a hint whose address cannot be had is settled, and
    /// the search goes on behind it.
    fn hold_hinted(&mut self, wanted: &Wanted<'_>, slot: SlotIndex, pool: &Pool, by: By) -> bool {
        let mut start = start_for(self.me, self.workers, pool.len());
        for _ in 0..TRIES {
            let (index, mercy) = match by {
                By::Free => (pool.hints.take_free(start), Mercy::Spare),
                By::Remembered => (pool.hints.take_reclaimable(start), Mercy::Take),
            };
            let Some(index) = index else { return false };
            let addr = pool.addr(index);
            let fenced = wanted.is_fenced(addr);
            // The hint of an address that was reserved just now may still be there.
            if !fenced && !wanted.is_kept(addr) && self.try_hold(wanted, slot, addr, mercy) {
                return true;
            }
            if let Some(cell) = wanted.config.cell(wanted.network().space, addr) {
                pool.hints.settle(index, cell);
            }
            // A block is another appliance's as a whole.
            let past = if fenced {
                BLOCK - addr.to_bits() % BLOCK
            } else {
                1
            };
            start = index.saturating_add(past) % pool.len();
        }
        false
    }

    /// A free address: of the client's own subnet, then of the others of its network.
    fn hold_free(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) -> bool {
        self.in_pools(wanted, |shard, pool| {
            shard.hold_hinted(wanted, slot, pool, By::Free)
        })
    }

    /// An address that is remembered for another client: this shard's oldest, then any.
    fn hold_remembered(&mut self, wanted: &Wanted<'_>, slot: SlotIndex) -> bool {
        for _ in 0..TRIES {
            let Some(oldest) = self.oldest(wanted.network(), Oldest::Memory) else {
                break;
            };
            let addr = self.addr(oldest);
            self.bindings.unlist(oldest);
            if let Some(addr) = addr.filter(|addr| wanted.may_have(*addr))
                && self.try_hold(wanted, slot, addr, Mercy::Take)
            {
                return true;
            }
        }
        self.in_pools(wanted, |shard, pool| {
            shard.hold_hinted(wanted, slot, pool, By::Remembered)
        })
    }

    /// Asks the pools in turn, those of the client's own subnet first.
    fn in_pools(
        &mut self,
        wanted: &Wanted<'_>,
        mut search: impl FnMut(&mut Self, &Pool) -> bool,
    ) -> bool {
        let subnets = &wanted.client.network.subnets;
        let own = wanted.subnet.0 as usize;
        let (before, rest) = subnets.split_at(own.min(subnets.len()));
        let mut pools = rest.iter().chain(before).flat_map(|subnet| &subnet.pools);
        pools.any(|pool| search(self, pool))
    }
}

/// Which hints.
#[derive(Debug, Clone, Copy)]
enum By {
    Free,
    Remembered,
}
