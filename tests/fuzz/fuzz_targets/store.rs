//! A whole store directory: see `lessor::store::log::fuzz`.
//!
//! No target forbids unsafe code: `fuzz_target!` expands to some, for libFuzzer to call.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lessor::store::log::fuzz::store(data));
