//! Asking for a cache line before it is needed.
//!
//! A prefetch reads nothing that the program can see and faults on nothing, so it is safe for
//! every reference.

/// Asks for the first cache line of `value`.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "one instruction; a call around it costs more than it saves"
)]
pub fn prefetch_read<T>(value: &T) {
    line(core::ptr::from_ref(value).cast());
}

#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "one instruction; a call around it costs more than it saves"
)]
fn line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: SSE is part of x86_64, and a prefetch of any address has no effect but on caches.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: PRFM is part of the base instruction set, and of any address has no effect but on
    // caches.
    unsafe {
        core::arch::asm!(
            "prfm pldl1keep, [{address}]",
            address = in(reg) address,
            options(nostack, preserves_flags, readonly),
        );
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

/// Octets of a cache line on every machine this is built for.
const LINE: usize = 64;

/// Asks for every cache line of `value` itself, not of what it points to.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a few instructions, as many as the size says"
)]
pub fn prefetch_all<T>(value: &T) {
    prefetch_lines(core::ptr::from_ref(value).cast(), size_of::<T>());
}

/// Asks for the first cache lines of `octets`, at most `most` of them.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a few instructions, as many as the size says"
)]
pub fn prefetch_octets(octets: &[u8], most: usize) {
    prefetch_lines(octets.as_ptr(), octets.len().min(most * LINE));
}

#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "a few instructions, as many as the size says"
)]
fn prefetch_lines(first: *const u8, octets: usize) {
    let begin = first.addr() % LINE;
    for at in (0..begin + octets).step_by(LINE) {
        line(first.wrapping_add(at));
    }
}

/// Asks for the first cache line of element `index` of `slice`; out of range it does nothing.
#[inline(always)]
#[allow(
    clippy::inline_always,
    reason = "one instruction; a call around it costs more than it saves"
)]
pub fn prefetch<T>(slice: &[T], index: usize) {
    if let Some(element) = slice.get(index) {
        prefetch_read(element);
    }
}
