//! `[event_log]`, `[metrics]` and `[alarms]`: what others are told.

use std::net::{IpAddr, SocketAddr};

use super::appliance::{absolute, socket_path};
use super::fault::Reason;
use super::table::Table;
use super::value::Value;
use crate::eventlog::{Collector, Options};

/// RFC 5426 §3.3.
const SYSLOG_PORT: u16 = 514;

/// RFC 5424 §6.2.1, table 1.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

pub(super) fn event_log(mut table: Table<'_>) -> Options {
    let mut options = Options {
        file: table.read("file", absolute),
        syslog: table.read("syslog", collector),
        ..Options::default()
    };
    table.set("max_size", &mut options.max_size, |v| {
        v.size(1 << 16..=1 << 42)
    });
    table.set("keep", &mut options.keep, |v| v.number(1..=100_000));
    table.set("facility", &mut options.facility, |v| v.one_of(&FACILITIES));
    if !table.has("file") && !table.has("syslog") {
        let why = Reason::Missing("file` or `syslog");
        table.findings.fault(&table.spot, why);
    }
    table.finish();
    options
}

/// Where figures are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// The address and port of the HTTP server; there is none without.
    pub listen: Option<SocketAddr>,
}

/// When the operator is told that addresses run low.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarms {
    /// Shares of a network's addresses in use, in 1/1000, rising.
    pub pool_use: Vec<u16>,
    /// How far below a threshold it is taken back, in 1/1000.
    pub hysteresis: u16,
}

impl Default for Alarms {
    fn default() -> Self {
        Self {
            pool_use: vec![800, 900],
            hysteresis: 50,
        }
    }
}

pub(super) fn metrics(mut table: Table<'_>) -> Metrics {
    let malformed = Reason::Malformed("an address with a port, such as \"127.0.0.1:9547\"");
    let listen = table.read("listen", |v| {
        v.name()?.parse().map_err(|_| malformed.clone())
    });
    table.finish();
    Metrics { listen }
}

pub(super) fn alarms(mut table: Table<'_>) -> Alarms {
    let mut alarms = Alarms::default();
    if let Some(value) = table.value("pool_use")
        && let Some(given) = value.all(|v| v.per_mille(1..=1000))
    {
        let mut thresholds: Vec<_> = given.into_iter().map(|(_, threshold)| threshold).collect();
        thresholds.sort_unstable();
        thresholds.dedup();
        alarms.pool_use = thresholds;
    }
    table.set("hysteresis", &mut alarms.hysteresis, |v| {
        v.per_mille(0..=500)
    });
    table.finish();
    alarms
}

/// An address, with a port or without, or the path of a socket.
fn collector(value: &Value<'_>) -> Result<Collector, Reason> {
    let text = value.name()?;
    if text.starts_with('/') {
        return socket_path(value).map(Collector::Unix);
    }
    let with_port = text.parse::<SocketAddr>().ok();
    let alone = || text.parse::<IpAddr>().ok();
    let to = with_port.or_else(|| alone().map(|addr| (addr, SYSLOG_PORT).into()));
    to.map(Collector::Udp).ok_or(Reason::Malformed(
        "an address such as \"192.0.2.1:514\", or the path of a socket",
    ))
}
