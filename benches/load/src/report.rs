//! What a run came to, for people and for machines.

use core::fmt;

use hdrhistogram::Histogram;
use hugemem::Pages;
use serde_json::{Map, Value, json};

use crate::clients::Nanos;
use crate::drive::Traffic;
use crate::plan::{Pace, Plan, Timing};
use crate::run::Run;
use crate::tally::Counts;
use crate::violation::Violations;

/// A run that is over.
#[derive(Debug)]
pub struct Report<'a> {
    /// What it was to do.
    pub plan: &'a Plan,
    /// And when.
    pub timing: &'a Timing,
    /// The run.
    pub run: &'a Run,
    /// What the poll loop saw.
    pub traffic: Traffic,
    /// Frames that the device or the pool lost while it was measured, before they were looked at.
    pub rx_dropped: u64,
}

impl Report<'_> {
    fn seconds(&self) -> f64 {
        seconds(self.run.measured().1)
    }

    /// So many a second.
    fn rate(&self, count: u64) -> f64 {
        let seconds = self.seconds();
        if seconds > 0.0 {
            float(count) / seconds
        } else {
            0.0
        }
    }

    fn counts(&self) -> &Counts {
        self.run.measured().0
    }

    fn violations(&self) -> &Violations {
        self.run.engine().violations()
    }

    /// Messages that were sent or looked at.
    fn messages(&self) -> u64 {
        self.counts().sent + self.counts().received
    }

    fn nanos_per_message(&self) -> f64 {
        match self.messages() {
            0 => 0.0,
            messages => float(self.traffic.busy) / float(messages),
        }
    }

    /// Share of the time in which the loop had something to do. Near 1 the generator is what
    /// limits.
    fn busy(&self) -> f64 {
        match self.run.measured().1 {
            0 => 0.0,
            whole => float(self.traffic.busy) / float(whole),
        }
    }

    fn kinds(&self) -> Value {
        let kinds = self.violations().kinds();
        let kinds = kinds.map(|(kind, count)| (kind.name().to_owned(), json!(count)));
        Value::Object(kinds.collect::<Map<String, Value>>())
    }

    /// All of it, as one object.
    #[must_use]
    pub fn json(&self) -> Value {
        let (counts, latencies) = (self.counts(), self.run.engine().latencies());
        let (leases, leases_took) = self.run.leases();
        let mut all = json!({
            "mode": self.plan.mode.name(),
            "seed": self.plan.seed,
            "clients": self.plan.clients,
            "relays": self.plan.relays.map_or(0, |relays| relays.count),
            "option82": self.plan.relays.is_some_and(|relays| relays.option82),
            "frame_size": self.plan.frame_size,
            "seconds": self.seconds(),
            "sent": counts.sent,
            "received": counts.received,
            "replies": counts.replies,
            "replies_per_s": self.rate(counts.replies),
            "offers": counts.offers,
            "acks": counts.acks,
            "exchanges": counts.exchanges,
            "exchanges_per_s": self.rate(counts.exchanges),
            "leases_first": leases,
            "leases_first_seconds": seconds(leases_took),
            "latency_us": {
                "offer": percentiles(&latencies.offer),
                "ack": percentiles(&latencies.ack),
                "dora": percentiles(&latencies.dora),
            },
            "releases": counts.releases,
            "retransmissions": counts.retransmissions,
            "timeouts": counts.timeouts,
            "naks": counts.naks,
            "late": counts.late,
            "time_left": counts.time_left,
            "resting": counts.resting,
            "other_offers": counts.other_offers,
            "other_frames": counts.other,
            "busy_clients": counts.busy,
            "violations": self.kinds(),
            "tx_full": self.traffic.tx_full,
            "no_buffer": counts.no_buffer,
            "rx_dropped": self.rx_dropped,
            "cpu_seconds": self.traffic.cpu.as_secs_f64(),
            "busy": self.busy(),
            "nanos_per_message": self.nanos_per_message(),
        });
        let (name, value) = match self.timing.pace {
            Pace::Window(window) => ("window", u64::from(window)),
            Pace::Rate(rate) => ("rate", rate),
        };
        all[name] = json!(value);
        all
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (counts, latencies) = (self.counts(), self.run.engine().latencies());
        writeln!(
            f,
            "{} by {} clients, seed {}, {:.3} s{}",
            self.plan.mode.name(),
            self.plan.clients,
            self.plan.seed,
            self.seconds(),
            match self.run.engine().pages() {
                Pages::Huge => "",
                Pages::Ordinary => ", clients on ordinary pages",
            },
        )?;
        if let (leases @ 1.., took) = self.run.leases() {
            writeln!(f, "  leases first     {leases} in {:.3} s", seconds(took))?;
        }
        let per_second = |count| self.rate(count);
        for (name, count) in [
            ("replies", counts.replies),
            ("exchanges", counts.exchanges),
            ("sent", counts.sent),
            ("received", counts.received),
        ] {
            writeln!(f, "  {name:<16} {count:<12} {:.0}/s", per_second(count))?;
        }
        for (name, histogram) in [
            ("offer", &latencies.offer),
            ("ack", &latencies.ack),
            ("dora", &latencies.dora),
        ] {
            write_percentiles(f, name, histogram)?;
        }
        for (name, count) in [
            ("retransmissions", counts.retransmissions),
            ("timeouts", counts.timeouts),
            ("NAKs, due", counts.naks),
            ("late replies", counts.late),
            ("told time left", counts.time_left),
            ("other offers", counts.other_offers),
            ("other frames", counts.other),
            ("busy clients", counts.busy),
            ("client resting", counts.resting),
            ("no buffer", counts.no_buffer),
            ("device full", self.traffic.tx_full),
            ("lost unseen", self.rx_dropped),
        ] {
            if count > 0 {
                writeln!(f, "  {name:<16} {count}")?;
            }
        }
        writeln!(
            f,
            "  generator        {:.0} ns a message, {:.0} % of its core, {:.2} CPU s",
            self.nanos_per_message(),
            100.0 * self.busy(),
            self.traffic.cpu.as_secs_f64(),
        )?;
        write_violations(f, self.violations())
    }
}

