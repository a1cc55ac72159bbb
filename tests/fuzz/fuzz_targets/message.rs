//! A DHCP message, and each of its options; a frame.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lessor_tests::hostile::message(data));
