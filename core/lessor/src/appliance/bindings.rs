//! From the store to the shards: what a start reads before any worker runs.

use dhcp_proto::address::{Block, Directory, DirectoryBuilder, Space, Worker};
use dhcp_proto::binding::{Bindings, Bucket, Page, Sizes, Slot, Storage};
use dhcp_proto::config::{Config, Spec};
use dhcp_proto::identity::{HashKey, shard_of};
use dhcp_proto::record::Record;
use dhcp_proto::restart::{Noted, Reading};
use dhcp_proto::shard::{Restored, Shard};
use hugemem::{MapError, Pages, Region};
use tracing::{info, warn};

use super::StartError;
use super::reservations::Book;
use crate::config::Server;
use crate::dataplane::clock::Clock;
use crate::event::Event;
use crate::exit::Exit;
use crate::store::medium::Medium;
use crate::store::{Recovered, Seen};

/// A shard may get more clients than its share; the hash evens out all but this much.
const SLACK: usize = 8;

/// What a restart did with the records of the store.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    outside: u64,
    full: u64,
}

/// The configuration with a word for every address that it or the store names.
#[must_use]
pub fn configure<M: Medium>(spec: Spec, recovered: Option<&Recovered<M>>) -> Config {
    configure_in(spec, recovered, words)
}

/// The same, with the words where `storage` says.
#[must_use]
pub fn configure_in<M: Medium>(
    spec: Spec,
    recovered: Option<&Recovered<M>>,
    storage: impl FnOnce(usize) -> &'static mut [Block],
) -> Config {
    let mut directory = Directory::builder(None);
    name(&mut directory, &spec);
    // Words come in blocks of 256, and to name one address makes its block.
    for (space, first) in recovered.into_iter().flat_map(Recovered::blocks) {
        directory.name(Space(space), first);
    }
    Config::new(spec, directory.build_in(storage))
}

/// The configuration that takes the place of `previous`, which must be the newest there is; `done`
/// as [`Config::succeed`] has it. Words are made before any worker sees it.
#[must_use]
pub fn succeed(spec: Spec, previous: &Config, done: u64) -> Config {
    let mut directory = Directory::builder(Some(previous.directory()));
    name(&mut directory, &spec);
    Config::succeed(spec, directory.build_in(words), previous, done)
}

/// Names every address of `spec`.
fn name(directory: &mut DirectoryBuilder, spec: &Spec) {
    for network in &spec.networks {
        for pool in network.subnets.iter().flat_map(|subnet| &subnet.pools) {
            directory.name_range(network.space, pool.first, pool.last);
        }
        for reservation in &network.reservations {
            directory.name_range(network.space, reservation.addr, reservation.last());
        }
    }
}

/// What the store knows of time.
#[must_use]
pub fn noted<M: Medium>(recovered: &Recovered<M>) -> Noted {
    let summary = recovered.summary();
    Noted {
        newest: (summary.highest_lsn.0 > 0).then_some(summary.newest_time),
        hold: summary
            .time_record
            .and_then(|record| Noted::hold_of(record.expiry, record.lease)),
    }
}

/// Memory for blocks of words, on huge pages if there are enough; none means the heap's.
fn words(blocks: usize) -> &'static mut [Block] {
    match hugemem::slice_with(blocks, |_| Block::default()) {
        Ok(words) => words.slice,
        Err(_) => &mut [],
    }
}

/// Empty shards.
///
/// # Errors
/// There is no memory for so many bindings, or there are too many networks.
pub fn shards(
    server: &Server,
    config: &Config,
    key: HashKey,
    clock: &Clock,
) -> Result<Vec<Shard>, StartError> {
    let workers = server.workers.max(1);
    let mut shards = Vec::new();
    for me in (0..=u8::MAX).take(usize::from(workers)) {
        let bindings = Bindings::new(storage(server, usize::from(workers))?);
        let shard = Shard::new((Worker(me), workers), key, bindings, config);
        let mut shard = shard.ok_or_else(|| {
            StartError::new(Exit::Config, "too many networks: a table has 2^31 lists")
        })?;
        shard.set_wall(clock.wall());
        shard.set_max_offers(server.max_offers);
        shard.begin(clock.now().secs());
        shards.push(shard);
    }
    Ok(shards)
}

