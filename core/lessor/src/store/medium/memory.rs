//! A simulated disk: keeps any subset of what was not synced when the power goes, and forgets
//! what a failed sync could not write while it still reads it back.

#![allow(
    clippy::unwrap_used,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::missing_panics_doc,
    reason = "a medium of tests"
)]

use super::{Locking, Medium, MediumFile};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes at once.
pub const SECTOR: usize = 512;

/// One file: what is read, what would be there after a power cut, and which sectors are owed.
#[derive(Debug, Default, Clone)]
struct Inode {
    cached: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
    len_dirty: bool,
}

type Names = BTreeMap<String, usize>;

/// What goes wrong next.
#[derive(Debug, Default, Clone, Copy)]
pub struct Faults {
    /// So many writes fail, each after half of its octets.
    pub writes: usize,
    /// So many syncs of files fail.
    pub syncs: usize,
    /// So many syncs of the directory fail.
    pub dir_syncs: usize,
    /// So many new files cannot be made.
    pub creates: usize,
    /// So many reads fail.
    pub reads: usize,
    /// After so many that do not.
    pub reads_before: usize,
    /// After so many changes of anything the power is gone, and nothing changes any more.
    pub power_after: Option<usize>,
}

#[derive(Debug, Default)]
struct Disk {
    inodes: Vec<Inode>,
    names: Names,
    durable_names: Names,
    faults: Faults,
    locked: bool,
    syncs: usize,
    /// Octets that all files may have together; no bound if 0.
    capacity: usize,
    /// The directory has been moved away.
    gone: bool,
}

/// A directory on the simulated disk; clones are the same disk.
#[derive(Debug, Default, Clone)]
pub struct MemoryMedium(Arc<Mutex<Disk>>);

/// An open file on the simulated disk.
#[derive(Debug)]
pub struct MemoryFile {
    disk: MemoryMedium,
    inode: usize,
}

/// The lock of a simulated disk.
#[derive(Debug)]
pub struct MemoryLock(MemoryMedium);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

impl MemoryMedium {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// From here on these go wrong.
    pub fn fail(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// What still goes wrong.
    pub fn faults(&self) -> Faults {
        self.disk().faults
    }

    /// How often a file was synced.
    pub fn syncs(&self) -> usize {
        self.disk().syncs
    }

    /// Bounds what all files may have together.
    pub fn set_capacity(&self, octets: usize) {
        self.disk().capacity = octets;
    }

    /// Moves the directory away, or back.
    pub fn set_gone(&self, gone: bool) {
        self.disk().gone = gone;
    }

    /// Octets of all files, in whole blocks.
    pub fn used(&self) -> usize {
        self.disk().used()
    }

    /// The disk as another machine finds it: of what was not synced, `keep` says what stays.
    pub fn after_power_cut(&self, mut keep: impl FnMut() -> bool) -> Self {
        self.after_torn_power_cut(|| if keep() { SECTOR } else { 0 })
    }

    /// The same, and of each sector the first octets may be new and the others old: `fate` says
    /// how many are new.
    pub fn after_torn_power_cut(&self, mut fate: impl FnMut() -> usize) -> Self {
        let mut disk = self.disk().copy();
        for inode in &mut disk.inodes {
            inode.cut(&mut fate);
        }
        let mut keep = || fate() > SECTOR / 2;
        let mut names = disk.durable_names.clone();
        for (name, inode) in &disk.names {
            if names.get(name) != Some(inode) && keep() {
                names.insert(name.clone(), *inode);
            }
        }
        for name in disk.durable_names.keys() {
            if !disk.names.contains_key(name) && keep() {
                names.remove(name);
            }
        }
        disk.names.clone_from(&names);
        disk.durable_names = names;
        Self(Arc::new(Mutex::new(disk)))
    }

    /// The disk as the next process finds it, the machine having stayed on.
    pub fn after_kill(&self) -> Self {
        Self(Arc::new(Mutex::new(self.disk().copy())))
    }

    /// The names of its segments, oldest first.
    pub fn segments(&self) -> Vec<String> {
        let disk = self.disk();
        let segments = disk.names.keys().filter(|name| name.contains(".log"));
        segments.cloned().collect()
    }

    /// What a file holds.
    pub fn content(&self, name: &str) -> Vec<u8> {
        let disk = self.disk();
        disk.inodes[disk.names[name]].cached.clone()
    }

    /// Changes a file as no process would; what is there then is durable.
    pub fn alter(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.disk();
        let inode = disk.names[name];
        let inode = &mut disk.inodes[inode];
        change(&mut inode.cached);
        inode.durable.clone_from(&inode.cached);
        inode.dirty.clear();
    }

    /// Puts a file there as no process would; it is durable.
    pub fn put(&self, name: &str, content: &[u8]) {
        if !self.disk().names.contains_key(name) {
            drop(self.create(name).unwrap());
            self.sync_dir().unwrap();
        }
        self.alter(name, |octets| {
            octets.splice(.., content.iter().copied()).for_each(drop);
        });
    }

    fn file(&self, inode: usize) -> MemoryFile {
        MemoryFile {
            disk: self.clone(),
            inode,
        }
    }
}

impl Disk {
    fn used(&self) -> usize {
        let inodes = self.names.values().map(|inode| &self.inodes[*inode]);
        inodes
            .map(|inode| inode.cached.len().next_multiple_of(4096))
            .sum()
    }

