//! What a start says when it cannot. Each test that starts runs a process of its own: a start is
//! once in one.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use std::process::Command;

use dpdk::{Eal, EalConfig, EalError};
use support::{config, eal};

/// Runs the ignored test `name` in a process of its own, under `wrapper`.
fn alone(wrapper: &[&str], name: &str) -> (bool, String) {
    let this = std::env::current_exe().unwrap();
    let mut words = wrapper
        .iter()
        .map(std::ffi::OsString::from)
        .collect::<Vec<_>>();
    words.push(this.into());
    words.extend(["--exact", name, "--ignored", "--nocapture"].map(Into::into));
    let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

#[test]
fn a_second_start_is_an_error() {
    eal();
    let second = Eal::start(&config());
    assert!(
        matches!(second, Err(EalError::AlreadyStarted)),
        "{second:?}"
    );
}

#[test]
fn the_callers_cpus_stay_as_they_were() {
    let before = dpdk::affinity::current().unwrap();
    eal();
    assert_eq!(dpdk::affinity::current().unwrap(), before);
    let spawned = std::thread::spawn(|| dpdk::affinity::current().unwrap());
    assert_eq!(spawned.join().unwrap(), before);
}

#[test]
fn a_start_says_nothing_on_standard_error() {
    let (passed, text) = alone(&[], "child_starts_quietly");
    assert!(passed, "{text}");
    assert!(!text.contains("EAL"), "{text}");
}

#[test]
#[ignore = "run by a_start_says_nothing_on_standard_error"]
fn child_starts_quietly() {
    eal();
}

#[test]
fn more_huge_pages_than_there_are_is_an_error_that_says_what_to_do() {
    let asked = EalConfig {
        no_huge: false,
        memory_mib: Some(1 << 24),
        ..config()
    };
    let error = Eal::start(&asked).unwrap_err();
    assert!(matches!(
        error,
        EalError::NoHugePages {
            wanted_mib: 0x0100_0000,
            ..
        }
    ));
    let text = error.to_string();
    assert!(text.contains("vm.nr_hugepages=8388608"), "{text}");
    assert!(text.contains("no_huge"), "{text}");
}

#[test]
fn an_argument_that_would_be_another_is_refused() {
    let with = |prefix: &str, pci: &[&str], vdevs: &[&str]| EalConfig {
        file_prefix: prefix.to_owned(),
        pci: pci.iter().map(|&device| device.to_owned()).collect(),
        vdevs: vdevs.iter().map(|&device| device.to_owned()).collect(),
        ..config()
    };
    for (asked, culprit) in [
        (with("", &[], &[]), "file prefix"),
        (with("a/b", &[], &[]), "a/b"),
        (with("a\0b", &[], &[]), "file prefix"),
        (with("a", &["01:00.0", "eth0"], &[]), "eth0"),
        (with("a", &[], &["--no-pci"]), "--no-pci"),
    ] {
        let error = Eal::start(&asked).unwrap_err();
        assert!(matches!(&error, EalError::BadArgument { .. }), "{error}");
        assert!(error.to_string().contains(culprit), "{error}");
    }
}

#[test]
fn without_permission_the_error_says_to_run_as_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: giving up root needs root");
        return;
    }
    // The test's file may lie where nobody else can look: it is open before root is given up.
    let (passed, text) = alone(&[], "child_starts_without_permission");
    assert!(passed, "{text}");
}

#[test]
#[ignore = "run by without_permission_the_error_says_to_run_as_root"]
fn child_starts_without_permission() {
    use rustix::thread::{Uid, set_thread_res_uid};
    let nobody = Uid::from_raw(65534);
    set_thread_res_uid(nobody, nobody, nobody).unwrap();
    // Files in a folder of root's are what a start without `in_memory` needs.
    let asked = EalConfig {
        in_memory: false,
        no_huge: false,
        memory_mib: Some(2),
        ..config()
    };
    let error = Eal::start(&asked).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, EalError::Permission { .. }), "{text}");
    assert!(text.contains("run as root"), "{text}");
}
