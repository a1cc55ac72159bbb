//! The configuration file: any text is taken or refused with its faults.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| lessor_tests::hostile::config(text));
