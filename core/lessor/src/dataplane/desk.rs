//! Where control asks a worker about one address: a ring there, a ring back, answered in
//! housekeeping.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use dhcp_proto::address::Space;
use dhcp_proto::config::Config;
use dhcp_proto::shard::{BindingView, Shard};
use rtrb::{Consumer, Producer, RingBuffer};

/// Questions that may wait at a worker.
const QUESTIONS: usize = 8;
/// How long control waits; a worker looks each few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
struct Question {
    number: u64,
    space: Space,
    addr: Ipv4Addr,
}

type Answer = (u64, Option<BindingView>);

/// The worker's side.
#[derive(Debug)]
pub struct Desk {
    questions: Consumer<Question>,
    answers: Producer<Answer>,
}

/// Control's side.
#[derive(Debug)]
pub struct Inquiry {
    questions: Producer<Question>,
    answers: Consumer<Answer>,
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
    pub fn answer(&mut self, config: &Config, shard: &Shard) {
        if self.answers.is_full() {
            return;
        }
        if let Ok(question) = self.questions.pop() {
            let view = shard.view(config, question.space, question.addr);
            // There is room: this side alone fills the ring.
            let _sent = self.answers.push((question.number, view)).is_ok();
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
        self.number += 1;
        let question = Question {
            number: self.number,
            space,
            addr,
        };
        let until = Instant::now() + PATIENCE;
        while self.questions.push(question).is_err() {
            pause(until)?;
        }
        loop {
            match self.answers.pop() {
                // An answer to a question that was given up is passed over.
                Ok((number, view)) if number == self.number => return Ok(view),
                Ok(_) => {}
                Err(_) => pause(until)?,
            }
        }
    }
}

fn pause(until: Instant) -> Result<(), NoAnswer> {
    if Instant::now() > until {
        return Err(NoAnswer);
    }
    std::thread::sleep(Duration::from_micros(200));
    Ok(())
}
