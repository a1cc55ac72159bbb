//! Another appliance takes a group of addresses while batches are in flight: what is of that group
//! is not acknowledged any more, and everything else goes on.

use crate::cluster::{Cluster, GROUPS, IN_FLIGHT, wait};
use crate::frames::{Client, client};
use crate::rig::{Rig, Sent};
use dhcp_proto::group::GroupSet;
use dhcp_proto::record::{Cause, Journal as _, Origin, Record, RecordKind};
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{Tag, Tags};
use lessor::dataplane::counters::Group;
use lessor::store::ring::ring;
use lessor::store::{CommitOptions, Committer, Stopped};
use std::net::Ipv4Addr;
use std::time::Duration;

const UNTAGGED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);
const BESIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 50);
const TAGGED: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 50);

fn group(addr: Ipv4Addr) -> u16 {
    GROUPS.of(0, addr)
}

fn options() -> CommitOptions {
    CommitOptions {
        patience: Duration::from_millis(50),
        ..CommitOptions::default()
    }
}

/// The worker of a rig, committed by an engine of several appliances.
struct World {
    rig: Rig,
    cluster: Cluster,
    committer: Committer,
}

fn tags() -> Tags {
    let tag = |tpid, tci| Some(Tag { tpid, tci });
    Tags {
        outer: tag(0x88a8, 200),
        inner: tag(0x8100, 30),
    }
}

/// A client of the link that `addr` is on.
fn client_for(n: u8, addr: Ipv4Addr) -> Client {
    let mut client = client(n);
    if addr.octets()[1] == 2 {
        client.tags = tags();
    }
    client
}

impl World {
    /// One whose time is recorded, so that nothing is in flight.
    fn new() -> Self {
        let mut groups = [UNTAGGED, BESIDE, TAGGED].map(group);
        groups.sort_unstable();
        assert_eq!(groups, [0, 1, 2], "each address is of another group");
        let mut rig = Rig::new();
        let cluster = Cluster::default();
        cluster.answer(1);
        let drains = vec![rig.take_drain()];
        let committer = Committer::start(cluster.engine(), drains, options()).unwrap();
        wait("the time", || committer.stats().commits == 1);
        Self {
            rig,
            cluster,
            committer,
        }
    }

    fn offered(&mut self, n: u8, addr: Ipv4Addr) -> Ipv4Addr {
        self.rig.send(&client_for(n, addr).discover_for(addr));
        let offer = self.rig.reply();
        assert_eq!(offer.kind, MessageType::Offer);
        offer.yiaddr
    }

    fn request(&mut self, n: u8, addr: Ipv4Addr) {
        self.rig.send(&client_for(n, addr).request(addr));
    }

    /// A REQUEST whose record is in a batch of its own.
    fn submitted(&mut self, n: u8, addr: Ipv4Addr) {
        let before = self.cluster.in_flight();
        self.request(n, addr);
        wait("a batch", || self.cluster.in_flight() == before + 1);
    }

    /// Lets the worker poll until it has answered or dropped `replies` in all.
    fn settle(&mut self, replies: usize) -> Vec<Sent> {
        let before = self.rig.count(Group::Drops, "fenced");
        let mut sent = Vec::new();
        wait("replies", || {
            self.rig.pass(0);
            sent.extend(self.rig.replies());
            let fenced = self.rig.count(Group::Drops, "fenced") - before;
            sent.len() + usize::try_from(fenced).unwrap() >= replies
        });
        sent
    }

    fn fenced(&self) -> (u64, u64) {
        let count = |group| self.rig.count(group, "fenced");
        (count(Group::Drops), count(Group::Silences))
    }

    /// Nobody has the group of `addr` any more, and this appliance takes it.
    fn take_over(&mut self, addr: Ipv4Addr) {
        self.cluster.give_back(group(addr));
        let groups = GroupSet::EMPTY.with(group(addr));
        self.committer.readmit(groups);
        wait("the group", || self.cluster.is_readmitted(group(addr)));
    }
}

fn acked(replies: &[Sent]) -> Vec<Ipv4Addr> {
    assert!(replies.iter().all(|reply| reply.kind == MessageType::Ack));
    let mut addrs: Vec<_> = replies.iter().map(|reply| reply.yiaddr).collect();
    addrs.sort_unstable();
    addrs
}

#[test]
fn a_group_fenced_in_flight_is_not_acknowledged_and_the_others_are() {
    let mut world = World::new();
    for (n, addr) in (1..).zip([UNTAGGED, BESIDE, TAGGED]) {
        assert_eq!(world.offered(n, addr), addr);
        world.submitted(n, addr);
    }
    assert_eq!(world.cluster.in_flight(), IN_FLIGHT);
    world.cluster.take(group(BESIDE));
    world.rig.pass(100);
    assert!(world.rig.replies().is_empty(), "no answer has come");

    world.cluster.answer(IN_FLIGHT);
    let sent = world.settle(3);
    assert_eq!(acked(&sent), [UNTAGGED, TAGGED]);
    assert_eq!(world.fenced(), (1, 0));
    assert!(!world.cluster.has(BESIDE) && world.cluster.has(UNTAGGED));
}

