//! Huge pages for the run, given back at its end.

use std::fs;
use std::path::Path;

const POOL: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";

/// Pages beyond those that were reserved before; they are given back when this is dropped.
#[derive(Debug)]
pub(crate) struct HugePages {
    before: Option<u64>,
}

impl HugePages {
    /// Has the kernel reserve at least `wanted` pages of 2 MiB, as far as it can.
    pub(crate) fn reserve(wanted: u64) -> Self {
        let before = reserved().filter(|pages| *pages < wanted);
        if before.is_some() {
            set(wanted);
        }
        Self { before }
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            set(before);
        }
    }
}

/// Pages of 2 MiB that are reserved.
pub(crate) fn reserved() -> Option<u64> {
    fs::read_to_string(POOL).ok()?.trim().parse().ok()
}

/// A wish: rows say on what pages they stand.
fn set(pages: u64) {
    if Path::new(POOL).exists() {
        drop(fs::write(POOL, pages.to_string()));
    }
}
