//! Clients that move: to another relay, or to another circuit of theirs (C173, C174).

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Reply, Setup, World, ip};
use dhcp_proto::config::OnMove;
use dhcp_proto::server::{Notice, NoticeKind, Silence};
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

const ROUTER: Mac = Mac([2, 0xff, 0, 0, 0, 1]);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
/// Options of relays: a circuit, another one, and the first with flags that change (RFC 5010).
const PORT_7: &[(u8, &[u8])] = &[(1, b"port 7"), (10, &[0])];
const PORT_7_UNICAST: &[(u8, &[u8])] = &[(1, b"port 7"), (10, &[0x80])];
const PORT_8: &[(u8, &[u8])] = &[(1, b"port 8")];

fn with(on_move: OnMove) -> World {
    let mut setup = Setup::default();
    setup.far().rules.on_move = on_move;
    setup.shards = 3;
    setup.world()
}

type Place = (Ipv4Addr, &'static [(u8, &'static [u8])]);

/// `msg` from a client behind this relay and circuit.
fn at((relay, info): Place, msg: Msg) -> Msg {
    msg.agent_info(info).relayed(relay, SERVER)
}

#[track_caller]
fn lease(world: &mut World, place: Place, n: u8) -> Reply {
    let offer = world.send(at(place, client(n).discover())).offer();
    world.send(at(place, client(n).select(&offer))).ack()
}

/// A renewal past the relay.
fn past(n: u8, addr: Ipv4Addr) -> Msg {
    client(n).request().ciaddr(addr).routed(SERVER, ROUTER)
}

fn told(world: &World, kind: NoticeKind) -> Vec<Notice> {
    let notices = world.notices.iter().copied();
    notices.filter(|notice| notice.kind == kind).collect()
}

/// Where the newest record says that its client is.
fn recorded(world: &World) -> (Ipv4Addr, Vec<u8>) {
    let last = world.log.last().unwrap();
    (last.giaddr, last.agent_info.clone())
}

fn octets(info: &[(u8, &[u8])]) -> Vec<u8> {
    let (_, octets) = client(1).agent_info(info).options.pop().unwrap();
    octets
}

#[test]
fn c173_a_lease_follows_its_client_when_the_ack_is_on_record() {
    let places: [Place; 3] = [(RELAY, PORT_8), (OTHER, PORT_7), (OTHER, PORT_8)];
    for place in places {
        for rebinds in [true, false] {
            let mut world = with(OnMove::Follow);
            let addr = lease(&mut world, (RELAY, PORT_7), 1).yiaddr();
            let records = world.log.len();
            world.pass(600);
            let ack = if rebinds {
                world
                    .send(at(place, client(1).request().ciaddr(addr)))
                    .ack()
            } else {
                let offer = world.send(at(place, client(1).discover())).offer();
                // An OFFER writes nothing and moves nothing.
                assert_eq!((offer.yiaddr(), world.log.len()), (addr, records));
                assert!(world.notices.is_empty());
                world.send(at(place, client(1).select(&offer))).ack()
            };
            assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
            assert_eq!(recorded(&world), (place.0, octets(place.1)));
            let moved = Notice {
                kind: NoticeKind::Moved,
                addr,
                chaddr: [2, 0, 0, 0, 0, 1],
            };
            assert_eq!(world.notices, [moved]);
            // It is at home there now, over a restart too.
            world.restart();
            world.pass(600);
            world
                .send(at(place, client(1).request().ciaddr(addr)))
                .ack();
            assert_eq!(world.notices.len(), 1);
        }
    }
}

#[test]
fn c173_a_client_that_only_asked_elsewhere_has_not_moved() {
    let mut world = with(OnMove::Follow);
    let addr = lease(&mut world, (RELAY, PORT_7), 1).yiaddr();
    world
        .send(at((RELAY, PORT_8), client(1).discover()))
        .offer();
    world.restart();
    world.pass(600);
    world.send(past(1, addr)).ack();
    assert_eq!(recorded(&world), (RELAY, octets(PORT_7)));
}

