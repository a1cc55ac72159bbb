//! What a port tells of itself.

use core::mem::MaybeUninit;

use dpdk_sys as sys;

use super::{Port, PortError, Step};

/// State of a port's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether it carries frames.
    pub up: bool,
    /// Its speed; `None` if the device does not know.
    pub mbps: Option<u32>,
    /// Whether both sides may send at once.
    pub full_duplex: bool,
}

/// The counters that every port has, since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Frames received.
    pub rx_packets: u64,
    /// Octets received.
    pub rx_octets: u64,
    /// Frames that the device dropped because no worker took them in time.
    pub rx_missed: u64,
    /// Frames received with an error.
    pub rx_errors: u64,
    /// Frames lost because the pool had no buffer.
    pub rx_no_mbuf: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Octets sent.
    pub tx_octets: u64,
    /// Frames that could not be sent.
    pub tx_errors: u64,
}

/// A counter that the driver names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xstat {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u64,
}

impl Port {
    /// State of the link, without waiting for a change.
    ///
    /// # Errors
    ///
    /// [`PortError::Setup`] if the driver fails.
    pub fn link(&self) -> Result<Link, PortError> {
        let mut link = sys::dpdk_link {
            mbps: 0,
            up: false,
            full_duplex: false,
        };
        // SAFETY: the port is open, and there is a place for the answer.
        let result = unsafe { sys::dpdk_link_state(self.id(), &raw mut link) };
        self.check(Step::Link, result)?;
        Ok(Link {
            up: link.up,
            mbps: (link.mbps != 0 && link.mbps != u32::MAX).then_some(link.mbps),
            full_duplex: link.full_duplex,
        })
    }

    /// The counters that every port has.
    ///
    /// # Errors
    ///
    /// [`PortError::Setup`] if the driver fails.
    pub fn statistics(&self) -> Result<Statistics, PortError> {
        let mut counters = MaybeUninit::<sys::rte_eth_stats>::zeroed();
        // SAFETY: the port is open, and there is a place for the answer.
        let result = unsafe { sys::rte_eth_stats_get(self.id(), counters.as_mut_ptr()) };
        self.check(Step::Statistics, result)?;
        // SAFETY: numbers only, all zero before the call.
        let counters = unsafe { counters.assume_init() };
        Ok(Statistics {
            rx_packets: counters.ipackets,
            rx_octets: counters.ibytes,
            rx_missed: counters.imissed,
            rx_errors: counters.ierrors,
            rx_no_mbuf: counters.rx_nombuf,
            tx_packets: counters.opackets,
            tx_octets: counters.obytes,
            tx_errors: counters.oerrors,
        })
    }

    /// The driver's own counters, by name.
    ///
    /// # Errors
    ///
    /// [`PortError::Setup`] if the driver fails.
    pub fn xstats(&self) -> Result<Vec<Xstat>, PortError> {
        let none = core::ptr::null_mut();
        // SAFETY: the port is open; without a place for names the call returns how many there are.
        let count = unsafe { sys::rte_eth_xstats_get_names(self.id(), none, 0) };
        let room = self.check(Step::Statistics, count)?;
        let mut names = vec![sys::rte_eth_xstat_name { name: [0; 64] }; room as usize];
        // SAFETY: the port is open, and `names` has room for `room` of them.
        let count = unsafe { sys::rte_eth_xstats_get_names(self.id(), names.as_mut_ptr(), room) };
        self.check(Step::Statistics, count)?;
        let mut values = vec![sys::rte_eth_xstat { id: 0, value: 0 }; room as usize];
        // SAFETY: the port is open, and `values` has room for `room` of them.
        let count = unsafe { sys::rte_eth_xstats_get(self.id(), values.as_mut_ptr(), room) };
        let count = self.check(Step::Statistics, count)?;
        // A driver whose counters grew in between says how many there are and writes none.
        let known = if count > room { 0 } else { count as usize };
        let xstat = |value: &sys::rte_eth_xstat| {
            let index = usize::try_from(value.id).ok()?;
            let name = names.get(index)?.name.map(|octet| octet.to_ne_bytes()[0]);
            let name = name.split(|&octet| octet == 0).next()?;
            Some(Xstat {
                name: String::from_utf8_lossy(name).into_owned(),
                value: value.value,
            })
        };
        Ok(values.iter().take(known).filter_map(xstat).collect())
    }

    /// The number that a call returned, unless it is an error.
    pub(super) fn check(&self, step: Step, result: i32) -> Result<u32, PortError> {
        u32::try_from(result).map_err(|_| self.fault(step, result))
    }
}
