//! DPDK and its ports, as the configuration wants them.

use std::sync::atomic::{AtomicBool, Ordering};

use dpdk::{
    Eal, EalConfig, EalError, LogLevel, Mempool, MempoolConfig, Offloads, Port, PortConfig,
};
use dpdk::{PortError, StartedPort};
use tracing::{info, warn};

use super::StartError;
use crate::config::{self, Settings};
use crate::dataplane::handover;
use crate::dataplane::port_dpdk::DpdkPort;
use crate::dataplane::ports::{BURST, CARRIED, Ports};
use crate::event::Event;
use crate::exit::Exit;

/// Buffers that each lcore keeps for itself.
const CACHE: u32 = 256;
/// Packets that may wait for a next hop, and in bursts, beside the parked ones.
const IN_HAND: u32 = 1024;
/// Octets of the largest frame that a buffer holds.
const DATA_ROOM: u16 = 2048;
/// What a buffer takes beside its data room: headroom and DPDK's own header.
const MBUF_OVERHEAD: u64 = 128 + 128 + 64;
/// What DPDK takes for itself: rings, port tables, logs.
const EAL_OVERHEAD: u64 = 48 << 20;

/// The ports that are up.
#[derive(Debug)]
pub(super) struct Devices {
    /// The environment.
    pub(super) eal: &'static Eal,
    /// One for each port of the configuration.
    pub(super) ports: Vec<Port>,
    /// Where their buffers come from.
    pub(super) pool: &'static Mempool,
    /// For each worker its queues.
    pub(super) queues: Vec<Ports<DpdkPort>>,
}

/// Whether DPDK's errors stay out of the log: while it starts and opens ports, what matters of them
/// is in the text of the one error that ends the start.
static ARE_TOLD_BY_US: AtomicBool = AtomicBool::new(false);

/// Starts DPDK and opens every port.
pub(super) fn open(settings: &Settings) -> Result<Devices, StartError> {
    let only_errors = settings.eal.log_level <= LogLevel::Error;
    ARE_TOLD_BY_US.store(only_errors, Ordering::Relaxed);
    let devices = open_all(settings);
    ARE_TOLD_BY_US.store(false, Ordering::Relaxed);
    devices
}

fn open_all(settings: &Settings) -> Result<Devices, StartError> {
    let mbufs = mbufs(settings);
    let eal = start(settings, mbufs)?;
    let pool = MempoolConfig {
        name: "lessor".to_owned(),
        mbufs,
        cache: CACHE.min(mbufs / 2),
        data_room: DATA_ROOM,
    };
    let pool = Mempool::create(eal, pool).map_err(|error| {
        let what = "no packet buffers: raise eal.memory or lower server.mbufs, max_parked and \
                    max_probes";
        StartError::new(Exit::OsError, what).because(error)
    })?;
    let workers = settings.server.workers.max(1);
    let mut queues: Vec<Vec<DpdkPort>> = (0..workers).map(|_| Vec::new()).collect();
    let mut ports = Vec::new();
    let mut transmit = Vec::new();
    for wanted in &settings.ports {
        let started = Port::open(
            eal,
            wanted.device.as_str(),
            pool,
            &port_config(wanted, workers),
        );
        let started = started.map_err(|error| {
            let what = format!(
                "port {:?} ({}) cannot be used",
                wanted.name,
                wanted.device.as_str()
            );
            StartError::new(exit_of_port(&error), what).because(error)
        })?;
        report(wanted, &started.port);
        report_queues(wanted, &started, workers);
        transmit.push(started.tx.len());
        let StartedPort { port, rx, tx } = started;
        // A worker that is left without a queue has its packets from others, or sends by others.
        let mut rx = rx.into_iter();
        let mut tx = tx.into_iter();
        for worker in &mut queues {
            let pair = (rx.next(), tx.next());
            worker.push(DpdkPort::new(&port, pair, pool, wanted.rx_checksum));
        }
        ports.push(port);
    }
    let mut queues: Vec<_> = queues.into_iter().map(Ports::new).collect();
    for (number, transmit) in (0..=u8::MAX).zip(transmit) {
        Ports::share(&mut queues, number, transmit);
    }
    Ok(Devices {
        eal,
        ports,
        pool,
        queues,
    })
}

fn port_config(port: &config::Port, workers: u16) -> PortConfig {
    PortConfig {
        rx_queues: workers,
        tx_queues: workers,
        fewer_queues: true,
        rx_descriptors: port.rx_descriptors,
        tx_descriptors: port.tx_descriptors,
        mtu: Some(port.mtu),
        promiscuous: port.promiscuous,
        rss: workers > 1,
        offloads: Offloads::CHECKSUMS,
    }
}

fn report(wanted: &config::Port, port: &Port) {
    let up = port.link().is_ok_and(|link| link.up);
    let mac = port.mac().map(|octet| format!("{octet:02x}")).join(":");
    let (name, device) = (wanted.name.as_str(), wanted.device.as_str());
    if up {
        info!(event = %Event::PortUp, port = name, device, %mac, "port is up");
    } else {
        warn!(event = %Event::PortDown, port = name, device, %mac, "port has no carrier");
    }
}

