//! Rings that hand buffers from thread to thread.

use core::ptr::NonNull;
use std::ffi::CString;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::queue::BURST;
use crate::{Eal, Errno, Mbuf, forget_front};

/// Why there is no ring.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The name has a NUL in it.
    #[error("a ring cannot be called {0:?}")]
    BadName(String),
    /// The size is no power of two, or less than two.
    #[error("a ring cannot have {0} places")]
    BadSize(u32),
    /// DPDK made none: `EINVAL` (more than 2^30 places), `EEXIST` (the name), `ENAMETOOLONG`, `ENOMEM`.
    #[error("ring {name:?} of {size}: {errno}")]
    Create {
        /// Name asked for.
        name: String,
        /// Places asked for.
        size: u32,
        /// What DPDK left in `rte_errno`.
        errno: Errno,
    },
}

/// The end of a ring that puts in. There is one.
#[derive(Debug)]
pub struct Producer(Arc<Raw>);

/// The end of a ring that takes out. There is one.
#[derive(Debug)]
pub struct Consumer(Arc<Raw>);

/// A ring that any thread puts into and takes out of.
///
/// A thread that is preempted in the middle of either holds up the others: for threads that have
/// their CPU to themselves.
#[derive(Clone, Debug)]
pub struct SharedRing(Arc<Raw>);

#[derive(Debug)]
struct Raw(NonNull<sys::rte_ring>);

// SAFETY: the buffers inside are `Mbuf`s, which are `Send`. One end each has `&mut self` where the
// ring was made for a single producer and a single consumer, and DPDK lets these two be different
// threads; the other kind of ring takes any thread.
unsafe impl Send for Raw {}
// SAFETY: as above.
unsafe impl Sync for Raw {}

/// Makes a ring for one producer and one consumer. It holds `size` - 1 buffers; `size` is a power
/// of two. No other ring has this name, of at most 28 octets.
///
/// # Errors
///
/// [`RingError`] if the arguments are none, or DPDK has no memory for it.
pub fn spsc(_eal: &'static Eal, name: &str, size: u32) -> Result<(Producer, Consumer), RingError> {
    let raw = Arc::new(Raw::create(name, size, sys::DPDK_RING_SPSC)?);
    Ok((Producer(Arc::clone(&raw)), Consumer(raw)))
}

impl SharedRing {
    /// Makes a ring for any number of producers and consumers, otherwise like [`spsc`].
    ///
    /// # Errors
    ///
    /// [`RingError`] if the arguments are none, or DPDK has no memory for it.
    pub fn create(_eal: &'static Eal, name: &str, size: u32) -> Result<Self, RingError> {
        Ok(Self(Arc::new(Raw::create(name, size, 0)?)))
    }

    /// Puts in from the front of `burst`, and leaves there what did not fit. Returns how many went
    /// in.
    pub fn enqueue(&self, burst: &mut Vec<Mbuf>) -> usize {
        // SAFETY: the ring was made for any number of producers.
        unsafe { self.0.enqueue(burst) }
    }

    /// Takes out into the spare capacity of `burst`, at most [`BURST`]. Returns how many came.
    pub fn dequeue(&self, burst: &mut Vec<Mbuf>) -> usize {
        // SAFETY: the ring was made for any number of consumers.
        unsafe { self.0.dequeue(burst) }
    }

    /// Buffers inside, at some moment of the call.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no buffer is inside, at some moment of the call.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Producer {
    /// Puts in from the front of `burst`, and leaves there what did not fit. Returns how many went
    /// in.
    #[inline]
    pub fn enqueue(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        // SAFETY: this is the only producer, and it is borrowed mutably.
        unsafe { self.0.enqueue(burst) }
    }

    /// Buffers inside: no more than that when the call returns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no buffer is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Consumer {
    /// Takes out into the spare capacity of `burst`, at most [`BURST`]. Returns how many came.
    #[inline]
    pub fn dequeue(&mut self, burst: &mut Vec<Mbuf>) -> usize {
        // SAFETY: this is the only consumer, and it is borrowed mutably.
        unsafe { self.0.dequeue(burst) }
    }

    /// Buffers inside: no less than that when the call returns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no buffer is inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Raw {
    fn create(name: &str, size: u32, flags: u32) -> Result<Self, RingError> {
        let bad = |_| RingError::BadName(name.to_owned());
        // DPDK takes zero for a power of two, and makes a ring whose end it never finds.
        if size < 2 || !size.is_power_of_two() {
            return Err(RingError::BadSize(size));
        }
        let ended = CString::new(name).map_err(bad)?;
        // SAFETY: the EAL is started; the name ends in NUL and is copied; -1 asks for any memory.
        let ring = unsafe { sys::rte_ring_create(ended.as_ptr(), size, -1, flags) };
        NonNull::new(ring)
            .map(Self)
            .ok_or_else(|| RingError::Create {
                name: name.to_owned(),
                size,
                errno: Errno::last(),
            })
    }

    /// # Safety
    ///
    /// In a ring for a single producer, no other thread may be in this call.
    unsafe fn enqueue(&self, burst: &mut Vec<Mbuf>) -> usize {
        let offered = u32::try_from(burst.len()).unwrap_or(u32::MAX);
        let slots = burst.as_mut_ptr().cast();
        // SAFETY: the ring is alive, an `Mbuf` is the pointer it holds, and the first `offered`
        // elements are initialised. Producers are by contract.
        let taken = unsafe { sys::dpdk_ring_enqueue(self.0.as_ptr(), slots, offered) };
        forget_front(burst, taken as usize);
        taken as usize
    }

    /// # Safety
    ///
    /// In a ring for a single consumer, no other thread may be in this call.
    unsafe fn dequeue(&self, burst: &mut Vec<Mbuf>) -> usize {
        let spare = burst.spare_capacity_mut();
        let room = u32::try_from(spare.len().min(BURST)).unwrap_or_default();
        let slots = spare.as_mut_ptr().cast();
        // SAFETY: the ring is alive, an `Mbuf` is the pointer it holds, and the spare capacity has
        // `room` of them. Consumers are by contract.
        let taken = unsafe { sys::dpdk_ring_dequeue(self.0.as_ptr(), slots, room) };
        // SAFETY: the call wrote `taken` buffers behind the last element, which the ring had
        // from `enqueue` and has no more.
        unsafe { burst.set_len(burst.len() + taken as usize) };
        taken as usize
    }

    fn len(&self) -> usize {
        // SAFETY: the ring is alive; the call reads counters.
        (unsafe { sys::dpdk_ring_count(self.0.as_ptr()) }) as usize
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let mut left = Vec::with_capacity(BURST);
        // SAFETY: no other handle is left.
        while unsafe { self.dequeue(&mut left) } > 0 {
            left.clear();
        }
        // SAFETY: nobody else has a handle on the ring, and it is empty.
        unsafe { sys::rte_ring_free(self.0.as_ptr()) };
    }
}
