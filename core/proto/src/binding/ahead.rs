//! What is worth fetching into the cache before a binding is changed.

use super::slot::{Link, Links, Slot};
use super::{Bindings, ListId};

impl Bindings {
    /// The links of the bindings beside `slot` in its list and among its timers: it leaves both
    /// between them.
    pub fn beside(&self, slot: &Slot) -> impl Iterator<Item = &(impl Sized + use<>)> {
        let links = slot.links.into_iter();
        let links = links.flat_map(|Links { next, prev }| [next, prev]);
        links.filter_map(|link| self.links(link))
    }

    /// The links of the last binding of a list: the next one is put behind it.
    #[must_use]
    pub fn back(&self, list: ListId) -> Option<&(impl Sized + use<>)> {
        self.links(self.lists.last(list.0)?)
    }

    /// Where [`Self::back`] finds its list.
    #[must_use]
    pub fn head(&self, list: ListId) -> Option<&(impl Sized + use<>)> {
        self.lists.head(list.0)
    }

    fn links(&self, link: Link) -> Option<&[Links; 2]> {
        let slot = self.slots.get(link.as_slot()?.position())?;
        Some(&slot.links)
    }
}
