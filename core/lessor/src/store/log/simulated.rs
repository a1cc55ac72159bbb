//! The housekeeper without its thread, for a simulation that decides when it works.

use super::house::{Housekeeper, Step};
use super::recovery::Recovered;
use super::writer::Log;
use crate::store::medium::memory::MemoryMedium;
use core::fmt;

/// The upkeep of a log on a simulated disk.
pub struct Upkeep(Housekeeper<MemoryMedium>);

impl Upkeep {
    /// The upkeep of `log`, which had `recovered`.
    #[must_use]
    pub fn new(log: &mut Log<MemoryMedium>, recovered: Recovered<MemoryMedium>) -> Self {
        Self(log.housekeeper(recovered))
    }

    /// Does the next thing that is to be done; whether there was any. How long commits took is
    /// no matter here, and neither is how long ago something failed.
    pub fn step(&mut self) -> bool {
        self.0.retry_now();
        loop {
            match self.0.step() {
                Step::Worked => return true,
                Step::Yielded => {}
                Step::Idle | Step::Ended => return false,
            }
        }
    }

    /// Sees whether there is room for a reserve.
    pub fn look_around(&mut self) {
        self.0.look_around();
    }
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upkeep").finish_non_exhaustive()
    }
}
