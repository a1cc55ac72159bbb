//! Figures: percentiles, medians, and what the system says of this process.

use std::fs;
use std::time::Duration;

/// Lengths of time, to be asked for percentiles.
#[derive(Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn sum(&self) -> Duration {
        self.0.iter().sum()
    }

    /// The time that `per_mille` of a thousand took at most, in milliseconds.
    pub(crate) fn percentile(&mut self, per_mille: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * per_mille).div_ceil(1000).max(1) - 1;
        let took = self.0.get(at).copied().unwrap_or_default();
        took.as_secs_f64() * 1e3
    }
}

/// Median, lowest and highest.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |i: usize| sorted.get(i).copied().unwrap_or(f64::NAN);
    let middle = if sorted.len().is_multiple_of(2) {
        let upper = sorted.len() / 2;
        f64::midpoint(at(upper.saturating_sub(1)), at(upper))
    } else {
        at(sorted.len() / 2)
    };
    (middle, at(0), at(sorted.len().saturating_sub(1)))
}

/// Whether a bar is met.
pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "PASS" } else { "FALLS SHORT" }
}

/// Octets of this process in memory.
pub(crate) fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}

/// Seconds on a core, of this process with all threads that it had.
pub(crate) fn cpu_of_all() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("stat");
    stat.rsplit_once(')').map_or(0.0, |(_, stat)| ticks(stat))
}

/// User and kernel time in a `stat`, behind the name.
fn ticks(stat: &str) -> f64 {
    let ticks = stat.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Seconds on a core, of the threads of this process with that name.
pub(crate) fn cpu(name: &str) -> f64 {
    let tasks = fs::read_dir("/proc/self/task").expect("threads");
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok())
        .filter_map(|stat| {
            let (front, behind) = stat.rsplit_once(')')?;
            front.ends_with(&format!("({name}")).then(|| ticks(behind))
        })
        .sum()
}

/// What was measured, where and when.
pub(crate) fn heading(what: &str) {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!(
        "\n## {what}: {cores} cores, load average {}\n",
        load.join(" ")
    );
}
