//! The options of a subnet, encoded once.

use alloc::boxed::Box;
use alloc::vec::Vec;
use dhcp_wire::dhcp::code;

/// One configured option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionEntry {
    /// Its code.
    pub code: u8,
    /// Its value as it goes on the wire; beyond 255 octets it is split when it is sent.
    pub data: Box<[u8]>,
    /// Sent whether the client asked for it or not.
    pub always: bool,
}

/// The options of a subnet, each code once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionSet {
    /// In the order in which they are sent to a client that names none (C168).
    entries: Vec<OptionEntry>,
}

/// RFC 2131 §4.3.1 leaves the order open; these first, for clients with little room (C168).
const FIRST: [u8; 6] = [
    code::SUBNET_MASK,
    code::ROUTERS,
    code::DNS_SERVERS,
    code::DOMAIN_NAME,
    code::BROADCAST_ADDRESS,
    code::NTP_SERVERS,
];

impl OptionSet {
    /// A set of `entries`; of entries with one code the first stays.
    #[must_use]
    pub fn new(entries: Vec<OptionEntry>) -> Self {
        let rank = |code: u8| FIRST.iter().position(|c| *c == code).unwrap_or(FIRST.len());
        let mut entries = entries;
        entries.sort_by_key(|entry| (rank(entry.code), entry.code));
        entries.dedup_by_key(|entry| entry.code);
        Self { entries }
    }

    /// The option of this code.
    #[must_use]
    pub fn find(&self, code: u8) -> Option<&OptionEntry> {
        self.entries.iter().find(|entry| entry.code == code)
    }

    /// All of them, in sending order.
    pub fn iter(&self) -> impl Iterator<Item = &OptionEntry> {
        self.entries.iter()
    }
}
