//! What a store holds: read at start, and by who wants to look without the lock.
//!
//! ```text
//!   snapshot ──► index up to its number ┐
//!   segments behind that number ────────┴─► index of all ──► all segments once more, in order:
//!                                                            the newest record of each address
//! ```
//!
//! The first pass remembers two numbers of each record; the second hands records out. So memory is
//! bound by the number of addresses, not by what their records hold.

use super::chain::Link;
use super::first::sound;
use super::frame::Placed;
use super::house::Known;
use super::index::{Index, Standing, Strays, Subject, subject};
use super::live::Live;
use super::reader::{Reading, Seen};
#[cfg(any(test, fuzzing))]
use super::scan::Scan;
use super::segment::BLOCK_LEN;
use super::snapshot::SNAPSHOT;
use crate::store::StoreError;
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium};
use core::fmt;
use dhcp_proto::record::{Record, RecordKind};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// A batch that was being written when the process or the machine ended. Nothing in it was
/// acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The file.
    pub file: PathBuf,
    /// Where the tail begins.
    pub offset: u64,
    /// How long it is.
    pub octets: u64,
}

/// A record of the time, as far as it says more than other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimeRecord {
    /// Its number.
    pub lsn: Lsn,
    /// When it was written, Unix seconds.
    pub time: u64,
    /// When the hold of the clock ends, Unix seconds; 0 if it is not held.
    pub expiry: u64,
    /// Seconds from the last trusted time to the end of the hold.
    pub lease: u32,
}

/// What the store holds, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    /// Segments that count.
    pub segments: usize,
    /// Octets of them that count.
    pub octets: u64,
    /// The snapshot that was used knew all records up to this one; 0 if there was none.
    pub snapshot: Lsn,
    /// Batches read behind the snapshot, or in the segments where it ends.
    pub batches: u64,
    /// Records in them.
    pub records: u64,
    /// Addresses with a record.
    pub addresses: u64,
    /// Reservations with a record, those removed again too.
    pub reservations: u64,
    /// The highest generation of any record.
    pub highest_generation: u64,
    /// The number of the newest record; 0 if there is none.
    pub highest_lsn: Lsn,
    /// The time in the newest record by its number, Unix seconds.
    pub newest_time: u64,
    /// The newest record of the time.
    pub time_record: Option<TimeRecord>,
    /// What was cut.
    pub torn: Option<TornTail>,
}

/// A store that was read: whose newest records can be walked.
pub struct Recovered<M: Medium = FileMedium> {
    pub(super) medium: Arc<M>,
    pub(super) links: Vec<Link<M::File>>,
    pub(super) index: Index,
    pub(super) summary: Summary,
    /// When the snapshot that was used was written.
    pub(super) snapshot_time: u64,
    /// The segment that the snapshot names is merged with later ones, so nothing but the records
    /// themselves tells whether the snapshot is of this log or of another branch of it.
    pub(super) doubted: bool,
}

