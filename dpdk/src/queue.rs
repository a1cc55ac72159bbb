//! The queues of a started port: where frames come in and go out.

use std::sync::Arc;

use dpdk_sys as sys;

use crate::port::Opened;
use crate::{Mbuf, Offloads, SharedMbuf, forget_front};

/// Frames that one call moves at most.
pub const BURST: usize = 32;

/// Received buffers that were not handed over, by reason, since the queue was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxDropped {
    /// More than one segment: longer than a buffer.
    pub segmented: u64,
    /// Referenced elsewhere, or not in its own memory, so not to be written.
    pub shared: u64,
    /// Lengths that contradict each other.
    pub malformed: u64,
}

/// One receive queue of a started port. There is one handle per queue, and receiving takes it by
/// `&mut`, so two threads cannot receive from the same queue.
#[derive(Debug)]
pub struct RxQueue {
    port: Arc<Opened>,
    queue: u16,
    dropped: sys::dpdk_rx_dropped,
}

/// One transmit queue of a started port. There is one handle per queue, and sending takes it by
/// `&mut`, so two threads cannot send on the same queue.
#[derive(Debug)]
pub struct TxQueue {
    port: Arc<Opened>,
    queue: u16,
    prepares: bool,
    refused: u64,
}

impl RxQueue {
    pub(crate) fn new(port: Arc<Opened>, queue: u16) -> Self {
        let dropped = sys::dpdk_rx_dropped {
            segmented: 0,
            shared: 0,
            malformed: 0,
        };
        Self {
            port,
            queue,
            dropped,
        }
    }

    /// Receives into the spare capacity of `burst`, at most [`BURST`] frames, and returns how many.
    ///
    /// Leave room for a whole burst: some drivers receive nothing into less than four.
    #[inline]
    pub fn receive(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        let spare = burst.spare_capacity_mut();
        let room = u16::try_from(spare.len().min(BURST)).unwrap_or_default();
        let slots = spare.as_mut_ptr().cast();
        let (port, dropped) = (self.port.id(), &raw mut self.dropped);
        // SAFETY: the port is started while `self.port` lives and has this queue, whose only handle
        // is borrowed mutably. An `Mbuf` is the pointer that the call writes, and the spare
        // capacity has `room` of them.
        let received = unsafe { sys::dpdk_rx_burst(port, self.queue, slots, room, dropped) };
        // SAFETY: the call wrote `received` buffers behind the last element, each nobody else's, of
        // one segment, in its own memory and with lengths that agree.
        unsafe { burst.set_len(burst.len() + usize::from(received)) };
        usize::from(received)
    }

    /// Received buffers that were not handed over.
    #[must_use]
    pub const fn dropped(&self) -> RxDropped {
        RxDropped {
            segmented: self.dropped.segmented,
            shared: self.dropped.shared,
            malformed: self.dropped.malformed,
        }
    }

    /// Which queue of its port this is.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.queue
    }
}

impl TxQueue {
    pub(crate) fn new(port: Arc<Opened>, queue: u16, offloads: Offloads) -> Self {
        Self {
            port,
            queue,
            prepares: offloads.prepares(),
            refused: 0,
        }
    }

    /// Sends from the front of `burst`, and leaves there what the device did not take. Returns how
    /// many it took.
    #[inline]
    pub fn transmit(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        let mut offered = u16::try_from(burst.len()).unwrap_or(u16::MAX);
        if self.prepares {
            offered = self.prepare(burst, offered);
        }
        let slots = burst.as_mut_ptr().cast();
        // SAFETY: an `Mbuf` is the pointer that DPDK expects, the first `offered` elements are
        // initialised, and each is nobody else's.
        let taken = unsafe { self.send(slots, offered) };
        forget_front(burst, taken);
        taken
    }

    /// Sends shared buffers from the front of `burst`, and leaves there what the device did not
    /// take. Each counts as a holder until the device has sent it. No offload applies.
    pub fn transmit_shared(&mut self, burst: &mut Vec<SharedMbuf>) -> usize {
        let offered = u16::try_from(burst.len()).unwrap_or(u16::MAX);
        let slots = burst.as_mut_ptr().cast();
        // SAFETY: a `SharedMbuf` is the pointer that DPDK expects, the first `offered` elements
        // are initialised, and each is one holder, which the device then is. A driver writes to no
        // buffer that has more than one.
        let taken = unsafe { self.send(slots, offered) };
        burst.drain(..taken).for_each(core::mem::forget);
        taken
    }

    /// Frames that the device could not have sent, and that were dropped.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Which queue of its port this is.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.queue
    }

    /// Hands `offered` buffers to the device, and returns how many are now the device's.
    ///
    /// # Safety
    ///
    /// `slots` must hold `offered` buffers that the caller may give away.
    unsafe fn send(&mut self, slots: *mut *mut sys::rte_mbuf, offered: u16) -> usize {
        // SAFETY: the port is started while `self.port` lives and has this queue, whose only handle
        // is borrowed mutably; the buffers are by contract.
        usize::from(unsafe { sys::dpdk_tx_burst(self.port.id(), self.queue, slots, offered) })
    }

    /// Lets the driver finish the offloads' fields, and returns how many of the first frames can be
    /// sent. A frame that it refuses would block those behind it: it is dropped.
    fn prepare(&mut self, burst: &mut Vec<Mbuf>, offered: u16) -> u16 {
        let mut offered = offered;
        let mut ready = 0;
        while ready < offered {
            let rest = burst.as_mut_ptr().wrapping_add(usize::from(ready)).cast();
            let count = offered - ready;
            // SAFETY: as for sending; the call changes frames and takes none.
            ready += unsafe { sys::dpdk_tx_prepare(self.port.id(), self.queue, rest, count) };
            if ready < offered {
                drop(burst.remove(usize::from(ready)));
                self.refused = self.refused.wrapping_add(1);
                offered -= 1;
            }
        }
        offered
    }
}
