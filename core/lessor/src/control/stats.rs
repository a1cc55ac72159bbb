//! Counters as they are presented.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::figures::{self, LatencyStats, PortStats};
use crate::store::{Trouble, TroubleKind};

/// All counters of the server at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Version of the server.
    pub version: String,
    /// Seconds since it was ready.
    pub uptime: u64,
    /// Its workers.
    pub workers: u16,
    /// What is wrong with the store; null if nothing is.
    #[serde(default)]
    pub store_trouble: Option<StoreTrouble>,
    /// Counters by group (`received`, `sent`, `dropped`, `store`, …) and name.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
    /// The pools in file order.
    pub pools: Vec<PoolStats>,
    /// The ports in file order.
    #[serde(default)]
    pub ports: Vec<PortStats>,
    /// How long replies and commits take.
    #[serde(default)]
    pub latency: Vec<LatencyStats>,
}

/// What is wrong with the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreTrouble {
    /// `failed` or `slow`.
    pub state: String,
    /// Since when, in UTC.
    pub since: String,
    /// The newest reason.
    pub reason: String,
    /// The file or directory concerned, if one is known.
    pub file: Option<String>,
}

impl From<&Trouble> for StoreTrouble {
    fn from(trouble: &Trouble) -> Self {
        let state = match trouble.kind {
            TroubleKind::Failed => "failed",
            TroubleKind::Slow => "slow",
        };
        let file = trouble.file.as_ref();
        Self {
            state: state.to_owned(),
            since: trouble.began(),
            reason: trouble.reason.clone(),
            file: file.map(|file| file.display().to_string()),
        }
    }
}

impl fmt::Display for StoreTrouble {
    /// One line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            state,
            since,
            reason,
            file,
        } = self;
        write!(f, "store {state} since {since}: ")?;
        match file {
            Some(file) => write!(f, "{file}: {reason}"),
            None => write!(f, "{reason}"),
        }
    }
}

/// The addresses of a pool by their state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStats {
    /// Its network.
    pub network: String,
    /// First address.
    pub first: Ipv4Addr,
    /// Last address.
    pub last: Ipv4Addr,
    /// Never used, or forgotten.
    pub free: u64,
    /// Offered.
    pub held: u64,
    /// Leased.
    pub bound: u64,
    /// Free, and kept in mind for the last client.
    pub remembered: u64,
    /// Declined or found in use.
    pub set_aside: u64,
    /// Neither: excluded or reserved.
    pub excluded: u64,
}

impl Default for PoolStats {
    /// A pool of one address, of which nothing is known.
    fn default() -> Self {
        Self {
            network: String::new(),
            first: Ipv4Addr::UNSPECIFIED,
            last: Ipv4Addr::UNSPECIFIED,
            free: 0,
            held: 0,
            bound: 0,
            remembered: 0,
            set_aside: 0,
            excluded: 0,
        }
    }
}

impl PoolStats {
    /// How many are in each state, by its name.
    #[must_use]
    pub fn states(&self) -> [(&'static str, u64); 6] {
        [
            ("free", self.free),
            ("held", self.held),
            ("bound", self.bound),
            ("remembered", self.remembered),
            ("set_aside", self.set_aside),
            ("excluded", self.excluded),
        ]
    }
}

impl Stats {
    /// Adds `value` to a counter, which may be the sum over several workers.
    pub fn add(&mut self, group: &str, name: &str, value: u64) {
        let group = self.counters.entry(group.into()).or_default();
        let counter = group.entry(name.into()).or_default();
        *counter = counter.saturating_add(value);
    }

    /// The value of a counter, 0 if there is none of that name.
    #[must_use]
    pub fn counter(&self, group: &str, name: &str) -> u64 {
        self.counters
            .get(group)
            .and_then(|group| group.get(name))
            .copied()
            .unwrap_or(0)
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            uptime,
            workers,
            ..
        } = self;
        writeln!(f, "lessor {version}, up {uptime} s, workers: {workers}")?;
        if let Some(trouble) = &self.store_trouble {
            writeln!(f, "{trouble}")?;
        }
        for (group, counters) in &self.counters {
            writeln!(f, "\n{group}")?;
            for (name, value) in counters {
                writeln!(f, "  {name:<32} {value:>20}")?;
            }
        }
        figures::tables(f, &self.ports, &self.latency)?;
        if self.pools.is_empty() {
            return Ok(());
        }
        writeln!(
            f,
            "\n{:<16} {:<33} {:>9} {:>9} {:>9} {:>10} {:>9} {:>9}",
            "network", "pool", "free", "held", "bound", "remembered", "set aside", "excluded"
        )?;
        for pool in &self.pools {
            let range = format!("{}-{}", pool.first, pool.last);
            let PoolStats {
                network,
                free,
                held,
                bound,
                remembered,
                set_aside,
                excluded,
                ..
            } = pool;
            writeln!(
                f,
                "{network:<16} {range:<33} {free:>9} {held:>9} {bound:>9} {remembered:>10} \
                 {set_aside:>9} {excluded:>9}"
            )?;
        }
        Ok(())
    }
}
