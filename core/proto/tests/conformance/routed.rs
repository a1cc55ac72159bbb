//! RFC 2131 §4.1, §4.3.2, §4.4.5: renewals through routers, and requests off the beaten track.

use crate::client::{Msg, SERVER, client};
use crate::world::{Setup, World, ip, link, pool};
use dhcp_proto::config::{Reservation, RoutedNak};
use dhcp_proto::server::{NextHop, Silence};
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

const ROUTER: Mac = Mac([2, 0xee, 0, 0, 0, 9]);
/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

/// A lease on the network behind relays.
#[track_caller]
fn lease_far(world: &mut World, n: u8) -> Ipv4Addr {
    let offer = world.send(client(n).discover().far()).offer();
    world.send(client(n).select(&offer).far()).ack().yiaddr()
}

/// A renewal that crossed a router.
fn routed(n: u8, addr: Ipv4Addr) -> Msg {
    client(n).request().ciaddr(addr).routed(SERVER, ROUTER)
}

fn one_address() -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    setup
}

fn reserved_for(n: u8, addr: Ipv4Addr) -> Reservation {
    Reservation::new(&[2, 1, 2, 0, 0, 0, 0, n], addr)
}

#[test]
fn c143_a_renewal_through_routers_is_of_the_network_of_ciaddr() {
    let mut world = Setup::default().world();
    let far = lease_far(&mut world, 1);
    let home = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    let ack = world.send(routed(1, far)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (far, Some(3600)));
    assert_eq!(ack.option(code::ROUTERS), Some(vec![10, 9, 0, 1]));
    assert_eq!(world.log.last().unwrap().addr, far);
    world.send(client(1).renew(home)).ack();
}

#[test]
fn c144_its_ack_goes_back_to_the_router_it_came_from() {
    let mut world = Setup::default().world();
    let far = lease_far(&mut world, 1);
    let ack = world.send(routed(1, far).broadcast_flag()).ack();
    let to = ack.destination;
    assert_eq!((to.addr, to.port), (far, 68));
    assert_eq!(to.next_hop, NextHop::Station(ROUTER));
}

#[test]
fn c145_the_source_is_the_address_asked_and_equal_to_option_54() {
    let mut setup = Setup::default();
    setup.links = vec![link(0, (0, 0), &["192.168.0.1/24", "10.0.0.1/24"])];
    let mut world = setup.world();
    let offer = world.send(client(1).discover()).offer();
    let broadcast = world.send(client(1).discover().broadcast_flag()).offer();
    let ack = world.send(client(1).select(&offer)).ack();
    let renewed = world.send(client(1).renew(ack.yiaddr())).ack();
    let nak = world.send(client(2).reboot(ip("10.5.5.5"))).nak();
    for reply in [offer, broadcast, ack, renewed, nak] {
        assert_eq!(reply.destination.source, SERVER);
        assert_eq!(reply.server_id(), SERVER);
    }
    for asked in [SERVER, ip("192.168.0.1")] {
        let relayed = client(3).discover().relayed(ip("10.9.0.1"), asked);
        let reply = world.send(relayed).offer();
        assert_eq!(
            (reply.destination.source, reply.server_id()),
            (asked, asked)
        );
    }
}

#[test]
fn c145_a_renewal_to_another_of_our_addresses_is_answered_from_that() {
    let mut setup = Setup::default();
    setup.links = vec![link(0, (0, 0), &["10.0.0.1/24", "192.168.0.1/24"])];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    let other = client(1).request().ciaddr(addr).unicast(ip("192.168.0.1"));
    let ack = world.send(other).ack();
    assert_eq!(ack.destination.source, ip("192.168.0.1"));
}

#[test]
fn c145_a_service_address_answers_on_every_port_and_is_option_54() {
    let service = ip("192.0.2.67");
    let mut setup = Setup::default();
    setup.links.push(link(1, (0, 0), &["172.16.0.1/24"]));
    setup.services = vec![service];
    let mut world = setup.world();
    let mut port_1 = client(1);
    port_1.port = 1;
    let relayed = |msg: Msg| msg.relayed(ip("10.9.0.1"), service);
    for mut msg in [client(1), port_1] {
        let offer = world.send(relayed(msg.clone().discover())).offer();
        let ack = world.send(relayed(msg.clone().select(&offer))).ack();
        // C143: the client renews through routers, at option 54.
        msg.options.clear();
        let renewal = msg.request().ciaddr(ack.yiaddr()).routed(service, ROUTER);
        let renewed = world.send(renewal).ack();
        for reply in [offer, ack, renewed] {
            assert_eq!(reply.destination.source, service);
            assert_eq!(reply.server_id(), service);
        }
    }
}

