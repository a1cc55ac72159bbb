//! The log in a real directory: what the operator is told.

use super::*;
use crate::store::log::SegmentFile;
use crate::store::log::look::unmoved;
use crate::store::log::{read, verify};
use crate::store::medium::FileMedium;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

fn open_dir(dir: &Path) -> Result<(Recovered, Log), StoreError> {
    Log::open(dir, LogOptions::default())
}

fn commit_one(log: &mut Log, told: Told) {
    let mut batch = Batch::new(log.next_lsn());
    push(&mut batch, told);
    log.submit(batch);
    assert!(log.completed().is_some());
}

#[test]
fn the_directory_is_made_and_nobody_else_may_look_into_it() {
    let parent = tempfile::tempdir().unwrap();
    let dir = parent.path().join("leases");
    let (_, mut log) = open_dir(&dir).unwrap();
    commit_one(&mut log, active(1, 1, 1));
    assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o007, 0);
    let format = fs::read_to_string(dir.join("format")).unwrap();
    assert_eq!(format, "lessor-store 3\n");
    let segment = fs::metadata(dir.join("segment-0000000001.log")).unwrap();
    assert_eq!((segment.mode() & 0o007, segment.len()), (0, 2 * 4096));
}

#[test]
fn a_second_server_is_refused_and_told_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let first = open_dir(dir.path()).unwrap();
    let error = open_dir(dir.path()).unwrap_err();
    let us = std::process::id();
    assert!(matches!(error, StoreError::Locked { pid: Some(pid), .. } if pid == us));
    assert!(error.to_string().contains(&format!("process {us}")));
    drop(first);
    open_dir(dir.path()).unwrap();
}

#[test]
fn a_store_of_a_newer_release_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_dir(dir.path()).unwrap());
    fs::write(dir.path().join("format"), "lessor-store 99\n").unwrap();
    let error = open_dir(dir.path()).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerVersion {
            found: 99,
            known: 3,
            ..
        }
    ));
    assert!(matches!(
        read(dir.path()),
        Err(StoreError::NewerVersion { .. })
    ));
    assert!(matches!(
        verify(dir.path()),
        Err(StoreError::NewerVersion { .. })
    ));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_format_file_that_is_no_such_file_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_dir(dir.path()).unwrap());
    let format = dir.path().join("format");
    for text in [
        "",
        "lessor-store",
        "lessor-store 0",
        "kea 1",
        &"9".repeat(999),
    ] {
        fs::write(&format, text).unwrap();
        assert!(open_dir(dir.path()).is_err(), "{text:?}");
    }
    fs::remove_file(&format).unwrap();
    assert!(matches!(
        open_dir(dir.path()),
        Err(StoreError::Damaged { .. })
    ));
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("leases");
    fs::write(&path, "x").unwrap();
    assert!(matches!(
        open_dir(&path),
        Err(StoreError::NotADirectory { .. })
    ));
    let below = path.join("deeper");
    assert!(matches!(open_dir(&below), Err(StoreError::Missing { .. })));
    let orphan = parent.path().join("no/such/parent");
    let error = open_dir(&orphan).unwrap_err();
    assert!(matches!(error, StoreError::Missing { .. }));
    assert!(error.to_string().contains("make it"));
}

#[test]
fn a_directory_that_takes_no_files_is_refused() {
    // sysfs refuses files even to root.
    let error = open_dir(Path::new("/sys/kernel")).unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
    assert!(error.to_string().contains("mode"));
}

#[test]
fn readers_without_the_lock_see_what_is_durable_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read(dir.path()), Err(StoreError::NoStore { .. })));
    assert!(matches!(
        verify(&dir.path().join("x")),
        Err(StoreError::NoStore { .. })
    ));
    let (_, mut log) = open_dir(dir.path()).unwrap();
    commit_one(&mut log, active(1, 1, 1));
    commit_one(&mut log, active(2, 1, 2));
    let before: Vec<_> = names(dir.path());
    let mut found = Vec::new();
    let recovered = read(dir.path()).unwrap();
    recovered
        .for_each_newest(|lsn, record| found.push((lsn, record.addr.to_bits())))
        .unwrap();
    assert_eq!(found, [(Lsn(1), 1), (Lsn(2), 2)]);
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.batches, report.records), (2, 2));
    assert_eq!((report.faults, report.torn_tail), (vec![], None));
    assert_eq!(names(dir.path()), before);
}

