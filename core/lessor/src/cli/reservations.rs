//! `lessor reservations`.

use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;

use clap::{Args, Subcommand};

use super::{Failure, Output, Server, write_json};
use crate::config::ClientText;
use crate::control::{self, Request, ReservationOutcome, ReservationPage, ReservationRow, Source};
use crate::exit::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Reserve an address for a client, in the running server and durably
    Add {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        client: Whom,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
    /// Take away a reservation that was made at run time
    Remove {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
    /// List the reservations of the running server
    List {
        /// Only those made there
        #[arg(long, value_enum, value_name = "SOURCE")]
        source: Option<Source>,
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
}

/// Where.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The address
    address: Ipv4Addr,
    /// Its address space
    #[arg(long, default_value_t, value_name = "N")]
    space: u16,
}

/// The client of a reservation; exactly one of four.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct Whom {
    /// By hardware address, such as 02:00:00:00:00:05
    #[arg(long, value_name = "MAC", conflicts_with_all = ["client_id", "circuit_id", "remote_id"])]
    hw_address: Option<String>,
    /// The type of the hardware address, if it is not Ethernet
    #[arg(long, value_name = "N", requires = "hw_address", value_parser = clap::value_parser!(u8).range(1..))]
    hw_type: Option<u8>,
    /// By option 61, octets or text
    #[arg(long, value_name = "ID", conflicts_with_all = ["circuit_id", "remote_id"])]
    client_id: Option<String>,
    /// By the circuit-id of option 82 at a relay, octets or text
    #[arg(long, value_name = "ID", conflicts_with = "remote_id")]
    circuit_id: Option<String>,
    /// The relay of the circuit by its giaddr
    #[arg(
        long,
        value_name = "ADDRESS",
        requires = "circuit_id",
        conflicts_with = "relay_id"
    )]
    relay: Option<Ipv4Addr>,
    /// The relay of the circuit by its identifier, octets or text
    #[arg(long, value_name = "ID", requires = "circuit_id")]
    relay_id: Option<String>,
    /// By the remote-id of option 82, octets or text
    #[arg(long, value_name = "ID")]
    remote_id: Option<String>,
}

impl Whom {
    fn text(self) -> ClientText {
        ClientText {
            hw_address: self.hw_address,
            hw_type: self.hw_type,
            client_id: self.client_id,
            circuit_id: self.circuit_id,
            relay: self.relay.map(|relay| relay.to_string()),
            relay_id: self.relay_id,
            remote_id: self.remote_id,
        }
    }
}

impl Action {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::Add {
                place: Place { address, space },
                client,
                server,
                output,
            } => {
                let client = client.text();
                // What is wrong with the command line needs no server.
                if let Err(fault) = client.identity() {
                    return Err(Failure::new(Exit::Usage, fault));
                }
                let request = Request::ReservationAdd {
                    address,
                    space,
                    client,
                };
                change(&server, &request, output, "reserved")
            }
            Self::Remove {
                place: Place { address, space },
                server,
                output,
            } => {
                let request = Request::ReservationRemove { address, space };
                change(&server, &request, output, "no longer reserved")
            }
            Self::List {
                source,
                server,
                output,
            } => list(&server, source, output),
        }
    }
}

fn change(server: &Server, request: &Request, output: Output, done: &str) -> Result<Exit, Failure> {
    let outcome: ReservationOutcome = control::ask(&server.socket()?, request)?;
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &outcome)?;
    }
    let (exit, why) = match outcome {
        ReservationOutcome::Done { reservation } => {
            if !output.json {
                writeln!(
                    out,
                    "{done}: {} for {}",
                    reservation.address, reservation.client
                )?;
            }
            return Ok(Exit::Ok);
        }
        ReservationOutcome::Unknown { why } => (Exit::No, why),
        ReservationOutcome::Refused { why } => (Exit::DataError, why),
        ReservationOutcome::Failed { why } => (Exit::IoError, why),
    };
    if output.json {
        return Err(Failure::silent(exit));
    }
    Err(Failure::new(exit, why))
}

fn list(server: &Server, source: Option<Source>, output: Output) -> Result<Exit, Failure> {
    let socket = server.socket()?;
    let mut out = BufWriter::new(io::stdout().lock());
    if !output.json {
        writeln!(
            out,
            "{:<15}  {:<7}  {:<16}  CLIENT",
            "ADDRESS", "SOURCE", "NETWORK"
        )?;
    }
    let mut page = ReservationPage {
        after: None,
        source,
    };
    loop {
        let rows: Vec<ReservationRow> =
            control::ask(&socket, &Request::Reservations(page.clone()))?;
        let Some(last) = rows.last() else { break };
        page.after = Some((last.space, last.address));
        for row in &rows {
            if output.json {
                write_json(&mut out, row)?;
            } else {
                write_row(&mut out, row)?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Ok)
}

fn write_row(out: &mut impl Write, row: &ReservationRow) -> io::Result<()> {
    let address = match row.space {
        0 => row.address.to_string(),
        space => format!("{}@{space}", row.address),
    };
    let source = match row.source {
        Source::File => "file",
        Source::Runtime => "runtime",
    };
    let network = row.network.as_deref().unwrap_or_default();
    write!(
        out,
        "{address:<15}  {source:<7}  {network:<16}  {}",
        row.client
    )?;
    if row.count > 1 {
        write!(out, " and {} more", row.count - 1)?;
    }
    if !row.holds {
        write!(out, " (does not hold)")?;
    }
    writeln!(out)
}
