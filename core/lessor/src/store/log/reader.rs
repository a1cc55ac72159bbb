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
    /// Visits the wanted records.
    pub(super) fn each(&self, mut visit: impl FnMut(&Placed<'_>)) {
        for offset in &self.wanted {
            let record = self.octets.get(*offset as usize..).unwrap_or_default();
            // It was sound a moment ago, in this memory.
            if let Ok((lsn, record, behind)) = encode::decode(record) {
                let begin = *offset as usize;
                let end = self.octets.len() - behind.len();
                visit(&Placed {
                    lsn,
                    record,
                    octets: self.octets.get(begin..end).unwrap_or_default(),
                    offset: u64::from(*offset),
                });
            }
        }
    }

    /// The octets of the file from its first one on.
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets
    }
}

/// Which records of the segments are wanted.
pub(super) type Filter<'f> = &'f (dyn Fn(&Placed<'_>) -> bool + Sync);

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
            if to_us.send(self.read(link, buffer, newest)).is_err() {
                return;
            }
        }
    }

    fn read(
        &self,
        link: &Link<M::File>,
        mut octets: Vec<u8>,
        newest: bool,
    ) -> Result<Segment, StoreError> {
        link.read(self.medium, &mut octets)?;
        let mut wanted = Vec::new();
        let scan = Scan::of(link, &octets, newest, &mut |placed| {
            if (self.wanted)(placed) {
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
