//! `lessor check`.

use std::io::{self, Write as _};

use serde::Serialize;

use super::{ConfigFile, Failure, Output, write_json};
use crate::config::{self, LoadError, Report, Settings};
use crate::exit::Exit;

#[derive(Serialize)]
struct Outcome<'a> {
    file: String,
    ok: bool,
    #[serde(flatten)]
    report: &'a Report,
}

pub(super) fn execute(file: &ConfigFile, output: Output) -> Result<Exit, Failure> {
    let (settings, report) = match config::load(&file.config) {
        Ok((settings, report)) => (Some(settings), report),
        Err(LoadError::Invalid { report, .. }) => (None, report),
        Err(unreadable @ LoadError::Unreadable { .. }) => return Err(unreadable.into()),
    };
    let name = file.config.display().to_string();
    let mut out = io::stdout().lock();
    let exit = if settings.is_some() {
        Exit::Ok
    } else {
        Exit::Config
    };
    if output.json {
        write_json(
            &mut out,
            &Outcome {
                file: name,
                ok: settings.is_some(),
                report: &report,
            },
        )?;
        return Ok(exit);
    }
    for line in report.lines(&name) {
        writeln!(out, "{line}")?;
    }
    match settings {
        Some(settings) => writeln!(out, "{name}: ok, {}", summary(&settings))?,
        None => writeln!(out, "{name}: {}", count(report.faults.len(), "fault"))?,
    }
    Ok(exit)
}

fn summary(settings: &Settings) -> String {
    let networks = &settings.spec.networks;
    let subnets = networks.iter().map(|n| n.subnets.len()).sum();
    let reservations = networks.iter().map(|n| n.reservations.len()).sum();
    let parts = [
        count(settings.ports.len(), "port"),
        count(networks.len(), "network"),
        count(subnets, "subnet"),
        count(reservations, "reservation"),
    ];
    parts.join(", ")
}

fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}
