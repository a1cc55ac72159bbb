//! `lessor clock`.

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::Subcommand;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Failure, Output, Server, write_json};
use crate::control::{self, ClockAccepted, ClockReport, Request};
use crate::exit::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// What the running server makes of the wall clock
    Show {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
    /// Take a wall clock that jumped ahead for right: leases that were kept because of it expire
    Accept {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        output: Output,
    },
}

impl Action {
    pub(super) fn execute(&self) -> Result<Exit, Failure> {
        match self {
            Self::Show { server, output } => {
                answer::<ClockReport>(server, *output, &Request::Clock)
            }
            Self::Accept { server, output } => {
                answer::<ClockAccepted>(server, *output, &Request::ClockAccept)
            }
        }
    }
}

fn answer<T: DeserializeOwned + Serialize + Display>(
    server: &Server,
    output: Output,
    request: &Request,
) -> Result<Exit, Failure> {
    let answer: T = control::ask(&server.socket()?, request)?;
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &answer)?;
    } else {
        write!(out, "{answer}")?;
    }
    Ok(Exit::Ok)
}