fn write_violations(f: &mut fmt::Formatter<'_>, violations: &Violations) -> fmt::Result {
    if violations.total() == 0 {
        return writeln!(f, "  violations       none");
    }
    writeln!(f, "  violations       {}", violations.total())?;
    for (kind, count) in violations.kinds() {
        writeln!(f, "    {:<14} {count}", kind.name())?;
    }
    for sample in violations.samples() {
        writeln!(f, "    {sample}")?;
    }
    Ok(())
}

/// The percentiles that reports have.
const PERCENTILES: [(&str, f64); 4] = [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)];

fn percentiles(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let at = |share| json!(micros(histogram.value_at_percentile(share)));
    let mut all: Map<String, Value> = PERCENTILES
        .iter()
        .map(|&(name, share)| (name.to_owned(), at(share)))
        .collect();
    all.insert("max".to_owned(), json!(micros(histogram.max())));
    all.insert("count".to_owned(), json!(histogram.len()));
    Value::Object(all)
}

fn write_percentiles(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    histogram: &Histogram<u64>,
) -> fmt::Result {
    if histogram.is_empty() {
        return Ok(());
    }
    write!(f, "  {name:<5} µs        ")?;
    for (name, share) in PERCENTILES {
        write!(
            f,
            "{name} {:.1}  ",
            micros(histogram.value_at_percentile(share))
        )?;
    }
    writeln!(f, "max {:.1}", micros(histogram.max()))
}

#[allow(
    clippy::cast_precision_loss,
    reason = "figures for people have fewer than 15 digits"
)]
const fn float(count: u64) -> f64 {
    count as f64
}

fn seconds(time: Nanos) -> f64 {
    float(time) / 1e9
}

fn micros(time: Nanos) -> f64 {
    float(time) / 1e3
}
