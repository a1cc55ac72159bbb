//! The life of the appliance: everything is opened in order, runs, and is closed in order.
//!
//! ```text
//!   store ─► configuration, shards ─► DPDK, ports ─► committer ─► workers ─► control ─► ready
//!   SIGTERM ─► workers send what is parked ─► committer writes the last batch ─► ports close
//! ```

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dhcp_proto::config::Config;
use dhcp_proto::identity::HashKey;
use dhcp_proto::limit::Limits;
use dhcp_proto::restart::{Reading, Start, longest_grace};
use dhcp_proto::server::{Notice, NoticeKind};
use dhcp_proto::shard::Shard;
use rtrb::{Consumer, RingBuffer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tracing::{error, info, warn};

use super::devices::{self, Devices};
use super::machine::{Machine, Ports};
use super::plane::Plane;
use super::reload::Reloader;
use super::reservations::{self, Book, Keeper};
use super::{StartError, bindings, place, sight, time};
use crate::config::{Engine, OnStoreFailure, Settings};
use crate::control;
use crate::dataplane::clock::Clock;
use crate::dataplane::counters::Counters;
use crate::dataplane::desk::{Inquiry, desk};
use crate::dataplane::exchange::Snapshot;
use crate::dataplane::gauges::Gauges;
use crate::dataplane::handover;
use crate::dataplane::host::Host;
use crate::dataplane::neighbors::Neighbors;
use crate::dataplane::parked::ParkedReplies;
use crate::dataplane::port_dpdk::DpdkPort;
use crate::dataplane::probes::Probes;
use crate::dataplane::routes::Routes;
use crate::dataplane::subscription::Publisher;
use crate::dataplane::worker::{Parts, Worker};
use crate::event::Event;
use crate::eventlog::{EventLog, Taps};
use crate::exit::Exit;
use crate::store::log::HouseMeter;
use crate::store::ring::{DEFAULT_SLOTS, Drain, JournalRing, ring};
use crate::store::tap::Tap;
use crate::store::{
    CommitOptions, Committer, Log, LogOptions, NullStore, Recovered, TroubleKind, Watcher,
};

/// How often the control side looks after things.
const LOOK: Duration = Duration::from_millis(50);
/// Slots of the ring from control to the store: for records of reservations, one at a time.
const CONTROL_SLOTS: usize = 64;
/// Notices that may wait to be logged.
const NOTICES: usize = 1024;
/// Next hops that are remembered: gateways, relays, servers.
const NEIGHBORS: usize = 4096;

type DpdkWorker = Worker<DpdkPort, JournalRing>;

/// The log and what it had; none with `engine = "none"`.
type Opened = Option<(Log, Recovered)>;

/// What control has of one worker.
struct Handle {
    thread: JoinHandle<()>,
    notices: Consumer<Notice>,
}

/// Runs the appliance until it is asked to stop.
pub(super) fn run(settings: Settings, file: &Path) -> Result<(), StartError> {
    let (stop, reload) = (Arc::default(), Arc::default());
    for (signal, flag) in [(SIGINT, &stop), (SIGTERM, &stop), (SIGHUP, &reload)] {
        signal_hook::flag::register(signal, Arc::clone(flag)).map_err(|error| {
            StartError::new(Exit::OsError, "signals cannot be caught").because(error)
        })?;
    }
    let opened = open_store(&settings)?;
    let recovered = opened.as_ref().map(|(_, recovered)| recovered);
    let mut settings = settings;
    let spec = std::mem::take(&mut settings.spec);
    let routes = Routes::new(&spec.links, &spec.service_addresses, &settings.routes);
    let config = bindings::configure(spec, recovered);
    let start = time::judge(recovered, &config);
    let clock = Clock::start(start.now);
    let mut shards = bindings::shards(&settings.server, &config, key()?, &clock)?;
    let (engine, book) = match opened {
        Some((mut log, recovered)) => {
            let reading = Reading {
                hold: start.hold,
                ..Reading::at(clock.now().secs())
            };
            let book = bindings::restore(&mut shards, &config, &recovered, &reading)?;
            log.keep_house(recovered).map_err(|error| {
                StartError::new(Exit::OsError, "no thread for the store").because(error)
            })?;
            (Some(log), book)
        }
        None => (None, Book::default()),
    };
    let config = reservations::begin(&book, &config);
    time::tell(&start, shards.iter().map(|s| s.counts().clock_held).sum());
    let house = engine.as_ref().map(|log: &Log| {
        let directory = settings.store.directory.clone();
        (directory, log.house_meter())
    });
    let (event_log, taps) = sight::event_log(&settings)?.unzip();
    let devices = devices::open(&settings)?;
    let publisher = Arc::new(Publisher::new(Snapshot { config, routes }));
    let (journals, own, drained) = journals(shards.len(), taps);
    let time = move || clock.wall().at(clock.now().secs());
    let keeper = Keeper::new(Arc::clone(&publisher), time, own, book);
    let committer = commit(
        engine,
        drained,
        &settings,
        (&start, &publisher.current().config),
    )?;
    let assembly = Assembly {
        settings,
        start,
        clock,
        publisher,
        keeper: Arc::new(keeper),
        stop,
        reload,
        // As the server was started in this directory, so is it read again.
        file: std::path::absolute(file).unwrap_or_else(|_| file.to_owned()),
        house,
        committer: Arc::new(committer),
        event_log,
    };
    assembly.serve(devices, shards, journals)
}

/// What the store thread takes records from, and whom it tells of them.
type Drained = (Vec<Drain>, Option<Tap>);

/// A journal for each worker and one for the control side.
fn journals(workers: usize, taps: Option<Taps>) -> (Vec<JournalRing>, JournalRing, Drained) {
    let rings = (0..workers).map(|_| ring(DEFAULT_SLOTS));
    let (mut journals, mut drains): (Vec<_>, Vec<_>) = rings.unzip();
    let (tap, expiries) = taps.map(|taps| (taps.store, taps.workers)).unzip();
    for (journal, tap) in journals.iter_mut().zip(expiries.into_iter().flatten()) {
        journal.tell_expiries(tap);
    }
    let (own, drain) = ring(CONTROL_SLOTS);
    drains.push(drain);
    (journals, own, (drains, tap))
}

/// The secret of the hash, new at each start.
fn key() -> Result<HashKey, StartError> {
    let mut key = [0; 16];
    let filled = rustix::rand::getrandom(&mut key, rustix::rand::GetRandomFlags::empty());
    match filled {
        Ok(16) => Ok(HashKey(key)),
        Ok(_) | Err(_) => Err(StartError::new(
            Exit::OsError,
            "the system has no random octets",
        )),
    }
}

fn open_store(settings: &Settings) -> Result<Opened, StartError> {
    match settings.store.engine {
        Engine::None => Ok(None),
        Engine::Log => {
            let options = LogOptions {
                segment_octets: settings.store.segment_size,
                ..LogOptions::default()
            };
            let opened = Log::open(&settings.store.directory, options);
            let (recovered, log) = opened.map_err(|error| {
                StartError::new((&error).into(), "the store cannot be opened").because(error)
            })?;
            Ok(Some((log, recovered)))
        }
    }
}

fn commit(
    engine: Option<Log>,
    (drains, tap): Drained,
    settings: &Settings,
    (start, config): (&Start, &Config),
) -> Result<Committer, StartError> {
    let options = CommitOptions {
        hold: start.hold,
        grace: longest_grace(config),
        patience: settings.store.ack_timeout,
        tap,
        ..CommitOptions::default()
    };
    let started = match engine {
        Some(log) => Committer::start(log, drains, options),
        None => Committer::start(NullStore::new(), drains, options),
    };
    started
        .map_err(|error| StartError::new(Exit::OsError, "no thread for the store").because(error))
}

/// What is there before the first worker runs.
struct Assembly {
    settings: Settings,
    start: Start,
    clock: Clock,
    publisher: Arc<Publisher>,
    keeper: Arc<Keeper>,
    stop: Arc<AtomicBool>,
    /// Raised by SIGHUP.
    reload: Arc<AtomicBool>,
    file: PathBuf,
    house: Option<(PathBuf, HouseMeter)>,
    committer: Arc<Committer>,
    event_log: Option<EventLog>,
}

impl Assembly {
    fn serve(
        self,
        devices: Devices,
        shards: Vec<Shard>,
        rings: Vec<JournalRing>,
    ) -> Result<(), StartError> {
        let Devices {
            eal,
            ports,
            pool,
            queues,
        } = devices;
        let names = self.settings.ports.iter().map(|port| port.name.clone());
        let open = Ports::new(names, ports);
        let neighbors = Arc::new(Neighbors::new(NEIGHBORS, seed(&shards)));
        let routers = self.publisher.current();
        neighbors.keep_routers(routers.routes.routers(), self.clock.now());
        let workers = shards.len();
        let reloader = Arc::new(self.reloader(&neighbors));
        let machine = Machine {
            ports: open.clone(),
            pool,
            neighbors: Arc::clone(&neighbors),
        };
        let mut plane = self.plane(&reloader, machine);
        let mut handles = Vec::new();
        let clients = usize::try_from(self.settings.server.bindings).unwrap_or(usize::MAX);
        let limits = Arc::new(Limits::new(clients, self.clock.now()));
        let mesh = handover::mesh(workers, handover::places(workers));
        let parts = shards.into_iter().zip(rings).zip(queues).zip(mesh);
        for (index, (((shard, journal), ports), peers)) in parts.enumerate() {
            let (notify, notices) = RingBuffer::new(NOTICES);
            let (desk, inquiry): (_, Inquiry) = desk();
            let counters = Arc::new(Counters::new());
            let gauges = Arc::new(Gauges::default());
            plane.add_worker(Arc::clone(&counters), Arc::clone(&gauges), inquiry);
            let patience = self.settings.store.ack_timeout;
            let most = self.settings.server.max_parked as usize;
            let worker = Worker::new(Parts {
                ports,
                peers,
                host: Host::new(Arc::clone(&neighbors), index, workers),
                shard,
                journal,
                parked: ParkedReplies::new(most, patience),
                snapshot: self.publisher.subscribe(),
                probes: Probes::new(self.settings.server.probes()),
                limits: Arc::clone(&limits),
                counters,
                gauges,
                notices: notify,
                desk,
            });
            let thread = self.spawn(worker, eal, index, workers)?;
            handles.push(Handle { thread, notices });
        }
        let ended = self.attend(plane, &reloader, &mut handles);
        self.stop.store(true, Ordering::Relaxed);
        for handle in handles {
            if handle.thread.join().is_err() {
                error!(event = %Event::ServerFailed, "a worker has panicked");
            }
        }
        self.close(&open, ended)
    }

    /// The control side, before it knows of a worker.
    fn plane(&self, reloader: &Arc<Reloader>, machine: Machine) -> Plane {
        let mut plane = Plane::new(
            Arc::clone(reloader),
            Arc::clone(&self.committer),
            (self.start, self.clock),
            machine,
        );
        plane.set_house(self.house.clone());
        plane.set_event_log(self.event_log.as_ref().map(EventLog::meter));
        plane
    }

    fn spawn(
        &self,
        mut worker: DpdkWorker,
        eal: &'static dpdk::Eal,
        index: usize,
        workers: usize,
    ) -> Result<JoinHandle<()>, StartError> {
        let core = place::core(self.settings.server.cores.as_deref(), index, workers);
        let (clock, stop) = (self.clock, Arc::clone(&self.stop));
        let work = move || {
            // A worker that cannot be pinned still serves, only less evenly.
            if let Some(core) = core
                && let Err(error) = dpdk::affinity::restrict(&[core])
            {
                warn!(event = %Event::ServerStarting, core, %error, "worker is not pinned");
            }
            match eal.register_thread() {
                Ok(_lcore) => worker.run(&clock, &stop),
                Err(error) => {
                    error!(event = %Event::ServerFailed, %error, "worker has no lcore");
                }
            }
        };
        let named = thread::Builder::new().name(format!("worker-{index}"));
        named.spawn(work).map_err(|error| {
            StartError::new(Exit::OsError, "no thread for a worker").because(error)
        })
    }

    /// Serves control and logs what the workers notice, until something asks to stop.
    fn attend(
        &self,
        plane: Plane,
        reloader: &Arc<Reloader>,
        handles: &mut [Handle],
    ) -> Result<(), StartError> {
        let socket = &self.settings.server.control;
        let plane = Arc::new(plane);
        let asked: Arc<dyn control::ControlPlane> = plane.clone();
        let _shown = sight::metrics(&self.settings, Arc::clone(&asked))?;
        let _served = control::Server::start(socket, asked)
            .map_err(|error| StartError::new(error.exit(), "no control socket").because(error))?;
        info!(
            event = %Event::ServerReady,
            workers = handles.len(),
            control = %socket.display(),
            "serving"
        );
        self.heed_sighup(reloader)?;
        let mut watch = time::Watch::new(&self.committer);
        let mut steps = time::Steps::default();
        let mut sight = sight::Watch::new(&self.settings);
        let mut watcher = self.committer.watcher(self.settings.store.ack_timeout);
        while !self.stop.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            self.publisher.tend();
            watch.look(&self.committer);
            steps.look(
                &self.clock,
                &self.committer,
                &self.publisher.current().config,
            );
            sight.look(&plane);
            for handle in handles.iter_mut() {
                while let Ok(notice) = handle.notices.pop() {
                    tell(&notice);
                }
                // Asked to stop, they end before this is back from its sleep.
                if handle.thread.is_finished() && !self.stop.load(Ordering::Relaxed) {
                    return Err(StartError::new(Exit::Software, "a worker has ended"));
                }
            }
            self.watch_store(&mut watcher)?;
        }
        info!(event = %Event::ServerStopping, "asked to stop");
        Ok(())
    }

    fn reloader(&self, neighbors: &Arc<Neighbors>) -> Reloader {
        Reloader {
            file: self.file.clone(),
            machine: crate::config::Machine::of(&self.settings),
            publisher: Arc::clone(&self.publisher),
            keeper: Arc::clone(&self.keeper),
            neighbors: Arc::clone(neighbors),
            clock: self.clock,
            one: Mutex::default(),
        }
    }

    /// Reloads whenever SIGHUP came, on a thread of its own: a large file takes its time. One that
    /// came during the start is heeded now.
    fn heed_sighup(&self, reloader: &Arc<Reloader>) -> Result<(), StartError> {
        let (stop, reload) = (Arc::clone(&self.stop), Arc::clone(&self.reload));
        let reloader = Arc::clone(reloader);
        let heed = move || {
            while !stop.load(Ordering::Relaxed) {
                if reload.swap(false, Ordering::Relaxed) {
                    reloader.reload(false);
                }
                thread::sleep(LOOK);
            }
        };
        let named = thread::Builder::new().name("reload".into());
        let started = named.spawn(heed);
        started
            .map(drop)
            .map_err(|error| StartError::new(Exit::OsError, "no thread for reloads").because(error))
    }

    /// Notices a store that is slow; ends the server when commits fail, if that is how it is
    /// configured. The committer and its watcher log what happens.
    fn watch_store(&self, watcher: &mut Watcher) -> Result<(), StartError> {
        let failed = watcher
            .look()
            .filter(|trouble| trouble.kind == TroubleKind::Failed);
        match failed {
            Some(trouble) if self.settings.store.on_failure == OnStoreFailure::Stop => {
                let what = format!("the store has failed: {}", trouble.reason);
                Err(StartError::new(Exit::IoError, what))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The last batch is written, then the ports are closed.
    fn close(self, ports: &Ports, ended: Result<(), StartError>) -> Result<(), StartError> {
        // Somebody may still be asking for figures: that does not keep the last batch back.
        let stopped = self.committer.stop();
        let unwritten = stopped.map_or(0, |stopped| stopped.unwritten);
        // It has what the last commit made durable, and writes it before it ends.
        drop(self.event_log);
        for port in ports.take() {
            let device = port.device();
            if let Err(error) = port.close() {
                warn!(event = %Event::ServerStopping, device, %error, "port was not closed");
            }
        }
        ended?;
        if unwritten > 0 {
            let what = format!("{unwritten} records were not written: nobody was told of them");
            return Err(StartError::new(Exit::IoError, what));
        }
        Ok(())
    }
}

/// Something that an attacker does not know, for the table of next hops.
fn seed(shards: &[Shard]) -> u64 {
    shards
        .first()
        .map_or(0, |shard| shard.key().hash(b"neighbors"))
}

fn tell(notice: &Notice) {
    let mac = notice.chaddr.map(|octet| format!("{octet:02x}")).join(":");
    let addr = notice.addr;
    match notice.kind {
        NoticeKind::Declined => warn!(
            event = %Event::LeaseDeclined,
            %addr,
            client = %mac,
            "client found its address in use; it is set aside"
        ),
        NoticeKind::TooManyDeclines => warn!(
            event = %Event::LeaseDeclinesExceeded,
            %addr,
            client = %mac,
            "client declines too many addresses; this one stays in use"
        ),
        NoticeKind::Moved => info!(
            event = %Event::LeaseMoved,
            %addr,
            client = %mac,
            "client came by another relay or circuit; its lease moved along"
        ),
        NoticeKind::MoveDenied => warn!(
            event = %Event::LeaseMoveDenied,
            %addr,
            client = %mac,
            "client came by another relay or circuit than its lease; it is not answered"
        ),
        NoticeKind::Exhausted => warn!(
            event = %Event::PoolExhausted,
            network = %addr,
            client = %mac,
            "no address is left for a client"
        ),
        NoticeKind::Busy => {
            let behind_router = notice.chaddr == [0; 6];
            let station = if behind_router {
                "behind a router"
            } else {
                &mac
            };
            warn!(
                event = %Event::LeaseBusy,
                %addr,
                station,
                "a probe was answered: the address is in use and set aside"
            );
        }
    }
}
