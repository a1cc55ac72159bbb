//! The space of one segment, kept so that a full disk can be compacted.
//!
//! The file `reserve` has its blocks already. A merge writes its output into it, so that nobody
//! can take the space between its release and its use; afterwards another reserve is made of what
//! the merge has freed.

use super::segment::SegmentFile;
use crate::event::Event;
use crate::store::medium::{Medium, MediumFile};
use core::time::Duration;
use std::io;
use std::time::Instant;

pub(super) const RESERVE: &str = "reserve";
const UNFINISHED: &str = "reserve.new";
/// How long a reserve that cannot be had is not tried for.
const AGAIN: Duration = Duration::from_secs(10);
/// Whether there is a reserve.
#[derive(Debug)]
pub(super) struct Reserve {
    length: u64,
    held: u64,
    /// It was told that none can be made.
    told: bool,
    /// When as much as is wanted could not be had.
    refused: Option<Instant>,
}

impl Reserve {
    /// Looks for the reserve of `length` octets that an earlier process may have left.
    pub(super) fn find<M: Medium>(medium: &M, length: u64) -> Self {
        // A power cut may have kept the new name of a reserve that became a segment, and the old
        // one too.
        let ours = |file: M::File| Ok(if file.links()? == 1 { file.len()? } else { 0 });
        let found: io::Result<u64> = medium.open(RESERVE).and_then(ours);
        let held = found.ok().filter(|found| *found <= length).unwrap_or(0);
        Self {
            length: length / 4 * 4,
            held,
            told: false,
            refused: None,
        }
    }

    /// Octets held.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Makes the reserve now and then, as long as it is not whole.
    pub(super) fn look_after<M: Medium>(&mut self, medium: &M) {
        if self.refused.is_none_or(|at| at.elapsed() >= AGAIN) {
            self.make(medium);
        }
    }

    /// Makes the reserve, if there is none or less than there should be; on a disk that is nearly
    /// full, as much of it as can be had.
    pub(super) fn make<M: Medium>(&mut self, medium: &M) {
        let mut refused = None;
        for quarters in (1..=4).rev() {
            let length = self.length / 4 * quarters;
            if length <= self.held {
                break;
            }
            match self.try_make(medium, length) {
                Ok(()) => {
                    self.held = length;
                    break;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        self.refused = (self.held < self.length).then(Instant::now);
        let told = core::mem::replace(&mut self.told, self.held == 0);
        if let Some(error) = refused.filter(|_| self.held == 0 && !told) {
            tracing::warn!(
                event = %Event::StoreNoReserve,
                dir = %medium.dir().display(),
                octets = self.length,
                %error,
                "no space can be held in reserve; if the disk fills up, the store may be unable \
                 to make room by itself"
            );
        }
    }

    fn try_make<M: Medium>(&self, medium: &M, length: u64) -> io::Result<()> {
        if self.held > 0 {
            // What is there is not let go for what may not be had.
            return medium.reopen(RESERVE)?.allocate(length);
        }
        medium.remove(UNFINISHED)?;
        medium.remove(RESERVE)?;
        let made = medium
            .create(UNFINISHED)
            .and_then(|file| file.allocate(length))
            .and_then(|()| medium.rename(UNFINISHED, RESERVE));
        if made.is_err() {
            medium.remove(UNFINISHED)?;
        }
        made
    }

    /// The file into which `target` is written: the reserve itself, if there is one.
    pub(super) fn take<M: Medium>(
        &mut self,
        medium: &M,
        target: SegmentFile,
    ) -> io::Result<M::File> {
        let name = target.unfinished_name();
        medium.remove(&name)?;
        if self.held == 0 {
            return medium.create(&name);
        }
        medium.rename(RESERVE, &name)?;
        self.held = 0;
        // Before the file has the name under which it counts its old one must be gone for good: a
        // power cut could leave both, and the next merge would write over what counts.
        medium.sync_dir()?;
        medium.reopen(&name)
    }

    /// Gives a quarter of the reserve to the writer, so that it can begin a segment, if so many
    /// quarters stay.
    pub(super) fn lend<M: Medium>(&mut self, medium: &M, stay: u64) -> io::Result<()> {
        let quarter = self.length / 4;
        if self.held < (1 + stay) * quarter {
            return Ok(());
        }
        medium.truncate(RESERVE, self.held - quarter)?;
        self.held -= quarter;
        Ok(())
    }
}
