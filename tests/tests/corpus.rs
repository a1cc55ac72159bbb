//! What the fuzzer has found worth keeping, as ordinary tests. The corpus of `store` is run by the
//! crate `lessor`.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

use lessor_tests::hostile;
use std::panic::catch_unwind;
use std::path::Path;

fn run(name: &str, target: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let entries = std::fs::read_dir(corpus.join(name)).expect("a corpus");
    let mut ran = 0;
    for entry in entries {
        let path = entry.expect("a file of the corpus").path();
        let octets = std::fs::read(&path).expect("a file that can be read");
        let told = catch_unwind(|| target(&octets));
        assert!(told.is_ok(), "{} does it", path.display());
        ran += 1;
    }
    assert!(ran > 5, "only {ran} files for {name}");
}

#[test]
fn no_frames_of_the_corpus_harm_the_server() {
    run("frames", hostile::frames);
}

#[test]
fn every_message_of_the_corpus_is_read_or_refused() {
    run("message", hostile::message);
}

#[test]
fn every_record_of_the_corpus_is_read_as_it_was_written_or_refused() {
    run("record", hostile::record);
}

#[test]
fn every_request_of_the_corpus_is_understood_or_refused() {
    run("request", hostile::request);
}

#[test]
fn every_capture_of_the_corpus_is_replayed_or_refused() {
    run("capture", hostile::capture);
}

#[test]
fn every_configuration_of_the_corpus_is_taken_or_refused_with_its_faults() {
    run("config", hostile::config);
}
