//! The `lessor` command.
#![forbid(unsafe_code)]
fn main() {}
