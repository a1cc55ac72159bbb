//! What the tests in namespaces stand on: laboratories of namespaces and links that remove
//! themselves, the servers and real clients that run in them, and a client of our own that can be
//! many clients at once.
//!
//! Everything here belongs to tests, so a step that fails panics and says what was being done.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    reason = "a step of a test that fails ends the test with its message"
)]

pub mod agent;
pub mod clients;
pub mod config;
pub mod disk;
pub mod dnsmasq;
pub mod holders;
pub mod hostile;
pub mod lab;
pub mod lessor;
pub mod perfdhcp;
pub mod process;
pub mod relay;
pub mod simulation;
pub mod wait;

/// Whether the tests may make namespaces here; says so where they may not.
///
/// ```no_run
/// if !lessor_tests::may_make_namespaces() {
///     return;
/// }
/// ```
#[must_use]
pub fn may_make_namespaces() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("SKIPPED, NOTHING WAS TESTED: namespaces need root");
    }
    root
}
