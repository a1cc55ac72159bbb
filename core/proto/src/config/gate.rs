//! What the choice of a network and of a client looks at, apart from the networks themselves: a few
//! octets of each, so that those of ten thousand stay in the cache.

use super::{Network, NetworkKey, OnMove};
use crate::identity::IdentityMode;
use core::net::Ipv4Addr;

/// A network as it is asked about each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// Its key.
    pub key: NetworkKey,
    /// What identifies a client there.
    pub identity: IdentityMode,
    /// Who a client is that has moved (C173).
    pub on_move: OnMove,
    /// What DISCOVERs have to say in secs (C187).
    pub min_secs: u16,
    /// Whether it has client-ids that identify nobody.
    pub ignores: bool,
    relays: Relays,
}

/// Who may speak for a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relays {
    Any,
    One(Ipv4Addr),
    /// None, or those that the network knows.
    Some,
}

impl Gate {
    pub(super) fn new(network: &Network) -> Self {
        let relays = match network.relays.as_deref() {
            None => Relays::Any,
            Some([relay]) => Relays::One(*relay),
            Some(_) => Relays::Some,
        };
        Self {
            key: network.key,
            identity: network.identity,
            on_move: network.rules.on_move,
            min_secs: network.rules.min_secs,
            ignores: !network.ignored_client_ids.is_empty(),
            relays,
        }
    }

    /// Whether `relay` may speak for `network`, whose gate this is (C164).
    #[must_use]
    pub fn admits(&self, network: &Network, relay: Ipv4Addr) -> bool {
        match self.relays {
            Relays::Any => true,
            Relays::One(known) => known == relay,
            Relays::Some => {
                let known = network.relays.as_ref();
                known.is_some_and(|known| known.binary_search(&relay).is_ok())
            }
        }
    }
}

const _: () = assert!(size_of::<Gate>() <= 20);
