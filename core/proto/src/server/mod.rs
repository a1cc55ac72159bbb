//! The server of RFC 2131 §4.3, with RFC 3046: from a parsed message to what is to be answered.
//!
//! ```text
//!   Arrival ──► admit ──► Query ──► decide ──► Outcome ──► Plan ──► write_reply
//!              reads the Config     changes the Shard               reads Config and Echo
//! ```
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
mod query;
mod rank;
mod release;
mod reply;
mod reply_addr;
mod request;
mod server_id;
mod silence;
mod turn;

pub use crate::shard::{Ask, Parked, Yielded};
pub use admit::admit;
pub use agent::{AgentInfo, Directions};
pub use owner::owner;
pub use plan::{Destination, NextHop, Notice, NoticeKind, Outcome, Plan, ReplyKind};
pub use query::{Arrival, Client, Path, Query};
pub use rank::{Rank, glance, rank};
pub use reply::{Echo, Written, write_reply};
pub use silence::Silence;
pub use turn::decide;

#[cfg(test)]
mod tests;
