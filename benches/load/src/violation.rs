//! What a server must not do, and how often it did.

use core::fmt;
use core::net::Ipv4Addr;

use dhcp_wire::ethernet::Mac;

/// A kind of wrong reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Violation {
    /// Cut, a wrong checksum, or no message of DHCP.
    Malformed,
    /// No transaction of the client that it names.
    Xid,
    /// The transaction is another client's: RFC 2131 §4.3.1, table 3.
    Chaddr,
    /// Option 61 is not the client's: RFC 6842 §3.
    ClientId,
    /// Not sent to the client or the relay, or `giaddr` changed: RFC 2131 §4.1.
    Addressing,
    /// Option 82 did not come back as it was sent: RFC 3046 §2.2.
    AgentInfo,
    /// An OFFER where an ACK is due, or the like.
    MessageType,
    /// Option 54 is absent, or another than before: RFC 2131 §4.3.1, table 3.
    ServerId,
    /// An address outside of what the server has to give.
    AddressRange,
    /// Not the address that was offered or is extended.
    AddressChanged,
    /// An address that another client's lease still has.
    AddressTaken,
    /// Option 51 is absent or wrong.
    LeaseTime,
    /// A NAK to a client that asked for what it was offered or holds.
    Nak,
    /// A second reply to one message.
    Duplicate,
}

impl Violation {
    /// Each, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::Xid,
        Self::Chaddr,
        Self::ClientId,
        Self::Addressing,
        Self::AgentInfo,
        Self::MessageType,
        Self::ServerId,
        Self::AddressRange,
        Self::AddressChanged,
        Self::AddressTaken,
        Self::LeaseTime,
        Self::Nak,
        Self::Duplicate,
    ];

    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Xid => "xid",
            Self::Chaddr => "chaddr",
            Self::ClientId => "client_id",
            Self::Addressing => "addressing",
            Self::AgentInfo => "agent_info",
            Self::MessageType => "message_type",
            Self::ServerId => "server_id",
            Self::AddressRange => "address_range",
            Self::AddressChanged => "address_changed",
            Self::AddressTaken => "address_taken",
            Self::LeaseTime => "lease_time",
            Self::Nak => "nak",
            Self::Duplicate => "duplicate",
        }
    }
}

/// One wrong reply, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// What is wrong.
    pub kind: Violation,
    /// The client, if the reply is one's.
    pub client: Option<Mac>,
    /// What the reply says.
    pub found: String,
    /// What it should say.
    pub wanted: String,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind.name())?;
        if let Some(client) = self.client {
            write!(f, "client {client}: ")?;
        }
        write!(f, "{}, wanted {}", self.found, self.wanted)
    }
}

/// All wrong replies: how many of each kind, and the first few.
#[derive(Debug, Default)]
pub struct Violations {
    counts: [u64; Violation::ALL.len()],
    samples: Vec<Sample>,
}

impl Violations {
    /// Wrong replies that are kept.
    pub const KEPT: usize = 10;

    /// Counts one; `sample` is called for the first few only.
    #[cold]
    pub fn add(&mut self, kind: Violation, sample: impl FnOnce() -> Sample) {
        self.counts[kind as usize] += 1;
        if self.samples.len() < Self::KEPT {
            self.samples.push(sample());
        }
    }

    /// How many there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The kinds that there were, and how often.
    pub fn kinds(&self) -> impl Iterator<Item = (Violation, u64)> + '_ {
        let kinds = Violation::ALL.into_iter().zip(self.counts);
        kinds.filter(|&(_, count)| count > 0)
    }

    /// The first few.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

/// An address as people read it.
#[must_use]
pub fn text(addr: u32) -> String {
    Ipv4Addr::from(addr).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut violations = Violations::default();
        let sample = || Sample {
            kind: Violation::Nak,
            client: Some(Mac([2, 0, 0, 0, 0, 1])),
            found: "NAK".to_owned(),
            wanted: "ACK of 10.0.0.5".to_owned(),
        };
        for _ in 0..100 {
            violations.add(Violation::Nak, sample);
        }
        assert_eq!(violations.total(), 100);
        assert_eq!(
            violations.kinds().collect::<Vec<_>>(),
            [(Violation::Nak, 100)]
        );
        assert_eq!(violations.samples().len(), Violations::KEPT);
        let text = violations.samples()[0].to_string();
        assert_eq!(
            text,
            "nak: client 02:00:00:00:00:01: NAK, wanted ACK of 10.0.0.5"
        );
        for (number, kind) in Violation::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }
}
