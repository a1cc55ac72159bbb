//! A buffer with several holders, who only read it.

use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use dpdk_sys as sys;

use super::Mbuf;

/// One of the holders of a packet buffer. The last one to be dropped returns it to its pool.
///
/// While there are others nobody can write to it, so a clone costs a counter and copies nothing.
#[derive(Debug)]
#[repr(transparent)]
pub struct SharedMbuf(NonNull<sys::rte_mbuf>);

// SAFETY: holders only read the buffer, DPDK counts them atomically (`RTE_MBUF_REFCNT_ATOMIC`, its
// default), and a pool takes buffers back from any thread.
unsafe impl Send for SharedMbuf {}
// SAFETY: as above; a clone through `&SharedMbuf` is a step of that counter.
unsafe impl Sync for SharedMbuf {}

impl Mbuf {
    /// Gives up writing for being able to clone. What was asked of the device is forgotten: it may
    /// write to no shared buffer.
    #[must_use]
    pub fn share(mut self) -> SharedMbuf {
        self.clear_requests();
        SharedMbuf(ManuallyDrop::new(self).0)
    }
}

impl SharedMbuf {
    /// The frame.
    #[must_use]
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: `self` keeps the buffer alive, and while there is a holder nobody writes to it.
        unsafe { super::data(self.0) }
    }

    /// Another holder of the same buffer; `None` when it has as many as DPDK can count.
    #[must_use]
    pub fn try_clone(&self) -> Option<Self> {
        // Other threads may be here too, and each may add one beyond what it saw: the distance to
        // the end of the counter is larger than any number of threads.
        if self.holders() >= u16::MAX / 2 {
            return None;
        }
        // SAFETY: `self` keeps the buffer alive; the count is far from its end.
        unsafe { sys::dpdk_mbuf_share(self.0.as_ptr()) };
        Some(Self(self.0))
    }

    /// Holders there are; only a count of 1 is not out of date when it is read.
    #[must_use]
    pub fn holders(&self) -> u16 {
        // SAFETY: `self` keeps the buffer alive.
        unsafe { sys::dpdk_mbuf_references(self.0.as_ptr()) }
    }

    /// The buffer, to be written again.
    ///
    /// # Errors
    ///
    /// `self` if it has another holder.
    pub fn try_own(self) -> Result<Mbuf, Self> {
        if self.holders() != 1 {
            return Err(self);
        }
        // SAFETY: `self` was an `Mbuf`, is the only holder, and only a holder makes another.
        Ok(unsafe { Mbuf::from_raw(ManuallyDrop::new(self).0) })
    }
}

impl Drop for SharedMbuf {
    fn drop(&mut self) {
        // SAFETY: `self` is one of the holders counted; the call frees the buffer after the last.
        unsafe { sys::dpdk_mbuf_free(self.0.as_ptr()) }
    }
}
