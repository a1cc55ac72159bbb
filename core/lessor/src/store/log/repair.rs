//! `lessor store repair`: says what a start would refuse and what would be lost, and makes a store
//! of what can be read.
//!
//! Each damaged or missing segment is replaced by a merged one with the records of it that are
//! sound, so that the chain holds again. A copy of what is replaced stays in the directory as
//! `damaged-…`. A repair may end at any point and be begun again.

use super::chain::{Chain, Link, MAX_SEGMENT, chain, segment_files};
use super::frame::{self, FrameKind};
use super::open;
use super::salvage::{Salvaged, likely_salt, salvage};
use super::scan::Scan;
use super::segment::{BLOCK, BLOCK_LEN, Merged, Predecessor, SegmentFile, SegmentHeader};
use super::snapshot::SNAPSHOT;
use super::writer::random;
use super::{Fault, What};
use crate::store::StoreError;
use crate::store::batch::{Batch, HEADROOM};
use crate::store::encode::Lsn;
use crate::store::medium::{FileMedium, Medium, MediumFile};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Most octets of records in a batch of a replacement.
const SLICE: usize = 1 << 20;

/// What is wrong with a store, and what a repair does about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is replaced, oldest first.
    pub replaced: Vec<Replacement>,
    /// The file `format` is written anew.
    pub format: bool,
    /// The snapshot may speak of what is lost, and is set aside.
    pub snapshot: bool,
}

/// One or more segments that are replaced by what is sound of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Why, and where.
    pub faults: Vec<Fault>,
    /// The files, of which copies are kept; none if they are missing.
    pub files: Vec<SegmentFile>,
    /// What takes their place.
    pub by: SegmentFile,
    /// Records that are saved.
    pub saved: u64,
    /// Records that are lost, as far as can be told: of segments that were merged before only
    /// how many of their octets are unreadable is known.
    pub lost: u64,
    /// Octets of records that are unreadable.
    pub lost_octets: u64,
    /// The numbers between which all of them lie.
    pub lsns: (Lsn, Lsn),
}

impl Plan {
    /// Whether there is nothing to repair.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replaced.is_empty() && !self.format
    }
}

/// What a repair of the store in `dir` would do. Changes nothing.
///
/// # Errors
/// There is no store, a server has it open, or it cannot be repaired.
pub fn plan(dir: &Path) -> Result<Plan, StoreError> {
    let medium = FileMedium::existing(dir)?;
    let _lock = open::lock(&medium)?;
    Ok(Repair::new(&medium)?.plan)
}

/// Repairs the store in `dir`, and says what it did.
///
/// # Errors
/// As [`plan`], or the disk does not take it; then it can be begun again.
pub fn repair(dir: &Path) -> Result<Plan, StoreError> {
    let medium = FileMedium::existing(dir)?;
    let _lock = open::lock(&medium)?;
    repair_on(&medium)
}

pub(super) fn repair_on<M: Medium>(medium: &M) -> Result<Plan, StoreError> {
    let repair = Repair::new(medium)?;
    repair.apply().map_err(|source| StoreError::Io {
        what: "repair",
        file: medium.dir().to_owned(),
        source,
    })?;
    Ok(repair.plan)
}

struct Repair<'m, M: Medium> {
    medium: &'m M,
    plan: Plan,
    /// Header and records of each replacement.
    contents: Vec<(SegmentHeader, BTreeMap<Lsn, Vec<u8>>)>,
}

/// A stretch of the chain.
enum Stretch<'c, F> {
    /// A segment with a sound first block.
    Link(&'c Link<F>),
    /// Segments up to this number that are missing, or whose first block is unreadable.
    Hole(u64),
}

/// Where the chain has come to: what the next segment follows.
#[derive(Clone, Copy)]
struct Behind {
    predecessor: Option<Predecessor>,
    /// The number due; `None` at the bottom, where any may be the first.
    due: Option<Lsn>,
}

impl<'m, M: Medium> Repair<'m, M> {
    fn new(medium: &'m M) -> Result<Self, StoreError> {
        let files = segment_files(medium)?;
        let format = match open::require_version(medium, !files.is_empty()) {
            Err(StoreError::Damaged { .. }) if !files.is_empty() => true,
            result => result.map(|()| false)?,
        };
        let chain = chain(medium, &files)?;
        if let Some(fault) = chain.faults.iter().find(|f| f.what == What::Foreign) {
            return Err(fault.refuse(medium.dir()));
        }
        let mut repair = Self {
            medium,
            plan: Plan {
                format,
                ..Plan::default()
            },
            contents: Vec::new(),
        };
        repair.walk(&files, &chain)?;
        let snapshot = medium.open(SNAPSHOT).is_ok();
        repair.plan.snapshot = snapshot && !repair.plan.replaced.is_empty();
        Ok(repair)
    }

