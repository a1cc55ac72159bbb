//! Frames into the whole server: see `tests/src/simulation/hostile.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lessor_tests::hostile::frames(data));
