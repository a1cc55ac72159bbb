//! Whole exchanges through the product's worker, frame in and frame out, on a device in memory
//! and virtual time, with the product's own journal ring committed by hand.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "tests"
)]

mod cluster;
mod durable;
mod faults;
mod fence;
mod flood;
mod frames;
#[path = "../../../dpdk/tests/support/pcap.rs"]
mod pcap;
mod probing;
mod reload;
mod reservations;
mod rig;
mod rounds;
mod slow;
mod tagged;
mod team;
mod threads;
mod ways;
mod why;
mod workers;
