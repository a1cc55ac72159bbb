//! What a binding knows of its client, of any length: identity, chaddr and option 82.
//!
//! ```text
//!  identity ≤ 20 octets   slot:  [ identity ····· chaddr? ]
//!  identity > 20 octets   slot:  [ block ········ chaddr? ]     arena: [ identity ]
//!  chaddr                 the end of the identity, if it is that; else behind the identity in
//!                         the slot, if it fits; else in front of option 82
//!  option 82                                                    arena: [ chaddr? option 82 ]
//! ```

use super::Bindings;
use super::arena::{ArenaFull, Blob};
use super::page::MAX_BLOB;
use super::slot::{ChaddrPlace, INLINE, Slot, SlotIndex};
use crate::record::{MAX_AGENT_INFO, MAX_IDENTITY};

/// Most octets of a hardware address, RFC 2131 §2.
const MAX_CHADDR: usize = 16;

/// Octets of the inline area that an identity's block takes.
const BLOCK: usize = size_of::<Blob>();

const _: () = assert!(MAX_BLOB >= MAX_CHADDR + MAX_AGENT_INFO && MAX_BLOB >= MAX_IDENTITY);
const _: () = assert!(INLINE >= BLOCK + MAX_CHADDR);

/// Octets of the inline area that belong to the identity.
fn inline_identity(slot: &Slot) -> usize {
    let len = usize::from(slot.identity_len);
    if len > INLINE { BLOCK } else { len }
}

/// The block of an identity that is not in its slot.
fn identity_block(slot: &Slot) -> Blob {
    if usize::from(slot.identity_len) <= INLINE {
        return Blob::NONE;
    }
    let [a, b, c, d, ..] = slot.inline;
    Blob(u32::from_ne_bytes([a, b, c, d]))
}

/// Octets in front of option 82 in their block.
fn chaddr_in_arena(slot: &Slot) -> usize {
    match slot.chaddr_place() {
        ChaddrPlace::Arena => usize::from(slot.hlen()),
        ChaddrPlace::Tail | ChaddrPlace::Inline => 0,
    }
}

impl Bindings {
    /// The identity of a slot; of a free one it is empty.
    #[must_use]
    pub fn identity(&self, index: SlotIndex) -> &[u8] {
        self.slot(index).map_or(&[], |slot| self.identity_of(slot))
    }

    pub(super) fn identity_of<'a>(&'a self, slot: &'a Slot) -> &'a [u8] {
        match slot.inline.get(..usize::from(slot.identity_len)) {
            Some(inline) => inline,
            None => self.arena.octets(identity_block(slot)),
        }
    }

    /// The hardware address of a slot's client; of a free slot it is empty.
    #[must_use]
    pub fn chaddr(&self, index: SlotIndex) -> &[u8] {
        let Some(slot) = self.slot(index) else {
            return &[];
        };
        let hlen = usize::from(slot.hlen());
        let chaddr = match slot.chaddr_place() {
            ChaddrPlace::Tail => {
                let identity = self.identity_of(slot);
                identity
                    .len()
                    .checked_sub(hlen)
                    .and_then(|at| identity.get(at..))
            }
            ChaddrPlace::Inline => slot.inline.get(INLINE - hlen.min(INLINE)..),
            ChaddrPlace::Arena => self.arena.octets(slot.extra).get(..hlen),
        };
        chaddr.unwrap_or_default()
    }

    /// Keeps the client's hardware address, of which 16 octets count. Does nothing for a free slot.
    ///
    /// # Errors
    ///
    /// Returns [`ArenaFull`] if it wants a block and there is none; nothing changed then. That can
    /// happen only to one that is neither the identity's end nor fits beside the identity.
    pub fn set_chaddr(
        &mut self,
        index: SlotIndex,
        htype: u8,
        chaddr: &[u8],
    ) -> Result<(), ArenaFull> {
        let chaddr = chaddr.get(..MAX_CHADDR).unwrap_or(chaddr);
        let Some(slot) = self.slot(index) else {
            return Ok(());
        };
        let place = if self.chaddr(index) == chaddr {
            slot.chaddr_place()
        } else if self.identity_of(slot).ends_with(chaddr) {
            ChaddrPlace::Tail
        } else if inline_identity(slot) + chaddr.len() <= INLINE {
            ChaddrPlace::Inline
        } else {
            ChaddrPlace::Arena
        };
        if place == ChaddrPlace::Arena || slot.chaddr_place() == ChaddrPlace::Arena {
            let in_front: &[u8] = if place == ChaddrPlace::Arena {
                chaddr
            } else {
                &[]
            };
            self.replace_chaddr_in_arena(index, in_front)?;
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.htype = htype;
            slot.set_shape(place, u8::try_from(chaddr.len()).unwrap_or(0));
            if place == ChaddrPlace::Inline
                && let Some(room) = slot.inline.get_mut(INLINE - chaddr.len().min(INLINE)..)
            {
                room.copy_from_slice(chaddr);
            }
        }
        Ok(())
    }

