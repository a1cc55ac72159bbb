//! Threads that DPDK knows.
//!
//! DPDK keeps a cache of free buffers per lcore. A thread it does not know has none: it works, but
//! goes to the pool's shared ring for each buffer.

use core::marker::PhantomData;

use dpdk_sys as sys;

use crate::{Eal, Errno};

/// The calling thread as an lcore of DPDK, until this is dropped.
#[derive(Debug)]
pub struct Lcore {
    id: u32,
    // The registration is the thread's: dropped elsewhere it would end another thread's.
    not_send: PhantomData<*const ()>,
}

/// Why a thread is no lcore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LcoreError {
    /// The thread is one already, and its handle is still there.
    #[error("this thread is lcore {0} already")]
    AlreadyRegistered(u32),
    /// DPDK has no lcore left (`ENOMEM`), or other processes share its memory (`EINVAL`).
    #[error("DPDK does not take this thread as an lcore: {0}")]
    Refused(Errno),
}

impl Eal {
    /// Makes the calling thread an lcore, so that it gets its own cache of each pool.
    ///
    /// Pin it first ([`crate::affinity::restrict`]): DPDK notes where the thread runs.
    ///
    /// # Errors
    ///
    /// [`LcoreError`] if it is one, or DPDK has none left.
    pub fn register_thread(&'static self) -> Result<Lcore, LcoreError> {
        if let Some(id) = current() {
            return Err(LcoreError::AlreadyRegistered(id));
        }
        // SAFETY: the EAL is started, which `self` proves; the call takes nothing.
        if unsafe { sys::rte_thread_register() } < 0 {
            return Err(LcoreError::Refused(Errno::last()));
        }
        Ok(Lcore {
            id: current().unwrap_or_default(),
            not_send: PhantomData,
        })
    }
}

impl Lcore {
    /// DPDK's number of this lcore, which is not the CPU's.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }
}

impl Drop for Lcore {
    fn drop(&mut self) {
        // SAFETY: this thread was registered when `self` was made, and `self` cannot leave it.
        unsafe { sys::rte_thread_unregister() };
    }
}

/// The lcore that the calling thread is.
fn current() -> Option<u32> {
    // SAFETY: the call reads a variable of this thread.
    let id = unsafe { sys::dpdk_lcore_id() };
    (id != u32::MAX).then_some(id)
}
