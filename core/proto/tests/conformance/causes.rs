//! What a log of leases is told beside the records themselves: why one was written, and which
//! leases ran out.

use crate::client::{Msg, SERVER, client};
use crate::world::{Setup, World};
use dhcp_proto::record::{Cause, RecordKind};

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn causes(world: &World) -> Vec<(RecordKind, Cause)> {
    world.log.iter().map(|r| (r.kind, r.cause)).collect()
}

#[test]
fn a_lease_is_granted_then_renewed_and_granted_again_after_its_end() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    world.send(client(1).renew(addr)).ack();
    world.pass(1800);
    world.send(client(1).reboot(addr)).ack();
    assert!(world.expired.is_empty());
    world.pass(LONG_OVER);
    assert_eq!(world.lease(&client(1)).yiaddr(), addr);
    let active = |cause| (RecordKind::Active, cause);
    assert_eq!(
        causes(&world),
        [
            Cause::Granted,
            Cause::Renewed,
            Cause::Renewed,
            Cause::Granted
        ]
        .map(active)
    );
}

#[test]
fn a_lease_that_comes_by_another_circuit_or_relay_is_moved_and_a_unicast_renewal_is_not() {
    let mut world = Setup::default().world();
    let by = |circuit: &[u8]| client(1).circuit(circuit);
    let offer = world.send(by(b"port 7").discover().far()).offer();
    let addr = world
        .send(by(b"port 7").select(&offer).far())
        .ack()
        .yiaddr();
    let mut renewal = |msg: Msg| {
        world.pass(600);
        world.send(msg).ack();
        world.log.last().map(|r| r.cause).unwrap()
    };
    assert_eq!(renewal(by(b"port 7").rebind(addr).far()), Cause::Renewed);
    assert_eq!(renewal(by(b"port 8").rebind(addr).far()), Cause::Moved);
    let router = dhcp_wire::ethernet::Mac([2, 0xff, 0, 0, 0, 9]);
    let direct = client(1).request().ciaddr(addr);
    assert_eq!(renewal(direct.routed(SERVER, router)), Cause::Renewed);
    assert_eq!(renewal(by(b"port 8").rebind(addr).far()), Cause::Renewed);
}

#[test]
fn a_lease_ended_because_its_client_declines_too_much_is_a_conflict() {
    let mut world = Setup::default().world();
    for _ in 0..6 {
        let addr = world.lease(&client(1)).yiaddr();
        let decline = client(1).decline().requested(addr).server(SERVER);
        world.send(decline).silence();
    }
    let conflict = (RecordKind::Ended, Cause::Conflict);
    assert_eq!(causes(&world).last(), Some(&conflict));
    let conflicts = causes(&world).iter().filter(|c| **c == conflict).count();
    assert_eq!(conflicts, 1);
}

#[test]
fn a_lease_that_runs_out_is_told_once_with_all_that_its_record_said() {
    let mut world = Setup::default().world();
    world.lease(&client(1));
    let kept = world.lease(&client(2)).yiaddr();
    world.pass(1800);
    world.send(client(2).renew(kept)).ack();
    world.pass(1900);
    world.pass(100);
    let granted = &world.log[0];
    let [expired] = &world.expired[..] else {
        panic!("one lease ran out: {:?}", world.expired)
    };
    assert_eq!(expired.addr, granted.addr);
    assert_eq!(expired.identity, granted.identity);
    assert_eq!(expired.chaddr, granted.chaddr);
    assert_eq!(expired.lease, granted.lease);
    assert_eq!(expired.expiry, granted.expiry);
    assert!(expired.time >= granted.expiry);
    assert_eq!(world.log.len(), 3, "no record is written for it");
}

#[test]
fn a_lease_given_back_does_not_run_out() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let release = client(1).release().ciaddr(addr).server(SERVER);
    world.send(release.unicast(SERVER)).silence();
    world.pass(LONG_OVER);
    assert!(world.expired.is_empty());
}
