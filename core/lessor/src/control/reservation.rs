//! Reservations at run time, as they are asked for and presented.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::config::ClientText;

/// Where a reservation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// In the configuration file.
    File,
    /// While a server ran.
    Runtime,
}

/// Which reservations are asked for: the next ones by space and address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReservationPage {
    /// Behind this space and address; from the first if there is none.
    #[serde(default)]
    pub after: Option<(u16, Ipv4Addr)>,
    /// Only those made there.
    #[serde(default)]
    pub source: Option<Source>,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRow {
    /// The address, the first of a series.
    pub address: Ipv4Addr,
    /// Its space.
    pub space: u16,
    /// Its network; null if none has the address any more.
    pub network: Option<String>,
    /// Where it was made.
    pub source: Source,
    /// Whether it holds; not if the file stands against it.
    pub holds: bool,
    /// How many addresses of how many clients.
    pub count: u32,
    /// When it was made, Unix seconds; null if in the file.
    pub since: Option<u64>,
    /// The client, the first of a series.
    pub client: ClientText,
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ReservationOutcome {
    /// It is durable, and all workers go by it.
    Done {
        /// The reservation.
        reservation: ReservationRow,
    },
    /// There is no such reservation.
    Unknown {
        /// In words.
        why: String,
    },
    /// It cannot be; nothing was changed.
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

impl ReservationOutcome {
    /// Nothing was changed because of `why`.
    pub(crate) fn refused(why: &impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::Refused { why }
    }

    /// It failed because of `why`.
    pub(crate) fn failed(why: &impl fmt::Display) -> Self {
        let why = why.to_string();
        Self::Failed { why }
    }
}
