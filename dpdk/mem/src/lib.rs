//! Large tables on huge pages, and prefetch of what is in them.
//!
//! A table of a million bindings on pages of 4 KiB misses the TLB at every look-up. Here a slice
//! is mapped once on pages of 2 MiB and leaked: it lives as long as the process, so its users
//! carry no lifetime. Without reserved huge pages the slice comes on ordinary ones, and the caller
//! is told, so that the operator can be. Nothing of DPDK is needed.

#![allow(
    unsafe_code,
    reason = "a mapping is made of raw memory; the interface is safe"
)]

mod prefetch;

use core::ffi::c_void;
use core::ptr::NonNull;
use core::slice;

use rustix::io::Errno;
use rustix::mm::{self, Advice, MapFlags, ProtFlags};

pub use prefetch::{prefetch, prefetch_all, prefetch_octets, prefetch_read};

/// Size of a huge page.
pub const HUGE_PAGE: usize = 2 << 20;

/// The smallest page of any machine Linux runs on, and so what every mapping is aligned to.
const SMALLEST_PAGE: usize = 4096;

/// What pages a slice stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// Huge pages of 2 MiB, reserved for this mapping.
    Huge,
    /// Ordinary pages, which the kernel may join later; also of a slice without memory.
    Ordinary,
}

/// A slice that lives as long as the process, and the pages it stands on.
#[derive(Debug)]
pub struct Region<T: 'static> {
    /// The elements.
    pub slice: &'static mut [T],
    /// The pages under them.
    pub pages: Pages,
}

/// Why there is no slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The elements asked for are more memory than an address can count.
    #[error("{len} elements of {size} octets are more than can be addressed")]
    TooLarge {
        /// Elements asked for.
        len: usize,
        /// Octets of one.
        size: usize,
    },
    /// The kernel has no memory for it, neither on huge pages nor on ordinary ones.
    #[error("cannot map {octets} octets: {errno}")]
    Map {
        /// Octets asked for.
        octets: usize,
        /// What the kernel said.
        errno: Errno,
    },
}

/// Octets that [`slice_with`] maps for `len` elements of `T` when it finds huge pages: whole pages.
/// `None` if they cannot be counted.
#[must_use]
pub const fn octets<T>(len: usize) -> Option<usize> {
    match len.checked_mul(size_of::<T>()) {
        Some(octets) => octets.checked_next_multiple_of(HUGE_PAGE),
        None => None,
    }
}

/// Maps a slice of `len` elements, made by `init` from their index.
///
/// Every page is present when this returns, so that no later access waits for the kernel or
/// finds it out of memory. The slice is leaked: elements are never dropped.
///
/// # Errors
///
/// [`MapError`] if the size overflows or the kernel has no memory.
pub fn slice_with<T: 'static>(
    len: usize,
    mut init: impl FnMut(usize) -> T,
) -> Result<Region<T>, MapError> {
    const { assert!(align_of::<T>() <= SMALLEST_PAGE) };
    let too_large = MapError::TooLarge {
        len,
        size: size_of::<T>(),
    };
    let rounded = octets::<T>(len).ok_or(too_large)?;
    if isize::try_from(rounded).is_err() {
        return Err(too_large);
    }
    if rounded == 0 {
        let slice = (0..len).map(init).collect::<Vec<T>>().leak();
        let pages = Pages::Ordinary;
        return Ok(Region { slice, pages });
    }
    let (base, pages) = map(rounded)?;
    let first: NonNull<T> = base.cast();
    for index in 0..len {
        let value = init(index);
        // SAFETY: `index < len`, and the mapping holds `len` elements.
        let element = unsafe { first.add(index) };
        // SAFETY: the element lies in the mapping, which is writable, ours alone, and aligned
        // to a page, so to `T`. A panic of `init` before this leaks the mapping, no more.
        unsafe { element.write(value) };
    }
    // SAFETY: all `len` elements were written above, `len * size_of::<T>()` is at most
    // `isize::MAX`, and nobody else knows the mapping, which is never unmapped.
    let slice = unsafe { slice::from_raw_parts_mut(first.as_ptr(), len) };
    Ok(Region { slice, pages })
}

/// Maps `octets`, whole huge pages, on whatever pages there are.
fn map(octets: usize) -> Result<(NonNull<c_void>, Pages), MapError> {
    let huge = MapFlags::HUGETLB | MapFlags::HUGE_2MB;
    if let Ok(base) = map_with(octets, huge) {
        return Ok((base, Pages::Huge));
    }
    map_with(octets, MapFlags::empty())
        .map(|base| (base, Pages::Ordinary))
        .map_err(|errno| MapError::Map { octets, errno })
}

fn map_with(octets: usize, flags: MapFlags) -> Result<NonNull<c_void>, Errno> {
    let readable = ProtFlags::READ | ProtFlags::WRITE;
    let flags = flags | MapFlags::PRIVATE;
    // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no other.
    let base = unsafe { mm::mmap_anonymous(core::ptr::null_mut(), octets, readable, flags) }?;
    let base = NonNull::new(base).ok_or(Errno::NOMEM)?;
    if !flags.contains(MapFlags::HUGETLB) {
        // A wish: a kernel without transparent huge pages says no, and nothing is lost.
        // SAFETY: the range is the mapping just made, and the advice changes no content.
        let _ = unsafe { mm::madvise(base.as_ptr(), octets, Advice::LinuxHugepage) };
    }
    // A page that is missing at its first use is a SIGBUS (a cgroup's limit on huge pages) or the
    // OOM killer. Asked for now, it is an error that can be answered.
    // SAFETY: the range is the mapping just made, and populating changes no content.
    match unsafe { mm::madvise(base.as_ptr(), octets, Advice::LinuxPopulateWrite) } {
        // Linux before 5.14 does not know the advice.
        Ok(()) | Err(Errno::INVAL) => Ok(base),
        Err(errno) => {
            // SAFETY: the range is the mapping just made, and no pointer into it is left.
            let _ = unsafe { mm::munmap(base.as_ptr(), octets) };
            Err(errno)
        }
    }
}
