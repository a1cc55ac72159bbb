//! Two clients with one reservation, and what is full: the journal, the table.

use crate::client::{Msg, SERVER, client};
use crate::world::{KEY, Reply, Setup, World, ip, state};
use dhcp_proto::address::AddressState;
use dhcp_proto::config::Reservation;
use dhcp_proto::identity::shard_of;
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

const KEPT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// 10.0.0.50 is kept for the station of client 1, in no pool.
fn reserve(setup: &mut Setup, addr: Ipv4Addr) {
    let client = [2, 1, 2, 0, 0, 0, 0, 1];
    setup.home().reservations = vec![Reservation::new(&client, addr)];
}

fn with_reservation(shards: u16) -> World {
    let mut setup = Setup::default();
    reserve(&mut setup, KEPT);
    setup.shards = shards;
    setup.world()
}

/// The station of client 1 under a client-id, so that among `shards` it is, or is not, on the
/// shard that it is on without one.
fn system(shards: u16, same: bool) -> Msg {
    let of = |identity: &[u8]| shard_of(KEY.hash(identity), shards);
    let plain = of(&[2, 1, 2, 0, 0, 0, 0, 1]);
    let name = (0..=255u8).find(|n| (of(&[1, 0, b's', *n]) == plain) == same);
    client(1).client_id(&[0, b's', name.unwrap()])
}

fn release(n: u8, addr: Ipv4Addr) -> Msg {
    client(n).release().ciaddr(addr).unicast(SERVER)
}

#[test]
fn two_identities_with_one_reservation_take_turns_on_one_shard() {
    let mut world = with_reservation(1);
    assert_eq!(world.lease(&client(1)).yiaddr(), KEPT);
    let system = system(1, true);
    assert_eq!(world.lease(&system).yiaddr(), KEPT);
    let kinds: Vec<_> = world.log.iter().map(|record| record.kind).collect();
    let active = RecordKind::Active;
    assert_eq!(kinds, [active, RecordKind::Ended, active]);
    world.send(client(1).renew(KEPT)).nak();
    world.send(system.renew(KEPT)).ack();
    // And back again.
    assert_eq!(world.lease(&client(1)).yiaddr(), KEPT);
}

#[test]
fn two_identities_with_one_reservation_take_turns_over_shards() {
    let mut world = with_reservation(3);
    let system = system(3, false);
    assert_eq!(world.lease(&client(1)).yiaddr(), KEPT);
    let silence = world.send(system.clone().discover()).silence();
    assert_eq!(silence, Silence::Yielding);
    assert_eq!(world.log.last().unwrap().kind, RecordKind::Ended);
    assert_eq!(state(&world, KEPT), AddressState::Free);
    assert_eq!(world.lease(&system).yiaddr(), KEPT);
    world.send(client(1).renew(KEPT)).nak();
    world.restart();
    world.send(system.renew(KEPT)).ack();
}

#[test]
fn an_offer_yields_too_and_leaves_no_record() {
    let mut world = with_reservation(3);
    world.send(client(1).discover()).offer();
    let system = system(3, false);
    let silence = world.send(system.clone().discover()).silence();
    assert_eq!(silence, Silence::Yielding);
    assert!(world.log.is_empty());
    assert_eq!(world.lease(&system).yiaddr(), KEPT);
}

#[test]
fn without_room_in_the_journal_nobody_yields_a_lease() {
    for (shards, same) in [(1, true), (3, false)] {
        let mut world = with_reservation(shards);
        world.lease(&client(1));
        world.room = false;
        for _ in 0..3 {
            let discover = system(shards, same).discover();
            if let crate::world::Answer::Reply(offer) = world.send(discover) {
                assert_ne!(offer.yiaddr(), KEPT);
            }
            world.pass(4);
        }
        world.room = true;
        assert_eq!(world.log.len(), 1);
        world.send(client(1).renew(KEPT)).ack();
    }
}

#[test]
fn who_uses_anothers_reservation_by_an_older_lease_is_left_and_the_other_is_served() {
    for shards in [1, 3] {
        for n in 2..8 {
            let mut setup = Setup::default();
            setup.shards = shards;
            let mut world = setup.world();
            let addr = world.lease(&client(n)).yiaddr();
            reserve(&mut world.setup, addr);
            world.restart();
            let mut answers = Vec::new();
            for _ in 0..2 {
                answers.push(world.send(client(1).discover()));
                world.pass(4);
            }
            let offer = answers.pop().unwrap().offer();
            assert_ne!(offer.yiaddr(), addr);
            assert_eq!(state(&world, addr), AddressState::Bound);
        }
    }
}

#[test]
fn a_reservation_added_for_a_client_with_a_lease_is_offered_beside_it() {
    let mut world = Setup::default().world();
    let old = world.lease(&client(1)).yiaddr();
    reserve(&mut world.setup, KEPT);
    world.restart();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.yiaddr(), KEPT);
    assert_eq!(state(&world, old), AddressState::Bound);
    // A repeated DISCOVER is offered the same.
    assert_eq!(world.send(client(1).discover()).offer().yiaddr(), KEPT);
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.yiaddr(), KEPT);
    assert_eq!(state(&world, old), AddressState::Free);
    let kinds: Vec<_> = world.log.iter().map(|r| (r.kind, r.addr)).collect();
    let ended = (RecordKind::Ended, old);
    assert_eq!(kinds[1..], [ended, (RecordKind::Active, KEPT)]);
    world.restart();
    world.send(client(1).renew(KEPT)).ack();
    assert_eq!(world.shards[0].counts().active, 1);
}

