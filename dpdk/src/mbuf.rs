//! Packet buffers.
//!
//! ```text
//! |<- headroom ->|<---- data: len() ---->|<- tailroom ->|
//! |              |<------------- capacity() ----------->|
//! buf_addr       data_off                               buf_len
//! ```
//!
//! A buffer that is an [`Mbuf`] has one segment, lies in its own memory, is referenced nowhere
//! else, and its lengths agree: the pool makes such, and receive lets no other through.

mod field;
mod offload;
mod shared;

use core::ptr::NonNull;
use core::slice;

use dpdk_sys as sys;

pub use offload::{Checksum, NoHeaders, StrippedTags};
pub use shared::SharedMbuf;

/// One packet buffer, owned. Dropping it returns it to its pool.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf(NonNull<sys::rte_mbuf>);

// SAFETY: an `Mbuf` is the only handle on its buffer, and a pool takes buffers back from any
// thread (`Mempool::create` asks for a ring of many producers).
unsafe impl Send for Mbuf {}
// SAFETY: `&Mbuf` only reads.
unsafe impl Sync for Mbuf {}

/// A buffer has not the room that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{asked} octets do not fit: there is room for {room}")]
pub struct NoRoom {
    /// Octets asked for.
    pub asked: usize,
    /// Octets there are.
    pub room: usize,
}

impl Mbuf {
    /// Takes a buffer over.
    ///
    /// # Safety
    ///
    /// `mbuf` must be allocated from a pool, be as the module says, and be nobody else's.
    pub(crate) const unsafe fn from_raw(mbuf: NonNull<sys::rte_mbuf>) -> Self {
        Self(mbuf)
    }

    /// The frame.
    #[must_use]
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: the buffer is ours, so nobody writes to it while `self` is borrowed.
        unsafe { data(self.0) }
    }

    /// The frame, to be changed in place.
    #[must_use]
    #[inline]
    pub fn data_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        self.room_mut().get_mut(..len).unwrap_or_default()
    }

    /// All octets from the frame's first to the buffer's last, [`Mbuf::capacity`] of them. Those
    /// beyond the frame are whatever an earlier packet left there; [`Mbuf::set_len`] takes them in.
    #[must_use]
    #[inline]
    pub fn room_mut(&mut self) -> &mut [u8] {
        let room = self.capacity();
        // SAFETY: the buffer is ours.
        let start = unsafe { start(self.0) };
        // SAFETY: the octets from `data_off` on, `buf_len - data_off` of them, are the buffer's;
        // it is borrowed mutably, and its memory was zeroed by the kernel before its first use.
        unsafe { slice::from_raw_parts_mut(start.as_ptr(), room) }
    }

    /// Octets of the frame.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: the buffer is ours.
        usize::from(unsafe { field::DATA_LEN.read(self.0) })
    }

    /// Whether the frame has no octet.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets that the frame can have without moving its start.
    #[must_use]
    #[inline]
    pub fn capacity(&self) -> usize {
        // SAFETY: the buffer is ours.
        let whole = unsafe { field::BUF_LEN.read(self.0) };
        usize::from(whole).saturating_sub(self.headroom())
    }

    /// Octets in front of the frame.
    #[must_use]
    #[inline]
    pub fn headroom(&self) -> usize {
        // SAFETY: the buffer is ours.
        usize::from(unsafe { field::DATA_OFF.read(self.0) })
    }

    /// Makes the frame `len` octets long: the first of [`Mbuf::room_mut`].
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is shorter; nothing changes.
    #[inline]
    pub fn set_len(&mut self, len: usize) -> Result<(), NoRoom> {
        let room = self.capacity();
        match u16::try_from(len) {
            Ok(short) if len <= room => {
                // SAFETY: the buffer is ours, and holds `len` octets from its `data_off` on.
                unsafe { field::DATA_LEN.write(self.0, short) };
                // SAFETY: as above; it has one segment, so both lengths are the same.
                unsafe { field::PKT_LEN.write(self.0, u32::from(short)) };
                Ok(())
            }
            _ => Err(NoRoom { asked: len, room }),
        }
    }

    /// Puts `count` octets in front of the frame, to be written by the caller.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if there is less headroom; nothing changes.
    #[inline]
    pub fn prepend(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        let (len, room) = (self.len(), self.headroom());
        let Some(offset) = room.checked_sub(count) else {
            return Err(NoRoom { asked: count, room });
        };
        self.set_headroom(offset)?;
        self.set_len(len + count)?;
        Ok(self.room_mut().get_mut(..count).unwrap_or_default())
    }

    /// Puts `count` octets behind the frame, to be written by the caller.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if there is less room behind it; nothing changes.
    #[inline]
    pub fn append(&mut self, count: usize) -> Result<&mut [u8], NoRoom> {
        let len = self.len();
        let room = self.capacity().saturating_sub(len);
        if count > room {
            return Err(NoRoom { asked: count, room });
        }
        self.set_len(len + count)?;
        Ok(self.data_mut().get_mut(len..).unwrap_or_default())
    }

    /// Takes `count` octets off the front of the frame.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the frame is shorter; nothing changes.
    #[inline]
    pub fn advance(&mut self, count: usize) -> Result<(), NoRoom> {
        let (len, offset) = (self.len(), self.headroom());
        let Some(left) = len.checked_sub(count) else {
            return Err(NoRoom {
                asked: count,
                room: len,
            });
        };
        self.set_headroom(offset + count)?;
        self.set_len(left)
    }

    /// Takes `count` octets off the end of the frame.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the frame is shorter; nothing changes.
    #[inline]
    pub fn trim(&mut self, count: usize) -> Result<(), NoRoom> {
        let len = self.len();
        let Some(left) = len.checked_sub(count) else {
            return Err(NoRoom {
                asked: count,
                room: len,
            });
        };
        self.set_len(left)
    }

    /// Moves the start of the frame; the caller sets the length that goes with it.
    fn set_headroom(&mut self, offset: usize) -> Result<(), NoRoom> {
        let room = self.headroom() + self.capacity();
        match u16::try_from(offset) {
            Ok(short) if offset <= room => {
                // Between the two writes the lengths may disagree, so the frame is empty.
                self.set_len(0)?;
                // SAFETY: the buffer is ours, `offset` is within it, and the frame is empty.
                unsafe { field::DATA_OFF.write(self.0, short) };
                Ok(())
            }
            _ => Err(NoRoom {
                asked: offset,
                room,
            }),
        }
    }
}

