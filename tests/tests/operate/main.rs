//! What an operator meets: wrong configurations, devices and stores, signals, and the control
//! socket, all on the program itself. No traffic, so no namespace: the port is a ring.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a step of a test that fails ends the test with its message"
)]

mod clock;
mod control;
mod leases;
mod life;
mod pages;
mod release;
mod reload;
mod reservations;
mod site;
mod start;
mod store;
