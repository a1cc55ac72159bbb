//! Disks without a free block.

use std::thread;
use std::time::Duration;

use lessor_tests::disk::{Plan, may_make_disks};
use lessor_tests::wait;

use crate::site::{SEGMENT, Site, Under, line, newest_segment};

const PLAN: Plan = Plan {
    ram: 160,
    size: 96,
    options: "errors=remount-ro",
};

/// Takes every block that a merge frees, until there is nothing left to free.
fn starve(under: &mut Under<'_>) {
    wait::until_true("a store that cannot help itself", || {
        let before = under.traffic.acks();
        under.disk.fill();
        thread::sleep(Duration::from_millis(500));
        under.is_failing() && under.traffic.acks() == before
    });
}

#[test]
fn a_disk_that_somebody_keeps_full_stops_acks_alone_and_only_as_long_as_it_is_full() {
    if !may_make_disks() {
        return;
    }
    let mut site = Site::new(PLAN, 2000);
    site.load(10_000, |under| {
        under.acks(2000);
        starve(under);
        under.silence();
    });
    let alarm = line(&site.server, "store.failed");
    assert!(
        alarm.contains("ERROR") && alarm.contains("No space left"),
        "{alarm}"
    );
    site.offers();
    site.report("starved");
    // Killed and started again while it is full.
    site.kill();
    // Where the ballast has even what was held in reserve, the start says so.
    if site
        .server
        .restart_unless("is full; free some space and start again")
    {
        site.held.verify(&site.server);
        site.offers();
        site.report("started while full");
    } else {
        site.disk.free();
        site.server.restart();
    }
    site.load(10_000, |under| {
        under.disk.free();
        under.acks(2000);
        assert!(!under.is_failing());
    });
    site.report("freed");
    site.kill();
    site.restart();
}

#[test]
fn a_full_disk_that_was_emptied_is_served_from_without_a_restart() {
    if !may_make_disks() {
        return;
    }
    let mut site = Site::new(PLAN, 2000);
    for _ in 0..3 {
        site.load(10_000, |under| {
            starve(under);
            let recovered = under.server.events("store.recovered").len();
            under.disk.free();
            under
                .server
                .wait_for_events("store.recovered", recovered + 1);
            under.acks(2000);
            assert!(!under.is_failing());
        });
    }
    site.report("emptied three times");
    site.kill();
    site.restart();
}

#[test]
fn a_full_disk_is_compacted_and_renewals_go_on() {
    if !may_make_disks() {
        return;
    }
    let mut site = Site::new(PLAN, 2000);
    site.load(0, |under| {
        under.acks(1000);
        under.disk.fill();
        // Far more than there was room for.
        under.acks(20_000);
    });
    site.report("filled once");
    site.offers();
    site.kill();
    site.disk.free();
    site.restart();
}

#[test]
fn a_small_disk_is_compacted_for_ever() {
    if !may_make_disks() {
        return;
    }
    let small = Plan { size: 16, ..PLAN };
    let mut site = Site::new(small, 3000);
    // The active segment, the reserve, and two in a merge; what lives is less than another.
    site.disk.leave(4 * SEGMENT);
    let first = newest_segment(&site.disk);
    let written = site.load(0, |under| {
        let written = |under: &Under<'_>| (newest_segment(under.disk) - first) * SEGMENT;
        while written(under) < (8 * u64::from(small.size)) << 20 {
            under.acks(1000);
        }
        written(under)
    });
    site.report(&format!(
        "{} MiB written to {} MiB",
        written >> 20,
        small.size
    ));
    site.kill();
    site.restart();
}
