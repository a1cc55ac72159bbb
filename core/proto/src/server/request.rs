//! DHCPREQUEST, RFC 2131 §4.3.2, of a client that selects an offer or reboots.

use super::plan::Outcome;
use super::server_id::Named;
use super::silence::Silence;
use super::turn::Turn;
use crate::address::{AddressState, Claim};
use crate::binding::{BindingState, SlotIndex};
use crate::config::ReservationMoves;
use crate::record::Journal;
use crate::rule::Rule;
use crate::shard::{ClientInfo, Mercy, Unavailable, Want};
use core::net::Ipv4Addr;

/// What a client asks, by the fields of RFC 2131 §4.3.6, table 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// SELECTING, this server.
    Selecting(Ipv4Addr),
    /// SELECTING, another server; the reason if there is no offer to withdraw.
    Refused(Silence),
    /// INIT-REBOOT.
    Rebooting(Ipv4Addr),
    /// RENEWING or REBINDING.
    Extending(Ipv4Addr),
}

/// What a client has in the address of its binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// It may go on with it.
    Good,
    /// A reload has taken it out of the pools: the lease is kept to its end.
    Outside,
    /// It is kept for another, excluded, or of no subnet.
    Lost,
}

impl<J: Journal> Turn<'_, J> {
    pub(super) fn on_request(&mut self) -> Outcome {
        let request = match self.classify() {
            Ok(request) => request,
            Err(reason) => return reason.into(),
        };
        if !self.journal.has_room() {
            return Silence::JournalFull.into();
        }
        if let Some(refusal) = self.refuses_move() {
            return refusal;
        }
        match request {
            // A NAK would be as wrong as an ACK: another appliance knows the client.
            Request::Selecting(addr) | Request::Rebooting(addr) | Request::Extending(addr)
                if !self.serves(addr) =>
            {
                Silence::Fenced.into()
            }
            Request::Selecting(addr) => self.on_selecting(addr),
            Request::Refused(reason) => self.on_refused(reason),
            Request::Rebooting(addr) => self.on_rebooting(addr),
            Request::Extending(addr) => self.on_extending(addr),
        }
    }

    fn classify(&self) -> Result<Request, Silence> {
        use Named::{Other, Override, Us};
        let named = self.query.server_id().map(|id| self.named(id));
        let requested = self.query.requested_addr();
        match (self.query.ciaddr(), named, requested) {
            // C72: table 5 forbids it, and it is not for us.
            (Some(_), Some(Other), _) => Err(Silence::OtherServer),
            // C172: another server may go by that name, too, and know of it.
            (Some(addr), Some(Override), _) if !self.has_given(addr) => {
                Err(Silence::OverrideUnknown)
            }
            (None, Some(Override), Some(addr)) if !self.has_given(addr) => {
                Ok(Request::Refused(Silence::OverrideUnknown))
            }
            // C147: ciaddr decides.
            (Some(ciaddr), None | Some(Us | Override), _) => Ok(Request::Extending(ciaddr)),
            (None, Some(Other), _) => Ok(Request::Refused(Silence::OtherServer)),
            (None, Some(Us | Override), Some(addr)) => Ok(Request::Selecting(addr)),
            (None, None, Some(addr)) => Ok(Request::Rebooting(addr)),
            // C57
            (None, None | Some(Us | Override), None) => Err(Silence::NoRequestedAddress),
        }
    }

    /// RFC 2131 §3.1 step 4: "Those servers not selected … use the message as notification that
    /// the client has declined that server's offer" (C43).
    fn on_refused(&mut self, reason: Silence) -> Outcome {
        let offer = [self.binding(), self.beside()].into_iter().flatten();
        for slot in offer {
            if self.shard.state(slot) == Some(BindingState::Offered) {
                self.shard.withdraw(self.config, self.network, slot);
                return Silence::OfferWithdrawn.into();
            }
        }
        reason.into()
    }

    /// RFC 2131 §4.3.2, "DHCPREQUEST generated during SELECTING state".
    fn on_selecting(&mut self, addr: Ipv4Addr) -> Outcome {
        if let Some(outcome) = self.take_offer(addr) {
            return outcome;
        }
        let binding = self.binding();
        if binding.is_some_and(|slot| self.shard.addr(slot) == Some(addr)) {
            return self.on_own(binding, addr);
        }
        // C148: the offer's hold is over, or the server was restarted.
        match self.client() {
            Some(client) => self.bind(client, addr, Rule::NoOffer),
            None => self.nak(Rule::Nameless),
        }
    }

    /// RFC 2131 §4.3.2, "DHCPREQUEST generated during INIT-REBOOT state".
    fn on_rebooting(&mut self, addr: Ipv4Addr) -> Outcome {
        // C149: some clients leave option 54 out when they take an offer.
        if let Some(outcome) = self.take_offer(addr) {
            return outcome;
        }
        // C47, C151: the network comes first.
        if !self.is_here(self.config.place_of(self.network.space, addr)) {
            return if self.network.rules.nak_wrong_network {
                self.nak(Rule::WrongNetwork)
            } else {
                Silence::WrongNetwork.into()
            };
        }
        let binding = self.binding();
        let recorded = binding.and_then(|slot| self.recorded(slot));
        match recorded {
            Some(recorded) if recorded == addr => self.on_own(binding, addr),
            // C48: "the server SHOULD send a DHCPNAK" to a client whose notion is wrong.
            Some(_) => self.nak(Rule::OtherOnRecord),
            // C49: "If the DHCP server has no record of this client, then it MUST remain silent";
            // a reservation is a record.
            None => match self.client() {
                Some(client) if self.reservation() == Some(addr) => {
                    self.bind(client, addr, Rule::ReservedOnRecord)
                }
                _ if self.network.rules.nak_unknown => self.nak(Rule::NoRecord),
                _ => Silence::UnknownClient.into(),
            },
        }
    }

    /// The address that the server has on record for the client, an offer apart.
    pub(super) fn recorded(&self, slot: SlotIndex) -> Option<Ipv4Addr> {
        match self.shard.state(slot)? {
            BindingState::Active | BindingState::Expired | BindingState::Released => {
                self.shard.addr(slot)
            }
            BindingState::Offered if self.shard.is_returning(slot) => self.shard.addr(slot),
            BindingState::Available | BindingState::Offered | BindingState::Abandoned => None,
        }
    }

    pub(super) fn beside(&self) -> Option<SlotIndex> {
        self.client()
            .and_then(|client| self.shard.find_beside(&client))
    }

    /// Takes `addr` if it is on offer to this client: the ACK of C41.
    pub(super) fn take_offer(&mut self, addr: Ipv4Addr) -> Option<Outcome> {
        let client = self.client()?;
        let is_it = |slot: &SlotIndex| {
            self.shard.state(*slot) == Some(BindingState::Offered)
                && self.shard.addr(*slot) == Some(addr)
        };
        let own = self.binding().filter(is_it);
        let slot = own.or_else(|| self.beside().filter(is_it))?;
        if self.is_under_probe(slot, addr) {
            return Some(Silence::Probing.into());
        }
        if !self.wanted(client).may_have(addr) {
            self.shard.withdraw(self.config, self.network, slot);
            return Some(self.nak(Rule::OfferVoid));
        }
        let lease = self.lease_of_offer(slot, addr);
        if own.is_some() {
            self.shard.confirm(self.config, self.network, slot).ok()?;
            return Some(self.grant(slot, lease, Rule::OfferTaken));
        }
        // The lease that the offer stood beside ends with it.
        if let Some(old) = self.binding() {
            self.end_binding(old);
        }
        Some(match self.shard.promote(self.config, &client, slot) {
            Ok(slot) => self.grant(slot, lease, Rule::OfferTaken),
            Err(_) => Silence::TableFull.into(),
        })
    }

    /// The lease of the offer in `slot`, unless the REQUEST wishes another one (C41).
    fn lease_of_offer(&self, slot: SlotIndex, addr: Ipv4Addr) -> u32 {
        let offered = self.shard.bindings.slot(slot).map(|offer| offer.lease);
        match (self.query.wish(), offered) {
            (None, Some(lease)) => lease,
            (Some(_), _) | (None, None) => self.lease_of(addr),
        }
    }

    /// A request for the address that is on record for the client (C45, C50, C150).
    pub(super) fn on_own(&mut self, slot: Option<SlotIndex>, addr: Ipv4Addr) -> Outcome {
        let (Some(slot), Some(cell)) = (slot, self.config.cell(self.network.space, addr)) else {
            return self.nak(Rule::Unavailable);
        };
        match self.claim_of(slot, addr) {
            Hold::Good => {}
            Hold::Outside => {
                return self
                    .run_out(slot)
                    .unwrap_or_else(|| self.refuse(slot, Rule::LeaseVoid));
            }
            Hold::Lost => return self.refuse(slot, self.loss_of(addr)),
        }
        if self.shard.is_own(cell, slot) && cell.load().state() == AddressState::Bound {
            return self.ack(slot);
        }
        let want = Want {
            addr,
            to: Claim::Bound,
            mercy: Mercy::Spare,
        };
        match self.shard.claim(self.network, self.config, slot, want) {
            Ok(_) => {
                let lease = self.lease_of(addr);
                self.grant(slot, lease, Rule::Former)
            }
            // Another client has it meanwhile.
            Err(_) => self.nak(Rule::InUse),
        }
    }

    /// What the holder of `slot` has in `addr` now.
    fn claim_of(&self, slot: SlotIndex, addr: Ipv4Addr) -> Hold {
        let subnet = self.network.subnet_of(addr).map(|(_, subnet)| subnet);
        match (self.config.reserved(self.network, addr), subnet) {
            _ if self.must_move(addr) => Hold::Lost,
            (Some(owner), _) if self.keys.matches(owner) => Hold::Good,
            (Some(_), _) if self.owns_by_slot(slot, addr) => Hold::Good,
            (Some(_), _) | (None, None) => Hold::Lost,
            (None, Some(subnet)) if subnet.pool_of(addr).is_some() => Hold::Good,
            (None, Some(subnet)) if subnet.is_excluded(addr) => Hold::Lost,
            (None, Some(_)) => Hold::Outside,
        }
    }

    /// The ACK of a lease that is not to be extended: it states the time left (C53). `None` if
    /// nothing is left.
    pub(super) fn run_out(&mut self, slot: SlotIndex) -> Option<Outcome> {
        let left = self.remaining(slot);
        if self.shard.state(slot) != Some(BindingState::Active) || left == 0 {
            return None;
        }
        Some(if self.shard.is_clock_held(slot) {
            // What the client is told of a lease that the clock held has to be on record.
            self.renew(slot, left, Rule::RunsOut)
        } else {
            self.acknowledge_again(slot, Rule::RunsOut)
        })
    }

    /// Whether the client had the address by what is stored of it: a unicast renewal does not say
    /// its circuit (C174).
    fn owns_by_slot(&self, slot: SlotIndex, addr: Ipv4Addr) -> bool {
        self.query.agent_info().is_none()
            && self.shard.has_right(self.config, self.network, slot, addr)
    }

    /// Whether the client is to leave `addr` at once for its reservation, which it can have (C182).
    pub(super) fn must_move(&self, addr: Ipv4Addr) -> bool {
        if self.network.rules.reservation_moves != ReservationMoves::Nak {
            return false;
        }
        let kept = self.reservation().filter(|kept| *kept != addr);
        let cell = kept.and_then(|kept| self.config.cell(self.network.space, kept));
        cell.is_some_and(|cell| match cell.load().state() {
            AddressState::Free | AddressState::Remembered => true,
            AddressState::Held | AddressState::Bound | AddressState::SetAside => false,
        })
    }

    /// Why the client may not go on with `addr`.
    fn loss_of(&self, addr: Ipv4Addr) -> Rule {
        if self.must_move(addr) {
            Rule::ToReservation
        } else {
            Rule::LeaseVoid
        }
    }

    /// A NAK that ends the client's binding: its address is kept for another, excluded, or, the
    /// lease being over, in no pool any more (C150).
    pub(super) fn refuse(&mut self, slot: SlotIndex, rule: Rule) -> Outcome {
        let nak = self.nak(rule);
        self.end_binding(slot);
        nak
    }

    /// Binds a free address by `rule` to a client that has no offer of it (C148, C152).
    pub(super) fn bind(&mut self, client: ClientInfo<'_>, addr: Ipv4Addr, rule: Rule) -> Outcome {
        let wanted = self.wanted(client);
        if !wanted.may_have(addr) || !self.is_open(addr) {
            return self.nak(Rule::Unavailable);
        }
        if let Some(slot) = self.binding() {
            // Another address of this client: it gives way.
            self.end_binding(slot);
        }
        match self.shard.bind_new(self.config, &client, addr) {
            Ok(slot) => {
                let lease = self.lease_of(addr);
                self.grant(slot, lease, rule)
            }
            Err(Unavailable::Taken) => self.nak(Rule::Unavailable),
            Err(Unavailable::TableFull | Unavailable::OffersFull) => Silence::TableFull.into(),
        }
    }

    pub(super) fn is_open(&self, addr: Ipv4Addr) -> bool {
        let cell = self.config.cell(self.network.space, addr);
        cell.is_some_and(|cell| cell.load().state() == AddressState::Free)
    }
}
