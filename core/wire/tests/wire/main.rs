//! What the views and writers promise, proved on frames made octet by octet.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test is what they are for"
)]

mod corpus;
mod differential;
mod frames;
mod messages;
mod options;
mod overload;
mod properties;
mod writer;
