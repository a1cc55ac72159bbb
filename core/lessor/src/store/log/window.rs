//! A segment read batch by batch, in windows, so that neither a long segment nor its whole read
//! at once is ever in the way.

use super::frame::{Found, Frames};
use super::segment::{BLOCK_LEN, SegmentFile};
use super::{Fault, What};
use crate::store::medium::MediumFile;
use std::io;

/// Octets that are read at once.
const WINDOW: u64 = 1 << 20;

/// Why a segment cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// The system refuses.
    #[error("{file} at offset {offset}: {source}")]
    Io {
        file: SegmentFile,
        offset: u64,
        source: io::Error,
    },
    /// What is read is not what was written.
    #[error(transparent)]
    Damaged(#[from] Fault),
}

/// The batches of a segment, one after the other.
pub(super) struct SegmentReader<F> {
    file: F,
    name: SegmentFile,
    salt: u64,
    end: u64,
    /// Where the next batch begins.
    at: u64,
    window: Vec<u8>,
    /// Where the window begins.
    base: u64,
}

impl<F: MediumFile> SegmentReader<F> {
    /// Reads `end` octets of `file`.
    pub(super) fn new(file: F, (name, salt): (SegmentFile, u64), end: u64) -> Self {
        Self {
            file,
            name,
            salt,
            end,
            at: BLOCK_LEN,
            window: Vec::new(),
            base: BLOCK_LEN,
        }
    }

    /// Visits the next batch; false at the end.
    pub(super) fn next(
        &mut self,
        visit: impl FnOnce(&Found<'_>) -> Result<(), Fault>,
    ) -> Result<bool, Unreadable> {
        if self.at >= self.end {
            return Ok(false);
        }
        self.ensure(BLOCK_LEN)?;
        let length = self.frames().length();
        if let Some(length) = length {
            self.ensure(length as u64)?;
        }
        let mut frames = self.frames();
        let Some(found) = frames.next() else {
            return Err(Fault::at(self.name, self.at, What::Short).into());
        };
        let found = found?;
        visit(&found)?;
        self.at = found.end;
        Ok(true)
    }

    fn frames(&self) -> Frames<'_> {
        let from = usize::try_from(self.at - self.base).unwrap_or(usize::MAX);
        let rest = self.window.get(from..).unwrap_or_default();
        Frames::from(self.name, self.salt, (self.at, rest))
    }

    /// Has `length` octets from here on in the window, as far as the segment has them.
    fn ensure(&mut self, length: u64) -> Result<(), Unreadable> {
        let wanted = (self.at + length).min(self.end);
        if wanted <= self.base + self.window.len() as u64 {
            return Ok(());
        }
        let length = length.max(WINDOW).min(self.end - self.at);
        self.base = self.at;
        self.window.resize(usize::try_from(length).unwrap_or(0), 0);
        let read = self.file.read_exact_at(&mut self.window, self.at);
        read.map_err(|source| Unreadable::Io {
            file: self.name,
            offset: self.at,
            source,
        })
    }
}
