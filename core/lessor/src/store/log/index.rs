//! The newest record of each address, by generation and then by log sequence number.
//!
//! Two shards' records about one address can reach the log in the wrong order, and after a change
//! of the number of workers one generation may have two writers; the order of both numbers
//! decides, not the place. A record is known by its number, which a merge does not change, so
//! nothing here has to move when a record does. Sixteen octets an address, in blocks of 256
//! neighbours.

use super::TimeRecord;
use super::frame::Placed;
use crate::store::encode::Lsn;
use core::hash::{BuildHasherDefault, Hasher};
use dhcp_proto::record::{Record, RecordKind};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;

/// Space and block of 256 addresses.
pub(super) type BlockKey = (u16, u32);
/// Space, address and identity.
pub(super) type ReservationKey = (u16, u32, Box<[u8]>);

/// Bits of an entry that hold the record's length.
const LENGTH_BITS: u32 = 11;
/// The highest generation: an address word has 53 bits for it.
const LAST_GENERATION: u64 = (1 << (64 - LENGTH_BITS)) - 1;

/// The newest record of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    /// Generation in front, length of the record behind.
    packed: u64,
    /// 0 if there is none.
    pub(super) lsn: Lsn,
}

impl Entry {
    pub(super) fn new(generation: u64, lsn: Lsn, length: u16) -> Self {
        let length = u64::from(length) & ((1 << LENGTH_BITS) - 1);
        Self {
            packed: generation.min(LAST_GENERATION) << LENGTH_BITS | length,
            lsn,
        }
    }

    pub(super) fn generation(self) -> u64 {
        self.packed >> LENGTH_BITS
    }

    /// Octets of the record on disk.
    pub(super) fn length(self) -> u16 {
        (self.packed & ((1 << LENGTH_BITS) - 1)) as u16
    }

    fn is_some(self) -> bool {
        self.lsn != Lsn::default()
    }

    fn rank(self) -> (u64, Lsn) {
        (self.generation(), self.lsn)
    }
}

/// The newest record about a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reserved {
    pub(super) lsn: Lsn,
    pub(super) length: u16,
    /// It says that the reservation is gone.
    pub(super) removed: bool,
}

/// The newest record of the time, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Timed {
    /// Its number is 0 if there is none.
    pub(super) newest: TimeRecord,
    pub(super) length: u16,
}

impl Timed {
    fn lsn(self) -> Lsn {
        self.newest.lsn
    }

    /// The record, if there is one.
    pub(super) fn record(self) -> Option<TimeRecord> {
        (self.lsn() != Lsn::default()).then_some(self.newest)
    }
}

/// A record that nobody needs any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dead {
    pub(super) lsn: Lsn,
    pub(super) length: u16,
}

/// What is known of the newest records, beside which they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// The record with the highest number, and what time it says.
    pub(super) latest: (Lsn, u64),
    pub(super) highest_generation: u64,
    pub(super) time: Timed,
}

/// Which records are the newest.
#[derive(Debug, Default)]
pub(super) struct Index {
    blocks: HashMap<BlockKey, Box<[Entry; 256]>, BuildHasherDefault<BlockHasher>>,
    reservations: BTreeMap<ReservationKey, Reserved>,
    addresses: u64,
    marks: Marks,
}

/// What an index says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is the newest of its address or reservation.
    Newest,
    /// It is not needed.
    Older,
    /// It is newer than the newest that is known, or not what is known under its number.
    Stray,
}

/// Hashes the names of blocks. Which blocks there are the configuration says, not a client, so
/// nobody can choose them to collide.
#[derive(Debug, Clone, Copy, Default)]
struct BlockHasher(u64);

impl Hasher for BlockHasher {
    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u32(u32::from(*octet));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u32(u32::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        // 2^64 over the golden ratio, which is odd: neighbours end up far apart.
        self.0 = (self.0.rotate_left(32) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        // The table takes the place from the low bits, which know the least.
        self.0 ^ (self.0 >> 32)
    }
}

/// What a record speaks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Binding,
    Reservation { removed: bool },
    Time,
}

/// What a record of this kind speaks about.
pub(super) fn subject(kind: RecordKind) -> Subject {
    match kind {
        RecordKind::Active
        | RecordKind::Released
        | RecordKind::Ended
        | RecordKind::Declined
        | RecordKind::SetAside
        | RecordKind::ProbationEnded => Subject::Binding,
        RecordKind::ReservationAdded => Subject::Reservation { removed: false },
        RecordKind::ReservationRemoved => Subject::Reservation { removed: true },
        RecordKind::Time => Subject::Time,
    }
}

/// Records that an index should have known. A reservation that is gone may be unknown: the merge
/// that drops it may be lost in a power cut, and the snapshot behind it not.
#[derive(Debug, Default)]
pub(super) struct Strays {
    bindings: u64,
    /// Of each reservation the newest stray, and whether it says that it is gone.
    reservations: BTreeMap<ReservationKey, (Lsn, bool)>,
}

