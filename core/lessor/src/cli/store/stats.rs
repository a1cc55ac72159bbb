//! `lessor store stats`.

use std::io::{self, Write as _};

use super::super::{Failure, Output, Server, StoreDirectory, write_json};
use crate::control::{self, AskError, Request, StoreStats};
use crate::exit::Exit;
use crate::store;

/// Asks the running server, or reads the files if none runs or a directory is given.
pub(super) fn execute(
    server: &Server,
    directory: &StoreDirectory,
    output: Output,
) -> Result<Exit, Failure> {
    let running = if directory.is_given() {
        None
    } else {
        match control::ask(&server.socket()?, &Request::Store) {
            Ok(stats) => Some(stats),
            Err(AskError::NotRunning(_)) => None,
            Err(error) => return Err(error.into()),
        }
    };
    let stats = match running {
        Some(stats) => stats,
        None => from_files(server, directory)?,
    };
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &stats)?;
    } else {
        write!(out, "{stats}")?;
    }
    Ok(Exit::Ok)
}

fn from_files(server: &Server, directory: &StoreDirectory) -> Result<StoreStats, Failure> {
    let path = directory.path(&server.file)?;
    let read = store::read(&path)?;
    Ok(StoreStats::of_files(&path, &read))
}