#[test]
fn c010_a_service_address_is_accepted_as_option_54() {
    let service = ip("192.0.2.67");
    let mut setup = Setup::default();
    let mut world = Setup {
        services: vec![service],
        ..Setup::default()
    }
    .world();
    let offer = world.send(client(1).discover()).offer();
    let select = |server| client(1).request().requested(offer.yiaddr()).server(server);
    world.send(select(service)).ack();
    setup.services.clear();
    let mut world = setup.world();
    world.send(client(1).discover()).offer();
    let silence = world.send(select(service)).silence();
    assert_eq!(silence, Silence::OfferWithdrawn);
}

#[test]
fn c164_a_service_address_as_giaddr_is_our_own() {
    let service = ip("10.9.0.67");
    let mut setup = Setup::default();
    setup.services = vec![service];
    let mut world = setup.world();
    let looped = client(1).discover().relayed(service, SERVER);
    assert_eq!(world.send(looped).silence(), Silence::OwnGiaddr);
}

#[test]
fn c146_a_nak_to_a_routed_renewal_is_unicast() {
    let mut world = Setup::default().world();
    let far = lease_far(&mut world, 1);
    let to = world.send(routed(2, far)).nak().destination;
    assert_eq!((to.addr, to.port), (far, 68));
    assert_eq!(to.next_hop, NextHop::Station(ROUTER));
    assert_eq!(to.source, SERVER);
}

#[test]
fn c146_or_not_sent_where_the_operator_says_so() {
    let mut setup = Setup::default();
    setup.far().rules.nak_routed = RoutedNak::Silent;
    let mut world = setup.world();
    let far = lease_far(&mut world, 1);
    let silence = world.send(routed(2, far)).silence();
    assert_eq!(silence, Silence::RoutedNak);
}

#[test]
fn c147_ciaddr_decides_though_50_and_our_54_are_present() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    for msg in [client(1).renew(addr), client(1).rebind(addr)] {
        let msg = msg.server(SERVER).requested(ip("10.0.0.19"));
        let ack = world.send(msg).ack();
        assert_eq!((ack.yiaddr(), ack.destination.addr), (addr, addr));
    }
    assert_eq!(world.log.last().unwrap().expiry, world.log[0].expiry + 1800);
}

#[test]
fn c148_selecting_without_an_offer_on_record_is_granted_if_the_address_is_free() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    world.pass(70);
    assert_eq!(world.shards[0].counts().offered, 0);
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    let offer = world.send(client(2).discover()).offer();
    world.restart();
    let ack = world.send(client(2).select(&offer)).ack();
    assert_eq!(ack.yiaddr(), offer.yiaddr());
}

#[test]
fn c148_and_refused_if_it_is_not() {
    let mut setup = Setup::default();
    let kept = reserved_for(9, ip("10.0.0.12"));
    setup.home().reservations = vec![kept];
    let excluded = (ip("10.0.0.14"), ip("10.0.0.15"));
    setup.home_subnet().excluded = vec![excluded];
    let mut world = setup.world();
    let leased = world.lease(&client(1)).yiaddr();
    let offered = world.send(client(2).discover()).offer().yiaddr();
    for addr in [
        leased,
        offered,
        ip("10.0.0.12"),
        ip("10.0.0.14"),
        ip("10.0.0.99"),
        ip("10.9.0.10"),
        ip("172.16.0.1"),
    ] {
        let msg = client(3).request().requested(addr).server(SERVER);
        world.send(msg).nak();
    }
    assert_eq!(world.log.len(), 1);
}

#[test]
fn c149_option_50_alone_takes_what_is_on_offer() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let ack = world.send(client(1).reboot(offer.yiaddr())).ack();
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    assert_eq!(world.log.len(), 1);
    let offer = world.send(client(2).discover()).offer();
    let other = world.send(client(3).reboot(offer.yiaddr())).silence();
    assert_eq!(other, Silence::UnknownClient);
}

