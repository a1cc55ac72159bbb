//! What a worker remembers of its decisions, and what it tells control when that asks.

use crate::frames::{Client, client};
use crate::rig::{DECISIONS, MAX_PARKED, Rig, spec};
use crate::team::{Size, Team};
use dhcp_proto::address::Space;
use dhcp_proto::config::Spec;
use dhcp_proto::limit::{Rate, Rates};
use dhcp_proto::rule::Rule;
use dhcp_proto::server::Silence;
use dhcp_proto::shard::EndedByOperator;
use dhcp_wire::dhcp::MessageType;
use dhcp_wire::ethernet::{Tag, Tags};
use lessor::dataplane::counters::{DropReason, Group};
use lessor::dataplane::desk::Kept;
use lessor::dataplane::trace::{About, Entry, Fate, Said, What};
use std::net::Ipv4Addr;
use std::time::Duration;

fn about(client: &Client) -> About {
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&client.mac.0);
    About::Client {
        chaddr: Some((chaddr, 6)),
        identity: None,
    }
}

/// What a worker knows of a client: what it said and what was decided, the oldest first.
fn known(rig: &mut Rig, client: &Client) -> Vec<(Said, What)> {
    let mut entries = rig.why(&about(client));
    entries.reverse();
    entries
        .iter()
        .map(|entry| (entry.said, entry.what))
        .collect()
}

fn last(rig: &mut Rig, client: &Client) -> Entry {
    *rig.why(&about(client)).first().expect("a decision")
}

#[test]
fn each_decision_about_a_client_is_known_with_its_rule() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    rig.commit();
    rig.pass(1_000_000);
    rig.send(&client(1).renew(addr));
    rig.commit();
    rig.send(&client(2).discover());
    rig.send(&client(1).reboot(Ipv4Addr::new(10, 1, 0, 50)));
    rig.send(&client(1).release(addr));
    assert_eq!(
        known(&mut rig, &client(1)),
        [
            (Said::Discover, What::Offer(Rule::New)),
            (Said::Selecting, What::Ack(Rule::OfferTaken)),
            (Said::Renewing, What::Ack(Rule::Extended)),
            (Said::Rebooting, What::Nak(Rule::WrongNetwork)),
            (Said::Release, What::Silence(Silence::Released)),
        ]
    );
    let entries = rig.why(&About::Address(addr));
    assert_eq!(entries.len(), 4, "the NAK is about another address");
    let ack = entries[1];
    assert_eq!((ack.addr, ack.lease, ack.xid), (addr, 3600, 1));
    assert_eq!(ack.chaddr(), client(1).mac.0);
    assert_eq!(rig.why(&about(&client(3))), []);
}

#[test]
fn what_became_of_an_ack_that_waited_for_the_disk_is_known() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    assert_eq!(last(&mut rig, &client(1)).fate, Fate::Waits);
    rig.pass(300);
    rig.commit();
    let ack = last(&mut rig, &client(1));
    assert_eq!((ack.fate, ack.waited), (Fate::Durable, 300));
    // A repeated one is answered from the binding.
    rig.send(&client(1).request(addr));
    let again = last(&mut rig, &client(1));
    assert_eq!(
        (again.what, again.fate),
        (What::Ack(Rule::Repeated), Fate::Done)
    );
    // One that waits too long, and one whose client goes on.
    rig.send(&client(2).discover());
    let addr = rig.replies().last().unwrap().yiaddr;
    rig.send(&client(2).request(addr));
    rig.pass(2000);
    let late = last(&mut rig, &client(2));
    assert_eq!(late.fate, Fate::Dropped(DropReason::AckTimeout));
    rig.send(&client(2).request(addr));
    rig.send(&client(2).release(addr));
    rig.commit();
    let cancelled = rig.why(&about(&client(2)))[1];
    assert_eq!(cancelled.fate, Fate::Dropped(DropReason::Superseded));
}

#[test]
fn whoever_is_not_served_is_known_with_the_reason() {
    let mut rig = Rig::new();
    let nowhere = Client {
        tags: Tags {
            outer: Some(Tag {
                tpid: 0x8100,
                tci: 999,
            }),
            inner: None,
        },
        ..client(1)
    };
    rig.send(&nowhere.discover());
    rig.send(&client(2).relayed(Ipv4Addr::new(192, 0, 2, 9)).discover());
    rig.send(&client(3).reboot(Ipv4Addr::new(10, 0, 0, 77)));
    assert!(rig.replies().is_empty());
    let lost = last(&mut rig, &client(1));
    assert_eq!(
        (lost.what, lost.outer_vid),
        (What::Dropped(DropReason::NoLink), 999)
    );
    assert_eq!(lost.said, Said::Discover);
    let behind = last(&mut rig, &client(2));
    assert_eq!(behind.what, What::Silence(Silence::UnknownGiaddr));
    assert_eq!(behind.giaddr, Ipv4Addr::new(192, 0, 2, 9));
    assert_eq!(behind.network, Entry::NO_NETWORK);
    let unknown = last(&mut rig, &client(3));
    assert_eq!(unknown.what, What::Silence(Silence::UnknownClient));
    assert_eq!(unknown.addr, Ipv4Addr::new(10, 0, 0, 77));
}

