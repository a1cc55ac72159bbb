//! RFC 2131 §3.1 step 4: nothing is acknowledged that is not on disk.

use crate::frames::client;
use crate::rig::{MAX_PARKED, Rig};
use dhcp_wire::dhcp::MessageType;
use lessor::dataplane::counters::Group;
use lessor::store::ring::Halt;

#[test]
fn c042_an_ack_leaves_when_its_record_is_durable_and_not_before() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let offer = rig.reply();
    assert_eq!(offer.kind, MessageType::Offer, "an offer does not wait");
    rig.send(&client(1).request(offer.yiaddr));
    for _ in 0..10 {
        rig.pass(100);
        assert!(
            rig.replies().is_empty(),
            "acknowledged before it was durable"
        );
    }
    assert_eq!(rig.commit(), 1);
    let ack = rig.reply();
    assert_eq!((ack.kind, ack.yiaddr), (MessageType::Ack, offer.yiaddr));
}

#[test]
fn a_repeated_request_waits_for_the_record_of_the_first_and_writes_none() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    rig.send(&client(1).request(addr));
    assert!(rig.replies().is_empty());
    assert_eq!(rig.commit(), 1, "one record for both");
    // The newer REQUEST cancels the older reply.
    assert_eq!(rig.reply().kind, MessageType::Ack);
    assert_eq!(rig.count(Group::Drops, "superseded"), 1);
    rig.send(&client(1).request(addr));
    assert_eq!(rig.reply().kind, MessageType::Ack, "it is durable: at once");
}

#[test]
fn a_release_cancels_the_parked_ack() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    rig.send(&client(1).release(addr));
    assert_eq!(rig.commit(), 2);
    assert!(rig.replies().is_empty());
    assert_eq!(rig.count(Group::Drops, "superseded"), 1);
}

#[test]
fn an_ack_that_waited_two_seconds_is_dropped_and_counted() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    rig.pass(1999);
    assert_eq!(rig.count(Group::Drops, "ack_timeout"), 0);
    rig.pass(1);
    assert_eq!(rig.count(Group::Drops, "ack_timeout"), 1);
    rig.commit();
    assert!(
        rig.replies().is_empty(),
        "the client has asked again by now"
    );
    // It has: the binding is there, and durable.
    rig.send(&client(1).request(addr));
    assert_eq!(rig.reply().kind, MessageType::Ack);
}

#[test]
fn requests_beyond_max_parked_are_shed_and_offers_go_on() {
    let mut rig = Rig::new();
    // Clients with a lease, which has its record.
    let leased = [101, 102].map(|n| {
        rig.send(&client(n).discover());
        let addr = rig.reply().yiaddr;
        rig.send(&client(n).request(addr));
        rig.commit();
        (n, rig.reply().yiaddr)
    });
    rig.pass(60_000);
    let mut addrs = Vec::new();
    for n in 0..=u8::try_from(MAX_PARKED).unwrap() {
        rig.send(&client(n).discover());
        addrs.push(rig.reply().yiaddr);
    }
    // One eighth is left to renewals.
    for (n, addr) in (0..).zip(&addrs) {
        rig.send(&client(n).request(*addr));
    }
    assert_eq!(rig.count(Group::Drops, "shed_request"), 2);
    for (shed, (n, addr)) in (0..).zip(leased) {
        rig.send(&client(n).renew(addr));
        assert_eq!(rig.count(Group::Drops, "shed_renewal"), shed);
    }
    rig.send(&client(99).discover());
    assert_eq!(rig.reply().kind, MessageType::Offer);
    assert_eq!(rig.commit(), MAX_PARKED);
    assert_eq!(rig.replies().len(), MAX_PARKED);
}

#[test]
fn a_full_journal_changes_nothing_and_offers_go_on() {
    let mut rig = Rig::new();
    rig.drain().halt(Halt::Failing, true);
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    assert!(rig.replies().is_empty());
    assert_eq!(rig.count(Group::Silences, "journal_full"), 1);
    rig.drain().halt(Halt::Failing, false);
    rig.send(&client(1).request(addr));
    assert_eq!(rig.commit(), 1);
    assert_eq!(rig.reply().kind, MessageType::Ack);
}

#[test]
fn the_latency_of_each_reply_is_counted_and_that_of_durable_ones_apart() {
    let mut rig = Rig::new();
    let counts = |rig: &Rig| {
        let latency = rig.counters.latency();
        [&latency.direct, &latency.durable].map(|one| one.view().count())
    };
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    assert_eq!(counts(&rig), [1, 0]);
    rig.send(&client(1).request(addr));
    assert_eq!(counts(&rig), [1, 0], "it has not left");
    rig.commit();
    assert_eq!(rig.reply().kind, MessageType::Ack);
    assert_eq!(counts(&rig), [1, 1]);
    rig.send(&client(1).request(addr));
    assert_eq!(rig.reply().kind, MessageType::Ack, "it is durable: at once");
    assert_eq!(counts(&rig), [2, 1]);
    rig.send(&client(1).release(addr));
    assert_eq!(counts(&rig), [2, 1], "a RELEASE has no reply");
}
