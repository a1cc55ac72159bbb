//! Merges, step by step, and the space that they need and give.

use super::{Housekeeper, Step, Task};
use crate::event::Event;
use crate::store::encode::Lsn;
use crate::store::log::merge::{self, Element, Failed, Merge};
use crate::store::log::window::Unreadable;
use crate::store::medium::Medium;
use std::io;
use std::sync::Arc;

impl<M: Medium> Housekeeper<M> {
    /// Nothing closed can give space: the active segment has to be closed, for which the writer
    /// needs a little of the reserve.
    pub(super) fn make_way(&mut self) {
        if let Err(error) = self.reserve.lend(self.medium.as_ref(), 1) {
            self.fail(&error, "the reserve cannot be used");
            return;
        }
        self.shared.ask_rotation();
    }

    pub(super) fn begin_merge(&mut self, range: core::ops::Range<usize>) -> Step {
        let elements = self
            .elements
            .get(range.clone())
            .unwrap_or_default()
            .to_vec();
        let Some(target) = merge::target(&elements) else {
            return Step::Idle;
        };
        let medium = Arc::clone(&self.medium);
        let snapshot = Lsn(self.view.snapshot_lsn);
        let begun = self
            .reserve
            .take(medium.as_ref(), target.file())
            .and_then(|file| {
                let file = (file, self.options.slice_octets);
                Merge::begin(medium.as_ref(), &elements, range, file, snapshot)
            });
        match begun {
            Ok(merge) => self.task = Task::Merge(Box::new(merge)),
            Err(error) => {
                let _left = medium.unlink(&target.file().unfinished_name());
                self.fail(&error, "segments cannot be merged");
            }
        }
        Step::Worked
    }

    pub(super) fn merge(&mut self, mut merge: Box<Merge<M>>) {
        match merge.go_on(&self.index) {
            Ok(false) => self.task = Task::Merge(merge),
            Ok(true) => {
                // Whoever fills the disk must not get at the rest of the reserve.
                let (reserve, medium) = (&mut self.reserve, self.medium.as_ref());
                match merge.publish(medium, || reserve.make(medium)) {
                    Ok(element) => self.replace(&merge, element),
                    Err(error) => self.give_up(&merge, &Failed::Write(error)),
                }
            }
            Err(failed) => self.give_up(&merge, &failed),
        }
    }

    pub(super) fn give_up(&mut self, merge: &Merge<M>, failed: &Failed) {
        let _left = self.medium.unlink(&merge.target().unfinished_name());
        if let Failed::Source(source) = failed {
            let file = match source {
                Unreadable::Io { file, .. } => *file,
                Unreadable::Damaged(fault) => fault.file,
            };
            for element in self.elements.iter_mut().filter(|e| e.file() == file) {
                element.sick = true;
            }
        }
        self.fail(failed, "segments cannot be merged");
        self.reserve.make(self.medium.as_ref());
    }

    /// The merged segment has its name: it takes the place of the others.
    pub(super) fn replace(&mut self, merge: &Merge<M>, element: Element) {
        let range = merge.range.clone();
        let mut freed = 0;
        for old in self.elements.get(range.clone()).unwrap_or_default() {
            freed += old.end;
            if old.file() != element.file() {
                self.replaced.push(old.file());
            }
        }
        // One that may drop such records has all there are up to its last.
        self.index.forget_gone(merge.droppable.min(element.last));
        self.elements.splice(range, [element]);
        self.view.merges += 1;
        self.view.merged_octets += merge.written();
        self.view.freed_octets += freed.saturating_sub(element.end);
        self.view.trouble = None;
        tracing::debug!(
            event = %Event::StoreMerged,
            file = %element.file(),
            octets = element.end,
            freed = freed.saturating_sub(element.end),
            "segments are merged"
        );
        self.remove_replaced();
        self.reserve.make(self.medium.as_ref());
    }

    /// Removes what was replaced, once the names of what replaces it are durable.
    pub(super) fn remove_replaced(&mut self) {
        if self.replaced.is_empty() {
            return;
        }
        if let Err(error) = self.medium.sync_dir() {
            self.fail(&error, "the directory cannot be synced");
            return;
        }
        for file in core::mem::take(&mut self.replaced) {
            let removed = self.medium.unlink(&file.to_string());
            if let Err(error) = removed
                && error.kind() != io::ErrorKind::NotFound
            {
                self.fail(&error, "a segment that is replaced cannot be removed");
            }
        }
        self.reserve.make(self.medium.as_ref());
    }
}
