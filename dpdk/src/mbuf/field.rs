//! Fields of DPDK's buffer header, at the offsets that the C compiler gives: 24.03 moved some into
//! unnamed unions, whose path in Rust would differ by release. `shims.c` checks their types.

use core::marker::PhantomData;
use core::ptr::NonNull;

use dpdk_sys as sys;

/// One field: its type and where it is.
pub(super) struct Field<T> {
    offset: usize,
    holds: PhantomData<T>,
}

pub(super) const BUF_ADDR: Field<NonNull<u8>> = Field::at(sys::DPDK_MBUF_BUF_ADDR);
pub(super) const DATA_OFF: Field<u16> = Field::at(sys::DPDK_MBUF_DATA_OFF);
pub(super) const OL_FLAGS: Field<u64> = Field::at(sys::DPDK_MBUF_OL_FLAGS);
pub(super) const PKT_LEN: Field<u32> = Field::at(sys::DPDK_MBUF_PKT_LEN);
pub(super) const DATA_LEN: Field<u16> = Field::at(sys::DPDK_MBUF_DATA_LEN);
pub(super) const VLAN_TCI: Field<u16> = Field::at(sys::DPDK_MBUF_VLAN_TCI);
pub(super) const VLAN_TCI_OUTER: Field<u16> = Field::at(sys::DPDK_MBUF_VLAN_TCI_OUTER);
pub(super) const BUF_LEN: Field<u16> = Field::at(sys::DPDK_MBUF_BUF_LEN);
pub(super) const TX_OFFLOAD: Field<u64> = Field::at(sys::DPDK_MBUF_TX_OFFLOAD);

impl<T: Copy> Field<T> {
    const fn at(offset: usize) -> Self {
        assert!(offset.is_multiple_of(align_of::<T>()));
        assert!(offset + size_of::<T>() <= size_of::<sys::rte_mbuf>());
        let holds = PhantomData;
        Self { offset, holds }
    }

    /// The field's value.
    ///
    /// # Safety
    ///
    /// `mbuf` must be alive, and nobody may be writing the field.
    #[inline]
    pub(super) unsafe fn read(self, mbuf: NonNull<sys::rte_mbuf>) -> T {
        // SAFETY: the offset is within the header.
        let field = unsafe { mbuf.byte_add(self.offset) };
        // SAFETY: the header is alive by contract, and its field a `T` by `shims.c`.
        unsafe { field.cast::<T>().read() }
    }

    /// Gives the field a value.
    ///
    /// # Safety
    ///
    /// `mbuf` must be alive and the caller's alone, and the value must fit the rest of the header.
    #[inline]
    pub(super) unsafe fn write(self, mbuf: NonNull<sys::rte_mbuf>, value: T) {
        // SAFETY: the offset is within the header.
        let field = unsafe { mbuf.byte_add(self.offset) };
        // SAFETY: the header is alive and the caller's by contract, its field a `T` by `shims.c`.
        unsafe { field.cast::<T>().write(value) }
    }
}
