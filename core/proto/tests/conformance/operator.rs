//! Leases that an operator ends.

use crate::client::{SERVER, client};
use crate::world::{Setup, World, ip, state};
use dhcp_proto::address::AddressState;
use dhcp_proto::record::{Cause, RecordKind};
use dhcp_proto::rule::Rule;
use dhcp_proto::server::Silence;
use dhcp_proto::shard::EndedByOperator::{Ended, JournalFull, NoLease, OtherClient};

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn newest(world: &World) -> (RecordKind, Cause) {
    world.log.last().map(|r| (r.kind, r.cause)).unwrap()
}

#[test]
fn a_lease_that_an_operator_ends_is_anybody_s_at_once_and_after_a_restart() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert!(matches!(world.end(addr, None), Ended { sequence: 2, .. }));
    assert_eq!(newest(&world), (RecordKind::Ended, Cause::Operator));
    assert_eq!(state(&world, addr), AddressState::Free);
    assert_eq!(world.end(addr, None), NoLease, "it has ended");
    for _ in 0..2 {
        // The client is not told, and gets no answer about what it has not any more.
        let renewal = world.send(client(1).renew(addr));
        assert_eq!(renewal.silence(), Silence::UnknownClient);
        let wished = client(2).discover().requested(addr);
        let offer = world.send(wished).offer();
        assert_eq!((offer.yiaddr(), offer.plan.rule), (addr, Rule::Requested));
        world.restart();
    }
}

#[test]
fn an_ack_that_waits_for_the_disk_does_not_leave_when_an_operator_ends_its_lease() {
    let mut world = Setup::default().world();
    let ack = world.lease(&client(1));
    assert!(world.stands(&ack));
    assert!(matches!(world.end(ack.yiaddr(), None), Ended { .. }));
    assert!(!world.stands(&ack));
    let again = world.lease(&client(1));
    assert!(!world.stands(&ack) && world.stands(&again));
}

#[test]
fn a_lease_of_another_client_than_was_meant_stays() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let (own, other) = ([2, 1, 2, 0, 0, 0, 0, 1], [2, 1, 2, 0, 0, 0, 0, 2]);
    assert_eq!(world.end(addr, Some(&other)), OtherClient);
    world.send(client(1).renew(addr)).ack();
    assert!(matches!(world.end(addr, Some(&own)), Ended { .. }));
}

#[test]
fn what_is_no_lease_is_left_as_it_is() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let addr = offer.yiaddr();
    assert_eq!(world.end(addr, None), NoLease, "it is on offer");
    world.send(client(1).select(&offer)).ack();
    world
        .send(client(1).release().ciaddr(addr).unicast(SERVER))
        .silence();
    assert_eq!(world.end(addr, None), NoLease, "it is remembered");
    assert_eq!(world.end(ip("10.0.0.19"), None), NoLease, "it is nobody's");
    let records = world.log.len();
    let addr = world.lease(&client(2)).yiaddr();
    world.room = false;
    assert_eq!(world.end(addr, None), JournalFull);
    world.room = true;
    assert_eq!(world.log.len(), records + 1);
    world.send(client(2).renew(addr)).ack();
}

#[test]
fn a_lease_in_its_grace_ends_too() {
    let mut setup = Setup::default();
    setup.home().rules.grace = core::time::Duration::from_mins(10);
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    assert_eq!(state(&world, addr), AddressState::Bound);
    assert!(matches!(world.end(addr, None), Ended { .. }));
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn an_address_that_was_declined_is_back_when_an_operator_says_so() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let decline = client(1).decline().requested(addr).server(SERVER);
    world.send(decline).silence();
    assert_eq!(state(&world, addr), AddressState::SetAside);
    assert!(matches!(world.end(addr, None), Ended { .. }));
    assert_eq!(newest(&world).0, RecordKind::ProbationEnded);
    assert_eq!(state(&world, addr), AddressState::Free);
    world.restart();
    assert_eq!(state(&world, addr), AddressState::Free);
}
