//! What a worker counts, and what control reads of it.
//!
//! A packet that is not answered leaves a count behind and nothing else: no log line, no text. A
//! counter has one writer, its worker, so that counting is a load and a store; control adds the
//! workers up and may see one of two counters of the same moment before the other.

mod reason;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;
use dhcp_proto::server::Silence;
use dhcp_wire::Malformed;

use super::latency::Latency;

pub use reason::{DropReason, Event};

/// Names of the messages by option 53; 0 stands for what has no type that is known.
const MESSAGES: [&str; 19] = [
    "other",
    "discover",
    "offer",
    "request",
    "decline",
    "ack",
    "nak",
    "release",
    "inform",
    "force_renew",
    "lease_query",
    "lease_unassigned",
    "lease_unknown",
    "lease_active",
    "bulk_lease_query",
    "lease_query_done",
    "active_lease_query",
    "lease_query_status",
    "tls",
];

/// One number.
#[derive(Debug, Default)]
struct Counter(AtomicU64); // worker: write, control: read

impl Counter {
    /// No read-modify-write: there is one writer.
    #[inline]
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[derive(Debug)]
struct Cells {
    events: [Counter; Event::ALL.len()],
    drops: [Counter; DropReason::ALL.len()],
    malformed: [Counter; Malformed::ALL.len()],
    silences: [Counter; Silence::ALL.len()],
    messages_in: [Counter; MESSAGES.len()],
    messages_out: [Counter; MESSAGES.len()],
}

/// The counters of one worker, on cache lines of their own.
#[derive(Debug)]
pub struct Counters {
    cells: CachePadded<Cells>,
    latency: CachePadded<Latency>,
}

impl Counters {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        let cells = Cells {
            events: zeros(),
            drops: zeros(),
            malformed: zeros(),
            silences: zeros(),
            messages_in: zeros(),
            messages_out: zeros(),
        };
        Self {
            cells: CachePadded::new(cells),
            latency: CachePadded::default(),
        }
    }

    /// Counts an event.
    #[inline]
    pub fn event(&self, event: Event) {
        self.events(event, 1);
    }

    /// Counts `n` events.
    #[inline]
    pub fn events(&self, event: Event, n: usize) {
        self.cells.events[event as usize].add(n as u64);
    }

    /// Counts options that a reply had no room for.
    #[inline]
    pub fn options_dropped(&self, n: u64) {
        self.cells.events[Event::OptionsDropped as usize].add(n);
    }

    /// Counts relay agent information that a reply had no room to give back.
    #[inline]
    pub fn agent_info_dropped(&self, n: u64) {
        self.cells.events[Event::AgentInfoDropped as usize].add(n);
    }

    /// Counts a packet that ends here.
    #[inline]
    pub fn drop(&self, reason: DropReason) {
        self.drops(reason, 1);
    }

    /// Counts `n` packets that end here.
    #[inline]
    pub fn drops(&self, reason: DropReason, n: usize) {
        self.cells.drops[reason as usize].add(n as u64);
    }

    /// Counts a frame that is none.
    #[inline]
    pub fn malformed(&self, reason: Malformed) {
        self.cells.malformed[reason as usize].add(1);
    }

    /// Counts a message that the server leaves unanswered.
    #[inline]
    pub fn silence(&self, reason: Silence) {
        self.cells.silences[reason as usize].add(1);
    }

    /// Counts a message received, by its option 53; 0 if it has none.
    #[inline]
    pub fn message_in(&self, message_type: u8) {
        Self::by_type(&self.cells.messages_in, message_type);
    }

    /// Counts a message sent, by its option 53.
    #[inline]
    pub fn message_out(&self, message_type: u8) {
        Self::by_type(&self.cells.messages_out, message_type);
    }

    #[inline]
    fn by_type(counters: &[Counter; MESSAGES.len()], message_type: u8) {
        let counter = counters.get(usize::from(message_type));
        counter.unwrap_or(&counters[0]).add(1);
    }

    /// How long the worker's replies take.
    #[inline]
    #[must_use]
    pub fn latency(&self) -> &Latency {
        &self.latency
    }

    /// The count of an event.
    #[must_use]
    pub fn count(&self, event: Event) -> u64 {
        self.cells.events[event as usize].count()
    }

