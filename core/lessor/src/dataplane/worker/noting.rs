//! What is noted of each decision, for whoever asks why.

use dhcp_proto::record::Journal;
use dhcp_proto::server::{Found, Over, Query};
use dhcp_proto::time::Instant;

use super::{Decided, Parts};
use crate::dataplane::counters::DropReason;
use crate::dataplane::exchange::{Refusal, Source};
use crate::dataplane::port::Port;
use crate::dataplane::trace::{Entry, Ticket, Trace, What};

impl Trace {
    #[cold]
    pub(super) fn note_refusal(&mut self, refusal: &Refusal<'_>, now: Instant) {
        if self.is_on()
            && let Some(entry) = Entry::of_refusal(refusal, now)
        {
            self.note(entry);
        }
    }
}

impl<P: Port, J: Journal> Parts<P, J> {
    /// Notes what was decided about a message.
    #[inline]
    pub(super) fn note(&mut self, query: &Query<'_>, decided: &Decided, now: Instant) -> Ticket {
        if !self.trace.is_on() {
            return Ticket::default();
        }
        let config = &self.snapshot.config;
        let entry = match decided {
            Decided::Plan(plan) => Entry::of_plan(query, plan, now, config),
            Decided::Probe(probe) => Entry {
                addr: probe.addr,
                ..Entry::of(query, (What::Probe(probe.rule), now), config)
            },
            Decided::Silence(reason) => Entry::of(query, (What::Silence(*reason), now), config),
        };
        self.trace.note(entry)
    }

    /// Counts and notes a message that is not taken on.
    #[cold]
    pub(super) fn shed(&mut self, query: &Query<'_>, reason: DropReason, now: Instant) {
        self.count(reason);
        let config = &self.snapshot.config;
        let entry = Entry::of(query, (What::Dropped(reason), now), config);
        self.trace.note(entry);
    }

    /// Notes a message that was lost on its way between two workers.
    #[cold]
    pub(super) fn note_lost(
        &mut self,
        packet: &P::Packet,
        port: u8,
        reason: DropReason,
        now: Instant,
    ) {
        if !self.trace.is_on() {
            return;
        }
        // It was counted when it was read first.
        let handed = true;
        let mut read = None;
        self.read(packet, Source { port, handed }, &mut read);
        if let Some((query, _)) = read {
            let config = &self.snapshot.config;
            let entry = Entry::of(&query, (What::Dropped(reason), now), config);
            self.trace.note(entry);
        }
    }

    /// Notes that a probe found its address in use.
    #[cold]
    pub(super) fn note_probed(&mut self, query: &Query<'_>, over: &Over, now: Instant) {
        let busy = match over.found {
            Found::Station(_) => true,
            Found::Nobody | Found::Nothing => false,
        };
        if busy {
            let entry = Entry::of(query, (What::Busy, now), &self.snapshot.config);
            self.trace.note(Entry {
                addr: over.probe.addr,
                ..entry
            });
        }
    }
}
