//! `lessor leases`.

mod export;
mod filter;
mod import;
mod list;
mod release;

use std::io::{self, BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::time::SystemTime;

use clap::Subcommand;

use super::{Failure, Output, Server, StoreDirectory, write_json};
use crate::control::{self, AskError, Lease, Request};
use crate::exit::Exit;
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the leases of the store by address, with or without a running server
    List(Box<list::List>),
    /// Show the leases of an address or a client
    Show {
        /// An IPv4 address, a hardware address, or a client-id in hexadecimal
        what: String,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        store: StoreDirectory,
        #[command(flatten)]
        output: Output,
    },
    /// End leases of the running server; their clients are not told
    Release(release::Release),
    /// Write the leases of the store to a file, all there is to each, beside a running server too
    Export(Box<export::Export>),
    /// Take the leases of a file into a store that no server has open, all of them or none
    Import(import::Import),
}

impl Action {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::List(list) => list.execute(),
            Self::Show {
                what,
                server,
                store,
                output,
            } => show(&what, &server, &store, output),
            Self::Release(release) => release.execute(),
            Self::Export(export) => export.execute(),
            Self::Import(import) => import.execute(),
        }
    }
}

fn show(
    what: &str,
    server: &Server,
    store: &StoreDirectory,
    output: Output,
) -> Result<Exit, Failure> {
    let mut found = live(what, server)?;
    if found.is_empty() {
        let now = unix_now();
        store::read(&store.path(&server.file)?)?.for_each_newest(|_, record| {
            found.extend(Lease::new(record, now).filter(|lease| lease.is_of(what)));
        })?;
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::No, format!("no lease of {what}")));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    for (i, lease) in found.iter().enumerate() {
        if output.json {
            write_json(&mut out, lease)?;
        } else {
            write!(out, "{}{lease}", if i == 0 { "" } else { "\n" })?;
        }
    }
    out.flush()?;
    Ok(Exit::Ok)
}

/// What the running server says of an address; nothing if none runs, or it is no address.
fn live(what: &str, server: &Server) -> Result<Vec<Lease>, Failure> {
    let Ok(address) = what.parse::<Ipv4Addr>() else {
        return Ok(Vec::new());
    };
    let request = Request::Lease { address, space: 0 };
    match control::ask::<Option<Lease>>(&server.socket()?, &request) {
        Ok(lease) => Ok(lease.into_iter().collect()),
        Err(AskError::NotRunning(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
