//! The thread of the log: takes what has come, writes it, and says when it cannot.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dhcp_proto::record::Record;
use tracing::{info, warn};

use super::Meter;
use super::entry::{Entry, What};
use super::file::LogFile;
use super::syslog::Syslog;
use crate::event::Event;
use crate::store::Lsn;
use crate::store::tap::Outlet;

/// How long the thread sleeps when nothing has come.
const IDLE: Duration = Duration::from_millis(50);
/// Octets of records that are written at once.
const PIECE: usize = 256 << 10;
/// How often the operator is told again.
const REMIND: Duration = Duration::from_mins(1);

/// What the thread has.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) from_store: Outlet,
    pub(super) from_workers: Vec<Outlet>,
    pub(super) sinks: Sinks,
    pub(super) reopen: Arc<AtomicBool>,
}

/// Where events go.
#[derive(Debug)]
pub(super) struct Sinks {
    pub(super) file: Option<LogFile>,
    pub(super) syslog: Option<Syslog>,
    pub(super) ports: Vec<String>,
    pub(super) meter: Arc<Meter>,
    pub(super) alarms: Alarms,
}

impl Writer {
    /// Writes until `stop` is raised and nothing is left.
    pub(super) fn run(&mut self, stop: &AtomicBool) {
        loop {
            // Asked for before the rings are: what came before the stop is seen.
            let stopping = stop.load(Ordering::Acquire);
            let busy = self.round();
            self.sinks.alarms.remind(&self.sinks.meter);
            if stopping && !busy {
                return;
            }
            if !busy {
                thread::sleep(IDLE);
            }
        }
    }

    /// Writes what is there now; whether there was anything.
    pub(super) fn round(&mut self) -> bool {
        let reopen = self.reopen.swap(false, Ordering::Relaxed);
        self.sinks.tend_file(reopen);
        // A lease that ran out comes before the one that its address was given to next: that one
        // is in no ring before the worker has told of the end.
        let recorded = self.from_store.waiting();
        let mut busy = false;
        for outlet in &mut self.from_workers {
            let expired = outlet.waiting();
            busy |= self.sinks.drain(outlet, expired, |_| Some(What::Expired));
        }
        let durable = |record: &Record<'_>| What::of(record.kind, record.cause);
        busy | self.sinks.drain(&mut self.from_store, recorded, durable)
    }
}

impl Sinks {
    /// Writes the next `left` octets of a ring; whether there were any.
    fn drain(
        &mut self,
        outlet: &mut Outlet,
        mut left: usize,
        what: impl Fn(&Record<'_>) -> Option<What>,
    ) -> bool {
        let any = left > 0;
        while left > 0 {
            let taken = outlet.take(left.min(PIECE), |lsn, record| {
                if let Some(what) = what(record) {
                    self.take(what, lsn, record);
                }
            });
            self.flush();
            if taken == 0 {
                break;
            }
            left = left.saturating_sub(taken);
        }
        any
    }

    fn take(&mut self, what: What, lsn: Lsn, record: &Record<'_>) {
        let number = usize::from(record.origin.port);
        let entry = Entry {
            what,
            lsn,
            record,
            port: self.ports.get(number).map_or("", String::as_str),
        };
        if let Some(file) = &mut self.file {
            file.line(|line| entry.json(line));
        }
        if let Some(syslog) = &mut self.syslog {
            match syslog.send(&entry) {
                Ok(true) => self.alarms.syslog.is_well("syslog"),
                // It rests after an error, which was told.
                Ok(false) => {}
                Err(error) => self.alarms.syslog.is_wrong("syslog", &error),
            }
        }
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let name = file.path().display().to_string();
        match file.flush() {
            Ok(()) => self.alarms.file.is_well(&name),
            Err(error) => self.alarms.file.is_wrong(&name, &error),
        }
    }

    /// Opens the file again where that is asked for or its name is another's, and tries again to
    /// write what the disk did not take.
    fn tend_file(&mut self, reopen: bool) {
        let Some(file) = &mut self.file else { return };
        let result = if reopen { file.reopen() } else { file.look() };
        if let Err(error) = result {
            let name = file.path().display().to_string();
            self.alarms.file.is_wrong(&name, &error);
        }
        if file.lines() > 0 {
            self.flush();
        }
    }
}

/// What the operator was told of.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    file: Alarm,
    syslog: Alarm,
    /// Lost events that were told of, and when.
    lost: u64,
    reminded: Option<Instant>,
}

/// Whether one receiver fails.
#[derive(Debug, Default)]
struct Alarm {
    told: Option<Instant>,
}

impl Alarm {
    fn is_wrong(&mut self, sink: &str, error: &io::Error) {
        if self.told.is_some_and(|at| at.elapsed() < REMIND) {
            return;
        }
        self.told = Some(Instant::now());
        warn!(event = %Event::EventLogFailed, sink, %error, "the event log cannot be written");
    }

    fn is_well(&mut self, sink: &str) {
        if self.told.take().is_some() {
            info!(event = %Event::EventLogRecovered, sink, "the event log is written again");
        }
    }
}

impl Alarms {
    /// Says how many events were lost since it was said last.
    fn remind(&mut self, meter: &Meter) {
        let all = meter.lost();
        let lost = all.saturating_sub(self.lost);
        if lost == 0 || self.reminded.is_some_and(|at| at.elapsed() < REMIND) {
            return;
        }
        (self.lost, self.reminded) = (all, Some(Instant::now()));
        warn!(event = %Event::EventLogLost, lost, "lease events are missing in the event log");
    }
}
