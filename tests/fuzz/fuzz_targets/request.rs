//! A line on the control socket.
#![no_main]

libfuzzer_sys::fuzz_target!(|line: &[u8]| lessor_tests::hostile::request(line));
