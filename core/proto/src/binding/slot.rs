//! What stands in a slot: one binding in 96 octets.
//!
//! ```text
//!   0  network, lengths, htype, identity and chaddr (20), hash      all that a look-up compares
//!  32  addr, giaddr, until, started, lease, arena block, links of the timer and of the list
//!  76  VLANs, ticket, state, flags, port, declines, generation, sequence
//! ```
//!
//! The size is one and a half cache lines, so a slot lies on exactly two lines, and its first 32
//! octets on one.

use super::arena::Blob;

/// Octets of identity and chaddr in the slot itself; longer ones go to the arena.
pub(super) const INLINE: usize = 20;

/// The most slots of one table: a link has 31 bits.
pub(super) const MAX_SLOTS: usize = 0x7fff_fffe;

/// The number of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotIndex(pub u32);

impl SlotIndex {
    /// The number of no slot.
    pub const NONE: Self = Self(u32::MAX);

    pub(super) fn position(self) -> usize {
        self.0 as usize
    }
}

/// What a binding is, RFC 6926 §6.2.2.7, and `Offered`, which is ours.
///
/// ```text
///  Available ──offer──► Offered ──ACK──► Active ──lease ends──► Expired
///                          ▲               │ ──RELEASE────────► Released
///                          └──── next offer│◄───────────────────────┘
///                                          └──DECLINE, busy───► Abandoned
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum BindingState {
    /// No address is held for the client; so is a fresh slot.
    #[default]
    Available = 0,
    /// An address is held until the client answers the offer.
    Offered = 1,
    /// The client has a lease.
    Active = 2,
    /// The lease ended; the address is remembered.
    Expired = 3,
    /// The client gave the lease back; the address is remembered.
    Released = 4,
    /// The address is set aside: declined, or found busy.
    Abandoned = 5,
}

/// Where a link leads: nowhere (0), to a slot, or back to the head of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link(u32);

impl Link {
    pub(super) const NONE: Self = Self(0);
    const HEAD: u32 = 1 << 31;

    /// The link to a slot; [`SlotIndex::NONE`] gives [`Link::NONE`].
    pub(super) const fn slot(index: SlotIndex) -> Self {
        Self(index.0.wrapping_add(1) & !Self::HEAD)
    }

    pub(super) const fn head(number: u32) -> Self {
        Self(number | Self::HEAD)
    }

    pub(super) const fn as_slot(self) -> Option<SlotIndex> {
        if self.0 == 0 || self.0 & Self::HEAD != 0 {
            None
        } else {
            Some(SlotIndex(self.0 - 1))
        }
    }

    pub(super) const fn as_head(self) -> Option<u32> {
        if self.0 & Self::HEAD == 0 {
            None
        } else {
            Some(self.0 & !Self::HEAD)
        }
    }
}

/// The two links of a slot, or of a head, in one chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Links {
    pub(super) next: Link,
    pub(super) prev: Link,
}

impl Links {
    pub(super) const NONE: Self = Self {
        next: Link::NONE,
        prev: Link::NONE,
    };
}

/// Where the hardware address of a slot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum ChaddrPlace {
    /// It is the end of the identity.
    Tail = 0,
    /// In the slot, behind the identity or behind the identity's block.
    Inline = 1,
    /// In front of option 82 in their block.
    Arena = 2,
}

/// A number of 56 bits.
#[derive(Debug, Clone, Copy)]
struct U56([u8; 7]);

impl U56 {
    const fn new(value: u64) -> Self {
        let [octets @ .., _] = value.to_le_bytes();
        Self(octets)
    }

    const fn value(self) -> u64 {
        let mut octets = [0; 8];
        if let Some(room) = octets.first_chunk_mut() {
            *room = self.0;
        }
        u64::from_le_bytes(octets)
    }
}

/// One binding. The storage of a table is made of [`Slot::EMPTY`]; what identifies the binding and
/// what threads it into the table's chains is private to the table.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(32))]
pub struct Slot {
    pub(super) network: u32,
    pub(super) identity_len: u16,
    pub(super) htype: u8,
    /// Bits 0 to 4 hlen, bits 5 and 6 [`ChaddrPlace`], bit 7 set while the slot is in use.
    pub(super) shape: u8,
    /// Identity, or the block of one longer than this; chaddr, if it has room, at the end.
    pub(super) inline: [u8; INLINE],
    pub(super) hash: u32,
    /// The address, as a number.
    pub addr: u32,
    /// Relay agent that the client was last seen through, 0 if none.
    pub giaddr: u32,
    pub(super) until: u32,
    /// Second of the client's last transaction (cltt of RFC 4388 §6.1).
    pub started: u32,
    /// Lease time last told to the client, seconds.
    pub lease: u32,
    /// Block of chaddr, if it is there, and option 82.
    pub(super) extra: Blob,
    pub(super) links: [Links; 2],
    /// Outer VLAN, 0 if untagged.
    pub outer_vid: u16,
    /// Inner VLAN, 0 if there is none.
    pub inner_vid: u16,
    /// The newest parked reply of the client.
    pub ticket: u16,
    /// What the binding is.
    pub state: BindingState,
    /// For the table's owner to use.
    pub flags: u8,
    /// Port that the client was last seen on.
    pub port: u8,
    /// DECLINEs of the client.
    pub declines: u8,
    generation: U56,
    sequence: U56,
}

