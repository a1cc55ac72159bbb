//! Reservations that were added while the server runs: a value that is changed by making another
//! one, which shares all but what was touched. So a worker keeps its own for as long as it likes.

use super::reserved::{Kinds, Owner};
use super::{HashMap, NetworkKey};
use crate::address::Space;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::{BuildHasher, BuildHasherDefault};
use core::net::Ipv4Addr;
use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

/// Parts that a change copies one of: of 100,000 reservations it copies about a hundred pointers.
const SHELVES: usize = 1024;

/// An address kept for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The network of the address.
    pub network: NetworkKey,
    /// Its space.
    pub space: Space,
    /// The address.
    pub addr: Ipv4Addr,
    /// The client, an identity with its kind octet.
    pub client: Box<[u8]>,
}

/// The reservations added. An address is there once, and a client once a network.
#[derive(Debug, Clone, Default)]
pub struct Added {
    by_client: Shelves,
    by_addr: Shelves,
    /// How many there are of each kind, in the networks that have any.
    kinds: Arc<HashMap<NetworkKey, [u32; 8]>>,
    len: usize,
}

/// One hash table in parts.
#[derive(Debug, Clone, Default)]
struct Shelves(Arc<Vec<Arc<HashTable<Arc<Addition>>>>>);

impl Shelves {
    fn shelf(&self, hash: u64) -> Option<&HashTable<Arc<Addition>>> {
        self.0.get(place(hash)).map(|shelf| &**shelf)
    }

    fn touch(&mut self, hash: u64) -> Option<&mut HashTable<Arc<Addition>>> {
        let shelves = Arc::make_mut(&mut self.0);
        if shelves.is_empty() {
            shelves.resize_with(SHELVES, Arc::default);
        }
        shelves.get_mut(place(hash)).map(Arc::make_mut)
    }

    fn put(&mut self, hash: u64, addition: Arc<Addition>, hash_of: impl Fn(&Addition) -> u64) {
        if let Some(shelf) = self.touch(hash) {
            shelf.insert_unique(hash, addition, |other| hash_of(other));
        }
    }

    fn take(&mut self, hash: u64, is: impl Fn(&Addition) -> bool) {
        if let Some(shelf) = self.touch(hash)
            && let Ok(found) = shelf.find_entry(hash, |addition| is(addition))
        {
            found.remove();
        }
    }

    fn find(&self, hash: u64, is: impl Fn(&Addition) -> bool) -> Option<&Arc<Addition>> {
        self.shelf(hash)?.find(hash, |addition| is(addition))
    }
}

/// Bits that the table inside a shelf uses least.
fn place(hash: u64) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) % SHELVES
}

/// An operator alone says what is in it, so the hash needs no secret.
fn hash_of(key: impl core::hash::Hash) -> u64 {
    BuildHasherDefault::<SipHasher13>::default().hash_one(key)
}

fn client_hash(network: NetworkKey, client: &[u8]) -> u64 {
    hash_of((network, client))
}

fn addr_hash(space: Space, addr: Ipv4Addr) -> u64 {
    hash_of((space, addr))
}

impl Added {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one. The caller has seen that neither the address nor the client in its network is
    /// there.
    pub fn insert(&mut self, addition: Addition) {
        let kinds = Arc::make_mut(&mut self.kinds).entry(addition.network);
        if let Some(count) = count_of(kinds.or_default(), &addition.client) {
            *count += 1;
        }
        let addition = Arc::new(addition);
        let by_client = |a: &Addition| client_hash(a.network, &a.client);
        let by_addr = |a: &Addition| addr_hash(a.space, a.addr);
        self.by_client
            .put(by_client(&addition), Arc::clone(&addition), by_client);
        self.by_addr.put(by_addr(&addition), addition, by_addr);
        self.len += 1;
    }

    /// Takes the one of an address away, and says what it was.
    pub fn remove(&mut self, space: Space, addr: Ipv4Addr) -> Option<Arc<Addition>> {
        let found = Arc::clone(self.at(space, addr)?);
        let is = |a: &Addition| a.space == space && a.addr == addr;
        self.by_addr.take(addr_hash(space, addr), is);
        let hash = client_hash(found.network, &found.client);
        self.by_client.take(hash, is);
        let kinds = Arc::make_mut(&mut self.kinds);
        if let Some(counts) = kinds.get_mut(&found.network)
            && let Some(count) = count_of(counts, &found.client)
        {
            *count = count.saturating_sub(1);
            if counts.iter().all(|count| *count == 0) {
                kinds.remove(&found.network);
            }
        }
        self.len -= 1;
        Some(found)
    }

    /// What is reserved at an address.
    #[must_use]
    pub fn at(&self, space: Space, addr: Ipv4Addr) -> Option<&Arc<Addition>> {
        if self.is_empty() {
            return None;
        }
        self.by_addr.find(addr_hash(space, addr), |a| {
            a.space == space && a.addr == addr
        })
    }

