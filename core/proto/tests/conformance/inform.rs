//! RFC 2131 §4.3.5: INFORM, and what table 5 says of it and of REQUEST.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Reply, Setup, World, ip};
use dhcp_proto::config::InformReply;
use dhcp_proto::server::{NextHop, Silence};
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

fn inform(addr: &str) -> Msg {
    let mut msg = client(1).inform().ciaddr(ip(addr));
    msg.ip_src = msg.ciaddr;
    msg
}

/// Address and port a reply goes to.
fn to(reply: &Reply) -> (Ipv4Addr, u16) {
    (reply.destination.addr, reply.destination.port)
}

#[test]
fn c067_the_ack_to_an_inform_goes_to_ciaddr() {
    let mut world = Setup::default().world();
    for msg in [inform("10.0.0.200"), inform("10.0.0.200").broadcast_flag()] {
        let ack = world.send(msg).ack();
        assert_eq!(to(&ack), (ip("10.0.0.200"), 68));
        let station = NextHop::Station(Mac([2, 0, 0, 0, 0, 1]));
        assert_eq!(ack.destination.next_hop, station);
    }
}

#[test]
fn c067_also_when_giaddr_is_set_and_then_without_option_82() {
    let mut world = Setup::default().world();
    let ack = world.send(inform("10.9.0.200").circuit(b"7").far()).ack();
    assert_eq!(to(&ack), (ip("10.9.0.200"), 68));
    assert_eq!(ack.destination.next_hop, NextHop::Routed);
    assert_eq!(ack.option(code::AGENT_INFO), None);
}

#[test]
fn c067_the_network_is_that_of_ciaddr() {
    let mut world = Setup::default().world();
    let ack = world.send(inform("10.0.0.200").far()).ack();
    assert_eq!(ack.option(code::ROUTERS), Some(vec![10, 0, 0, 1]));
    let ack = world.send(inform("10.9.0.200")).ack();
    assert_eq!(ack.option(code::ROUTERS), Some(vec![10, 9, 0, 1]));
}

#[test]
fn c067_to_giaddr_with_option_82_where_the_server_has_no_route_to_subscribers() {
    let mut setup = Setup::default();
    setup.far().rules.inform_reply = InformReply::Giaddr;
    let mut world = setup.world();
    let ack = world.send(inform("10.9.0.200").circuit(b"7").far()).ack();
    assert_eq!(to(&ack), (RELAY, 67));
    assert_eq!(ack.option(code::AGENT_INFO), Some(b"\x01\x017".to_vec()));
}

#[test]
fn c067_without_ciaddr_to_the_source_or_to_the_relay() {
    let mut world = Setup::default().world();
    let mut msg = client(1).inform();
    assert_eq!(world.send(msg.clone()).silence(), Silence::NoDestination);
    msg.ip_src = ip("10.0.0.77");
    assert_eq!(to(&world.send(msg).ack()), (ip("10.0.0.77"), 68));
    let mut msg = client(1).inform().circuit(b"7").far();
    let ack = world.send(msg.clone()).ack();
    assert_eq!(to(&ack), (RELAY, 67));
    assert_eq!(ack.option(code::AGENT_INFO), Some(b"\x01\x017".to_vec()));
    msg.ip_src = Ipv4Addr::UNSPECIFIED;
    assert_eq!(to(&world.send(msg.clone()).ack()), (RELAY, 67));
    msg.ip_src = ip("10.9.0.77");
    let ack = world.send(msg).ack();
    assert_eq!(to(&ack), (ip("10.9.0.77"), 68));
    assert_eq!(ack.option(code::AGENT_INFO), None);
}

#[test]
fn c068_the_ack_to_an_inform_gives_no_address_and_no_times() {
    let mut world = Setup::default().world();
    let msg = inform("10.0.0.200").prl(&[1, 51, 58, 59, 3]);
    let ack = world.send(msg).ack();
    assert_eq!(ack.yiaddr(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(ack.message().ciaddr(), ip("10.0.0.200"));
    let times = [code::LEASE_TIME, code::RENEWAL_TIME, code::REBINDING_TIME];
    assert!(!ack.codes().iter().any(|code| times.contains(code)));
    assert!(ack.codes().contains(&code::ROUTERS));
    assert_eq!(ack.parked, None);
}

fn footprint(world: &World) -> (usize, usize, u64) {
    let shard = &world.shards[0];
    (world.log.len(), shard.fill().0, shard.counts().offered)
}

#[test]
fn c069_an_inform_neither_allocates_nor_looks_for_a_lease() {
    let mut world = Setup::default().world();
    world.send(inform("10.0.0.15")).ack();
    assert_eq!(footprint(&world), (0, 0, 0));
    let addr = world.lease(&client(1)).yiaddr();
    let before = footprint(&world);
    world.pass(1800);
    world.send(inform(&addr.to_string())).ack();
    // Nobody in particular asks, be it under no identity at all.
    let mut nameless = inform("10.0.0.16");
    nameless.chaddr = [0; 16];
    world.send(nameless).ack();
    assert_eq!(footprint(&world), before);
    world.room = false;
    world.send(inform("10.0.0.15")).ack();
}

#[test]
fn c070_an_inform_from_an_unknown_subnet_is_not_answered() {
    let mut world = Setup::default().world();
    for msg in [inform("172.16.0.5"), inform("172.16.0.5").far()] {
        assert_eq!(world.send(msg).silence(), Silence::ForeignCiaddr);
    }
}

#[test]
fn c071_an_inform_with_54_is_taken_if_it_is_ours_and_50_and_51_are_ignored() {
    let mut world = Setup::default().world();
    let foreign = inform("10.0.0.200").server(ip("10.0.0.2"));
    assert_eq!(world.send(foreign).silence(), Silence::OtherServer);
    let ours = inform("10.0.0.200").server(SERVER);
    let ack = world.send(ours.requested(ip("10.0.0.15")).lease(77)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (Ipv4Addr::UNSPECIFIED, None));
    assert_eq!(footprint(&world), (0, 0, 0));
}

#[test]
fn c072_a_request_with_ciaddr_and_a_foreign_54_is_not_for_us() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let before = footprint(&world);
    world.pass(1800);
    let foreign = client(1).renew(addr).server(ip("10.0.0.2"));
    assert_eq!(world.send(foreign).silence(), Silence::OtherServer);
    assert_eq!(footprint(&world), before);
    let ours = client(1).renew(addr).server(SERVER).requested(addr);
    assert_eq!(world.send(ours).ack().yiaddr(), addr);
}
