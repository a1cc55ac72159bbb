//! `lessor leases list`: pages in the order of the addresses.

use std::collections::BinaryHeap;
use std::io::{self, BufWriter, Write};
use std::net::Ipv4Addr;

use clap::Args;
use dhcp_proto::record::Record;
use serde_json::json;

use super::filter::{Filter, Wanted};
use crate::cli::{ConfigFile, Failure, Output, StoreDirectory, write_json};
use crate::control::{self, Lease};
use crate::exit::Exit;
use crate::store::encode::{MAX_RECORD, decode_again, encode};
use crate::store::{self, Recovered, StoreError};

/// Most leases that are in memory at a time; the store is walked once for each so many.
const PAGE: usize = 1 << 20;

/// Space and address, which leases are listed by.
type Place = (u16, Ipv4Addr);

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    store: StoreDirectory,
    #[command(flatten)]
    wanted: Wanted,
    /// At most so many, the first by space and address
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Only those behind this address: the last one of the page before; ADDRESS@SPACE in a space
    #[arg(long, value_name = "ADDRESS", value_parser = place)]
    after: Option<Place>,
    /// Only how many there are
    #[arg(long, conflicts_with = "limit")]
    count: bool,
    #[command(flatten)]
    output: Output,
}

fn place(text: &str) -> Result<Place, String> {
    let (address, space) = text.split_once('@').unwrap_or((text, "0"));
    let place = space.parse().ok().zip(address.parse().ok());
    place.ok_or_else(|| "it is an address such as 10.77.0.9, or 10.77.0.9@1 in space 1".into())
}

/// A lease of a page, as the store has it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kept {
    place: Place,
    record: Box<[u8]>,
}

impl List {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let filter = Filter::new(self.wanted, &self.file)?;
        let recovered = store::read(&self.store.path(&self.file)?)?;
        let mut out = BufWriter::new(io::stdout().lock());
        if self.count {
            let leases = count(&recovered, &filter, self.after)?;
            if self.output.json {
                write_json(&mut out, &json!({ "leases": leases }))?;
            } else {
                writeln!(out, "{leases}")?;
            }
            out.flush()?;
            return Ok(Exit::Ok);
        }
        if !self.output.json {
            row(&mut out, ["ADDRESS", "STATE", "EXPIRES", "CLIENT"], "RELAY")?;
        }
        let (mut after, mut left) = (self.after, self.limit);
        loop {
            let most = left.map_or(PAGE, |left| usize::try_from(left).unwrap_or(PAGE).min(PAGE));
            let page = page(&recovered, &filter, after, most)?;
            write_page(&mut out, &page, filter.now(), self.output)?;
            left = left.map(|left| left.saturating_sub(page.len() as u64));
            let Some(last) = page.last().filter(|_| page.len() == most) else {
                break;
            };
            if left == Some(0) {
                break;
            }
            after = Some(last.place);
        }
        out.flush()?;
        Ok(Exit::Ok)
    }
}

/// What is wanted, behind a place, and is a lease.
fn each(
    recovered: &Recovered,
    filter: &Filter,
    after: Option<Place>,
    mut visit: impl FnMut(Place, &Record<'_>),
) -> Result<(), StoreError> {
    recovered.for_each_newest(|_, record| {
        let place = (record.space, record.addr);
        let behind = after.is_none_or(|after| place > after);
        if behind && Lease::is_of_record(record) && filter.takes(record) {
            visit(place, record);
        }
    })
}

fn count(recovered: &Recovered, filter: &Filter, after: Option<Place>) -> Result<u64, StoreError> {
    let mut leases = 0;
    each(recovered, filter, after, |_, _| leases += 1)?;
    Ok(leases)
}

/// The first `most` leases that are wanted behind a place. No more are in memory at a time.
fn page(
    recovered: &Recovered,
    filter: &Filter,
    after: Option<Place>,
    most: usize,
) -> Result<Vec<Kept>, StoreError> {
    let mut first: BinaryHeap<Kept> = BinaryHeap::new();
    let mut octets = [0; MAX_RECORD];
    each(recovered, filter, after, |place, record| {
        let is_full = first.len() >= most;
        if is_full && first.peek().is_some_and(|last| last.place < place) {
            return;
        }
        let length = encode(record, &mut octets).unwrap_or(0);
        let record = octets.get(..length).unwrap_or_default().into();
        if is_full {
            first.pop();
        }
        first.push(Kept { place, record });
    })?;
    Ok(first.into_sorted_vec())
}

fn write_page(out: &mut impl Write, page: &[Kept], now: u64, output: Output) -> io::Result<()> {
    for kept in page {
        // What the store had reads again.
        if let Ok((_, record, _)) = decode_again(&kept.record)
            && let Some(lease) = Lease::new(&record, now)
        {
            write_lease(out, &lease, output)?;
        }
    }
    Ok(())
}

/// A lease as a row of the table, or a line of JSON.
fn write_lease(out: &mut impl Write, lease: &Lease, output: Output) -> io::Result<()> {
    if output.json {
        return write_json(out, lease);
    }
    let address = match lease.space {
        0 => lease.address.to_string(),
        space => format!("{}@{space}", lease.address),
    };
    let expires = lease.expires.map_or_else(|| "never".into(), control::utc);
    let relay = lease
        .relay
        .map(|relay| relay.to_string())
        .unwrap_or_default();
    row(
        out,
        [&address, lease.state.as_str(), &expires, &lease.client],
        &relay,
    )
}

fn row(out: &mut impl Write, columns: [&str; 4], last: &str) -> io::Result<()> {
    let [address, state, expires, client] = columns;
    let line = format!("{address:<15}  {state:<9}  {expires:<20}  {client:<30}  {last}");
    writeln!(out, "{}", line.trim_end())
}