    /// The address kept for `client` in a network.
    #[must_use]
    pub fn addr_for(&self, network: NetworkKey, client: &[u8]) -> Option<Ipv4Addr> {
        if self.is_empty() {
            return None;
        }
        let is = |a: &Addition| a.network == network && *a.client == *client;
        let found = self.by_client.find(client_hash(network, client), is)?;
        Some(found.addr)
    }

    /// Who an address is kept for.
    pub(super) fn owner(&self, space: Space, addr: Ipv4Addr) -> Option<Owner<'_>> {
        self.at(space, addr).map(|found| Owner::one(&found.client))
    }

    /// The kinds of clients that have a reservation in a network.
    pub(super) fn kinds(&self, network: NetworkKey) -> Kinds {
        if self.is_empty() {
            return Kinds::default();
        }
        let counts = self.kinds.get(&network);
        (0_u8..)
            .zip(counts.into_iter().flatten())
            .fold(Kinds::default(), |kinds, (kind, count)| {
                if *count > 0 {
                    kinds.and(Kinds::of(&[kind]))
                } else {
                    kinds
                }
            })
    }
}

fn count_of<'c>(counts: &'c mut [u32; 8], client: &[u8]) -> Option<&'c mut u32> {
    counts.get_mut(usize::from(*client.first()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Kind;
    use std::collections::BTreeMap;

    fn addition(network: u32, n: u32) -> Addition {
        Addition {
            network: NetworkKey(network),
            space: Space(0),
            addr: Ipv4Addr::from_bits(0x0a00_0000 + network * 100_000 + n),
            client: [&[2, 1, 2, 0][..], &n.to_be_bytes()].concat().into(),
        }
    }

    #[test]
    fn a_changed_value_leaves_the_one_before_as_it_was() {
        let mut first = Added::default();
        (0..3000).for_each(|n| first.insert(addition(n % 3, n)));
        let mut second = first.clone();
        let gone = addition(1, 1);
        assert_eq!(second.remove(gone.space, gone.addr).as_deref(), Some(&gone));
        second.insert(addition(5, 7));
        assert_eq!((first.len(), second.len()), (3000, 3000));
        assert_eq!(first.addr_for(gone.network, &gone.client), Some(gone.addr));
        assert_eq!(second.addr_for(gone.network, &gone.client), None);
        assert!(first.at(gone.space, gone.addr).is_some());
        assert!(second.at(gone.space, gone.addr).is_none());
        let new = addition(5, 7);
        assert_eq!(first.addr_for(new.network, &new.client), None);
        assert_eq!(second.addr_for(new.network, &new.client), Some(new.addr));
        assert!(second.owner(new.space, new.addr).unwrap().is(&new.client));
    }

    #[test]
    fn a_network_asks_for_the_kinds_that_it_has() {
        let mut added = Added::default();
        assert!(added.kinds(NetworkKey(0)).is_empty());
        added.insert(addition(0, 1));
        added.insert(addition(0, 2));
        let other = Addition {
            client: [Kind::ClientId as u8, 9].into(),
            ..addition(0, 3)
        };
        added.insert(other.clone());
        let kinds = added.kinds(NetworkKey(0));
        assert!(kinds.has(Kind::Chaddr) && kinds.has(Kind::ClientId) && !kinds.has(Kind::Circuit));
        assert!(added.kinds(NetworkKey(1)).is_empty());
        added.remove(other.space, other.addr);
        assert!(!added.kinds(NetworkKey(0)).has(Kind::ClientId));
        added.remove(Space(0), addition(0, 1).addr);
        added.remove(Space(0), addition(0, 2).addr);
        assert!(added.is_empty() && added.kinds(NetworkKey(0)).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn it_is_two_maps(steps in proptest::collection::vec((0_u32..3, 0_u32..40, proptest::bool::ANY), 0..200)) {
            let (mut added, mut model) = (Added::default(), BTreeMap::new());
            for (network, n, add) in steps {
                let this = addition(network, n);
                let known = added.at(this.space, this.addr).is_some();
                proptest::prop_assert_eq!(known, model.contains_key(&this.addr));
                match (add, known) {
                    (true, false) => {
                        added.insert(this.clone());
                        model.insert(this.addr, this);
                    }
                    (false, _) => {
                        added.remove(this.space, this.addr);
                        model.remove(&this.addr);
                    }
                    (true, true) => {}
                }
            }
            proptest::prop_assert_eq!(added.len(), model.len());
            for (addr, this) in &model {
                proptest::prop_assert_eq!(added.at(Space(0), *addr).map(|a| &**a), Some(this));
                proptest::prop_assert_eq!(added.addr_for(this.network, &this.client), Some(*addr));
            }
        }
    }
}
