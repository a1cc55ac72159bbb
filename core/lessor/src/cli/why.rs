//! `lessor why`.

use std::io::{self, BufWriter, Write as _};

use clap::Args;

use super::{Failure, Output, Server, write_json};
use crate::control::{self, Decision, Request};
use crate::dataplane::trace::MOST;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct Why {
    /// An IPv4 address, a hardware address or a client-id, or a client as `leases list` calls it
    client: String,
    /// How many decisions, the last ones
    #[arg(short, long, value_name = "N", default_value_t = 20, value_parser = count)]
    number: u32,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
}

fn count(text: &str) -> Result<u32, String> {
    let most = u32::try_from(MOST).unwrap_or(u32::MAX);
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| format!("it is a number from 1 to {most}"))
}

impl Why {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        // What is wrong with the command line needs no server.
        if let Err(unnamed) = control::about(&self.client) {
            return Err(Failure::new(Exit::Usage, unnamed));
        }
        let request = Request::Why {
            client: self.client.clone(),
            limit: self.number,
        };
        let decisions: Vec<Decision> = control::ask(&self.server.socket()?, &request)?;
        if decisions.is_empty() {
            let why = format!(
                "nothing is known of {}: no message of late, or server.trace is too small",
                self.client
            );
            return Err(Failure::new(Exit::No, why));
        }
        let mut out = BufWriter::new(io::stdout().lock());
        for decision in &decisions {
            if self.output.json {
                write_json(&mut out, decision)?;
            } else {
                writeln!(out, "{decision}")?;
            }
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}
