//! DHCPDISCOVER, RFC 2131 §4.3.1.

use super::plan::{Notice, NoticeKind, Outcome, ReplyKind};
use super::silence::Silence;
use super::turn::Turn;
use crate::address::AddressState;
use crate::binding::{BindingState, SlotIndex};
use crate::config::OnMove;
use crate::record::Journal;
use crate::rule::Rule;
use crate::shard::{Ask, Assigned, Unavailable};
use crate::time::remaining;
use core::net::Ipv4Addr;

impl<J: Journal> Turn<'_, J> {
    pub(super) fn on_discover(&mut self) -> Outcome {
        self.discover(None)
    }

    /// Decides a DISCOVER, whose client may have `probed`, an address that nobody has.
    pub(super) fn discover(&mut self, probed: Option<Ipv4Addr>) -> Outcome {
        // Table 5 forbids option 54 here: another server's is not for us, ours says nothing (C40).
        if self.query.server_id().is_some_and(|id| !self.is_us(id)) {
            return Silence::OtherServer.into();
        }
        let Some(client) = self.client() else {
            return Silence::NoIdentity.into();
        };
        if self.fenced.is_some() && self.is_known_elsewhere() {
            return Silence::Fenced.into();
        }
        if let Some(refusal) = self.refuses_move() {
            return refusal;
        }
        let mut wanted = self.wanted(client);
        if let Some(ask) = self.make_way(wanted.reservation) {
            return Outcome {
                ask: Some(ask),
                ..Silence::Yielding.into()
            };
        }
        wanted.requested = probed.or(wanted.requested);
        match self.shard.assign(&wanted) {
            Ok(Assigned::Current(slot, rule)) => self.offer(slot, rule, true),
            Ok(Assigned::Held(slot, mut rule)) => {
                if probed.is_some() && self.shard.addr(slot) == probed {
                    self.shard.pass_probe(slot);
                    rule = Rule::Probation;
                }
                match self.probe_first(slot, rule) {
                    None => self.offer(slot, rule, false),
                    probe => Outcome {
                        probe,
                        ..Silence::Probing.into()
                    },
                }
            }
            Err(Unavailable::Taken) => self.on_exhausted(),
            Err(Unavailable::TableFull) => Silence::TableFull.into(),
            Err(Unavailable::OffersFull) => Silence::OffersFull.into(),
        }
    }

    /// C34
    pub(super) fn refuse_for_lack(&self) -> Outcome {
        Outcome {
            notice: Some(self.notice(NoticeKind::Exhausted, self.subnet.prefix.first())),
            ..Silence::NoAddress.into()
        }
    }

    fn offer(&mut self, slot: SlotIndex, rule: Rule, has_lease: bool) -> Outcome {
        let Some(addr) = self.shard.addr(slot) else {
            return Silence::NoAddress.into();
        };
        let Some((_, subnet)) = self.network.subnet_of(addr) else {
            return Silence::NoAddress.into();
        };
        // C36: "the client's current binding … remaining" only where the operator wants it.
        let left = self.remaining(slot);
        let lease = if has_lease && self.network.rules.discover_keeps_expiry && left > 0 {
            left
        } else {
            subnet.lease.granted(self.query.wish())
        };
        // C41: the ACK has the lease of the OFFER also where the REQUEST does not repeat the wish.
        if let Some(binding) = self.shard.bindings.slot_mut(slot).filter(|_| !has_lease) {
            binding.lease = lease;
        }
        self.plan((ReplyKind::Offer, rule), (addr, Some(lease)), None)
            .into()
    }

    /// Seconds that a client may still be told of its lease. What began within the running second
    /// has a whole lease left.
    pub(super) fn remaining(&self, slot: SlotIndex) -> u32 {
        let Some(binding) = self.shard.bindings.slot(slot) else {
            return 0;
        };
        match remaining(self.now, binding.until()) {
            crate::time::INFINITE => crate::time::INFINITE,
            left => left.saturating_sub(1).min(binding.lease),
        }
    }

    pub(super) fn notice(&self, kind: NoticeKind, addr: Ipv4Addr) -> Notice {
        let mut chaddr = [0; 6];
        let octets = self.query.message.chaddr();
        let len = octets.len().min(chaddr.len());
        if let (Some(to), Some(from)) = (chaddr.get_mut(..len), octets.get(..len)) {
            to.copy_from_slice(from);
        }
        Notice { kind, addr, chaddr }
    }

    /// Whether the client has a lease of an address that another appliance has taken over: that
    /// one offers it to the client, and a second offer would only take it away.
    #[cold]
    fn is_known_elsewhere(&self) -> bool {
        let lease = self.binding().filter(|slot| match self.shard.state(*slot) {
            Some(BindingState::Active | BindingState::Expired) => true,
            Some(
                BindingState::Available
                | BindingState::Offered
                | BindingState::Released
                | BindingState::Abandoned,
            )
            | None => false,
        });
        let addr = lease.and_then(|slot| self.shard.addr(slot));
        addr.is_some_and(|addr| !self.serves(addr))
    }

    /// Two identities may have one reservation (PXE, then the system): the newer one's turn ends
    /// the older one's binding, here or with the worker that has it. Not where whoever copies a
    /// hardware address is to get nothing by it on another circuit (C173).
    fn make_way(&mut self, kept: Option<Ipv4Addr>) -> Option<Ask> {
        if self.network.rules.on_move != OnMove::Follow {
            return None;
        }
        let addr = kept?;
        let space = self.network.space;
        let word = self.config.cell(space, addr)?.load();
        match word.state() {
            AddressState::Held | AddressState::Bound => {}
            AddressState::Free | AddressState::Remembered | AddressState::SetAside => return None,
        }
        if word.owner() != self.shard.worker() {
            let (owner, generation) = (word.owner().0, word.generation().number());
            let ask = Ask {
                owner,
                space: space.0,
                addr,
                generation,
            };
            return self.shard.is_new_question(ask).then_some(ask);
        }
        let holder = self.shard.holder(self.config, space, addr)?;
        let client = self.client()?;
        let own = self.shard.bindings.identity(holder) == client.identity;
        if !own
            && self.journal.has_room()
            && self
                .shard
                .has_right(self.config, self.network, holder, addr)
        {
            self.end_binding(holder);
        }
        None
    }
}
