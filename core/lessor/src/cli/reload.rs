//! `lessor reload`.

use std::io::{self, Write as _};

use super::{Failure, Output, Server, write_json};
use crate::config::{self, LoadError};
use crate::control::{self, ReloadReport, Request};
use crate::exit::Exit;

pub(super) fn execute(server: &Server, force: bool, output: Output) -> Result<Exit, Failure> {
    let report = match unfit(server) {
        Some(report) => report,
        None => control::ask(&server.socket()?, &Request::Reload { force })?,
    };
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &report)?;
    } else {
        write!(out, "{report}")?;
    }
    Ok(if report.taken {
        Exit::Ok
    } else if report.unreadable.is_some() {
        Exit::NoInput
    } else if report.failed.is_some() {
        Exit::Unavailable
    } else {
        Exit::Config
    })
}

/// What is wrong with a file that would have to name the socket: the server need not be asked.
fn unfit(server: &Server) -> Option<ReloadReport> {
    if server.socket.is_some() {
        return None;
    }
    let file = &server.file.config;
    match config::load(file) {
        Err(error @ LoadError::Invalid { .. }) => {
            let mut report = ReloadReport::on(file.display().to_string());
            report.note_error(&error);
            Some(report)
        }
        Err(LoadError::Unreadable { .. }) | Ok(_) => None,
    }
}
