//! `[server]`, `[store]` and `[eal]`: the machine that the server runs on.

use std::path::PathBuf;
use std::time::Duration;

use dpdk::LogLevel;

use super::fault::Reason;
use super::table::Table;
use super::value::Value;

/// Most workers: an address word has 8 bits for its owner.
const MOST_WORKERS: u16 = 256;
/// The last core that Linux can name on any machine it runs on.
const LAST_CORE: u16 = 8191;

/// Workers and what they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Poll threads, one queue pair of each port each.
    pub workers: u16,
    /// Their cores; `None` is the last ones there are.
    pub cores: Option<Vec<u16>>,
    /// Replies that a worker may hold until their records are on disk.
    pub max_parked: u32,
    /// DISCOVERs of a worker that may wait for a probe.
    pub max_probes: u32,
    /// Packet buffers; `None` is what the rest adds up to.
    pub mbufs: Option<u32>,
    /// Bindings that the tables have room for.
    pub bindings: u32,
    /// Share of the tables that offers to strangers may fill, in 1/1000.
    pub max_offers: u16,
    /// Octets of option 82 and of identities beyond 20 octets to keep for each binding, on average.
    pub agent_info_octets: u16,
    /// Decisions that a worker remembers for `lessor why`; 0 is none.
    pub trace: u32,
    /// The socket that `lessor stats` and its like connect to.
    pub control: PathBuf,
}

impl Server {
    /// DISCOVERs of a worker that may wait for a probe. They take at most a quarter of the buffers
    /// where that many are configured, so that receiving never starves.
    #[must_use]
    pub fn probes(&self) -> u32 {
        let share = |mbufs: u32| mbufs / 4 / u32::from(self.workers.max(1));
        self.mbufs
            .map_or(self.max_probes, |mbufs| self.max_probes.min(share(mbufs)))
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            workers: 1,
            cores: None,
            max_parked: 65_536,
            max_probes: 4096,
            mbufs: None,
            bindings: 100_000,
            max_offers: 250,
            agent_info_octets: 64,
            trace: 65_536,
            control: "/run/lessor/control.sock".into(),
        }
    }
}

/// Where bindings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// The embedded log.
    #[default]
    Log,
    /// Memory alone: bindings end with the process. For measurements.
    None,
}

/// What becomes of the server when its store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnStoreFailure {
    /// It offers, acknowledges nothing and resumes when the store works again.
    #[default]
    Retry,
    /// It ends.
    Stop,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Which one.
    pub engine: Engine,
    /// Its directory.
    pub directory: PathBuf,
    /// What becomes of the server when it fails.
    pub on_failure: OnStoreFailure,
    /// A reply that waits longer for the disk is dropped: the client has asked again.
    pub ack_timeout: Duration,
    /// Octets of a segment of the log; as many are held in reserve.
    pub segment_size: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            engine: Engine::Log,
            directory: "/var/lib/lessor".into(),
            on_failure: OnStoreFailure::Retry,
            ack_timeout: Duration::from_secs(2),
            segment_size: 64 << 20,
        }
    }
}

/// What DPDK's environment is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eal {
    /// Ordinary pages instead of huge pages.
    pub no_huge: bool,
    /// DPDK's memory in octets; `None` is what the configuration needs.
    pub memory: Option<u64>,
    /// Distinguishes DPDK processes of one host.
    pub file_prefix: String,
    /// No files in the huge page file system and in /run/dpdk.
    pub in_memory: bool,
    /// All memory of one kind in one file, which memif's zero-copy needs.
    pub single_file_segments: bool,
    /// Cores of the threads that are no workers; `None` is those the process may use.
    pub housekeeping_cores: Option<Vec<u16>>,
    /// The least serious line of DPDK's own log that is passed on.
    pub log_level: LogLevel,
}

impl Default for Eal {
    fn default() -> Self {
        Self {
            no_huge: false,
            memory: None,
            file_prefix: "lessor".into(),
            in_memory: true,
            single_file_segments: false,
            housekeeping_cores: None,
            log_level: LogLevel::Error,
        }
    }
}

const LOG_LEVELS: [(&str, LogLevel); 8] = [
    ("emergency", LogLevel::Emergency),
    ("alert", LogLevel::Alert),
    ("critical", LogLevel::Critical),
    ("error", LogLevel::Error),
    ("warning", LogLevel::Warning),
    ("notice", LogLevel::Notice),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
];

