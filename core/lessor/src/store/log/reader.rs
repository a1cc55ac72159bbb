//! Reading many segments at once, and handing them on in the order of the log.

use super::chain::Link;
use super::frame::Placed;
use super::scan::Scan;
use crate::event::Event;
use crate::store::StoreError;
use crate::store::encode;
use crate::store::medium::{Medium, MediumFile};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

/// Most segments that are read at a time.
const MOST_READERS: usize = 4;
/// How many records before its turn a record is shown.
const AHEAD: usize = 16;
/// How often the reading tells how far it has come.
const TELL: Duration = Duration::from_secs(2);

/// A segment that was read and checked.
pub(super) struct Segment {
    octets: Vec<u8>,
    pub(super) scan: Scan,
    /// Where the wanted records begin.
    wanted: Vec<u32>,
}

impl Segment {
    /// Visits the wanted records, each twice: a few records before its turn, and in its turn.
    pub(super) fn each(&self, mut visit: impl FnMut(Seen<&Placed<'_>>)) {
        let mut soon = self.placed();
        for placed in soon.by_ref().take(AHEAD) {
            visit(Seen::Soon(&placed));
        }
        for placed in self.placed() {
            if let Some(next) = soon.next() {
                visit(Seen::Soon(&next));
            }
            visit(Seen::Now(&placed));
        }
    }

    fn placed(&self) -> impl Iterator<Item = Placed<'_>> {
        self.wanted.iter().filter_map(|offset| {
            let begin = *offset as usize;
            let octets = self.octets.get(begin..)?;
            // It was sound a moment ago, in this memory.
            let (lsn, record, behind) = encode::decode_again(octets).ok()?;
            Some(Placed {
                lsn,
                record,
                octets: octets.get(..octets.len() - behind.len())?,
                offset: u64::from(*offset),
            })
        })
    }

    /// The octets of the file from its first one on.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// A record that is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen<T> {
    /// Its turn comes soon. What it will touch may be fetched meanwhile, so that it need not wait.
    Soon(T),
    /// It is its turn.
    Now(T),
}

/// Which records of a segment are wanted; it is asked in their order.
pub(super) type Wanted<'f> = Box<dyn FnMut(&Placed<'_>) -> bool + 'f>;
/// Which records are wanted of the segment at a place.
pub(super) type Filter<'f> = &'f (dyn Fn(usize) -> Wanted<'f> + Sync);

/// Some segments, and what is to be done with them.
pub(super) struct Reading<'r, M: Medium> {
    pub(super) medium: &'r M,
    pub(super) links: &'r [Link<M::File>],
    /// Whether nobody names the end of the last one yet.
    pub(super) open_end: bool,
    pub(super) wanted: Filter<'r>,
    /// For the log: what the reading is for.
    pub(super) what: &'static str,
}

impl<M: Medium> Reading<'_, M> {
    /// Reads all, several at a time, and hands them to `take` in order with their place.
    pub(super) fn run(
        &self,
        mut take: impl FnMut(usize, &Segment) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let readers = thread::available_parallelism()
            .map_or(1, usize::from)
            .min(MOST_READERS)
            .min(self.links.len())
            .max(1);
        thread::scope(|scope| {
            let lanes: Vec<Lane> = (0..readers)
                .map(|first| {
                    let (to_us, segments) = mpsc::sync_channel(1);
                    let (back, buffers) = mpsc::channel();
                    scope.spawn(move || self.lane((first, readers), &to_us, &buffers));
                    Lane { segments, back }
                })
                .collect();
            let mut progress = Progress::new(self.links);
            for (place, link) in self.links.iter().enumerate() {
                let Some(lane) = lanes.get(place % readers) else {
                    break;
                };
                let segment = lane.segments.recv().map_err(|_| self.lost(link))??;
                take(place, &segment)?;
                progress.tell(self.what, link.end);
                // The lane may have ended.
                let _kept = lane.back.send(segment.octets);
            }
            Ok(())
        })
    }

    /// Reads every `step`th segment from the `first` on.
    fn lane(
        &self,
        (first, step): (usize, usize),
        to_us: &SyncSender<Result<Segment, StoreError>>,
        buffers: &Receiver<Vec<u8>>,
    ) {
        for (place, link) in self.links.iter().enumerate().skip(first).step_by(step) {
            let buffer = buffers.try_recv().unwrap_or_default();
            let newest = self.open_end && place + 1 == self.links.len();
            if to_us
                .send(self.read((place, link), buffer, newest))
                .is_err()
            {
                return;
            }
        }
    }

    fn read(
        &self,
        (place, link): (usize, &Link<M::File>),
        mut octets: Vec<u8>,
        newest: bool,
    ) -> Result<Segment, StoreError> {
        link.read(self.medium, &mut octets)?;
        let mut wanted = Vec::new();
        let mut is_wanted = (self.wanted)(place);
        let scan = Scan::of(link, &octets, newest, &mut |placed| {
            if is_wanted(placed) {
                // No segment is longer than 1 GiB.
                wanted.push(u32::try_from(placed.offset).unwrap_or(u32::MAX));
            }
        });
        Ok(Segment {
            octets,
            scan,
            wanted,
        })
    }

    fn lost(&self, link: &Link<M::File>) -> StoreError {
        StoreError::Io {
            what: "read",
            file: self.medium.dir().join(link.header.file().to_string()),
            source: std::io::Error::other("the reading thread has ended"),
        }
    }
}

/// One reading thread, as the thread that takes sees it.
struct Lane {
    segments: Receiver<Result<Segment, StoreError>>,
    /// Buffers to be used again.
    back: mpsc::Sender<Vec<u8>>,
}

struct Progress {
    told: Instant,
    read: u64,
    all: u64,
}

impl Progress {
    fn new<F: MediumFile>(links: &[Link<F>]) -> Self {
        Self {
            told: Instant::now(),
            read: 0,
            all: links.iter().map(|link| link.end).sum(),
        }
    }

    fn tell(&mut self, what: &str, octets: u64) {
        self.read += octets;
        if self.told.elapsed() >= TELL {
            self.told = Instant::now();
            tracing::info!(
                event = %Event::StoreReading,
                mebibytes = self.read >> 20,
                of = self.all >> 20,
                percent = self.read * 100 / self.all.max(1),
                "{what}"
            );
        }
    }
}
