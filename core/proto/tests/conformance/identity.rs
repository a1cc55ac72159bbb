//! RFC 2131 §4.2, RFC 6842, RFC 4361, RFC 4390: who a client is.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Setup, World, ip};
use dhcp_proto::identity::IdentityMode;
use dhcp_proto::server::{NextHop, Silence};
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;

fn with(identity: IdentityMode) -> World {
    let mut setup = Setup::default();
    setup.home().identity = identity;
    setup.far().identity = identity;
    setup.world()
}

/// A whole exchange through the relay.
#[track_caller]
fn lease_far(world: &mut World, msg: &Msg) -> std::net::Ipv4Addr {
    let offer = world.send(msg.clone().discover().far()).offer();
    world.send(msg.clone().select(&offer).far()).ack().yiaddr()
}

#[test]
fn c157_a_client_id_of_01_and_mac_and_that_mac_alone_are_two_clients() {
    let mut world = with(IdentityMode::ClientId);
    let plain = world.lease(&client(1)).yiaddr();
    let named = client(1).client_id(&[1, 2, 0, 0, 0, 0, 1]);
    assert_ne!(world.lease(&named).yiaddr(), plain);
    world.send(client(1).renew(plain)).ack();
    world.send(named.renew(plain)).nak();
}

#[test]
fn c157_by_chaddr_a_rom_an_installer_and_a_system_have_one_binding() {
    let mut world = with(IdentityMode::Chaddr);
    let rom = world.lease(&client(1)).yiaddr();
    let installer = client(1).client_id(b"\x00installer");
    let system = client(1).client_id(&[255, 0, 0, 0, 1, 0, 1, 9, 9]);
    for msg in [installer, system] {
        assert_eq!(world.lease(&msg).yiaddr(), rom);
    }
    assert_eq!(world.shards[0].fill().0, 1);
}

#[test]
fn c157_by_circuit_whoever_is_behind_it_is_one_client() {
    let mut world = with(IdentityMode::Circuit);
    let first = lease_far(&mut world, &client(1).circuit(b"port 7"));
    assert_eq!(lease_far(&mut world, &client(2).circuit(b"port 7")), first);
    assert_ne!(lease_far(&mut world, &client(1).circuit(b"port 8")), first);
    let named = client(3).client_id(b"\x00n").circuit(b"port 7");
    assert_eq!(lease_far(&mut world, &named), first);
}

#[test]
fn c157_one_circuit_of_two_relays_is_two_clients() {
    let mut world = with(IdentityMode::Circuit);
    let first = lease_far(&mut world, &client(1).circuit(b"port 7"));
    let other = client(1).circuit(b"port 7").discover();
    let other = other.relayed(ip("10.9.0.2"), SERVER);
    assert_ne!(world.send(other).offer().yiaddr(), first);
}

#[test]
fn c157_by_circuit_and_chaddr_each_station_of_a_circuit_is_a_client() {
    let mut world = with(IdentityMode::CircuitChaddr);
    let first = lease_far(&mut world, &client(1).circuit(b"port 7"));
    assert_eq!(lease_far(&mut world, &client(1).circuit(b"port 7")), first);
    assert_ne!(lease_far(&mut world, &client(2).circuit(b"port 7")), first);
    assert_ne!(lease_far(&mut world, &client(1).circuit(b"port 8")), first);
}

#[test]
fn c157_without_a_circuit_and_without_a_binding_at_ciaddr_there_is_no_identity() {
    for identity in [IdentityMode::Circuit, IdentityMode::CircuitChaddr] {
        let mut world = with(identity);
        let remote_id_only = client(1).option(code::AGENT_INFO, &[2, 1, 7]);
        for msg in [client(1), remote_id_only, client(1).circuit(b"")] {
            let silence = world.send(msg.discover().far()).silence();
            assert_eq!(silence, Silence::NoIdentity);
        }
        let renewal = client(1).request().ciaddr(ip("10.9.0.15"));
        let renewal = renewal.routed(SERVER, Mac([2, 0xff, 0, 0, 0, 1]));
        assert_eq!(world.send(renewal).silence(), Silence::NoIdentity);
        assert!(world.log.is_empty());
    }
}

#[test]
fn c157_a_unicast_renewal_without_its_circuit_is_its_holders_on_any_shard() {
    let mut setup = Setup::default();
    setup.far().identity = IdentityMode::Circuit;
    setup.shards = 3;
    let mut world = setup.world();
    let router = Mac([2, 0xff, 0, 0, 0, 1]);
    let mut rings = std::collections::BTreeSet::new();
    for n in 1..=9 {
        let addr = lease_far(&mut world, &client(n).circuit(&[n]));
        world.pass(600);
        let renewal = |n| client(n).request().ciaddr(addr).routed(SERVER, router);
        let ack = world.send(renewal(n)).ack();
        assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
        rings.insert(world.log.last().unwrap().ring);
        // Its circuit is not forgotten by that.
        assert_eq!(world.log.last().unwrap().agent_info, [1, 1, n]);
        world.send(renewal(n + 100)).nak();
    }
    assert!(rings.len() > 1, "all clients on one shard prove little");
}

