//! The control socket under questions, and under what is none.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use crate::site::Site;

fn json(site: &Site, arguments: &[&str]) -> Value {
    let ended = site.lessor(arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

#[test]
fn stats_and_leases_of_a_running_server_are_read_by_machines() {
    let site = Site::new();
    site.fill_store(1);
    let _server = site.serve();
    let stats = json(&site, &["stats", "--json"]);
    assert_eq!(stats["counters"]["bindings"]["active"], 1);
    assert_eq!(stats["pools"][0]["network"], "home");
    let lease = json(&site, &["leases", "show", "10.77.0.10", "--json"]);
    assert_eq!(lease["state"], "active");
    let lease = json(&site, &["leases", "list", "--json"]);
    assert_eq!(json_rows(&lease)[0]["address"], "10.77.0.10");
    assert_eq!(json(&site, &["check", "--json"])["ok"], true);
    assert_eq!(json(&site, &["store", "verify", "--json"])["ok"], true);
}

/// One lease is a line, or a list of one.
fn json_rows(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .cloned()
        .unwrap_or_else(|| vec![value.clone()])
}

#[test]
fn rubbish_on_the_control_socket_does_not_disturb() {
    let site = Site::new();
    let mut server = site.serve();
    let socket = site.path("control.sock");
    let octets: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    let line = vec![b'x'; 1 << 20];
    for rubbish in [&octets[..], &line, b"{}\n", b"null\n", b"\n", b"\0\xff\n"] {
        let mut connection = UnixStream::connect(&socket).unwrap();
        // The server closes the connection in the middle.
        drop(connection.write_all(rubbish));
        drop(connection.shutdown(std::net::Shutdown::Write));
        let mut answer = Vec::new();
        drop(connection.read_to_end(&mut answer));
        assert!(answer.starts_with(b"{\"error\":"), "{answer:?}");
    }
    let held: Vec<_> = (0..100)
        .map(|_| UnixStream::connect(&socket).unwrap())
        .collect();
    let refused = site.lessor(&["stats"]);
    refused.complains(69, &["connections already; try again"]);
    drop(held);
    lessor_tests::wait::until_true("stats again", || site.lessor(&["stats"]).code == Some(0));
    assert!(server.ended().is_none());
    assert!(!server.log().contains("panicked"));
}
