//! Questions to the running server, by a UNIX socket.
//!
//! ```text
//!   lessor stats ──► client ──► socket ──► server (threads of their own) ──► ControlPlane
//! ```
//!
//! A request is one line of JSON, `{"ask": "stats"}`; the answer is one, `{"ok": …}` or
//! `{"error": "…"}`. A connection may ask again, but for a capture, which takes it. Nothing here runs on a worker; what a worker
//! must be asked goes through the [`ControlPlane`].

mod capture;
mod client;
mod clock;
mod figures;
mod lease;
mod release;
mod reload;
mod reservation;
mod server;
mod stats;
mod store;
mod why;

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::config::ClientText;

pub use capture::{CaptureBegun, CaptureSum, CaptureWanted, Frames, Seen, Watch, watch};
pub use client::{AskError, ask};
pub use clock::{ClockAccepted, ClockReport, ClockState, Held};
pub use figures::{Bucket, LatencyStats, PortStats};
pub(crate) use lease::utc;
pub use lease::{Lease, State};
pub use release::ReleaseOutcome;
pub use reload::{Leases, ReloadReport, Remark};
pub use reservation::{ReservationOutcome, ReservationPage, ReservationRow, Source};
pub use server::{BindError, Server};
pub use stats::{PoolStats, Stats, StoreTrouble};
pub use store::{Running, StoreStats};
pub use why::{Decision, Unnamed, about};

/// Most octets of a request with its newline.
pub const MAX_REQUEST: usize = 4096;

/// What the appliance answers for; called by threads of the control side.
pub trait ControlPlane: Send + Sync {
    /// All counters as they are now.
    fn stats(&self) -> Stats;

    /// The store as it is now.
    fn store(&self) -> StoreStats;

    /// Who has `addr` in `space`; `None` if it is free or unknown.
    fn lease(&self, space: u16, addr: Ipv4Addr) -> Option<Lease>;

    /// Ends the lease of `addr`, if it is still of the client whose identity this is in hexadecimal,
    /// or none is given; returns when that is durable.
    fn release(&self, space: u16, addr: Ipv4Addr, client: Option<&str>) -> ReleaseOutcome;

    /// The last decisions of all workers about `client`, at most `limit`, the newest last.
    ///
    /// # Errors
    ///
    /// Says why nobody can tell.
    fn why(&self, client: &str, limit: u32) -> Result<Vec<Decision>, String>;

    /// Reserves `addr` for a client; returns when that is durable and all workers go by it.
    fn add_reservation(
        &self,
        space: u16,
        addr: Ipv4Addr,
        client: &ClientText,
    ) -> ReservationOutcome;

    /// Takes away a reservation that was made so.
    fn remove_reservation(&self, space: u16, addr: Ipv4Addr) -> ReservationOutcome;

    /// The next reservations.
    fn reservations(&self, page: &ReservationPage) -> Vec<ReservationRow>;

    /// The clocks as they are now.
    fn clock(&self) -> ClockReport;

    /// Takes the wall clock for right; returns when that is durable and all workers know.
    ///
    /// # Errors
    ///
    /// Says why the clock is held as before.
    fn accept_clock(&self) -> Result<ClockAccepted, String>;

    /// Begins to capture frames.
    ///
    /// # Errors
    ///
    /// Says why not: there is one already, or no such port.
    fn capture(&self, wanted: &CaptureWanted) -> Result<Watch, String>;

    /// Takes the configuration file as it is now, or says why not; `force` takes one that leaves
    /// leases without a network.
    fn reload(&self, force: bool) -> ReloadReport;
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase", deny_unknown_fields)]
pub enum Request {
    /// For [`Stats`].
    Stats,
    /// For [`StoreStats`].
    Store,
    /// For the [`Lease`] of an address, or null.
    Lease {
        /// The address.
        address: Ipv4Addr,
        /// Its space.
        #[serde(default)]
        space: u16,
    },
    /// To end the lease of an address, and for the [`ReleaseOutcome`].
    Release {
        /// The address.
        address: Ipv4Addr,
        /// Its space.
        #[serde(default)]
        space: u16,
        /// Only if it is of this client: its identity in hexadecimal, kind octet first.
        #[serde(default)]
        client: Option<String>,
    },
    /// For the last [`Decision`]s about a client.
    Why {
        /// An address, a hardware address or a client-id, or a client as leases are listed.
        client: String,
        /// How many at most.
        limit: u32,
    },
    /// To reserve an address, and for the [`ReservationOutcome`].
    #[serde(rename = "reservation-add")]
    ReservationAdd {
        /// The address.
        address: Ipv4Addr,
        /// Its space.
        #[serde(default)]
        space: u16,
        /// The client.
        client: ClientText,
    },
    /// To take a reservation away, and for the [`ReservationOutcome`].
    #[serde(rename = "reservation-remove")]
    ReservationRemove {
        /// The address.
        address: Ipv4Addr,
        /// Its space.
        #[serde(default)]
        space: u16,
    },
    /// For the next [`ReservationRow`]s, none behind the last.
    Reservations(ReservationPage),
    /// For the [`ClockReport`].
    Clock,
    /// To take the wall clock for right, and for [`ClockAccepted`].
    #[serde(rename = "clock-accept")]
    ClockAccept,
    /// For [`CaptureBegun`], and for all frames from then on.
    Capture(CaptureWanted),
    /// To take the configuration file as it is now, and for the [`ReloadReport`].
    Reload {
        /// Also if it leaves leases without a network.
        #[serde(default)]
        force: bool,
    },
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer<T> {
    /// What was asked for.
    Ok(T),
    /// Why there is no answer.
    Error(String),
}

#[cfg(test)]
mod tests;
