//! DHCPREQUEST of a client that renews or rebinds its lease, RFC 2131 §4.3.2, §4.4.5.

use super::plan::Outcome;
use super::query::Path;
use super::silence::Silence;
use super::turn::Turn;
use crate::address::AddressState;
use crate::binding::BindingState;
use crate::record::Journal;
use crate::rule::Rule;
use core::net::Ipv4Addr;

impl<J: Journal> Turn<'_, J> {
    pub(super) fn on_extending(&mut self, addr: Ipv4Addr) -> Outcome {
        // C55: of another network, so the client has moved. A unicast's network is that of its
        // ciaddr, so this concerns broadcasts and relays.
        if !self.is_here(self.config.place_of(self.network.space, addr)) {
            return if self.network.rules.nak_wrong_network {
                self.nak(Rule::WrongNetwork)
            } else {
                Silence::WrongNetwork.into()
            };
        }
        let binding = self.binding();
        let own = binding.filter(|slot| self.shard.addr(*slot) == Some(addr));
        let Some(slot) = own else {
            return self.on_stranger(addr);
        };
        match self.shard.state(slot) {
            // C150: its former address, on offer to it again.
            Some(BindingState::Offered) if self.shard.is_returning(slot) => self
                .take_offer(addr)
                .unwrap_or_else(|| self.on_own(own, addr)),
            Some(BindingState::Active) if self.must_move(addr) => {
                self.refuse(slot, Rule::ToReservation)
            }
            Some(BindingState::Active) if !self.network.rules.extend => {
                // C53: the lease runs out as it was granted.
                self.run_out(slot).unwrap_or_else(|| self.on_own(own, addr))
            }
            Some(
                BindingState::Active
                | BindingState::Expired
                | BindingState::Released
                | BindingState::Offered
                | BindingState::Available
                | BindingState::Abandoned,
            )
            | None => self.on_own(own, addr),
        }
    }

    /// A client renews an address that is not on record for it (C55, C56, C152).
    fn on_stranger(&mut self, addr: Ipv4Addr) -> Outcome {
        let state = self
            .config
            .cell(self.network.space, addr)
            .map(|cell| cell.load().state());
        let known = self
            .binding()
            .is_some_and(|slot| self.recorded(slot).is_some());
        match state {
            // Bound to another: the client is wrong about it.
            Some(AddressState::Held | AddressState::Bound | AddressState::SetAside) => {
                self.nak(Rule::InUse)
            }
            // It has another address on record here.
            Some(AddressState::Free | AddressState::Remembered) if known => {
                self.nak(Rule::OtherOnRecord)
            }
            Some(AddressState::Free) if self.network.rules.adopt => match self.client() {
                Some(client) => self.bind(client, addr, Rule::Adopted),
                None => Silence::NoIdentity.into(),
            },
            // Another server may know it: without a common store silence is all there is (C56).
            Some(AddressState::Free | AddressState::Remembered) | None => {
                if self.query.path == Path::Routed && self.client().is_none() {
                    return Silence::NoIdentity.into();
                }
                Silence::UnknownClient.into()
            }
        }
    }
}
