//! The device that the generator drives, and DPDK under it.

use std::thread;
use std::time::{Duration, Instant};

use dpdk::{
    Eal, EalConfig, EalError, Mempool, MempoolConfig, MempoolError, Offloads, Port, PortConfig,
    PortError, RxQueue, TxQueue, affinity,
};

/// Octets of the largest frame that a buffer holds.
const DATA_ROOM: u16 = 2048;

/// Descriptors of a queue, where they are not the device's own to say.
const DESCRIPTORS: u16 = 4096;

/// What is asked of DPDK.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The device, as DPDK names it, with its arguments.
    pub device: String,
    /// Further arguments of DPDK's own.
    pub eal: Vec<String>,
    /// Ordinary pages.
    pub no_huge: bool,
    /// Memory in MiB.
    pub memory: Option<u32>,
    /// Packet buffers.
    pub mbufs: u32,
    /// The CPU that polls.
    pub cpu: usize,
    /// How long the link may take to come up.
    pub wait: Duration,
}

/// A device whose link is up.
#[derive(Debug)]
pub struct Device {
    /// DPDK.
    pub eal: &'static Eal,
    /// The control side.
    pub port: Port,
    /// Where frames come in and go out.
    pub queues: (RxQueue, TxQueue),
    /// Where buffers come from.
    pub pool: &'static Mempool,
}

/// Why there is no device.
#[derive(Debug)]
pub enum DeviceError {
    /// DPDK does not start.
    Eal(EalError),
    /// No buffers.
    Mempool(MempoolError),
    /// The device does not open.
    Port(PortError),
    /// Nobody is at the other end.
    NoLink(Duration),
}

impl core::fmt::Display for DeviceError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Eal(error) => write!(f, "{error}"),
            Self::Mempool(error) => write!(f, "{error}: raise -m or lower --mbufs"),
            Self::Port(error) => write!(f, "{error}"),
            Self::NoLink(wait) => write!(f, "the link has not come up within {} s", wait.as_secs()),
        }
    }
}

impl core::error::Error for DeviceError {}

/// Starts DPDK, opens the device and waits for its link.
///
/// # Errors
///
/// [`DeviceError`].
pub fn open(wanted: &Wanted) -> Result<Device, DeviceError> {
    let eal = Eal::start(&config(wanted)).map_err(DeviceError::Eal)?;
    let pool = MempoolConfig {
        name: "load".to_owned(),
        mbufs: wanted.mbufs,
        cache: 256.min(wanted.mbufs / 2),
        data_room: DATA_ROOM,
    };
    let pool = Mempool::create(eal, pool).map_err(DeviceError::Mempool)?;
    let config = PortConfig {
        rx_descriptors: DESCRIPTORS,
        tx_descriptors: DESCRIPTORS,
        // Replies go to the clients' addresses, which are none of the device's.
        promiscuous: true,
        offloads: Offloads::RX_IP_CHECKSUM | Offloads::RX_UDP_CHECKSUM,
        ..PortConfig::default()
    };
    let mut started = Port::open(eal, &wanted.device, pool, &config).map_err(DeviceError::Port)?;
    let (Some(rx), Some(tx)) = (started.rx.pop(), started.tx.pop()) else {
        return Err(DeviceError::Port(PortError::TooManyQueues {
            device: wanted.device.clone(),
            rx: 0,
            tx: 0,
        }));
    };
    wait_for_link(&started.port, wanted.wait)?;
    Ok(Device {
        eal,
        port: started.port,
        queues: (rx, tx),
        pool,
    })
}

fn config(wanted: &Wanted) -> EalConfig {
    let (name, _) = wanted
        .device
        .split_once(',')
        .unwrap_or((&wanted.device, ""));
    let cpus = affinity::current().unwrap_or_default();
    EalConfig {
        // It shares nothing, so several may have the name.
        file_prefix: "lessor-load".to_owned(),
        no_huge: wanted.no_huge,
        // A client of memif shows its peer the pages of its buffers, each by its file.
        single_file_segments: wanted.device.contains("zero-copy=yes"),
        memory_mib: wanted.memory,
        housekeeping: cpus.into_iter().filter(|&cpu| cpu != wanted.cpu).collect(),
        // What is not a driver's name is an address of the PCI bus.
        pci: name
            .contains(':')
            .then(|| name.to_owned())
            .into_iter()
            .collect(),
        extra: wanted.eal.clone(),
        ..EalConfig::default()
    }
}

fn wait_for_link(port: &Port, wait: Duration) -> Result<(), DeviceError> {
    let end = Instant::now() + wait;
    while !port.link().map_err(DeviceError::Port)?.up {
        if Instant::now() >= end {
            return Err(DeviceError::NoLink(wait));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Buffers that fill both rings of most devices: 39 MiB.
pub const MBUFS: u32 = 16_383;

/// Frames that `port` lost before anybody could look at them.
#[must_use]
pub fn lost(port: &Port) -> u64 {
    let counted = port.statistics();
    counted.map_or(0, |counted| counted.rx_missed + counted.rx_no_mbuf)
}
