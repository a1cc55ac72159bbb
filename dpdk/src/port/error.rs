//! Why a port does not open.

use core::fmt;

use crate::Errno;

/// Why a port is not open. Each names the device as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// No PCI address and no name of a virtual device.
    #[error("{0:?} is neither a PCI address nor a virtual device")]
    BadDevice(String),
    /// It has a [`super::Port`] already.
    #[error("{0} is open already")]
    AlreadyOpen(String),
    /// It was to be closed while a queue of it is held; it closes with the last one.
    #[error("{0} is not closed yet: one of its queues is in use")]
    QueuesInUse(String),
    /// A PCI device, and the bus was left alone.
    #[error("{0} is a PCI device, and `EalConfig::pci` names none")]
    NoPci(String),
    /// DPDK finds no such device, or no driver for it.
    #[error(
        "{device}: no such device; a virtual one needs its driver's name in front (net_af_packet0), \
         a PCI one must be bound to vfio-pci: {log}"
    )]
    NoSuchDevice {
        /// Device asked for.
        device: String,
        /// What DPDK logged.
        log: String,
    },
    /// The process may not use it.
    #[error("{device}: not permitted: run as root or with CAP_NET_RAW and CAP_NET_ADMIN ({log})")]
    Permission {
        /// Device asked for.
        device: String,
        /// What DPDK logged.
        log: String,
    },
    /// The driver does not take it: an argument, or what it stands on is missing.
    #[error(
        "{device}: the driver refused it: look at its arguments, and that what they name is there \
         ({log}{})",
        number(*errno)
    )]
    Probe {
        /// Device asked for.
        device: String,
        /// What the driver returned.
        errno: Errno,
        /// What it logged.
        log: String,
    },
    /// It has fewer queues than workers.
    #[error("{device}: {rx} receive and {tx} transmit queues at most")]
    TooManyQueues {
        /// Device asked for.
        device: String,
        /// Receive queues it has.
        rx: u16,
        /// Transmit queues it has.
        tx: u16,
    },
    /// A packet of the MTU does not fit a buffer of the pool.
    #[error("{device}: an MTU of {mtu} needs buffers of {needed} octets, the pool's have {room}")]
    MtuTooLarge {
        /// Device asked for.
        device: String,
        /// MTU asked for, or the device's own.
        mtu: u16,
        /// Octets of a frame with it.
        needed: u32,
        /// Octets of a buffer.
        room: u16,
    },
    /// A step of setting it up failed.
    #[error("{device}: cannot {step}: {errno} ({log})")]
    Setup {
        /// Device asked for.
        device: String,
        /// Which step.
        step: Step,
        /// What the driver returned.
        errno: Errno,
        /// What it logged.
        log: String,
    },
}

/// A step of setting a port up, or of asking it something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Learning what the device can do.
    Inspect,
    /// Setting queues, offloads and MTU.
    Configure,
    /// Setting up a receive queue.
    RxQueue,
    /// Setting up a transmit queue.
    TxQueue,
    /// Starting it.
    Start,
    /// Receiving frames for any address.
    Promiscuous,
    /// Reading its address.
    Mac,
    /// Reading its MTU.
    Mtu,
    /// Reading the state of its link.
    Link,
    /// Reading its counters.
    Statistics,
    /// Stopping it.
    Stop,
    /// Taking it out.
    Remove,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inspect => "learn what the device can do",
            Self::Configure => "set queues, offloads and MTU",
            Self::RxQueue => "set up a receive queue",
            Self::TxQueue => "set up a transmit queue",
            Self::Start => "start it",
            Self::Promiscuous => "receive frames for any address",
            Self::Mac => "read its address",
            Self::Mtu => "read its MTU",
            Self::Link => "read the state of its link",
            Self::Statistics => "read its counters",
            Self::Stop => "stop it",
            Self::Remove => "take it out",
        })
    }
}

/// The number of a driver's error, unless it is the -1 that drivers return for any.
fn number(errno: Errno) -> String {
    if errno.number() == 1 {
        String::new()
    } else {
        format!("; {errno}")
    }
}
