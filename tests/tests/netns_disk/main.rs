//! Disks that are full, broken, gone or without power, made with the real kernel: ext4 on a loop
//! file on a tmpfs. Whatever happens to them, no client is told of a lease that a restart does not
//! know, and the server goes on when the disk does.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "what fails ends the test with its message, and figures are for the reader"
)]

mod broken;
mod directory;
mod full;
mod power;
mod site;
