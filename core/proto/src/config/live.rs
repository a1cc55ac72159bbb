//! The configuration that a worker has: what the file says, the words of all addresses, and the
//! reservations that were added since. Each part is shared with the snapshots before and after.

use super::lookup::Indexed;
use super::{Added, Addition, Kinds, Network, Owner, Pool, Spec};
use crate::address::{Cell, Directory, Space};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::ops::Deref;

/// One snapshot of the configuration, shared by all workers.
#[derive(Debug)]
pub struct Config {
    indexed: Arc<Indexed>,
    directory: Arc<Directory>,
    added: Added,
}

impl Deref for Config {
    type Target = Indexed;

    fn deref(&self) -> &Indexed {
        &self.indexed
    }
}

impl Config {
    /// Indexes `spec`. `directory` names every address of its pools, reservations and of the
    /// store; hints are made from what its words say now.
    #[must_use]
    pub fn new(spec: Spec, directory: Directory) -> Self {
        Self {
            indexed: Arc::new(Indexed::new(spec, &directory, Vec::new())),
            directory: Arc::new(directory),
            added: Added::default(),
        }
    }

    /// Indexes `spec`, which takes the place of `previous`, as [`Self::new`] does, without the
    /// reservations that were added. The keys in it do not matter: a network that was there by the
    /// same name and space has the key it had.
    ///
    /// `done` is the least [`crate::shard::Shard::regrouped`] of all shards. A network that is
    /// gone is forgotten by the first successor that finds it done and nothing of it kept.
    #[must_use]
    pub fn succeed(spec: Spec, directory: Directory, previous: &Self, done: u64) -> Self {
        Self {
            indexed: Arc::new(Indexed::succeed(spec, &directory, previous, done)),
            directory: Arc::new(directory),
            added: Added::default(),
        }
    }

    /// This configuration with other reservations beside those of the file, and words for their
    /// addresses. It shares networks and hints with this one; a change of the hints that is due is
    /// [`Self::close`] or [`Self::open`].
    ///
    /// Takes microseconds, or milliseconds where an address is in no block of words yet.
    #[must_use]
    pub fn with(&self, added: Added, named: impl IntoIterator<Item = (Space, Ipv4Addr)>) -> Self {
        let mut unnamed = named
            .into_iter()
            .filter(|(space, addr)| self.cell(*space, *addr).is_none())
            .peekable();
        let directory = if unnamed.peek().is_none() {
            Arc::clone(&self.directory)
        } else {
            let mut builder = Directory::builder(Some(&self.directory));
            for (space, addr) in unnamed {
                builder.name(space, addr);
            }
            Arc::new(builder.build())
        };
        Self {
            indexed: Arc::clone(&self.indexed),
            directory,
            added,
        }
    }

    /// The reservations that were added.
    #[must_use]
    pub fn added(&self) -> &Added {
        &self.added
    }

    /// The address kept for `client`, an identity with its kind octet. The file's own win.
    #[must_use]
    pub fn reservation_for(&self, network: &Network, client: &[u8]) -> Option<Ipv4Addr> {
        let added = || {
            let addr = self.added.addr_for(network.key, client);
            addr.filter(|addr| network.reserved(*addr).is_none())
        };
        network.reservation_for(client).or_else(added)
    }

    /// Who `addr` is kept for. The file's own win.
    #[must_use]
    pub fn reserved<'c>(&'c self, network: &'c Network, addr: Ipv4Addr) -> Option<Owner<'c>> {
        network
            .reserved(addr)
            .or_else(|| self.added.owner(network.space, addr))
    }

    /// The kinds of clients that have a reservation in a network; mostly none.
    #[must_use]
    pub fn reserved_kinds(&self, network: &Network) -> Kinds {
        network.reserved_kinds().and(self.added.kinds(network.key))
    }

    /// Takes the address of an addition out of the hints, see [`crate::address::Hints::close`].
    pub fn close(&self, addition: &Addition) {
        if let Some((pool, index)) = self.pool_of(addition) {
            pool.hints.close(index);
        }
    }

    /// Has the address of a former addition hinted again, see [`crate::address::Hints::open`].
    pub fn open(&self, addition: &Addition) {
        if let Some((pool, index)) = self.pool_of(addition)
            && let Some(cell) = self.cell(addition.space, addition.addr)
        {
            pool.hints.open(index, cell);
        }
    }

    /// The pool that may assign the address, unless the file reserves or excludes it.
    fn pool_of(&self, addition: &Addition) -> Option<(&Pool, u32)> {
        let (network, subnet) = self.subnet(self.place_of(addition.space, addition.addr)?)?;
        if network.reserved(addition.addr).is_some() {
            return None;
        }
        let pool = subnet.pool_of(addition.addr)?;
        Some((pool, pool.index(addition.addr)?))
    }

    /// The address word of `addr`.
    #[must_use]
    pub fn cell(&self, space: Space, addr: Ipv4Addr) -> Option<Cell> {
        self.directory.cell(space, addr)
    }

    /// The directory of address words.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }
}