fn names(dir: &Path) -> Vec<(std::ffi::OsString, u64)> {
    let mut names: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), entry.metadata().unwrap().len())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_batch_half_written_is_a_torn_tail_to_verify_and_is_gone_after_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut log) = open_dir(dir.path()).unwrap();
    commit_one(&mut log, active(1, 1, 1));
    commit_one(&mut log, active(2, 1, 2));
    drop(log);
    let segment = dir.path().join("segment-0000000001.log");
    let file = fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.set_len(2 * 4096 + 99).unwrap();
    let torn = verify(dir.path()).unwrap().torn_tail.unwrap();
    assert_eq!((torn.offset, torn.octets), (2 * 4096, 99));
    assert_eq!(torn.file, segment);
    let (recovered, log) = open_dir(dir.path()).unwrap();
    assert_eq!(recovered.summary().torn, Some(torn));
    drop(log);
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.records, report.torn_tail), (1, None));
    assert_eq!(report.faults, []);
}

#[test]
fn a_segment_that_was_never_finished_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_dir(dir.path()).unwrap());
    let unfinished = dir.path().join("segment-0000000002.new");
    fs::write(&unfinished, "x").unwrap();
    drop(open_dir(dir.path()).unwrap());
    assert!(!unfinished.exists());
}

/// A reader that read the last batch where it was, before a new server took it over.
#[test]
fn a_reader_overtaken_by_a_start_is_told_to_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let (_, mut log) = open_dir(dir.path()).unwrap();
    commit_one(&mut log, active(1, 1, 1));
    commit_one(&mut log, active(2, 1, 2));
    drop(log);
    let reader = read(dir.path()).unwrap();
    drop(open_dir(dir.path()).unwrap());
    assert!(reader.for_each_newest(|_, _| {}).is_err());
    let mut found = 0;
    let reader = read(dir.path()).unwrap();
    reader.for_each_newest(|_, _| found += 1).unwrap();
    assert_eq!(found, 2);
}

/// A reader listed the segments, read the newest, and a new server or the next segment came.
#[test]
fn a_reader_sees_that_the_newest_segment_was_cut_but_not_that_another_follows_it() {
    let dir = tempfile::tempdir().unwrap();
    let medium = FileMedium::create(dir.path()).unwrap();
    let options = LogOptions {
        segment_octets: 3 * 4096,
        ..LogOptions::default()
    };
    let (_, mut log) = Log::open(dir.path(), options).unwrap();
    commit_one(&mut log, active(1, 1, 1));
    commit_one(&mut log, active(2, 1, 2));
    let (one, two) = (SegmentFile::plain(1), SegmentFile::plain(2));
    unmoved(&medium, &[one], 3 * 4096).unwrap();
    commit_one(&mut log, active(3, 1, 3));
    unmoved(&medium, &[one], 3 * 4096).unwrap();
    commit_one(&mut log, active(4, 1, 4));
    drop(log);
    drop(open_dir(dir.path()).unwrap());
    // The new server took the last batch of segment 2 over into segment 3.
    unmoved(&medium, &[one, two], 2 * 4096).unwrap();
    let moved = unmoved(&medium, &[one, two], 3 * 4096);
    assert!(matches!(moved, Err(StoreError::Changed { .. })));
}

#[test]
fn a_pipe_by_the_name_of_a_segment_is_refused_and_does_not_hold_the_start_up() {
    let dir = tempfile::tempdir().unwrap();
    drop(open_dir(dir.path()).unwrap());
    let pipe = dir.path().join("segment-0000000009.log");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let error = open_dir(dir.path()).unwrap_err().to_string();
    assert!(error.contains("segment-0000000009.log"), "{error}");
    assert!(read(dir.path()).is_err());
}
