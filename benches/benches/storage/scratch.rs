//! Directories of the bench.

use lessor_benches::fill::contents;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is gone when this is.
pub(crate) struct Scratch(PathBuf);

/// Where the bench writes.
pub(crate) fn parent() -> PathBuf {
    std::env::var_os("STORE_DIR").map_or_else(std::env::temp_dir, PathBuf::from)
}

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = parent().join(format!("lessor-storage-{}-{number}", std::process::id()));
        fs::create_dir(&dir).expect("a directory for the bench");
        Self(dir)
    }

    /// The same files under other names. Only the newest segment may be written to again, and is
    /// copied.
    pub(crate) fn linked(from: &Path) -> Self {
        let scratch = Self::new();
        let contents = contents(from);
        let newest = contents.iter().rfind(|path| path.extension().is_some());
        for file in contents.iter().chain([&from.join("format")]) {
            let to = scratch.0.join(file.file_name().expect("a file"));
            if Some(file) == newest {
                fs::copy(file, to).expect("a copy");
            } else {
                fs::hard_link(file, to).expect("a link");
            }
        }
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the bench's own directory");
    }
}
