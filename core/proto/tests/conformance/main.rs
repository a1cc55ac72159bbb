//! The rows of RFC 2131 and its companions that concern a server, one named test each, on
//! virtual time. The number in a test's name is that of the row.
#![cfg(not(loom))]
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::field_reassign_with_default,
    clippy::needless_pass_by_value,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "tests"
)]

mod addressing;
mod causes;
mod client;
mod clock;
mod declining;
mod directions;
mod discover;
mod extending;
mod fields;
mod flood;
mod framing;
mod identity;
mod inform;
mod limits;
mod moves;
mod mutations;
mod operator;
mod options;
mod probing;
mod reboot;
mod reload;
mod reserved;
mod restart;
mod routed;
mod routes;
mod rules;
mod selecting;
mod selection;
mod sequences;
mod times;
mod traffic;
mod world;
