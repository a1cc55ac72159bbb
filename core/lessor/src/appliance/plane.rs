//! What control is told: counters of all workers, pools, and who has an address.

mod lease;
mod release;
mod why;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dhcp_proto::address::Space;
use dhcp_proto::restart::Start;
use dhcp_proto::shard::BindingView;
use dhcp_wire::ethernet::Mac;
use tracing::info;

use self::lease::lease_of;
use super::census::Census;
use super::machine::Machine;
use super::reload::Reloader;
use super::time;
use crate::config::ClientText;
use crate::control::{
    CaptureBegun, CaptureWanted, ClockAccepted, ClockReport, ControlPlane, Decision, LatencyStats,
    Lease, PoolStats, ReleaseOutcome, ReloadReport, ReservationOutcome, ReservationPage,
    ReservationRow, Stats, StoreStats, StoreTrouble, Watch,
};
use crate::dataplane::capture::{Outlet, Wanted};
use crate::dataplane::clock::Clock;
use crate::dataplane::counters::{self, Counters, DropReason};
use crate::dataplane::desk::Inquiry;
use crate::dataplane::gauges::{Gauges, GaugesView};
use crate::dataplane::subscription::Publisher;
use crate::dataplane::trace::Inquest;
use crate::event::Event;
use crate::eventlog;
use crate::store::log::HouseMeter;
use crate::store::{ClockHold, Committer};

/// How long accepting the clock waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Events that are told of each worker.
const OF_WORKER: [counters::Event; 5] = [
    counters::Event::Received,
    counters::Event::Sent,
    counters::Event::HandedOver,
    counters::Event::TakenOver,
    counters::Event::Carried,
];

/// What the control side knows of the running appliance.
#[derive(Debug)]
pub(super) struct Plane {
    began: Instant,
    publisher: Arc<Publisher>,
    reloader: Arc<Reloader>,
    committer: Arc<Committer>,
    /// The directory of the store, and who knows of its upkeep; none with `engine = "none"`.
    house: Option<(PathBuf, HouseMeter)>,
    event_log: Option<Arc<eventlog::Meter>>,
    /// What is asked for figures beside the workers.
    machine: Machine,
    census: Census,
    start: Start,
    clock: Clock,
    /// Taken by who accepts the clock.
    accepting: Mutex<()>,
    counters: Vec<Arc<Counters>>,
    gauges: Vec<Arc<Gauges>>,
    inquiries: Vec<Mutex<Inquiry>>,
    /// Where workers are asked for their decisions.
    inquests: Vec<Mutex<Inquest>>,
}

impl Plane {
    pub(super) fn new(
        reloader: Arc<Reloader>,
        committer: Arc<Committer>,
        (start, clock): (Start, Clock),
        machine: Machine,
    ) -> Self {
        Self {
            began: Instant::now(),
            publisher: Arc::clone(&reloader.publisher),
            reloader,
            committer,
            house: None,
            event_log: None,
            machine,
            census: Census::default(),
            start,
            clock,
            accepting: Mutex::new(()),
            counters: Vec::new(),
            gauges: Vec::new(),
            inquiries: Vec::new(),
            inquests: Vec::new(),
        }
    }

    pub(super) fn set_house(&mut self, house: Option<(PathBuf, HouseMeter)>) {
        self.house = house;
    }

    pub(super) fn set_event_log(&mut self, meter: Option<Arc<eventlog::Meter>>) {
        self.event_log = meter;
    }

    pub(super) fn add_worker(
        &mut self,
        counters: Arc<Counters>,
        gauges: Arc<Gauges>,
        (inquiry, inquest): (Inquiry, Inquest),
    ) {
        self.counters.push(counters);
        self.gauges.push(gauges);
        self.inquiries.push(Mutex::new(inquiry));
        self.inquests.push(Mutex::new(inquest));
    }

    /// Where one more worker's frames can be captured from.
    pub(super) fn outlet(&self) -> Outlet {
        self.machine.captures.outlet()
    }

