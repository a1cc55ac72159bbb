//! Figures of ports and of latency as they are presented.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::histogram::View;

/// What a device counts, since it was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortStats {
    /// Its name in the configuration.
    pub name: String,
    /// Whether it has a carrier.
    pub up: bool,
    /// Frames received.
    pub rx_packets: u64,
    /// Octets received.
    pub rx_octets: u64,
    /// Frames that the device dropped because no worker took them in time.
    pub rx_missed: u64,
    /// Frames received with an error.
    pub rx_errors: u64,
    /// Frames lost because there was no buffer.
    pub rx_no_mbuf: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Octets sent.
    pub tx_octets: u64,
    /// Frames that could not be sent.
    pub tx_errors: u64,
}

impl PortStats {
    /// Each counter with its name.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 8] {
        [
            ("rx_packets", self.rx_packets),
            ("rx_octets", self.rx_octets),
            ("rx_missed", self.rx_missed),
            ("rx_errors", self.rx_errors),
            ("rx_no_mbuf", self.rx_no_mbuf),
            ("tx_packets", self.tx_packets),
            ("tx_octets", self.tx_octets),
            ("tx_errors", self.tx_errors),
        ]
    }
}

/// How long something took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyStats {
    /// `direct` and `durable` replies of a worker, `commit`s of the store.
    pub kind: String,
    /// The worker; null for the store.
    pub worker: Option<u16>,
    /// How many.
    pub count: u64,
    /// All of them together, nanoseconds.
    pub sum_ns: u64,
    /// Half of them took at most about this long, nanoseconds.
    pub p50_ns: u64,
    /// 99 of a hundred took at most about this long.
    pub p99_ns: u64,
    /// 999 of a thousand took at most about this long.
    pub p999_ns: u64,
    /// How many took less than each bound.
    pub buckets: Vec<Bucket>,
}

/// How many took less than a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// The bound, nanoseconds.
    pub below_ns: u64,
    /// How many.
    pub count: u64,
}

impl LatencyStats {
    /// What a histogram says.
    #[must_use]
    pub fn new(kind: &str, worker: Option<u16>, view: &View) -> Self {
        let bucket = |(below, count)| Bucket {
            below_ns: nanos(below),
            count,
        };
        Self {
            kind: kind.to_owned(),
            worker,
            count: view.count(),
            sum_ns: nanos(view.sum()),
            p50_ns: nanos(view.quantile(500)),
            p99_ns: nanos(view.quantile(990)),
            p999_ns: nanos(view.quantile(999)),
            buckets: view.below().map(bucket).collect(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The tables of ports and latencies, as far as there are any.
pub(super) fn tables(
    f: &mut fmt::Formatter<'_>,
    ports: &[PortStats],
    latency: &[LatencyStats],
) -> fmt::Result {
    if !ports.is_empty() {
        writeln!(
            f,
            "\n{:<16} {:<4} {:>12} {:>10} {:>10} {:>10} {:>12} {:>10}",
            "port", "link", "received", "missed", "errors", "no mbuf", "sent", "tx errors"
        )?;
    }
    for port in ports {
        let (name, link) = (&port.name, if port.up { "up" } else { "down" });
        let PortStats {
            rx_packets,
            rx_missed,
            rx_errors,
            rx_no_mbuf,
            tx_packets,
            tx_errors,
            ..
        } = port;
        writeln!(
            f,
            "{name:<16} {link:<4} {rx_packets:>12} {rx_missed:>10} {rx_errors:>10} \
             {rx_no_mbuf:>10} {tx_packets:>12} {tx_errors:>10}"
        )?;
    }
    if !latency.is_empty() {
        writeln!(
            f,
            "\n{:<16} {:<10} {:>12} {:>12} {:>12} {:>12}",
            "latency", "of", "count", "p50 µs", "p99 µs", "p99.9 µs"
        )?;
    }
    for one in latency {
        let who = one
            .worker
            .map_or_else(|| "store".to_owned(), |n| format!("worker {n}"));
        let [p50, p99, p999] = [one.p50_ns, one.p99_ns, one.p999_ns].map(micros);
        let (kind, count) = (&one.kind, one.count);
        writeln!(
            f,
            "{who:<16} {kind:<10} {count:>12} {p50:>12} {p99:>12} {p999:>12}"
        )?;
    }
    Ok(())
}

/// Nanoseconds as microseconds with one digit behind the point.
fn micros(nanos: u64) -> String {
    format!("{}.{}", nanos / 1000, nanos % 1000 / 100)
}
