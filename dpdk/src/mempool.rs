//! Pools of packet buffers.

use core::ptr::NonNull;
use std::ffi::CString;

use dpdk_sys as sys;

use crate::{Eal, Errno, Mbuf, log};

/// A pool of packet buffers of one size. It lives as long as the process, so that a buffer never
/// outlives its pool.
#[derive(Debug)]
pub struct Mempool {
    pool: NonNull<sys::rte_mempool>,
    config: MempoolConfig,
}

// SAFETY: `create` asks for a pool with a ring of many producers and many consumers, which DPDK
// lets any thread take from and give back to; the caches in front of it belong to one lcore each,
// and one thread is one lcore.
unsafe impl Send for Mempool {}
// SAFETY: as above; no method changes the pool but by DPDK's calls.
unsafe impl Sync for Mempool {}

/// What a pool holds.
#[derive(Clone, Debug)]
pub struct MempoolConfig {
    /// Its name, of at most 25 octets, which no other pool has.
    pub name: String,
    /// Buffers. One less than a power of two wastes least.
    pub mbufs: u32,
    /// Buffers that an lcore may keep for itself, at most 512 and two thirds of all; 0 for none.
    pub cache: u32,
    /// Octets of a frame that a buffer holds, the headroom in front of it not counted.
    pub data_room: u16,
}

/// Why there is no pool.
#[derive(Debug, thiserror::Error)]
pub enum MempoolError {
    /// The name has a NUL in it, or the buffers are larger than 64 KiB.
    #[error("a mempool cannot be called {0:?} and hold buffers of {1} octets")]
    BadArgument(String, u16),
    /// DPDK made none: `ENOMEM` (more memory or a smaller pool), `EEXIST` (the name), `EINVAL`.
    #[error("mempool {name:?} of {mebibytes} MiB: {errno} ({log})")]
    Create {
        /// Name asked for.
        name: String,
        /// What it would have taken.
        mebibytes: u64,
        /// What DPDK left in `rte_errno`.
        errno: Errno,
        /// What it logged.
        log: String,
    },
}

/// A pool has not enough free buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mempool has no buffer left")]
pub struct Exhausted;

impl MempoolConfig {
    /// Memory, in octets, that such a pool takes: buffers with their headers, and the ring.
    #[must_use]
    pub fn octets(&self) -> u64 {
        let header = size_of::<sys::rte_mbuf>();
        let element = header + usize::from(sys::DPDK_HEADROOM) + usize::from(self.data_room);
        let element = u32::try_from(element).unwrap_or(u32::MAX);
        // SAFETY: the call computes; it allows for no place to put the parts of its sum.
        let object = unsafe { sys::rte_mempool_calc_obj_size(element, 0, core::ptr::null_mut()) };
        let mbufs = u64::from(self.mbufs);
        let slots = mbufs.saturating_add(1).next_power_of_two();
        mbufs * u64::from(object) + slots * size_of::<*mut sys::rte_mbuf>() as u64
    }
}

impl Mempool {
    /// Makes a pool, on the memory nearest to the calling thread.
    ///
    /// # Errors
    ///
    /// [`MempoolError`] if the arguments are none, or DPDK has no memory for it.
    pub fn create(
        _eal: &'static Eal,
        config: MempoolConfig,
    ) -> Result<&'static Self, MempoolError> {
        let bad = || MempoolError::BadArgument(config.name.clone(), config.data_room);
        let name = CString::new(config.name.as_str()).map_err(|_| bad())?;
        let room = config.data_room.checked_add(sys::DPDK_HEADROOM);
        let room = room.ok_or_else(bad)?;
        log::forget();
        // SAFETY: the EAL is started; `name` ends in NUL and is copied. Without the flags for a
        // single producer or consumer, which this function cannot pass, any thread may use it.
        let pool = unsafe {
            sys::rte_pktmbuf_pool_create(name.as_ptr(), config.mbufs, config.cache, 0, room, -1)
        };
        let Some(pool) = NonNull::new(pool) else {
            return Err(MempoolError::Create {
                mebibytes: config.octets().div_ceil(1 << 20),
                errno: Errno::last(),
                log: log::told(),
                name: config.name,
            });
        };
        Ok(Box::leak(Box::new(Self { pool, config })))
    }

    /// Takes one buffer: empty, with all its headroom.
    #[must_use]
    pub fn alloc(&self) -> Option<Mbuf> {
        let mut mbuf = core::ptr::null_mut();
        // SAFETY: the pool is alive, and there is room for the one pointer asked for.
        let result = unsafe { sys::dpdk_mbuf_alloc(self.pool.as_ptr(), &raw mut mbuf, 1) };
        if result != 0 {
            return None;
        }
        // SAFETY: the call succeeded, so `mbuf` is a fresh buffer that nobody else has.
        NonNull::new(mbuf).map(|mbuf| unsafe { Mbuf::from_raw(mbuf) })
    }

    /// Fills the spare capacity of `burst` with empty buffers, but for no more than `count`: all
    /// of them or none.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if the pool has fewer, and `burst` is as it was.
    pub fn alloc_burst(&self, burst: &mut Vec<Mbuf>, count: usize) -> Result<(), Exhausted> {
        let spare = burst.spare_capacity_mut();
        let wanted = u32::try_from(spare.len().min(count)).unwrap_or(u32::MAX);
        if wanted == 0 {
            return Ok(());
        }
        let slots = spare.as_mut_ptr().cast();
        // SAFETY: the pool is alive, an `Mbuf` is the pointer that DPDK writes, and the spare
        // capacity has at least `wanted` of them.
        let result = unsafe { sys::dpdk_mbuf_alloc(self.pool.as_ptr(), slots, wanted) };
        if result != 0 {
            return Err(Exhausted);
        }
        // SAFETY: the call wrote `wanted` fresh buffers behind the last element.
        unsafe { burst.set_len(burst.len() + wanted as usize) };
        Ok(())
    }

    /// Buffers that are free, those in the lcores' caches counted. Exact while no thread uses the
    /// pool; slow.
    #[must_use]
    pub fn available(&self) -> u32 {
        // SAFETY: the pool is alive; the call reads counters.
        unsafe { sys::rte_mempool_avail_count(self.pool.as_ptr()) }
    }

    /// What it was made of.
    #[must_use]
    pub const fn config(&self) -> &MempoolConfig {
        &self.config
    }

    pub(crate) const fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.pool.as_ptr()
    }
}
