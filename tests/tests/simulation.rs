//! The whole server under thousands of clients: see `lessor_tests::simulation`.
//!
//! `LESSOR_ROUNDS` says how many seeds, `LESSOR_SEED` which one is the first, `LESSOR_STEPS` how
//! long each is played.
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use lessor_tests::simulation::{Tally, Trace, simulate};
use std::panic::catch_unwind;

const ROUNDS: u64 = 50;
const STEPS: u64 = 10_000;

fn number(name: &str, usual: u64) -> u64 {
    let told = std::env::var(name).ok();
    told.map_or(usual, |text| text.parse().expect("a number"))
}

#[test]
fn what_clients_believe_holds_whatever_happens() {
    let (first, rounds) = (number("LESSOR_SEED", 1), number("LESSOR_ROUNDS", ROUNDS));
    let steps = number("LESSOR_STEPS", STEPS);
    let mut all = Tally::default();
    for seed in first..first + rounds {
        let Ok(tally) = catch_unwind(|| simulate(seed, steps, Trace::none())) else {
            panic!(
                "cargo run -p lessor-tests -- simulate --seed {seed} --steps {steps} repeats it"
            );
        };
        all = all.plus(&tally);
    }
    eprintln!("{rounds} seeds from {first} on: {all:#?}");
    if rounds >= ROUNDS && steps >= STEPS {
        assert!(all.acks > 100_000 && all.naks > 500, "{all:?}");
        assert!(all.starts > 500 && all.held_clocks > 3, "{all:?}");
        assert!(all.reloads > 200, "{all:?}");
        assert!(all.joined > 100 && all.divided > 100, "{all:?}");
        assert!(all.judged_naks > 100 && all.informs > 1000, "{all:?}");
        assert!(all.stations > 20 && all.spoofed > 10_000, "{all:?}");
        let (made, removed) = all.reservations;
        assert!(made > 200 && removed > 50, "{all:?}");
        for silence in [
            "declined",
            "released",
            "no_address",
            "superseded",
            "handed_over",
        ] {
            assert!(all.silences.get(silence) > Some(&100), "{silence}: {all:?}");
        }
        // What a clock takes away from the checks is the exception.
        assert!(all.cut * 10 < all.acks, "{all:?}");
    }
}
