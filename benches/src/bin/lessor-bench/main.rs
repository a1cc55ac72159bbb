//! `make bench`: Lessor, the yardstick and the peers in turns, and single parts of Lessor, as one
//! table, `target/bench/report.json` and `target/bench/report.svg`.
//!
//! ```text
//!   rows: names, bars        ┌── contests ── bed: namespaces, memif, cores
//!     │                      │      └─ load (lessor-load) against server · peers · testpmd
//!     ▼                      ├── durable ── pipeline
//!   report ◄── book: runs ◄──┼── decide ── criterion
//!     └► picture             └── restart ── meter
//! ```
//!
//! A row that fails is in the report with its reason, and does not end the run; the exit status
//! then says so. Everything runs in namespaces and folders of its own, which are gone at the end,
//! after Ctrl-C too.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program for people who measure: it prints, and its numbers are far from the ends of \
              their types"
)]

mod bed;
mod book;
mod contests;
mod decide;
mod durable;
mod failure;
mod load;
mod machine;
mod meter;
mod pages;
mod peers;
mod picture;
mod pipeline;
mod report;
mod restart;
mod rows;
mod server;
mod testpmd;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};

use bed::Site;
use book::Book;
use contests::{CONTENDERS, Effort};
use failure::{Because as _, Outcome, caught};
use machine::Machine;
use pages::HugePages;
use report::Report;

/// Huge pages for the tables of ten million bindings, and DPDK's own.
const HUGE_PAGES: u64 = 1400;

/// Measures Lessor beside its yardstick and its peers.
#[derive(Debug, Parser)]
#[command(name = "lessor-bench")]
struct Args {
    /// Shorter runs and fewer of them: the same rows with less certainty
    #[arg(long)]
    quick: bool,
    /// Rows whose names begin so; all without it
    #[arg(long = "rows", value_name = "NAME")]
    rows: Vec<String>,
    /// Turns of each contender
    #[arg(long)]
    rounds: Option<usize>,
    /// Folder of the report
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// Folder of the stores, on a disk; that of the report without it
    #[arg(long)]
    store_dir: Option<PathBuf>,
    /// The program of the criterion bench `decide`, as cargo has built it
    #[arg(long, value_name = "FILE")]
    decide_bench: Option<PathBuf>,
    /// Says the names of all rows, and ends
    #[arg(long)]
    list: bool,
}

impl Args {
    fn effort(&self) -> Effort {
        let (rounds, warm_up, length) = if self.quick {
            (2, 500, 1500)
        } else {
            (5, 2000, 4000)
        };
        Effort {
            rounds: self.rounds.unwrap_or(rounds),
            warm_up: Duration::from_millis(warm_up),
            length: Duration::from_millis(length),
        }
    }

    fn wants(&self, row: &str) -> bool {
        self.rows.is_empty()
            || self
                .rows
                .iter()
                .any(|begin| row.starts_with(begin.as_str()))
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    if args.list {
        for row in rows::ROWS {
            println!("{}", row.name);
        }
        return ExitCode::SUCCESS;
    }
    match site(&args).and_then(|site| bench(&args, &site)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("lessor-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn site(args: &Args) -> Outcome<Site> {
    fs::create_dir_all(&args.out).because("the report's folder")?;
    let stores = args
        .store_dir
        .as_ref()
        .unwrap_or(&args.out)
        .join("lessor-bench-stores");
    fs::create_dir_all(&stores).because("the stores' folder")?;
    let this = std::env::current_exe().because("the path of this program")?;
    let stopped = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second time it ends at once, and the next run tidies up.
        let again =
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stopped));
        again.because("a handler for Ctrl-C")?;
        let first = signal_hook::flag::register(signal, Arc::clone(&stopped));
        first.because("a handler for Ctrl-C")?;
    }
    Ok(Site {
        stores: stores.canonicalize().because("the stores' folder")?,
        decide_bench: args.decide_bench.clone(),
        programs: this.parent().because("target/release")?.to_owned(),
        stopped,
    })
}

/// Measures what is wanted and reports; whether each row has its figure.
fn bench(args: &Args, site: &Site) -> Outcome<bool> {
    let machine = Machine::here(&site.stores);
    let pages = HugePages::reserve(HUGE_PAGES);
    let effort = args.effort();
    let mut book = Book::default();
    contests(args, site, &effort, &mut book);
    durable(args, site, &effort, &mut book);
    if decide::rows().any(|row| args.wants(row)) {
        progress("decide", || {
            decide::measure(site, effort.length / 2, &mut book);
        });
    }
    for size in &restart::SIZES {
        if size.rows.iter().any(|row| args.wants(row)) {
            let runs = if args.quick { 1 } else { 3 };
            progress(size.rows[0], || {
                restart::measure(site, size, runs, &mut book);
            });
        }
    }
    drop(pages);
    drop(fs::remove_dir_all(&site.stores));
    let report = Report::new(machine, (args.quick, effort.rounds), &book);
    write(args, &report)?;
    site.go_on()?;
    Ok(report.is_complete())
}

fn contests(args: &Args, site: &Site, effort: &Effort, book: &mut Book) {
    for round in 1..=effort.rounds {
        for contender in CONTENDERS {
            if site.go_on().is_ok() && contender.rows.iter().any(|row| args.wants(row)) {
                let what = format!("round {round} of {}: {}", effort.rounds, contender.rows[0]);
                progress(&what, || contests::turn(contender, site, effort, book));
            }
        }
    }
}

fn durable(args: &Args, site: &Site, effort: &Effort, book: &mut Book) {
    let rows = [durable::PIPELINE, durable::ACK];
    if !rows.iter().any(|row| args.wants(row)) {
        return;
    }
    let rounds = effort.rounds;
    for round in 1..=rounds {
        let what = format!("round {round} of {rounds}: {}", durable::ACK);
        let outcome = progress(&what, || caught(|| durable::measure(site, effort, book)));
        match outcome {
            Ok(figures) => figures
                .into_iter()
                .for_each(|(row, value)| book.add(row, value)),
            Err(failure) => rows
                .iter()
                .for_each(|row| book.fail(row, &failure.to_string())),
        }
    }
}

/// Says on the terminal what is being done, and how long it took.
fn progress<T>(what: &str, work: impl FnOnce() -> T) -> T {
    eprint!("{what} ...");
    let begin = Instant::now();
    let done = work();
    eprintln!(" {:.1} s", begin.elapsed().as_secs_f64());
    done
}

fn write(args: &Args, report: &Report) -> Outcome<()> {
    let table = report.table();
    println!("{table}");
    let json = serde_json::to_string_pretty(report).because("the report")?;
    for (name, text) in [
        ("report.json", json),
        ("report.md", table),
        ("report.svg", picture::svg(report)),
    ] {
        fs::write(args.out.join(name), text).because(name)?;
    }
    Ok(())
}
