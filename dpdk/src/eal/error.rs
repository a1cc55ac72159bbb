//! Why there is no environment, and what to do about it.

use std::io;

use crate::{Errno, log};

/// Why DPDK did not start.
#[derive(Debug, thiserror::Error)]
pub enum EalError {
    /// It runs already: it starts once in a process, even if it fails.
    #[error("DPDK was started before in this process; it starts once")]
    AlreadyStarted,
    /// An argument that DPDK cannot be given.
    #[error("{what} {value:?} cannot be given to DPDK")]
    BadArgument {
        /// What the argument is.
        what: &'static str,
        /// Its value.
        value: String,
    },
    /// Too few huge pages.
    #[error(
        "{wanted_mib} MiB of huge pages are needed and {found_mib} MiB are there: reserve them \
         (`sysctl -w vm.nr_hugepages={}`), or set `no_huge`",
        pages(u64::from(*wanted_mib).saturating_add(*in_use_mib))
    )]
    NoHugePages {
        /// MiB that the start needs.
        wanted_mib: u32,
        /// MiB that are reserved and free.
        found_mib: u64,
        /// MiB that are reserved and in use by others.
        in_use_mib: u64,
    },
    /// The process may not do what a start does.
    #[error("DPDK may not start: {errno}: run as root, or with `in_memory` ({log})")]
    Permission {
        /// What was refused.
        errno: Errno,
        /// What DPDK logged.
        log: String,
    },
    /// The thread to start it on did not come up or not on its CPUs.
    #[error("no thread for DPDK on the housekeeping CPUs: {0}")]
    Thread(#[source] io::Error),
    /// DPDK failed for a reason of its own.
    #[error("DPDK did not start: {errno} ({log})")]
    Init {
        /// What it left in `rte_errno`.
        errno: Errno,
        /// What it logged.
        log: String,
    },
}

impl EalError {
    /// The error of a failed `rte_eal_init`, with what it logged.
    pub(super) fn init(errno: Errno) -> Self {
        let log = log::told();
        if errno.is_permission() && !rustix::process::geteuid().is_root() {
            Self::Permission { errno, log }
        } else {
            Self::Init { errno, log }
        }
    }
}

/// Pages of 2 MiB that hold `mib`.
const fn pages(mib: u64) -> u64 {
    mib.div_ceil(2)
}
