//! Fetching into the cache what deciding a message will look at.
//!
//! Each step asks for what the step before has brought the address of, for all messages of a burst
//! before the next step begins, so that the misses of a burst overlap.
//!
//! ```text
//!   look:                             where an address's network is said, and its gate
//!   begin:    bucket of the client    network
//!   client:   slot of the client      subnet of the message
//!   pool:     neighbours of the slot  pool                   options, index of the address words
//!   hints:    newest offer            hints of the pool
//!   address:                                                 word of the address
//! ```
//!
//! A few networks are in the cache at any rate: what is on the right of the slot is fetched only
//! where there are many, and of the rest the word of the address alone.
//!
//! Nothing is decided here: what is guessed wrong is a miss later on.

use std::net::Ipv4Addr;

use dhcp_proto::address::{Space, start_for};
use dhcp_proto::binding::Slot;
use dhcp_proto::config::{Config, Network, Pool, Subnet};
use dhcp_proto::server::{Client, Query};
use dhcp_proto::shard::Shard;
use hugemem::{prefetch_all, prefetch_octets, prefetch_read};

use super::ports::BURST;

/// Cache lines of a subnet's options that are fetched; few subnets have more.
const OPTION_LINES: usize = 4;

/// As many networks, and what they lead to, stay in the cache by being used.
const FEW: usize = 64;

/// Before a burst is read, where there are many networks: the steps that choosing one takes. The
/// addresses are what [`dhcp_wire::frame::glance`] has seen, with their spaces.
#[inline]
pub fn look(config: &Config, addresses: impl Iterator<Item = Option<(Space, Ipv4Addr)>>) {
    if !are_many(config) {
        return;
    }
    let mut lines = [None; BURST];
    for (address, line) in addresses.zip(&mut lines) {
        let found = address.and_then(|(space, addr)| {
            let (line, octets) = config.line_of(space, addr)?;
            prefetch_read(octets);
            Some((line, addr))
        });
        *line = found;
    }
    for (line, addr) in lines.into_iter().flatten() {
        let place = config.place_on_line(line, addr);
        if let Some(gate) = place.and_then(|place| config.gate(place.network)) {
            prefetch_read(gate);
        }
    }
}

/// The first step, as soon as a message is read.
#[inline]
pub fn begin(config: &Config, shard: &Shard, query: &Query<'_>) {
    if let Some((hash, network)) = place(config, query)
        && let Some(bucket) = shard.bindings().bucket(hash, network)
    {
        prefetch_read(bucket);
    }
    if are_many(config)
        && let Some(network) = config.network(query.network)
    {
        prefetch_all(network);
    }
}

/// The other steps, for a burst.
#[inline]
pub fn fetch<'q, 'a: 'q>(
    config: &Config,
    shard: &Shard,
    queries: impl Iterator<Item = &'q Query<'a>> + Clone,
) {
    let mut guesses = [const { Guess::NOTHING }; BURST];
    for (query, guess) in queries.clone().zip(&mut guesses) {
        guess.client(config, shard, query);
    }
    if are_many(config) {
        for guess in &guesses {
            guess.subnet(shard);
        }
    }
    for (query, guess) in queries.zip(&mut guesses) {
        guess.addr(query);
    }
    if are_many(config) {
        for guess in &mut guesses {
            guess.pool(config, shard);
        }
        for guess in &guesses {
            guess.hints(shard);
        }
    }
    for guess in &guesses {
        guess.word(config, shard);
    }
}

fn are_many(config: &Config) -> bool {
    config.networks().len() > FEW
}

/// What is likely of one message, as far as it is known.
struct Guess<'c> {
    slot: Option<&'c Slot>,
    at: Option<(&'c Network, &'c Subnet)>,
    pool: Option<&'c Pool>,
    addr: Option<Ipv4Addr>,
}

impl<'c> Guess<'c> {
    const NOTHING: Self = Self {
        slot: None,
        at: None,
        pool: None,
        addr: None,
    };

    fn client(&mut self, config: &'c Config, shard: &'c Shard, query: &Query<'_>) {
        if let Some((hash, network)) = place(config, query) {
            self.slot = shard.bindings().probe(hash, network);
        }
        if let Some(slot) = self.slot {
            prefetch_read(slot);
            prefetch_read(slot.end());
        }
        self.at = config.subnet(query.place());
    }

    fn subnet(&self, shard: &Shard) {
        if let Some((network, subnet)) = self.at {
            prefetch_all(subnet);
            if let Some(lists) = shard.lists_of(network.key) {
                prefetch_read(lists);
            }
        }
    }

    /// The address that it will be about: the client's own, or the one that it asks for.
    fn addr(&mut self, query: &Query<'_>) {
        let own = self.slot.map(|slot| Ipv4Addr::from_bits(slot.addr));
        let own = own.filter(|addr| !addr.is_unspecified());
        self.addr = own
            .or_else(|| query.ciaddr())
            .or_else(|| query.requested_addr());
    }

    /// The pool of the address, or the one that a new address comes from first.
    fn pool(&mut self, config: &Config, shard: &Shard) {
        let Some((network, subnet)) = self.at else {
            return;
        };
        prefetch_octets(subnet.options.octets(), OPTION_LINES);
        let known = |addr| network.subnet_of(addr)?.1.pool_of(addr);
        self.pool = self.addr.and_then(known).or_else(|| subnet.pools.first());
        if let Some(pool) = self.pool {
            prefetch_all(pool);
        }
        // An address that is not known yet is likely to be in the block of the subnet's first one.
        let near = self.addr.unwrap_or(subnet.prefix.first());
        if let Some(line) = config.directory().line(network.space, near) {
            prefetch_read(line);
        }
        if let Some(ends) = shard.offers_of(network.key) {
            prefetch_read(ends);
        }
        if let Some(slot) = self.slot {
            for links in shard.bindings().beside(slot) {
                prefetch_all(links);
            }
        }
    }

    fn hints(&self, shard: &Shard) {
        if let Some(pool) = self.pool {
            let index = self.addr.and_then(|addr| pool.index(addr));
            let index = index.unwrap_or_else(|| start(shard, pool));
            for line in pool.hints.lines(index).into_iter().flatten() {
                prefetch_read(line);
            }
        }
        if let Some((network, _)) = self.at
            && let Some(links) = shard.newest_offer(network.key)
        {
            prefetch_all(links);
        }
    }

    fn new_addr(&self, shard: &Shard) -> Option<Ipv4Addr> {
        let pool = self.pool?;
        let index = pool.hints.first_free(start(shard, pool))?;
        Some(pool.addr(index))
    }

    fn word(&self, config: &Config, shard: &Shard) {
        let addr = self.addr.or_else(|| self.new_addr(shard));
        if let Some((network, _)) = self.at
            && let Some(cell) = addr.and_then(|addr| config.cell(network.space, addr))
        {
            let (word, slot) = cell.lines();
            prefetch_read(word);
            prefetch_read(slot);
        }
    }
}

/// Where this worker looks for a free address of a pool.
fn start(shard: &Shard, pool: &Pool) -> u32 {
    start_for(shard.worker(), shard.workers(), pool.len())
}

/// Where the client is looked up: hash and network.
#[inline]
fn place(config: &Config, query: &Query<'_>) -> Option<(u64, u32)> {
    let Client::Known(_, hash) = &query.client else {
        return None;
    };
    Some((*hash, config.gate(query.network)?.key.0))
}
