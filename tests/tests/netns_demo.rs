//! `make run` does what it says, twice, and leaves nothing behind.

#![allow(clippy::panic, reason = "what fails ends the test with its message")]

use std::path::Path;
use std::process::{self, Command};

use lessor_tests::process::run;
use lessor_tests::{lessor, may_make_namespaces};

#[test]
fn make_run_shows_a_lease_twice_and_leaves_nothing() {
    if !may_make_namespaces() {
        return;
    }
    let name = format!("lessor-demo-{}", process::id());
    for _ in 0..2 {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/run.sh");
        let mut show = Command::new(script);
        show.arg(lessor::binary()).arg("--once");
        let shown = run(show.env("LESSOR_DEMO", &name));
        for line in ["lease of 10.77.0.", "sending renew", "sending release"] {
            assert!(shown.contains(line), "{line} is missing in\n{shown}");
        }
        let namespaces = run(Command::new("ip").args(["netns", "list"]));
        assert!(!namespaces.contains(&name), "{namespaces}");
        assert!(!Path::new("/run").join(&name).exists());
    }
}
