//! `lessor stats`.

use std::io::{self, Write as _};

use super::{Failure, Output, Server, write_json};
use crate::control::{self, AskError, Request, Stats};
use crate::exit::Exit;

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        Self::new(error.exit(), error)
    }
}

pub(super) fn execute(server: &Server, output: Output) -> Result<Exit, Failure> {
    let stats: Stats = control::ask(&server.socket()?, &Request::Stats)?;
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &stats)?;
    } else {
        write!(out, "{stats}")?;
    }
    Ok(Exit::Ok)
}