#[test]
fn c173_other_octets_of_option_82_are_no_move() {
    let mut world = with(OnMove::Deny);
    let addr = lease(&mut world, (RELAY, PORT_7), 1).yiaddr();
    world.pass(600);
    let renewal = client(1).request().ciaddr(addr);
    world
        .send(at((RELAY, PORT_7_UNICAST), renewal.clone()))
        .ack();
    assert_eq!(recorded(&world), (RELAY, octets(PORT_7_UNICAST)));
    // A relay that says nothing of the circuit, and a renewal past it.
    world.send(renewal.far()).ack();
    world.send(past(1, addr)).ack();
    assert!(world.notices.is_empty());
    let release = client(1).release().ciaddr(addr);
    let mut world = with(OnMove::Follow);
    lease(&mut world, (RELAY, PORT_7), 1);
    let answer = world.send(at((RELAY, PORT_7_UNICAST), release)).silence();
    assert_eq!(answer, Silence::Released);
}

#[test]
fn c173_a_relay_with_two_addresses_is_one_by_82_12() {
    let named: &[(u8, &[u8])] = &[(1, b"port 7"), (12, b"bng-a")];
    let mut world = with(OnMove::Deny);
    let addr = lease(&mut world, (RELAY, named), 1).yiaddr();
    world.pass(600);
    let renewal = client(1).request().ciaddr(addr);
    world.send(at((OTHER, named), renewal.clone())).ack();
    assert_eq!(recorded(&world).0, OTHER);
    let stranger: &[(u8, &[u8])] = &[(1, b"port 7"), (12, b"bng-b")];
    let answer = world.send(at((OTHER, stranger), renewal)).silence();
    assert_eq!(answer, Silence::MoveDenied);
}

#[test]
fn c173_denied_a_client_is_not_answered_elsewhere_until_its_lease_is_over() {
    let mut world = with(OnMove::Deny);
    let addr = lease(&mut world, (RELAY, PORT_7), 1).yiaddr();
    let records = world.log.len();
    let (here, there) = ((RELAY, PORT_7), (RELAY, PORT_8));
    let messages = [
        client(1).discover(),
        client(1).reboot(addr),
        client(1).request().ciaddr(addr),
        client(1).request().requested(addr).server(SERVER),
        client(1).decline().requested(addr),
    ];
    for restart in [false, true] {
        if restart {
            world.restart();
        }
        for msg in messages.clone() {
            let answer = world.send(at(there, msg.clone())).silence();
            assert_eq!(answer, Silence::MoveDenied, "{msg:?}");
        }
    }
    // On the link itself it is elsewhere as well.
    let direct = world.send(at((OTHER, PORT_7), client(1).discover()));
    assert_eq!(direct.silence(), Silence::MoveDenied);
    assert_eq!(told(&world, NoticeKind::MoveDenied).len(), 11);
    assert_eq!(world.log.len(), records);
    world.send(at(here, client(1).request().ciaddr(addr))).ack();
    // C150: when the lease is over it may take its address along.
    world.pass(3605);
    let ack = world.send(at(there, client(1).reboot(addr))).ack();
    assert_eq!((ack.yiaddr(), recorded(&world).1), (addr, octets(PORT_8)));
    assert!(told(&world, NoticeKind::Moved).is_empty());
    let back = world.send(at(here, client(1).discover())).silence();
    assert_eq!(back, Silence::MoveDenied);
}

#[test]
fn c173_denied_a_client_whose_place_nobody_knows_is_served() {
    let mut world = with(OnMove::Deny);
    // As after an import: neither relay nor circuit is on record.
    let offer = world.send(client(1).discover().far()).offer();
    world.send(client(1).select(&offer).far()).ack();
    for record in &mut world.log {
        record.giaddr = Ipv4Addr::UNSPECIFIED;
    }
    world.restart();
    let place = (RELAY, PORT_7);
    let renewal = client(1).request().ciaddr(offer.yiaddr());
    world.send(at(place, renewal)).ack();
    assert_eq!(recorded(&world), (RELAY, octets(PORT_7)));
    assert!(world.notices.is_empty());
}

