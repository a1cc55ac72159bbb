//! Fetching into the cache what deciding a message will look at.
//!
//! Each step asks for what the step before has brought the address of, for all messages of a burst
//! before the next step begins, so that the misses of a burst overlap: one network may be in the
//! cache, ten thousand are not.
//!
//! ```text
//!   network:  bucket of the client    network
//!   subnet:   slot of the client      subnet of the message
//!   pool:     neighbours of the slot  pool                   options, index of the address words
//!   hints:    newest offer            hints of the pool
//!   address:                                                 word of the address
//! ```
//!
//! Nothing is decided here: what is guessed wrong is a miss later on.

use std::net::Ipv4Addr;

use dhcp_proto::address::start_for;
use dhcp_proto::binding::Slot;
use dhcp_proto::config::{Config, Network, Pool, Subnet};
use dhcp_proto::server::{Client, Query};
use dhcp_proto::shard::Shard;
use hugemem::{prefetch_all, prefetch_octets, prefetch_read};

/// Cache lines of a subnet's options that are fetched; few subnets have more.
const OPTION_LINES: usize = 4;

/// The steps behind [`network`], in order.
pub const STEPS: [fn(&Config, &Shard, &Query<'_>); 4] = [subnet, pool, hints, address];

/// The first step, as soon as a message is read.
#[inline]
pub fn network(config: &Config, shard: &Shard, query: &Query<'_>) {
    if let Some((hash, network)) = place(config, query)
        && let Some(bucket) = shard.bindings().bucket(hash, network)
    {
        prefetch_read(bucket);
    }
    if let Some(network) = config.network(query.network) {
        prefetch_all(network);
    }
}

fn subnet(config: &Config, shard: &Shard, query: &Query<'_>) {
    if let Some(slot) = slot(config, shard, query) {
        prefetch_read(slot);
        prefetch_read(slot.end());
    }
    if let Some((_, subnet)) = config.subnet(query.place()) {
        prefetch_all(subnet);
    }
}

fn pool(config: &Config, shard: &Shard, query: &Query<'_>) {
    let Some((network, subnet)) = config.subnet(query.place()) else {
        return;
    };
    prefetch_octets(subnet.options.octets(), OPTION_LINES);
    let slot = slot(config, shard, query);
    let addr = guess(slot, query);
    if let Some(pool) = pool_of(network, subnet, addr) {
        prefetch_all(pool);
    }
    // An address that is not known yet is likely to be in the block of the subnet's first one.
    let near = addr.unwrap_or(subnet.prefix.first());
    if let Some(line) = config.directory().line(network.space, near) {
        prefetch_read(line);
    }
    if let Some(slot) = slot {
        for links in shard.bindings().beside(slot) {
            prefetch_all(links);
        }
    }
}

fn hints(config: &Config, shard: &Shard, query: &Query<'_>) {
    let Some((network, subnet)) = config.subnet(query.place()) else {
        return;
    };
    let addr = guess(slot(config, shard, query), query);
    if let Some(pool) = pool_of(network, subnet, addr) {
        let index = addr.and_then(|addr| pool.index(addr));
        let index = index.unwrap_or_else(|| start(shard, pool));
        for line in pool.hints.lines(index).into_iter().flatten() {
            prefetch_read(line);
        }
    }
    if let Some(links) = shard.newest_offer(network.key) {
        prefetch_all(links);
    }
}

fn address(config: &Config, shard: &Shard, query: &Query<'_>) {
    let Some((network, subnet)) = config.subnet(query.place()) else {
        return;
    };
    let new = || {
        let pool = subnet.pools.first()?;
        let index = pool.hints.first_free(start(shard, pool))?;
        Some(pool.addr(index))
    };
    let addr = guess(slot(config, shard, query), query).or_else(new);
    if let Some(cell) = addr.and_then(|addr| config.cell(network.space, addr)) {
        let (word, slot) = cell.lines();
        prefetch_read(word);
        prefetch_read(slot);
    }
}

/// Where this worker looks for a free address of a pool.
fn start(shard: &Shard, pool: &Pool) -> u32 {
    start_for(shard.worker(), shard.workers(), pool.len())
}

/// What may be the client's slot.
fn slot<'s>(config: &Config, shard: &'s Shard, query: &Query<'_>) -> Option<&'s Slot> {
    let (hash, network) = place(config, query)?;
    shard.bindings().probe(hash, network)
}

/// Where the client is looked up: hash and network.
#[inline]
fn place(config: &Config, query: &Query<'_>) -> Option<(u64, u32)> {
    let Client::Known(_, hash) = &query.client else {
        return None;
    };
    Some((*hash, config.gate(query.network)?.key.0))
}

/// The address that it will be about: the client's own, or the one that it asks for.
fn guess(slot: Option<&Slot>, query: &Query<'_>) -> Option<Ipv4Addr> {
    let own = slot.map(|slot| Ipv4Addr::from_bits(slot.addr));
    let own = own.filter(|addr| !addr.is_unspecified());
    own.or_else(|| query.ciaddr())
        .or_else(|| query.requested_addr())
}

/// The pool of `addr`, or the one that a new address comes from first.
fn pool_of<'c>(
    network: &'c Network,
    subnet: &'c Subnet,
    addr: Option<Ipv4Addr>,
) -> Option<&'c Pool> {
    let known = addr.and_then(|addr| network.subnet_of(addr)?.1.pool_of(addr));
    known.or_else(|| subnet.pools.first())
}