/// Puts what the store knows into the shards, its times read as `reading` says. What it knows of
/// reservations is returned.
///
/// # Errors
/// The store cannot be read, or has more bindings than the shards have room for.
pub fn restore<M: Medium>(
    shards: &mut [Shard],
    config: &Config,
    recovered: &Recovered<M>,
    reading: &Reading,
) -> Result<Book, StartError> {
    let (mut tally, mut book) = (Tally::default(), Book::default());
    let read = recovered.hand_out(|seen| match seen {
        Seen::Soon((_, record)) => fetch(shards, config, record),
        Seen::Now((_, record)) => {
            book.note(record);
            if let Some(shard) = shards.get_mut(owner(shards, record)) {
                tally.note(shard.restore(config, record, reading));
            }
        }
    });
    read.map_err(|error| {
        StartError::new((&error).into(), "the store cannot be read").because(error)
    })?;
    if tally.full > 0 {
        let what = format!(
            "the store has {} bindings more than the tables have room for; raise server.bindings \
             above {} (or agent_info_octets, if they have long option 82)",
            tally.full,
            tally.full + tally.taken
        );
        return Err(StartError::new(Exit::Config, what));
    }
    info!(event = %Event::BindingsRestored, bindings = tally.taken, "bindings are read");
    if tally.outside > 0 {
        warn!(
            event = %Event::ConfigWarning,
            "{} bindings are of addresses in no configured network; they stay in the store",
            tally.outside
        );
    }
    Ok(book)
}

impl Tally {
    fn note(&mut self, restored: Restored) {
        match restored {
            Restored::Taken => self.taken += 1,
            Restored::Outside => self.outside += 1,
            Restored::Full => self.full += 1,
            Restored::Nothing => {}
        }
    }
}

/// Has fetched what the restoring of a record will look at first: each would be a miss of its own.
fn fetch(shards: &[Shard], config: &Config, record: &Record<'_>) {
    let space = Space(record.space);
    if let Some(cell) = config.cell(space, record.addr) {
        let (word, slot) = cell.lines();
        hugemem::prefetch_read(word);
        hugemem::prefetch_read(slot);
    }
    let place = config.place_of(space, record.addr);
    let network = place.and_then(|place| config.network(place.network));
    let shard = shards.get(owner(shards, record));
    if let (Some(network), Some(shard)) = (network, shard) {
        let hash = shard.key().hash(record.identity);
        if let Some(bucket) = shard.bindings().bucket(hash, network.key.0) {
            hugemem::prefetch_read(bucket);
        }
    }
}

/// The shard that a record belongs to: its client's, or without one that of its address.
fn owner(shards: &[Shard], record: &Record<'_>) -> usize {
    let workers = u16::try_from(shards.len()).unwrap_or(u16::MAX);
    if record.identity.is_empty() {
        return (record.addr.to_bits() % u32::from(workers.max(1))) as usize;
    }
    let hash = shards
        .first()
        .map_or(0, |shard| shard.key().hash(record.identity));
    usize::from(shard_of(hash, workers))
}

/// Memory for the table of one of `workers` workers.
fn storage(server: &Server, workers: usize) -> Result<Storage, StartError> {
    let all = usize::try_from(server.bindings).unwrap_or(usize::MAX);
    let share = all.div_ceil(workers);
    let bindings = if workers == 1 {
        share
    } else {
        share + share / SLACK + 64
    };
    let arena = bindings.saturating_mul(usize::from(server.agent_info_octets));
    let sizes = Sizes::for_capacity(bindings, arena);
    let failed = |error: MapError| {
        let what = format!(
            "no memory for {bindings} bindings ({} MiB)",
            sizes.octets() >> 20
        );
        StartError::new(Exit::OsError, what).because(error)
    };
    let buckets = hugemem::slice_with(sizes.buckets, |_| Bucket::EMPTY).map_err(failed)?;
    let slots = hugemem::slice_with(sizes.slots, |_| Slot::EMPTY).map_err(failed)?;
    let pages = hugemem::slice_with(sizes.pages, |_| Page::EMPTY).map_err(failed)?;
    let ordinary = [
        is_ordinary(&buckets),
        is_ordinary(&slots),
        is_ordinary(&pages),
    ];
    if ordinary.contains(&true) {
        warn!(
            event = %Event::MemoryOrdinaryPages,
            mebibytes = sizes.octets() >> 20,
            "the bindings are on ordinary pages: too few huge pages are free"
        );
    }
    Ok(Storage {
        buckets: buckets.slice,
        slots: slots.slice,
        pages: pages.slice,
    })
}

fn is_ordinary<T>(region: &Region<T>) -> bool {
    region.pages != Pages::Huge
}
