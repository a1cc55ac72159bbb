//! A DHCP message, and each of its options; a frame.
#![no_main]

use dhcp_wire::dhcp::Message;
use dhcp_wire::frame::{self, Offloads};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _refused = frame::parse(data, Offloads::default());
    if let Ok(options) = Message::parse(data).and_then(Message::options) {
        let _other = options.any_message_type();
        for code in 0..=u8::MAX {
            let value = options.get(code);
            assert_eq!(value.is_some(), options.contains(code));
            if let Some(value) = value {
                assert_eq!(value.octets().count(), value.len());
            }
        }
    }
});
