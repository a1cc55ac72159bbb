//! Where DPDK's log goes: to the caller's function, and, the last of it, into the text of errors.
//!
//! DPDK tells why something failed in its log and nowhere else.

use core::ffi::c_char;
use core::slice;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use dpdk_sys as sys;

/// How serious a line of DPDK's log is, by syslog's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// System is unusable.
    Emergency = 1,
    /// Action must be taken at once.
    Alert,
    /// A condition that the process will hardly survive.
    Critical,
    /// An operation failed.
    Error,
    /// Something may go wrong.
    Warning,
    /// Normal, but of note.
    Notice,
    /// What is going on.
    Info,
    /// All there is.
    Debug,
}

impl LogLevel {
    fn of(level: u32) -> Self {
        match level {
            0 | 1 => Self::Emergency,
            2 => Self::Alert,
            3 => Self::Critical,
            4 => Self::Error,
            5 => Self::Warning,
            6 => Self::Notice,
            7 => Self::Info,
            _ => Self::Debug,
        }
    }
}

/// Octets of the log kept for the text of an error.
const KEPT: usize = 2048;

type Sink = fn(LogLevel, &str);

static SINK: OnceLock<(LogLevel, Sink)> = OnceLock::new();
static RECENT: Mutex<String> = Mutex::new(String::new());

fn recent() -> MutexGuard<'static, String> {
    RECENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes DPDK's log over, before its first line. False if the system has no memory for a stream.
pub(crate) fn take_over(level: LogLevel, sink: Option<Sink>) -> bool {
    if let Some(sink) = sink {
        // A start that failed before the EAL was touched may come back with another sink; the
        // first one stays.
        let _ = SINK.set((level, sink));
    }
    let heard = level.max(LogLevel::Error);
    // SAFETY: the call stores a number.
    unsafe { sys::rte_log_set_global_level(heard as u32) };
    // SAFETY: `on_text` is what the shim calls with a text and its length, and does not unwind.
    unsafe { sys::dpdk_log_to(Some(on_text)) == 0 }
}

/// Called by DPDK on the thread that logs, with the lines of one message.
unsafe extern "C" fn on_text(level: u32, text: *const c_char, length: usize) {
    // SAFETY: the shim passes the `length` octets it was given to write, alive for this call.
    let octets = unsafe { slice::from_raw_parts(text.cast::<u8>(), length) };
    let text = String::from_utf8_lossy(octets);
    let level = LogLevel::of(level);
    if level <= LogLevel::Error {
        keep(&text);
    }
    if let Some((most, sink)) = SINK.get()
        && level <= *most
    {
        sink(level, text.trim_end());
    }
}

fn keep(text: &str) {
    let mut recent = recent();
    if recent.len().saturating_add(text.len()) <= KEPT {
        recent.push_str(text);
    }
}

/// Forgets what was kept, before an operation that may fail.
pub(crate) fn forget() {
    recent().clear();
}

/// The errors logged since [`forget`], on one line.
pub(crate) fn told() -> String {
    let recent = recent();
    let lines: Vec<&str> = recent.lines().map(str::trim).collect();
    lines.join("; ")
}