#[test]
fn repeated_requests_of_a_fenced_group_stay_unanswered_until_it_comes_back() {
    let mut world = World::new();
    for (n, addr) in (1..).zip([UNTAGGED, BESIDE]) {
        world.offered(n, addr);
        world.submitted(n, addr);
    }
    world.cluster.take(group(BESIDE));
    world.cluster.answer(2);
    assert_eq!(acked(&world.settle(2)), [UNTAGGED]);

    world.request(2, BESIDE);
    world.rig.send(&client(2).renew(BESIDE));
    world.rig.send(&client(2).release(BESIDE));
    world.rig.send(&client(2).discover());
    world.request(3, BESIDE);
    assert!(
        world.rig.replies().is_empty(),
        "neither ACK nor NAK nor OFFER"
    );
    assert_eq!(world.fenced(), (1, 5));
    world.request(1, UNTAGGED);
    assert_eq!(
        acked(&world.rig.replies()),
        [UNTAGGED],
        "others are repeated"
    );
    assert_eq!(world.cluster.in_flight(), 0, "nothing was written");

    world.take_over(BESIDE);
    wait("a record", || {
        world.request(2, BESIDE);
        assert!(world.rig.replies().is_empty(), "its record was refused");
        world.cluster.in_flight() == 1
    });
    world.cluster.answer(1);
    assert_eq!(acked(&world.settle(1)), [BESIDE]);
    assert!(world.cluster.has(BESIDE));
    world.request(2, BESIDE);
    assert_eq!(acked(&world.rig.replies()), [BESIDE], "it is durable now");
}

#[test]
fn an_address_of_a_fenced_group_is_not_offered_and_another_is() {
    let mut world = World::new();
    assert_eq!(world.offered(1, UNTAGGED), UNTAGGED);
    world.cluster.take_and_tell(group(UNTAGGED));
    wait("the loss", || {
        world.rig.send(&client(9).request(UNTAGGED));
        world.fenced().1 > 0
    });
    drop(world.rig.replies());
    // What it was offered is another's now, and so is all of its subnet.
    let other = world.offered(1, UNTAGGED);
    assert_eq!(group(other), group(BESIDE));
    assert_eq!(group(world.offered(2, UNTAGGED)), group(BESIDE));
    world.submitted(1, other);
    world.cluster.answer(1);
    assert_eq!(acked(&world.settle(1)), [other]);
}

#[test]
fn a_fence_that_rises_and_falls_between_two_polls_is_not_missed() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover_for(BESIDE));
    rig.send(&client(1).request(BESIDE));
    assert_eq!(rig.replies().len(), 1, "an offer");
    let lost = GroupSet::EMPTY.with(group(BESIDE));
    rig.drain().fence(GROUPS, lost);
    rig.drain().refuse(lost, 1);
    rig.drain().publish(1);
    rig.drain().readmit(lost);
    rig.pass(1);
    assert!(rig.replies().is_empty(), "its record is nowhere");
    assert_eq!(rig.count(Group::Drops, "fenced"), 1);
    rig.send(&client(1).request(BESIDE));
    assert!(rig.replies().is_empty(), "written anew");
    assert_eq!(rig.commit(), 2, "the refused one and the new one");
    assert_eq!(acked(&rig.replies()), [BESIDE]);
}

#[test]
fn an_answer_that_got_lost_is_asked_for_again() {
    let mut world = World::new();
    world.offered(1, UNTAGGED);
    world.submitted(1, UNTAGGED);
    world.cluster.lose_answers(2);
    world.cluster.answer(2);
    wait("two repeats", || world.cluster.repeated() == 2);
    world.rig.pass(10);
    assert!(world.rig.replies().is_empty(), "written, but nobody knows");
    world.cluster.answer(1);
    assert_eq!(acked(&world.settle(1)), [UNTAGGED]);
}

fn record(addr: Ipv4Addr) -> Record<'static> {
    Record {
        kind: RecordKind::Active,
        cause: Cause::Unsaid,
        space: 0,
        addr,
        generation: 1,
        time: 5,
        expiry: 6,
        lease: 1,
        origin: Origin::default(),
        giaddr: Ipv4Addr::UNSPECIFIED,
        identity: &[1],
        htype: 1,
        chaddr: &[],
        agent_info: &[],
    }
}

#[test]
fn two_rings_pass_over_what_was_refused_and_both_workers_know() {
    let cluster = Cluster::default();
    cluster.answer(1);
    let ((mut one, drain_one), (mut two, drain_two)) = (ring(64), ring(64));
    let drains = vec![drain_one, drain_two];
    let committer = Committer::start(cluster.engine(), drains, options()).unwrap();
    wait("the time", || committer.stats().commits == 1);
    for addr in [UNTAGGED, BESIDE] {
        one.append(&record(addr));
    }
    wait("a batch", || cluster.in_flight() == 1);
    two.append(&record(TAGGED));
    wait("another", || cluster.in_flight() == 2);
    cluster.take(group(BESIDE));
    cluster.answer(2);
    wait("both", || one.durable() == 2 && two.durable() == 1);
    assert!(one.refused(0, BESIDE, 2) && !one.refused(0, UNTAGGED, 1));
    assert!(!two.refused(0, TAGGED, 1) && !two.refused(0, BESIDE, 1));
    for worker in [&one, &two] {
        let fenced = worker.fenced().unwrap();
        assert!(fenced.contains(0, BESIDE));
        assert!(!fenced.contains(0, UNTAGGED) && !fenced.contains(0, TAGGED));
    }
    // What the second worker writes before it has looked is refused too.
    two.append(&record(BESIDE));
    cluster.answer(1);
    wait("it", || two.durable() == 2);
    assert!(two.refused(0, BESIDE, 2));
    assert!(!cluster.has(BESIDE));
    assert_eq!(committer.stop(), Some(Stopped { unwritten: 0 }));
}
