//! The storage engine by its bars: what a commit costs beside a bare append and fdatasync, with
//! and without the merge; how long a start takes beside reading the same octets; what the index
//! and the housekeeper cost.
//!
//! ```text
//!   cargo bench -p lessor-benches --bench storage -- commit            some 2 min, 2 GB of disk
//!   cargo bench -p lessor-benches --bench storage -- start 10000000    some 5 min, 7 GB of disk
//!   cargo bench -p lessor-benches --bench storage -- house 2000000     indexing and merging
//!   cargo bench -p lessor-benches --bench storage -- quick             a little of all, < 1 min
//! ```
//!
//! Everything is measured in turns in one run (bare, log, log with merge, bare, ...), because the
//! device and the cores are shared with whoever else uses the machine: only figures of one run
//! may be compared. A row says medians of its turns, their lowest and highest, and percentiles of
//! all commits of all turns.
//!
//! `STORE_DIR=/path` is where it writes, the temporary directory without; on a tmpfs the figures
//! say nothing. `STORE_KEEP=1` leaves the stores of `start` there for the next run.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that cannot start ends, and its figures are printed"
)]

mod commit;
mod house;
mod scratch;
mod start;
mod tally;

use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"))
        .collect();
    match words.as_slice() {
        ["commit"] => commit::run(&commit::THOROUGH),
        ["start", bindings] => start::run(number(bindings), start::ROUNDS),
        ["start", bindings, rounds] => start::run(number(bindings), number(rounds) as usize),
        ["house", bindings] => house::run(number(bindings)),
        // How `start` runs each of its measurements, in a process of its own.
        ["measure", what, bindings, dir] => start::measure(what, number(bindings), Path::new(dir)),
        [] | ["quick"] => {
            commit::run(&commit::QUICK);
            start::run(200_000, 1);
            house::run(400_000);
        }
        _ => println!("commit | start BINDINGS [ROUNDS] | house BINDINGS | quick"),
    }
}

fn number(text: &str) -> u32 {
    text.replace('_', "").parse().expect("a number of bindings")
}
