//! What is done to the files of a store behind its back.

use super::disk::{BLOCK, SNAPSHOT, batches, chunks, mend, number, put, records};
use super::input::Input;
use crate::store::log::SegmentFile;
use crate::store::medium::Medium as _;
use crate::store::medium::memory::MemoryMedium;

/// Numbers in the first block of a segment: where, and how many octets.
const SEGMENT: [(usize, usize); 13] = [
    (0, 8),
    (8, 4),
    (12, 4),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 8),
    (56, 8),
    (64, 8),
    (72, 8),
    (88, 8),
    (96, 8),
];
/// Numbers in the head of a snapshot.
const SNAPSHOT_HEAD: [(usize, usize); 14] = [
    (8, 4),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 8),
    (48, 8),
    (56, 8),
    (64, 8),
    (72, 8),
    (80, 8),
    (88, 8),
    (96, 8),
    (104, 8),
    (116, 2),
];
/// Numbers in the header of a batch.
const BATCH: [(usize, usize); 6] = [(8, 8), (16, 8), (24, 8), (32, 4), (36, 4), (40, 1)];
/// Numbers in a record.
const RECORD: [(usize, usize); 15] = [
    (0, 2),
    (2, 1),
    (3, 1),
    (4, 2),
    (6, 2),
    (8, 4),
    (12, 4),
    (16, 8),
    (24, 8),
    (32, 8),
    (40, 8),
    (50, 1),
    (60, 2),
    (64, 1),
    (62, 2),
];
/// No file is made longer.
const LONGEST: usize = 1 << 18;
/// More files than that are not made.
const MOST_FILES: usize = 64;

/// Does what `step` says to one file of `disk`, or takes it from `copy`.
pub(super) fn apply(step: u8, disk: &MemoryMedium, copy: &MemoryMedium, input: &mut Input<'_>) {
    match step {
        0x40..0x50 => format(disk, input),
        0x50..0x58 => reserve(disk, input),
        0x58..0x60 => put_file(disk, input),
        _ => {
            let names = files(disk);
            let Some(name) = names.get(input.place(names.len())) else {
                return;
            };
            let mended = step & 0x20 == 0;
            match step & 0x1f {
                0..16 => {
                    let change = |octets: &mut Vec<u8>| change(step & 0xf, (name, octets), input);
                    disk.alter(name, change);
                    if mended {
                        disk.alter(name, |octets| mend(name, octets));
                    }
                }
                step => between((step, mended), (disk, copy), name, input),
            }
        }
    }
}

/// All files but the lock.
fn files(disk: &MemoryMedium) -> Vec<String> {
    let mut names = disk.list().unwrap_or_default();
    names.retain(|name| name != "lock" && name != "format");
    names
}

fn change(step: u8, (name, octets): (&str, &mut Vec<u8>), input: &mut Input<'_>) {
    match step {
        0 | 1 => {
            let at = input.offset(octets.len());
            let mask = input.octet().max(1);
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= mask;
            }
        }
        2 => {
            let length = input.offset(octets.len() + 1);
            octets.truncate(length);
        }
        3 => {
            let longer = (octets.len() + input.number()).min(LONGEST);
            octets.resize(longer, input.octet());
        }
        4 => {
            let (from, to) = (input.offset(octets.len()), input.offset(octets.len()));
            let (from, to) = (from / BLOCK * BLOCK, to / BLOCK * BLOCK);
            let block = octets.get(from..from + BLOCK).map(<[u8]>::to_vec);
            if let (Some(block), Some(room)) = (block, octets.get_mut(to..to + BLOCK)) {
                room.copy_from_slice(&block);
            }
        }
        5..9 if name == SNAPSHOT => snapshot(octets, input),
        5..9 => change_number(octets, &SEGMENT, (0, BLOCK), input),
        9 | 10 => {
            let batches = batches(octets);
            if let Some(at) = batches.get(input.place(batches.len())) {
                change_number(octets, &BATCH, (*at, 64), input);
            }
        }
        _ => {
            let batches = batches(octets);
            let batch = batches.get(input.place(batches.len()));
            let records = batch.map(|at| records(octets, *at)).unwrap_or_default();
            if let Some(record) = records.get(input.place(records.len())) {
                change_number(octets, &RECORD, *record, input);
            }
        }
    }
}

/// Gives one of `numbers` in the part at `at` another value.
fn change_number(
    octets: &mut [u8],
    numbers: &[(usize, usize)],
    (at, length): (usize, usize),
    input: &mut Input<'_>,
) {
    let (offset, width) = numbers[input.place(numbers.len())];
    if offset < length {
        let value = input.hostile(number(octets, (at + offset, width)));
        put(octets, (at + offset, width), value);
    }
}

fn snapshot(octets: &mut [u8], input: &mut Input<'_>) {
    let chunks = chunks(octets);
    let place = input.place(chunks.len() + 1);
    let Some((at, length)) = chunks.get(place) else {
        return change_number(octets, &SNAPSHOT_HEAD, (0, 128), input);
    };
    let offset = at + input.offset(length + 12);
    let value = input.hostile(number(octets, (offset, 1)));
    put(octets, (offset, 1), value);
}