/// Returns all buffers of `burst` to their pools, in one call: dropping them is one each.
pub fn free_burst(burst: &mut Vec<Mbuf>) {
    let count = u32::try_from(burst.len()).unwrap_or(u32::MAX);
    let slots = burst.as_mut_ptr().cast();
    // SAFETY: an `Mbuf` is the pointer that DPDK expects, the first `count` elements are
    // initialised, and each is nobody else's.
    unsafe { sys::dpdk_mbuf_free_bulk(slots, count) };
    crate::forget_front(burst, count as usize);
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the buffer is still ours; who hands it to a device or a ring forgets it.
        unsafe { sys::dpdk_mbuf_free(self.0.as_ptr()) }
    }
}

/// The first octet of a frame.
///
/// # Safety
///
/// `mbuf` must be alive, and nobody may change its header.
#[inline]
unsafe fn start(mbuf: NonNull<sys::rte_mbuf>) -> NonNull<u8> {
    // SAFETY: by contract.
    let buffer = unsafe { field::BUF_ADDR.read(mbuf) };
    // SAFETY: by contract.
    let offset = unsafe { field::DATA_OFF.read(mbuf) };
    // SAFETY: `data_off` is at most `buf_len`, so the sum is within the buffer or at its end.
    unsafe { buffer.add(usize::from(offset)) }
}

/// The octets of a frame.
///
/// # Safety
///
/// `mbuf` must be alive, and for `'a` nobody may change its header or its octets.
#[inline]
unsafe fn data<'a>(mbuf: NonNull<sys::rte_mbuf>) -> &'a [u8] {
    // SAFETY: by contract.
    let start = unsafe { start(mbuf) };
    // SAFETY: by contract.
    let len = unsafe { field::DATA_LEN.read(mbuf) };
    // SAFETY: `data_off + data_len` is at most `buf_len`, so the octets are the buffer's; they are
    // memory that the kernel zeroed before its first use, and by contract nobody writes to them.
    unsafe { slice::from_raw_parts(start.as_ptr(), usize::from(len)) }
}

#[cfg(test)]
mod tests;
