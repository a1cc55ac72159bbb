//! `lessor leases`.

mod export;
mod import;

use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use dhcp_proto::config::{NetworkSpec, Prefix};

use super::{ConfigFile, Failure, Output, Server, StoreDirectory, write_json};
use crate::control::{self, AskError, Lease, Request, State};
use crate::exit::Exit;
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List the leases of the store, with or without a running server
    List {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        store: StoreDirectory,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        output: Output,
    },
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
    /// Write the leases of the store to a file, all there is to each, beside a running server too
    Export(export::Export),
    /// Take the leases of a file into a store that no server has open, all of them or none
    Import(import::Import),
}

/// Which leases.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Only leases in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<State>,
    /// Only leases of this network of the configuration
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
}

impl Action {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::List {
                file,
                store,
                wanted: Wanted { state, network },
                output,
            } => {
                let network = network.map(|name| Within::new(&file, &name)).transpose()?;
                let is_wanted = |lease: &Lease| {
                    state.is_none_or(|state| lease.state == state)
                        && network
                            .as_ref()
                            .is_none_or(|network| network.holds(lease.space, lease.address))
                };
                list(&store.path(&file)?, is_wanted, output)
            }
            Self::Show {
                what,
                server,
                store,
                output,
            } => show(&what, &server, &store, output),
            Self::Export(export) => export.execute(),
            Self::Import(import) => import.execute(),
        }
    }
}

/// The addresses of a network.
struct Within {
    space: u16,
    prefixes: Vec<Prefix>,
}

impl Within {
    fn new(file: &ConfigFile, name: &str) -> Result<Self, Failure> {
        let (settings, _) = file.load()?;
        let network = settings
            .spec
            .networks
            .iter()
            .find(|network| network.name == name);
        let Some(NetworkSpec { space, subnets, .. }) = network else {
            let names: Vec<_> = settings
                .spec
                .networks
                .iter()
                .map(|n| n.name.as_str())
                .collect();
            let why = format!("no network `{name}`; there are: {}", names.join(", "));
            return Err(Failure::new(Exit::Usage, why));
        };
        Ok(Self {
            space: space.0,
            prefixes: subnets.iter().map(|s| s.prefix).collect(),
        })
    }

    fn holds(&self, space: u16, address: Ipv4Addr) -> bool {
        space == self.space && self.prefixes.iter().any(|p| p.contains(address))
    }
}

fn list(
    directory: &std::path::Path,
    is_wanted: impl Fn(&Lease) -> bool,
    output: Output,
) -> Result<Exit, Failure> {
    let recovered = store::read(directory)?;
    let mut out = BufWriter::new(io::stdout().lock());
    if !output.json {
        row(&mut out, ["ADDRESS", "STATE", "EXPIRES", "CLIENT"], "RELAY")?;
    }
    let now = unix_now();
    let mut written = Ok(());
    recovered.for_each_newest(|_, record| {
        if let Some(lease) = Lease::new(record, now).filter(|lease| is_wanted(lease))
            && written.is_ok()
        {
            written = write_lease(&mut out, &lease, output);
        }
    })?;
    written?;
    out.flush()?;
    Ok(Exit::Ok)
}

/// A lease as a row of the table, or a line of JSON.
fn write_lease(out: &mut impl Write, lease: &Lease, output: Output) -> io::Result<()> {
    if output.json {
        return write_json(out, lease);
    }
    let address = match lease.space {
        0 => lease.address.to_string(),
        space => format!("{}@{space}", lease.address),
    };
    let expires = lease.expires.map_or_else(|| "never".into(), control::utc);
    let relay = lease
        .relay
        .map(|relay| relay.to_string())
        .unwrap_or_default();
    row(
        out,
        [&address, lease.state.as_str(), &expires, &lease.client],
        &relay,
    )
}

fn row(out: &mut impl Write, columns: [&str; 4], last: &str) -> io::Result<()> {
    let [address, state, expires, client] = columns;
    let line = format!("{address:<15}  {state:<9}  {expires:<20}  {client:<30}  {last}");
    writeln!(out, "{}", line.trim_end())
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