/// REQUEST in each state that may come from a client that had `addr`.
fn requests(n: u8, addr: Ipv4Addr) -> [Msg; 4] {
    let select = client(n).request().requested(addr).server(SERVER);
    let (renew, rebind) = (client(n).renew(addr), client(n).rebind(addr));
    [select, client(n).reboot(addr), renew, rebind]
}

#[test]
fn c150_an_own_expired_or_released_binding_is_granted_again() {
    for state in 0..4 {
        let mut world = Setup::default().world();
        for n in [1, 2] {
            let addr = world.lease(&client(n)).yiaddr();
            if n == 1 {
                world.pass(LONG_OVER);
            } else {
                let release = client(n).release().ciaddr(addr).unicast(SERVER);
                world.send(release).silence();
            }
            let ack = world.send(requests(n, addr)[state].clone()).ack();
            assert_eq!((ack.yiaddr(), ack.lease()), (addr, Some(3600)));
        }
    }
}

#[test]
fn c150_also_while_it_is_on_offer_to_the_client_again() {
    for state in 0..4 {
        let mut world = Setup::default().world();
        let addr = world.lease(&client(1)).yiaddr();
        world.pass(LONG_OVER);
        let offer = world.send(client(1).discover()).offer();
        assert_eq!(offer.yiaddr(), addr);
        let ack = world.send(requests(1, addr)[state].clone()).ack();
        assert_eq!(ack.yiaddr(), addr);
        assert_eq!(world.shards[0].counts().offered, 0);
    }
}

#[test]
fn c150_it_is_refused_if_the_address_is_another_clients() {
    for state in 0..4 {
        for shards in [1, 3] {
            let mut setup = one_address();
            setup.shards = shards;
            let mut world = setup.world();
            let addr = world.lease(&client(1)).yiaddr();
            world.pass(LONG_OVER);
            for n in 2..6 {
                assert_eq!(world.lease(&client(n)).yiaddr(), addr);
                world.send(requests(1, addr)[state].clone()).nak();
                let release = client(n).release().ciaddr(addr).unicast(SERVER);
                assert_eq!(world.send(release).silence(), Silence::Released);
            }
        }
    }
}

#[test]
fn c150_it_is_refused_if_the_address_is_reserved_excluded_or_in_no_pool() {
    type Change = fn(&mut Setup, Ipv4Addr);
    let reserved: Change = |setup, addr| setup.home().reservations = vec![reserved_for(9, addr)];
    let excluded: Change = |setup, addr| setup.home_subnet().excluded = vec![(addr, addr)];
    let in_no_pool: Change =
        |setup, _| setup.home_subnet().pools = vec![pool("10.0.0.100", "10.0.0.110")];
    // A lease that is in no pool any more is kept to its end.
    let changes = [
        (reserved, &[0, LONG_OVER][..]),
        (excluded, &[0, LONG_OVER]),
        (in_no_pool, &[LONG_OVER]),
    ];
    for (change, overs) in changes {
        for state in 0..4 {
            for over in overs.iter().copied() {
                let mut world = Setup::default().world();
                let addr = world.lease(&client(1)).yiaddr();
                world.pass(over);
                change(&mut world.setup, addr);
                world.restart();
                world.send(requests(1, addr)[state].clone()).nak();
                assert_ne!(world.lease(&client(1)).yiaddr(), addr);
            }
        }
    }
}

#[test]
fn c151_on_reboot_the_network_is_looked_at_before_the_client() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let moved = ip("10.9.0.10");
    world.send(client(1).reboot(moved)).nak();
    world.send(client(2).reboot(moved)).nak();
    let unknown = world.send(client(2).reboot(ip("10.0.0.15"))).silence();
    assert_eq!(unknown, Silence::UnknownClient);
    world.send(client(1).reboot(addr).far()).nak();
    world.send(client(1).reboot(addr)).ack();
}

