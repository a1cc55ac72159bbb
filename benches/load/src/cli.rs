//! The command line.
#![allow(clippy::print_stderr, reason = "a command's output belongs there")]

mod arguments;

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use dpdk::affinity;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::device::{self, Device};
use crate::drive::{Progress, Traffic, Wheels, drive};
use crate::report::Report;
use crate::run::{Run, Stage};
use arguments::{Arguments, Command};

/// How the process ends; beside 0 and 1 the codes of sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Every reply was right.
    Ok = 0,
    /// A reply was wrong.
    Violation = 1,
    /// The command line is.
    Usage = 64,
    /// No device, or nobody answers.
    Unavailable = 69,
    /// No memory.
    OsError = 71,
    /// The report cannot be written.
    IoError = 74,
}

/// Why a command ends without a report.
#[derive(Debug)]
struct Stop {
    exit: Exit,
    why: String,
}

impl Stop {
    fn new(exit: Exit, why: &impl fmt::Display) -> Self {
        let why = why.to_string();
        Self { exit, why }
    }
}

/// Runs the command that `arguments` give, the program's name first.
#[must_use]
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Without a standard output or error there is nobody to tell.
            drop(error.print());
            return ExitCode::from(exit as u8);
        }
    };
    let exit = match arguments.command().and_then(|command| run(&command)) {
        Ok(exit) => exit,
        Err(stop) => {
            eprintln!("lessor-load: {}", stop.why);
            stop.exit
        }
    };
    ExitCode::from(exit as u8)
}

fn run(command: &Command) -> Result<Exit, Stop> {
    let json = Output::open(command.json.as_deref())?;
    // DPDK takes its huge pages first; clients come on what is left, or on ordinary ones.
    let device =
        device::open(&command.wanted).map_err(|error| Stop::new(Exit::Unavailable, &error))?;
    let mut run = Run::new(&command.plan, command.timing)
        .map_err(|error| Stop::new(Exit::OsError, &error))?;
    let lost = device::lost(&device.port);
    let Device {
        eal,
        port,
        queues: (rx, tx),
        pool,
    } = device;
    let wheels = Wheels {
        rx,
        tx,
        pool,
        trust: command.trust_checksums,
    };
    let progress = Progress::default();
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&progress.stop))
            .map_err(|error| Stop::new(Exit::OsError, &error))?;
    }
    let cpu = command.wanted.cpu;
    let (run, traffic) = thread::scope(|scope| {
        let (done, ended) = mpsc::channel();
        let progress = &progress;
        scope.spawn(move || {
            // On whatever CPU: it polls all the same.
            drop(affinity::restrict(&[cpu]));
            let lcore = eal.register_thread();
            let traffic = drive(&mut run, wheels, progress);
            drop(lcore);
            // The receiver waits for just this.
            drop(done.send((run, traffic)));
        });
        watch(&ended, progress, command.progress)
    })
    .ok_or_else(|| Stop::new(Exit::OsError, &"the polling thread ended"))?;
    if let Some(failure) = run.failure() {
        return Err(Stop::new(Exit::Unavailable, &failure));
    }
    let report = Report {
        plan: &command.plan,
        timing: &command.timing,
        rx_dropped: device::lost(&port) - lost + traffic.rx_refused,
        run: &run,
        traffic,
    };
    write(&report, json)?;
    Ok(verdict(&run))
}

fn verdict(run: &Run) -> Exit {
    if run.engine().violations().total() > 0 {
        Exit::Violation
    } else if run.measured().0.replies == 0 {
        eprintln!("lessor-load: nothing was answered while it was measured");
        Exit::Unavailable
    } else {
        Exit::Ok
    }
}

/// Where the JSON goes.
enum Output {
    Nowhere,
    Stdout,
    File(File),
}

impl Output {
    /// Finds out before the run whether it can be written.
    fn open(path: Option<&str>) -> Result<Self, Stop> {
        match path {
            None => Ok(Self::Nowhere),
            Some("-") => Ok(Self::Stdout),
            Some(path) => File::create(path).map(Self::File).map_err(|error| {
                let why = format!("{path}: {error}");
                Stop::new(Exit::IoError, &why)
            }),
        }
    }
}

/// Writes the report for people to standard output, or the JSON if that is wanted there.
fn write(report: &Report<'_>, json: Output) -> Result<(), Stop> {
    let mut stdout = io::stdout().lock();
    let written = match json {
        Output::Nowhere => write!(stdout, "{report}"),
        Output::Stdout => writeln!(stdout, "{}", report.json()),
        Output::File(mut file) => {
            let in_file = writeln!(file, "{}", report.json());
            in_file.and_then(|()| write!(stdout, "{report}"))
        }
    };
    written
        .and_then(|()| stdout.flush())
        .map_err(|error| Stop::new(Exit::IoError, &error))
}

/// Waits for the run to end, with a line each second if they are wanted. None if its thread is
/// gone.
fn watch(
    ended: &mpsc::Receiver<(Run, Traffic)>,
    progress: &Progress,
    talk: bool,
) -> Option<(Run, Traffic)> {
    let mut before = [0; 3];
    for second in 1_u64.. {
        match ended.recv_timeout(Duration::from_secs(1)) {
            Ok(done) => return Some(done),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = [&progress.sent, &progress.replies, &progress.exchanges].map(|n| n.load(Relaxed));
        if talk {
            let [sent, replies, exchanges] = [0, 1, 2].map(|n: usize| now[n] - before[n]);
            let stages = [
                Stage::Way,
                Stage::Leases,
                Stage::Warmup,
                Stage::Measure,
                Stage::Drain,
            ];
            let stage = stages.get(usize::from(progress.stage.load(Relaxed)));
            eprintln!(
                "{second:>4} s {:<8} sent {sent}/s  replies {replies}/s  exchanges {exchanges}/s  \
                 under way {}  violations {}",
                stage.map_or("end", |stage| stage.name()),
                progress.under_way.load(Relaxed),
                progress.violations.load(Relaxed),
            );
        }
        before = now;
    }
    None
}
