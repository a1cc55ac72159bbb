//! Where control asks a worker about one address, has it end a lease, and tells it that the clock is
//! accepted: a ring there, a ring back, answered in housekeeping.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dhcp_proto::address::Space;
use dhcp_proto::config::Config;
use dhcp_proto::identity::Identity;
use dhcp_proto::record::{Journal, Sequence};
use dhcp_proto::shard::{BindingView, EndedByOperator, Shard};
use dhcp_proto::time::Instant as Now;
use rtrb::{Consumer, Producer, RingBuffer};

use super::trace::{Entry, Trace};

/// Questions that may wait at a worker.
const QUESTIONS: usize = 8;
/// How long control waits; a worker looks each few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "it passes through a ring that was made at the start"
)]
enum Question {
    Binding(Space, Ipv4Addr),
    End(Space, Ipv4Addr, Option<Identity>),
    Kept(Sequence, Space, Ipv4Addr),
    AcceptClock,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is durable.
    Durable,
    /// It was refused: the address is another appliance's.
    Refused,
    /// Neither, yet.
    Waits,
}

#[derive(Debug, Clone, Copy)]
#[allow(
    clippy::large_enum_variant,
    reason = "it passes through a ring that was made at the start"
)]
enum Answer {
    Binding(Option<BindingView>),
    Ended(EndedByOperator, Option<BindingView>),
    Kept(Kept),
    Accepted(u64),
}

/// The worker's side.
#[derive(Debug)]
pub struct Desk {
    questions: Consumer<(u64, Question)>,
    answers: Producer<(u64, Answer)>,
}

/// Control's side.
#[derive(Debug)]
pub struct Inquiry {
    questions: Producer<(u64, Question)>,
    answers: Consumer<(u64, Answer)>,
    number: u64,
}

/// The worker did not answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// The two sides.
#[must_use]
pub fn desk() -> (Desk, Inquiry) {
    let (ask, questions) = RingBuffer::new(QUESTIONS);
    let (answers, hear) = RingBuffer::new(QUESTIONS);
    (
        Desk { questions, answers },
        Inquiry {
            questions: ask,
            answers: hear,
            number: 0,
        },
    )
}

impl Desk {
    /// Answers one question, if one waits.
    pub fn answer(
        &mut self,
        config: &Config,
        shard: &mut Shard,
        (journal, trace): (&mut impl Journal, &mut Trace),
        now: Now,
    ) {
        if self.answers.is_full() {
            return;
        }
        if let Ok((number, question)) = self.questions.pop() {
            let answer = match question {
                Question::Binding(space, addr) => Answer::Binding(shard.view(config, space, addr)),
                Question::End(space, addr, client) => {
                    let view = shard.view(config, space, addr);
                    let client = client.as_ref().map(Identity::as_slice);
                    let at = (now.secs(), journal);
                    let ended = shard.end_by_operator(config, (space, addr), client, at);
                    if let (EndedByOperator::Ended { network, .. }, Some(view)) = (ended, &view) {
                        trace.note(Entry::of_end(view, network, now, shard.key()));
                    }
                    Answer::Ended(ended, view)
                }
                Question::Kept(sequence, space, addr) => {
                    Answer::Kept(kept(journal, sequence, (space, addr)))
                }
                Question::AcceptClock => Answer::Accepted(shard.accept_clock()),
            };
            // There is room: this side alone fills the ring.
            let _sent = self.answers.push((number, answer)).is_ok();
        }
    }
}

impl Inquiry {
    /// What the worker knows of an address.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] after two seconds: the worker hangs, or has ended.
    pub fn ask(&mut self, space: Space, addr: Ipv4Addr) -> Result<Option<BindingView>, NoAnswer> {
        match self.exchange(&Question::Binding(space, addr))? {
            Answer::Binding(view) => Ok(view),
            Answer::Ended(..) | Answer::Kept(_) | Answer::Accepted(_) => Err(NoAnswer),
        }
    }

    /// Has the worker end the lease of an address, if it is of `client` or none is named; what it
    /// was before.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] after two seconds: the worker hangs, or has ended.
    pub fn end(
        &mut self,
        space: Space,
        addr: Ipv4Addr,
        client: Option<&Identity>,
    ) -> Result<(EndedByOperator, Option<BindingView>), NoAnswer> {
        match self.exchange(&Question::End(space, addr, client.copied()))? {
            Answer::Ended(ended, view) => Ok((ended, view)),
            Answer::Binding(_) | Answer::Kept(_) | Answer::Accepted(_) => Err(NoAnswer),
        }
    }

    /// What became of the worker's record at a place, which is about this address.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] after two seconds: the worker hangs, or has ended.
    pub fn kept(
        &mut self,
        sequence: Sequence,
        space: Space,
        addr: Ipv4Addr,
    ) -> Result<Kept, NoAnswer> {
        match self.exchange(&Question::Kept(sequence, space, addr))? {
            Answer::Kept(kept) => Ok(kept),
            Answer::Binding(_) | Answer::Ended(..) | Answer::Accepted(_) => Err(NoAnswer),
        }
    }

    /// Tells the worker that the clock is accepted; how many leases expire because of it.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] after two seconds: the worker hangs, or has ended.
    pub fn accept_clock(&mut self) -> Result<u64, NoAnswer> {
        match self.exchange(&Question::AcceptClock)? {
            Answer::Accepted(bindings) => Ok(bindings),
            Answer::Binding(_) | Answer::Ended(..) | Answer::Kept(_) => Err(NoAnswer),
        }
    }

    fn exchange(&mut self, question: &Question) -> Result<Answer, NoAnswer> {
        self.number += 1;
        let until = Instant::now() + PATIENCE;
        while self.questions.push((self.number, *question)).is_err() {
            pause(until)?;
        }
        loop {
            match self.answers.pop() {
                // An answer to a question that was given up is passed over.
                Ok((number, answer)) if number == self.number => return Ok(answer),
                Ok(_) => {}
                Err(_) => pause(until)?,
            }
        }
    }
}

fn kept(journal: &impl Journal, sequence: Sequence, (space, addr): (Space, Ipv4Addr)) -> Kept {
    if journal.durable() < sequence {
        Kept::Waits
    } else if journal.refused(space.0, addr, sequence) {
        Kept::Refused
    } else {
        Kept::Durable
    }
}

/// Waits a little.
///
/// # Errors
///
/// It is later than `until`.
pub(super) fn pause(until: Instant) -> Result<(), NoAnswer> {
    if Instant::now() > until {
        return Err(NoAnswer);
    }
    std::thread::sleep(Duration::from_micros(200));
    Ok(())
}
