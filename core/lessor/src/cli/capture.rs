//! `lessor capture`.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use dhcp_wire::ethernet::Mac;
use rustix::event::{PollFd, PollFlags, Timespec};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Failure, Server, write_json};
use crate::control::{self, CaptureBegun, CaptureSum, CaptureWanted, Frames, Seen};
use crate::dataplane::capture::{Head, Kind};
use crate::exit::Exit;
use crate::pcap::{Direction, Statistics, Writer};

/// More than a frame can have.
const WHOLE: u32 = 65_535;
/// How long the server may take to its last word.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Capture {
    /// Where to, in pcapng; `-` for standard output, as for `tcpdump -r -`
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
    /// Only what this client sends and receives, also behind a relay
    #[arg(long, value_name = "MAC")]
    client: Option<Mac>,
    /// Only what passes this port of the configuration
    #[arg(long, value_name = "NAME")]
    port: Option<String>,
    /// End after so many frames
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time, such as 90s or 1h30m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Keep so many octets of each frame
    #[arg(long, value_name = "OCTETS", default_value_t = WHOLE,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(WHOLE)))]
    snaplen: u32,
    #[command(flatten)]
    server: Server,
    /// Write the sum, to standard error, as JSON
    #[arg(long)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    crate::config::duration(text).map_err(|reason| reason.to_string())
}

impl Capture {
    pub(super) fn execute(self) -> Result<Exit, Failure> {
        let asked = asked_to_end()?;
        let socket = self.server.socket()?;
        let wanted = CaptureWanted {
            client: self.client.map(|client| client.0),
            port: self.port.clone(),
            snaplen: self.snaplen,
        };
        let (begun, frames) = control::watch(&socket, wanted)?;
        // Not before: what the server refuses must not empty a file.
        let out = self.target()?;
        let mut session = Session::begin(self.count, out, &begun, self.snaplen)?;
        session.is_piped = self.is_piped();
        let until = self.duration.map(|duration| Instant::now() + duration);
        let result = session.run(frames, || {
            asked.load(Relaxed) || until.is_some_and(|until| Instant::now() >= until)
        });
        // What was captured is told, however it ended.
        self.tell(&session)?;
        result?;
        if session.cut {
            let why = "the server has ended the capture: it stops, or nobody took the frames for \
                       10 s; what was written is whole";
            return Err(Failure::new(Exit::Unavailable, why));
        }
        Ok(Exit::Ok)
    }

    fn is_piped(&self) -> bool {
        self.write == Path::new("-")
    }

    fn target(&self) -> Result<Box<dyn Write>, Failure> {
        if self.is_piped() {
            let out = io::stdout();
            if out.is_terminal() {
                let why = "a capture is nothing for a terminal; write to a file, or into a pipe \
                           to `tcpdump -r -`";
                return Err(Failure::new(Exit::Usage, why));
            }
            return Ok(Box::new(out));
        }
        let file = File::create(&self.write).map_err(|error| {
            let exit = if error.kind() == io::ErrorKind::PermissionDenied {
                Exit::NoPermission
            } else {
                Exit::CantCreate
            };
            let why = format!("cannot make {}: {error}", self.write.display());
            Failure::new(exit, why)
        })?;
        Ok(Box::new(file))
    }

    fn tell(&self, session: &Session) -> io::Result<()> {
        let (captured, lost) = (session.captured(), session.lost());
        let mut err = io::stderr().lock();
        if self.json {
            let file = self.write.display().to_string();
            let sum = json!({ "file": file, "captured": captured, "lost": lost });
            return write_json(&mut err, &sum);
        }
        let s = if captured == 1 { "" } else { "s" };
        writeln!(
            err,
            "{captured} frame{s} captured, {lost} lost on their way"
        )
    }
}

