//! Bindings to libdpdk, generated at build time from the headers of the installed release.
//!
//! No opinion and no safety: those are the crate `dpdk`'s. What DPDK has as `static inline`, as a
//! macro, or as a field that moved between releases is behind `src/shims.c`.

#![no_std]
#![allow(unsafe_code, reason = "foreign functions")]

pub use bindings::*;

#[allow(
    missing_docs,
    missing_debug_implementations,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    unused_qualifications,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "written by bindgen in DPDK's own style"
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}
