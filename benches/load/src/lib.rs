//! `lessor-load`: clients by the million for a `DHCPv4` server, on DPDK, each reply looked at.
//!
//! ```text
//!  cli ── plan ──► run ───────────► engine ──────────────────────────────┐  frames in, frames out,
//!   │              way, leases,     clients, wheel, holders, template    │  time is an argument
//!   │              warm-up,         ▲ frames        │ frames             │
//!   ▼              measure, drain   │               ▼                    │
//!  device ──────────────────────► drive: poll loop of one thread ◄──► DPDK queue pair
//! ```
//!
//! It knows nothing of `lessor`: what it holds a server against are the RFCs.
#![forbid(unsafe_code)]

pub mod cli;
pub mod clients;
pub mod device;
pub mod drive;
pub mod engine;
pub mod holders;
pub mod identity;
pub mod order;
pub mod plan;
pub mod reply;
pub mod report;
pub mod run;
pub mod scramble;
pub mod servers;
pub mod sink;
pub mod tally;
pub mod template;
pub mod violation;
pub mod wheel;
