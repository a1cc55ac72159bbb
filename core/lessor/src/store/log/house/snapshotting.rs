//! Snapshots, a chunk a step.

use super::{Housekeeper, Step, Task};
use crate::store::encode::Lsn;
use crate::store::log::index::Index;
use crate::store::log::snapshot::{self, Chunks, HEAD, SNAPSHOT, SnapshotHeader};
use crate::store::medium::{Medium, MediumFile};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// A snapshot on its way to the disk.
pub(super) struct Snapshot<M: Medium> {
    file: M::File,
    chunks: Chunks,
    chunk: Vec<u8>,
    header: SnapshotHeader,
    at: u64,
}

impl<M: Medium> Housekeeper<M> {
    pub(super) fn covered(&self) -> Lsn {
        self.elements.last().map_or(Lsn(0), |element| element.last)
    }

    pub(super) fn wants_snapshot(&self) -> bool {
        let much = (4 * self.options.segment_octets).max(self.live());
        self.since_snapshot > much && self.has_snapshot()
    }

    /// Whether there is a snapshot to be written, of what is known and no more: after a start the
    /// index knows the first batch of the active segment, and not what that has replaced.
    pub(super) fn has_snapshot(&self) -> bool {
        let covered = self.covered();
        let (known, _) = self.index.marks().latest;
        !self.blind && covered.0 > self.view.snapshot_lsn && known <= covered
    }

    pub(super) fn begin_snapshot(&mut self) -> Step {
        match self.new_snapshot() {
            Ok(Some(snapshot)) => {
                self.task = Task::Snapshot(Box::new(snapshot));
                Step::Worked
            }
            Ok(None) => Step::Idle,
            Err(error) => {
                self.fail(&error, "a snapshot cannot be written");
                Step::Worked
            }
        }
    }

    pub(super) fn new_snapshot(&self) -> io::Result<Option<Snapshot<M>>> {
        let Some(newest) = self.elements.last() else {
            return Ok(None);
        };
        self.medium.remove(snapshot::UNFINISHED)?;
        let mut marks = *self.index.marks();
        marks.latest = (newest.last, marks.latest.1);
        Ok(Some(Snapshot {
            file: self.medium.create(snapshot::UNFINISHED)?,
            chunks: Chunks::new(&self.index),
            chunk: Vec::new(),
            header: SnapshotHeader {
                store: newest.header.store,
                segment: (newest.header.id, newest.header.salt),
                lsn: newest.last,
                created: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |now| now.as_secs()),
                addresses: self.index.addresses(),
                reservations: self.index.reservations(),
                marks,
            },
            at: HEAD as u64,
        }))
    }

    pub(super) fn write_snapshot(&mut self, mut snapshot: Box<Snapshot<M>>) {
        match snapshot.go_on(&self.index, self.medium.as_ref()) {
            Ok(false) => self.task = Task::Snapshot(snapshot),
            Ok(true) => {
                self.since_snapshot = 0;
                self.view.snapshot_lsn = snapshot.header.lsn.0;
                self.view.snapshot_time = snapshot.header.created;
                self.view.snapshot_octets += snapshot.at;
                self.view.trouble = None;
            }
            Err(error) => {
                let _left = self.medium.unlink(snapshot::UNFINISHED);
                self.fail(&error, "a snapshot cannot be written");
            }
        }
    }
}

impl<M: Medium> Snapshot<M> {
    /// Writes a chunk; true when the snapshot has its name.
    fn go_on(&mut self, index: &Index, medium: &M) -> io::Result<bool> {
        if self.chunks.next(index, &mut self.chunk) {
            self.file.write_all_at(&self.chunk, self.at)?;
            self.file.sync()?;
            self.at += self.chunk.len() as u64;
            return Ok(false);
        }
        self.file.write_all_at(&self.header.to_octets(), 0)?;
        self.file.sync()?;
        medium.rename(snapshot::UNFINISHED, SNAPSHOT)?;
        medium.sync_dir()?;
        Ok(true)
    }
}