    fn walk(&mut self, files: &[SegmentFile], chain: &Chain<M::File>) -> Result<(), StoreError> {
        let stretches = stretches(files, chain);
        let mut behind = Behind {
            predecessor: None,
            due: None,
        };
        for (i, stretch) in stretches.iter().enumerate() {
            let next = stretches.get(i + 1).and_then(|next| match next {
                Stretch::Link(link) => Some(link.header.first),
                Stretch::Hole(_) => None,
            });
            let newest = i + 1 == stretches.len() && chain.open_end;
            behind = match stretch {
                Stretch::Link(link) => self.link(chain, link, (behind, next, newest))?,
                Stretch::Hole(id) => self.hole(files, chain, (*id, behind, next))?,
            };
        }
        Ok(())
    }

    /// Looks at a segment with a sound first block, and replaces it if the rest is not.
    fn link(
        &mut self,
        chain: &Chain<M::File>,
        link: &Link<M::File>,
        (behind, next, newest): (Behind, Option<Lsn>, bool),
    ) -> Result<Behind, StoreError> {
        let mut octets = Vec::new();
        link.read(self.medium, &mut octets)?;
        let scan = Scan::of(link, &octets, newest, &mut |_| {});
        let mut faults: Vec<_> = chain.faults.clone();
        faults.retain(|f| f.file == link.header.file() && !matches!(f.what, What::Missing(_)));
        faults.extend(scan.faults.iter().copied());
        // What is missing in front of it is what the one before must stand for.
        let gap = next.is_some_and(|next| next != scan.next);
        if faults.is_empty() && !gap {
            return Ok(Behind {
                predecessor: Some(Predecessor {
                    id: link.header.id,
                    durable_len: link.end,
                }),
                due: Some(scan.next),
            });
        }
        if faults.is_empty() {
            faults.push(Fault::at(link.header.file(), link.end, What::Sequence));
        }
        let salvaged = salvage(&octets, link.header.salt);
        let replacement = Replacement {
            faults,
            files: vec![link.header.file()],
            by: SegmentFile {
                id: link.header.id,
                from: Some(link.header.file().bottom()),
            },
            saved: 0,
            lost: 0,
            lost_octets: 0,
            lsns: (behind.due.unwrap_or(link.header.first), Lsn(0)),
        };
        Ok(self.replace(replacement, salvaged, (behind, next, link.header.store)))
    }

    /// Replaces what cannot be followed, up to segment `id`.
    fn hole(
        &mut self,
        files: &[SegmentFile],
        chain: &Chain<M::File>,
        (id, behind, next): (u64, Behind, Option<Lsn>),
    ) -> Result<Behind, StoreError> {
        let bottom = behind.predecessor.map_or(1, |before| before.id + 1);
        let due =
            |file: &&SegmentFile| (bottom..=id).contains(&file.id) && !chain.void.contains(file);
        let sources: Vec<_> = files.iter().filter(due).copied().collect();
        let mut salvaged = Salvaged::default();
        let mut store = 0;
        for source in &sources {
            let octets = self.read(*source)?;
            let header = octets
                .first_chunk::<BLOCK>()
                .and_then(|block| SegmentHeader::parse(*source, block).ok());
            store = header.map_or(store, |header| header.store);
            let salt = header.map(|header| header.salt).or(likely_salt(&octets));
            if let Some(salt) = salt {
                let more = salvage(&octets, salt);
                salvaged.records.extend(more.records);
                salvaged.lost.extend(more.lost);
                salvaged.last = salvaged.last.max(more.last);
            }
        }
        let named = |fault: &&Fault| {
            let missing = matches!(fault.what, What::Missing(missing) if missing == id);
            missing || sources.contains(&fault.file) && !matches!(fault.what, What::Missing(_))
        };
        let first = behind.due.unwrap_or(Lsn(1));
        let replacement = Replacement {
            faults: chain.faults.iter().filter(named).copied().collect(),
            files: sources,
            by: SegmentFile {
                id,
                from: Some(bottom),
            },
            saved: 0,
            lost: 0,
            lost_octets: 0,
            lsns: (first, Lsn(0)),
        };
        Ok(self.replace(replacement, salvaged, (behind, next, store)))
    }

    fn read(&self, file: SegmentFile) -> Result<Vec<u8>, StoreError> {
        let read = || {
            let opened = self.medium.open(&file.to_string())?;
            let length = opened.len()?.min(MAX_SEGMENT);
            let mut octets = vec![0; usize::try_from(length).unwrap_or(0)];
            opened.read_exact_at(&mut octets, 0)?;
            Ok(octets)
        };
        read().map_err(|source| StoreError::Io {
            what: "read",
            file: self.medium.dir().join(file.to_string()),
            source,
        })
    }

