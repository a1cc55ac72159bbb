//! What the kernel says of a process: its time on cores and its memory.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::failure::{Because as _, Outcome};

/// Time on cores, user and kernel, of all threads that a process has.
pub(crate) fn cpu(pid: u32) -> Outcome<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).because("threads of the server")?;
    let paths = tasks.flatten().map(|task| task.path().join("schedstat"));
    Ok(paths.filter_map(on_core).sum())
}

/// The first number is nanoseconds on a core.
fn on_core(path: PathBuf) -> Option<Duration> {
    let text = fs::read_to_string(path).ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Octets of a process in memory, those on huge pages among them.
pub(crate) fn memory(pid: u32) -> Outcome<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).because("the server's memory")?;
    Ok(octets_of(&status, "VmRSS:") + octets_of(&status, "HugetlbPages:"))
}

/// Of those, octets on huge pages.
pub(crate) fn huge(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    octets_of(&status, "HugetlbPages:")
}

fn octets_of(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// How busy a process is, looked at again and again.
#[derive(Debug)]
pub(crate) struct Meter {
    pid: u32,
    seen: Vec<(Instant, Duration)>,
}

impl Meter {
    pub(crate) fn new(pid: u32) -> Self {
        Self {
            pid,
            seen: Vec::new(),
        }
    }

    /// Looks.
    pub(crate) fn look(&mut self) {
        if let Ok(cpu) = cpu(self.pid) {
            self.seen.push((Instant::now(), cpu));
        }
    }

    /// Cores that it has kept busy in the last `window`, the last fifth of that left out, in which
    /// the generator may have ended already.
    pub(crate) fn cores(&self, window: Duration) -> Option<f64> {
        let last = self.seen.last()?.0;
        let within = |(at, _): &&(Instant, Duration)| {
            let ago = last.duration_since(*at);
            ago <= window && ago >= window / 5
        };
        let first = self.seen.iter().find(within)?;
        let last = self.seen.iter().rfind(within)?;
        let time = last.0.duration_since(first.0);
        let cpu = last.1.checked_sub(first.1)?;
        (!time.is_zero()).then(|| cpu.as_secs_f64() / time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_count_as_memory() {
        let status = "Name:\tlessor\nVmRSS:\t    1776 kB\nHugetlbPages:\t   2048 kB\n";
        assert_eq!(octets_of(status, "VmRSS:"), 1776 << 10);
        assert_eq!(octets_of(status, "HugetlbPages:"), 2 << 20);
        assert_eq!(octets_of(status, "VmSwap:"), 0);
        assert!(memory(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn time_on_cores_is_that_of_the_window() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut meter = Meter::new(0);
        for (millis, cpu) in [(0, 0), (1000, 0), (1500, 500), (1800, 1100), (2000, 1100)] {
            meter.seen.push((at(millis), Duration::from_millis(cpu)));
        }
        // From 1000 to 1800 ms: 1.1 s in 0.8 s.
        let cores = meter.cores(Duration::from_secs(1)).unwrap();
        assert!((cores - 1.375).abs() < 1e-9, "{cores}");
        assert_eq!(Meter::new(0).cores(Duration::from_secs(1)), None);
    }
}
