//! A capture by the control socket: the one answer that does not end.
//!
//! ```text
//!   {"ask": "capture", …} ──►
//!                         ◄── {"ok": CaptureBegun}
//!                         ◄── records (dataplane/capture/record.rs), a sum now and then
//!   end of what is asked ──►
//!                         ◄── records that were left, the last sum; end of the connection
//! ```
//!
//! Who asked and does not read is disconnected after [`PATIENCE`]. Workers never wait for anybody.

mod frames;

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::RecvFlags;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::Answer;
use super::server::{PATIENCE, send};
use crate::dataplane::capture::{Capture, HEADER, Head, Kind};
use crate::event::Event;
use crate::words::Colons;

pub use frames::{Frames, Seen, watch};

/// Time between two looks at the rings when there is nothing in them.
const LOOK: Duration = Duration::from_millis(5);
/// Time between two sums; also how soon one that is gone is noticed.
const SUM: Duration = Duration::from_millis(200);
/// Octets of records that are sent at once.
const PIECE: usize = 256 << 10;

/// What is to be captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureWanted {
    /// Only what this client sends, receives or is told of.
    #[serde(default)]
    pub client: Option<[u8; 6]>,
    /// Only what passes the port of this name.
    #[serde(default)]
    pub port: Option<String>,
    /// Octets of a frame that are kept at most.
    pub snaplen: u32,
}

/// The server captures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureBegun {
    /// Version of the server.
    pub version: String,
    /// The names of the ports, by their numbers.
    pub ports: Vec<String>,
}

/// What came of a capture so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureSum {
    /// Frames of each port that found no room on their way.
    pub lost: Vec<u64>,
}

/// A capture that has begun.
#[derive(Debug)]
pub struct Watch {
    /// The workers' records.
    pub capture: Capture,
    /// What who asked is told first.
    pub begun: CaptureBegun,
}

/// Sends what is captured until who asked wants no more, is gone, or does not read; or until the
/// server ends.
pub(super) fn serve(
    connection: &UnixStream,
    wanted: &CaptureWanted,
    watch: Result<Watch, String>,
) -> io::Result<()> {
    let Watch { mut capture, begun } = match watch {
        Ok(watch) => watch,
        Err(why) => return send(connection, &Answer::<()>::Error(why)),
    };
    tell_begun(wanted);
    let told = send(connection, &Answer::Ok(begun));
    let sent = told.and_then(|()| stream(connection, &mut capture));
    capture.end();
    let rest = sent.and_then(|()| finish(connection, &mut capture));
    let lost: u64 = capture.lost().iter().sum();
    match &rest {
        Ok(()) => info!(event = %Event::CaptureEnded, lost, "the capture has ended"),
        Err(error) => {
            info!(event = %Event::CaptureEnded, lost, %error, "the capture has ended: nobody reads it");
        }
    }
    rest
}

fn tell_begun(wanted: &CaptureWanted) {
    let client = wanted.client.map(|client| Colons(&client).to_string());
    info!(
        event = %Event::CaptureBegun,
        client = client.unwrap_or_default(),
        port = wanted.port.clone().unwrap_or_default(),
        "frames are captured for an operator"
    );
}

fn stream(mut connection: &UnixStream, capture: &mut Capture) -> io::Result<()> {
    let mut records = Vec::with_capacity(PIECE + (64 << 10));
    let mut summed = Instant::now();
    while !capture.is_abandoned() && is_wanted(connection)? {
        records.clear();
        let more = capture.drain(&mut records, PIECE);
        if summed.elapsed() >= SUM {
            summed = Instant::now();
            push_sum(&mut records, capture, Kind::Sum)?;
        }
        connection.write_all(&records)?;
        if !more {
            thread::sleep(LOOK);
        }
    }
    Ok(())
}

/// Sends what the workers have recorded to the end, and the last sum.
fn finish(mut connection: &UnixStream, capture: &mut Capture) -> io::Result<()> {
    let mut records = Vec::new();
    let until = Instant::now() + PATIENCE;
    while capture.drain(&mut records, PIECE) && Instant::now() < until {
        connection.write_all(&records)?;
        records.clear();
    }
    push_sum(&mut records, capture, Kind::End)?;
    connection.write_all(&records)
}

fn push_sum(records: &mut Vec<u8>, capture: &Capture, kind: Kind) -> io::Result<()> {
    let lost = capture.lost();
    let sum = serde_json::to_vec(&CaptureSum { lost })?;
    let len = u32::try_from(sum.len()).map_err(io::Error::other)?;
    let head = Head {
        at: 0,
        captured: len,
        original: len,
        port: 0,
        kind,
    };
    records.reserve(HEADER + sum.len());
    records.extend_from_slice(&head.to_octets());
    records.extend_from_slice(&sum);
    Ok(())
}

/// Whether the other side has neither closed nor said anything.
fn is_wanted(connection: &UnixStream) -> io::Result<bool> {
    let mut octet = [0];
    match rustix::net::recv(connection, &mut octet, RecvFlags::DONTWAIT) {
        Ok(_) => Ok(false),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
