//! How many addresses of each pool are in which state: counted from their words, when somebody
//! asks. No worker counts anything for it.
//!
//! A count of ten million addresses takes 86 ms. It is shown again until nine times as long has
//! passed, so that counting never takes more than a tenth of a core, however often somebody asks; a
//! count of a small pool is as good as always new.

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
    /// Where the networks are whose pools they are; a reload has others, a reservation has not.
    config: usize,
    pools: Arc<Vec<PoolStats>>,
}

impl Census {
    /// The pools of `config` in file order, as they are or were a moment ago.
    pub(super) fn pools(&self, config: &Config) -> Arc<Vec<PoolStats>> {
        let mut newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = config.networks().as_ptr().addr();
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
    let plain = !subnet.has_exclusions() && config.reserved_kinds(network).is_empty();
    let is_kept = |addr| subnet.is_excluded(addr) || config.reserved(network, addr).is_some();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::appliance::bindings;
    use crate::store::FileMedium;
    use dhcp_proto::address::{Claim, Space, Worker};

    /// A pool over two blocks, with an excluded address and a reserved one in it.
    fn config() -> Config {
        let text = r#"
            [[ports]]
            device = "net_null0"
            addresses = ["10.0.0.1/23"]
            [[networks]]
            name = "home"
            [[networks.subnets]]
            prefix = "10.0.0.0/23"
            pools = ["10.0.0.250-10.0.1.9"]
            exclude = ["10.0.1.2"]
            [[networks.reservations]]
            hw_address = "02:00:00:00:00:01"
            address = "10.0.1.3"
        "#;
        let (settings, _) = crate::config::parse(text).unwrap();
        bindings::configure::<FileMedium>(settings.spec, None)
    }

    fn claim(config: &Config, addr: [u8; 4], to: Claim) {
        let cell = config.cell(Space(0), addr.into()).unwrap();
        cell.claim(cell.load(), to, Worker(0), 1).unwrap();
    }

    #[test]
    fn each_address_of_a_pool_is_counted_once_in_its_state() {
        let config = config();
        claim(&config, [10, 0, 0, 250], Claim::Bound);
        claim(&config, [10, 0, 1, 9], Claim::Bound);
        claim(&config, [10, 0, 0, 255], Claim::Held);
        let aside = config.cell(Space(0), [10, 0, 1, 9].into()).unwrap();
        aside.advance(aside.load(), AddressState::SetAside).unwrap();
        // Neither is in the pool.
        claim(&config, [10, 0, 0, 249], Claim::Bound);
        claim(&config, [10, 0, 1, 10], Claim::Bound);
        let pools = Census::default().pools(&config);
        let [pool] = &pools[..] else {
            panic!("one pool: {pools:?}")
        };
        let counts = pool.states().map(|(_, count)| count);
        assert_eq!(counts, [11, 1, 1, 0, 1, 2], "{pool:?}");
    }

    #[test]
    fn a_count_is_shown_again_for_a_while_but_not_of_another_configuration() {
        let census = Census::default();
        let config = config();
        let first = census.pools(&config);
        census.0.lock().unwrap().as_mut().unwrap().took = Duration::from_hours(1);
        assert!(Arc::ptr_eq(&first, &census.pools(&config)));
        let other = self::config();
        assert!(!Arc::ptr_eq(&first, &census.pools(&other)));
    }
}
