//! `lessor-load`: how it is started, and what it says.

use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Deserialize;

use crate::bed::{Bed, FRAME, GENERATOR_CORE, Invocation, RELAY, SERVER};
use crate::failure::{Because as _, Failure, Outcome};
use crate::meter::Meter;

/// Seconds until a client repeats itself for the first time. RFC 2131 has four, which is longer than
/// a run: what a server has shed would be missing in the window until its end.
const RETRY: &str = "0.1";

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Discover,
    Dora,
    Renew,
    Macswap,
}

impl Mode {
    const fn word(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Dora => "dora",
            Self::Renew => "renew",
            Self::Macswap => "macswap",
        }
    }
}

/// How many may be on their way, or how many shall begin a second.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    Window(u32),
    Rate(f64),
}

/// First and last address of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool {
    pub(crate) first: Ipv4Addr,
    pub(crate) last: Ipv4Addr,
}

impl Pool {
    /// So many addresses from the first one on.
    pub(crate) fn of(first: Ipv4Addr, addresses: u32) -> Self {
        Self {
            first,
            last: (first.to_bits() + addresses - 1).into(),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// A load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) mode: Mode,
    pub(crate) clients: u32,
    /// First and last address that the server may give.
    pub(crate) pool: Pool,
    pub(crate) pace: Pace,
    /// How long a client stays away between two exchanges.
    pub(crate) rest: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) length: Duration,
}

/// What it reports.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Told {
    pub(crate) replies_per_s: f64,
    pub(crate) exchanges_per_s: f64,
    /// Exchanges, all of them.
    #[serde(default)]
    pub(crate) exchanges: u64,
    /// Renewals that were answered with the time left: nothing was written for them.
    #[serde(default)]
    pub(crate) time_left: u64,
    #[serde(default)]
    pub(crate) latency_us: Latencies,
}

/// Latencies by what was waited for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Latencies {
    pub(crate) ack: Option<Latency>,
}

/// Microseconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p99: f64,
}

/// Runs a load against what runs in the server's place; looks at `meter` meanwhile.
pub(crate) fn run(bed: &Bed<'_>, load: &Load, meter: Option<&mut Meter>) -> Outcome<Told> {
    let file = bed.dir().join("load.json");
    drop(fs::remove_file(&file));
    let mut arguments = arguments(&bed.generator_device(), load);
    arguments.extend(["--json".to_owned(), file.display().to_string()]);
    let program = bed.site.program("lessor-load");
    let mut running = bed.start_generator(&Invocation::new(&program, arguments))?;
    let patience = load.warm_up + load.length + Duration::from_mins(1);
    let code = running.finish(bed.site, patience, meter)?;
    if code != 0 {
        let said = crate::bed::last_words(&running.log());
        return Err(Failure::new(format!(
            "lessor-load ended with {code}: {said}"
        )));
    }
    let text = fs::read_to_string(&file).because("the generator's report")?;
    serde_json::from_str(&text).because("the generator's report")
}

fn arguments(device: &str, load: &Load) -> Vec<String> {
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let mut words = vec![
        ("--device", device.to_owned()),
        ("--lcore", GENERATOR_CORE.to_string()),
        ("--mode", load.mode.word().to_owned()),
        ("--clients", load.clients.to_string()),
        ("--frame-size", FRAME.to_string()),
        ("--warmup", seconds(load.warm_up)),
        ("--duration", seconds(load.length)),
        ("--seed", "1".to_owned()),
        ("--rest", seconds(load.rest)),
        ("--retry", RETRY.to_owned()),
        match load.pace {
            Pace::Window(window) => ("--window", window.to_string()),
            Pace::Rate(rate) => ("--rate", format!("{rate:.0}")),
        },
    ];
    if load.mode != Mode::Macswap {
        words.extend([
            ("--relays", "1".to_owned()),
            ("--relay-base", RELAY.to_owned()),
            ("--server-ip", SERVER.to_owned()),
            ("--server-mac", "auto".to_owned()),
            ("--lease-range", load.pool.to_string()),
            // Without it what is answered with the time left is not told from what is extended.
            ("--lease-time", "3600".to_owned()),
        ]);
    }
    let words = words.into_iter();
    words
        .flat_map(|(option, value)| [option.to_owned(), value])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_generator_reports_and_minds_no_more() {
        let text = r#"{"mode":"dora","replies_per_s":200.5,"exchanges_per_s":100.25,"timeouts":0,
            "latency_us":{"offer":{"p50":1,"p99":2},"ack":{"p50":100,"p99":900.5,"max":1}}}"#;
        let told: Told = serde_json::from_str(text).unwrap();
        assert!((told.exchanges_per_s - 100.25).abs() < 1e-9);
        assert!((told.latency_us.ack.unwrap().p99 - 900.5).abs() < 1e-9);
        let text = r#"{"replies_per_s":1,"exchanges_per_s":0,"latency_us":{"ack":null}}"#;
        assert!(
            serde_json::from_str::<Told>(text)
                .unwrap()
                .latency_us
                .ack
                .is_none()
        );
    }

    #[test]
    fn clients_are_behind_a_relay_but_where_frames_only_come_back() {
        let load = |mode| Load {
            mode,
            clients: 7,
            pool: Pool::of(Ipv4Addr::new(10, 1, 0, 0), 256),
            pace: Pace::Window(64),
            rest: Duration::ZERO,
            warm_up: Duration::from_millis(500),
            length: Duration::from_secs(2),
        };
        let words = arguments("net_null0", &load(Mode::Dora)).join(" ");
        assert!(words.contains("--mode dora --clients 7"), "{words}");
        assert!(words.contains("--warmup 0.5 --duration 2"), "{words}");
        assert!(words.contains("--relay-base 10.0.0.2"), "{words}");
        assert!(
            words.contains("--lease-range 10.1.0.0-10.1.0.255"),
            "{words}"
        );
        let words = arguments("net_null0", &load(Mode::Macswap)).join(" ");
        assert!(!words.contains("--relay"), "{words}");
    }
}