/// Says so if workers are left without a queue.
fn report_queues(wanted: &config::Port, started: &StartedPort, workers: u16) {
    let (rx, tx) = (started.rx.len(), started.tx.len());
    if rx.min(tx) < usize::from(workers) {
        warn!(
            event = %Event::PortQueues,
            port = wanted.name,
            device = wanted.device.as_str(),
            receive = rx,
            transmit = tx,
            workers,
            "the device has fewer queues than there are workers: the first workers receive and \
             send for the others"
        );
    }
}

/// Packet buffers: as configured, or descriptors + caches + bursts + what may be parked or wait for
/// a probe + rings between workers, so that receiving never starves.
fn mbufs(settings: &Settings) -> u32 {
    if let Some(mbufs) = settings.server.mbufs {
        return mbufs;
    }
    let workers = u32::from(settings.server.workers.max(1));
    let burst = u32::try_from(BURST).unwrap_or(0);
    let of_port = |port: &config::Port| {
        u32::from(port.rx_descriptors) + u32::from(port.tx_descriptors) + 2 * burst
    };
    let ports: u32 = settings.ports.iter().map(of_port).sum();
    let worker = ports
        .saturating_add(CACHE * 3 / 2)
        .saturating_add(IN_HAND)
        .saturating_add(settings.server.max_parked)
        .saturating_add(settings.server.max_probes);
    let others = workers.saturating_sub(1);
    let pairs = workers.saturating_mul(others);
    let handed = u32::try_from(handover::places(workers as usize)).unwrap_or(u32::MAX);
    let lanes = u32::try_from(settings.ports.len().saturating_mul(CARRIED)).unwrap_or(u32::MAX);
    workers
        .saturating_mul(worker)
        .saturating_add(pairs.saturating_mul(handed))
        .saturating_add(others.saturating_mul(lanes))
}

fn start(settings: &Settings, mbufs: u32) -> Result<&'static Eal, StartError> {
    let eal = &settings.eal;
    let mbuf = u64::from(DATA_ROOM) + MBUF_OVERHEAD;
    // A buffer does not cross pages, and an ordinary one has room for one buffer.
    let mbuf = if eal.no_huge { mbuf.max(4096) } else { mbuf };
    let octets = u64::from(mbufs) * mbuf + EAL_OVERHEAD;
    // Taken at the start, so that a lack of huge pages is found before anything else is.
    let memory = eal.memory.unwrap_or(octets).div_ceil(1 << 20);
    let pci = settings.ports.iter().filter_map(|port| match &port.device {
        config::Device::Pci(address) => Some(address.clone()),
        config::Device::Virtual(_) => None,
    });
    let housekeeping = eal.housekeeping_cores.iter().flatten().copied();
    let config = EalConfig {
        file_prefix: eal.file_prefix.clone(),
        in_memory: eal.in_memory,
        no_huge: eal.no_huge,
        memory_mib: Some(u32::try_from(memory).unwrap_or(u32::MAX)),
        single_file_segments: eal.single_file_segments,
        housekeeping: housekeeping.map(usize::from).collect(),
        pci: pci.collect(),
        log_level: eal.log_level,
        log: Some(log),
        ..EalConfig::default()
    };
    Eal::start(&config).map_err(|error| {
        let exit = exit(&error);
        let what = format!(
            "DPDK does not start ({mbufs} packet buffers want {} MiB)",
            octets.div_ceil(1 << 20)
        );
        StartError::new(exit, what).because(error)
    })
}

fn exit(error: &EalError) -> Exit {
    match error {
        EalError::Permission { .. } => Exit::NoPermission,
        EalError::BadArgument { .. } => Exit::Config,
        EalError::NoHugePages { .. } => Exit::OsError,
        EalError::AlreadyStarted | EalError::Thread(_) | EalError::Init { .. } => Exit::Unavailable,
    }
}

fn exit_of_port(error: &PortError) -> Exit {
    match error {
        PortError::Permission { .. } => Exit::NoPermission,
        PortError::BadDevice(_)
        | PortError::AlreadyOpen(_)
        | PortError::QueuesInUse(_)
        | PortError::NoPci(_)
        | PortError::NoSuchDevice { .. }
        | PortError::Probe { .. }
        | PortError::TooManyQueues { .. }
        | PortError::MtuTooLarge { .. }
        | PortError::Setup { .. } => Exit::Unavailable,
    }
}

fn log(level: LogLevel, line: &str) {
    if level == LogLevel::Error && ARE_TOLD_BY_US.load(Ordering::Relaxed) {
        tracing::debug!(target: "dpdk", event = %Event::DpdkLog, "{line}");
    } else if level <= LogLevel::Error {
        tracing::error!(target: "dpdk", event = %Event::DpdkLog, "{line}");
    } else if level <= LogLevel::Warning {
        tracing::warn!(target: "dpdk", event = %Event::DpdkLog, "{line}");
    } else {
        tracing::info!(target: "dpdk", event = %Event::DpdkLog, "{line}");
    }
}