/// What concerns names, or two files.
fn between(
    (step, mended): (u8, bool),
    (disk, copy): (&MemoryMedium, &MemoryMedium),
    name: &str,
    input: &mut Input<'_>,
) {
    let names = files(disk);
    match step {
        16 => drop(disk.unlink(name)),
        17 | 18 => {
            let old = files(copy);
            if let Some(name) = old.get(input.place(old.len())) {
                disk.put(name, &copy.content(name));
            }
        }
        19 | 20 => {
            if let Some(other) = names.get(input.place(names.len())) {
                splice(disk, (name, other), mended, input);
            }
        }
        21 => {
            if let Some(other) = names.get(input.place(names.len())) {
                let (one, two) = (disk.content(name), disk.content(other));
                disk.put(name, &two);
                disk.put(other, &one);
            }
        }
        _ => {
            if let Some(file) = SegmentFile::of_name(name)
                && names.len() < MOST_FILES
            {
                let (id, from) = (input.hostile(file.id), input.hostile(file.bottom()));
                let from = (step & 1 == 0).then_some(from);
                let target = SegmentFile { id, from };
                rename(disk, (file, target), mended);
                if step & 2 == 0 {
                    drop(disk.unlink(name));
                }
            }
        }
    }
}

/// Copies blocks from one file into another, as batches of that one if `mended`.
fn splice(disk: &MemoryMedium, (from, to): (&str, &str), mended: bool, input: &mut Input<'_>) {
    let source = disk.content(from);
    let begin = input.offset(source.len()) / BLOCK * BLOCK;
    let end = (begin + BLOCK * (1 + input.place(4))).min(source.len());
    let blocks = source.get(begin..end).unwrap_or_default().to_vec();
    disk.alter(to, |octets| {
        let at = input.offset(octets.len() + 1) / BLOCK * BLOCK;
        octets.truncate(at.max(octets.len().min(LONGEST)));
        let behind = octets.split_off(at.min(octets.len()));
        octets.extend_from_slice(&blocks);
        octets.extend(behind.into_iter().skip(input.place(3) * BLOCK));
        if mended {
            let salt = number(octets, (24, 8));
            for at in batches(octets) {
                put(octets, (at + 8, 8), salt);
            }
            mend(to, octets);
        }
    });
}

/// A copy of a segment under another name, which its header says too if `mended`.
fn rename(disk: &MemoryMedium, (file, target): (SegmentFile, SegmentFile), mended: bool) {
    let name = target.to_string();
    if SegmentFile::of_name(&name).is_none() {
        return;
    }
    let mut octets = disk.content(&file.to_string());
    if mended {
        put(&mut octets, (16, 8), target.id);
        let magic = if target.from.is_some() {
            *b"LESSORMG"
        } else {
            *b"LESSORSG"
        };
        put(&mut octets, (0, 8), u64::from_le_bytes(magic));
        put(&mut octets, (80, 8), target.from.unwrap_or(0));
        let (mut count, mut last) = (0, 0);
        for at in batches(&octets) {
            let kind = if target.from.is_some() { 3 } else { 1 };
            put(&mut octets, (at + 40, 1), kind);
            count += number(&octets, (at + 32, 4));
            last = number(&octets, (at + 16, 8))
                .wrapping_add(count)
                .wrapping_sub(1);
        }
        let whole = target.from.is_some();
        let length = octets.len() as u64;
        put(&mut octets, (88, 8), if whole { length } else { 0 });
        put(&mut octets, (96, 8), if whole { count } else { 0 });
        if whole {
            put(&mut octets, (48, 8), last);
        }
        mend(&name, &mut octets);
    }
    disk.put(&name, &octets);
}

fn format(disk: &MemoryMedium, input: &mut Input<'_>) {
    match input.octet() % 8 {
        0 => drop(disk.unlink("format")),
        1 => disk.put("format", b"lessor-store 1\n"),
        2 => disk.put("format", b"lessor-store 4294967296\n"),
        3 => disk.put("format", input.octets(80)),
        _ => disk.put("format", b"lessor-store 3\n"),
    }
}

fn reserve(disk: &MemoryMedium, input: &mut Input<'_>) {
    let length = input.number().min(LONGEST);
    disk.put("reserve", &vec![input.octet(); length]);
}

/// A file of octets from the input, checksums mended or not.
fn put_file(disk: &MemoryMedium, input: &mut Input<'_>) {
    let (kind, id) = (input.octet(), u64::from(input.octet()));
    let from = Some(id.saturating_sub(u64::from(kind >> 4)));
    let name = match kind % 8 {
        0 | 1 => SegmentFile::plain(id).to_string(),
        2 | 3 => SegmentFile { id, from }.to_string(),
        4 => SNAPSHOT.to_owned(),
        5 => SegmentFile::plain(id).unfinished_name(),
        6 => "snapshot.new".to_owned(),
        _ => "format.new".to_owned(),
    };
    let length = input.number();
    let mut octets = input.octets(length).to_vec();
    if kind & 1 == 0 {
        octets.resize(octets.len().next_multiple_of(BLOCK), 0);
        mend(&name, &mut octets);
    }
    disk.put(&name, &octets);
}
