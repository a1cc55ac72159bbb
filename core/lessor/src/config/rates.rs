//! Rates: "10/s", or with the burst `{ rate = "10/s", burst = 50 }`.

use std::time::Duration;

use dhcp_proto::limit::{Rate, Rates};

use super::fault::Reason;
use super::table::Table;
use super::text;
use super::value::Value;

const PERIODS: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];
/// What is let through at once, at least, unless the file says otherwise: a client that starts
/// sends some in a row.
const BURST: u32 = 10;
const MOST: u32 = 1_000_000;

/// Reads the rates of a network.
pub(super) fn read(rates: &mut Rates, table: &mut Table<'_>) {
    table.set("discovers_per_client", &mut rates.identity, rate);
    table.set("discovers_per_circuit", &mut rates.circuit, rate);
    table.set("discovers_per_relay", &mut rates.relay, rate);
}

fn rate(value: &Value<'_>) -> Result<Option<Rate>, Reason> {
    if !value.is_table() {
        return rate_of(value.text()?, None);
    }
    let mut table = value.table()?;
    let burst = table.read("burst", |v| v.number(1..=MOST));
    let rate = table.require("rate", |v| rate_of(v.text()?, burst));
    table.finish();
    Ok(rate.flatten())
}

fn rate_of(text: &str, burst: Option<u32>) -> Result<Option<Rate>, Reason> {
    if text == "off" {
        return Ok(None);
    }
    let wrong = Reason::Malformed("a rate such as \"10/s\", \"100/m\" or \"off\"");
    let parsed = text.split_once('/').and_then(|(count, unit)| {
        let count: u32 = text::number(count)?;
        let (_, seconds) = PERIODS.iter().find(|(name, _)| *name == unit)?;
        (1..=MOST).contains(&count).then_some((count, *seconds))
    });
    let Some((count, seconds)) = parsed else {
        return Err(wrong);
    };
    let a_second = u64::from(count).div_ceil(seconds);
    let burst = burst.unwrap_or_else(|| u32::try_from(a_second).unwrap_or(MOST).max(BURST));
    Rate::new(count, Duration::from_secs(seconds), burst)
        .map(Some)
        .ok_or(Reason::Malformed(
            "a rate that gives its burst back within a day, and at most 1000000/s",
        ))
}
