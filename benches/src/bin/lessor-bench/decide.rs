//! The rows of `decide`: the criterion bench of that name, and what it left behind.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use crate::bed::{SERVER_CORE, Site};
use crate::book::Book;
use crate::failure::{Because as _, Failure, Outcome, caught};

/// Row, bindings and what criterion calls it.
const BENCHES: [(&str, &str, &str); 11] = [
    ("decide/discover/1k", "1000", "DISCOVER, leased"),
    ("decide/request/1k", "1000", "REQUEST, leased"),
    ("decide/renew/1k", "1000", "renewal"),
    ("decide/discover/1m", "1000000", "DISCOVER, leased"),
    ("decide/request/1m", "1000000", "REQUEST, leased"),
    ("decide/renew/1m", "1000000", "renewal"),
    (
        "decide/discover-returning/1m",
        "1000000",
        "DISCOVER, returning",
    ),
    ("decide/request-offered/1m", "1000000", "REQUEST, offered"),
    ("decide/discover/10m", "10000000", "DISCOVER, leased"),
    ("decide/request/10m", "10000000", "REQUEST, leased"),
    ("decide/renew/10m", "10000000", "renewal"),
];

/// The rows of this file.
pub(crate) fn rows() -> impl Iterator<Item = &'static str> {
    BENCHES.into_iter().map(|(row, _, _)| row)
}

/// Runs the bench and enters its figures; `length` is that of the measurement of one of them.
pub(crate) fn measure(site: &Site, length: Duration, book: &mut Book) {
    let dir = site.stores.join("criterion");
    let said = caught(|| run(site, &dir, length));
    for (row, bindings, name) in BENCHES {
        let outcome = said.clone().and_then(|said| {
            let samples = samples(&dir.join(format!("decide_{bindings}")).join(name))?;
            for nanos in samples {
                book.add(row, nanos);
            }
            let pages = pages(&said, bindings).because("no word of the pages")?;
            book.note(row, pages);
            Ok(())
        });
        if let Err(failure) = outcome {
            book.fail(row, &failure.to_string());
        }
    }
    drop(fs::remove_dir_all(&dir));
}

/// Runs it on the server's core; what it said.
fn run(site: &Site, dir: &Path, length: Duration) -> Outcome<String> {
    site.go_on()?;
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let program = site
        .decide_bench
        .as_ref()
        .because("--decide-bench is not given")?;
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list"]);
    command.arg(SERVER_CORE.to_string()).arg(program);
    command.args(["--bench", "--noplot", "--sample-size", "10"]);
    command.args(["--warm-up-time", &seconds(length / 2)]);
    command.args(["--measurement-time", &seconds(length)]);
    command
        .env("CRITERION_HOME", dir)
        .env("BENCH_10M", "1")
        .env("RUST_BACKTRACE", "0");
    let output = command
        .stderr(Stdio::piped())
        .output()
        .because("the bench")?;
    site.go_on()?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let said = crate::bed::last_words(&complaint);
        return Err(Failure::new(format!(
            "the bench ended with {}: {said}",
            output.status
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Criterion's measurements: so often it ran, and how long that took, in nanoseconds.
#[derive(Deserialize)]
struct Sample {
    iters: Vec<f64>,
    times: Vec<f64>,
}

/// Nanoseconds a message of each measurement.
fn samples(dir: &Path) -> Outcome<Vec<f64>> {
    let file = dir.join("new").join("sample.json");
    let what = file.display().to_string();
    let text = fs::read_to_string(&file).because(&what)?;
    let sample: Sample = serde_json::from_str(&text).because(&what)?;
    let each = sample.times.iter().zip(&sample.iters);
    Ok(each.map(|(time, times)| time / times).collect())
}

/// What the bench said of the pages under its tables.
fn pages(said: &str, bindings: &str) -> Option<&'static str> {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{bindings} bindings: ")))?;
    match line {
        "huge pages" => Some("on huge pages"),
        _ => Some("not on huge pages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_a_time_for_so_many_messages() {
        let dir = tempfile::tempdir().unwrap();
        let new = dir.path().join("new");
        fs::create_dir(&new).unwrap();
        let text = r#"{"sampling_mode":"Linear","iters":[10.0,20.0],"times":[2000.0,5000.0]}"#;
        fs::write(new.join("sample.json"), text).unwrap();
        assert_eq!(samples(dir.path()), Ok(vec![200.0, 250.0]));
        assert!(samples(&new).is_err());
    }

    #[test]
    fn the_bench_says_on_which_pages_it_stands() {
        let said = "1000 bindings: ordinary pages\n1000000 bindings: huge pages\n";
        assert_eq!(pages(said, "1000"), Some("not on huge pages"));
        assert_eq!(pages(said, "1000000"), Some("on huge pages"));
        assert_eq!(pages(said, "10000000"), None);
    }
}