/// Raised by Ctrl-C and SIGTERM; a second one ends the process at once, wherever it is.
fn asked_to_end() -> Result<Arc<AtomicBool>, Failure> {
    let asked: Arc<AtomicBool> = Arc::default();
    for signal in [SIGINT, SIGTERM] {
        let now = Arc::clone(&asked);
        let at_once = signal_hook::flag::register_conditional_shutdown(signal, 1, now);
        let noted = signal_hook::flag::register(signal, Arc::clone(&asked));
        at_once
            .and(noted)
            .map_err(|error| Failure::new(Exit::OsError, error))?;
    }
    Ok(asked)
}

/// A capture on its way to a file.
struct Session {
    writer: Writer<BufWriter<Box<dyn Write>>>,
    /// Frames still to be written, if not all.
    left: Option<u64>,
    began: u64,
    /// Frames of each port that were written.
    written: Vec<u64>,
    sum: CaptureSum,
    /// Whether the end came before the server's last word.
    cut: bool,
    /// Whether it goes to standard output.
    is_piped: bool,
}

impl Session {
    fn begin(
        count: Option<u64>,
        out: Box<dyn Write>,
        begun: &CaptureBegun,
        snaplen: u32,
    ) -> Result<Self, Failure> {
        let application = format!("lessor {}", begun.version);
        let out = BufWriter::with_capacity(256 << 10, out);
        Ok(Self {
            writer: Writer::begin(out, &application, &begun.ports, snaplen)?,
            left: count,
            began: unix_nanos(),
            written: vec![0; begun.ports.len()],
            sum: CaptureSum::default(),
            cut: false,
            is_piped: false,
        })
    }

    /// Writes what comes until `is_over` says so or enough is written, and then what is left.
    fn run(&mut self, mut frames: Frames, is_over: impl Fn() -> bool) -> Result<(), Failure> {
        let mut stopped: Option<Instant> = None;
        loop {
            if frames.is_waiting() {
                self.writer.flush()?;
            }
            match frames.take()? {
                Seen::Frame(head, octets) => self.write(&head, octets)?,
                Seen::Sum(sum) => self.sum = sum,
                Seen::End(sum) => {
                    self.sum = sum;
                    break;
                }
                Seen::Nothing if self.is_piped && reader_is_gone() => {
                    return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
                }
                Seen::Nothing => {}
                Seen::Gone => {
                    self.cut = true;
                    break;
                }
            }
            match stopped {
                None if self.left == Some(0) || is_over() => {
                    frames.stop();
                    stopped = Some(Instant::now());
                }
                Some(since) if since.elapsed() > PATIENCE => {
                    self.cut = true;
                    break;
                }
                None | Some(_) => {}
            }
        }
        self.end()
    }

    fn write(&mut self, head: &Head, octets: &[u8]) -> io::Result<()> {
        if self.left == Some(0) {
            return Ok(());
        }
        let direction = match head.kind {
            Kind::Received => Direction::Inbound,
            Kind::Sent => Direction::Outbound,
            Kind::Sum | Kind::End => return Ok(()),
        };
        let port = (head.port, direction);
        self.writer.frame(port, head.at, octets, head.original)?;
        if let Some(written) = self.written.get_mut(usize::from(head.port)) {
            *written += 1;
        }
        self.left = self.left.map(|left| left - 1);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        let end = unix_nanos();
        for (port, &written) in (0..=u8::MAX).zip(&self.written) {
            let lost = self.sum.lost.get(usize::from(port)).copied().unwrap_or(0);
            let told = Statistics {
                begin: self.began,
                end,
                received: written.saturating_add(lost),
                lost,
            };
            self.writer.statistics(port, &told)?;
        }
        self.writer.flush()?;
        Ok(())
    }

    fn captured(&self) -> u64 {
        self.written.iter().sum()
    }

    fn lost(&self) -> u64 {
        self.sum.lost.iter().sum()
    }
}

/// Whether nobody will read from the pipe that standard output is: a write would say so, but
/// there may be none for hours.
fn reader_is_gone() -> bool {
    let out = io::stdout();
    let mut looked = [PollFd::new(&out, PollFlags::empty())];
    let found = rustix::event::poll(&mut looked, Some(&Timespec::default()));
    found.is_ok()
        && looked
            .iter()
            .any(|fd| fd.revents().contains(PollFlags::ERR))
}

fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
