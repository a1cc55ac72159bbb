//! Stations that have an address of a pool without a lease, and what the server must make of their
//! answers: an address that is answered for in time is not offered.

use super::air::From;
use super::client::Millis;
use super::frame::{self, GATEWAY_MAC};
use super::scenario::{GATEWAY, PROBE_WAIT, Scenario, Subnet};
use super::world::World;
use dhcp_proto::address::AddressState;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// At once.
const MOST: usize = 10;
/// How long one stays, milliseconds.
const STAY: u64 = 400_000;

#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Until when each address is taken.
    here: BTreeMap<Ipv4Addr, Millis>,
    /// When the server has asked for an address.
    asked: BTreeMap<Ipv4Addr, Millis>,
    /// Addresses whose station has answered in time.
    told: BTreeSet<Ipv4Addr>,
    /// Answers that came in time.
    pub(super) answers: u64,
}

impl Strangers {
    pub(super) fn has(&self, addr: Ipv4Addr) -> bool {
        self.here.contains_key(&addr)
    }

    /// The server asks for an address: what it was told before is over.
    fn note_question(&mut self, addr: Ipv4Addr, now: Millis) {
        self.asked.insert(addr, now);
        self.told.remove(&addr);
    }

    /// The server has the answer now; it looks at it within `turn` milliseconds.
    fn note_answer(&mut self, addr: Ipv4Addr, (now, turn): (Millis, Millis)) {
        let asked = self.asked.get(&addr);
        if asked.is_some_and(|asked| now + turn < asked + PROBE_WAIT) {
            self.told.insert(addr);
            self.answers += 1;
        }
    }

    /// Whether it is known to the server that a station has the address.
    pub(super) fn is_told(&self, addr: Ipv4Addr) -> bool {
        self.told.contains(&addr)
    }

    /// The server is another one now, and was told nothing.
    pub(super) fn forget_questions(&mut self) {
        self.asked.clear();
        self.told.clear();
    }
}

impl World {
    /// One comes, others leave.
    pub(super) fn move_strangers(&mut self) {
        let now = self.clocks.now;
        self.strangers.here.retain(|_, until| *until > now);
        if self.strangers.here.len() >= MOST {
            return;
        }
        let Scenario { subnets, homes, .. } = &self.scenario;
        let subnets = subnets.iter();
        let seen = subnets.filter(|s| s.is_probed() && !homes[s.home].is_tagged());
        let all: Vec<_> = seen.flat_map(Subnet::addresses).collect();
        if all.is_empty() {
            return;
        }
        let addr = self.dice.pick(&all);
        let is_free = self.server.as_ref().is_some_and(|server| {
            matches!(
                server.word(addr).state(),
                AddressState::Free | AddressState::Remembered
            )
        });
        if is_free && !self.is_reserved(addr) && !self.beliefs.is_believed(addr, now) {
            let until = now + self.dice.roll(STAY);
            self.strangers.here.insert(addr, until);
        }
    }

    /// Whoever has `addr` on the link answers; so does the router.
    pub(super) fn answer_arp(&mut self, addr: Ipv4Addr) {
        if addr == GATEWAY {
            return self.answer(&frame::arp_answer(addr, GATEWAY_MAC), From::Other);
        }
        self.strangers.note_question(addr, self.clocks.now);
        if self.strangers.has(addr) {
            let [a, b, c, d] = addr.octets();
            let station = frame::arp_answer(addr, [0x02, 0x57, a, b, c, d]);
            self.answer(&station, From::Stranger(addr));
        }
    }

    /// Whoever has `addr` behind the router answers.
    pub(super) fn answer_echo(&mut self, addr: Ipv4Addr, answer: &[u8]) {
        self.strangers.note_question(addr, self.clocks.now);
        if self.strangers.has(addr) {
            self.answer(answer, From::Stranger(addr));
        }
    }

    fn answer(&mut self, frame: &[u8], from: From) {
        let now = self.clocks.now;
        self.air.send_up((frame, from), now, &mut self.dice);
    }

    /// The server has a stranger's answer.
    pub(super) fn heard_stranger(&mut self, addr: Ipv4Addr) {
        let Some(server) = &self.server else { return };
        // Workers hand answers to one another, too, and may find no place for one.
        let is_easy = !server.is_cramped() && !self.flood.is_felt(self.clocks.now);
        if is_easy && server.word(addr).state() == AddressState::Held {
            // Three steps of the longest.
            let turn = 6 * self.scenario.pace;
            self.strangers.note_answer(addr, (self.clocks.now, turn));
        }
    }

    /// What is set aside needs no watching.
    pub(super) fn look_after_strangers(&mut self) {
        let Some(server) = &self.server else { return };
        let aside = |addr: &Ipv4Addr| server.word(*addr).state() == AddressState::SetAside;
        self.strangers.told.retain(|addr| !aside(addr));
    }
}

/// What the station that is asked by `echo`, an untagged frame, answers.
pub(super) fn echo_answer(echo: &[u8]) -> Vec<u8> {
    let mut answer = echo.to_vec();
    answer[..12].rotate_left(6);
    answer[26..34].rotate_left(4);
    let message = &mut answer[34..];
    message[0] = 0;
    message[2..4].fill(0);
    let sum = frame::checksum(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 10);

    #[test]
    fn an_answer_in_time_is_known_until_it_is_asked_again() {
        let mut strangers = Strangers::default();
        strangers.note_question(ADDR, 1000);
        strangers.note_answer(ADDR, (1500, 100));
        assert!(strangers.is_told(ADDR));
        strangers.note_question(ADDR, 9000);
        assert!(!strangers.is_told(ADDR));
    }

    #[test]
    fn an_answer_that_is_late_or_to_nothing_is_none() {
        let mut strangers = Strangers::default();
        strangers.note_answer(ADDR, (1500, 100));
        strangers.note_question(ADDR, 1000);
        strangers.note_answer(ADDR, (1000 + PROBE_WAIT, 1));
        assert!(!strangers.is_told(ADDR));
    }
}
