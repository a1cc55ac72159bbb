//! Zero-copy views and in-place writers for the frames a `DHCPv4` server sees.
//!
//! A view borrows the octets of a packet. Its `parse` is the only way in, checks what the
//! accessors rely on, and says in one word why a packet is refused; behind it nothing fails.
//! A writer fills a buffer of the caller's and never reads what stood in it.
//!
//! Nothing here allocates, knows the time, or decides what a message is answered with.
//!
//! ```text
//! frame ── ethernet ─┬─ arp
//!                    └─ ipv4 ─┬─ icmp
//!                             └─ udp ── dhcp::Message ── dhcp::Options ── dhcp::Value
//!                                       dhcp::Writer
//! ```
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod ethernet;
mod field;
pub mod frame;
pub mod icmp;
pub mod ipv4;
mod malformed;
pub mod udp;

pub use checksum::Checksum;
pub use malformed::Malformed;
