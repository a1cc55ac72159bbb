//! The number with which a call of DPDK failed.

use std::fmt;
use std::io;

/// What a call of DPDK returned or left in `rte_errno`: an errno of the system, or one of DPDK's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(i32);

impl Errno {
    /// The number of a result, which DPDK returns negative.
    pub(crate) const fn of(result: i32) -> Self {
        Self(result.saturating_abs())
    }

    /// What the last failed call on this thread left in `rte_errno`.
    pub(crate) fn last() -> Self {
        // SAFETY: the call reads a variable of this thread.
        Self(unsafe { dpdk_sys::dpdk_errno() })
    }

    /// The number itself, positive.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Whether the operation is not permitted to this process.
    pub(crate) fn is_permission(self) -> bool {
        io::Error::from(self).kind() == io::ErrorKind::PermissionDenied
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // DPDK's own two numbers, which the system cannot name.
        match self.0 {
            1001 => f.write_str("not allowed in a secondary process"),
            1002 => f.write_str("missing configuration"),
            _ => io::Error::from(*self).fmt(f),
        }
    }
}

impl std::error::Error for Errno {}
