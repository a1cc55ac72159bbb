//! `lessor store`.

use std::io::{self, Write as _};

use clap::Subcommand;
use serde_json::json;

use super::{ConfigFile, Failure, Output, StoreDirectory, write_json};
use crate::exit::Exit;
use crate::store::log::{Fault, Report};
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
}

impl Action {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let Self::Verify {
            file,
            store,
            output,
        } = self;
        let report = verify(&store.path(&file)?)?;
        let mut out = io::stdout().lock();
        if output.json {
            write_json(&mut out, &to_json(&report))?;
        } else {
            write!(out, "{}", to_text(&report))?;
        }
        Ok(if report.faults.is_empty() {
            Exit::Ok
        } else {
            Exit::DataError
        })
    }
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
        "ok": report.faults.is_empty(),
        "segments": report.segments,
        "void_segments": report.void_segments,
        "batches": report.batches,
        "records": report.records,
        "first_lsn": report.first_lsn.0,
        "last_lsn": report.last_lsn.0,
        "torn_tail": report.torn_tail.as_ref().map(torn),
        "faults": report.faults.iter().map(fault).collect::<Vec<_>>(),
    })
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
    lines.push(format!(
        "{} faults; {segments} segments, {batches} batches, {records} records, {} to {}",
        report.faults.len(),
        first_lsn.0,
        last_lsn.0
    ));
    lines.join("\n") + "\n"
}
