//! The environment that DPDK builds once in a process: memory, devices, lcores, log.

mod args;
mod error;

use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dpdk_sys as sys;

use crate::{Errno, LogLevel, affinity, log};

pub use error::EalError;

/// How the environment is built.
#[derive(Clone, Debug)]
pub struct EalConfig {
    /// Tells the files of two processes apart; no slash in it.
    pub file_prefix: String,
    /// Leaves no file behind, and no secondary process can attach.
    pub in_memory: bool,
    /// Does without huge pages; `memory_mib` is then a limit.
    pub no_huge: bool,
    /// Backs all memory of one kind by one file, which memif's zero-copy needs.
    pub single_file_segments: bool,
    /// Memory to take at the start. Without it DPDK takes huge pages as it needs them, and under
    /// `no_huge` 64 MiB.
    pub memory_mib: Option<u32>,
    /// CPUs for the threads that DPDK starts itself (interrupts, link state), which must not sit on
    /// a worker's. Empty: those of the caller.
    pub housekeeping: Vec<usize>,
    /// Addresses of the PCI devices to probe. Empty: the PCI bus is left alone.
    pub pci: Vec<String>,
    /// Virtual devices to make at the start. [`crate::Port::open`] makes them too, and names the
    /// one that failed.
    pub vdevs: Vec<String>,
    /// Further arguments as DPDK's command line has them, behind all others: for what the fields
    /// above have no word for.
    pub extra: Vec<String>,
    /// The least serious line that `log` gets.
    pub log_level: LogLevel,
    /// Gets DPDK's log, on the thread that logs. Without it the log is silent; errors tell why
    /// they happened all the same.
    pub log: Option<fn(LogLevel, &str)>,
}

impl Default for EalConfig {
    fn default() -> Self {
        Self {
            file_prefix: "dpdk".to_owned(),
            in_memory: true,
            no_huge: false,
            single_file_segments: false,
            memory_mib: None,
            housekeeping: Vec::new(),
            pci: Vec::new(),
            vdevs: Vec::new(),
            extra: Vec::new(),
            log_level: LogLevel::Warning,
            log: None,
        }
    }
}

/// The started environment. There is one, as long as the process lives.
#[derive(Debug)]
pub struct Eal {
    pci: bool,
    /// Ports that a [`crate::Port`] has open. Held while devices come and go: DPDK wants that from
    /// one thread at a time.
    pub(crate) open_ports: Mutex<Vec<u16>>,
}

static STARTED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts the environment.
    ///
    /// DPDK pins the thread that starts it and every thread it spawns, so it is started on a
    /// thread of its own, confined to `housekeeping`; the caller's CPUs stay as they are.
    ///
    /// # Errors
    ///
    /// [`EalError`], which says what to do. Only one that was found before DPDK was touched can be
    /// tried again in this process: no huge pages, a bad argument.
    pub fn start(config: &EalConfig) -> Result<&'static Self, EalError> {
        thread::scope(|scope| {
            thread::Builder::new()
                .name("eal-init".to_owned())
                .spawn_scoped(scope, || start_here(config))
                .map_err(EalError::Thread)?
                .join()
                .map_err(|_| EalError::Thread(io::ErrorKind::Other.into()))?
        })?;
        Ok(Box::leak(Box::new(Self {
            pci: !config.pci.is_empty(),
            open_ports: Mutex::new(Vec::new()),
        })))
    }

    /// Whether PCI devices were asked for.
    pub(crate) const fn has_pci(&self) -> bool {
        self.pci
    }
}

/// Starts the environment on the calling thread, which ends up pinned.
fn start_here(config: &EalConfig) -> Result<(), EalError> {
    if !config.housekeeping.is_empty() {
        affinity::restrict(&config.housekeeping).map_err(EalError::Thread)?;
    }
    // Those of the CPUs asked for that there are.
    let cpus = affinity::current().map_err(EalError::Thread)?;
    let argv = args::argv(config, &cpus)?;
    if !config.no_huge {
        enough_huge_pages(config)?;
    }
    if STARTED.swap(true, Ordering::SeqCst) {
        return Err(EalError::AlreadyStarted);
    }
    if !log::take_over(config.log_level, config.log) {
        return Err(EalError::Thread(io::ErrorKind::OutOfMemory.into()));
    }
    log::forget();
    init(argv).map_err(EalError::init)
}

/// Calls DPDK with `argv`, which it keeps pointers into: it is leaked.
fn init(argv: args::Argv) -> Result<(), Errno> {
    let argv = argv.leak();
    let count = i32::try_from(argv.len()).unwrap_or(i32::MAX);
    // SAFETY: `argv` holds `count` strings that end in NUL and live for ever; `STARTED` lets one
    // thread come here once.
    let result = unsafe { sys::rte_eal_init(count, argv.as_mut_ptr()) };
    if result < 0 {
        Err(Errno::last())
    } else {
        Ok(())
    }
}

/// Refuses a start that DPDK would fail without saying why: no huge page to be had.
fn enough_huge_pages(config: &EalConfig) -> Result<(), EalError> {
    // With files, those of a process that died hold pages which DPDK takes back at its start.
    let counter = if config.in_memory {
        "free_hugepages"
    } else {
        "nr_hugepages"
    };
    let count = |counter| huge_kib(Path::new("/sys/kernel/mm/hugepages"), counter);
    let found_kib = count(counter);
    let wanted_mib = config.memory_mib.unwrap_or(2).max(1);
    if found_kib < u64::from(wanted_mib) << 10 {
        return Err(EalError::NoHugePages {
            wanted_mib,
            found_mib: found_kib >> 10,
            in_use_mib: count("nr_hugepages").saturating_sub(found_kib) >> 10,
        });
    }
    Ok(())
}

/// KiB in the huge pages of all sizes that `counter` counts below `folder`.
fn huge_kib(folder: &Path, counter: &str) -> u64 {
    let Ok(sizes) = folder.read_dir() else {
        return 0;
    };
    let kib_of = |size: &Path| -> Option<u64> {
        let name = size.file_name()?.to_str()?;
        let page = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
        let pages = std::fs::read_to_string(size.join(counter)).ok()?;
        let pages: u64 = pages.trim().parse().ok()?;
        page.parse::<u64>().ok()?.checked_mul(pages)
    };
    sizes
        .flatten()
        .filter_map(|size| kib_of(&size.path()))
        .fold(0, u64::saturating_add)
}
