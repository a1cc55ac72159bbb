//! What came of a replay, as it is presented.

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

/// Differences that are shown to people.
const SHOWN: usize = 100;

/// What came of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The capture.
    pub file: String,
    /// Where it was cut off, in octets; null if it is whole.
    pub cut_at: Option<u64>,
    /// Frames in it.
    pub frames: u64,
    /// Messages of clients and relays that the machine was given.
    pub queries: u64,
    /// Replies of the server in it.
    pub replies: u64,
    /// Replies that came out the same.
    pub same: u64,
    /// Those that came out otherwise.
    pub different: u64,
    /// Those that the machine did not send.
    pub missing: u64,
    /// What the machine sent and the server did not.
    pub unexpected: u64,
    /// What was not compared.
    pub not_compared: NotCompared,
    /// What came out otherwise, was missing or not expected.
    pub differences: Vec<Difference>,
    /// How many of these are not in the list.
    pub more: u64,
}

/// How much was not compared, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct NotCompared {
    /// Frames that the capture has the beginning of only.
    pub cut_short: u64,
    /// Frames longer than the machine takes.
    pub too_long: u64,
    /// Replies of other servers.
    pub foreign: u64,
    /// Other frames that the server sent.
    pub other: u64,
    /// Replies whose query is not in the capture.
    pub without_query: u64,
    /// Replies of the machine to what was asked at the very end of the capture.
    pub open: u64,
}

/// A reply that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// When the reply was captured; of one that was not, when its query was.
    pub time: String,
    /// The client, by chaddr.
    pub client: String,
    /// The exchange.
    pub xid: String,
    /// The address in the reply.
    pub address: Option<Ipv4Addr>,
    /// Type of the reply in the capture.
    pub captured: Option<String>,
    /// Type of the machine's reply.
    pub replayed: Option<String>,
    /// What the machine counted instead of a reply, by the names of `lessor stats`.
    pub why: Vec<&'static str>,
    /// What differs.
    pub fields: Vec<FieldDifference>,
}

/// A field of a reply that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldDifference {
    /// The field or option.
    pub field: String,
    /// In the capture; null if it is not there.
    pub captured: Option<String>,
    /// In the machine's reply.
    pub replayed: Option<String>,
}

impl Report {
    /// Whether all that was compared is the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.different == 0 && self.missing == 0 && self.unexpected == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = self.differences.len().saturating_sub(SHOWN);
        for difference in self.differences.iter().take(SHOWN) {
            write!(f, "{difference}")?;
        }
        match self.more.saturating_add(hidden as u64) {
            0 => {}
            more => writeln!(f, "and {more} more; --json tells more of them")?,
        }
        if let Some(at) = self.cut_at {
            writeln!(
                f,
                "the capture is cut off at octet {at}; it was used up to there"
            )?;
        }
        let n = &self.not_compared;
        for (count, what) in [
            (
                n.cut_short,
                "frames are cut short by the capture, and were left out",
            ),
            (
                n.too_long,
                "frames are longer than the machine takes, and were left out",
            ),
            (n.foreign, "replies are other servers'"),
            (
                n.without_query,
                "replies have no query in the capture, and were not compared",
            ),
            (
                n.open,
                "queries at the end of the capture were answered, and not compared",
            ),
        ] {
            if count > 0 {
                writeln!(f, "{count} {what}")?;
            }
        }
        writeln!(
            f,
            "{} queries, {} replies captured: {} the same, {} different, {} missing, {} unexpected",
            self.queries, self.replies, self.same, self.different, self.missing, self.unexpected
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            time, client, xid, ..
        } = self;
        write!(f, "{time}  {client}  xid {xid}  ")?;
        let addr = self
            .address
            .map_or_else(String::new, |addr| format!(" of {addr}"));
        match (&self.captured, &self.replayed) {
            (Some(one), Some(other)) if one == other => writeln!(f, "{one}{addr} differs:")?,
            (Some(one), Some(other)) => writeln!(f, "{one}{addr}, and {other} in the replay:")?,
            (Some(one), None) if self.why.is_empty() => writeln!(f, "{one}{addr} is missing")?,
            (Some(one), None) => writeln!(f, "{one}{addr} is missing: {}", self.why.join(", "))?,
            (None, other) => {
                let other = other.as_deref().unwrap_or_default();
                writeln!(f, "{other}{addr} was not expected")?;
            }
        }
        for field in &self.fields {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
            let (captured, replayed) = (side(&field.captured), side(&field.replayed));
            writeln!(
                f,
                "    {}: {captured}, and {replayed} in the replay",
                field.field
            )?;
        }
        Ok(())
    }
}
