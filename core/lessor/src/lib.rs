//! Lessor, a DHCPv4 server appliance: the parts that know files, threads, ports and operators.
//!
//! ```text
//!   control threads                                    worker threads
//!   config ──► Settings ──► appliance ──► dataplane ──► polls, decides, sends
//!   control ◄── counters ◄──────────────────┘ │
//!   store   ◄── journal rings ◄───────────────┘
//! ```
#![forbid(unsafe_code)]

pub mod appliance;
pub mod cli;
pub mod config;
pub mod control;
pub mod dataplane;
pub mod event;
pub mod eventlog;
pub mod exit;
pub mod histogram;
pub mod leasefile;
pub mod metrics;
pub mod pcap;
pub mod replay;
pub mod store;
mod words;