    /// What tells one worker from another, if there are several.
    fn worker_counters(&self, stats: &mut Stats) {
        if self.counters.len() < 2 {
            return;
        }
        let workers = self.counters.iter().zip(&self.gauges);
        for (worker, (counters, gauges)) in workers.enumerate() {
            let group = format!("worker_{worker}");
            for event in OF_WORKER {
                stats.add(&group, event.name(), counters.count(event));
            }
            for reason in [DropReason::HandOverFull, DropReason::CarryFull] {
                stats.add(&group, reason.name(), counters.dropped(reason));
            }
            stats.add(&group, "bindings", gauges.view().bindings);
        }
    }

    fn store_counters(&self, stats: &mut Stats) {
        let store = self.committer.stats();
        stats.store_trouble = self.committer.trouble().as_ref().map(StoreTrouble::from);
        let micros = |latency: Duration| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        for (name, value) in [
            ("commits", store.commits),
            ("records", store.records),
            ("octets", store.octets),
            ("troubles", store.troubles),
            ("trouble_since_ms", store.trouble_since.unwrap_or(0)),
            ("last_commit_ms", store.last_commit.unwrap_or(0)),
            ("commit_p50_us", micros(store.latency_p50)),
            ("commit_p99_us", micros(store.latency_p99)),
        ] {
            stats.add("store", name, value);
        }
        for ring in self.committer.rings() {
            stats.add("store", "agent_info_dropped", ring.agent_info_dropped);
            stats.add("store", "refused", ring.refused);
        }
    }

    /// How full the pools are, now or a moment ago.
    pub(super) fn pools(&self) -> Arc<Vec<PoolStats>> {
        self.census.pools(&self.publisher.current().config)
    }

    /// How often another station said that it has an address of ours.
    pub(super) fn address_conflicts(&self) -> u64 {
        let conflict = DropReason::AddressConflict;
        let counters = self.counters.iter();
        counters.map(|counters| counters.dropped(conflict)).sum()
    }

    fn memory(&self, stats: &mut Stats) {
        let Machine {
            pool, neighbors, ..
        } = &self.machine;
        stats.add("memory", "mbufs", pool.config().mbufs.into());
        stats.add("memory", "mbufs_free", pool.available().into());
        let (all, resolved) = neighbors.count();
        stats.add("neighbors", "known", all as u64);
        stats.add("neighbors", "resolved", resolved as u64);
        let clock = self.clock();
        stats.add("clock", "held", u64::from(clock.held.is_some()));
        stats.add("clock", "behind_s", clock.behind);
        stats.add("clock", "steps", clock.steps);
    }

    fn latency(&self) -> Vec<LatencyStats> {
        let workers = (0..).zip(&self.counters);
        let of_worker = |(worker, counters): (u16, &Arc<Counters>)| {
            let latency = counters.latency();
            [
                LatencyStats::new("direct", Some(worker), &latency.direct.view()),
                LatencyStats::new("durable", Some(worker), &latency.durable.view()),
            ]
        };
        let commits = LatencyStats::new("commit", None, &self.committer.latency());
        workers.flat_map(of_worker).chain([commits]).collect()
    }

    /// The gauges of all workers together.
    fn gauges(&self) -> GaugesView {
        let gauges = self.gauges.iter().map(|gauges| gauges.view());
        gauges.fold(GaugesView::default(), GaugesView::plus)
    }

    /// Lets what is held expire. A hold whose time is over leaves nothing to a worker that was not
    /// told; one that does not answer now is told again when the operator asks again.
    fn tell_accepted(&self) -> Result<u64, String> {
        let mut bindings = 0;
        for (worker, inquiry) in self.inquiries.iter().enumerate() {
            let mut inquiry = inquiry.lock().unwrap_or_else(PoisonError::into_inner);
            bindings += inquiry.accept_clock().map_err(|_| {
                format!("worker {worker} does not answer; ask again to tell it too")
            })?;
        }
        Ok(bindings)
    }

    /// Asks the worker that the address's word names.
    fn ask(&self, space: Space, addr: Ipv4Addr) -> Option<BindingView> {
        let snapshot = self.publisher.current();
        let owner = snapshot.config.cell(space, addr)?.load().owner();
        let inquiry = self.inquiries.get(usize::from(owner.0))?;
        let mut inquiry = inquiry.lock().unwrap_or_else(PoisonError::into_inner);
        inquiry.ask(space, addr).ok().flatten()
    }
}

