//! `lessor leases release`.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::Path;

use clap::Args;

use super::unix_now;
use crate::cli::{Failure, Output, Server, StoreDirectory, write_json};
use crate::control::{self, ClockReport, Lease, ReleaseOutcome, Request, State};
use crate::exit::Exit;
use crate::store;
use crate::words::Colons;

#[derive(Debug, Args)]
pub(in crate::cli) struct Release {
    /// IPv4 addresses, hardware addresses or client-ids
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<String>,
    /// The space of the addresses
    #[arg(long, default_value_t, value_name = "N")]
    space: u16,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    store: StoreDirectory,
    #[command(flatten)]
    output: Output,
}

/// A lease that is to end.
struct Target {
    address: Ipv4Addr,
    space: u16,
    /// Only if it is of this client.
    client: Option<String>,
}

impl Release {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let socket = self.server.socket()?;
        // Whether a server runs is said before a store is read that nobody serves.
        let _running: ClockReport = control::ask(&socket, &Request::Clock)?;
        let mut ended = Exit::Ok;
        for what in &self.what {
            let targets = self.targets(what)?;
            if targets.is_empty() {
                let why = format!("no lease of {what}");
                ended = worse(ended, self.tell(&ReleaseOutcome::Unknown { why })?);
            }
            for target in targets {
                ended = worse(ended, self.end(&socket, target)?);
            }
        }
        if ended == Exit::Ok {
            Ok(ended)
        } else {
            Err(Failure::silent(ended))
        }
    }

    /// The leases that are meant by `what`: of an address, or those that a client has by the store.
    fn targets(&self, what: &str) -> Result<Vec<Target>, Failure> {
        if let Ok(address) = what.parse() {
            let space = self.space;
            let client = None;
            return Ok(vec![Target {
                address,
                space,
                client,
            }]);
        }
        let mut targets = Vec::new();
        let now = unix_now();
        let recovered = store::read(&self.store.path(&self.server.file)?)?;
        recovered.for_each_newest(|_, record| {
            let lease = Lease::new(record, now).filter(|lease| lease.state == State::Active);
            if lease.is_some_and(|lease| lease.is_of(what)) {
                targets.push(Target {
                    address: record.addr,
                    space: record.space,
                    client: Some(Colons(record.identity).to_string()),
                });
            }
        })?;
        targets.sort_by_key(|target| (target.space, target.address));
        Ok(targets)
    }

    fn end(&self, socket: &Path, target: Target) -> Result<Exit, Failure> {
        let Target {
            address,
            space,
            client,
        } = target;
        let request = Request::Release {
            address,
            space,
            client,
        };
        let outcome: ReleaseOutcome = control::ask(socket, &request)?;
        self.tell(&outcome)
    }

    /// Writes what came of one; how that ends the command.
    fn tell(&self, outcome: &ReleaseOutcome) -> Result<Exit, Failure> {
        let mut out = io::stdout().lock();
        if self.output.json {
            write_json(&mut out, outcome)?;
        }
        let (exit, why) = match outcome {
            ReleaseOutcome::Done { lease } => {
                if !self.output.json {
                    writeln!(out, "{}", done(lease))?;
                }
                return Ok(Exit::Ok);
            }
            ReleaseOutcome::Unknown { why } => (Exit::No, why),
            ReleaseOutcome::Refused { why } => (Exit::DataError, why),
            ReleaseOutcome::Failed { why } => (Exit::IoError, why),
        };
        if !self.output.json {
            writeln!(io::stderr().lock(), "lessor: {why}")?;
        }
        Ok(exit)
    }
}

fn done(lease: &Lease) -> String {
    let (address, client) = (lease.address, &lease.client);
    match lease.state {
        State::Abandoned => format!("out of probation: {address}"),
        State::Active | State::Expired | State::Released | State::Available => {
            format!("released: {address} of {client}")
        }
    }
}

/// The one that says more of what went wrong.
fn worse(one: Exit, other: Exit) -> Exit {
    if other as u8 > one as u8 { other } else { one }
}
