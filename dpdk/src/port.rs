//! Ports: devices that are open, configured and started.
//!
//! ```text
//! plug ──► configure ──► queues ──► start ──► StartedPort ──► last handle dropped: stop, close,
//!   any failure: close, unplug, and one error that names the device            unplug
//! ```
//!
//! DPDK lets one thread at a time control a port, and one thread at a time use a queue, beside
//! each other. So a [`Port`] is not `Sync`, and queues are used by `&mut`.

mod config;
mod device;
mod error;
mod offloads;
mod setup;
mod stats;

use core::cell::Cell;
use core::marker::PhantomData;
use std::sync::{Arc, MutexGuard, PoisonError};

use dpdk_sys as sys;

use crate::{Eal, Mempool, RxQueue, TxQueue, log};
use device::Device;

pub use config::PortConfig;
pub(crate) use device::{is_driver_name, pci_address};
pub use error::{PortError, Step};
pub use offloads::Offloads;
pub use stats::{Link, Statistics, Xstat};

/// The control side of a started port: what it is and what it counts.
#[derive(Debug)]
pub struct Port {
    opened: Arc<Opened>,
    facts: setup::Facts,
    not_sync: PhantomData<Cell<()>>,
}

/// A port with all its queues, each given out this once.
#[derive(Debug)]
pub struct StartedPort {
    /// Its control side.
    pub port: Port,
    /// Its receive queues, in order.
    pub rx: Vec<RxQueue>,
    /// Its transmit queues, in order.
    pub tx: Vec<TxQueue>,
}

/// A device that is plugged in, and closed when the last handle on it goes.
#[derive(Debug)]
pub(crate) struct Opened {
    eal: &'static Eal,
    device: Device,
    id: u16,
    open: bool,
}

impl Port {
    /// Opens `device`, a PCI address (`0000:01:00.0`) or a virtual device with its arguments
    /// (`net_af_packet0,iface=veth0,framecnt=8192`), receiving into buffers of `pool`, and starts
    /// it.
    ///
    /// A memif port has a hazard that cannot be kept from here: when its peer dies, DPDK unmaps the
    /// rings on a thread of its own, under a queue that is polled. Stop polling, then end the peer.
    ///
    /// # Errors
    ///
    /// [`PortError`], which names the device; it is closed again.
    pub fn open(
        eal: &'static Eal,
        device: &str,
        pool: &'static Mempool,
        config: &PortConfig,
    ) -> Result<StartedPort, PortError> {
        let opened = Opened::plug(eal, Device::parse(device)?)?;
        let facts = setup::start(&opened, pool, config)?;
        let opened = Arc::new(opened);
        let (rx, tx) = facts.queues;
        let rx = (0..rx).map(|queue| RxQueue::new(Arc::clone(&opened), queue));
        let tx = (0..tx).map(|queue| TxQueue::new(Arc::clone(&opened), queue, facts.offloads));
        Ok(StartedPort {
            rx: rx.collect(),
            tx: tx.collect(),
            port: Self {
                opened,
                facts,
                not_sync: PhantomData,
            },
        })
    }

    /// Stops the device and takes it out. Give its queues back first, by dropping them.
    ///
    /// # Errors
    ///
    /// [`PortError::QueuesInUse`] while a queue is left: the device is then closed with the last
    /// one. [`PortError::Setup`] if the driver fails.
    pub fn close(self) -> Result<(), PortError> {
        let device = self.opened.device.asked();
        match Arc::try_unwrap(self.opened) {
            Ok(mut opened) => opened.shut(),
            Err(_) => Err(PortError::QueuesInUse(device)),
        }
    }

    /// The device, as it was asked for.
    #[must_use]
    pub fn device(&self) -> String {
        self.opened.device.asked()
    }

    /// Its hardware address.
    #[must_use]
    pub const fn mac(&self) -> [u8; 6] {
        self.facts.mac
    }

    /// Octets of the largest packet.
    #[must_use]
    pub const fn mtu(&self) -> u16 {
        self.facts.mtu
    }

    /// The offloads that were wanted and that the device has.
    #[must_use]
    pub const fn offloads(&self) -> Offloads {
        self.facts.offloads
    }

    /// Whether the device spreads flows over the receive queues.
    #[must_use]
    pub const fn has_rss(&self) -> bool {
        self.facts.rss
    }

    /// Whether it receives frames for any address.
    #[must_use]
    pub const fn is_promiscuous(&self) -> bool {
        self.facts.promiscuous
    }

    /// The name of the device's driver.
    #[must_use]
    pub fn driver(&self) -> &str {
        &self.facts.driver
    }

    fn id(&self) -> u16 {
        self.opened.id
    }

    fn fault(&self, step: Step, result: i32) -> PortError {
        self.opened.device.fault(step, result)
    }
}

impl Opened {
    fn plug(eal: &'static Eal, device: Device) -> Result<Self, PortError> {
        let mut ports = open_ports(eal);
        log::forget();
        let id = device.plug(eal)?;
        if ports.contains(&id) {
            return Err(PortError::AlreadyOpen(device.asked()));
        }
        ports.push(id);
        Ok(Self {
            eal,
            device,
            id,
            open: true,
        })
    }

    /// Its number in DPDK.
    pub(crate) const fn id(&self) -> u16 {
        self.id
    }

    fn shut(&mut self) -> Result<(), PortError> {
        self.open = false;
        let mut ports = open_ports(self.eal);
        log::forget();
        // SAFETY: the port is open, and no queue of it has a handle any more.
        let stopped = unsafe { sys::rte_eth_dev_stop(self.id) };
        if stopped < 0 {
            return Err(self.device.fault(Step::Stop, stopped));
        }
        // SAFETY: the port is open and stopped.
        let closed = unsafe { sys::rte_eth_dev_close(self.id) };
        if closed < 0 {
            return Err(self.device.fault(Step::Stop, closed));
        }
        // From here on the number may be another port's.
        ports.retain(|&port| port != self.id);
        self.device.unplug()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if self.open {
            // Who wants to know calls `Port::close`.
            drop(self.shut());
        }
    }
}

fn open_ports(eal: &'static Eal) -> MutexGuard<'static, Vec<u16>> {
    let ports = eal.open_ports.lock();
    ports.unwrap_or_else(PoisonError::into_inner)
}
