//! `lessor store repair`.

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use super::super::{Failure, Output, write_json};
use crate::exit::Exit;
use crate::store::log::{self, Plan, Replacement};

/// Says what would be done, or does it.
pub(super) fn execute(directory: &Path, yes: bool, output: Output) -> Result<Exit, Failure> {
    let plan = if yes {
        log::repair(directory)?
    } else {
        log::plan(directory)?
    };
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, &to_json(&plan, yes))?;
    } else {
        write!(out, "{}", to_text(&plan, yes))?;
    }
    Ok(if yes || plan.is_empty() {
        Exit::Ok
    } else {
        Exit::DataError
    })
}

fn to_json(plan: &Plan, done: bool) -> serde_json::Value {
    let replaced = |replaced: &Replacement| {
        let fault = |fault: &log::Fault| {
            json!({
                "file": fault.file_name(),
                "offset": fault.offset,
                "message": fault.what.to_string(),
            })
        };
        json!({
            "faults": replaced.faults.iter().map(fault).collect::<Vec<_>>(),
            "files": replaced.files.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "by": replaced.by.to_string(),
            "records_saved": replaced.saved,
            "records_lost": replaced.lost,
            "octets_lost": replaced.lost_octets,
            "first_lsn": replaced.lsns.0.0,
            "last_lsn": replaced.lsns.1.0,
        })
    };
    json!({
        "sound": plan.is_empty(),
        "done": done,
        "replaced": plan.replaced.iter().map(replaced).collect::<Vec<_>>(),
        "format_written": plan.format,
        "snapshot_set_aside": plan.snapshot,
    })
}

fn to_text(plan: &Plan, done: bool) -> String {
    if plan.is_empty() {
        return "the store is sound, there is nothing to repair\n".into();
    }
    let mut lines = Vec::new();
    for replaced in &plan.replaced {
        lines.extend(replaced.faults.iter().map(ToString::to_string));
        lines.push(loss(replaced, done));
    }
    if plan.format {
        lines.push("the file `format` is unreadable; it is written anew".into());
    }
    if plan.snapshot {
        lines.push("the snapshot may speak of what is lost; it is set aside".into());
    }
    lines.push(if done {
        "repaired; copies of what was replaced are in the directory as `damaged-…`".into()
    } else {
        "nothing has been changed; `lessor store repair --yes` does it and keeps copies".into()
    });
    lines.join("\n") + "\n"
}

/// What becomes of the records of a replaced stretch.
fn loss(replaced: &Replacement, done: bool) -> String {
    let Replacement {
        saved,
        lost,
        lost_octets,
        lsns: (first, last),
        ..
    } = replaced;
    let (are, would) = if done {
        ("are", "are")
    } else {
        ("can be", "would be")
    };
    let of_merged = replaced.files.iter().any(|file| file.from.is_some());
    let losses = if of_merged {
        format!("{lost_octets} octets of records {would} lost")
    } else {
        format!("{lost} {would} lost ({lost_octets} octets)")
    };
    let tail = if *lost_octets > 0 || replaced.lost > 0 {
        "; their addresses go back to what an older record says, or are free"
    } else {
        ""
    };
    format!("  of the records {first} to {last} {saved} {are} saved, {losses}{tail}")
}
