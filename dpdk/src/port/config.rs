//! What is wanted of a port.

use super::Offloads;

/// How a port is set up.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// Receive queues, one for each worker.
    pub rx_queues: u16,
    /// Transmit queues, one for each worker.
    pub tx_queues: u16,
    /// Takes a device with fewer queues than that as it is.
    pub fewer_queues: bool,
    /// Frames that a receive queue holds; moved into the device's limits.
    pub rx_descriptors: u16,
    /// Frames that a transmit queue holds; moved into the device's limits.
    pub tx_descriptors: u16,
    /// Octets of the largest packet; `None` leaves the device's own.
    pub mtu: Option<u16>,
    /// Receives frames for any address.
    pub promiscuous: bool,
    /// Spreads flows over the receive queues, by addresses and UDP ports.
    pub rss: bool,
    /// Offloads wanted; the port has those that its device has too.
    pub offloads: Offloads,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            fewer_queues: false,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: None,
            promiscuous: false,
            rss: true,
            offloads: Offloads::CHECKSUMS,
        }
    }
}
