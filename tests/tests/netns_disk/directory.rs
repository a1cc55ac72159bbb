//! The directory of the store goes away under the server.

use lessor_tests::disk::{Disk, Plan, may_make_disks};

use crate::site::{Site, line};

const PLAN: Plan = Plan {
    ram: 160,
    size: 96,
    options: "errors=remount-ro",
};

/// The directory goes, and what it says; then it comes back, and the same server goes on.
fn comes_back(gone: impl Fn(&Disk) + Sync, back: impl Fn(&Disk) + Sync) {
    if !may_make_disks() {
        return;
    }
    let mut site = Site::new(PLAN, 1000);
    for _ in 0..3 {
        site.load(4000, |under| {
            under.acks(500);
            gone(under.disk);
            under.alarm();
            under.silence();
        });
        let alarm = line(&site.server, "store.failed");
        let says = alarm.contains("not where it was") || alarm.contains("No such file");
        assert!(alarm.contains("ERROR") && says, "{alarm}");
        site.offers();
        site.load(4000, |under| {
            let recovered = under.server.events("store.recovered").len();
            back(under.disk);
            under
                .server
                .wait_for_events("store.recovered", recovered + 1);
            under.acks(500);
        });
    }
    site.report("back three times");
    site.kill();
    site.restart();
}

#[test]
fn a_directory_that_is_renamed_away_is_missed_and_used_again_when_it_is_back() {
    comes_back(
        |disk| drop(disk.sh("mv \"$1/store\" \"$1/elsewhere\"")),
        |disk| drop(disk.sh("mv \"$1/elsewhere\" \"$1/store\"")),
    );
}

#[test]
fn a_disk_that_is_unmounted_is_missed_and_used_again_when_it_is_back() {
    // The server has files open: the disk goes from its place, not from the kernel. What is
    // mounted again is the same file system on the same device.
    comes_back(
        |disk| {
            drop(disk.sh("findmnt -n -o SOURCE \"$1\" >\"$0/device\"; umount --lazy \"$1\""));
        },
        |disk| drop(disk.sh("mount \"$(cat \"$0/device\")\" \"$1\"")),
    );
}

#[test]
fn a_directory_that_is_removed_is_missed() {
    if !may_make_disks() {
        return;
    }
    let mut site = Site::new(PLAN, 1000);
    site.load(4000, |under| {
        under.acks(500);
        under.disk.sh("rm -r \"$1/store\"");
        under.alarm();
        under.silence();
    });
    let alarm = line(&site.server, "store.failed");
    let says = alarm.contains("not where it was") || alarm.contains("No such file");
    assert!(alarm.contains("ERROR") && says, "{alarm}");
    site.offers();
}