    /// Notes a replacement, and says what follows it.
    fn replace(
        &mut self,
        mut replacement: Replacement,
        salvaged: Salvaged,
        (behind, next, store): (Behind, Option<Lsn>, u64),
    ) -> Behind {
        let (first, _) = replacement.lsns;
        let mut records = salvaged.records;
        records.retain(|lsn, _| *lsn >= first && next.is_none_or(|next| *lsn < next));
        let newest = records
            .last_key_value()
            .map_or(first.before(), |(lsn, _)| *lsn);
        let last = next.map_or(newest.max(salvaged.last), Lsn::before);
        replacement.saved = records.len() as u64;
        let all = last.0.saturating_add(1).saturating_sub(first.0);
        let merged = replacement.files.iter().any(|file| file.from.is_some());
        if !merged {
            replacement.lost = all.saturating_sub(replacement.saved);
        }
        replacement.lost_octets = salvaged.lost.iter().map(|lost| lost.len() as u64).sum();
        replacement.lsns = (first, last);
        let id = replacement.by.id;
        let header = SegmentHeader {
            id,
            salt: 0,
            created: now(),
            first,
            durable: last,
            predecessor: behind.predecessor,
            store,
            merged: Some(Merged {
                from: replacement.by.bottom(),
                length: BLOCK_LEN,
                records: replacement.saved,
            }),
        };
        self.plan.replaced.push(replacement);
        self.contents.push((header, records));
        Behind {
            // How long a merged one is it says itself.
            predecessor: Some(Predecessor {
                id,
                durable_len: BLOCK_LEN,
            }),
            due: Some(last.plus(1)),
        }
    }

    /// Copies first, then what replaces them, then the names.
    fn apply(&self) -> io::Result<()> {
        let medium = self.medium;
        if self.plan.is_empty() {
            return Ok(());
        }
        let mut copied: Vec<_> = self.plan.replaced.iter().flat_map(|r| &r.files).collect();
        copied.dedup();
        let mut names: Vec<_> = copied.iter().map(ToString::to_string).collect();
        names.extend(self.plan.snapshot.then(|| SNAPSHOT.to_owned()));
        for name in &names {
            self.copy(name)?;
        }
        medium.sync_dir()?;
        if self.plan.snapshot {
            medium.unlink(SNAPSHOT)?;
            medium.sync_dir()?;
        }
        if self.plan.format {
            open::write_version(medium).map_err(io::Error::other)?;
        }
        for (header, records) in &self.contents {
            self.write(*header, records)?;
        }
        for (header, _) in &self.contents {
            let name = header.file();
            medium.rename(&name.unfinished_name(), &name.to_string())?;
        }
        medium.sync_dir()?;
        let ours: Vec<_> = self.plan.replaced.iter().map(|r| r.by).collect();
        for file in copied.iter().filter(|file| !ours.contains(file)) {
            medium.unlink(&file.to_string())?;
        }
        medium.sync_dir()
    }

    fn copy(&self, name: &str) -> io::Result<()> {
        let target = format!("damaged-{}-{name}", now());
        let source = self.medium.open(name)?;
        self.medium.remove(&target)?;
        let copy = self.medium.create(&target)?;
        let length = source.len()?;
        let mut window = vec![0; SLICE];
        let mut at = 0;
        while at < length {
            let octets = usize::try_from(length - at).unwrap_or(SLICE).min(SLICE);
            let part = window
                .get_mut(..octets)
                .ok_or(io::ErrorKind::InvalidInput)?;
            source.read_exact_at(part, at)?;
            copy.write_all_at(part, at)?;
            at += octets as u64;
        }
        copy.sync()
    }

    fn write(&self, header: SegmentHeader, records: &BTreeMap<Lsn, Vec<u8>>) -> io::Result<()> {
        let name = header.file().unfinished_name();
        self.medium.remove(&name)?;
        let file = self.medium.create(&name)?;
        let salt = random()?;
        let mut at = BLOCK_LEN;
        let mut batch = Batch::new(header.first);
        let mut flush = |batch: &mut Batch| -> io::Result<()> {
            let durable = batch.first().before();
            let frame = frame::finish(batch, salt, durable, FrameKind::Merged);
            file.write_all_at(frame.octets(), at)?;
            at += frame.octets().len() as u64;
            Ok(())
        };
        for (lsn, record) in records {
            if batch.records().len() + record.len() + HEADROOM > SLICE {
                flush(&mut batch)?;
                batch.reset(*lsn);
            }
            if batch.count() == 0 {
                batch.reset(*lsn);
            }
            batch.push_sealed(record);
        }
        if batch.count() > 0 {
            flush(&mut batch)?;
        }
        let merged = header.merged.map(|merged| Merged {
            length: at,
            ..merged
        });
        let header = SegmentHeader {
            salt,
            merged,
            ..header
        };
        file.write_all_at(&header.to_octets(), 0)?;
        file.sync()
    }
}

/// The chain with its holes, oldest first.
fn stretches<'c, F>(files: &[SegmentFile], chain: &'c Chain<F>) -> Vec<Stretch<'c, F>> {
    let mut stretches = Vec::new();
    let mut reached = 0;
    for link in &chain.links {
        let before = link.header.predecessor.map_or(0, |before| before.id);
        if before > reached {
            stretches.push(Stretch::Hole(before));
        }
        reached = link.header.id;
        stretches.push(Stretch::Link(link));
    }
    // The newest may be the one that is unreadable.
    let newest = files.last().map_or(0, |file| file.id);
    if newest > reached {
        stretches.push(Stretch::Hole(newest));
    }
    stretches
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| now.as_secs())
}
