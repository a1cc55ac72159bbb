//! A capture that is replayed to a whole server: any octets are used, or refused with their place.
#![no_main]

libfuzzer_sys::fuzz_target!(|capture: &[u8]| lessor_tests::hostile::capture(capture));
