//! The DHCPv4 server machine of RFC 2131, without input or output.
//!
//! Time is an argument, a decision is a value: [`server`] is asked what to do with a query and
//! says which reply to send and which records must be on disk before it leaves.
//!
//! ```text
//!   frame ──► server::admit ──► Query ──► server::decide ──► Outcome { reply, ask }
//!               network, identity            │    │
//!               from Config alone            │    └──► Journal (records, before the change)
//!                                            ▼
//!                              Shard: bindings of one worker ──► address words of all workers
//! ```
//!
//! Nothing here knows a clock, a socket, a thread, a file or a log.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

#[macro_use]
mod reasons;

pub mod address;
pub mod binding;
pub mod circuit;
pub mod config;
pub mod group;
pub mod identity;
pub mod limit;
pub mod record;
pub mod restart;
pub mod rule;
pub mod server;
pub mod shard;
pub mod time;