impl Strays {
    pub(super) fn note(&mut self, placed: &Placed<'_>) {
        match subject(placed.record.kind) {
            Subject::Reservation { removed } => {
                let key = reservation(&placed.record);
                let newest = self.reservations.entry(key).or_default();
                *newest = (*newest).max((placed.lsn, removed));
            }
            Subject::Binding | Subject::Time => self.bindings += 1,
        }
    }

    pub(super) fn count(&self) -> u64 {
        let standing = self.reservations.values().filter(|(_, removed)| !removed);
        self.bindings + standing.count() as u64
    }
}

impl Index {
    /// Takes note of a record, in whatever order they come, and says which one is dead because of
    /// that, itself or an older one.
    pub(super) fn note(&mut self, placed: &Placed<'_>) -> Option<Dead> {
        let Placed { lsn, record, .. } = placed;
        let length = u16::try_from(placed.octets.len()).unwrap_or(u16::MAX);
        self.marks.highest_generation = self.marks.highest_generation.max(record.generation);
        self.marks.latest = self.marks.latest.max((*lsn, record.time));
        match subject(record.kind) {
            Subject::Binding => {
                let key = (record.space, record.addr.to_bits() >> 8);
                let entry = Entry::new(record.generation, *lsn, length);
                self.put(key, low(record.addr), entry)
            }
            Subject::Reservation { removed } => self.reserve(
                reservation(record),
                Reserved {
                    lsn: *lsn,
                    length,
                    removed,
                },
            ),
            Subject::Time => {
                let newest = TimeRecord {
                    lsn: *lsn,
                    time: record.time,
                    expiry: record.expiry,
                    lease: record.lease,
                };
                let this = Timed { newest, length };
                let (newer, older) = order(this, self.marks.time, Timed::lsn);
                self.marks.time = newer;
                dead(older.lsn(), older.length).filter(|_| older.lsn() != newer.lsn())
            }
        }
    }

    /// Has the entry that a record will be noted in fetched.
    pub(super) fn fetch(&self, record: &Record<'_>) {
        let key = (record.space, record.addr.to_bits() >> 8);
        if let Some(block) = self.blocks.get(&key) {
            hugemem::prefetch_read(&block[usize::from(low(record.addr))]);
        }
    }

    /// Takes an entry for an address, if it is newer.
    pub(super) fn put(&mut self, key: BlockKey, low: u8, this: Entry) -> Option<Dead> {
        self.filling(key).put(low, this)
    }

