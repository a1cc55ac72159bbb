//! A page of the arena: blocks of one size, cut from the front and given back in any order.

/// Octets of a page that hold blocks.
pub(super) const BLOCKS: usize = 4080;

/// Octets in front of a block's content: its length.
pub(super) const HEADER: usize = 2;

/// Sizes of blocks, multiples of 4, chosen to leave little of [`BLOCKS`] over. The first is for a
/// hardware address alone, the second for 16 octets of option 82, the last for 512 of them and a
/// hardware address.
pub(super) const SIZES: [u16; 18] = [
    12, 20, 28, 40, 48, 60, 80, 96, 120, 136, 168, 204, 240, 272, 340, 408, 508, 580,
];

/// The most octets of one block's content.
pub(super) const MAX_BLOB: usize = 580 - HEADER;

/// Handles are in units of 4 octets.
pub(super) const UNIT: usize = 4;

/// 4 KiB of the arena.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub struct Page {
    /// Index into `SIZES` of the blocks.
    pub(super) class: u16,
    /// Blocks in use.
    pub(super) used: u16,
    /// First free block in units, plus 1; 0 if none. It holds the next one in its first octets.
    free: u16,
    /// Octets from here on were never used.
    fresh: u16,
    /// Neighbours in the chain of pages with room, or of pages of no class; index plus 1.
    pub(super) next: u32,
    pub(super) prev: u32,
    blocks: [u8; BLOCKS],
}

const _: () = assert!(size_of::<Page>() == 4096);

impl Page {
    /// An unused page; all its octets are zero.
    pub const EMPTY: Self = Self {
        class: 0,
        used: 0,
        free: 0,
        fresh: 0,
        next: 0,
        prev: 0,
        blocks: [0; BLOCKS],
    };

    /// Cuts a page that holds nothing into blocks of `class`.
    pub(super) fn cut(&mut self, class: u16) {
        self.class = class;
        self.used = 0;
        self.free = 0;
        self.fresh = 0;
    }

    fn size(&self) -> usize {
        SIZES
            .get(usize::from(self.class))
            .map_or(BLOCKS, |size| usize::from(*size))
    }

    pub(super) fn has_room(&self) -> bool {
        self.free != 0 || usize::from(self.fresh) + self.size() <= BLOCKS
    }

    /// Takes a block out and says where it begins.
    pub(super) fn take(&mut self) -> Option<usize> {
        let at = if let Some(unit) = self.free.checked_sub(1) {
            let at = usize::from(unit) * UNIT;
            self.free = u16::from_le_bytes(*self.blocks.get(at..)?.first_chunk()?);
            at
        } else {
            let at = usize::from(self.fresh);
            let end = at + self.size();
            if end > BLOCKS {
                return None;
            }
            self.fresh = u16::try_from(end).ok()?;
            at
        };
        self.used += 1;
        Some(at)
    }

    pub(super) fn give_back(&mut self, at: usize) -> Option<()> {
        let link = self.blocks.get_mut(at..)?.first_chunk_mut()?;
        *link = self.free.to_le_bytes();
        self.free = u16::try_from(at / UNIT + 1).ok()?;
        self.used = self.used.saturating_sub(1);
        Some(())
    }

    pub(super) fn content(&self, at: usize) -> Option<&[u8]> {
        let (header, rest) = self.blocks.get(at..)?.split_first_chunk()?;
        rest.get(..usize::from(u16::from_le_bytes(*header)))
    }

    /// Makes the block's content `len` octets long, of which the old ones are not kept.
    pub(super) fn resized(&mut self, at: usize, len: usize) -> Option<&mut [u8]> {
        let (header, rest) = self.blocks.get_mut(at..)?.split_first_chunk_mut()?;
        *header = u16::try_from(len).ok()?.to_le_bytes();
        rest.get_mut(..len)
    }
}

/// The class of blocks for `len` octets of content.
pub(super) fn class_for(len: usize) -> Option<u16> {
    let class = SIZES.partition_point(|size| usize::from(*size) < len.saturating_add(HEADER));
    u16::try_from(class).ok().filter(|_| class < SIZES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_has_the_smallest_block_that_holds_it() {
        assert!(SIZES.is_sorted());
        for len in 0..=MAX_BLOB {
            let class = usize::from(class_for(len).unwrap());
            assert!(usize::from(SIZES[class]) >= len + HEADER);
            assert!(class == 0 || usize::from(SIZES[class - 1]) < len + HEADER);
        }
        assert_eq!(class_for(MAX_BLOB + 1), None);
        assert_eq!(class_for(usize::MAX), None);
        assert!(SIZES.iter().all(|size| usize::from(*size) % UNIT == 0));
    }

    #[test]
    fn a_page_gives_out_whole_blocks_and_takes_them_back() {
        let mut page = Page::EMPTY;
        page.cut(1);
        let blocks = (0..)
            .map_while(|_: u32| page.take())
            .collect::<std::vec::Vec<_>>();
        assert_eq!(
            (blocks.len(), page.used, page.has_room()),
            (204, 204, false)
        );
        assert!(blocks.windows(2).all(|pair| pair[0] + 20 == pair[1]));
        for at in &blocks {
            page.give_back(*at);
        }
        assert_eq!((page.used, page.take()), (0, blocks.last().copied()));
    }
}
