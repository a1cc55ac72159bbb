//! Who a client is: the key of its binding.
//!
//! An identity begins with a kind octet, so that option 61 of `01` + MAC and the same MAC without
//! option 61 are two clients where the network says so (`identity = "client-id"`).

use crate::record::MAX_IDENTITY;
use core::hash::Hasher as _;
use siphasher::sip::SipHasher13;

/// What identifies a client of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityMode {
    /// Option 61, else htype and chaddr, RFC 2131 §4.2.
    #[default]
    ClientId,
    /// htype and chaddr whatever option 61 says.
    Chaddr,
    /// The relay and its circuit-id, RFC 3046 §3.1.
    Circuit,
    /// The relay, its circuit-id and chaddr.
    CircuitChaddr,
}

/// The first octet of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Option 61 follows.
    ClientId = 1,
    /// htype and chaddr follow.
    Chaddr = 2,
    /// Relay address and circuit-id follow.
    Circuit = 3,
    /// The length of a circuit's identity, that, and the identity of a client on it follow.
    CircuitClient = 4,
    /// The length of the relay's identifier (RFC 6925), that, and circuit-id follow.
    RelayCircuit = 5,
    /// A remote-id follows; reservations alone go by it.
    RemoteId = 6,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::ClientId,
        Self::Chaddr,
        Self::Circuit,
        Self::CircuitClient,
        Self::RelayCircuit,
        Self::RemoteId,
    ];

    /// The kind that `number`, the first octet of an identity, stands for.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A client's identity, kind octet first.
#[derive(Clone, Copy)]
pub struct Identity {
    len: u16,
    octets: [u8; MAX_IDENTITY],
}

impl Identity {
    /// An identity of `kind` from `parts`, one behind the other; `None` if they are too long.
    #[must_use]
    pub fn new(kind: Kind, parts: &[&[u8]]) -> Option<Self> {
        let mut identity = Self {
            len: 1,
            octets: [0; MAX_IDENTITY],
        };
        identity.octets[0] = kind as u8;
        for part in parts {
            let from = usize::from(identity.len);
            let room = identity.octets.get_mut(from..from + part.len())?;
            room.copy_from_slice(part);
            identity.len += u16::try_from(part.len()).ok()?;
        }
        Some(identity)
    }

    /// The octets, kind octet first.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl core::fmt::Debug for Identity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for octet in self.as_slice() {
            write!(f, "{octet:02x}")?;
        }
        Ok(())
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Identity {}

/// The secret that keeps clients from choosing their place in the tables.
#[derive(Clone, Copy)]
pub struct HashKey(pub [u8; 16]);

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey")
    }
}

impl HashKey {
    /// The keyed hash of an identity alone; the network is not part of it.
    #[must_use]
    pub fn hash(&self, identity: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(identity);
        hasher.finish()
    }
}

/// The shard among `shards` that a client of this hash belongs to.
#[must_use]
pub fn shard_of(hash: u64, shards: u16) -> u16 {
    // The upper half, scaled: the table uses the lower bits for its buckets.
    u16::try_from(((hash >> 32) * u64::from(shards.max(1))) >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_of_255_octets_fits_behind_its_kind_and_a_longer_one_does_not() {
        assert!(Identity::new(Kind::ClientId, &[&[7; 255]]).is_some());
        assert!(Identity::new(Kind::ClientId, &[&[7; 256]]).is_none());
    }

    #[test]
    fn shards_cover_the_whole_range_and_nothing_beyond() {
        for shards in [1, 2, 3, 255, 256] {
            assert_eq!(shard_of(0, shards), 0);
            assert_eq!(shard_of(u64::MAX, shards), shards - 1);
        }
    }
}
