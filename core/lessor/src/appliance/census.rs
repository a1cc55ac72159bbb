//! How many addresses of each pool are in which state: counted from their words, when somebody
//! asks. No worker counts anything for it.
//!
//! A count of ten million addresses takes some tens of milliseconds. It is shown again until nine
//! times as long has passed, so that counting never takes more than a tenth of a core, however
//! often somebody asks; a count of a small pool is as good as always new.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dhcp_proto::address::AddressState;
use dhcp_proto::config::{Config, Network, Pool, Subnet};

use crate::control::PoolStats;

/// A count is shown for so many times the time that it took.
const REST: u32 = 9;

/// The newest count.
#[derive(Debug, Default)]
pub(super) struct Census(Mutex<Option<Count>>);

#[derive(Debug)]
struct Count {
    done: Instant,
    took: Duration,
    /// Whose pools they are; a reload has others.
    config: usize,
    pools: Arc<Vec<PoolStats>>,
}

impl Census {
    /// The pools of `config` in file order, as they are or were a moment ago.
    pub(super) fn pools(&self, config: &Config) -> Arc<Vec<PoolStats>> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = std::ptr::from_ref(config).addr();
        if let Some(count) = &*newest
            && count.config == of
            && count.done.elapsed() < count.took * REST
        {
            return Arc::clone(&count.pools);
        }
        let began = Instant::now();
        let pools = Arc::new(count(config));
        let done = Instant::now();
        *newest = Some(Count {
            done,
            took: done.saturating_duration_since(began),
            config: of,
            pools: Arc::clone(&pools),
        });
        pools
    }
}

fn count(config: &Config) -> Vec<PoolStats> {
    let mut counted = Vec::new();
    for network in config.networks() {
        for subnet in &network.subnets {
            let pools = subnet.pools.iter();
            counted.extend(pools.map(|pool| count_pool(config, network, (subnet, pool))));
        }
    }
    counted
}

fn count_pool(config: &Config, network: &Network, (subnet, pool): (&Subnet, &Pool)) -> PoolStats {
    let mut counted = PoolStats {
        network: network.name.clone(),
        first: pool.first,
        last: pool.last,
        ..PoolStats::default()
    };
    let plain = subnet.excluded.is_empty() && !network.has_reservations();
    let is_kept = |addr| subnet.is_excluded(addr) || network.reserved(addr).is_some();
    let (first, last) = (pool.first.to_bits(), pool.last.to_bits());
    for high in first >> 8..=last >> 8 {
        let Some(block) = config
            .directory()
            .block(network.space, Ipv4Addr::from_bits(high << 8))
        else {
            continue;
        };
        for (addr, cell) in (high << 8..=high << 8 | 0xff).zip(block.cells()) {
            if addr < first || addr > last {
                continue;
            }
            if !plain && is_kept(Ipv4Addr::from_bits(addr)) {
                counted.excluded += 1;
                continue;
            }
            match cell.load().state() {
                AddressState::Free => counted.free += 1,
                AddressState::Held => counted.held += 1,
                AddressState::Bound => counted.bound += 1,
                AddressState::Remembered => counted.remembered += 1,
                AddressState::SetAside => counted.set_aside += 1,
            }
        }
    }
    counted
}
