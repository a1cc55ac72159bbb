//! Power loss: ext4 is shut down in mid-load, and nothing reaches the disk any more.

use lessor_tests::disk::{Plan, may_make_disks};

use crate::site::Site;

const ROUNDS: u32 = 8;

#[test]
fn every_ack_outlives_a_power_loss() {
    if !may_make_disks() {
        return;
    }
    let plan = Plan {
        ram: 160,
        size: 96,
        options: "errors=remount-ro",
    };
    let mut site = Site::new(plan, 500);
    for round in 0..ROUNDS {
        site.load(1000, |under| {
            under.acks(1000 + u64::from(round) * 111);
            // A sync that runs during the call may succeed falsely: that is the kernel's doing.
            under.traffic.doubt();
            under.disk.shut_down();
            under.server.kill();
        });
        site.report(&format!("power loss {round}"));
        site.disk.unmount();
        site.disk.mount();
        site.server.verify_store();
        site.held.verify(&site.server);
        site.restart();
    }
}
