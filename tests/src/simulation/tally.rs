//! What has happened, to see that enough has.

use lessor::dataplane::counters::{Counters, Group};
use std::collections::BTreeMap;

/// What a simulation has gone through.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Steps.
    pub steps: u64,
    /// Messages of clients.
    pub queries: u64,
    /// OFFERs that left.
    pub offers: u64,
    /// ACKs that left.
    pub acks: u64,
    /// NAKs that left.
    pub naks: u64,
    /// Clients that came to have an address.
    pub bound: u64,
    /// Records on disk.
    pub records: u64,
    /// Starts of the server.
    pub starts: u64,
    /// Starts at which the clock was held.
    pub held_clocks: u64,
    /// Steps of the wall clock.
    pub clock_steps: u64,
    /// Reloads that were taken.
    pub reloads: u64,
    /// Reloads that made one network of two.
    pub joined: u64,
    /// Reloads that made two networks of one.
    pub divided: u64,
    /// Answers to INFORMs.
    pub informs: u64,
    /// NAKs to clients that took themselves for holders of a lease.
    pub judged_naks: u64,
    /// Probes that a station answered in time.
    pub stations: u64,
    /// Reservations made while the server ran, and taken away.
    pub reservations: (u64, u64),
    /// DISCOVERs of clients that never were.
    pub spoofed: u64,
    /// Beliefs that the server's clock has cut short.
    pub cut: u64,
    /// Why messages were not answered, by the names of the counters.
    pub silences: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn count<'c>(&mut self, counters: impl Iterator<Item = &'c Counters>) {
        for counters in counters {
            for row in counters.snapshot().rows() {
                let told = matches!(row.group, Group::Silences | Group::Drops | Group::Events);
                if told && row.count > 0 {
                    *self.silences.entry(row.name).or_default() += row.count;
                }
            }
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.steps += other.steps;
        self.queries += other.queries;
        self.offers += other.offers;
        self.acks += other.acks;
        self.naks += other.naks;
        self.bound += other.bound;
        self.records += other.records;
        self.starts += other.starts;
        self.held_clocks += other.held_clocks;
        self.clock_steps += other.clock_steps;
        self.reloads += other.reloads;
        self.joined += other.joined;
        self.divided += other.divided;
        self.informs += other.informs;
        self.judged_naks += other.judged_naks;
        self.stations += other.stations;
        self.spoofed += other.spoofed;
        self.reservations.0 += other.reservations.0;
        self.reservations.1 += other.reservations.1;
        self.cut += other.cut;
        for (name, count) in &other.silences {
            *self.silences.entry(name).or_default() += count;
        }
        self
    }
}
