//! How many addresses a network has, and how many clients found none: what its workers know of
//! each other's want.

use super::{Network, Subnet};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Clients that are remembered to have found no address.
const MOST: u32 = 1 << 16;

#[derive(Debug)]
pub(super) struct Demand {
    /// Addresses of all pools.
    size: u32,
    /// Clients that were refused. // all workers: read and write
    refused: AtomicU32,
}

impl Demand {
    pub(super) fn of(subnets: &[Subnet]) -> Self {
        let pools = subnets.iter().flat_map(|subnet| &subnet.pools);
        Self {
            size: pools.fold(0, |sum: u32, pool| sum.saturating_add(pool.len())),
            refused: AtomicU32::new(0),
        }
    }
}

impl Network {
    /// Addresses of all pools together, excluded and reserved ones counted.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.demand.size
    }

    /// Addresses that look free, in all pools.
    #[must_use]
    pub fn free(&self) -> u32 {
        let pools = self.subnets.iter().flat_map(|subnet| &subnet.pools);
        pools.fold(0, |sum: u32, pool| sum.saturating_add(pool.hints.free()))
    }

    /// A client found no address: every worker is to cut holds that are old enough (C35).
    pub(crate) fn want(&self) {
        if self.demand.refused.load(Relaxed) < MOST {
            self.demand.refused.fetch_add(1, Relaxed);
        }
    }

    /// How many clients found no address, for the caller to look after: nobody else is told of
    /// them until he gives some back.
    pub(crate) fn take_demand(&self) -> u32 {
        if self.demand.refused.load(Relaxed) == 0 {
            return 0;
        }
        self.demand.refused.swap(0, Relaxed)
    }

    /// Gives back those that could not be helped.
    pub(crate) fn return_demand(&self, clients: u32) {
        self.demand.refused.fetch_add(clients, Relaxed);
    }
}