    /// The count of a reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.cells.drops[reason as usize].count()
    }

    /// Everything, as it stands now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let cells = &self.cells;
        let groups = [
            rows(Group::Events, &Event::ALL.map(Event::name), &cells.events),
            rows(Group::MessagesIn, &MESSAGES, &cells.messages_in),
            rows(Group::MessagesOut, &MESSAGES, &cells.messages_out),
            rows(
                Group::Drops,
                &names(DropReason::ALL, DropReason::name),
                &cells.drops,
            ),
            rows(
                Group::Malformed,
                &Malformed::ALL.map(Malformed::name),
                &cells.malformed,
            ),
            rows(
                Group::Silences,
                &names(Silence::ALL, Silence::name),
                &cells.silences,
            ),
        ];
        Snapshot {
            rows: groups.concat(),
        }
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self::new()
    }
}

fn zeros<const N: usize>() -> [Counter; N] {
    core::array::from_fn(|_| Counter::default())
}

fn rows(group: Group, names: &[&'static str], counters: &[Counter]) -> Vec<Row> {
    let counted = names.iter().zip(counters);
    counted
        .map(|(name, counter)| Row {
            group,
            name,
            count: counter.count(),
        })
        .collect()
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|reason| name(*reason)).collect()
}

/// What kind of thing a row of a [`Snapshot`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// [`Event`]
    Events,
    /// Messages received, by type.
    MessagesIn,
    /// Messages sent, by type.
    MessagesOut,
    /// [`DropReason`]
    Drops,
    /// [`Malformed`]
    Malformed,
    /// The server's reasons for silence.
    Silences,
}

impl Group {
    /// Name of the group.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::MessagesIn => "messages_in",
            Self::MessagesOut => "messages_out",
            Self::Drops => "drops",
            Self::Malformed => "malformed",
            Self::Silences => "silences",
        }
    }
}

/// One counter at the moment of a [`Snapshot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What kind of thing it counts.
    pub group: Group,
    /// Its name, one of a kind in its group.
    pub name: &'static str,
    /// How many.
    pub count: u64,
}

/// The counters of one moment, in an order that never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    rows: Vec<Row>,
}

impl Snapshot {
    /// The sum over `workers`; all zero rows of one worker's shape need at least one worker.
    #[must_use]
    pub fn total<'a>(workers: impl IntoIterator<Item = &'a Counters>) -> Option<Self> {
        workers
            .into_iter()
            .map(Counters::snapshot)
            .reduce(|mut sum, one| {
                for (row, other) in sum.rows.iter_mut().zip(&one.rows) {
                    row.count = row.count.wrapping_add(other.count);
                }
                sum
            })
    }

    /// Every counter, zeros included.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The count of `name` in `group`.
    #[must_use]
    pub fn count(&self, group: Group, name: &str) -> Option<u64> {
        let row = self
            .rows
            .iter()
            .find(|r| r.group == group && r.name == name);
        row.map(|r| r.count)
    }

    /// Packets that ended unanswered, for whatever reason.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        let ends = [Group::Drops, Group::Malformed, Group::Silences];
        let rows = self.rows.iter().filter(|r| ends.contains(&r.group));
        rows.fold(0, |sum, r| sum.wrapping_add(r.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_counter_has_a_name_of_its_own_in_snake_case() {
        let rows = Counters::new().snapshot();
        let names: HashSet<_> = rows.rows().iter().map(|r| (r.group, r.name)).collect();
        assert_eq!(names.len(), rows.rows().len());
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(rows.rows().iter().all(|r| r.name.chars().all(plain)));
    }

    #[test]
    fn workers_are_added_up_row_by_row() {
        let workers = [Counters::new(), Counters::new()];
        workers[0].drops(DropReason::TxFull, 2);
        workers[1].drop(DropReason::TxFull);
        workers[1].malformed(Malformed::Cookie);
        workers[0].silence(Silence::TableFull);
        workers[0].message_in(3);
        workers[1].message_in(200);
        let total = Snapshot::total(&workers).unwrap();
        assert_eq!(total.count(Group::Drops, "tx_full"), Some(3));
        assert_eq!(
            total.count(Group::Malformed, Malformed::Cookie.name()),
            Some(1)
        );
        assert_eq!(total.count(Group::Silences, "table_full"), Some(1));
        assert_eq!(total.count(Group::MessagesIn, "request"), Some(1));
        assert_eq!(total.count(Group::MessagesIn, "other"), Some(1));
        assert_eq!(total.unanswered(), 5);
    }
}