#[test]
fn c152_an_unknown_client_that_renews_a_free_address_gets_no_answer_or_its_lease() {
    let free = ip("10.0.0.15");
    let mut world = Setup::default().world();
    for msg in [client(1).renew(free), client(1).rebind(free)] {
        assert_eq!(world.send(msg).silence(), Silence::UnknownClient);
    }
    assert!(world.log.is_empty());
    world.setup.home().rules.adopt = true;
    world.restart();
    let ack = world.send(client(1).renew(free)).ack();
    assert_eq!((ack.yiaddr(), ack.lease()), (free, Some(3600)));
    world.send(client(2).renew(free)).nak();
    world.send(client(2).renew(ip("10.0.0.99"))).nak();
}

#[test]
fn c152_an_unknown_client_on_the_wrong_network_or_at_anothers_address_is_refused() {
    let mut world = Setup::default().world();
    let taken = world.lease(&client(1)).yiaddr();
    world.send(client(2).renew(taken)).nak();
    world.send(client(2).rebind(taken)).nak();
    world.send(client(2).rebind(ip("10.9.0.15"))).nak();
    world.send(client(2).rebind(ip("10.0.0.15")).far()).nak();
    world.send(client(2).rebind(ip("172.16.0.5"))).nak();
}

#[test]
fn c152_a_unicast_about_an_address_in_no_network_of_ours_gets_no_answer() {
    let mut setup = Setup::default();
    // An address of ours on the link, of which we serve no network.
    setup.links = vec![link(0, (0, 0), &["10.0.0.1/24", "192.168.0.1/24"])];
    let mut world = setup.world();
    for addr in [ip("172.16.0.5"), ip("192.168.0.5")] {
        let release = client(2).release().ciaddr(addr).unicast(SERVER);
        for msg in [client(2).renew(addr), routed(2, addr), release] {
            assert_eq!(world.send(msg).silence(), Silence::ForeignCiaddr);
        }
    }
}

#[test]
fn c154_option_50_of_0_or_not_of_four_octets_is_as_absent() {
    let mut world = Setup::default().world();
    for wrong in [&[0, 0, 0, 0][..], &[10, 0, 0], &[10, 0, 0, 15, 0], &[]] {
        let with = |m: Msg| m.option(code::REQUESTED_ADDRESS, wrong);
        let offer = world.send(with(client(1).discover())).offer();
        assert_ne!(offer.yiaddr(), ip("10.0.0.15"));
        for msg in [client(1).request(), client(1).request().server(SERVER)] {
            let silence = world.send(with(msg)).silence();
            assert_eq!(silence, Silence::NoRequestedAddress);
        }
        let decline = world.send(with(client(1).decline())).silence();
        assert_eq!(decline, Silence::Incomplete);
    }
}

#[test]
fn c155_a_client_that_cannot_be_reached_by_unicast_gets_a_broadcast() {
    let mut world = Setup::default().world();
    for (n, htype, hlen) in [(1, 1, 0), (2, 1, 7), (3, 1, 16), (4, 1, 1), (5, 6, 6)] {
        let mut msg = client(n).client_id(&[0, n, 1]);
        (msg.htype, msg.hlen) = (htype, hlen);
        let offer = world.send(msg.clone().discover()).offer();
        let ack = world.send(msg.select(&offer)).ack();
        for reply in [offer, ack] {
            assert_eq!(reply.destination.next_hop, NextHop::Broadcast, "{n}");
            assert!(reply.destination.addr.is_broadcast());
            assert!(!reply.message().broadcast());
        }
    }
}

#[test]
fn c156_a_discover_with_ciaddr_gets_no_offer_at_a_third_partys_address() {
    let mut world = Setup::default().world();
    let discover = |addr| client(1).discover().ciaddr(addr);
    let offer = world.send(discover(ip("172.16.0.5"))).offer();
    assert_eq!(offer.destination.addr, offer.yiaddr());
    let offer = world.send(discover(ip("10.9.0.5"))).offer();
    assert_eq!(offer.destination.addr, offer.yiaddr());
    assert_eq!(offer.message().ciaddr(), Ipv4Addr::UNSPECIFIED);
    let unicast = world.send(discover(ip("172.16.0.5")).unicast(SERVER));
    assert_eq!(unicast.offer().destination.addr, offer.yiaddr());
    let offer = world.send(discover(ip("10.0.0.5"))).offer();
    assert_eq!(offer.destination.addr, ip("10.0.0.5"));
}
