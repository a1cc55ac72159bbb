//! How long a durable ACK takes at half load beside a merge, and the same pipeline without Lessor.

use std::time::Duration;

use lessor_benches::FIRST;
use lessor_benches::fill::{self, AgentInfo};

use crate::bed::{Bed, Site, Way};
use crate::book::Book;
use crate::contests::Effort;
use crate::failure::{Because as _, Failure, Outcome};
use crate::load::{self, Load, Mode, Pace, Pool};
use crate::pipeline;
use crate::server::{self, Settings};

/// The rows of this file, and the one that says how much a whole load is.
pub(crate) const ACK: &str = "ack/p99/half-load";
pub(crate) const PIPELINE: &str = "pipeline/p99";
const SATURATED: &str = "memif/log/dora";

/// Leases in the store, and how often each was written: it is merged for some time.
const LEASES: u32 = 1_000_000;
const TIMES: u64 = 4;

/// Milliseconds.
pub(crate) fn measure(
    site: &Site,
    effort: &Effort,
    book: &Book,
) -> Outcome<Vec<(&'static str, f64)>> {
    let saturated = book.median(SATURATED);
    let rate = saturated.because("the load at saturation is not known")? / 2.0;
    let ack = ack(site, effort, rate)?;
    let dir = site.stores.join("pipeline");
    let bare = pipeline::p99(&dir, rate, effort.length);
    drop(std::fs::remove_dir_all(&dir));
    Ok(vec![(ACK, ack), (PIPELINE, bare?.as_secs_f64() * 1e3)])
}

fn ack(site: &Site, effort: &Effort, rate: f64) -> Outcome<f64> {
    let bed = Bed::new(site, Way::Memif)?;
    fill::unmerged(bed.store(), (LEASES, TIMES), AgentInfo::None, &mut || {
        site.go_on().is_ok()
    });
    site.go_on()?;
    let clients =
        ((rate * (effort.warm_up + effort.length).as_secs_f64()) as u32).max(1000) * 5 / 4;
    let bindings = LEASES + clients;
    let pool = Pool::of(FIRST.into(), bindings * 5 / 4);
    let settings = Settings {
        engine: "log",
        store: bed.store(),
        pool,
        bindings,
        agent_info_octets: 0,
        t1: None,
    };
    let running = server::start(&bed, &settings)?;
    let merged = |bed: &Bed<'_>| server::store_stat(bed, "/running/merged_octets");
    let before = merged(&bed)?;
    let load = Load {
        mode: Mode::Dora,
        clients,
        pool,
        pace: Pace::Rate(rate),
        rest: Duration::ZERO,
        warm_up: effort.warm_up,
        length: effort.length,
    };
    let told = load::run(&bed, &load, None)?;
    if merged(&bed)? == before {
        return Err(Failure::new("no merge ran meanwhile"));
    }
    running.stop(site)?;
    if told.exchanges_per_s < 0.9 * rate {
        let reached = told.exchanges_per_s;
        return Err(Failure::new(format!(
            "{reached:.0} DORA/s of {rate:.0} that were asked for"
        )));
    }
    let ack = told.latency_us.ack.because("no latency of ACKs")?;
    Ok(Duration::from_secs_f64(ack.p99 / 1e6).as_secs_f64() * 1e3)
}
