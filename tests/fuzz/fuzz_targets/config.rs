//! The configuration file: any text is taken or refused with its faults.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(report) = lessor::config::parse(text) {
        assert!(!report.lines("lessor.toml").is_empty());
    }
});