/// A spec in which a client may DISCOVER once in a minute.
fn limited() -> Spec {
    let mut spec = spec();
    let rate = Rate::new(1, Duration::from_mins(1), 1);
    for network in &mut spec.networks {
        network.rules.rates = Rates {
            identity: rate,
            ..Rates::default()
        };
    }
    spec
}

#[test]
fn a_client_that_is_shed_or_too_fast_is_known_too() {
    let mut rig = Rig::on(limited());
    rig.send(&client(1).discover());
    rig.send(&client(1).discover());
    let fast = last(&mut rig, &client(1));
    assert_eq!(fast.what, What::Silence(Silence::IdentityRate));
    let mut rig = Rig::new();
    let many = 0..=u8::try_from(MAX_PARKED).unwrap();
    let offers: Vec<_> = many
        .map(|n| {
            rig.send(&client(n).discover());
            (n, rig.reply().yiaddr)
        })
        .collect();
    for (n, addr) in &offers {
        rig.send(&client(*n).request(*addr));
    }
    let (n, addr) = offers[MAX_PARKED];
    let shed = last(&mut rig, &client(n));
    assert_eq!(shed.what, What::Dropped(DropReason::ShedRequest));
    assert_eq!((shed.said, shed.addr), (Said::Selecting, addr));
}

#[test]
fn a_message_that_does_not_get_to_its_worker_is_known_where_it_was_lost() {
    let size = Size {
        places: 64,
        ..Size::of(2)
    };
    let mut team = Team::new(size, spec());
    let owned = |team: &Team, worker| {
        let mut clients = (0..=255).map(client);
        clients
            .find(|client| team.owner_of(client) == worker)
            .unwrap()
    };
    let far = owned(&team, 1);
    // Worker 1 does not look, and worker 0 goes on receiving.
    for _ in 0..64 {
        team.give(0, &far.clone().discover().frame());
        team.poll(0);
    }
    assert!(team.count(Group::Drops, "shed_discover") > 0);
    let entries = team.why(0, &about(&far));
    assert!(entries.len() > 10, "{entries:?}");
    let shed = What::Dropped(DropReason::ShedDiscover);
    assert!(
        entries
            .iter()
            .all(|entry| entry.what == shed && entry.xid == far.xid)
    );
    assert_eq!(team.why(1, &about(&far)), [], "it knows of none yet");
    // What waited in the ring for so long that the client has repeated it.
    team.now.0 += 4000;
    team.poll(1);
    let stale = team.why(1, &about(&far));
    assert_eq!(stale[0].what, What::Dropped(DropReason::ShedStale));
    team.give(0, &far.discover().frame());
    team.settle();
    team.replies();
    let offered = team.why(1, &about(&owned(&team, 1)));
    assert_eq!(offered[0].what, What::Offer(Rule::New));
    team.is_sound();
}

#[test]
fn the_oldest_decisions_make_room_and_questions_cost_no_more_than_a_few_looks() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    for _ in 0..DECISIONS {
        rig.send(&client(2).discover());
    }
    rig.replies();
    assert_eq!(rig.why(&about(&client(1))), [], "it was long ago");
    assert_eq!(rig.why(&about(&client(2))).len(), DECISIONS);
}

#[test]
fn a_lease_that_an_operator_ends_is_durable_before_it_is_told_and_its_ack_does_not_leave() {
    let mut rig = Rig::new();
    rig.send(&client(1).discover());
    let addr = rig.reply().yiaddr;
    rig.send(&client(1).request(addr));
    let (ended, view) = rig.control(|desk| desk.end(Space(0), addr, None).unwrap());
    let EndedByOperator::Ended { sequence, .. } = ended else {
        panic!("{ended:?}")
    };
    assert_eq!(view.unwrap().chaddr(), client(1).mac.0);
    let kept = |rig: &mut Rig| rig.control(|desk| desk.kept(sequence, Space(0), addr).unwrap());
    assert_eq!(kept(&mut rig), Kept::Waits);
    assert_eq!(rig.commit(), 2);
    assert!(rig.replies().is_empty(), "the ACK was cancelled");
    assert_eq!(kept(&mut rig), Kept::Durable);
    assert_eq!(rig.count(Group::Drops, "superseded"), 1);
    let (again, _) = rig.control(|desk| desk.end(Space(0), addr, None).unwrap());
    assert_eq!(again, EndedByOperator::NoLease);
    assert_eq!(
        known(&mut rig, &client(1)),
        [
            (Said::Discover, What::Offer(Rule::New)),
            (Said::Selecting, What::Ack(Rule::OfferTaken)),
            (Said::Nothing, What::Ended),
        ]
    );
    let ack = rig.why(&about(&client(1)))[1];
    assert_eq!(ack.fate, Fate::Dropped(DropReason::Superseded));
    rig.send(&client(2).discover_for(addr));
    let offer = rig.reply();
    assert_eq!((offer.kind, offer.yiaddr), (MessageType::Offer, addr));
}
