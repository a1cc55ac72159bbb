//! Ethernet II with up to two VLAN tags (802.1Q, 802.1ad).

mod mac;

pub use mac::{Mac, NotAMac};

use crate::{Malformed, field};

/// Ethertypes that the appliance knows.
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// ARP.
    pub const ARP: u16 = 0x0806;
    /// Customer tag, 802.1Q.
    pub const VLAN: u16 = 0x8100;
    /// Service tag, 802.1ad.
    pub const QINQ: u16 = 0x88a8;
    /// Outer tag of bridges older than 802.1ad.
    pub const QINQ_OLD: u16 = 0x9100;
}

/// One VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    /// Ethertype that announces the tag: 0x8100, 0x88a8 or 0x9100.
    pub tpid: u16,
    /// Priority, drop eligibility and VLAN identifier.
    pub tci: u16,
}

impl Tag {
    /// VLAN identifier, twelve bits; 0 in a tag that states a priority only.
    #[inline]
    #[must_use]
    pub const fn vid(self) -> u16 {
        self.tci & 0x0fff
    }

    /// Priority code point, three bits.
    #[inline]
    #[must_use]
    pub const fn pcp(self) -> u8 {
        self.tci.to_be_bytes()[0] >> 5
    }
}

/// The VLAN tags of a frame, at most two. `inner` is set only where `outer` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Tags {
    /// The tag next to the addresses.
    pub outer: Option<Tag>,
    /// The tag behind it.
    pub inner: Option<Tag>,
}

impl Tags {
    /// The tags that name a VLAN. A tag with VID 0 states a priority, and its frame counts as
    /// untagged at that level (802.1Q §6.9); so is it answered.
    #[inline]
    #[must_use]
    pub fn without_priority(self) -> Self {
        let names_vlan = |tag: &Tag| tag.vid() != 0;
        let inner = self.inner.filter(names_vlan);
        match self.outer.filter(names_vlan) {
            Some(outer) => Self {
                outer: Some(outer),
                inner,
            },
            None => Self {
                outer: inner,
                inner: None,
            },
        }
    }

    /// The VLANs, outer and inner; tags with VID 0 left out.
    #[inline]
    #[must_use]
    pub fn vids(self) -> (Option<u16>, Option<u16>) {
        let tags = self.without_priority();
        (tags.outer.map(Tag::vid), tags.inner.map(Tag::vid))
    }

    /// Octets that the tags take in a frame.
    #[inline]
    #[must_use]
    pub fn wire_len(self) -> usize {
        4 * self.iter().count()
    }

    #[inline]
    fn iter(self) -> impl Iterator<Item = Tag> {
        self.outer.into_iter().chain(self.inner)
    }

    /// Adds a tag behind those that are there.
    #[inline]
    fn push(&mut self, tag: Tag) -> Result<(), Malformed> {
        match (self.outer, self.inner) {
            (None, _) => self.outer = Some(tag),
            (Some(_), None) => self.inner = Some(tag),
            (Some(_), Some(_)) => return Err(Malformed::TooManyTags),
        }
        Ok(())
    }
}

/// A frame, borrowed from the buffer it arrived in.
#[derive(Debug, Clone, Copy)]
pub struct Ethernet<'a> {
    addresses: &'a [u8; 12],
    tags: Tags,
    ethertype: u16,
    header_len: usize,
    payload: &'a [u8],
}

impl<'a> Ethernet<'a> {
    /// Reads addresses, tags and ethertype.
    ///
    /// # Errors
    ///
    /// Refuses a frame that ends within them, and one with three tags.
    #[inline]
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        const CUT: Malformed = Malformed::EthernetTruncated;
        let (addresses, mut rest) = octets.split_first_chunk().ok_or(CUT)?;
        let mut tags = Tags::default();
        loop {
            let (&word, behind) = rest.split_first_chunk().ok_or(CUT)?;
            let ethertype = u16::from_be_bytes(word);
            if !matches!(
                ethertype,
                ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD
            ) {
                let header_len = octets.len() - behind.len();
                return Ok(Self {
                    addresses,
                    tags,
                    ethertype,
                    header_len,
                    payload: behind,
                });
            }
            let (&tci, behind) = behind.split_first_chunk().ok_or(CUT)?;
            tags.push(Tag {
                tpid: ethertype,
                tci: u16::from_be_bytes(tci),
            })?;
            rest = behind;
        }
    }

    /// The frame as it was before the device took its outer tag off.
    ///
    /// # Errors
    ///
    /// Refuses a frame that has three tags then.
    #[inline]
    pub fn with_stripped(self, outer: Option<Tag>) -> Result<Self, Malformed> {
        let Some(outer) = outer else { return Ok(self) };
        let mut tags = Tags {
            outer: Some(outer),
            inner: None,
        };
        for tag in self.tags.iter() {
            tags.push(tag)?;
        }
        Ok(Self { tags, ..self })
    }

    /// Destination address.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> Mac {
        Mac(field::octets::<0, 6, 12>(self.addresses))
    }

    /// Source address.
    #[inline]
    #[must_use]
    pub fn src(&self) -> Mac {
        Mac(field::octets::<6, 6, 12>(self.addresses))
    }

    /// VLAN tags, as they were on the wire.
    #[inline]
    #[must_use]
    pub const fn tags(&self) -> Tags {
        self.tags
    }

    /// Ethertype behind the tags; below 0x0600 it is the length of an 802.3 frame.
    #[inline]
    #[must_use]
    pub const fn ethertype(&self) -> u16 {
        self.ethertype
    }

    /// Octets behind the ethertype, padding of short frames included.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Octets in the buffer before the payload; a stripped tag is not in the buffer.
    #[inline]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        self.header_len
    }
}

/// Octets of a header with these tags.
#[inline]
#[must_use]
pub fn header_len(tags: Tags) -> usize {
    14 + tags.wire_len()
}

/// Writes a header to the front of `buf` and returns its length; `None` if `buf` is too short.
#[inline]
#[must_use]
pub fn write(buf: &mut [u8], dst: Mac, src: Mac, tags: &Tags, ethertype: u16) -> Option<usize> {
    let len = header_len(*tags);
    let (addresses, mut rest) = buf.get_mut(..len)?.split_first_chunk_mut::<12>()?;
    field::put::<0, 6, 12>(addresses, dst.0);
    field::put::<6, 6, 12>(addresses, src.0);
    for tag in tags.iter() {
        let (word, behind) = rest.split_first_chunk_mut::<4>()?;
        field::put::<0, 2, 4>(word, tag.tpid.to_be_bytes());
        field::put::<2, 2, 4>(word, tag.tci.to_be_bytes());
        rest = behind;
    }
    *rest.first_chunk_mut()? = ethertype.to_be_bytes();
    Some(len)
}

#[cfg(test)]
mod tests;