    /// The block `key`, to take many entries.
    pub(super) fn filling(&mut self, key: BlockKey) -> Filling<'_> {
        let block = self.blocks.entry(key);
        Filling {
            block: block.or_insert_with(|| Box::new([Entry::default(); 256])),
            addresses: &mut self.addresses,
        }
    }

    /// Takes an entry for a reservation, if it is newer.
    pub(super) fn reserve(&mut self, key: ReservationKey, this: Reserved) -> Option<Dead> {
        let Some(entry) = self.reservations.get_mut(&key) else {
            self.reservations.insert(key, this);
            return None;
        };
        let (newer, older) = order(this, *entry, |entry| entry.lsn);
        *entry = newer;
        dead(older.lsn, older.length).filter(|_| older.lsn != newer.lsn)
    }

    /// Whether the record is the newest of its kind.
    pub(super) fn is_newest(&self, lsn: Lsn, record: &Record<'_>) -> bool {
        match subject(record.kind) {
            Subject::Binding => {
                let block = self.blocks.get(&(record.space, record.addr.to_bits() >> 8));
                block.is_some_and(|block| block[usize::from(low(record.addr))].lsn == lsn)
            }
            Subject::Reservation { .. } => self
                .reservations
                .get(&reservation(record))
                .is_some_and(|newest| newest.lsn == lsn),
            Subject::Time => self.marks.time.lsn() == lsn,
        }
    }

    /// What is known of a record. Of an index that has been shown all records none is stray.
    pub(super) fn standing(&self, placed: &Placed<'_>) -> Standing {
        let Placed { lsn, record, .. } = placed;
        let length = u16::try_from(placed.octets.len()).unwrap_or(u16::MAX);
        let (known, newer) = match subject(record.kind) {
            Subject::Time => return Standing::Older,
            Subject::Binding => {
                let block = self.blocks.get(&(record.space, record.addr.to_bits() >> 8));
                let entry = block.map_or(Entry::default(), |block| {
                    block[usize::from(low(record.addr))]
                });
                let this = Entry::new(record.generation, *lsn, length);
                let newer = this.rank() > entry.rank() || this.lsn == entry.lsn;
                (this == entry, newer)
            }
            Subject::Reservation { removed } => {
                let entry = self.reservations.get(&reservation(record));
                let this = Reserved {
                    lsn: *lsn,
                    length,
                    removed,
                };
                let newer = entry.is_none_or(|entry| this.lsn >= entry.lsn);
                (entry == Some(&this), newer)
            }
        };
        match (known, newer) {
            (true, _) => Standing::Newest,
            (false, true) => Standing::Stray,
            (false, false) => Standing::Older,
        }
    }

    /// Forgets the reservations that are gone by records up to `upto`: none of these is left.
    pub(super) fn forget_gone(&mut self, upto: Lsn) {
        let is_kept = |newest: &Reserved| !newest.removed || newest.lsn > upto;
        self.reservations.retain(|_, newest| is_kept(newest));
    }

    /// How many addresses have a record.
    pub(super) fn addresses(&self) -> u64 {
        self.addresses
    }

    /// How many reservations have a record.
    pub(super) fn reservations(&self) -> u64 {
        self.reservations.len() as u64
    }

    /// Records that must be found when all segments are read: those about addresses, and those
    /// about reservations that are not gone.
    pub(super) fn due(&self) -> u64 {
        let standing = self.reservations.values().filter(|r| !r.removed).count();
        self.addresses + standing as u64
    }

    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    pub(super) fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// Blocks of 256 addresses with a record: the space and the first address of each.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        let first = |(space, block): &BlockKey| (*space, Ipv4Addr::from_bits(block << 8));
        self.blocks.keys().map(first)
    }

    /// The keys of all blocks, in order.
    pub(super) fn keys(&self) -> Vec<BlockKey> {
        let mut keys: Vec<_> = self.blocks.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// The entries of a block with their lowest octet.
    pub(super) fn block(&self, key: BlockKey) -> impl Iterator<Item = (u8, Entry)> {
        let entries = self.blocks.get(&key).into_iter();
        entries
            .flat_map(|block| (0..=u8::MAX).zip(block.iter().copied()))
            .filter(|(_, entry)| entry.is_some())
    }

    /// What is known of one address.
    pub(super) fn entry(&self, key: BlockKey, low: u8) -> Option<Entry> {
        let entry = self.blocks.get(&key)?[usize::from(low)];
        Some(entry).filter(|entry| entry.is_some())
    }

    /// What is known of one reservation.
    pub(super) fn reserved(&self, key: &ReservationKey) -> Option<Reserved> {
        self.reservations.get(key).copied()
    }

    pub(super) fn each_reservation(&self) -> impl Iterator<Item = (&ReservationKey, &Reserved)> {
        self.reservations.iter()
    }

    /// Number, space and address of the newest record of each address.
    pub(super) fn each_address(&self, mut visit: impl FnMut(Lsn, u16, u32)) {
        for ((space, block), entries) in &self.blocks {
            for (low, entry) in (0..=u8::MAX).zip(entries.iter()) {
                if entry.is_some() {
                    visit(entry.lsn, *space, block << 8 | u32::from(low));
                }
            }
        }
    }

    /// Number and length of every record that is the newest.
    pub(super) fn each_live(&self, mut visit: impl FnMut(Lsn, u16)) {
        for entry in self.blocks.values().flat_map(|block| block.iter()) {
            if entry.is_some() {
                visit(entry.lsn, entry.length());
            }
        }
        for reserved in self.reservations.values() {
            visit(reserved.lsn, reserved.length);
        }
        if let Some(time) = self.marks.time.record() {
            visit(time.lsn, self.marks.time.length);
        }
    }
}

/// One block of the index.
pub(super) struct Filling<'i> {
    block: &'i mut [Entry; 256],
    addresses: &'i mut u64,
}

impl Filling<'_> {
    /// Takes an entry for an address, if it is newer.
    pub(super) fn put(&mut self, low: u8, this: Entry) -> Option<Dead> {
        let entry = &mut self.block[usize::from(low)];
        *self.addresses += u64::from(!entry.is_some() && this.is_some());
        let (newer, older) = order(this, *entry, Entry::rank);
        *entry = newer;
        dead(older.lsn, older.length()).filter(|_| older.lsn != newer.lsn)
    }
}

fn low(addr: Ipv4Addr) -> u8 {
    let [.., low] = addr.octets();
    low
}

/// The newer of two and the older.
fn order<T: Copy, K: Ord>(this: T, other: T, rank: impl Fn(T) -> K) -> (T, T) {
    if rank(this) > rank(other) {
        (this, other)
    } else {
        (other, this)
    }
}

fn dead(lsn: Lsn, length: u16) -> Option<Dead> {
    (lsn != Lsn::default()).then_some(Dead { lsn, length })
}

/// What a record about a reservation is known by.
fn reservation(record: &Record<'_>) -> ReservationKey {
    (
        record.space,
        record.addr.to_bits(),
        Box::from(record.identity),
    )
}

#[cfg(test)]
mod tests;
