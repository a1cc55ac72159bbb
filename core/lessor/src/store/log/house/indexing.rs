//! Taking note of what was written: the housekeeper reads each segment once, when it is closed.

use super::{Closed, Housekeeper};
use crate::store::encode::Lsn;
use crate::store::log::merge::Element;
use crate::store::log::segment::SegmentHeader;
use crate::store::log::window::{SegmentReader, Unreadable};
use crate::store::medium::Medium;

impl<M: Medium> Housekeeper<M> {
    pub(super) fn index_closed(&mut self, closed: Closed) {
        let Closed { header, end, last } = closed;
        self.elements.push(Element {
            header,
            end,
            last,
            live: 0,
            sick: false,
        });
        self.since_snapshot += end;
        if let Err(error) = self.read_closed(header, end) {
            self.blind = true;
            if let Some(element) = self.elements.last_mut() {
                element.sick = true;
            }
            self.fail(&error, "a segment that was just written cannot be read");
        }
    }

    pub(super) fn read_closed(
        &mut self,
        header: SegmentHeader,
        end: u64,
    ) -> Result<(), Unreadable> {
        let name = header.file();
        let file = self
            .medium
            .open(&name.to_string())
            .map_err(|source| Unreadable::Io {
                file: name,
                offset: 0,
                source,
            })?;
        let mut reader = SegmentReader::new(file, (name, header.salt), end);
        let (index, elements) = (&mut self.index, &mut self.elements);
        while reader.next(|found| {
            found.each(&mut |placed| {
                let dead = index.note(placed);
                if dead.is_some_and(|dead| dead.lsn == placed.lsn) {
                    return;
                }
                if let Some(dead) = dead
                    && let Some(element) = holder(elements, dead.lsn)
                {
                    // Less than that is there of a segment that could not be read.
                    element.live = element.live.saturating_sub(u64::from(dead.length));
                }
                if let Some(element) = elements.last_mut() {
                    element.live += placed.octets.len() as u64;
                }
            })
        })? {}
        Ok(())
    }
}

/// The element that has the record `lsn`.
pub(super) fn holder(elements: &mut [Element], lsn: Lsn) -> Option<&mut Element> {
    let behind = elements.partition_point(|element| element.header.first <= lsn);
    let element = elements.get_mut(behind.checked_sub(1)?)?;
    (lsn <= element.last).then_some(element)
}
