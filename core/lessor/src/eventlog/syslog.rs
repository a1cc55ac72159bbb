//! Events as messages of RFC 5424, one a datagram, to a collector by UDP or to a socket of this
//! host. A collector that does not listen costs a bounded time, and what it misses is counted.

use core::fmt::{self, Write as _};
use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::entry::{Entry, Value};
use super::{Collector, Meter, add};
use crate::words::Utc;

/// How long a message waits for a socket that is full.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long nothing is sent after that, or after a socket that is not there.
const PAUSE: Duration = Duration::from_secs(1);
/// The id of our structured data. 32473 is the number that RFC 5612 sets aside: we have none of
/// our own.
const SD_ID: &str = "lease@32473";

#[derive(Debug)]
pub(super) struct Syslog {
    to: Collector,
    facility: u8,
    host: String,
    socket: Option<Socket>,
    paused_until: Option<Instant>,
    meter: Arc<Meter>,
    message: Vec<u8>,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Socket {
    fn open(to: &Collector) -> io::Result<Self> {
        match to {
            Collector::Udp(to) => {
                let own: SocketAddr = match to {
                    SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
                    SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
                };
                let socket = UdpSocket::bind(own)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                // Connected, so that a port where nobody listens is noticed.
                socket.connect(to)?;
                Ok(Self::Udp(socket))
            }
            Collector::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.connect(path)?;
                Ok(Self::Unix(socket))
            }
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.send(message),
            Self::Unix(socket) => socket.send(message),
        }
    }
}

impl Syslog {
    pub(super) fn new(to: Collector, facility: u8, meter: Arc<Meter>) -> Self {
        Self {
            to,
            facility,
            host: host(),
            socket: None,
            paused_until: None,
            meter,
            message: Vec::new(),
        }
    }

    /// Sends one event, or counts it as lost; false while nothing is sent after an error.
    pub(super) fn send(&mut self, entry: &Entry<'_>) -> io::Result<bool> {
        if self.paused_until.is_some_and(|at| Instant::now() < at) {
            add(&self.meter.lost_syslog, 1);
            return Ok(false);
        }
        self.paused_until = None;
        self.message.clear();
        message(&mut self.message, (self.facility, &self.host), entry);
        let result = self.try_send();
        if result.is_err() {
            add(&self.meter.lost_syslog, 1);
            self.paused_until = Some(Instant::now() + PAUSE);
            self.socket = None;
        } else {
            add(&self.meter.sent, 1);
        }
        result.map(|()| true)
    }

    fn try_send(&mut self) -> io::Result<()> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => Socket::open(&self.to)?,
        };
        let mut sent = socket.send(&self.message);
        if sent
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
        {
            // By UDP that was the message before, which nobody took; this one has not left yet.
            add(
                &self.meter.lost_syslog,
                u64::from(matches!(socket, Socket::Udp(_))),
            );
            sent = socket.send(&self.message);
        }
        self.socket = Some(socket);
        sent.map(|_| ())
    }
}

/// The name of this host, RFC 5424 §6.2.4: printable ASCII, `-` if it has none.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = name.trim().chars().filter(char::is_ascii_graphic).take(255);
    let name: String = plain.collect();
    if name.is_empty() { "-".into() } else { name }
}

/// Writes an event as RFC 5424 §6 says.
fn message(out: &mut Vec<u8>, (facility, host): (u8, &str), entry: &Entry<'_>) {
    let priority = u16::from(facility) * 8 + u16::from(entry.what.severity());
    let (time, name) = (Utc(entry.record.time), entry.what.name());
    let process = process::id();
    // Writing into memory does not fail.
    drop(write!(
        out,
        "<{priority}>1 {time} {host} lessor {process} {name} [{SD_ID} event=\"{name}\""
    ));
    entry.fields(&mut |name, value| {
        drop(write!(out, " {name}=\""));
        match value {
            Value::Text(text) => drop(write!(Quoted(out), "{text}")),
            Value::Number(number) => drop(write!(out, "{number}")),
            Value::Never => out.extend_from_slice(b"never"),
            Value::Tags(tags) => {
                let tags: Vec<_> = tags.iter().map(ToString::to_string).collect();
                out.extend_from_slice(tags.join(".").as_bytes());
            }
        }
        out.push(b'"');
    });
    drop(write!(out, "] {name} {}", entry.record.addr));
}

/// The value of a parameter: `"`, `\` and `]` are escaped (RFC 5424 §6.3.3).
struct Quoted<'a>(&'a mut Vec<u8>);

impl fmt::Write for Quoted<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for octet in text.bytes() {
            if matches!(octet, b'"' | b'\\' | b']') {
                self.0.push(b'\\');
            }
            self.0.push(octet);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
