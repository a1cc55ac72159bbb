use super::*;
use std::sync::atomic::Ordering;

fn open(path: &Path, max_size: u64, keep: u32) -> (LogFile, Arc<Meter>) {
    let meter = Arc::new(Meter::default());
    let file = LogFile::open(path, max_size, keep, Arc::clone(&meter)).unwrap();
    (file, meter)
}

fn put(file: &mut LogFile, line: &str) {
    file.line(|out| out.extend_from_slice(format!("{line}\n").as_bytes()));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn lines_are_appended_to_what_is_there_and_the_folder_is_made() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log").join("leases.jsonl");
    for line in ["one", "two"] {
        let (mut file, meter) = open(&path, 1000, 3);
        put(&mut file, line);
        file.flush().unwrap();
        assert_eq!(meter.written.load(Ordering::Relaxed), 1);
    }
    assert_eq!(read(&path), "one\ntwo\n");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777 & !0o640, 0);
}

#[test]
fn a_file_that_is_full_is_rotated_before_a_line_is_split_and_the_oldest_goes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let (mut file, meter) = open(&path, 10, 2);
    for line in ["aaa", "bbb", "ccc", "ddd", "eee", "fff", "ggg"] {
        put(&mut file, line);
    }
    file.flush().unwrap();
    assert_eq!(read(&path), "ggg\n");
    assert_eq!(read(&file.rotated(1)), "eee\nfff\n");
    assert_eq!(read(&file.rotated(2)), "ccc\nddd\n");
    assert!(!file.rotated(3).exists());
    assert_eq!(meter.rotations.load(Ordering::Relaxed), 3);
    assert_eq!(meter.written.load(Ordering::Relaxed), 7);
    assert_eq!(file.lines(), 0);
}

#[test]
fn a_line_longer_than_a_file_may_be_has_one_to_itself() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let (mut file, _) = open(&path, 4, 9);
    for line in ["a", "long, much too long"] {
        put(&mut file, line);
        file.flush().unwrap();
    }
    assert_eq!(read(&file.rotated(1)), "a\n");
    assert_eq!(read(&path), "long, much too long\n");
}

#[test]
fn a_renamed_removed_or_cut_file_is_noticed_by_its_name() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let aside = place.path().join("aside");
    let (mut file, _) = open(&path, 1000, 3);
    let mut write = |line: &str| {
        file.look_now().unwrap();
        put(&mut file, line);
        file.flush().unwrap();
        file.open.octets
    };
    write("one");
    fs::rename(&path, &aside).unwrap();
    write("two");
    assert_eq!(
        (read(&aside).as_str(), read(&path).as_str()),
        ("one\n", "two\n")
    );
    fs::remove_file(&path).unwrap();
    write("three");
    assert_eq!(read(&path), "three\n");
    File::create(&path).unwrap();
    assert_eq!(write("four"), 5);
    assert_eq!(read(&path), "four\n");
}

#[test]
fn a_full_disk_keeps_lines_waiting_up_to_a_bound_and_the_rest_is_counted() {
    let (mut file, meter) = open(Path::new("/dev/full"), 1 << 30, 3);
    let long = "x".repeat(1 << 20);
    for _ in 0..10 {
        put(&mut file, &long);
        let error = file.flush().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
    assert!(file.waiting.len() <= MOST_WAITING + long.len() + 1);
    let lost = meter.lost_file.load(Ordering::Relaxed);
    assert!(lost > 0 && lost + file.lines() == 10, "{lost}");
    drop(file);
    assert_eq!(meter.lost_file.load(Ordering::Relaxed), 10);
    assert_eq!(meter.written.load(Ordering::Relaxed), 0);
}

#[test]
fn what_a_full_disk_took_of_a_line_is_cut_off_again() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let (mut file, meter) = open(&path, 1000, 3);
    for line in ["one", "two", "three"] {
        put(&mut file, line);
    }
    // As if the disk had taken two lines and a piece.
    file.open.file.write_all(b"one\ntwo\nth").unwrap();
    file.taken(10);
    assert_eq!(read(&path), "one\ntwo\n");
    assert_eq!((file.lines(), file.open.octets), (1, 8));
    file.flush().unwrap();
    assert_eq!(read(&path), "one\ntwo\nthree\n");
    assert_eq!(meter.written.load(Ordering::Relaxed), 3);
}

#[test]
fn where_a_torn_line_cannot_be_cut_off_the_next_one_begins_anew() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let (mut file, _) = open(&path, 1000, 3);
    put(&mut file, "whole");
    file.open.file.write_all(b"who").unwrap();
    file.open.regular = false;
    file.taken(3);
    file.flush().unwrap();
    assert_eq!(read(&path), "who\nwhole\n");
}

#[test]
fn a_name_that_cannot_be_rotated_to_does_not_stop_the_log() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("log");
    let (mut file, meter) = open(&path, 4, 1);
    // A folder that is not empty has the name.
    fs::create_dir_all(file.rotated(1).join("there")).unwrap();
    for line in ["aaa", "bbb", "ccc"] {
        put(&mut file, line);
    }
    file.flush().unwrap_err();
    assert_eq!(read(&path), "aaa\nbbb\nccc\n");
    assert_eq!(file.lines(), 0);
    assert_eq!(meter.rotations.load(Ordering::Relaxed), 0);
}
