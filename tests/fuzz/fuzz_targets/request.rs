//! A line on the control socket.
#![no_main]

use lessor::control::Request;

libfuzzer_sys::fuzz_target!(|line: &[u8]| {
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        let told = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<Request>(&told).unwrap(), request);
    }
});
