//! What a start says when it cannot. Each test that starts runs a process of its own: a start is
//! once in one.

#![allow(
    clippy::unwrap_used,
    reason = "functions beside the tests fail as tests do"
)]

mod support;

use std::process::Command;
use std::sync::Mutex;

use dpdk::{Eal, EalConfig, EalError, LogLevel, Mempool, MempoolConfig};
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
    let pages = text.split("vm.nr_hugepages=").nth(1);
    let pages = pages.and_then(|rest| rest.split('`').next()).unwrap();
    // Those that others use come on top.
    assert!(pages.parse::<u64>().unwrap() >= 1 << 23, "{text}");
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
fn further_arguments_reach_dpdk() {
    let (passed, text) = alone(&[], "child_starts_with_further_arguments");
    assert!(passed, "{text}");
    for nothing in ["", "--", "a\0b"] {
        let asked = EalConfig {
            extra: vec![nothing.to_owned()],
            ..config()
        };
        let error = Eal::start(&asked).unwrap_err();
        assert!(error.to_string().contains("further argument"), "{error}");
    }
}

#[test]
#[ignore = "run by further_arguments_reach_dpdk"]
fn child_starts_with_further_arguments() {
    static VDEVS: Mutex<bool> = Mutex::new(false);
    let asked = EalConfig {
        extra: vec![
            "--vdev=net_null77".to_owned(),
            "--log-level=pmd.net.null:info".to_owned(),
        ],
        log_level: LogLevel::Debug,
        log: Some(|_, line| *VDEVS.lock().unwrap() |= line.contains("Configure pmd_null")),
        ..config()
    };
    Eal::start(&asked).unwrap();
    assert!(*VDEVS.lock().unwrap(), "the device is made at the start");
}

#[test]
fn without_permission_the_error_says_to_run_as_root() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: giving up root needs root");
        return;
    }
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

#[test]
fn the_log_goes_where_it_is_asked_to() {
    let (passed, text) = alone(&[], "child_logs");
    assert!(passed, "{text}");
    assert!(!text.contains("EAL:"), "{text}");
}

static LINES: Mutex<Vec<(LogLevel, String)>> = Mutex::new(Vec::new());

#[test]
#[ignore = "run by the_log_goes_where_it_is_asked_to"]
fn child_logs() {
    let asked = EalConfig {
        log_level: LogLevel::Info,
        log: Some(|level, line| LINES.lock().unwrap().push((level, line.to_owned()))),
        ..config()
    };
    Eal::start(&asked).unwrap();
    let lines = LINES.lock().unwrap();
    let heard = |part: &str| lines.iter().any(|(_, line)| line.contains(part));
    assert!(heard("Detected CPU lcores"), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|(level, line)| *level <= LogLevel::Info && !line.ends_with('\n'))
    );
}

#[test]
fn threads_of_dpdks_own_stay_on_the_housekeeping_cpus() {
    let cpus = dpdk::affinity::current().unwrap();
    if cpus.len() < 2 {
        eprintln!("SKIPPED: one CPU is no choice");
        return;
    }
    let (passed, text) = alone(&[], "child_keeps_house");
    assert!(passed, "{text}");
}

#[test]
#[ignore = "run by threads_of_dpdks_own_stay_on_the_housekeeping_cpus"]
fn child_keeps_house() {
    let cpus = dpdk::affinity::current().unwrap();
    let last = *cpus.last().unwrap();
    let before: Vec<_> = threads().into_iter().map(|(thread, _)| thread).collect();
    let asked = EalConfig {
        housekeeping: vec![last],
        ..config()
    };
    Eal::start(&asked).unwrap();
    let started: Vec<_> = threads()
        .into_iter()
        .filter(|(thread, _)| !before.contains(thread))
        .collect();
    assert!(!started.is_empty(), "DPDK has a thread for interrupts");
    let confined = last.to_string();
    assert!(
        started.iter().all(|(_, allowed)| *allowed == confined),
        "{started:?}"
    );
    assert_eq!(dpdk::affinity::current().unwrap(), cpus);
}

/// The threads of this process, each with the CPUs it may run on.
fn threads() -> Vec<(String, String)> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let allowed = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).ok()?;
        let line = status
            .lines()
            .find(|line| line.starts_with("Cpus_allowed_list:"))?;
        let cpus = line.split_whitespace().nth(1)?.to_owned();
        Some((task.file_name().to_string_lossy().into_owned(), cpus))
    };
    tasks.flatten().filter_map(allowed).collect()
}

#[test]
fn housekeeping_cpus_that_are_not_there_are_refused() {
    for cpus in [vec![1023], vec![1 << 20]] {
        let asked = EalConfig {
            housekeeping: cpus,
            ..config()
        };
        let error = Eal::start(&asked).unwrap_err();
        assert!(matches!(error, EalError::Thread(_)), "{error}");
    }
}

#[test]
fn buffers_lie_on_huge_pages_when_there_are_some() {
    let free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    let free = std::fs::read_to_string(free).unwrap_or_default();
    if free.trim().parse().unwrap_or(0) < 16 {
        eprintln!("SKIPPED: fewer than 16 free huge pages of 2 MiB");
        return;
    }
    let (passed, text) = alone(&[], "child_uses_huge_pages");
    assert!(passed, "{text}");
}

#[test]
#[ignore = "run by buffers_lie_on_huge_pages_when_there_are_some"]
fn child_uses_huge_pages() {
    let asked = EalConfig {
        no_huge: false,
        memory_mib: Some(8),
        ..config()
    };
    let eal = Eal::start(&asked).unwrap();
    let pool = MempoolConfig {
        name: "huge".to_owned(),
        mbufs: 1023,
        cache: 0,
        data_room: 2048,
    };
    let mbuf = Mempool::create(eal, pool).unwrap().alloc().unwrap();
    let address = mbuf.data().as_ptr().addr();
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    let mut page = None;
    for line in smaps.lines() {
        let mut words = line.split_whitespace();
        let first = words.next().unwrap();
        if let Some((from, to)) = first.split_once('-') {
            let hex = |text| usize::from_str_radix(text, 16).unwrap();
            inside = (hex(from)..hex(to)).contains(&address);
        } else if inside && first == "KernelPageSize:" {
            page = words.next();
        }
    }
    assert_eq!(page, Some("2048"));
}