impl<M: Medium> fmt::Debug for Recovered<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recovered")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl<M: Medium> Recovered<M> {
    /// What was found, in numbers.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Octets of the records that are the newest of their address or reservation.
    #[must_use]
    pub fn live_octets(&self) -> u64 {
        let mut octets = 0;
        self.index
            .each_live(|_, length| octets += u64::from(length));
        octets
    }

    /// Blocks of 256 addresses that have records: the space and the first address of each.
    pub fn blocks(&self) -> impl Iterator<Item = (u16, Ipv4Addr)> {
        self.index.blocks()
    }

    /// How much of the newest segment counts.
    pub(super) fn cut(&mut self, end: u64) {
        if let Some(last) = self.links.last_mut() {
            last.end = last.end.min(end);
        }
    }

    /// Another segment follows, the newest having counted up to `end`.
    pub(super) fn go_on(&mut self, end: u64, link: Link<M::File>) {
        self.cut(end);
        // The new one names the one before, if nothing in the newest counts.
        self.links.pop_if(|newest| newest.end <= BLOCK_LEN);
        self.links.push(link);
    }

    /// Hands out the newest record of each address, whatever its kind, and the newest about each
    /// reservation, in the order of the log. A reservation hides no binding, and records of the
    /// time are not handed out.
    ///
    /// Of two addresses that one client has on one link the caller keeps the higher [`Lsn`].
    ///
    /// # Errors
    /// A segment cannot be read any more, or is not what it was.
    pub fn for_each_newest(
        &self,
        mut visit: impl FnMut(Lsn, &Record<'_>),
    ) -> Result<(), StoreError> {
        self.hand_out(|seen| {
            if let Seen::Now((lsn, record)) = seen {
                visit(lsn, record);
            }
        })
    }

    /// The same, and each record is shown a few records before its turn as well.
    ///
    /// # Errors
    /// As [`Self::for_each_newest`].
    pub fn hand_out(
        &self,
        mut visit: impl FnMut(Seen<(Lsn, &Record<'_>)>),
    ) -> Result<(), StoreError> {
        let index = &self.index;
        let live = (!self.doubted).then(|| Live::of(index, &self.links));
        let strays = Mutex::new(Strays::default());
        // What a snapshot says that is in doubt is held against every record.
        let doubtful = |placed: &Placed<'_>| match index.standing(placed) {
            Standing::Newest => true,
            Standing::Older => false,
            Standing::Stray => {
                let mut strays = strays.lock().unwrap_or_else(PoisonError::into_inner);
                strays.note(placed);
                false
            }
        };
        let reading = Reading {
            medium: self.medium.as_ref(),
            links: &self.links,
            open_end: false,
            wanted: &|place| {
                let Some(live) = &live else {
                    return Box::new(&doubtful);
                };
                let mut standing = live.walk(place);
                Box::new(move |placed| match subject(placed.record.kind) {
                    Subject::Binding => standing.has(placed),
                    Subject::Reservation { .. } => index.is_newest(placed.lsn, &placed.record),
                    Subject::Time => false,
                })
            },
            what: "reading bindings",
        };
        let mut due = None;
        let mut left = self.index.due();
        reading.run(|place, segment| {
            let Some(link) = self.links.get(place) else {
                return Ok(());
            };
            sound(due, link, &segment.scan).map_err(|fault| fault.refuse(self.medium.dir()))?;
            due = Some(segment.scan.next);
            segment.each(|seen| match seen {
                Seen::Soon(placed) => visit(Seen::Soon((placed.lsn, &placed.record))),
                Seen::Now(placed) => {
                    let gone = placed.record.kind == RecordKind::ReservationRemoved;
                    left = left.saturating_sub(u64::from(!gone));
                    visit(Seen::Now((placed.lsn, &placed.record)));
                }
            });
            Ok(())
        })?;
        let strays = strays.into_inner().unwrap_or_else(PoisonError::into_inner);
        let differing = left + strays.count();
        if differing == 0 {
            return Ok(());
        }
        let dir = self.medium.dir().to_owned();
        if self.summary.snapshot == Lsn(0) {
            return Err(StoreError::Changed { dir });
        }
        let file = dir.join(SNAPSHOT);
        Err(StoreError::ForeignSnapshot { file, differing })
    }

    /// What the housekeeper goes on from.
    pub(super) fn known(&mut self) -> Known<'_, M::File> {
        let snapshot = self.summary.snapshot;
        Known {
            index: core::mem::take(&mut self.index),
            links: &self.links,
            snapshot: (snapshot != Lsn(0)).then_some((snapshot, self.snapshot_time)),
        }
    }
}

#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, reason = "for tests alone")]
impl<M: Medium> Recovered<M> {
    /// Every record that counts, the newest of its address or not.
    pub(super) fn each_record(&self, mut visit: impl FnMut(Lsn, &Record<'_>)) {
        let mut buffer = Vec::new();
        for link in &self.links {
            link.read(self.medium.as_ref(), &mut buffer).unwrap();
            let _scan = Scan::of(link, &buffer, false, &mut |placed| {
                visit(placed.lsn, &placed.record);
            });
        }
    }
}

#[cfg(test)]
impl<M: Medium> Recovered<M> {
    /// File, offset, number and address of every record that counts.
    pub(super) fn places(&self) -> Vec<(String, usize, Lsn, u32)> {
        let mut places = Vec::new();
        let mut buffer = Vec::new();
        for link in &self.links {
            link.read(self.medium.as_ref(), &mut buffer).unwrap();
            let name = link.header.file().to_string();
            let _scan = Scan::of(link, &buffer, false, &mut |placed| {
                let at = usize::try_from(placed.offset).unwrap();
                places.push((name.clone(), at, placed.lsn, placed.record.addr.to_bits()));
            });
        }
        places
    }
}
