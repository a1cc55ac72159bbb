//! What a client may expect of the server: answers, and no NAK to what it rightly has.

use super::client::{Millis, State};
use super::message::{Kind, Query};
use super::server::Server;
use super::world::World;

/// DISCOVERs that may go unanswered while there are addresses for all who want one.
const DISCOVERS: u32 = 10;
/// How long new clients may feel that the server had more to do than it could, milliseconds.
const STRAINED: Millis = 20_000;
/// REQUESTs of a client with a lease that may go unanswered.
const REQUESTS: u32 = 8;

/// A client's account.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Judge {
    /// DISCOVERs that the server had and did not answer.
    discovers: u32,
    /// REQUESTs for its lease likewise.
    requests: u32,
    /// When the server had a message of the client that is about another lease than its last one:
    /// it was late, and the server cannot tell.
    misled: Millis,
}

impl Judge {
    /// The client has an answer, or the server is excused.
    pub(super) fn settle(&mut self) {
        (self.discovers, self.requests) = (0, 0);
    }
}

impl World {
    /// The server has a DISCOVER; no client is left without answers while there are addresses for
    /// all who want one.
    pub(super) fn expect_offer(&mut self, client: usize) {
        let nature = &self.clients[client].nature;
        let (home, who) = (nature.home, (nature.number, nature.device));
        self.pass_on_reserved(who);
        let excused = self.ledger.is_troubled()
            || self.flood.is_felt(self.clocks.now)
            || self.strained + STRAINED > self.clocks.now
            || (self.judges[client].discovers > 0 && !self.is_plenty(home));
        let judge = &mut self.judges[client];
        judge.discovers = if excused { 0 } else { judge.discovers + 1 };
        assert!(
            judge.discovers < DISCOVERS,
            "client {client} starves while addresses are free"
        );
    }

    /// The server has a message about a lease; a client that has one is answered, flood or not.
    pub(super) fn expect_answer(&mut self, at: usize, (xid, query): (u32, &Query)) {
        let client = &self.clients[at];
        let now = self.clocks.now;
        let addr = query.ciaddr.or(query.requested);
        let Some(lease) = client.lease else { return };
        if addr != Some(lease.addr) || query.kind != Kind::Request {
            self.judges[at].misled = now;
            return;
        }
        let number = client.nature.number;
        if self
            .ever_kept_for(lease.addr)
            .is_some_and(|device| device != client.nature.device)
        {
            // It is refused once, whether it hears that or not, and then the address is the other's.
            self.beliefs.uncover(number, lease.addr, now);
        }
        let excused = self.ledger.is_troubled()
            || self.is_reserved(lease.addr)
            || !self.beliefs.is_covered(number, lease.addr, now)
            || self.server.as_ref().is_some_and(Server::is_cramped);
        let judge = &mut self.judges[at];
        if xid != client.xid || excused {
            judge.requests = 0;
            return;
        }
        judge.requests += 1;
        assert!(
            judge.requests < REQUESTS,
            "client {at} has asked for its lease of {} for {REQUESTS} times",
            lease.addr
        );
    }

    /// A NAK leaves: the client has no lease of what it asks for, or not here.
    pub(super) fn check_nak(&mut self, at: usize, xid: u32) {
        let client = &self.clients[at];
        let now = self.clocks.now;
        let asks = matches!(
            client.state,
            State::Rebooting | State::Renewing | State::Rebinding
        );
        let Some(lease) = client.lease.filter(|_| asks && client.xid == xid) else {
            return;
        };
        self.tally.judged_naks += 1;
        let number = client.nature.number;
        let subnet = self.scenario.subnet_of(lease.addr).expect("a lease");
        let first = self.scenario.homes[client.nature.home].first_subnet();
        // Which of two leases is the newer one a start can tell by the clock alone.
        let (ahead, most) = (
            self.server.as_ref().map(|s| s.ahead(&self.clocks)),
            self.ahead,
        );
        let may_be = self.judges[at].misled > lease.asked
            || self.is_reserved(lease.addr)
            || ahead.is_none_or(|ahead| ahead < most)
            || !self.beliefs.is_covered(number, lease.addr, now)
            || !self.scenario.layouts.are_one((subnet, first), now);
        assert!(
            may_be,
            "a NAK to client {number}, which has a lease of {} until {}",
            lease.addr, lease.ends
        );
    }
}
