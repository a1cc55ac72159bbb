//! Reading one segment in order: what is sound, what is torn, what is damaged.

use super::chain::Link;
use super::frame::{Found, FrameHeader, FrameKind, Frames, Placed};
use super::segment::{SegmentFile, SegmentHeader};
use super::{Fault, What};
use crate::store::encode::Lsn;

/// No store comes to a higher number: one that says so is damaged, and none could follow it.
const LAST_LSN: Lsn = Lsn(u64::MAX - (1 << 40));

/// Where the last commit of a segment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastCommit {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) header: FrameHeader,
    /// Whether a later header says that it is durable.
    pub(super) proven: bool,
}

/// What a segment holds.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    file: SegmentFile,
    /// The number due next.
    pub(super) next: Lsn,
    pub(super) batches: u64,
    pub(super) records: u64,
    /// The last commit.
    pub(super) last: Option<LastCommit>,
    /// Where a torn tail begins.
    pub(super) torn: Option<u64>,
    pub(super) faults: Vec<Fault>,
}

/// Who wants to see the records of a segment.
pub(super) type Visit<'v, 'a> = &'v mut dyn FnMut(&Placed<'a>);

impl Scan {
    /// Reads a segment from its `octets`; `newest` if nobody names its end yet. Goes on behind a
    /// fault where it can.
    pub(super) fn of<'a, F>(
        link: &Link<F>,
        octets: &'a [u8],
        newest: bool,
        visit: Visit<'_, 'a>,
    ) -> Self {
        let SegmentHeader { salt, first, .. } = link.header;
        let file = link.header.file();
        let mut scan = Self {
            file,
            next: first,
            batches: 0,
            records: 0,
            last: None,
            torn: None,
            faults: Vec::new(),
        };
        scan.read(&mut Frames::new(file, salt, octets), newest, visit);
        if let Some(merged) = link.header.merged {
            scan.complete(merged.records, link.header.durable);
        }
        // Number 0 stands for no record.
        if first == Lsn(0) || scan.next > LAST_LSN {
            scan.faults.push(Fault::at(file, 0, What::Sequence));
        }
        scan
    }

    /// Whether the numbers of a segment go on from the one before, which ended at `due`.
    pub(super) fn follow<F>(due: Option<Lsn>, link: &Link<F>) -> Option<Fault> {
        due.filter(|due| *due != link.header.first)
            .map(|_| Fault::at(link.header.file(), 0, What::Sequence))
    }

    fn read<'a>(&mut self, frames: &mut Frames<'a>, newest: bool, visit: Visit<'_, 'a>) {
        while let Some(found) = frames.next() {
            match found {
                Ok(found) => self.batch(&found, visit),
                Err(fault) => match self.later(frames, newest) {
                    Some(header) => {
                        self.faults.push(fault);
                        self.next = header.first;
                    }
                    None if newest => {
                        self.torn = Some(fault.offset);
                        return;
                    }
                    None => {
                        self.faults.push(fault);
                        return;
                    }
                },
            }
        }
    }

    /// A merged segment stands for all numbers up to `last`, and knows how many of them it has.
    fn complete(&mut self, records: u64, last: Lsn) {
        if self.faults.is_empty() && (self.records != records || self.next > last.plus(1)) {
            self.faults.push(Fault::at(self.file, 0, What::Count));
        }
        self.next = last.plus(1);
    }

    /// The next sound header. In the newest segment only one counts that calls the record due
    /// now durable: anything else behind the damage was on its way with it.
    fn later(&self, frames: &mut Frames<'_>, newest: bool) -> Option<FrameHeader> {
        loop {
            let header = frames.resume()?;
            if !newest || header.durable >= self.next {
                return Some(header);
            }
        }
    }

    fn batch<'a>(&mut self, found: &Found<'a>, visit: Visit<'_, 'a>) {
        if let Some(last) = &mut self.last {
            last.proven = true;
        }
        self.batches += 1;
        let header = found.header;
        let merged = header.kind == FrameKind::Merged;
        let in_order = header.first == self.next || merged && header.first > self.next;
        if !in_order || merged != self.file.from.is_some() {
            self.faults
                .push(Fault::at(self.file, found.offset, What::Sequence));
        }
        self.next = header.first.plus(header.count);
        match header.kind {
            FrameKind::Close if header.count == 0 && header.length == 0 => return,
            FrameKind::Close => {
                self.faults
                    .push(Fault::at(self.file, found.offset, What::Count));
                return;
            }
            FrameKind::Merged => {}
            FrameKind::Commit => {
                self.last = Some(LastCommit {
                    offset: found.offset,
                    end: found.end,
                    header,
                    proven: false,
                });
            }
        }
        let mut next = self.next;
        let walked = found.each(&mut |placed| {
            next = placed.lsn.plus(1);
            visit(placed);
        });
        match walked {
            Ok(()) => self.records += u64::from(header.count),
            Err(fault) => self.faults.push(fault),
        }
        if merged {
            self.next = next;
        }
    }
}
