//! What befalls the server: disks that fail, clocks that jump, and ends of several kinds.

use super::dice::Dice;
use super::judge::Judge;
use super::server::Server;
use super::world::{Left, World};
use lessor::store::medium::memory::{Faults, SECTOR};

impl World {
    /// The weather, the disk, the wall clock, and the server's own end.
    pub(super) fn misfortune(&mut self) {
        let now = self.clocks.now;
        if self.dice.one_in(2500) {
            let size = self.dice.pick(&[2_000, 60_000, 900_000, 86_400_000 * 30]);
            let size = i64::try_from(self.dice.between(1, size)).expect("not so far");
            let ahead = if self.dice.one_in(2) { size } else { -size };
            // Now and then it is set right.
            self.clocks.ahead = if self.dice.one_in(3) { 0 } else { ahead };
            self.beliefs.step_wall(now, self.clocks.ahead);
            self.ahead = self.ahead.max(self.clocks.ahead);
            self.tally.clock_steps += 1;
            self.trace.line(
                self.clocks.now,
                format_args!("the wall clock is {} ms ahead", self.clocks.ahead),
            );
        }
        if self.dice.one_in(400) {
            let mut one_in = |n| usize::from(self.dice.one_in(n));
            let faults = Faults {
                writes: one_in(2),
                syncs: one_in(2),
                dir_syncs: one_in(3),
                creates: one_in(3),
                ..Faults::default()
            };
            self.disk.fail(faults);
            self.trace
                .line(self.clocks.now, format_args!("the disk: {faults:?}"));
        }
        if self.dice.one_in(60) {
            self.move_strangers();
        }
        if self.dice.one_in(2500) {
            self.flood();
        }
        if self.server.is_some() && self.dice.one_in(500) {
            self.reload();
        }
        if self.server.is_some() && self.dice.one_in(250) {
            self.change_reservations();
        }
        if self.server.is_some() && self.dice.one_in(600) {
            self.end();
        }
    }

    /// Another file for the running server: a network has another name, is joined with another one,
    /// or divided.
    fn reload(&mut self) {
        let layout = self.scenario.regrouped(&mut self.dice);
        let text = self.scenario.toml(&layout);
        let Some(server) = &self.server else { return };
        let taken = server.reload(&text);
        self.trace.line(
            self.clocks.now,
            format_args!("another file, taken: {taken}\n{text}"),
        );
        if taken {
            self.tally.reloads += 1;
            let before = self.scenario.layouts.now.groups.len();
            self.tally.joined += u64::from(layout.groups.len() < before);
            self.tally.divided += u64::from(layout.groups.len() > before);
            self.scenario.layouts.take(layout, self.clocks.now);
        }
    }

    /// The server ends in one way or another.
    pub(super) fn end(&mut self) {
        // Who has the disk next rolls as often as it likes.
        let mut dice = self.dice.fork();
        let way = self.dice.roll(4);
        if way == 0 {
            self.wind_up(&mut dice);
        }
        let Some(server) = self.server.take() else {
            return;
        };
        self.tally.count(server.counters());
        let name = match way {
            0 => {
                server.finish();
                "stops in order"
            }
            1 => "is killed",
            _ => "loses its power",
        };
        self.trace
            .line(self.clocks.now, format_args!("the server {name}"));
        self.disk = match way {
            0 | 1 => self.disk.after_kill(),
            _ => self.disk.after_torn_power_cut(|| match dice.roll(3) {
                0 => 0,
                1 => SECTOR,
                _ => dice.index(SECTOR),
            }),
        };
        self.back = self.clocks.now + self.dice.between(100, 30_000);
        self.judges.iter_mut().for_each(Judge::settle);
        self.offers.clear();
        self.strangers.forget_questions();
    }

    /// Workers and committer come to their end in order, if the disk lets them.
    fn wind_up(&mut self, dice: &mut Dice) {
        for _ in 0..20 {
            if let Some(server) = &mut self.server {
                server.all(&self.clocks, dice);
            }
            self.collect();
        }
        let server = self.server.as_ref().filter(|server| server.is_written());
        self.left = server.map(|server| Left {
            states: self.states(),
            ahead: server.ahead(&self.clocks),
        });
    }

    pub(super) fn start(&mut self) {
        let dice = &mut self.dice.fork();
        let disk = (&self.disk, &self.ledger);
        // Any worker may have them all, and memories of others.
        let capacity = 2 * self.clients.len() + 64;
        let config = (&*self.scenario.toml(&self.scenario.layouts.now), capacity);
        let Some(server) = Server::start(disk, config, &self.clocks, dice) else {
            // As the next process finds it.
            let faults = self.disk.faults();
            self.disk = self.disk.after_kill();
            self.disk.fail(faults);
            self.back = self.clocks.now + 1000;
            return;
        };
        let (ahead, held) = (server.ahead(&self.clocks), server.start.hold.is_some());
        self.beliefs.restart(ahead, held);
        self.tally.starts += 1;
        self.began = self.clocks.now;
        self.tally.held_clocks += u64::from(held);
        let workers = server.workers();
        self.server = Some(server);
        self.trace.line(
            self.clocks.now,
            format_args!(
                "the server starts with {workers} workers, its clock {ahead} ms ahead, held {held}"
            ),
        );
        // A clock that went back, now or before, lets leases last longer that were over.
        self.ahead = self.ahead.max(ahead);
        let is_right = ahead == self.ahead && !held;
        if let Some(left) = self
            .left
            .take()
            .filter(|left| is_right && left.ahead <= ahead)
        {
            self.check_restored(&left.states);
        }
        self.check_words();
        self.check_started();
        self.check_office();
    }
}
