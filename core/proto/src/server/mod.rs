//! The server of RFC 2131 §4.3, with RFC 3046: from a parsed message to what is to be answered.
//!
//! ```text
//!   Arrival ──► admit ──► Query ──► decide ──► Outcome ──► Plan ──► write_reply
//!              reads the Config     changes the Shard               reads Config and Echo
//! ```
//!
//! An OFFER of a new address may have to wait for a probe: then `Outcome` says so, and [`resume`]
//! decides about the same message when the probe is over.
//!
//! `admit` runs on the worker that received the frame, `decide` on the one that owns the client, to
//! which [`owner`] steers the message.
//! One file a message type; the rules of one section stand on the arms that obey them.

mod admit;
mod agent;
mod answer;
mod decline;
mod discover;
mod extend;
mod inform;
mod moves;
mod owner;
mod plan;
mod probe;
mod query;
mod rank;
mod release;
mod reply;
mod reply_addr;
mod request;
mod server_id;
mod silence;
mod turn;

pub use crate::shard::{Ask, Found, Over, Parked, Probe, Seek, Yielded};
pub use admit::admit;
pub use agent::{AgentInfo, Directions};
pub use owner::owner;
pub use plan::{Destination, NextHop, Notice, NoticeKind, Outcome, Plan, ReplyKind};
pub use probe::{look_aside, resume, settle};
pub use query::{Arrival, Client, Path, Query};
pub use rank::{Rank, glance, rank};
pub use reply::{Echo, Written, write_reply};
pub use silence::Silence;
pub use turn::decide;

#[cfg(test)]
mod tests;