    /// How far a file may grow that has `len` octets.
    fn room(&self, len: usize) -> usize {
        if self.capacity == 0 {
            return usize::MAX;
        }
        len.next_multiple_of(4096) + self.capacity.saturating_sub(self.used())
    }

    /// The disk without what has no name any more.
    fn copy(&self) -> Self {
        let names = self.names.values().chain(self.durable_names.values());
        let alive: BTreeSet<usize> = names.copied().collect();
        let inode = |(at, inode): (usize, &Inode)| {
            if alive.contains(&at) {
                inode.clone()
            } else {
                Inode::default()
            }
        };
        Self {
            capacity: self.capacity,
            inodes: self.inodes.iter().enumerate().map(inode).collect(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            ..Self::default()
        }
    }

    /// One change more; refused once the power is gone.
    fn powered(&mut self) -> io::Result<()> {
        match &mut self.faults.power_after {
            Some(0) => Err(io::Error::from_raw_os_error(5)),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn inode_of(&self, name: &str) -> io::Result<usize> {
        let inode = self.names.get(name).copied();
        inode.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Whether this one fails.
fn fails(left: &mut usize) -> bool {
    let fails = *left > 0;
    *left = left.saturating_sub(1);
    fails
}

impl Inode {
    fn write(&mut self, octets: &[u8], offset: usize) {
        if octets.is_empty() {
            return;
        }
        let end = offset + octets.len();
        if end > self.cached.len() {
            self.cached.resize(end, 0);
            self.len_dirty = true;
        }
        self.cached[offset..end].copy_from_slice(octets);
        self.dirty.extend(offset / SECTOR..end.div_ceil(SECTOR));
    }

    fn truncate(&mut self, len: usize) {
        self.cached.resize(len, 0);
        self.len_dirty = true;
        self.dirty.retain(|sector| *sector < len.div_ceil(SECTOR));
        if !len.is_multiple_of(SECTOR) {
            self.dirty.insert(len / SECTOR);
        }
    }

    fn keep(&mut self, sector: usize, octets: usize) {
        let from = sector * SECTOR;
        let to = (from + octets).min(self.cached.len()).max(from);
        if to > self.durable.len() {
            self.durable.resize(to, 0);
        }
        self.durable[from..to].copy_from_slice(&self.cached[from..to]);
    }

    fn sync(&mut self) {
        for sector in std::mem::take(&mut self.dirty) {
            self.keep(sector, SECTOR);
        }
        self.durable.resize(self.cached.len(), 0);
        self.len_dirty = false;
    }

    fn cut(&mut self, fate: &mut impl FnMut() -> usize) {
        for sector in std::mem::take(&mut self.dirty) {
            let octets = fate();
            if octets > 0 {
                self.keep(sector, octets);
            }
        }
        if self.len_dirty && fate() > SECTOR / 2 {
            self.durable.resize(self.cached.len(), 0);
        }
        self.len_dirty = false;
        self.cached.clone_from(&self.durable);
    }
}

impl Medium for MemoryMedium {
    type File = MemoryFile;
    type Lock = MemoryLock;

    fn dir(&self) -> &Path {
        Path::new("/simulated")
    }

    fn lock(&self, _name: &str, pid: u32) -> io::Result<Locking<MemoryLock>> {
        let mut disk = self.disk();
        if disk.locked {
            return Ok(Locking::Held(Some(pid)));
        }
        disk.locked = true;
        Ok(Locking::Taken(MemoryLock(self.clone())))
    }

    fn create(&self, name: &str) -> io::Result<MemoryFile> {
        let mut disk = self.disk();
        disk.powered()?;
        if fails(&mut disk.faults.creates) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = disk.inodes.len();
        disk.inodes.push(Inode::default());
        disk.names.insert(name.to_owned(), inode);
        Ok(self.file(inode))
    }

    fn open(&self, name: &str) -> io::Result<MemoryFile> {
        let inode = self.disk().inode_of(name)?;
        Ok(self.file(inode))
    }

    fn reopen(&self, name: &str) -> io::Result<MemoryFile> {
        self.open(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.disk().names.keys().cloned().collect())
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.powered()?;
        disk.inode_of(name)?;
        disk.names.remove(name);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.powered()?;
        let inode = disk.inode_of(from)?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn truncate(&self, name: &str, len: u64) -> io::Result<()> {
        self.open(name)?.truncate(len)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.powered()?;
        if fails(&mut disk.faults.dir_syncs) {
            return Err(io::Error::from_raw_os_error(5));
        }
        disk.durable_names = disk.names.clone();
        Ok(())
    }

    fn space(&self) -> io::Result<u64> {
        Ok(self.disk().room(0) as u64)
    }

    fn is_in_place(&self) -> bool {
        !self.disk().gone
    }
}

impl MediumFile for MemoryFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        if !fails(&mut disk.faults.reads_before) && fails(&mut disk.faults.reads) {
            return Err(io::Error::from_raw_os_error(5));
        }
        let from = usize::try_from(offset).unwrap();
        let octets = disk.inodes[self.inode].cached.get(from..);
        let octets = octets.and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(octets.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_all_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.powered()?;
        let offset = usize::try_from(offset).unwrap();
        let fails = fails(&mut disk.faults.writes);
        let room = disk.room(disk.inodes[self.inode].cached.len());
        let full = octets.len() > room.saturating_sub(offset);
        let octets = if full {
            &octets[..room.saturating_sub(offset)]
        } else if fails {
            &octets[..octets.len() / 2]
        } else {
            octets
        };
        disk.inodes[self.inode].write(octets, offset);
        if fails || full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.powered()?;
        disk.syncs += 1;
        if fails(&mut disk.faults.syncs) {
            disk.inodes[self.inode].dirty.clear();
            return Err(io::Error::from_raw_os_error(5));
        }
        disk.inodes[self.inode].sync();
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.powered()?;
        disk.inodes[self.inode].truncate(usize::try_from(len).unwrap());
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.powered()?;
        let len = usize::try_from(len).unwrap();
        let has = disk.inodes[self.inode].cached.len();
        if len > disk.room(has) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.inodes[self.inode].truncate(len.max(has));
        Ok(())
    }

    fn forget_cache(&self) {}

    fn links(&self) -> io::Result<u64> {
        let disk = self.disk.disk();
        let ours = disk.names.values().filter(|inode| **inode == self.inode);
        Ok(ours.count() as u64)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.disk().inodes[self.inode].cached.len() as u64)
    }
}
