//! A group comes back: the order in which the store thread lets it.
//!
//! A worker that has not yet seen a group go may have written about it, from tables that know
//! nothing of what the other appliance decided. Such a record must not be taken for one of after
//! the return. So all that is in the rings is submitted first, as another's; when it is completed
//! the engine takes the group's records again, and only then the workers serve it.

use super::Lsn;
use super::ring::Drain;
use dhcp_proto::group::GroupSet;
use std::collections::VecDeque;
use std::sync::mpsc::Receiver;

/// Groups on their way back.
#[derive(Debug)]
pub(super) struct Readmission {
    asked: Receiver<GroupSet>,
    under_way: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    groups: GroupSet,
    /// Slots that each ring had been filled with.
    filled: Vec<u64>,
    /// What was submitted when all of those were.
    submitted: Option<Lsn>,
}

/// How far the store thread is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress<'r> {
    pub(super) rings: &'r [Drain],
    /// Number behind the last record submitted.
    pub(super) submitted: Lsn,
    /// Number behind the last record completed.
    pub(super) completed: Lsn,
}

impl Readmission {
    pub(super) fn new(asked: Receiver<GroupSet>) -> Self {
        Self {
            asked,
            under_way: VecDeque::new(),
        }
    }

    /// The groups that come back now, in the order in which they were asked for.
    pub(super) fn due(&mut self, progress: Progress<'_>) -> Option<GroupSet> {
        while let Ok(groups) = self.asked.try_recv() {
            self.under_way.push_back(Pending {
                groups,
                filled: progress.rings.iter().map(Drain::filled).collect(),
                submitted: None,
            });
        }
        let first = self.under_way.front_mut()?;
        let mut rings = progress.rings.iter().zip(&first.filled);
        if first.submitted.is_none() && rings.all(|(ring, filled)| ring.passed() >= *filled) {
            first.submitted = Some(progress.submitted);
        }
        let upto = first.submitted?;
        if progress.completed < upto {
            return None;
        }
        self.under_way.pop_front().map(|pending| pending.groups)
    }
}
