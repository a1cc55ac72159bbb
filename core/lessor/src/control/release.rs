//! Leases that an operator ends.

use serde::{Deserialize, Serialize};

use super::Lease;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ReleaseOutcome {
    /// It has ended, and that is durable.
    Done {
        /// What it was.
        lease: Lease,
    },
    /// There is no lease to end.
    Unknown {
        /// In words.
        why: String,
    },
    /// It is not this server's to end; nothing was changed.
    Refused {
        /// What is against it.
        why: String,
    },
    /// The store or a worker did not take it.
    Failed {
        /// What has become of it.
        why: String,
    },
}
