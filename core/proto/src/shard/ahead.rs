//! What is worth fetching into the cache before an offer of a network is made: it is put behind the
//! newest one. In three steps, each of which has to be there for the next.

use super::Shard;
use crate::config::NetworkKey;

impl Shard {
    /// The lists of a network.
    #[must_use]
    pub fn lists_of(&self, network: NetworkKey) -> Option<&(impl Sized + use<>)> {
        self.lists.get(network.0 as usize)
    }

    /// The ends of its list of offers.
    #[must_use]
    pub fn offers_of(&self, network: NetworkKey) -> Option<&(impl Sized + use<>)> {
        self.bindings.head(self.lists(network.0)?.holds)
    }

    /// Its newest offer.
    #[must_use]
    pub fn newest_offer(&self, network: NetworkKey) -> Option<&(impl Sized + use<>)> {
        self.bindings.back(self.lists(network.0)?.holds)
    }
}
