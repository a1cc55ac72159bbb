//! What control is told: counters of all workers, pools, and who has an address.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dhcp_proto::address::{AddressState, Space};
use dhcp_proto::binding::BindingState;
use dhcp_proto::config::{Config, Network, Pool, Subnet};
use dhcp_proto::record::{Cause, Record, RecordKind};
use dhcp_proto::restart::Start;
use dhcp_proto::shard::BindingView;
use tracing::info;

use super::reload::Reloader;
use super::time;
use crate::control::{
    ClockAccepted, ClockReport, ControlPlane, Lease, PoolStats, ReloadReport, State, Stats,
    StoreStats, StoreTrouble,
};
use crate::dataplane::clock::Clock;
use crate::dataplane::counters::{self, Counters, DropReason};
use crate::dataplane::desk::Inquiry;
use crate::dataplane::gauges::{Gauges, GaugesView};
use crate::dataplane::subscription::Publisher;
use crate::event::Event;
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
    start: Start,
    clock: Clock,
    /// Taken by who accepts the clock.
    accepting: Mutex<()>,
    counters: Vec<Arc<Counters>>,
    gauges: Vec<Arc<Gauges>>,
    inquiries: Vec<Mutex<Inquiry>>,
}

impl Plane {
    pub(super) fn new(
        reloader: Arc<Reloader>,
        committer: Arc<Committer>,
        (start, clock): (Start, Clock),
    ) -> Self {
        Self {
            began: Instant::now(),
            publisher: Arc::clone(&reloader.publisher),
            reloader,
            committer,
            house: None,
            start,
            clock,
            accepting: Mutex::new(()),
            counters: Vec::new(),
            gauges: Vec::new(),
            inquiries: Vec::new(),
        }
    }

    pub(super) fn set_house(&mut self, house: Option<(PathBuf, HouseMeter)>) {
        self.house = house;
    }

    pub(super) fn add_worker(
        &mut self,
        counters: Arc<Counters>,
        gauges: Arc<Gauges>,
        inquiry: Inquiry,
    ) {
        self.counters.push(counters);
        self.gauges.push(gauges);
        self.inquiries.push(Mutex::new(inquiry));
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

    fn pool(config: &Config, network: &Network, subnet: &Subnet, pool: &Pool) -> PoolStats {
        let mut counted = PoolStats {
            network: network.name.clone(),
            first: pool.first,
            last: pool.last,
            free: 0,
            held: 0,
            bound: 0,
            remembered: 0,
            set_aside: 0,
            excluded: 0,
        };
        for index in 0..pool.len() {
            let addr = pool.addr(index);
            if subnet.is_excluded(addr) || network.reserved(addr).is_some() {
                counted.excluded += 1;
                continue;
            }
            let Some(cell) = config.cell(network.space, addr) else {
                continue;
            };
            match cell.load().state() {
                AddressState::Free => counted.free += 1,
                AddressState::Held => counted.held += 1,
                AddressState::Bound => counted.bound += 1,
                AddressState::Remembered => counted.remembered += 1,
                AddressState::SetAside => counted.set_aside += 1,
            }
        }
        counted
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
        stats.add("clock", "steps", self.committer.clock_steps());
        self.worker_counters(&mut stats);
        self.store_counters(&mut stats);
        let snapshot = self.publisher.current();
        let config = &snapshot.config;
        for network in config.networks() {
            for subnet in &network.subnets {
                let pools = subnet
                    .pools
                    .iter()
                    .map(|pool| Self::pool(config, network, subnet, pool));
                stats.pools.extend(pools);
            }
        }
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
        let view = self.ask(Space(space), addr)?;
        let (kind, state) = match view.state {
            BindingState::Active => (RecordKind::Active, State::Active),
            BindingState::Expired => (RecordKind::Active, State::Expired),
            BindingState::Released => (RecordKind::Released, State::Released),
            BindingState::Abandoned => (RecordKind::Declined, State::Abandoned),
            BindingState::Available | BindingState::Offered => return None,
        };
        // Of an address set aside the client is who declined it.
        let aside = state == State::Abandoned;
        let record = Record {
            kind,
            cause: Cause::Unsaid,
            space,
            addr,
            generation: 0,
            time: view.started,
            expiry: view.until,
            lease: view.lease,
            origin: view.origin,
            giaddr: view.giaddr,
            identity: if aside {
                view.agent_info()
            } else {
                view.identity()
            },
            htype: view.htype,
            chaddr: view.chaddr(),
            agent_info: if aside { &[] } else { view.agent_info() },
        };
        let lease = Lease::new(&record, 0)?;
        Some(Lease { state, ..lease })
    }

    fn reload(&self, force: bool) -> ReloadReport {
        self.reloader.reload(force)
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
