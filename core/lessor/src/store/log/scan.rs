//! Reading segments in order: what is sound, what is torn, what is damaged.

use super::chain::Link;
use super::frame::{Found, FrameHeader, FrameKind, Frames};
use super::segment::{SegmentHeader, SegmentId};
use super::{Fault, What};
use crate::store::encode::Lsn;
use dhcp_proto::record::Record;

/// Where the last commit of a segment lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastCommit {
    pub(super) offset: u64,
    pub(super) end: u64,
    pub(super) header: FrameHeader,
    /// Whether a later header says that it is durable.
    pub(super) proven: bool,
}

/// How far the reading has come.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The number due next; `None` before the first segment.
    next: Option<Lsn>,
    pub(super) first: Lsn,
    pub(super) batches: u64,
    pub(super) records: u64,
    /// Of the segment read last.
    pub(super) last: Option<LastCommit>,
    /// Of the segment read last: where a torn tail begins.
    pub(super) torn: Option<u64>,
    pub(super) faults: Vec<Fault>,
}

impl Scan {
    /// The number due next.
    pub(super) fn next(&self) -> Lsn {
        self.next.unwrap_or(Lsn(1))
    }

    /// Reads one segment from `octets`; `newest` if nobody names its end yet. Goes on behind a
    /// fault where it can.
    pub(super) fn segment<F>(
        &mut self,
        link: &Link<F>,
        octets: &[u8],
        newest: bool,
        visit: &mut dyn FnMut(Lsn, &Record<'_>),
    ) {
        let SegmentHeader {
            id, salt, first, ..
        } = link.header;
        self.last = None;
        self.torn = None;
        if self.next.is_some_and(|next| next != first) {
            self.faults.push(Fault::at(id, 0, What::Sequence));
        }
        if self.next.is_none() {
            self.first = first;
        }
        self.next = Some(first);
        let mut frames = Frames::new(id, salt, octets);
        while let Some(found) = frames.next() {
            match found {
                Ok(found) => self.batch(id, &found, visit),
                Err(fault) => match self.later(&mut frames, newest) {
                    Some(header) => {
                        self.faults.push(fault);
                        self.next = Some(header.first);
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

    /// The next sound header. In the newest segment only one counts that calls the record due
    /// now durable: anything else behind the damage was on its way with it.
    fn later(&self, frames: &mut Frames<'_>, newest: bool) -> Option<FrameHeader> {
        loop {
            let header = frames.resume()?;
            if !newest || header.durable >= self.next() {
                return Some(header);
            }
        }
    }

    fn batch(
        &mut self,
        segment: SegmentId,
        found: &Found<'_>,
        visit: &mut dyn FnMut(Lsn, &Record<'_>),
    ) {
        if let Some(last) = &mut self.last {
            last.proven = true;
        }
        self.batches += 1;
        let header = found.header;
        if header.first != self.next() {
            self.faults
                .push(Fault::at(segment, found.offset, What::Sequence));
        }
        self.next = Some(header.first.plus(header.count));
        if header.kind == FrameKind::Close {
            return;
        }
        self.last = Some(LastCommit {
            offset: found.offset,
            end: found.end,
            header,
            proven: false,
        });
        match found.each(segment, visit) {
            Ok(()) => self.records += u64::from(header.count),
            Err(fault) => self.faults.push(fault),
        }
    }
}