#[test]
fn c173_separate_makes_one_mac_on_two_circuits_two_clients_with_two_addresses() {
    let mut world = with(OnMove::Separate);
    let (one, two) = ((RELAY, PORT_7), (RELAY, PORT_8));
    let first = lease(&mut world, one, 1).yiaddr();
    let second = lease(&mut world, two, 1).yiaddr();
    assert_ne!(first, second);
    for restart in [false, true] {
        if restart {
            world.setup.shards = 2;
            world.restart();
        }
        world.pass(600);
        for (place, addr) in [(one, first), (two, second)] {
            let rebind = client(1).request().ciaddr(addr);
            assert_eq!(world.send(at(place, rebind)).ack().yiaddr(), addr);
            // Past the relay it is who holds the address.
            assert_eq!(world.send(past(1, addr)).ack().yiaddr(), addr);
            assert_eq!(recorded(&world), (place.0, octets(place.1)));
        }
    }
    // Each is refused the other's address, and has its own.
    world
        .send(at(one, client(1).request().ciaddr(second)))
        .nak();
    assert_eq!(lease(&mut world, one, 1).yiaddr(), first);
    let release = client(1).release().ciaddr(second);
    let answer = world.send(at(two, release)).silence();
    assert_eq!(answer, Silence::Released);
    world.send(past(1, first)).ack();
    assert!(world.notices.is_empty());
}

#[test]
fn c173_a_copied_mac_on_another_circuit_does_not_take_a_reserved_address() {
    let kept = ip("10.9.0.50");
    let mut setup = Setup::default();
    setup.far().rules.on_move = OnMove::Separate;
    setup
        .far()
        .reservations
        .push(crate::reserved::kept(1, kept));
    setup.shards = 3;
    let mut world = setup.world();
    let (owner, copy) = ((RELAY, PORT_7), (RELAY, PORT_8));
    assert_eq!(lease(&mut world, owner, 1).yiaddr(), kept);
    assert_ne!(lease(&mut world, copy, 1).yiaddr(), kept);
    world.pass(600);
    let rebind = client(1).request().ciaddr(kept);
    assert_eq!(world.send(at(owner, rebind.clone())).ack().yiaddr(), kept);
    world.send(at(copy, rebind)).nak();
    world.send(past(1, kept)).ack();
}

#[test]
fn c173_separate_clients_are_known_by_their_client_id_too() {
    let mut world = with(OnMove::Separate);
    let place = (RELAY, PORT_7);
    let named = |msg: Msg| msg.client_id(b"\x00system");
    let offer = world.send(at(place, named(client(1)).discover())).offer();
    world.send(at(place, named(client(1)).select(&offer))).ack();
    let addr = offer.yiaddr();
    // C153: without the client-id, and with another, it is not its holder.
    let release = |msg: Msg| msg.release().ciaddr(addr).routed(SERVER, ROUTER);
    for msg in [client(1), client(1).client_id(b"\x00rom")] {
        assert_eq!(world.send(release(msg)).silence(), Silence::NotHolder);
    }
    let answer = world.send(release(named(client(1)))).silence();
    assert_eq!(answer, Silence::Released);
}

#[test]
fn c173_separate_clients_without_a_circuit_are_one() {
    let mut setup = Setup::default();
    setup.home().rules.on_move = OnMove::Separate;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(600);
    world.send(client(1).renew(addr)).ack();
    world.send(client(1).rebind(addr)).ack();
    world.send(client(1).reboot(addr)).ack();
    assert_eq!(world.lease(&client(1)).yiaddr(), addr);
    world.send(client(2).renew(addr)).nak();
}

#[test]
fn c174_a_renewal_past_the_relay_leaves_relay_and_option_82_over_restarts() {
    let mut world = with(OnMove::Follow);
    let addr = lease(&mut world, (RELAY, PORT_7), 1).yiaddr();
    for shards in [3, 1, 2] {
        world.setup.shards = shards;
        world.restart();
        world.pass(600);
        let ack = world.send(past(1, addr)).ack();
        assert_eq!(ack.option(code::AGENT_INFO), None);
        assert_eq!(recorded(&world), (RELAY, octets(PORT_7)));
    }
    assert!(world.notices.is_empty());
    // An offer of its old address to it says nothing either.
    world
        .send(at((OTHER, PORT_8), client(1).discover()))
        .offer();
    world.restart();
    world.send(past(1, addr)).ack();
    assert_eq!(recorded(&world), (RELAY, octets(PORT_7)));
}
