//! How long a start takes, from page cache and cold, beside reading the same octets; and what the
//! index takes of memory.
//!
//! Two stores: one closed in order (its snapshot knows all), and one whose server was killed just
//! before it would have written the next snapshot. Each measurement is a process of its own.

use crate::house::{settle, watched};
use crate::scratch::{Scratch, parent};
use crate::tally::{cpu_of_all, heading, resident, spread, verdict};
use dhcp_proto::identity::HashKey;
use dhcp_proto::restart::Reading;
use lessor::appliance::bindings;
use lessor::config::Server;
use lessor::dataplane::clock::Clock;
use lessor::store::{Log, LogOptions, Recovered, Store as _};
use lessor_benches::fill::{AgentInfo::Usual, TIME, chill, contents, in_disorder, lease_all};
use lessor_benches::spec;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

pub(crate) const ROUNDS: usize = 3;
/// Seconds from page cache and cold that a start with ten million bindings may take.
const GOAL: (f64, f64) = (3.0, 6.0);
const FIRST_SLICE: f64 = 20.0;

pub(crate) fn run(bindings: u32, rounds: usize) {
    let dir = parent().join(format!("lessor-storage-{bindings}"));
    if !dir.join("made").exists() {
        make(&dir, bindings);
    }
    heading(&format!("start with {bindings} bindings"));
    println!(
        "| store | octets | from | plain read s | open s | walk s | open and walk beside plain | \
         open and shards s (lowest - highest) | of it shards | CPU s | goal | RSS after open, a binding |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|"
    );
    for store in ["closed", "killed"] {
        for cold in [false, true] {
            row(&dir, store, (bindings, rounds), cold);
        }
    }
    if std::env::var_os("STORE_KEEP").is_none() {
        fs::remove_dir_all(&dir).expect("the bench's own directory");
    }
}

/// Both stores.
fn make(dir: &Path, bindings: u32) {
    // Of a run that was ended.
    let _none = fs::remove_dir_all(dir);
    fs::create_dir(dir).expect("a directory for the bench");
    let closed = dir.join("closed");
    let mut log = open(&closed);
    for (name, pass) in ["leases", "renewals"].into_iter().zip(0..) {
        watched(&mut log, &in_disorder(bindings, pass), name);
    }
    settle(&log);
    log.close().expect("a store closed in order");
    drop(log);
    let killed = Scratch::linked(&closed);
    let mut log = open(killed.path());
    let before = log.house_meter().view();
    // A snapshot is due when as much was written as is live.
    let clients = in_disorder(bindings, 2);
    let (most, _) = clients.split_at(clients.len() / 10 * 9);
    lease_all(&mut log, most, Usual, |_| true);
    settle(&log);
    let after = log.house_meter().view();
    assert!(bindings < 10_000_000 || after.snapshot_lsn == before.snapshot_lsn);
    drop(log);
    let renamed = dir.join("killed");
    fs::create_dir(&renamed).expect("a directory for the bench");
    for file in contents(killed.path())
        .iter()
        .chain([&killed.path().join("format")])
    {
        let name = file.file_name().expect("a file");
        fs::rename(file, renamed.join(name)).expect("a file moved");
    }
    File::create(dir.join("made")).expect("a file");
}

fn open(dir: &Path) -> Log {
    let (recovered, mut log) = Log::open(dir, LogOptions::default()).expect("a log");
    log.keep_house(recovered).expect("a thread");
    log
}

