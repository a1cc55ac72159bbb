//! Safe Rust over DPDK: what a poll-mode server needs of it, and no more.
//!
//! ```text
//! Eal::start ──► Mempool::create ──► Port::open ──► StartedPort { port, rx, tx }
//!      │                                                     │       │    │
//!      └──► register_thread ──► Lcore             statistics ┘       │    └─► TxQueue::transmit
//!                                                  RxQueue::receive ─┘
//! ```
//!
//! [`Eal`] and [`Mempool`] live as long as the process; nothing above carries a lifetime for them.
//! An [`Mbuf`] is one packet buffer, owned: dropped it returns to its pool, transmitted it is the
//! device's. A queue has one handle, used by `&mut`. A device is closed when its [`Port`] and all
//! its queues are gone.

#![allow(
    unsafe_code,
    reason = "DPDK is C; what this crate is for is to need none elsewhere"
)]

pub mod affinity;
mod eal;
mod errno;
mod lcore;
mod log;
mod mbuf;
mod mempool;
mod port;
mod queue;
mod ring;
#[cfg(test)]
mod unit;

pub use eal::{Eal, EalConfig, EalError};
pub use errno::Errno;
pub use lcore::{Lcore, LcoreError};
pub use log::LogLevel;
pub use mbuf::{Checksum, Mbuf, NoHeaders, NoRoom, SharedMbuf, StrippedTags, free_burst};
pub use mempool::{Exhausted, Mempool, MempoolConfig, MempoolError};
pub use port::{Link, Offloads, Port, PortConfig, PortError, StartedPort, Statistics, Step, Xstat};
pub use queue::{BURST, RxDropped, RxQueue, TxQueue};
pub use ring::{Consumer, Producer, RingError, SharedRing, spsc};

/// The release of DPDK in use, as it names itself: `DPDK 22.11.11`.
#[must_use]
pub fn version() -> &'static str {
    // SAFETY: the call takes nothing, and returns a string that it made once for the process.
    let text = unsafe { dpdk_sys::rte_version() };
    // SAFETY: that string ends in NUL and is never written again.
    let text = unsafe { core::ffi::CStr::from_ptr(text) };
    text.to_str().unwrap_or("DPDK")
}

/// Forgets the first `count` buffers of `burst`, which are now another's, and moves the rest down.
fn forget_front(burst: &mut Vec<Mbuf>, count: usize) {
    burst.drain(..count).for_each(core::mem::forget);
}