#[test]
fn c158_client_ids_that_say_nothing_are_no_identity_and_are_echoed() {
    let mut setup = Setup::default();
    setup.home().ignored_client_ids = vec![b"\x00factory".to_vec()];
    let mut world = setup.world();
    let plain = world.lease(&client(1)).yiaddr();
    let ids = [
        &[1, 0, 0, 0, 0, 0, 0][..],
        &[255; 7],
        &[0, 0],
        b"\x00factory",
    ];
    for id in ids {
        let ack = world.lease(&client(1).client_id(id));
        assert_eq!(ack.yiaddr(), plain, "{id:?}");
        assert_eq!(ack.option(code::CLIENT_ID).unwrap(), id);
        assert_ne!(world.lease(&client(2).client_id(id)).yiaddr(), plain);
    }
}

#[test]
fn c159_without_client_id_and_hardware_address_there_is_no_identity() {
    let mut world = Setup::default().world();
    let mut zero = client(1);
    zero.chaddr = [0; 16];
    let mut short = client(1);
    short.hlen = 0;
    for msg in [zero, short] {
        for msg in [msg.clone().discover(), msg.client_id(&[9]).discover()] {
            assert_eq!(world.send(msg).silence(), Silence::NoIdentity);
        }
    }
}

#[test]
fn c159_infiniband_clients_are_served_by_broadcast() {
    let mut world = Setup::default().world();
    let mut msg = client(1).client_id(b"\x00guid");
    (msg.htype, msg.hlen) = (32, 0);
    msg.chaddr = *b"sixteen octets .";
    let ack = world.lease(&msg);
    assert_eq!(ack.destination.next_hop, NextHop::Broadcast);
    assert!(ack.destination.addr.is_broadcast());
    assert_eq!((ack.message().htype(), ack.message().hlen()), (32, 0));
    assert_eq!(ack.message().chaddr_field(), b"sixteen octets .");
}

#[test]
fn c160_option_82_of_a_direct_client_is_echoed_but_decides_nothing() {
    let mut world = with(IdentityMode::ClientId);
    let ack = world.lease(&client(1).circuit(b"port 7"));
    assert_eq!(
        ack.option(code::AGENT_INFO).unwrap(),
        b"\x01\x06port 7".to_vec()
    );
    assert!(world.log[0].agent_info.is_empty());
    let release = client(1).circuit(b"port 8").release();
    let release = release.ciaddr(ack.yiaddr()).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);

    let mut world = with(IdentityMode::Circuit);
    let direct = client(1).circuit(b"port 7").discover();
    assert_eq!(world.send(direct.clone()).silence(), Silence::NoIdentity);
    world.setup.links[0].trust_option82 = true;
    world.restart();
    let first = world.send(direct).offer().yiaddr();
    let second = client(2).circuit(b"port 7").discover();
    assert_eq!(world.send(second).offer().yiaddr(), first);
}

#[test]
fn c161_one_identity_on_two_networks_has_two_independent_bindings() {
    let mut world = Setup::default().world();
    let home = world.lease(&client(1)).yiaddr();
    let far = lease_far(&mut world, &client(1));
    assert_ne!(home, far);
    world.pass(1800);
    world.send(client(1).renew(home)).ack();
    let last = world.log.last().unwrap();
    assert_eq!((last.addr, world.log.len()), (home, 3));
    let renewal = client(1).request().ciaddr(far);
    let relayed = renewal.relayed(RELAY, SERVER);
    let ack = world.send(relayed).ack();
    assert_eq!(ack.yiaddr(), far);
    let release = client(1).release().ciaddr(far).far();
    assert_eq!(world.send(release).silence(), Silence::Released);
    world.send(client(1).renew(home)).ack();
}

