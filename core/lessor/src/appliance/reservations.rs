//! Reservations at run time: durable first, then in force at all workers, then answered.
//!
//! ```text
//!   add ─► checked ─► record, durable ─► hint closed ─► new configuration to all workers
//!                                                        └─ all have it ─► hint closed again ─► answer
//! ```
//!
//! A reservation that the file stands against is kept and does not hold; it holds again when the
//! file does not any more. What is here changes in the closure of a publication alone, so a reload
//! sees either all of it or nothing.

mod book;

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use dhcp_proto::address::Space;
use dhcp_proto::config::{Addition, Config};
use dhcp_proto::record::{Journal as _, RecordKind};
use tracing::{info, warn};

pub use book::{Book, Kept, Refusal};

use crate::config::ClientText;
use crate::control::{ReservationOutcome, ReservationPage, ReservationRow, Source};
use crate::dataplane::exchange::Snapshot;
use crate::dataplane::subscription::{NotTaken, Publisher};
use crate::event::Event;
use crate::store::JournalRing;

/// How long an answer waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits for the workers, which look each few milliseconds.
const WORKERS: Duration = Duration::from_secs(2);
/// How often is looked whether a record is durable.
const LOOK: Duration = Duration::from_micros(100);
/// Most reservations of a page.
const PAGE: usize = 500;
/// Most that are told one by one when the file stands against them.
const TOLD: usize = 20;

/// What a change waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Its record to be durable.
    Disk,
    /// All workers to go over to it.
    Workers,
}

/// Called as long as there is something to wait for; whether to go on waiting. A simulation lets
/// the world go on in it.
pub type Patience<'p> = &'p mut dyn FnMut(Wait) -> bool;

/// The patience of whoever asks by the control socket.
fn patience() -> impl FnMut(Wait) -> bool {
    let mut began: Option<(Wait, Instant)> = None;
    move |wait| {
        let (of, since) = began.unwrap_or_else(|| (wait, Instant::now()));
        let since = if of == wait { since } else { Instant::now() };
        began = Some((wait, since));
        let (most, look) = match wait {
            Wait::Disk => (PATIENCE, LOOK),
            Wait::Workers => (WORKERS, LOOK * 5),
        };
        thread::sleep(look);
        since.elapsed() < most
    }
}

/// Who makes reservations at run time.
pub struct Keeper {
    publisher: Arc<Publisher>,
    /// The second by which records are written.
    time: Box<dyn Fn() -> u64 + Send + Sync>,
    /// Taken by who changes something; the ring to the store.
    journal: Mutex<JournalRing>,
    book: Mutex<Book>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// Why a record is not kept; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum NotKept {
    #[error("the store takes nothing now, see `lessor stats`; nothing was changed")]
    NoRoom,
    #[error("the address is another appliance's; nothing was changed")]
    Fenced,
    #[error("the store did not take the record within {n} s; nothing was changed", n = PATIENCE.as_secs())]
    Late,
}

