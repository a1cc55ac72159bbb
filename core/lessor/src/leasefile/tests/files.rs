//! How an export gets its name.

use std::io::{self, Write as _};

use super::*;
use crate::leasefile::{ExportError, to_file};

#[test]
fn a_file_has_its_name_when_it_is_whole_and_not_before() {
    let scene = Scene::new();
    let file = scene.path("leases.csv");
    let part = scene.path("leases.csv.part");
    fs::write(&file, "old").unwrap();
    let count = to_file(&file, |mut out| {
        out.write_all(b"new")?;
        assert!(part.exists());
        assert_eq!(fs::read_to_string(&file)?, "old");
        Ok((7, out))
    });
    assert_eq!(count.unwrap(), 7);
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert!(!part.exists());
}

#[test]
fn an_export_that_fails_leaves_the_old_file_and_no_part() {
    let scene = Scene::new();
    let file = scene.path("leases.csv");
    fs::write(&file, "old").unwrap();
    // What a killed export left is in nobody's way.
    fs::write(scene.path("leases.csv.part"), "half of something longer").unwrap();
    let failed = to_file(&file, |mut out| {
        out.write_all(b"half")?;
        let error: Result<((), _), _> = Err(io::Error::from(io::ErrorKind::StorageFull).into());
        error.map(|((), ())| ((), out))
    });
    assert!(
        matches!(failed, Err(ExportError::NotWritten(_))),
        "{failed:?}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    assert!(!scene.path("leases.csv.part").exists());
}

#[test]
fn two_exports_to_one_file_do_not_mix() {
    let scene = Scene::new();
    let file = scene.path("leases.csv");
    to_file(&file, |mut out| {
        let second = to_file(&file, |out| Ok(((), out)));
        assert!(matches!(second, Err(ExportError::InUse(_))), "{second:?}");
        out.write_all(b"first")?;
        Ok(((), out))
    })
    .unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "first");
}

#[test]
fn a_device_is_written_and_not_replaced_and_a_link_stays_one() {
    let null = Path::new("/dev/null");
    to_file(null, |mut out| {
        out.write_all(b"gone")?;
        Ok(((), out))
    })
    .unwrap();
    assert!(!fs::metadata(null).unwrap().is_file());
    let scene = Scene::new();
    let (file, link) = (scene.path("file"), scene.path("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    to_file(&link, |mut out| {
        out.write_all(b"new")?;
        Ok(((), out))
    })
    .unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
}

#[test]
fn a_file_that_cannot_be_made_is_told() {
    let failed = to_file(Path::new("/nowhere/leases"), |out| Ok(((), out)));
    assert!(
        matches!(failed, Err(ExportError::NotMade { .. })),
        "{failed:?}"
    );
}
