//! Leases that an operator ends: by their worker, with a record, answered when that is durable.

use std::net::Ipv4Addr;
use std::sync::PoisonError;
use std::thread;
use std::time::{Duration, Instant};

use dhcp_proto::address::Space;
use dhcp_proto::identity::{Identity, Kind};
use dhcp_proto::shard::EndedByOperator;
use tracing::info;

use super::{Plane, lease_of};
use crate::config::octets;
use crate::control::{Lease, ReleaseOutcome};
use crate::dataplane::desk::{Kept, NoAnswer};
use crate::event::Event;

/// How long an answer waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked whether a record is durable.
const LOOK: Duration = Duration::from_millis(1);

impl Plane {
    /// Ends the lease of `addr`, or its probation.
    pub(super) fn end_lease(
        &self,
        space: Space,
        addr: Ipv4Addr,
        client: Option<&str>,
    ) -> ReleaseOutcome {
        let client = match client.map(identity) {
            Some(None) => {
                let why = "the client is no identity in hexadecimal".to_owned();
                return ReleaseOutcome::Refused { why };
            }
            Some(identity) => identity,
            None => None,
        };
        match self.end_at_worker(space, addr, client.as_ref()) {
            Ok(outcome) => outcome,
            Err((worker, NoAnswer)) => ReleaseOutcome::Failed {
                why: format!(
                    "worker {worker} does not answer; look whether {addr} is leased still"
                ),
            },
        }
    }

    fn end_at_worker(
        &self,
        space: Space,
        addr: Ipv4Addr,
        client: Option<&Identity>,
    ) -> Result<ReleaseOutcome, (u8, NoAnswer)> {
        let none = || ReleaseOutcome::Unknown {
            why: format!("no lease of {addr}"),
        };
        let snapshot = self.publisher.current();
        let Some(cell) = snapshot.config.cell(space, addr) else {
            return Ok(none());
        };
        let owner = cell.load().owner().0;
        let Some(inquiry) = self.inquiries.get(usize::from(owner)) else {
            return Ok(none());
        };
        let silent = |error| (owner, error);
        let desk = || inquiry.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, view) = desk().end(space, addr, client).map_err(silent)?;
        match ended {
            EndedByOperator::Ended { sequence, .. } => {
                let kept = wait(|| desk().kept(sequence, space, addr)).map_err(silent)?;
                let lease = view.and_then(|view| lease_of(space.0, &view));
                Ok(outcome(kept, lease, addr))
            }
            EndedByOperator::NoLease => Ok(none()),
            EndedByOperator::OtherClient => Ok(ReleaseOutcome::Refused {
                why: format!("{addr} is another client's by now; nothing was changed"),
            }),
            EndedByOperator::Fenced => Ok(ReleaseOutcome::Refused {
                why: format!("{addr} is another appliance's; nothing was changed"),
            }),
            EndedByOperator::JournalFull => Ok(ReleaseOutcome::Failed {
                why: "the store takes nothing now, see `lessor stats`; nothing was changed".into(),
            }),
        }
    }
}

/// What an operator is told of a lease that has ended, and the log with it.
fn outcome(kept: Kept, lease: Option<Lease>, addr: Ipv4Addr) -> ReleaseOutcome {
    match (kept, lease) {
        (Kept::Durable, Some(lease)) => {
            let Lease { client, space, .. } = &lease;
            info!(event = %Event::LeaseReleased, %addr, space, client, "an operator has ended a lease");
            ReleaseOutcome::Done { lease }
        }
        (Kept::Durable, None) => ReleaseOutcome::Unknown {
            why: format!("no lease of {addr}"),
        },
        (Kept::Refused, _) => ReleaseOutcome::Refused {
            why: format!("{addr} is another appliance's"),
        },
        (Kept::Waits, _) => ReleaseOutcome::Failed {
            why: format!(
                "the lease of {addr} has ended, but the store has not taken that within {} s; it \
                 will when it works, unless the server ends before",
                PATIENCE.as_secs()
            ),
        },
    }
}

/// Asks until the record is durable or refused, or for too long.
fn wait(mut ask: impl FnMut() -> Result<Kept, NoAnswer>) -> Result<Kept, NoAnswer> {
    let until = Instant::now() + PATIENCE;
    loop {
        let kept = ask()?;
        if kept != Kept::Waits || Instant::now() > until {
            return Ok(kept);
        }
        thread::sleep(LOOK);
    }
}

/// An identity from its octets in hexadecimal.
fn identity(text: &str) -> Option<Identity> {
    let octets = octets(text)?;
    let (kind, id) = octets.split_first()?;
    Identity::new(Kind::from_number(*kind)?, &[id])
}
