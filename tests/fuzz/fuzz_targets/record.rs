//! A record of the store; what can be read is written as it was.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lessor_tests::hostile::record(data));
