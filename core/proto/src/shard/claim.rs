//! Getting hold of an address and letting go of it: the words, the hints and the slot together.

use super::{ClientInfo, RETURNING, Shard};
use crate::address::{AddressState, Claim, Word};
use crate::binding::{BindingState, SlotIndex};
use crate::config::{Config, Network, Pool};
use crate::time::{INFINITE, deadline};
use core::net::Ipv4Addr;
use dhcp_wire::ethernet::Mac;

/// Why there is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Somebody has it, or none is left.
    Taken,
    /// There is no slot to note it in.
    TableFull,
    /// Offers have all of the table that is theirs.
    OffersFull,
}

/// What a claim may take besides free addresses and the client's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mercy {
    /// Addresses that are remembered for others stay theirs (C32).
    Spare,
    /// They are taken too: no free one is left.
    Take,
}

impl Shard {
    /// Holds or binds `addr` for the client in `slot`, which has no address or this one,
    /// remembered.
    pub(crate) fn claim(
        &mut self,
        network: &Network,
        config: &Config,
        slot: SlotIndex,
        want: Want,
    ) -> Result<Word, Unavailable> {
        let Want { addr, to, mercy } = want;
        let cell = config.cell(network.space, addr).ok_or(Unavailable::Taken)?;
        let seen = cell.load();
        let own = self.addr(slot) == Some(addr) && self.is_own(cell, slot);
        let open = match seen.state() {
            AddressState::Free => true,
            AddressState::Remembered => own || mercy == Mercy::Take,
            AddressState::Held | AddressState::Bound | AddressState::SetAside => false,
        };
        if !open {
            return Err(Unavailable::Taken);
        }
        // The owner's slot beside the word is read by its owner only, and only while it has it.
        let victim = (seen.owner() == self.me && !own && seen.state() == AddressState::Remembered)
            .then(|| SlotIndex(cell.slot()));
        let word = cell
            .claim(seen, to, self.me, slot.0)
            .map_err(|_| Unavailable::Taken)?;
        if let Some(victim) = victim
            && self.addr(victim) == Some(addr)
        {
            // The right is gone, not the memory; the sweep ends that.
            self.bindings.unlist(victim);
        }
        if let Some((pool, index)) = pool_of(config, network, addr) {
            pool.hints.drop_free(index);
            pool.hints.drop_reclaimable(index);
        }
        self.note(
            slot,
            want,
            word,
            own && seen.state() == AddressState::Remembered,
        );
        Ok(word)
    }

    /// Writes into the slot what its new word says.
    fn note(&mut self, slot: SlotIndex, want: Want, word: Word, returning: bool) {
        self.bindings.unlist(slot);
        self.clear_flags(slot);
        let Some(binding) = self.bindings.slot_mut(slot) else {
            return;
        };
        binding.addr = want.addr.to_bits();
        binding.set_generation(word.generation().number());
        binding.flags = if returning { RETURNING } else { 0 };
        match want.to {
            Claim::Held => {
                binding.state = BindingState::Offered;
                self.counts.offered += 1;
            }
            Claim::Bound => {
                binding.state = BindingState::Active;
                self.counts.active += 1;
            }
        }
    }

    /// Lets go of the offer in `slot`: the address is free again, or remembered for its client
    /// again; a slot that says nothing any more is removed.
    pub(crate) fn withdraw(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        if self.is_returning(slot)
            && self.state(slot) == Some(BindingState::Offered)
            && self.is_home(config, network, slot)
        {
            self.counts.offered = self.counts.offered.saturating_sub(1);
            if let Some(word) = self.let_go(config, network, slot, AddressState::Remembered) {
                self.remember(network, slot, (word, BindingState::Expired));
                return;
            }
        } else {
            self.let_go_of_all(config, network, slot);
        }
        self.vacate(slot);
    }

    /// Ends what `slot` says, whatever it is: its address is free, the client forgotten. A lease
    /// wants its record first.
    pub(crate) fn end(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        self.let_go_of_all(config, network, slot);
        self.vacate(slot);
    }

    /// Ends the lease in `slot` but keeps its address remembered for the client, unless a reload
    /// has taken the address from its network or the client has another one there.
    pub(crate) fn retire(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        state: BindingState,
    ) {
        if self.is_kept_apart(slot) || !self.is_home(config, network, slot) {
            return self.end(config, network, slot);
        }
        self.counts.active = self.counts.active.saturating_sub(1);
        match self.let_go(config, network, slot, AddressState::Remembered) {
            Some(word) => self.remember(network, slot, (word, state)),
            None => self.vacate(slot),
        }
    }

    /// Frees the address of a slot that is about to be used for another one.
    pub(super) fn let_go_of_all(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        match self.word_of(config, network, slot).map(Word::state) {
            Some(AddressState::Held) => {
                self.counts.offered = self.counts.offered.saturating_sub(1);
                self.let_go(config, network, slot, AddressState::Free);
            }
            Some(AddressState::Bound) => {
                self.counts.active = self.counts.active.saturating_sub(1);
                self.let_go(config, network, slot, AddressState::Free);
            }
            Some(AddressState::Remembered) => self.forget_word(config, network, slot),
            Some(AddressState::Free | AddressState::SetAside) | None => {}
        }
        self.empty(slot);
    }

    fn forget_word(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        let Some(addr) = self.addr(slot) else { return };
        let Some(cell) = config.cell(network.space, addr) else {
            return;
        };
        let Some(word) = self.own_word(cell, slot) else {
            return;
        };
        let hints = pool_of(config, network, addr);
        if let Some((pool, index)) = hints {
            pool.hints.drop_reclaimable(index);
        }
        // If another worker took the address meanwhile it is not ours to free.
        let _freed = cell.forget(word).is_ok();
        if let Some((pool, index)) = hints {
            pool.hints.settle(index, cell);
        }
    }