    /// Option 82 as it was kept; empty if there is none.
    #[must_use]
    pub fn agent_info(&self, index: SlotIndex) -> &[u8] {
        self.slot(index).map_or(&[], |slot| {
            let extra = self.arena.octets(slot.extra);
            extra.get(chaddr_in_arena(slot)..).unwrap_or_default()
        })
    }

    /// Keeps option 82, without code and length, instead of what was kept; an empty one clears
    /// it, and one that is there already costs nothing. Does nothing for a free slot.
    ///
    /// # Errors
    ///
    /// Returns [`ArenaFull`] if there is no block for it or it is longer than
    /// [`MAX_AGENT_INFO`]; nothing changed then.
    pub fn store_agent_info(&mut self, index: SlotIndex, octets: &[u8]) -> Result<(), ArenaFull> {
        if octets.len() > MAX_AGENT_INFO {
            return Err(ArenaFull);
        }
        let Some(slot) = self.slot(index) else {
            return Ok(());
        };
        if self.agent_info(index) == octets {
            return Ok(());
        }
        let mut extra = slot.extra;
        if chaddr_in_arena(slot) == 0 {
            self.arena.store(&mut extra, [octets, &[]])?;
        } else {
            let mut copy = [0; MAX_CHADDR];
            let chaddr = copied(self.chaddr(index), &mut copy);
            self.arena.store(&mut extra, [chaddr, octets])?;
        }
        if let Some(slot) = self.slot_mut(index) {
            slot.extra = extra;
        }
        Ok(())
    }

    fn replace_chaddr_in_arena(
        &mut self,
        index: SlotIndex,
        chaddr: &[u8],
    ) -> Result<(), ArenaFull> {
        let Some(mut extra) = self.slot(index).map(|slot| slot.extra) else {
            return Ok(());
        };
        let mut copy = [0; MAX_AGENT_INFO];
        let agent_info = copied(self.agent_info(index), &mut copy);
        self.arena.store(&mut extra, [chaddr, agent_info])?;
        if let Some(slot) = self.slot_mut(index) {
            slot.extra = extra;
        }
        Ok(())
    }

    /// Writes the identity of a fresh slot.
    pub(super) fn store_identity(
        &mut self,
        slot: &mut Slot,
        identity: &[u8],
    ) -> Result<(), ArenaFull> {
        if identity.len() > MAX_IDENTITY {
            return Err(ArenaFull);
        }
        if let Some(inline) = slot.inline.get_mut(..identity.len()) {
            inline.copy_from_slice(identity);
        } else {
            let mut block = Blob::NONE;
            self.arena.store(&mut block, [identity, &[]])?;
            if let Some(inline) = slot.inline.first_chunk_mut() {
                *inline = block.0.to_ne_bytes();
            }
        }
        slot.identity_len = u16::try_from(identity.len()).unwrap_or(0);
        Ok(())
    }

    /// Gives back the blocks of a slot that is about to be freed.
    pub(super) fn free_blocks(&mut self, slot: &Slot) {
        self.arena.free(identity_block(slot));
        self.arena.free(slot.extra);
    }
}

/// `octets` in `room`, so that the arena they are in can change.
fn copied<'a, const ROOM: usize>(octets: &[u8], room: &'a mut [u8; ROOM]) -> &'a [u8] {
    let Some(room) = room.get_mut(..octets.len()) else {
        return &[];
    };
    room.copy_from_slice(octets);
    room
}
