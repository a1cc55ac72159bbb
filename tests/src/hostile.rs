//! What arrives from anybody, in any octets: for the fuzzer (`tests/fuzz`), and for the test that
//! runs its corpus. Each panics at what must not be.

use dhcp_wire::dhcp::Message;
use dhcp_wire::frame::{self, Offloads};
use lessor::control::Request;
use lessor::replay::Replay;
use lessor::store::Lsn;
use lessor::store::encode::{self, MAX_RECORD};
use std::path::Path;

pub use crate::simulation::hostile_frames as frames;

/// A frame, and a DHCP message with each of its options.
pub fn message(data: &[u8]) {
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
}

/// A record of the store; what can be read is written as it was.
pub fn record(data: &[u8]) {
    let mut octets = data.to_vec();
    // A checksum is not to be guessed: it is made to fit.
    let length = encode::length(&octets);
    if let Some(record) = length.and_then(|length| octets.get_mut(..length)) {
        let (lsn, length) = (Lsn(data.len() as u64), record.len());
        encode::seal(record, lsn);
        if let Ok((found, record, behind)) = encode::decode(&octets) {
            let mut again = [0; MAX_RECORD];
            assert_eq!(encode::encode(&record, &mut again), Ok(length));
            encode::seal(&mut again[..length], found);
            assert_eq!((found, behind.len()), (lsn, octets.len() - length));
            assert_eq!(again[..length], octets[..length]);
        }
    }
    let _refused = encode::decode(data);
}

/// A line on the control socket.
pub fn request(line: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<Request>(line) {
        let told = serde_json::to_vec(&request).expect("a request can be told");
        let again: Request = serde_json::from_slice(&told).expect("and read");
        assert_eq!(again, request);
    }
}

/// A capture: it is replayed, or refused.
pub fn capture(octets: &[u8]) {
    const TEXT: &str = r#"
[server]
bindings = 64
[[ports]]
name = "access"
device = "net_ring0"
addresses = ["10.77.0.1/24"]
routes = [{ to = "10.9.0.0/16", via = "10.77.0.254" }]
[[networks]]
name = "home"
[[networks.subnets]]
prefix = "10.77.0.0/24"
pools = ["10.77.0.10-10.77.0.20"]
[[networks]]
name = "far"
[[networks.subnets]]
prefix = "10.9.1.0/24"
pools = ["10.9.1.10-10.9.1.20"]
"#;
    let (settings, _) = lessor::config::parse(TEXT).expect("a sound configuration");
    let replay = Replay {
        file: Path::new("any.pcapng"),
        port: None,
        leases: None,
        ignore_checksums: false,
    };
    if let Ok(report) = replay.run_on(octets, settings) {
        let compared = report.same + report.different + report.missing;
        assert_eq!(compared + report.not_compared.without_query, report.replies);
        assert!(report.to_string().ends_with("unexpected\n"));
    }
}

/// A configuration file: it is taken, or refused with its faults.
pub fn config(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    if let Err(report) = lessor::config::parse(text) {
        assert!(!report.lines("lessor.toml").is_empty());
    }
}