    /// The owner's step out of held, bound or set aside, and its hint.
    pub(super) fn let_go(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
        to: AddressState,
    ) -> Option<Word> {
        self.bindings.unlist(slot);
        self.bindings.cancel(slot);
        let addr = self.addr(slot)?;
        let cell = config.cell(network.space, addr)?;
        let mine = self.own_word(cell, slot);
        let stepped = mine.and_then(|mine| cell.advance(mine, to).ok());
        let Some(word) = stepped else {
            self.counts.inconsistent += 1;
            return None;
        };
        if let Some((pool, index)) = pool_of(config, network, addr) {
            pool.hints.settle(index, cell);
        }
        Some(word)
    }

    /// The owner's step from held to bound.
    pub(crate) fn confirm(
        &mut self,
        config: &Config,
        network: &Network,
        slot: SlotIndex,
    ) -> Result<(), Unavailable> {
        self.counts.offered = self.counts.offered.saturating_sub(1);
        let word = self.let_go(config, network, slot, AddressState::Bound);
        let Some(binding) = self.bindings.slot_mut(slot).filter(|_| word.is_some()) else {
            self.vacate(slot);
            return Err(Unavailable::Taken);
        };
        binding.state = BindingState::Active;
        self.clear_flags(slot);
        self.counts.active += 1;
        Ok(())
    }

    fn remember(
        &mut self,
        network: &Network,
        slot: SlotIndex,
        (word, state): (Word, BindingState),
    ) {
        self.clear_flags(slot);
        let Some(binding) = self.bindings.slot_mut(slot) else {
            return;
        };
        binding.state = state;
        binding.set_generation(word.generation().number());
        let ended = binding.until();
        self.keep_in_mind(network, slot, ended);
    }

    /// Lists the memory in `slot`, of a lease that ended at second `ended`, and lets it end with
    /// its affinity.
    pub(super) fn keep_in_mind(&mut self, network: &Network, slot: SlotIndex, ended: u32) {
        let until = deadline(ended, network.rules.affinity);
        if until != INFINITE {
            self.bindings.schedule(slot, until);
        }
        let lists = self
            .bindings
            .slot(slot)
            .and_then(|s| self.lists(s.network()));
        if let Some(lists) = lists {
            self.bindings.push_back(lists.remembered, slot);
        }
    }

    /// Leaves a slot without an address, timer or list.
    fn empty(&mut self, slot: SlotIndex) {
        self.bindings.unlist(slot);
        self.bindings.cancel(slot);
        self.clear_flags(slot);
        if let Some(binding) = self.bindings.slot_mut(slot) {
            binding.state = BindingState::Available;
            binding.addr = 0;
        }
    }

    /// Empties a slot, and removes it unless it still counts declines.
    pub(crate) fn vacate(&mut self, slot: SlotIndex) {
        self.empty(slot);
        if self
            .bindings
            .slot(slot)
            .is_some_and(|binding| binding.declines == 0)
        {
            self.bindings.remove(slot);
        }
    }

    /// The slot of a client, made if there is none; the oldest memory of the network makes room.
    pub(crate) fn slot_for(
        &mut self,
        config: &Config,
        client: &ClientInfo<'_>,
        network: u32,
    ) -> Result<SlotIndex, Unavailable> {
        if let Some(slot) = self.bindings.find(client.hash, network, client.identity) {
            return Ok(slot);
        }
        for _ in 0..2 {
            if let Ok(slot) = self.bindings.insert(client.hash, network, client.identity) {
                if self
                    .bindings
                    .set_chaddr(slot, client.htype, client.chaddr)
                    .is_ok()
                {
                    return Ok(slot);
                }
                self.bindings.remove(slot);
            }
            let lists = self.lists(network).ok_or(Unavailable::TableFull)?;
            let oldest = self
                .bindings
                .front(lists.remembered)
                .ok_or(Unavailable::TableFull)?;
            self.end(config, client.network, oldest);
        }
        Err(Unavailable::TableFull)
    }

    /// The slot of the oldest offer of a network, or of the oldest memory.
    pub(super) fn oldest(&self, network: &Network, which: Oldest) -> Option<SlotIndex> {
        let lists = self.lists(network.key.0)?;
        self.bindings.front(match which {
            Oldest::Hold => lists.holds,
            Oldest::Memory => lists.remembered,
        })
    }
}

/// Which list.
#[derive(Debug, Clone, Copy)]
pub(super) enum Oldest {
    Hold,
    Memory,
}

/// An address, how it is wanted, and from whom it may be taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Want {
    pub(crate) addr: Ipv4Addr,
    pub(crate) to: Claim,
    pub(crate) mercy: Mercy,
}

/// Since when an address is set aside, and until when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    pub(crate) since: u32,
    pub(crate) until: u32,
}

/// An address that is in use: for how long it is set aside, and which station answered, if it is
/// on the link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InUse {
    pub(crate) times: Timed,
    pub(crate) station: Option<Mac>,
}

/// The pool that may assign `addr`, and the address's index in its hints.
///
/// Mostly it is one of `network`; after a reload the address may be another network's.
pub(super) fn pool_of<'c>(
    config: &'c Config,
    network: &'c Network,
    addr: Ipv4Addr,
) -> Option<(&'c Pool, u32)> {
    let subnet = match network.subnet_of(addr) {
        Some((_, subnet)) => subnet,
        None => config.subnet(config.place_of(network.space, addr)?)?.1,
    };
    let pool = subnet.pool_of(addr)?;
    Some((pool, pool.index(addr)?))
}
