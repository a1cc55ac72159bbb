//! The worker side: what runs on poll threads.
//!
//! Nothing under here locks, allocates, logs, reads a file or calls the kernel once it polls. A
//! packet is sent, kept, or counted; what control wants to know, it reads from [`counters`].

pub mod ahead;
mod announce;
pub mod arp;
pub mod arrival;
pub mod capture;
pub mod clock;
pub mod counters;
pub mod desk;
pub mod echo;
pub mod exchange;
pub mod gate;
pub mod gauges;
pub mod handover;
pub mod host;
pub mod latency;
pub mod neighbors;
pub mod overload;
pub mod parked;
pub mod port;
pub mod port_dpdk;
pub mod port_fault;
pub mod port_mem;
pub mod port_pcap;
pub mod ports;
pub mod probe;
pub mod probes;
pub mod routes;
pub mod subscription;
pub mod trace;
pub mod waiting;
pub mod way;
pub mod worker;
