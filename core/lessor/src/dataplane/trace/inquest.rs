//! Where control asks a worker for the decisions about a client: a ring there, a ring back.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dhcp_proto::identity::{HashKey, Identity};
use rtrb::{Consumer, Producer, RingBuffer};

use super::Entry;
use crate::dataplane::desk::{NoAnswer, pause};

/// Most entries that are told of one question.
pub const MOST: usize = 1000;
/// Questions that may wait. A newer one ends the one before, which nobody waits for any more.
const QUESTIONS: usize = 4;
/// Entries that may wait for control.
const TOLD: usize = 64;
/// How long control waits for all workers: one that receives full bursts from four queues walks the
/// longest ring in this.
pub const PATIENCE: Duration = Duration::from_secs(8);

/// Whose decisions.
#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "it passes through a ring that was made at the start"
)]
pub enum About {
    /// Those that gave an address, or that were about it.
    Address(Ipv4Addr),
    /// Those about a client.
    Client {
        /// A hardware address: sixteen octets, of which so many count.
        chaddr: Option<([u8; 16], u8)>,
        /// An identity, where the client's network knows it by that.
        identity: Option<Identity>,
    },
}

#[derive(Debug, Clone, Copy)]
struct Question {
    number: u64,
    about: About,
    most: usize,
}

/// The worker's side.
#[derive(Debug)]
pub(super) struct Answering {
    questions: Consumer<Question>,
    answers: Producer<(u64, Option<Entry>)>,
    walk: Option<Walk>,
}

/// Control's side.
#[derive(Debug)]
pub struct Inquest {
    questions: Producer<Question>,
    answers: Consumer<(u64, Option<Entry>)>,
    number: u64,
}

/// What control hears.
#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "it passes through a ring that was made at the start"
)]
pub(super) enum Heard {
    /// A decision.
    Entry(Entry),
    /// There is no more.
    End,
}

/// A question under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    number: u64,
    about: Sought,
    /// How many more are told.
    most: usize,
    /// The number behind the next entry: they are walked from the newest on.
    next: u64,
}

/// [`About`] with the hash of the identity.
#[derive(Debug, Clone, Copy)]
enum Sought {
    Address(Ipv4Addr),
    Client {
        chaddr: Option<([u8; 16], u8)>,
        hash: Option<u64>,
    },
}

/// The two sides.
pub(super) fn ring() -> (Answering, Inquest) {
    let (ask, questions) = RingBuffer::new(QUESTIONS);
    let (answers, hear) = RingBuffer::new(TOLD);
    let answering = Answering {
        questions,
        answers,
        walk: None,
    };
    let inquest = Inquest {
        questions: ask,
        answers: hear,
        number: 0,
    };
    (answering, inquest)
}

impl Answering {
    /// The question to go on with; a new one begins behind entry `noted`.
    #[inline]
    pub(super) fn walk(&mut self, noted: u64, key: &HashKey) -> Option<Walk> {
        if let Ok(question) = self.questions.pop() {
            self.walk = Some(Walk::new(&question, noted, key));
        }
        self.walk.take()
    }

    pub(super) fn has_room(&self) -> bool {
        !self.answers.is_full()
    }

    /// Tells of an entry. There is room for it.
    pub(super) fn tell(&mut self, walk: &mut Walk, entry: Entry) {
        walk.most = walk.most.saturating_sub(1);
        let _told = self.answers.push((walk.number, Some(entry))).is_ok();
    }

    /// Tells that there is no more. There is room for it.
    pub(super) fn end(&mut self, walk: &Walk) {
        let _told = self.answers.push((walk.number, None)).is_ok();
    }

    pub(super) fn go_on_later(&mut self, walk: Walk) {
        self.walk = Some(walk);
    }
}

impl Walk {
    fn new(question: &Question, noted: u64, key: &HashKey) -> Self {
        let about = match question.about {
            About::Address(addr) => Sought::Address(addr),
            About::Client { chaddr, identity } => Sought::Client {
                chaddr,
                hash: identity.map(|identity| key.hash(identity.as_slice())),
            },
        };
        Self {
            number: question.number,
            about,
            most: question.most,
            next: noted,
        }
    }

    /// The number of the next entry, unless enough was told.
    pub(super) fn step(&mut self) -> Option<u64> {
        if self.most == 0 {
            return None;
        }
        self.next = self.next.checked_sub(1)?;
        Some(self.next)
    }

    pub(super) fn is_about(&self, entry: &Entry) -> bool {
        match self.about {
            Sought::Address(addr) => entry.addr == addr,
            Sought::Client { chaddr, hash } => {
                let same = |(octets, len): ([u8; 16], u8)| {
                    octets.get(..len.into()) == Some(entry.chaddr())
                };
                chaddr.is_some_and(same) || hash.is_some_and(|hash| hash == entry.client)
            }
        }
    }
}

impl Inquest {
    /// The newest decisions, at most `most`, the newest first.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] after some seconds: the worker hangs, or has ended.
    pub fn ask(&mut self, about: &About, most: usize) -> Result<Vec<Entry>, NoAnswer> {
        let until = Instant::now() + PATIENCE;
        self.begin(about, most, until)?;
        self.finish(until)
    }

    /// Puts the question of [`Self::ask`].
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] when there is no room for it by `until`.
    pub fn begin(&mut self, about: &About, most: usize, until: Instant) -> Result<(), NoAnswer> {
        while !self.put(about, most) {
            pause(until)?;
        }
        Ok(())
    }

    /// The answer to [`Self::begin`].
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] when it has not come to its end by `until`.
    pub fn finish(&mut self, until: Instant) -> Result<Vec<Entry>, NoAnswer> {
        let mut entries = Vec::new();
        loop {
            match self.take() {
                Some(Heard::Entry(entry)) => entries.push(entry),
                Some(Heard::End) => return Ok(entries),
                None => pause(until)?,
            }
        }
    }

    /// Puts a question, in place of the one before; whether there was room for it.
    pub(super) fn put(&mut self, about: &About, most: usize) -> bool {
        self.number += 1;
        let question = Question {
            number: self.number,
            about: *about,
            most: most.min(MOST),
        };
        self.questions.push(question).is_ok()
    }

    /// What the worker said next about the last question.
    pub(super) fn take(&mut self) -> Option<Heard> {
        while let Ok((number, entry)) = self.answers.pop() {
            // Else it is of a question that was given up.
            if number == self.number {
                return Some(entry.map_or(Heard::End, Heard::Entry));
            }
        }
        None
    }
}
