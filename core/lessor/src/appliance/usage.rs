//! How full networks are: says so when a threshold is passed, and when it is well below again.

use std::collections::BTreeMap;

use tracing::{info, warn};

use crate::config::Alarms;
use crate::control::PoolStats;
use crate::event::Event;

/// What was said of each network last.
#[derive(Debug)]
pub(super) struct Usage {
    alarms: Alarms,
    /// Thresholds passed, by network; those that have passed none are not in here.
    levels: BTreeMap<String, usize>,
}

/// The addresses of a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Use {
    used: u64,
    all: u64,
}

impl Use {
    fn add(&mut self, pool: &PoolStats) {
        let used = pool.held + pool.bound + pool.set_aside;
        self.used += used;
        self.all += used + pool.free + pool.remembered;
    }

    /// Whether at least so many of a thousand are used.
    fn is_at(self, per_mille: u16) -> bool {
        u128::from(self.used) * 1000 >= u128::from(self.all) * u128::from(per_mille)
    }

    fn percent(self) -> u64 {
        self.used
            .saturating_mul(100)
            .checked_div(self.all)
            .unwrap_or(0)
    }
}

impl Usage {
    pub(super) fn new(alarms: &Alarms) -> Self {
        Self {
            alarms: alarms.clone(),
            levels: BTreeMap::new(),
        }
    }

    /// Says what has changed. A client takes an address from any pool of its network, so those
    /// count together.
    pub(super) fn look(&mut self, pools: &[PoolStats]) {
        for (network, had, has, now) in self.changes(pools) {
            let (percent, used, all) = (now.percent(), now.used, now.all);
            let network = network.as_str();
            let passed = self.alarms.pool_use.get(has.max(had).saturating_sub(1));
            let threshold = passed.map_or(0, |per_mille| per_mille / 10);
            if has > had {
                warn!(
                    event = %Event::PoolFilling,
                    network, percent, used, all, threshold,
                    "a network runs out of addresses"
                );
            } else {
                info!(
                    event = %Event::PoolRelieved,
                    network, percent, used, all, threshold,
                    "a network has addresses again"
                );
            }
        }
    }

    /// The networks that have passed another number of thresholds than before: how many before,
    /// and how many now.
    fn changes(&mut self, pools: &[PoolStats]) -> Vec<(String, usize, usize, Use)> {
        let mut networks: BTreeMap<&str, Use> = BTreeMap::new();
        for pool in pools {
            networks.entry(&pool.network).or_default().add(pool);
        }
        // A reload may have taken one away.
        self.levels
            .retain(|name, _| networks.contains_key(name.as_str()));
        let mut changes = Vec::new();
        for (name, now) in networks {
            let had = self.levels.get(name).copied().unwrap_or(0);
            let has = self.alarms.level(now, had);
            if has == had {
                continue;
            }
            if has == 0 {
                self.levels.remove(name);
            } else {
                self.levels.insert(name.to_owned(), has);
            }
            changes.push((name.to_owned(), had, has, now));
        }
        changes
    }
}

impl Alarms {
    /// How many thresholds count as passed, where `had` did before.
    fn level(&self, now: Use, had: usize) -> usize {
        if now.all == 0 {
            return 0;
        }
        let passed = |by: u16| {
            let thresholds = self.pool_use.iter();
            thresholds
                .filter(|at| now.is_at(at.saturating_sub(by).max(1)))
                .count()
        };
        // It falls only when it is below the threshold by as much as that.
        passed(0).max(had.min(passed(self.hysteresis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool(network: &str, bound: u64, free: u64) -> PoolStats {
        PoolStats {
            network: network.into(),
            bound,
            free,
            ..PoolStats::default()
        }
    }

    fn changes(usage: &mut Usage, bound: u64) -> Vec<(usize, usize)> {
        let pools = [pool("home", bound, 100 - bound)];
        let changes = usage.changes(&pools).into_iter();
        changes.map(|(_, had, has, _)| (had, has)).collect()
    }

    #[test]
    fn each_threshold_is_said_once_and_taken_back_well_below_it() {
        let mut usage = Usage::new(&Alarms::default());
        assert_eq!(changes(&mut usage, 79), []);
        assert_eq!(changes(&mut usage, 80), [(0, 1)]);
        assert_eq!(changes(&mut usage, 85), []);
        assert_eq!(changes(&mut usage, 90), [(1, 2)]);
        assert_eq!(changes(&mut usage, 86), [], "within the hysteresis");
        assert_eq!(changes(&mut usage, 84), [(2, 1)]);
        assert_eq!(changes(&mut usage, 76), []);
        assert_eq!(changes(&mut usage, 10), [(1, 0)]);
        assert_eq!(changes(&mut usage, 100), [(0, 2)], "both at once");
    }

    #[test]
    fn the_pools_of_a_network_count_together_and_what_is_remembered_is_free() {
        let mut usage = Usage::new(&Alarms::default());
        let full = pool("home", 100, 0);
        assert!(
            usage
                .changes(&[full.clone(), pool("home", 0, 100)])
                .is_empty()
        );
        assert_eq!(usage.changes(std::slice::from_ref(&full)).len(), 1);
        let remembered = PoolStats {
            remembered: 100,
            ..pool("home", 0, 0)
        };
        assert_eq!(usage.changes(&[full, remembered]).len(), 1, "relieved");
    }

    #[test]
    fn a_network_without_addresses_or_that_is_gone_is_not_told_of() {
        let mut usage = Usage::new(&Alarms::default());
        assert!(usage.changes(&[pool("empty", 0, 0)]).is_empty());
        assert_eq!(usage.changes(&[pool("home", 9, 1)]).len(), 1);
        assert!(usage.changes(&[]).is_empty());
        assert!(usage.levels.is_empty());
    }

    proptest! {
        #[test]
        fn use_that_varies_by_less_than_the_hysteresis_does_not_flap(
            base in 0..960_u64,
            steps in proptest::collection::vec(0..40_u64, 1..50),
        ) {
            let mut usage = Usage::new(&Alarms::default());
            let mut said = Vec::new();
            for step in steps {
                let bound = base + step;
                said.push(usage.changes(&[pool("home", bound, 1000 - bound)]).len());
            }
            // The first look may find thresholds passed; from then on there is one within reach.
            prop_assert!(said.iter().skip(1).sum::<usize>() <= 1, "{said:?}");
        }
    }
}
