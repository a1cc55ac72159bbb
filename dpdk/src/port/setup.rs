//! From a plugged device to a started port.

use core::ffi::CStr;
use core::mem::MaybeUninit;

use dpdk_sys as sys;

use super::{Offloads, Opened, PortConfig, PortError, Step};
use crate::Mempool;

/// Octets of a frame beside its packet: Ethernet header, two VLAN tags, frame check sequence.
const OVERHEAD: u32 = 14 + 8 + 4;

/// The driver's answer to what it does not implement.
const ENOTSUP: i32 = -95;

/// What the device made of the configuration.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) mac: [u8; 6],
    pub(super) mtu: u16,
    pub(super) offloads: Offloads,
    pub(super) rss: bool,
    pub(super) promiscuous: bool,
    pub(super) driver: String,
    /// Receive and transmit queues.
    pub(super) queues: (u16, u16),
}

/// Sets the port up as `config` wants it, and starts it.
pub(super) fn start(
    port: &Opened,
    pool: &'static Mempool,
    config: &PortConfig,
) -> Result<Facts, PortError> {
    let info = port.inspect()?;
    let mut config = config.clone();
    if config.fewer_queues {
        config.rx_queues = config.rx_queues.min(info.max_rx_queues);
        config.tx_queues = config.tx_queues.min(info.max_tx_queues);
    }
    let config = &config;
    if config.rx_queues > info.max_rx_queues || config.tx_queues > info.max_tx_queues {
        return Err(PortError::TooManyQueues {
            device: port.device.asked(),
            rx: info.max_rx_queues,
            tx: info.max_tx_queues,
        });
    }
    let able = Offloads::of_device(info.rx_offload_capa, info.tx_offload_capa);
    let offloads = config.offloads.intersection(able);
    let hashed = info.flow_type_rss_offloads & (sys::DPDK_RSS_IP | sys::DPDK_RSS_UDP);
    let rss = config.rss && config.rx_queues > 1 && hashed != 0;
    port.configure(config, offloads, if rss { hashed } else { 0 })?;
    let mtu = port.mtu(config.mtu)?;
    let needed = u32::from(mtu) + OVERHEAD;
    let room = pool.config().data_room;
    if needed > u32::from(room) {
        return Err(PortError::MtuTooLarge {
            device: port.device.asked(),
            mtu,
            needed,
            room,
        });
    }
    port.queues(pool, config)?;
    // SAFETY: the port is open and configured, with all its queues set up.
    port.check(Step::Start, unsafe { sys::rte_eth_dev_start(port.id) })?;
    Ok(Facts {
        mac: port.mac()?,
        mtu,
        offloads,
        rss,
        promiscuous: port.promiscuous(config.promiscuous)?,
        driver: driver_name(&info),
        queues: (config.rx_queues, config.tx_queues),
    })
}

/// The steps, each on a port that is open.
impl Opened {
    fn check(&self, step: Step, result: i32) -> Result<(), PortError> {
        if result < 0 {
            return Err(self.device.fault(step, result));
        }
        Ok(())
    }

    fn inspect(&self) -> Result<sys::rte_eth_dev_info, PortError> {
        let mut info = MaybeUninit::zeroed();
        // SAFETY: the port is open, and there is a place for the answer.
        let result = unsafe { sys::rte_eth_dev_info_get(self.id, info.as_mut_ptr()) };
        self.check(Step::Inspect, result)?;
        // SAFETY: numbers and raw pointers only, all zero before the call.
        Ok(unsafe { info.assume_init() })
    }

