//! `lessor-tests simulate --seed N [--steps N]`: repeats a simulation step by step, with a trace.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a program for who looks at a failed seed"
)]

use std::io::Write as _;

use clap::{Parser, Subcommand};
use lessor_tests::simulation::{Trace, simulate};

#[derive(Parser)]
#[command(name = "lessor-tests", about = "What the tests of Lessor do, by hand")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays one seed of the whole-server simulation and says what happens in it
    Simulate {
        /// The seed, as a failed test names it
        #[arg(long)]
        seed: u64,
        /// Steps before everything calms down
        #[arg(long, default_value_t = 10_000)]
        steps: u64,
        /// No trace, the sums alone
        #[arg(long)]
        quiet: bool,
    },
}

fn main() {
    let Command::Simulate { seed, steps, quiet } = Arguments::parse().command;
    let trace = if quiet {
        Trace::none()
    } else {
        let mut out = std::io::BufWriter::new(std::io::stdout());
        // A panic ends the program before the buffer would be written.
        Trace::to(move |line| {
            let _closed = writeln!(out, "{line}").and_then(|()| out.flush());
        })
    };
    println!("{:#?}", simulate(seed, steps, trace));
}