/// Why a change is not in force at once, although it is durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum NotYet {
    #[error("it is kept, and does not hold: {0}")]
    Against(#[from] Refusal),
    #[error("the store has it, but {0}; it is in force after a reload or a restart")]
    NotTaken(#[from] NotTaken),
    #[error("it is durable and published, and in force as soon as the last worker goes over to it")]
    Behind,
}

impl Keeper {
    /// Begins with `book`, of which the configuration in force has what holds; records are written
    /// by the wall second that `time` says.
    #[must_use]
    pub fn new(
        publisher: Arc<Publisher>,
        time: impl Fn() -> u64 + Send + Sync + 'static,
        journal: JournalRing,
        book: Book,
    ) -> Self {
        Self {
            publisher,
            time: Box::new(time),
            journal: Mutex::new(journal),
            book: Mutex::new(book),
        }
    }

    /// Reserves an address for a client.
    pub fn add(&self, space: Space, addr: Ipv4Addr, client: &ClientText) -> ReservationOutcome {
        self.add_while((space, addr), client, &mut patience())
    }

    /// As [`Self::add`], waiting as `patience` does.
    pub fn add_while(
        &self,
        (space, addr): (Space, Ipv4Addr),
        client: &ClientText,
        patience: Patience<'_>,
    ) -> ReservationOutcome {
        let identity = match client.identity() {
            Ok(identity) => identity,
            Err(fault) => return ReservationOutcome::refused(&fault),
        };
        let mut journal = lock(&self.journal);
        let time = (self.time)();
        let new = Kept {
            space,
            addr,
            client: identity.as_slice().into(),
            since: time,
        };
        let current = self.publisher.current();
        if let Err(why) = self.book().check(&current.config, &new) {
            return ReservationOutcome::refused(&why);
        }
        let kinds = (RecordKind::ReservationAdded, RecordKind::ReservationRemoved);
        if let Err(why) = keep(&mut journal, (&new, kinds, time), patience) {
            return ReservationOutcome::failed(&why);
        }
        info!(event = %Event::ReservationAdded, %addr, space = space.0, client = %client, "reserved");
        match self.put(&new, patience) {
            Ok(row) => ReservationOutcome::Done { reservation: row },
            Err(why) => ReservationOutcome::failed(&why),
        }
    }

    /// Has a reservation that is durable hold.
    fn put(&self, new: &Kept, patience: Patience<'_>) -> Result<ReservationRow, NotYet> {
        let mut addition = None;
        // Whatever is published: the store has it.
        self.book().insert(new.clone());
        let published = self.publisher.amend(|old| {
            let mut added = old.config.added().clone();
            let this = match added.at(new.space, new.addr) {
                // A reload came in between, and has seen it in the book.
                Some(there) => Addition::clone(there),
                None => book::holds(&old.config, &added, new)?,
            };
            if added.at(new.space, new.addr).is_none() {
                added.insert(this.clone());
            }
            old.config.close(&this);
            let config = old.config.with(added, [(this.space, this.addr)]);
            addition = Some(this);
            Ok::<_, NotYet>(amended(old, config))
        })?;
        let all = self.all_have_it(patience);
        if let Some(addition) = addition {
            published.config.close(&addition);
        }
        all.then_some(()).ok_or(NotYet::Behind)?;
        Ok(row_of(&published.config, new))
    }

    /// Waits until all workers have what was published; whether they have.
    fn all_have_it(&self, patience: Patience<'_>) -> bool {
        while !self.publisher.tend() {
            if !patience(Wait::Workers) {
                return false;
            }
        }
        true
    }

    /// Takes a reservation away.
    pub fn remove(&self, space: Space, addr: Ipv4Addr) -> ReservationOutcome {
        self.remove_while((space, addr), &mut patience())
    }

    /// As [`Self::remove`], waiting as `patience` does.
    pub fn remove_while(
        &self,
        (space, addr): (Space, Ipv4Addr),
        patience: Patience<'_>,
    ) -> ReservationOutcome {
        let mut journal = lock(&self.journal);
        let current = self.publisher.current();
        let Some(old) = self.book().at(space, addr).cloned() else {
            let place = current.config.place_of(space, addr);
            let network = place.and_then(|place| current.config.network(place.network));
            return if network.is_some_and(|network| network.reserved(addr).is_some()) {
                ReservationOutcome::refused(&Refusal::OfFile(addr))
            } else {
                ReservationOutcome::Unknown {
                    why: format!("{addr} is not reserved"),
                }
            };
        };
        let row = row_of(&current.config, &old);
        let kinds = (RecordKind::ReservationRemoved, RecordKind::ReservationAdded);
        if let Err(why) = keep(&mut journal, (&old, kinds, (self.time)()), patience) {
            return ReservationOutcome::failed(&why);
        }
        info!(event = %Event::ReservationRemoved, %addr, space = space.0, "no longer reserved");
        match self.take((space, addr), patience) {
            Ok(()) => ReservationOutcome::Done { reservation: row },
            Err(why) => ReservationOutcome::failed(&why),
        }
    }

    fn take(&self, (space, addr): (Space, Ipv4Addr), patience: Patience<'_>) -> Result<(), NotYet> {
        let mut gone: Option<Arc<Addition>> = None;
        self.book().remove(space, addr);
        let published = self.publisher.amend(|old| {
            let mut added = old.config.added().clone();
            gone = added.remove(space, addr);
            if let Some(gone) = &gone {
                old.config.open(gone);
            }
            Ok::<_, NotYet>(amended(old, old.config.with(added, [])))
        })?;
        let all = self.all_have_it(patience);
        if let Some(gone) = gone {
            published.config.open(&gone);
        }
        all.then_some(()).ok_or(NotYet::Behind)
    }

    /// `config`, which is about to be published, with what holds beside its file; what does not is
    /// told.
    #[must_use]
    pub fn apply(&self, config: &Config) -> Config {
        begin(&self.book(), config)
    }

    /// A page of all reservations, those of the file too, by space and address.
    #[must_use]
    pub fn page(&self, page: &ReservationPage) -> Vec<ReservationRow> {
        let snapshot = self.publisher.current();
        let after = page.after.map(|(space, addr)| (Space(space), addr));
        let mut rows = Vec::new();
        if page.source != Some(Source::File) {
            let book = self.book();
            let some = book.behind(after).take(PAGE);
            rows.extend(some.map(|kept| row_of(&snapshot.config, kept)));
        }
        if page.source != Some(Source::Runtime) {
            rows.extend(of_file(&snapshot.config, after));
        }
        rows.sort_by_key(|row| (row.space, row.address));
        let place = |row: &ReservationRow| (row.space, row.address);
        let mut end = rows.len().min(PAGE);
        // One address may be in both, and the next page begins behind it.
        while end > 0
            && rows.get(end).map(place) == rows.get(end - 1).map(place)
            && end < rows.len()
        {
            end += 1;
        }
        rows.truncate(end);
        rows
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The snapshot with another configuration of the same file.
fn amended(old: &Snapshot, config: Config) -> Snapshot {
    Snapshot {
        config,
        routes: old.routes.clone(),
    }
}

/// `config` with what holds of `book`; what does not is told.
#[must_use]
pub(super) fn begin(book: &Book, config: &Config) -> Config {
    let (config, against) = book.apply(config);
    tell(&against);
    config
}

/// Says what does not hold because of the file.
fn tell(against: &[(Kept, Refusal)]) {
    for (kept, why) in against.iter().take(TOLD) {
        let (addr, client) = (kept.addr, book::shown(&kept.client));
        warn!(event = %Event::ReservationOverridden, %addr, client, "a reservation made at run time does not hold: {why}");
    }
    if against.len() > TOLD {
        let more = against.len() - TOLD;
        warn!(event = %Event::ReservationOverridden, more, "further reservations made at run time do not hold");
    }
}

/// Returns when what `kinds` says first is durable. If that takes too long the record is followed
/// by one of the other kind, so that the store ends where it was.
fn keep(
    journal: &mut JournalRing,
    (kept, (kind, opposite), time): (&Kept, (RecordKind, RecordKind), u64),
    patience: Patience<'_>,
) -> Result<(), NotKept> {
    let (space, addr) = (kept.space.0, kept.addr);
    if journal
        .fenced()
        .is_some_and(|fenced| fenced.contains(space, addr))
    {
        return Err(NotKept::Fenced);
    }
    if !journal.has_room() {
        return Err(NotKept::NoRoom);
    }
    let place = journal.append(&kept.record(kind, time));
    while journal.durable() < place {
        if !patience(Wait::Disk) {
            // There was room for two.
            journal.append(&kept.record(opposite, kept.since));
            return Err(NotKept::Late);
        }
    }
    if journal.refused(space, addr, place) {
        return Err(NotKept::Fenced);
    }
    Ok(())
}

fn row_of(config: &Config, kept: &Kept) -> ReservationRow {
    let place = config.place_of(kept.space, kept.addr);
    let network = place.and_then(|place| config.network(place.network));
    let held = config.added().at(kept.space, kept.addr);
    ReservationRow {
        address: kept.addr,
        space: kept.space.0,
        network: network.map(|network| network.name.clone()),
        source: Source::Runtime,
        holds: held.is_some_and(|addition| addition.client == kept.client),
        count: 1,
        since: Some(kept.since),
        client: ClientText::of(&kept.client).unwrap_or_default(),
    }
}

/// The next reservations of the file.
fn of_file(config: &Config, after: Option<(Space, Ipv4Addr)>) -> Vec<ReservationRow> {
    let networks = config.networks().iter();
    let mut found: Vec<_> = networks
        .flat_map(|network| network.each_reservation().map(move |r| (network, r)))
        .filter(|(network, (_, addr, _))| after.is_none_or(|after| (network.space, *addr) > after))
        .collect();
    let by_place =
        |(network, (_, addr, _)): &(&dhcp_proto::config::Network, (&[u8], Ipv4Addr, u32))| {
            (network.space, *addr)
        };
    if found.len() > PAGE {
        found.select_nth_unstable_by_key(PAGE, by_place);
        found.truncate(PAGE);
    }
    let row = |(network, (client, address, count)): (
        &dhcp_proto::config::Network,
        (&[u8], Ipv4Addr, u32),
    )| ReservationRow {
        address,
        space: network.space.0,
        network: Some(network.name.clone()),
        source: Source::File,
        holds: true,
        count,
        since: None,
        client: ClientText::of(client).unwrap_or_default(),
    };
    found.into_iter().map(row).collect()
}