    fn configure(
        &self,
        config: &PortConfig,
        offloads: Offloads,
        hashed: u64,
    ) -> Result<(), PortError> {
        let wanted = MaybeUninit::<sys::rte_eth_conf>::zeroed();
        // SAFETY: numbers and raw pointers only, which all may be zero.
        let mut wanted = unsafe { wanted.assume_init() };
        (wanted.rxmode.offloads, wanted.txmode.offloads) = offloads.bits();
        wanted.rxmode.mtu = config.mtu.map_or(0, u32::from);
        if hashed != 0 {
            wanted.rxmode.mq_mode = sys::DPDK_MQ_RSS;
            wanted.rx_adv_conf.rss_conf.rss_hf = hashed;
        }
        let (rx, tx) = (config.rx_queues, config.tx_queues);
        // SAFETY: the port is open, and the configuration outlives the call, which copies it.
        let result = unsafe { sys::rte_eth_dev_configure(self.id, rx, tx, &raw const wanted) };
        self.check(Step::Configure, result)
    }

    /// Sets the MTU, if one is wanted, and returns the one the port has.
    fn mtu(&self, wanted: Option<u16>) -> Result<u16, PortError> {
        if let Some(mtu) = wanted {
            // SAFETY: the port is open.
            let result = unsafe { sys::rte_eth_dev_set_mtu(self.id, mtu) };
            // A driver that has nothing to set took it with the configuration.
            if result != ENOTSUP {
                self.check(Step::Mtu, result)?;
            }
        }
        let mut mtu = 0;
        // SAFETY: the port is open, and there is a place for the answer.
        let result = unsafe { sys::rte_eth_dev_get_mtu(self.id, &raw mut mtu) };
        self.check(Step::Mtu, result)?;
        Ok(mtu)
    }

    fn queues(&self, pool: &'static Mempool, config: &PortConfig) -> Result<(), PortError> {
        let (mut rx, mut tx) = (config.rx_descriptors, config.tx_descriptors);
        // SAFETY: the port is open, and both numbers are places to read from and write to.
        let result =
            unsafe { sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.id, &raw mut rx, &raw mut tx) };
        self.check(Step::Configure, result)?;
        // SAFETY: the port is open.
        let socket = unsafe { sys::rte_eth_dev_socket_id(self.id) }.cast_unsigned();
        let (defaults, buffers) = (core::ptr::null(), pool.as_ptr());
        for queue in 0..config.rx_queues {
            // SAFETY: the port is configured with this queue; the pool lives for ever.
            let result = unsafe {
                sys::rte_eth_rx_queue_setup(self.id, queue, rx, socket, defaults, buffers)
            };
            self.check(Step::RxQueue, result)?;
        }
        let defaults = core::ptr::null();
        for queue in 0..config.tx_queues {
            // SAFETY: the port is configured with this queue.
            let result =
                unsafe { sys::rte_eth_tx_queue_setup(self.id, queue, tx, socket, defaults) };
            self.check(Step::TxQueue, result)?;
        }
        Ok(())
    }

    /// Asks for frames to any address, and returns whether the port receives them.
    fn promiscuous(&self, wanted: bool) -> Result<bool, PortError> {
        if wanted {
            // SAFETY: the port is open.
            let result = unsafe { sys::rte_eth_promiscuous_enable(self.id) };
            // A device that filters nothing has nothing to enable.
            if result != ENOTSUP {
                self.check(Step::Promiscuous, result)?;
            }
        }
        // SAFETY: the port is open.
        Ok(unsafe { sys::rte_eth_promiscuous_get(self.id) } == 1)
    }

    fn mac(&self) -> Result<[u8; 6], PortError> {
        let mut mac = sys::rte_ether_addr { addr_bytes: [0; 6] };
        // SAFETY: the port is open, and there is a place for the answer.
        let result = unsafe { sys::rte_eth_macaddr_get(self.id, &raw mut mac) };
        self.check(Step::Mac, result)?;
        Ok(mac.addr_bytes)
    }
}

fn driver_name(info: &sys::rte_eth_dev_info) -> String {
    if info.driver_name.is_null() {
        return String::new();
    }
    // SAFETY: the driver's name is a constant of the driver, which ends in NUL.
    let name = unsafe { CStr::from_ptr(info.driver_name) };
    name.to_string_lossy().into_owned()
}
