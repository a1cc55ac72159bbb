//! Which client was told an address last: what shows that an address has two live clients.

use hugemem::{MapError, slice_with};

/// Addresses of one block: two MiB of numbers.
const BLOCK: u32 = 1 << 19;
const BLOCKS: usize = 1 << 13;

/// No client.
const NOBODY: u32 = u32::MAX;

/// A number for each address, in blocks that are made when the first address in them is told.
#[derive(Debug)]
pub struct Holders {
    blocks: Vec<Option<&'static mut [u32]>>,
    /// Blocks that may yet be made.
    left: u32,
}

/// Addresses lie so far apart that there is no memory for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooScattered;

impl Holders {
    /// Room for the addresses of `clients`, all of them in `range` if one is given: its blocks are
    /// made now.
    ///
    /// # Errors
    ///
    /// [`MapError`] if there is no memory.
    pub fn new(clients: u32, range: Option<(u32, u32)>) -> Result<Self, MapError> {
        let mut holders = Self {
            blocks: core::iter::repeat_with(|| None).take(BLOCKS).collect(),
            left: 64 + clients / BLOCK * 4,
        };
        if let Some((first, last)) = range {
            for block in first / BLOCK..=last / BLOCK {
                if let Some(place) = holders.blocks.get_mut(block as usize) {
                    *place = Some(make()?);
                }
            }
        }
        Ok(holders)
    }

    /// The client that was told `addr` last.
    #[inline]
    #[must_use]
    pub fn of(&self, addr: u32) -> Option<u32> {
        let block = self.blocks.get((addr / BLOCK) as usize)?.as_deref()?;
        let holder = *block.get((addr % BLOCK) as usize)?;
        (holder != NOBODY).then_some(holder)
    }

    /// Notes that `client` is told `addr`.
    ///
    /// # Errors
    ///
    /// [`TooScattered`], and nothing is noted, if no more blocks can be made.
    #[inline]
    pub fn note(&mut self, addr: u32, client: u32) -> Result<(), TooScattered> {
        let block = (addr / BLOCK) as usize;
        let place = self.blocks.get_mut(block).ok_or(TooScattered)?;
        if place.is_none() {
            self.left = self.left.checked_sub(1).ok_or(TooScattered)?;
            *place = Some(make().map_err(|_| TooScattered)?);
        }
        if let Some(holder) = place
            .as_mut()
            .and_then(|b| b.get_mut((addr % BLOCK) as usize))
        {
            *holder = client;
        }
        Ok(())
    }

    /// Has what is known of `addr` in the cache soon.
    #[inline]
    pub fn prefetch(&self, addr: u32) {
        if let Some(Some(block)) = self.blocks.get((addr / BLOCK) as usize) {
            hugemem::prefetch(block, (addr % BLOCK) as usize);
        }
    }
}

fn make() -> Result<&'static mut [u32], MapError> {
    Ok(slice_with(BLOCK as usize, |_| NOBODY)?.slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_told_is_the_holder() {
        let mut holders = Holders::new(10, Some((0x0a00_0000, 0x0a00_ffff))).unwrap();
        assert_eq!(holders.of(0x0a00_0005), None);
        assert_eq!(holders.note(0x0a00_0005, 3), Ok(()));
        assert_eq!(holders.note(0x0a00_0005, 4), Ok(()));
        // Outside of the range, in a block of its own.
        assert_eq!(holders.note(u32::MAX, 7), Ok(()));
        assert_eq!(holders.of(0x0a00_0005), Some(4));
        assert_eq!(holders.of(u32::MAX), Some(7));
        assert_eq!(holders.of(0), None);
    }

    #[test]
    fn a_server_that_scatters_addresses_does_not_take_all_memory() {
        let mut holders = Holders::new(10, None).unwrap();
        let noted = (0..1000).filter(|block| holders.note(block * BLOCK, 1).is_ok());
        assert_eq!(noted.count(), 64);
    }
}
