//! The devices as the control side sees them: what they count, and what is left of their memory.

use std::sync::{Arc, Mutex, PoisonError};

use dpdk::{Mempool, Port};

use crate::config::Settings;
use crate::control::PortStats;
use crate::dataplane::capture::Captures;
use crate::dataplane::neighbors::Neighbors;

/// The open ports with their names, until they are taken out to be closed.
#[derive(Debug, Clone)]
pub(super) struct Ports(Arc<Mutex<Vec<(String, Port)>>>);

impl Ports {
    fn new(names: impl IntoIterator<Item = String>, ports: Vec<Port>) -> Self {
        Self(Arc::new(Mutex::new(names.into_iter().zip(ports).collect())))
    }

    /// Takes the ports out: nobody else sees them from here on.
    pub(super) fn take(&self) -> Vec<Port> {
        let mut ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.drain(..).map(|(_, port)| port).collect()
    }

    fn stats(&self) -> Vec<PortStats> {
        let ports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ports.iter().map(|(name, port)| stats(name, port)).collect()
    }
}

/// What is asked for figures and frames beside the workers.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) ports: Ports,
    /// The names of the ports, by their numbers.
    pub(super) names: Vec<String>,
    pub(super) captures: Arc<Captures>,
    pub(super) pool: &'static Mempool,
    pub(super) neighbors: Arc<Neighbors>,
}

impl Machine {
    pub(super) fn new(
        settings: &Settings,
        ports: Vec<Port>,
        pool: &'static Mempool,
        neighbors: Arc<Neighbors>,
    ) -> Self {
        let names = settings.ports.iter().map(|port| port.name.clone());
        let names: Vec<_> = names.collect();
        Self {
            ports: Ports::new(names.clone(), ports),
            captures: Captures::new(names.len()),
            names,
            pool,
            neighbors,
        }
    }

    pub(super) fn ports(&self) -> Vec<PortStats> {
        self.ports.stats()
    }
}

/// A device that cannot say what it counts says zero.
fn stats(name: &str, port: &Port) -> PortStats {
    let mut stats = PortStats {
        name: name.to_owned(),
        up: port.link().is_ok_and(|link| link.up),
        ..PortStats::default()
    };
    if let Ok(counted) = port.statistics() {
        stats.rx_packets = counted.rx_packets;
        stats.rx_octets = counted.rx_octets;
        stats.rx_missed = counted.rx_missed;
        stats.rx_errors = counted.rx_errors;
        stats.rx_no_mbuf = counted.rx_no_mbuf;
        stats.tx_packets = counted.tx_packets;
        stats.tx_octets = counted.tx_octets;
        stats.tx_errors = counted.tx_errors;
    }
    stats
}