const _: () = assert!(size_of::<Slot>() == 96);

const IN_USE: u8 = 0x80;
const HLEN: u8 = 0x1f;

impl Slot {
    /// A free slot; all its octets are zero.
    pub const EMPTY: Self = Self {
        network: 0,
        identity_len: 0,
        htype: 0,
        shape: 0,
        inline: [0; INLINE],
        hash: 0,
        addr: 0,
        giaddr: 0,
        until: 0,
        started: 0,
        lease: 0,
        extra: Blob::NONE,
        links: [Links::NONE; 2],
        outer_vid: 0,
        inner_vid: 0,
        ticket: 0,
        state: BindingState::Available,
        flags: 0,
        port: 0,
        declines: 0,
        generation: U56::new(0),
        sequence: U56::new(0),
    };

    /// A slot in use that says nothing yet but which network it belongs to.
    pub(super) const fn fresh(network: u32, hash: u32) -> Self {
        Self {
            network,
            hash,
            shape: IN_USE,
            ..Self::EMPTY
        }
    }

    /// The network, part of the binding's key.
    #[must_use]
    pub const fn network(&self) -> u32 {
        self.network
    }

    /// The lower half of the identity's hash.
    #[must_use]
    pub const fn hash(&self) -> u32 {
        self.hash
    }

    /// When the hold, lease or probation ends; `u32::MAX` never. The table's `schedule` sets it.
    #[must_use]
    pub const fn until(&self) -> u32 {
        self.until
    }

    /// The hardware type.
    #[must_use]
    pub const fn htype(&self) -> u8 {
        self.htype
    }

    /// The length of the hardware address, at most 16.
    #[must_use]
    pub const fn hlen(&self) -> u8 {
        self.shape & HLEN
    }

    /// Generation of the address word under which the binding was last decided.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation.value()
    }

    /// Sets the generation; a word has 53 bits of it, a slot has room for 56.
    pub const fn set_generation(&mut self, generation: u64) {
        self.generation = U56::new(generation);
    }

    /// Journal sequence of the binding's newest record, 0 if there is none.
    #[must_use]
    pub const fn sequence(&self) -> u64 {
        self.sequence.value()
    }

    /// Sets the sequence, of which the lower 56 bits are kept: 2,000 years of a million records a
    /// second.
    pub const fn set_sequence(&mut self, sequence: u64) {
        self.sequence = U56::new(sequence);
    }

    /// The last octet. It lies on the slot's second cache line: prefetch it beside the slot itself.
    #[inline]
    #[must_use]
    pub const fn end(&self) -> &u8 {
        let [.., last] = &self.sequence.0;
        last
    }

    pub(super) const fn is_used(&self) -> bool {
        self.shape & IN_USE != 0
    }

    pub(super) const fn chaddr_place(&self) -> ChaddrPlace {
        match (self.shape >> 5) & 3 {
            1 => ChaddrPlace::Inline,
            2 => ChaddrPlace::Arena,
            _ => ChaddrPlace::Tail,
        }
    }

    pub(super) const fn set_shape(&mut self, place: ChaddrPlace, hlen: u8) {
        self.shape = IN_USE | ((place as u8) << 5) | (hlen & HLEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_and_sequence_keep_56_bits() {
        let mut slot = Slot::EMPTY;
        for value in [0, 1, 0xff, (1 << 53) - 1, (1 << 56) - 1] {
            slot.set_generation(value);
            slot.set_sequence(value ^ 1);
            assert_eq!((slot.generation(), slot.sequence()), (value, value ^ 1));
        }
    }

    #[test]
    fn a_link_is_nothing_a_slot_or_a_head_and_never_two_of_them() {
        for number in [0, 1, 0x7fff_fffd] {
            let slot = Link::slot(SlotIndex(number));
            assert_eq!(
                (slot.as_slot(), slot.as_head()),
                (Some(SlotIndex(number)), None)
            );
            let head = Link::head(number);
            assert_eq!((head.as_slot(), head.as_head()), (None, Some(number)));
        }
        assert_eq!(Link::slot(SlotIndex::NONE), Link::NONE);
        assert_eq!((Link::NONE.as_slot(), Link::NONE.as_head()), (None, None));
    }

    #[test]
    fn shape_keeps_hlen_and_place_apart() {
        let mut slot = Slot::fresh(0, 0);
        for place in [ChaddrPlace::Tail, ChaddrPlace::Inline, ChaddrPlace::Arena] {
            for hlen in 0..=16 {
                slot.set_shape(place, hlen);
                assert_eq!((slot.chaddr_place(), slot.hlen()), (place, hlen));
                assert!(slot.is_used());
            }
        }
    }
}
