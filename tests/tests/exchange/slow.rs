//! A store whose commits do not come back: nobody is told what is not durable, offers go on, the
//! operator is told, and service resumes.

use crate::cluster::{Cluster, wait};
use crate::frames::client;
use crate::rig::Rig;
use dhcp_wire::dhcp::MessageType;
use lessor::dataplane::counters::Group;
use lessor::store::{CommitOptions, Committer, Stopped, TroubleKind, Watcher};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a reply may wait here.
const LIMIT: Duration = Duration::from_millis(50);

struct World {
    rig: Rig,
    cluster: Cluster,
    committer: Committer,
    watcher: Watcher,
}

fn millis() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

impl World {
    fn new() -> Self {
        let mut rig = Rig::new();
        let cluster = Cluster::default();
        cluster.answer(1);
        let drains = vec![rig.take_drain()];
        let options = CommitOptions::default();
        let committer = Committer::start(cluster.engine(), drains, options).unwrap();
        wait("the time", || committer.stats().commits == 1);
        let watcher = committer.watcher(LIMIT);
        Self {
            rig,
            cluster,
            committer,
            watcher,
        }
    }

    fn offered(&mut self, n: u8) -> Ipv4Addr {
        self.rig.send(&client(n).discover());
        let offer = self.rig.reply();
        assert_eq!(offer.kind, MessageType::Offer, "offers go on");
        offer.yiaddr
    }

    /// A client's REQUEST is on its way to the disk when that stops to answer.
    fn slow(&mut self) -> Ipv4Addr {
        let addr = self.offered(1);
        assert_eq!(self.watcher.look(), None);
        let before = millis();
        self.rig.send(&client(1).request(addr));
        wait("the alarm", || self.watcher.look().is_some());
        let trouble = self.committer.trouble().unwrap();
        assert_eq!(trouble.kind, TroubleKind::Slow);
        assert!(
            (before..before + 10_000).contains(&trouble.since),
            "{trouble:?}"
        );
        assert!(trouble.reason.contains("more than 0.05 s"), "{trouble:?}");
        assert_eq!(self.committer.stats().trouble_since, None, "nothing failed");
        addr
    }

    fn is_shed(&mut self) {
        let shed = self.rig.count(Group::Silences, "journal_full");
        let addr = self.offered(2);
        self.rig.send(&client(2).request(addr));
        assert!(self.rig.replies().is_empty(), "not durable");
        assert_eq!(self.rig.count(Group::Silences, "journal_full"), shed + 1);
    }

    /// The disk answers again.
    fn resumes(mut self, addr: Ipv4Addr) {
        wait("the end", || self.watcher.look().is_none());
        assert_eq!(self.committer.trouble(), None);
        wait("the reply", || {
            self.rig.pass(0);
            let replies = self.rig.replies();
            replies
                .iter()
                .any(|r| r.kind == MessageType::Ack && r.yiaddr == addr)
        });
        let addr = self.offered(2);
        self.rig.send(&client(2).request(addr));
        wait("another reply", || {
            self.rig.pass(0);
            !self.rig.replies().is_empty()
        });
        assert_eq!(self.committer.stop(), Some(Stopped { unwritten: 0 }));
    }
}

#[test]
fn a_disk_that_takes_seconds_a_sync_is_noticed_while_the_store_thread_sits_in_it() {
    let mut world = World::new();
    world.cluster.stick(true);
    let addr = world.slow();
    world.is_shed();
    world.rig.pass(1999);
    assert!(world.rig.replies().is_empty());
    world.cluster.stick(false);
    world.cluster.answer(100);
    world.resumes(addr);
}

#[test]
fn an_answer_that_does_not_come_is_noticed_too() {
    let mut world = World::new();
    let addr = world.slow();
    world.is_shed();
    world.rig.pass(1);
    assert!(world.rig.replies().is_empty());
    world.cluster.answer(100);
    world.resumes(addr);
}

#[test]
fn a_reply_that_waited_too_long_for_a_slow_disk_is_dropped_and_the_next_one_is_not() {
    let mut world = World::new();
    let addr = world.slow();
    world.rig.pass(2000);
    assert_eq!(world.rig.count(Group::Drops, "ack_timeout"), 1);
    world.cluster.answer(100);
    wait("the end", || world.watcher.look().is_none());
    world.rig.pass(1);
    assert!(world.rig.replies().is_empty());
    world.rig.send(&client(1).request(addr));
    assert_eq!(world.rig.reply().kind, MessageType::Ack, "it is durable");
}
