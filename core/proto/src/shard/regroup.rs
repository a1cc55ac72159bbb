//! After a reload: bindings go to the network that has their address now, some in each turn and
//! those of a client that comes at once.

use super::{BESIDE, KEPT, Lists, STRANGER, Shard, key_of};
use crate::binding::{BindingState, ListMemory, SlotIndex};
use crate::config::{Config, Network};
use crate::record::Sequence;
use crate::server::Client;
use alloc::vec::Vec;
use core::net::Ipv4Addr;

/// Slots that one turn looks at, and how many of them it may move.
const LOOKS: usize = 512;
const MOVES: usize = 64;
/// Lists of a network.
const LISTS: usize = 3;

/// Memory for the lists of more networks, made by control.
#[derive(Debug)]
pub struct Room {
    lists: Vec<Lists>,
    memory: ListMemory,
}

impl Room {
    /// For networks with keys below `keys`.
    #[must_use]
    pub fn new(keys: u32) -> Self {
        let keys = keys as usize;
        Self {
            lists: Vec::with_capacity(keys),
            memory: ListMemory::new(keys.saturating_mul(LISTS)),
        }
    }
}

/// How far a shard is in a [`crate::config::Regroup`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// The next slot to look at; none when all are where they belong.
    next: Option<SlotIndex>,
    /// The number of the regrouping.
    number: u64,
    /// The number of the last one that is done.
    done: u64,
}

impl Progress {
    pub(super) fn done(config: &Config) -> Self {
        let number = config.regroup().number();
        Self {
            next: None,
            number,
            done: number,
        }
    }
}

impl Shard {
    /// Goes over to `config`, which succeeds the one before. `room` is for its keys, if they are
    /// more than ever before; then it holds what is to be freed.
    pub fn on_reload(&mut self, config: &Config, room: Option<&mut Room>) {
        if let Some(room) = room
            && room.lists.capacity() >= self.lists.len()
        {
            self.bindings.move_lists(&mut room.memory);
            room.lists.clear();
            room.lists.extend_from_slice(&self.lists);
            core::mem::swap(&mut room.lists, &mut self.lists);
        }
        self.add_lists(config.keys());
        let number = config.regroup().number();
        if number != self.regrouping.number {
            self.regrouping.number = number;
            self.regrouping.next = Some(SlotIndex(0));
        }
        if config.regroup().is_nothing() {
            self.regrouping = Progress::done(config);
        }
    }

    /// The number of the last [`crate::config::Regroup`] that all bindings here have gone through.
    #[must_use]
    pub fn regrouped(&self) -> u64 {
        self.regrouping.done
    }

    fn add_lists(&mut self, keys: u32) {
        while self.lists.len() < keys as usize {
            let Some(lists) = Lists::new(&mut self.bindings) else {
                return;
            };
            self.lists.push(lists);
        }
    }

    /// Looks after some slots.
    #[inline]
    pub(super) fn regroup_step(&mut self, config: &Config) {
        if let Some(next) = self.regrouping.next {
            self.regroup_from(config, next);
        }
    }

    #[cold]
    fn regroup_from(&mut self, config: &Config, mut next: SlotIndex) {
        let (mut looks, mut moves) = (LOOKS, MOVES);
        while looks > 0 && moves > 0 {
            if next.0 >= self.bindings.slots_used() {
                self.regrouping = Progress::done(config);
                return;
            }
            looks -= 1;
            moves -= usize::from(self.rehome(config, next));
            next = SlotIndex(next.0 + 1);
        }
        self.regrouping.next = Some(next);
    }

    /// Fetches what there is of a client on `network` from where it stood before the reload.
    #[inline]
    pub(crate) fn gather(&mut self, config: &Config, network: &Network, client: &Client) {
        if self.regrouping.next.is_some() {
            self.gather_late(config, network, client);
        }
    }

    #[cold]
    fn gather_late(&mut self, config: &Config, network: &Network, client: &Client) {
        match client {
            Client::Known(identity, hash) => {
                // Its own last: what was kept apart there waits for the other one to leave.
                let formers = config.regroup().former(network.key);
                for former in formers.chain([network.key]) {
                    for key in [former.0, former.0 | BESIDE, former.0 | KEPT] {
                        let found = self.bindings.find(*hash, key, identity.as_slice());
                        if let Some(slot) = found {
                            self.rehome(config, slot);
                        }
                    }
                }
            }
            Client::HolderOf(addr) => {
                if let Some(slot) = self.holder(config, network.space, *addr) {
                    self.rehome(config, slot);
                }
            }
            Client::Anyone => {}
        }
    }

