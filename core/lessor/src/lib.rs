//! Lessor, a DHCPv4 server appliance: the parts that know files, threads, ports and operators.
#![forbid(unsafe_code)]

pub mod dataplane;
pub mod store;
