//! What a scraper is shown: every figure of [`Stats`] under a stable name.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::control::{LatencyStats, Stats};

/// The page of these figures.
pub(super) fn render(stats: Stats) -> String {
    let mut registry = Registry::with_prefix("lessor");
    registry.register_collector(Box::new(Page(stats)));
    let mut page = String::new();
    // Writing into a text does not fail.
    let _ = prometheus_text::encode(&mut page, &registry);
    page
}

#[derive(Debug)]
struct Page(Stats);

/// A label and its value.
type Label<'a> = (&'a str, &'a str);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (page, encoder) = (self, &mut encoder);
        page.server(encoder)?;
        page.messages(encoder)?;
        page.pools(encoder)?;
        page.ports(encoder)?;
        page.latency(encoder)?;
        page.rest(encoder)
    }
}

/// Groups of counters that have names of their own here.
const NAMED: [&str; 6] = [
    "events",
    "messages_in",
    "messages_out",
    "drops",
    "malformed",
    "silences",
];

impl Page {
    fn server(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let stats = &self.0;
        let mut info = gauge(encoder, "build", "Version of the server, as a label")?;
        family(&mut info, &[("version", &stats.version)], 1)?;
        let mut uptime = gauge(
            encoder,
            "uptime_seconds",
            "Seconds since the server was ready",
        )?;
        uptime.encode_gauge(&stats.uptime)?;
        let mut workers = gauge(encoder, "workers", "Poll threads")?;
        workers.encode_gauge(&u64::from(stats.workers))?;
        let mut trouble = gauge(
            encoder,
            "store_trouble",
            "1 while the store fails or is slow",
        )?;
        let now = stats.store_trouble.as_ref().map(|t| t.state.as_str());
        for word in ["failed", "slow"] {
            family(
                &mut trouble,
                &[("state", word)],
                u64::from(now == Some(word)),
            )?;
        }
        Ok(())
    }

    fn messages(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for (group, name, label, help) in [
            (
                "messages_in",
                "messages_received",
                "type",
                "Messages received",
            ),
            ("messages_out", "messages_sent", "type", "Messages sent"),
            ("events", "events", "event", "What workers did beside"),
        ] {
            let mut counter = counter(encoder, name, help)?;
            for (what, value) in self.0.counters.get(group).into_iter().flatten() {
                count(&mut counter, &[(label, what)], *value)?;
            }
        }
        let help = "Packets that ended unanswered, by reason";
        let mut drops = counter(encoder, "dropped", help)?;
        for group in ["drops", "malformed", "silences"] {
            for (reason, value) in self.0.counters.get(group).into_iter().flatten() {
                count(&mut drops, &[("group", group), ("reason", reason)], *value)?;
            }
        }
        Ok(())
    }

    fn pools(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Addresses of a pool by their state";
        let mut addresses = gauge(encoder, "pool_addresses", help)?;
        for pool in &self.0.pools {
            let range = format!("{}-{}", pool.first, pool.last);
            for (state, value) in pool.states() {
                let labels = [
                    ("network", pool.network.as_str()),
                    ("pool", range.as_str()),
                    ("state", state),
                ];
                family(&mut addresses, &labels, value)?;
            }
        }
        Ok(())
    }

    fn ports(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut up = gauge(encoder, "port_up", "1 while the port has a carrier")?;
        for port in &self.0.ports {
            family(&mut up, &[("port", &port.name)], u64::from(port.up))?;
        }
        let mut counters = counter(encoder, "port", "What the devices count")?;
        for port in &self.0.ports {
            for (name, value) in port.counters() {
                count(
                    &mut counters,
                    &[("port", &port.name), ("what", name)],
                    value,
                )?;
            }
        }
        Ok(())
    }

    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "From the poll that received a message to its reply being with the device";
        let mut replies = histogram(encoder, "reply_seconds", help)?;
        for latency in &self.0.latency {
            let Some(worker) = latency.worker else {
                continue;
            };
            let worker = worker.to_string();
            let labels = [("worker", worker.as_str()), ("kind", latency.kind.as_str())];
            observe(&mut replies, &labels, latency)?;
        }
        let help = "From a batch being taken up to its being durable";
        let mut commits = histogram(encoder, "commit_seconds", help)?;
        for latency in self.0.latency.iter().filter(|l| l.worker.is_none()) {
            observe(&mut commits, &[("kind", &latency.kind)], latency)?;
        }
        Ok(())
    }

    /// What has no name of its own, by group and name as `lessor stats` shows it.
    fn rest(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Counters and gauges by group and name, as `lessor stats` shows them";
        let mut others = encoder.encode_descriptor("stat", help, None, MetricType::Gauge)?;
        for (group, counters) in &self.0.counters {
            if NAMED.contains(&group.as_str()) {
                continue;
            }
            for (name, value) in counters {
                family(&mut others, &[("group", group), ("name", name)], *value)?;
            }
        }
        Ok(())
    }
}

fn gauge<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)
}

fn counter<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Counter)
}

fn histogram<'s>(
    encoder: &'s mut DescriptorEncoder<'_>,
    name: &'s str,
    help: &str,
) -> Result<MetricEncoder<'s>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Histogram)
}

fn family(metric: &mut MetricEncoder<'_>, labels: &[Label<'_>], value: u64) -> fmt::Result {
    metric.encode_family(&labels)?.encode_gauge(&value)
}

fn count(metric: &mut MetricEncoder<'_>, labels: &[Label<'_>], value: u64) -> fmt::Result {
    let mut one = metric.encode_family(&labels)?;
    one.encode_counter::<NoLabelSet, u64, u64>(&value, None)
}

fn observe(
    metric: &mut MetricEncoder<'_>,
    labels: &[Label<'_>],
    latency: &LatencyStats,
) -> fmt::Result {
    let mut below = 0;
    let mut buckets = Vec::with_capacity(latency.buckets.len() + 1);
    for bucket in &latency.buckets {
        let more = bucket.count.saturating_sub(below);
        buckets.push((seconds(bucket.below_ns), more));
        below = bucket.count;
    }
    buckets.push((f64::INFINITY, latency.count.saturating_sub(below)));
    let mut one = metric.encode_family(&labels)?;
    one.encode_histogram::<NoLabelSet>(seconds(latency.sum_ns), latency.count, &buckets, None)
}

#[allow(clippy::cast_precision_loss, reason = "a figure to be looked at")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