#[test]
fn c175_the_relay_of_a_circuit_is_82_12_and_else_giaddr() {
    for identity in [IdentityMode::Circuit, IdentityMode::CircuitChaddr] {
        let mut world = with(identity);
        let mut offer = |giaddr: &str, parts: &[(u8, &[u8])]| {
            let msg = client(1).agent_info(parts).discover();
            world.send(msg.relayed(ip(giaddr), SERVER)).offer().yiaddr()
        };
        let port = (1, &b"port 7"[..]);
        let named = offer("10.9.0.1", &[port, (12, b"bng-a")]);
        // Two addresses of one relay, and the sub-options in another order.
        assert_eq!(offer("10.9.0.2", &[(12, b"bng-a"), port]), named);
        // Another relay behind the same address.
        assert_ne!(offer("10.9.0.1", &[port, (12, b"bng-b")]), named);
        // A remote-id is no part of it, and an empty identifier says nothing.
        assert_eq!(
            offer("10.9.0.1", &[port, (2, b"cpe"), (12, b"bng-a")]),
            named
        );
        let plain = offer("10.9.0.1", &[port]);
        assert_eq!(offer("10.9.0.1", &[port, (12, b"")]), plain);
        assert_ne!(plain, named);
    }
}

#[test]
fn c176_the_first_instance_of_a_doubled_sub_option_counts_and_unknown_ones_are_passed_over() {
    let mut world = with(IdentityMode::Circuit);
    let mut offer = |parts: &[(u8, &[u8])]| {
        let msg = client(1).agent_info(parts).discover().far();
        world.send(msg).offer().yiaddr()
    };
    let first = offer(&[(1, b"port 7")]);
    assert_eq!(
        offer(&[(200, b"what"), (1, b"port 7"), (1, b"port 8")]),
        first
    );
    assert_eq!(offer(&[(12, b""), (1, b"port 7"), (0, b"")]), first);
    assert_ne!(offer(&[(1, b"port 8"), (1, b"port 7")]), first);
}

#[test]
fn c122_option_61_of_the_query_is_unaltered_in_offer_ack_and_nak() {
    let ids = [
        &b"\x00a text with a NUL\x00"[..],
        &[9],
        &[255; 7],
        &[1, 2, 0, 0, 0, 0, 1],
        &[7; 255],
    ];
    for identity in [IdentityMode::ClientId, IdentityMode::Chaddr] {
        let mut world = with(identity);
        for (n, id) in (1..).zip(ids) {
            let msg = client(n).client_id(id);
            let offer = world.send(msg.clone().discover()).offer();
            let ack = world.send(msg.clone().select(&offer)).ack();
            let nak = world.send(msg.reboot(ip("192.0.2.1"))).nak();
            for reply in [offer, ack, nak] {
                assert_eq!(reply.option(code::CLIENT_ID).as_deref(), Some(id));
            }
        }
    }
}

#[test]
fn c123_without_option_61_in_the_query_there_is_none_in_the_reply() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let ack = world.send(client(1).select(&offer)).ack();
    let nak = world.send(client(1).reboot(ip("192.0.2.1"))).nak();
    let inform = client(1).inform().ciaddr(ack.yiaddr());
    let informed = world.send(inform).ack();
    for reply in [offer, ack, nak, informed] {
        assert_eq!(reply.option(code::CLIENT_ID), None);
    }
}

/// A client-id of RFC 4361: type 255, IAID, and a DUID of a time, which is the same for each IAID.
fn node(iaid: u32, duid: u8) -> Vec<u8> {
    let mut id = vec![255];
    id.extend_from_slice(&iaid.to_be_bytes());
    id.extend_from_slice(&[0, 1, 0, 1, 0x2a, 0, 0, 0, 2, 0, 0, 0, 0, duid]);
    id
}

#[test]
fn c128_iaid_and_duid_are_compared_whole() {
    let mut world = Setup::default().world();
    let addrs: std::collections::BTreeSet<_> = [(1, 1), (2, 1), (1, 2), (2, 2)]
        .map(|(iaid, duid)| {
            world
                .lease(&client(1).client_id(&node(iaid, duid)))
                .yiaddr()
        })
        .into();
    assert_eq!(addrs.len(), 4);
    let first = world.log[0].clone();
    assert_eq!(first.identity, [&[1][..], &node(1, 1)].concat());
    let again = world.lease(&client(1).client_id(&node(1, 1))).yiaddr();
    assert_eq!(again, first.addr);
}

#[test]
fn c129_with_option_61_a_client_keeps_its_lease_under_another_hardware_address() {
    let mut world = Setup::default().world();
    let id = node(1, 1);
    let addr = world.lease(&client(1).client_id(&id)).yiaddr();
    let mut rebind = client(9).client_id(&id).rebind(addr);
    rebind.htype = 6;
    world.send(rebind).ack();
    let last = world.log.last().unwrap();
    assert_eq!((last.htype, &last.chaddr[..]), (6, &[2, 0, 0, 0, 0, 9][..]));
    assert_eq!(world.lease(&client(8).client_id(&id)).yiaddr(), addr);
    // The old one without the client-id is somebody else.
    assert_ne!(world.lease(&client(1)).yiaddr(), addr);
}