#[test]
fn an_offer_beside_a_lease_that_is_not_taken_leaves_the_lease() {
    let mut world = Setup::default().world();
    let old = world.lease(&client(1)).yiaddr();
    reserve(&mut world.setup, KEPT);
    world.restart();
    world.send(client(1).discover()).offer();
    world.pass(70);
    assert_eq!(state(&world, KEPT), AddressState::Free);
    assert_eq!(state(&world, old), AddressState::Bound);
    assert_eq!(world.send(client(1).renew(old)).ack().yiaddr(), old);
    let other = client(1).request().requested(KEPT).server(ip("10.0.0.2"));
    world.send(client(1).discover()).offer();
    assert_eq!(world.send(other).silence(), Silence::OfferWithdrawn);
    assert_eq!(state(&world, old), AddressState::Bound);
    assert_eq!(world.log.len(), 2);
}

#[test]
fn without_room_in_the_journal_nothing_changes_but_offers_go_on() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let offer = world.send(client(2).discover()).offer();
    world.pass(600);
    let before = world.shards[0].counts();
    world.room = false;
    let decline = client(1).decline().requested(addr).server(SERVER);
    for msg in [
        client(2).select(&offer),
        client(1).renew(addr),
        client(1).rebind(addr),
        client(1).reboot(addr),
        client(3).reboot(ip("172.16.0.5")),
        release(1, addr),
        decline,
    ] {
        assert_eq!(world.send(msg).silence(), Silence::JournalFull);
    }
    let after = world.shards[0].counts();
    assert_eq!(
        (before.active, before.set_aside),
        (after.active, after.set_aside)
    );
    assert_eq!(world.log.len(), 1);
    world.send(client(4).discover()).offer();
    world.room = true;
    world.send(client(1).renew(addr)).ack();
    let offer = world.send(client(4).discover()).offer();
    world.send(client(4).select(&offer)).ack();
}

#[test]
fn a_probation_ends_only_when_its_record_has_room() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let decline = client(1).decline().requested(addr).server(SERVER);
    world.send(decline).silence();
    world.room = false;
    world.pass(90_000);
    assert_eq!(state(&world, addr), AddressState::SetAside);
    world.room = true;
    world.pass(5);
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn a_full_table_takes_no_new_client_and_keeps_those_it_has() {
    let mut setup = Setup::default();
    setup.bindings = 4;
    let mut world = setup.world();
    let leases: Vec<Reply> = (1..=4).map(|n| world.lease(&client(n))).collect();
    for _ in 0..3 {
        let silence = world.send(client(5).discover()).silence();
        assert_eq!(silence, Silence::TableFull);
    }
    let fresh = client(5).request().requested(ip("10.0.0.19"));
    let silence = world.send(fresh.server(SERVER)).silence();
    assert_eq!(silence, Silence::TableFull);
    world.pass(1800);
    for (n, lease) in (1..).zip(&leases) {
        world.send(client(n).renew(lease.yiaddr())).ack();
    }
}

#[test]
fn the_oldest_memory_makes_room_in_a_full_table() {
    let mut setup = Setup::default();
    setup.bindings = 4;
    let mut world = setup.world();
    let leases: Vec<Reply> = (1..=4).map(|n| world.lease(&client(n))).collect();
    for n in [2, 3] {
        let addr = leases[usize::from(n) - 1].yiaddr();
        world.send(release(n, addr)).silence();
    }
    world.lease(&client(5));
    world.lease(&client(6));
    let silence = world.send(client(2).discover()).silence();
    assert_eq!(silence, Silence::TableFull);
    let active: u64 = world.shards.iter().map(|s| s.counts().active).sum();
    assert_eq!(active, 4);
}

#[test]
fn a_parked_reply_stands_until_the_binding_says_something_else() {
    let mut world = Setup::default().world();
    let ack = world.lease(&client(1));
    assert!(world.stands(&ack));
    // Others, and what changes nothing, leave it alone.
    world.lease(&client(2));
    world.send(client(1).discover()).offer();
    world.send(release(3, ack.yiaddr())).silence();
    assert!(world.stands(&ack));
    let newer = world.send(client(1).reboot(ack.yiaddr())).ack();
    assert!(!world.stands(&ack));
    assert!(world.stands(&newer));
    assert_eq!(newer.parked.unwrap().sequence, ack.parked.unwrap().sequence);
    world.pass(1800);
    let renewed = world.send(client(1).renew(ack.yiaddr())).ack();
    assert!(!world.stands(&newer));
    assert!(renewed.parked.unwrap().sequence > newer.parked.unwrap().sequence);
    world.send(release(1, ack.yiaddr())).silence();
    assert!(!world.stands(&renewed));
}

#[test]
fn a_decline_or_a_nak_cancels_the_parked_reply() {
    let mut world = with_reservation(1);
    let ack = world.lease(&client(2));
    let decline = client(2).decline().requested(ack.yiaddr());
    world.send(decline.server(SERVER)).silence();
    assert!(!world.stands(&ack));
    // Whoever uses the slot next does not make it stand again.
    world.lease(&client(3));
    assert!(!world.stands(&ack));
    let rom = world.lease(&client(1));
    world.send(system(1, true).discover()).offer();
    assert!(!world.stands(&rom));
}