    /// Whether the address of `slot` is one of its network still.
    pub(super) fn is_home(&self, config: &Config, network: &Network, slot: SlotIndex) -> bool {
        let (Some(addr), Some(binding)) = (self.addr(slot), self.bindings.slot(slot)) else {
            return false;
        };
        let key = key_of(binding.network());
        if network.key == key && network.subnet_of(addr).is_some() {
            return true;
        }
        home_of(config, network, addr).is_some_and(|home| home.key == key)
    }

    /// Sees to it that `slot` is where it belongs; whether there was something to see to.
    fn rehome(&mut self, config: &Config, slot: SlotIndex) -> bool {
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return false;
        };
        let key = key_of(binding.network());
        if !config.regroup().moves(key) {
            return false;
        }
        let Some(network) = config.network_by_key(key) else {
            return false;
        };
        let home = self
            .addr(slot)
            .and_then(|addr| home_of(config, network, addr));
        match home {
            Some(home) if home.key == key => self.take_back(config, network, slot),
            Some(home) => self.rehome_to(config, (network, home), slot),
            None if self.is_live(config, network, slot) => config.regroup().keep(key),
            None => self.drop_memory(config, network, slot),
        }
        true
    }

    /// A lease that was kept apart is its client's again when the other one has gone elsewhere.
    fn take_back(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return;
        };
        if binding.network() & KEPT == 0 {
            return;
        }
        let (hash, key) = (binding.hash().into(), network.key.0);
        let other = self.bindings.find(hash, key, self.bindings.identity(slot));
        if let Some(other) = other {
            // It may not have been looked after yet; it is not one that is kept apart.
            self.rehome(config, other);
        }
        let other = self.bindings.find(hash, key, self.bindings.identity(slot));
        if other.is_none() {
            self.bindings.rekey_network(slot, key);
        }
    }

    /// Moves `slot` from one network to another. Of two bindings of one client there a lease is
    /// worth more than an offer, and that more than a memory; the older of two leases is kept to its
    /// end, and a second offer where it is.
    fn rehome_to(&mut self, config: &Config, (from, to): (&Network, &Network), slot: SlotIndex) {
        let Some(binding) = self.bindings.slot(slot).copied() else {
            return;
        };
        let mut key = to.key.0 | (binding.network() & BESIDE);
        let identity = self.bindings.identity(slot);
        let other = self.bindings.find(binding.hash().into(), key, identity);
        if let Some(other) = other {
            if !self.is_live(config, from, slot) {
                return self.drop_memory(config, from, slot);
            }
            let is_lease = self.is_bound(config, from, slot);
            if is_lease && self.is_bound(config, to, other) {
                if self.last_heard(slot) < self.last_heard(other) {
                    key = to.key.0 | KEPT;
                } else {
                    let declines = self.keep_apart(to, other);
                    if let Some(newer) = self.bindings.slot_mut(slot) {
                        newer.declines = newer.declines.saturating_add(declines);
                    }
                }
            } else if is_lease || !self.is_live(config, to, other) {
                self.end(config, to, other);
                self.bindings.remove(other);
            } else {
                return config.regroup().keep(from.key);
            }
        }
        self.bindings.rekey_network(slot, key);
        if binding.flags & STRANGER != 0 {
            self.move_stranger(from.key.0, key);
        }
        if let Some(lists) = self.lists(key)
            && self.bindings.is_listed(slot)
        {
            let list = match binding.state {
                BindingState::Offered => lists.holds,
                BindingState::Abandoned => lists.aside,
                BindingState::Available
                | BindingState::Active
                | BindingState::Expired
                | BindingState::Released => lists.remembered,
            };
            self.bindings.push_back(list, slot);
        }
    }

    /// Tells the newer of two leases of one client: by when it was heard of, within a second by the
    /// newest record.
    fn last_heard(&self, slot: SlotIndex) -> Option<(u32, Sequence)> {
        let binding = self.bindings.slot(slot)?;
        Some((binding.started, binding.sequence()))
    }

    /// Forgets what is remembered in `slot`, a count of declines too: who counts it down would look
    /// for it in the other network.
    fn drop_memory(&mut self, config: &Config, network: &Network, slot: SlotIndex) {
        self.end(config, network, slot);
        self.bindings.remove(slot);
    }

    /// Whether `slot` says more than what is remembered.
    fn is_live(&self, config: &Config, network: &Network, slot: SlotIndex) -> bool {
        match self.state(slot) {
            Some(BindingState::Offered | BindingState::Active | BindingState::Abandoned) => true,
            // Its grace, maybe.
            Some(BindingState::Expired) => self.is_bound(config, network, slot),
            Some(BindingState::Available | BindingState::Released) | None => false,
        }
    }
}

/// The network that has `addr` now, in the space of `network`.
fn home_of<'c>(config: &'c Config, network: &Network, addr: Ipv4Addr) -> Option<&'c Network> {
    config.network(config.place_of(network.space, addr)?.network)
}