pub(super) fn server(mut table: Table<'_>) -> Server {
    let mut server = Server::default();
    table.set("workers", &mut server.workers, |v| {
        v.number(1..=MOST_WORKERS)
    });
    if let Some(value) = table.value("cores") {
        server.cores = cores(&value);
        let count = server.cores.as_ref().map_or(0, Vec::len);
        let workers = server.workers;
        if count > 0 && count != usize::from(workers) {
            let why = Reason::Cores {
                cores: count,
                workers,
            };
            table.findings.fault(&value.spot, why);
        }
    }
    table.set("max_parked", &mut server.max_parked, |v| {
        v.number(1..=1 << 24)
    });
    table.set("max_probes", &mut server.max_probes, |v| {
        v.number(0..=1 << 18)
    });
    server.mbufs = table.read("mbufs", |v| v.number(256..=1 << 26));
    table.set("bindings", &mut server.bindings, |v| v.number(1..=1 << 30));
    table.set("max_offers", &mut server.max_offers, |v| {
        v.per_mille(1..=1000)
    });
    table.set("agent_info_octets", &mut server.agent_info_octets, |v| {
        v.number(0..=768)
    });
    table.set("trace", &mut server.trace, |v| v.number(0..=1 << 20));
    table.set("control", &mut server.control, |v| socket_path(v));
    table.finish();
    server
}

/// Numbers of different cores.
fn cores(value: &Value<'_>) -> Option<Vec<u16>> {
    let numbered = value.all(|v| v.number(0..=LAST_CORE))?;
    let mut cores: Vec<u16> = Vec::new();
    for (spot, core) in numbered {
        if cores.contains(&core) {
            let line = value.findings().line(value.spot.at);
            value
                .findings()
                .fault(&spot, Reason::Doubled { what: "core", line });
        }
        cores.push(core);
    }
    if cores.is_empty() {
        value.accept(Err(Reason::Empty))
    } else {
        Some(cores)
    }
}

/// A path that a socket address has room for (`sun_path` has 108 octets and ends with a NUL).
pub(super) fn socket_path(value: &Value<'_>) -> Result<PathBuf, Reason> {
    let path = absolute(value)?;
    let fits = path.as_os_str().len() <= 107;
    fits.then_some(path)
        .ok_or(Reason::Malformed("a path of at most 107 octets"))
}

pub(super) fn absolute(value: &Value<'_>) -> Result<PathBuf, Reason> {
    let path = PathBuf::from(value.name()?);
    let usable = path.is_absolute() && !value.text()?.contains('\0');
    usable
        .then_some(path)
        .ok_or(Reason::Malformed("an absolute path"))
}

pub(super) fn store(mut table: Table<'_>) -> Store {
    let mut store = Store::default();
    let engines = [("log", Engine::Log), ("none", Engine::None)];
    table.set("engine", &mut store.engine, |v| v.one_of(&engines));
    table.set("directory", &mut store.directory, absolute);
    let ways = [
        ("retry", OnStoreFailure::Retry),
        ("stop", OnStoreFailure::Stop),
    ];
    table.set("on_store_failure", &mut store.on_failure, |v| {
        v.one_of(&ways)
    });
    let timeout = Duration::from_millis(10)..=Duration::from_mins(1);
    table.set("ack_timeout", &mut store.ack_timeout, |v| {
        v.duration(timeout)
    });
    table.set("segment_size", &mut store.segment_size, |v| {
        v.size(1 << 20..=1 << 29)
    });
    table.finish();
    store
}

pub(super) fn eal(mut table: Table<'_>) -> Eal {
    let mut eal = Eal::default();
    table.set("no_huge", &mut eal.no_huge, Value::flag);
    eal.memory = table.read("memory", |v| v.size(16 << 20..=1 << 42));
    table.set("file_prefix", &mut eal.file_prefix, file_prefix);
    table.set("in_memory", &mut eal.in_memory, Value::flag);
    table.set(
        "single_file_segments",
        &mut eal.single_file_segments,
        Value::flag,
    );
    eal.housekeeping_cores = table.value("housekeeping_cores").and_then(|v| cores(&v));
    table.set("log_level", &mut eal.log_level, |v| v.one_of(&LOG_LEVELS));
    table.finish();
    eal
}

/// It becomes part of file names.
fn file_prefix(value: &Value<'_>) -> Result<String, Reason> {
    let name = value.name()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
    let fits = name.len() <= 64 && name.chars().all(plain);
    fits.then(|| name.into())
        .ok_or(Reason::Malformed("a name of letters, digits, -, _ and ."))
}
