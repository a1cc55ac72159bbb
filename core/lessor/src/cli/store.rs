//! `lessor store`.

mod repair;
mod stats;

use std::io::{self, Write as _};

use clap::Subcommand;
use serde_json::json;

use super::{ConfigFile, Failure, Output, Server, StoreDirectory, write_json};
use crate::exit::Exit;
use crate::store::log::{Fault, Report, SnapshotState};
use crate::store::{TornTail, verify};

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Read the whole store and report all damage; changes nothing, also beside a running server
    Verify {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        store: StoreDirectory,
        #[command(flatten)]
        output: Output,
    },
    /// Say what of a damaged store would be lost, and with --yes make a sound one of the rest;
    /// the server must be stopped, and copies of the damaged files are kept
    Repair {
        #[command(flatten)]
        file: ConfigFile,
        #[command(flatten)]
        store: StoreDirectory,
        /// Do what is said
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// Segments, live share, commits and their times: of the running server, or of the files alone
    Stats {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        store: StoreDirectory,
        #[command(flatten)]
        output: Output,
    },
}

impl Action {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        match self {
            Self::Verify {
                file,
                store,
                output,
            } => verified(&store.path(&file)?, output),
            Self::Repair {
                file,
                store,
                yes,
                output,
            } => repair::execute(&store.path(&file)?, yes, output),
            Self::Stats {
                server,
                store,
                output,
            } => stats::execute(&server, &store, output),
        }
    }
}

fn verified(directory: &std::path::Path, output: Output) -> Result<Exit, Failure> {
    let report = verify(directory)?;
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &to_json(&report))?;
    } else {
        write!(out, "{}", to_text(&report))?;
    }
    Ok(if report.is_sound() {
        Exit::Ok
    } else {
        Exit::DataError
    })
}

fn to_json(report: &Report) -> serde_json::Value {
    let fault = |fault: &Fault| {
        json!({
            "file": fault.file_name(),
            "offset": fault.offset,
            "message": fault.what.to_string(),
        })
    };
    let torn = |torn: &TornTail| json!({ "file": torn.file, "offset": torn.offset, "octets": torn.octets });
    json!({
        "ok": report.is_sound(),
        "segments": report.segments,
        "void_segments": report.void_segments,
        "batches": report.batches,
        "records": report.records,
        "first_lsn": report.first_lsn.0,
        "last_lsn": report.last_lsn.0,
        "torn_tail": report.torn_tail.as_ref().map(torn),
        "snapshot": snapshot(&report.snapshot),
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

fn snapshot(state: &SnapshotState) -> serde_json::Value {
    match state {
        SnapshotState::None => json!({ "state": "none" }),
        SnapshotState::Good(lsn) => json!({ "state": "good", "lsn": lsn.0 }),
        SnapshotState::Ignored(why) => json!({ "state": "ignored", "message": why }),
        SnapshotState::Wrong { addresses } => {
            json!({ "state": "wrong", "addresses": addresses })
        }
    }
}

fn to_text(report: &Report) -> String {
    let Report {
        segments,
        batches,
        records,
        first_lsn,
        last_lsn,
        ..
    } = report;
    let mut lines = Vec::new();
    for fault in &report.faults {
        lines.push(format!(
            "{} at offset {}: {}",
            fault.file_name(),
            fault.offset,
            fault.what
        ));
    }
    if let Some(TornTail {
        file,
        offset,
        octets,
    }) = &report.torn_tail
    {
        let file = file.display();
        lines.push(format!(
            "{file} at offset {offset}: {octets} octets of a batch being written"
        ));
    }
    lines.extend(match &report.snapshot {
        SnapshotState::None => None,
        SnapshotState::Good(lsn) => Some(format!("snapshot up to {lsn}")),
        SnapshotState::Ignored(why) => Some(format!(
            "the snapshot is not used, which loses nothing: {why}"
        )),
        SnapshotState::Wrong { addresses } => Some(format!(
            "the snapshot is wrong about {addresses} addresses; stop the server and remove the \
             file `snapshot`"
        )),
    });
    lines.push(format!(
        "{} faults; {segments} segments, {batches} batches, {records} records, {} to {}",
        report.faults.len(),
        first_lsn.0,
        last_lsn.0
    ));
    lines.join("\n") + "\n"
}
