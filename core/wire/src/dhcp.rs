//! `DHCPv4` messages and their options: RFC 2131, 2132, 3396 and 3046.

pub mod agent;
pub mod code;
mod header;
mod index;
mod message;
mod message_type;
mod options;
mod value;
mod walk;
mod writer;

pub use header::Header;
pub use message::{Message, op};
pub use message_type::MessageType;
pub use options::{Faults, Options};
pub use value::Value;
pub use writer::{Finished, MIN_LEN, NoRoom, Writer};
