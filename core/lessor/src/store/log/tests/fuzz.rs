//! Hostile stores: what the fuzzer has found worth keeping, and seeded ones.
//!
//! `LESSOR_ROUNDS` says how many of those, `LESSOR_SEED` which one is the first.

use super::power::Dice;
use super::simulation::number;
use crate::store::log::fuzz;
use std::panic::catch_unwind;
use std::path::Path;

const ROUNDS: u64 = 2000;
const CORPUS: &str = "../../tests/fuzz/corpus/store";

/// Octets for a run: server's work for the most part, then damage for the most part.
fn program(seed: u64) -> Vec<u8> {
    let mut dice = Dice::new(seed);
    let mut octet = |sides| u8::try_from(dice.roll(sides)).unwrap();
    let mut octets = vec![octet(256), octet(256)];
    for _ in 0..octet(24) {
        // Commits have three octets behind them, whatever else takes what is there.
        octets.extend([octet(0x80), octet(256), octet(256), octet(256)]);
    }
    for _ in 0..octet(8) {
        let sides = if octet(4) == 0 { 0x60 } else { 0x20 };
        octets.push(0x80 + octet(sides));
        for _ in 0..octet(6) {
            octets.push(octet(256));
        }
    }
    for _ in 0..octet(12) {
        octets.push(octet(256));
    }
    octets
}

#[test]
fn no_hostile_store_does_harm() {
    let first = number("LESSOR_SEED", 1);
    for seed in first..first + number("LESSOR_ROUNDS", ROUNDS) {
        let told = catch_unwind(|| fuzz::store(&program(seed)));
        assert!(
            told.is_ok(),
            "LESSOR_SEED={seed} LESSOR_ROUNDS=1 repeats it"
        );
    }
}

#[test]
fn no_store_of_the_corpus_does_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join(CORPUS);
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        let told = catch_unwind(|| fuzz::store(&octets));
        assert!(told.is_ok(), "{} does it", path.display());
    }
}
