//! Disks that fail under the file system.

use lessor_tests::disk::{Plan, may_make_disks};

use crate::site::{Site, line};

/// The tmpfs under a disk is full: it cannot be written to, whatever the file system thinks.
fn the_tmpfs_is_filled(options: &'static str) {
    if !may_make_disks() {
        return;
    }
    let plan = Plan {
        ram: 160,
        size: 96,
        options,
    };
    let mut site = Site::new(plan, 2000);
    site.load(20_000, |under| {
        under.acks(1000);
        under.disk.fill_ram();
        // What has been written before can be written again, so a merge may bring the store back
        // for a while: whoever is acknowledged then must be there in the end all the same.
        under.alarm();
    });
    let alarm = line(&site.server, "store.failed");
    assert!(alarm.contains("ERROR"), "{alarm}");
    site.offers();
    site.report(options);
    site.server.kill();
    site.disk.free_ram();
    site.disk.unmount();
    site.disk.repair();
    site.disk.mount();
    site.held.verify(&site.server);
    site.restart();
}

#[test]
fn a_disk_that_fails_to_write_acknowledges_nothing_and_loses_nothing() {
    the_tmpfs_is_filled("errors=remount-ro");
}

#[test]
fn a_disk_that_fails_to_write_and_goes_on_loses_nothing_either() {
    the_tmpfs_is_filled("errors=continue");
}

#[test]
fn a_file_system_that_turns_read_only_stops_acks_and_loses_nothing() {
    if !may_make_disks() {
        return;
    }
    let plan = Plan {
        ram: 160,
        size: 96,
        options: "errors=remount-ro",
    };
    let mut site = Site::new(plan, 2000);
    site.load(20_000, |under| {
        under.acks(1000);
        // A sync that runs during the call may succeed falsely: that is the kernel's doing.
        under.traffic.doubt();
        under.disk.trigger_error();
        under.alarm();
        under.silence();
    });
    let alarm = line(&site.server, "store.failed");
    assert!(alarm.contains("ERROR"), "{alarm}");
    site.offers();
    site.report("read-only");
    site.server.kill();
    site.disk.unmount();
    site.disk.repair();
    site.disk.mount();
    site.held.verify(&site.server);
    site.restart();
}