impl ControlPlane for Plane {
    fn stats(&self) -> Stats {
        let mut stats = Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.began.elapsed().as_secs(),
            workers: u16::try_from(self.counters.len()).unwrap_or(u16::MAX),
            ..Stats::default()
        };
        for counters in &self.counters {
            for row in counters.snapshot().rows() {
                stats.add(row.group.name(), row.name, row.count);
            }
        }
        for (name, value) in self.gauges().rows() {
            stats.add("bindings", name, value);
        }
        self.worker_counters(&mut stats);
        self.store_counters(&mut stats);
        for (name, value) in self.event_log.iter().flat_map(|meter| meter.rows()) {
            stats.add("event_log", name, value);
        }
        self.memory(&mut stats);
        stats.pools.clone_from(&self.pools());
        stats.ports = self.machine.ports();
        stats.latency = self.latency();
        stats
    }

    fn store(&self) -> StoreStats {
        let view = self.house.as_ref().map(|(_, meter)| meter.view());
        StoreStats::of_server(
            self.house
                .as_ref()
                .map(|(directory, _)| directory.as_path()),
            &self.committer.stats(),
            &view.unwrap_or_default(),
            self.committer.trouble().as_ref().map(StoreTrouble::from),
        )
    }

    fn lease(&self, space: u16, addr: Ipv4Addr) -> Option<Lease> {
        lease_of(space, &self.ask(Space(space), addr)?)
    }

    fn release(&self, space: u16, addr: Ipv4Addr, client: Option<&str>) -> ReleaseOutcome {
        self.end_lease(Space(space), addr, client)
    }

    fn why(&self, client: &str, limit: u32) -> Result<Vec<Decision>, String> {
        self.decisions(client, limit)
    }

    fn reload(&self, force: bool) -> ReloadReport {
        self.reloader.reload(force)
    }

    fn capture(&self, wanted: &CaptureWanted) -> Result<Watch, String> {
        let Machine {
            names, captures, ..
        } = &self.machine;
        let number = |name: &String| {
            let port = (0..=u8::MAX).zip(names).find(|(_, port)| *port == name);
            let why = || format!("no port `{name}`; there are: {}", names.join(", "));
            port.map(|(number, _)| number).ok_or_else(why)
        };
        let wanted = Wanted {
            client: wanted.client.map(Mac),
            port: wanted.port.as_ref().map(number).transpose()?,
            snaplen: wanted.snaplen,
        };
        let capture = captures.begin(wanted).map_err(|why| why.to_string())?;
        let begun = CaptureBegun {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ports: names.clone(),
        };
        Ok(Watch { capture, begun })
    }

    fn add_reservation(
        &self,
        space: u16,
        addr: Ipv4Addr,
        client: &ClientText,
    ) -> ReservationOutcome {
        self.reloader.keeper.add(Space(space), addr, client)
    }

    fn remove_reservation(&self, space: u16, addr: Ipv4Addr) -> ReservationOutcome {
        self.reloader.keeper.remove(Space(space), addr)
    }

    fn reservations(&self, page: &ReservationPage) -> Vec<ReservationRow> {
        self.reloader.keeper.page(page)
    }

    fn clock(&self) -> ClockReport {
        let bindings = self.gauges().clock_held;
        time::report(&self.start, &self.clock, &self.committer, bindings)
    }

    fn accept_clock(&self) -> Result<ClockAccepted, String> {
        let one = self.accepting.lock();
        let _one = one.unwrap_or_else(PoisonError::into_inner);
        let was_held = match self.committer.clock_hold() {
            ClockHold::Held(_) => true,
            // A worker may not have been told yet.
            ClockHold::Accepted => self.gauges().clock_held > 0,
            ClockHold::Never | ClockHold::Over => false,
        };
        if !was_held {
            return Ok(ClockAccepted {
                was_held,
                bindings: 0,
            });
        }
        // On disk first: what expires now must not be held again by a restart.
        let durable = self.committer.accept_clock(PATIENCE);
        durable.map_err(|error| error.to_string())?;
        let bindings = self.tell_accepted()?;
        info!(event = %Event::ClockAccepted, bindings, "the operator has accepted the clock");
        Ok(ClockAccepted { was_held, bindings })
    }
}
