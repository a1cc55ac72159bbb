//! RFC 2131 §4.3.2, §3.2: REQUEST of a client that reboots and remembers its address.

use crate::client::{SERVER, client};
use crate::world::{Setup, World, ip};
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn release(world: &mut World, n: u8, addr: Ipv4Addr) {
    let release = client(n).release().ciaddr(addr).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
}

#[test]
fn c046_init_reboot_is_50_without_54_and_ciaddr() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let other = ip("10.0.0.19");
    // A client with a record that asks for another address is refused in this state alone: in
    // SELECTING it would get it, and in RENEWING ciaddr would decide.
    world.send(client(1).reboot(other)).nak();
    assert_eq!(world.send(client(1).reboot(addr)).ack().yiaddr(), addr);
    let renew = client(1).renew(addr).requested(other);
    assert_eq!(world.send(renew).ack().yiaddr(), addr);
    let select = client(1).reboot(other).server(SERVER);
    assert_eq!(world.send(select).ack().yiaddr(), other);
}

#[test]
fn c047_an_address_of_the_wrong_network_is_refused_known_client_or_not() {
    let mut world = Setup::default().world();
    world.lease(&client(1));
    for n in [1, 2] {
        for wrong in ["10.9.0.15", "192.0.2.1", "255.255.255.255"] {
            world.send(client(n).reboot(ip(wrong))).nak();
        }
        world.send(client(n).reboot(ip("10.0.0.15")).far()).nak();
    }
    assert_eq!(world.shards[0].counts().active, 1);
}

#[test]
fn c047_a_server_that_shares_the_wire_may_be_silent_about_other_networks() {
    let mut setup = Setup::default();
    setup.home().rules.nak_wrong_network = false;
    setup.home().rules.nak_unknown = true;
    let mut world = setup.world();
    world.lease(&client(1));
    for n in [1, 2] {
        let answer = world.send(client(n).reboot(ip("10.9.0.15")));
        assert_eq!(answer.silence(), Silence::WrongNetwork);
    }
}

#[test]
fn c048_a_client_with_a_current_binding_is_refused_another_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.send(client(1).reboot(ip("10.0.0.19"))).nak();
    world.send(client(1).renew(addr)).ack();
}

#[test]
fn c048_a_client_with_an_expired_binding_is_refused_another_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    world.send(client(1).reboot(ip("10.0.0.19"))).nak();
    world.send(client(1).reboot(addr)).ack();
}

#[test]
fn c048_a_client_with_a_released_binding_is_refused_another_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    release(&mut world, 1, addr);
    world.send(client(1).reboot(ip("10.0.0.19"))).nak();
    world.restart();
    world.send(client(1).reboot(ip("10.0.0.19"))).nak();
}

#[test]
fn c048_without_a_binding_of_the_client_silence_whoever_holds_the_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let answer = world.send(client(2).reboot(addr));
    assert_eq!(answer.silence(), Silence::UnknownClient);
}

#[test]
fn c049_a_client_without_a_record_gets_no_answer() {
    let mut world = Setup::default().world();
    let answer = world.send(client(1).reboot(ip("10.0.0.15")));
    assert_eq!(answer.silence(), Silence::UnknownClient);
    // An offer of another address is no record of a binding.
    world.send(client(1).discover()).offer();
    let answer = world.send(client(1).reboot(ip("10.0.0.15")));
    assert_eq!(answer.silence(), Silence::UnknownClient);
    // Nor is a binding on another network.
    let offer = world.send(client(2).discover().far()).offer();
    world.send(client(2).select(&offer).far()).ack();
    let answer = world.send(client(2).reboot(ip("10.0.0.15")));
    assert_eq!(answer.silence(), Silence::UnknownClient);
    assert_eq!(world.log.len(), 1);
}

#[test]
fn c049_a_sole_server_may_refuse_clients_without_a_record() {
    let mut setup = Setup::default();
    setup.home().rules.nak_unknown = true;
    let mut world = setup.world();
    world.send(client(1).reboot(ip("10.0.0.15"))).nak();
    assert!(world.log.is_empty());
}

#[test]
fn c050_a_correct_current_binding_is_acknowledged_and_extended() {
    let mut world = Setup::default().world();
    let lease = world.lease(&client(1));
    world.pass(1000);
    let ack = world.send(client(1).reboot(lease.yiaddr())).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (lease.yiaddr(), Some(3600)));
    assert_eq!(world.log[1].expiry, world.log[0].expiry + 1000);
}

#[test]
fn c050_an_expired_binding_whose_address_is_free_is_acknowledged() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    // Within its grace, and long after.
    for seconds in [3610, LONG_OVER] {
        world.pass(seconds);
        let ack = world.send(client(1).reboot(addr)).ack();
        assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
        assert_eq!(world.shards[0].counts().active, 1);
    }
    world.pass(LONG_OVER);
    world.restart();
    assert_eq!(world.send(client(1).reboot(addr)).ack().yiaddr(), addr);
}

#[test]
fn c050_a_released_binding_whose_address_is_free_is_acknowledged() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    release(&mut world, 1, addr);
    let ack = world.send(client(1).reboot(addr)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
    world.restart();
    world.send(client(1).renew(addr)).ack();
}

#[test]
fn c050_an_expired_binding_whose_address_went_to_another_is_refused() {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![crate::world::pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    assert_eq!(world.lease(&client(2)).yiaddr(), addr);
    // Its memory may be swept: then it is a stranger.
    match world.send(client(1).reboot(addr)) {
        crate::world::Answer::Reply(reply) => {
            assert_eq!(reply.kind, dhcp_proto::server::ReplyKind::Nak);
        }
        other => assert_eq!(other.silence(), Silence::UnknownClient),
    }
    world.send(client(2).renew(addr)).ack();
}

#[test]
fn c051_a_nak_through_a_relay_has_the_broadcast_flag() {
    let mut world = Setup::default().world();
    let nak = world.send(client(1).reboot(ip("10.5.5.5")).far()).nak();
    assert_eq!(nak.message().flags(), 0x8000);
    // Of a client that rebinds, too.
    let nak = world.send(client(1).rebind(ip("10.5.5.5")).far()).nak();
    assert!(nak.message().broadcast());
}

#[test]
fn c051_a_nak_on_the_link_goes_to_everybody() {
    let mut world = Setup::default().world();
    let taken = world.lease(&client(1)).yiaddr();
    let naks = [
        client(2).reboot(ip("10.9.0.10")),
        client(2).reboot(taken).server(SERVER),
        client(2).renew(taken),
        client(2).rebind(taken),
    ];
    for msg in naks {
        let nak = world.send(msg).nak();
        assert_eq!(nak.destination.addr, Ipv4Addr::BROADCAST);
        assert_eq!(nak.destination.port, 68);
    }
}