fn row(dir: &Path, store: &str, (bindings, rounds): (u32, usize), cold: bool) {
    let path = dir.join(store);
    let measure = |what: &str| -> Vec<f64> {
        if cold {
            chill(&path);
        }
        child(what, bindings, &path)
    };
    // Once for nothing: then all is in the page cache.
    let [octets, _] = *measure("read") else {
        return;
    };
    let (mut plain, mut opens, mut walks) = (Vec::new(), Vec::new(), Vec::new());
    let (mut alls, mut shards, mut cpus, mut memory) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for _ in 0..rounds {
        let [_, read] = *measure("read") else { return };
        let [open, walk, rss] = *measure("walk") else {
            return;
        };
        let [opened, restored, _, cpu] = *measure("restore") else {
            return;
        };
        plain.push(read);
        opens.push(open);
        walks.push(walk);
        alls.push(opened + restored);
        shards.push(restored);
        cpus.push(cpu);
        memory = rss;
    }
    let middle = |values: &[f64]| spread(values).0;
    let (all, lowest, highest) = spread(&alls);
    let both: Vec<f64> = opens.iter().zip(&walks).map(|(o, w)| o + w).collect();
    let goal = if cold { GOAL.1 } else { GOAL.0 };
    println!(
        "| {store} | {:.0} MiB | {} | {:.2} | {:.2} | {:.2} | {:.1} | {all:.2} ({lowest:.2} - \
         {highest:.2}) | {:.2} | {:.1} | {goal} s: {}; {FIRST_SLICE} s: {} | {:.1} |",
        octets / f64::from(1 << 20),
        if cold { "cold" } else { "page cache" },
        middle(&plain),
        middle(&opens),
        middle(&walks),
        middle(&both) / middle(&plain),
        middle(&shards),
        middle(&cpus),
        verdict(all <= goal),
        verdict(all <= FIRST_SLICE),
        memory / f64::from(bindings),
    );
}

fn child(what: &str, bindings: u32, dir: &Path) -> Vec<f64> {
    let this = std::env::current_exe().expect("this program");
    let output = Command::new(this)
        .args(["measure", what, &bindings.to_string()])
        .arg(dir)
        .output()
        .expect("this program again");
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().last().unwrap_or_default();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    told.split(' ')
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// One measurement; prints its figures.
pub(crate) fn measure(what: &str, bindings: u32, dir: &Path) {
    match what {
        "read" => {
            let begin = Instant::now();
            let octets: u64 = contents(dir).iter().map(read).sum();
            println!("{octets} {}", begin.elapsed().as_secs_f64());
        }
        "walk" => {
            let (before, begin) = (resident(), Instant::now());
            let (recovered, log) = Log::open(dir, LogOptions::default()).expect("a log");
            let opened = begin.elapsed().as_secs_f64();
            let memory = resident() - before;
            let begin = Instant::now();
            let mut count = 0;
            let walked = recovered.for_each_newest(|_, _| count += 1);
            walked.expect("a sound store");
            assert_eq!(count, bindings);
            println!("{opened} {} {memory}", begin.elapsed().as_secs_f64());
            drop(log);
        }
        _ => {
            let (before, begin) = (resident(), Instant::now());
            let (recovered, _log) = Log::open(dir, LogOptions::default()).expect("a log");
            let opened = begin.elapsed().as_secs_f64();
            let begin = Instant::now();
            restore(&recovered, bindings);
            let restored = begin.elapsed().as_secs_f64();
            let memory = resident() - before;
            println!("{opened} {restored} {memory} {}", cpu_of_all());
        }
    }
}

fn read(path: &PathBuf) -> u64 {
    let mut file = File::open(path).expect("a file");
    let mut buffer = vec![0; 1 << 20];
    let mut octets = 0;
    loop {
        match file.read(&mut buffer).expect("octets") {
            0 => return octets,
            read => octets += read as u64,
        }
    }
}

/// What the appliance does between its store and its ports.
fn restore(recovered: &Recovered, bindings: u32) {
    let server = Server {
        bindings,
        agent_info_octets: 32,
        ..Server::default()
    };
    let config = bindings::configure(spec(bindings), Some(recovered));
    let clock = Clock::start(TIME);
    let shards = bindings::shards(&server, &config, HashKey([7; 16]), &clock);
    let mut shards = shards.expect("memory for the tables");
    let reading = Reading::at(clock.now().secs());
    let restored = bindings::restore(&mut shards, &config, recovered, &reading);
    drop(restored.expect("a sound store"));
    let active: u64 = shards.iter().map(|shard| shard.counts().active).sum();
    assert_eq!(active, u64::from(bindings));
}
