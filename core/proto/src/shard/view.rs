//! A binding copied out whole, for an operator who asks.

use super::Shard;
use crate::address::{AddressState, Space};
use crate::binding::BindingState;
use crate::config::Config;
use crate::record::{MAX_AGENT_INFO, MAX_IDENTITY, Origin};
use crate::time::INFINITE;
use core::net::Ipv4Addr;

/// What a shard knows of an address. It has a fixed size, so that it passes through a ring.
#[derive(Debug, Clone, Copy)]
pub struct BindingView {
    /// The address.
    pub addr: Ipv4Addr,
    /// What the binding is.
    pub state: BindingState,
    /// When the hold, lease or probation ends, Unix seconds; `u64::MAX` never.
    pub until: u64,
    /// When the client was last heard of, Unix seconds.
    pub started: u64,
    /// Lease time last told to the client, seconds; 0 of an address set aside.
    pub lease: u32,
    /// Relay agent; unspecified if none.
    pub giaddr: Ipv4Addr,
    /// Port and VLANs.
    pub origin: Origin,
    /// Hardware type.
    pub htype: u8,
    chaddr: Octets<16>,
    identity: Octets<MAX_IDENTITY>,
    agent_info: Octets<MAX_AGENT_INFO>,
}

/// At most `N` octets.
#[derive(Debug, Clone, Copy)]
struct Octets<const N: usize> {
    len: u16,
    octets: [u8; N],
}

impl<const N: usize> Octets<N> {
    fn of(octets: &[u8]) -> Self {
        let mut copy = Self {
            len: 0,
            octets: [0; N],
        };
        let len = octets.len().min(N);
        if let (Some(to), Some(from)) = (copy.octets.get_mut(..len), octets.get(..len)) {
            to.copy_from_slice(from);
            copy.len = u16::try_from(len).unwrap_or(0);
        }
        copy
    }

    fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl BindingView {
    /// Hardware address.
    #[must_use]
    pub fn chaddr(&self) -> &[u8] {
        self.chaddr.as_slice()
    }

    /// Identity with its kind octet; of an address set aside it names the address.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        self.identity.as_slice()
    }

    /// Option 82 as stored; of an address set aside the identity of who declined it.
    #[must_use]
    pub fn agent_info(&self) -> &[u8] {
        self.agent_info.as_slice()
    }
}

impl Shard {
    /// What this shard knows of `addr`, if it is the one that the address's word names.
    #[must_use]
    pub fn view(&self, config: &Config, space: Space, addr: Ipv4Addr) -> Option<BindingView> {
        let cell = config.cell(space, addr)?;
        let slot = crate::binding::SlotIndex(cell.slot());
        if cell.load().owner() != self.me || self.addr(slot) != Some(addr) {
            return None;
        }
        if !self.is_own(cell, slot) {
            return None;
        }
        let binding = self.bindings.slot(slot)?;
        let mut until = binding.until();
        // The timer of a memory is that of its affinity; what ended is the lease.
        if cell.load().state() == AddressState::Remembered
            && let Some((network, _)) = config.place_of(space, addr).and_then(|p| config.subnet(p))
            && network.rules.affinity != INFINITE
        {
            until = until.saturating_sub(network.rules.affinity);
        }
        let aside = binding.state == BindingState::Abandoned;
        Some(BindingView {
            addr,
            state: binding.state,
            until: self.wall.at(until),
            started: self.wall.at(binding.started),
            lease: if aside { 0 } else { binding.lease },
            giaddr: Ipv4Addr::from_bits(binding.giaddr),
            origin: Origin {
                port: binding.port,
                outer_vid: binding.outer_vid,
                inner_vid: binding.inner_vid,
            },
            htype: binding.htype(),
            chaddr: Octets::of(self.bindings.chaddr(slot)),
            identity: Octets::of(self.bindings.identity(slot)),
            agent_info: Octets::of(self.bindings.agent_info(slot)),
        })
    }
}
