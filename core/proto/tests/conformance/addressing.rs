//! RFC 2131 §4.1: where replies go.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Reply, Setup, ip, link, net, pool, subnet};
use dhcp_proto::server::{NextHop, Silence};
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

const CLIENT_1: NextHop = NextHop::Station(Mac([2, 0, 0, 0, 0, 1]));

fn to(reply: &Reply) -> (Ipv4Addr, u16, NextHop) {
    let destination = reply.destination;
    (destination.addr, destination.port, destination.next_hop)
}

const EVERYBODY: (Ipv4Addr, u16, NextHop) = (Ipv4Addr::BROADCAST, 68, NextHop::Broadcast);

#[test]
fn c001_a_reply_to_a_relayed_message_goes_to_giaddr_port_67() {
    let mut world = Setup::default().world();
    let relay = (RELAY, 67, NextHop::Routed);
    let offer = world.send(client(1).discover().far()).offer();
    assert_eq!(to(&offer), relay);
    let ack = world.send(client(1).select(&offer).far()).ack();
    assert_eq!(to(&ack), relay);
    let nak = world.send(client(2).reboot(ip("10.5.5.5")).far()).nak();
    assert_eq!(to(&nak), relay);
}

#[test]
fn c001_a_relayed_message_with_ciaddr_and_without_the_broadcast_flag_goes_to_giaddr_too() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().far()).offer();
    let ack = world.send(client(1).select(&offer).far()).ack();
    let rebind = client(1).rebind(ack.yiaddr()).far();
    let again = world.send(rebind).ack();
    assert_eq!(to(&again), (RELAY, 67, NextHop::Routed));
}

#[test]
fn c002_the_ack_to_a_renewal_is_unicast_to_ciaddr_port_68() {
    let mut world = Setup::default().world();
    let lease = world.lease(&client(1));
    world.pass(1800);
    let ack = world.send(client(1).renew(lease.yiaddr())).ack();
    assert_eq!(to(&ack), (lease.yiaddr(), 68, CLIENT_1));
    let flagged = client(1).renew(lease.yiaddr()).broadcast_flag();
    assert_eq!(to(&world.send(flagged).ack()).0, lease.yiaddr());
    let rebound = world.send(client(1).rebind(lease.yiaddr())).ack();
    assert_eq!(to(&rebound), (lease.yiaddr(), 68, CLIENT_1));
}

#[test]
fn c003_replies_to_a_client_with_the_broadcast_flag_are_broadcast() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().broadcast_flag()).offer();
    assert_eq!(to(&offer), EVERYBODY);
    let ack = world.send(client(1).select(&offer).broadcast_flag()).ack();
    assert_eq!(to(&ack), EVERYBODY);
    let reboot = client(1).reboot(ack.yiaddr()).broadcast_flag();
    assert_eq!(to(&world.send(reboot).ack()), EVERYBODY);
}

#[test]
fn c004_replies_to_a_client_without_the_flag_go_to_yiaddr_and_chaddr() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(to(&offer), (offer.yiaddr(), 68, CLIENT_1));
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(to(&ack), (offer.yiaddr(), 68, CLIENT_1));
}

#[test]
fn c005_a_nak_on_the_link_is_broadcast_even_when_ciaddr_is_set() {
    let mut world = Setup::default().world();
    let taken = world.lease(&client(1)).yiaddr();
    assert_eq!(to(&world.send(client(2).renew(taken)).nak()), EVERYBODY);
    assert_eq!(to(&world.send(client(2).rebind(taken)).nak()), EVERYBODY);
    let elsewhere = client(2).rebind(ip("10.9.0.15"));
    assert_eq!(to(&world.send(elsewhere).nak()), EVERYBODY);
    assert_eq!(
        to(&world.send(client(2).reboot(ip("10.9.0.15"))).nak()),
        EVERYBODY
    );
}

#[test]
fn c010_every_address_of_the_server_is_accepted_as_option_54() {
    let mut setup = Setup::default();
    setup.links = vec![
        link(0, (0, 0), &["10.0.0.1/24", "10.0.0.2/24"]),
        link(1, (0, 7), &["172.16.0.1/24"]),
    ];
    let mut world = setup.world();
    for (n, server) in (1..).zip(["10.0.0.1", "10.0.0.2", "172.16.0.1"]) {
        let offer = world.send(client(n).discover()).offer();
        let request = client(n).reboot(offer.yiaddr()).server(ip(server));
        assert_eq!(world.send(request).ack().yiaddr(), offer.yiaddr());
    }
    let offer = world.send(client(9).discover()).offer();
    let request = client(9).reboot(offer.yiaddr()).server(ip("10.0.0.3"));
    world.send(request).silence();
}

#[test]
fn c011_option_54_is_our_address_on_the_clients_subnet() {
    let mut setup = Setup::default();
    setup.links = vec![link(0, (0, 0), &["10.0.0.1/24", "10.1.0.1/24"])];
    let mut shared = vec![
        subnet("10.0.0.0/24", "10.0.0.10", "10.0.0.10"),
        subnet("10.1.0.0/24", "10.1.0.10", "10.1.0.10"),
    ];
    shared[0].pools = vec![pool("10.0.0.10", "10.0.0.10")];
    setup.networks = vec![net("home", shared)];
    let mut world = setup.world();
    for (n, third) in [(1, 0), (2, 1)] {
        let lease = world.lease(&client(n));
        assert_eq!(lease.yiaddr(), Ipv4Addr::new(10, third, 0, 10));
        assert_eq!(lease.server_id(), Ipv4Addr::new(10, third, 0, 1));
        assert_eq!(lease.destination.source, lease.server_id());
    }
}

#[test]
fn c011_option_54_through_a_relay_is_the_address_the_request_was_sent_to() {
    let mut setup = Setup::default();
    setup.links = vec![link(0, (0, 0), &["10.0.0.1/24", "10.0.0.2/24"])];
    let mut world = setup.world();
    let second = ip("10.0.0.2");
    let asked = client(1).discover().relayed(RELAY, second);
    let offer = world.send(asked).offer();
    assert_eq!(offer.server_id(), second);
    assert_eq!(offer.destination.source, second);
}

#[test]
fn c011_option_54_after_a_relays_broadcast_is_the_receiving_interfaces() {
    let mut setup = Setup::default();
    setup.links.push(link(1, (0, 0), &["172.16.0.1/24"]));
    let mut world = setup.world();
    let broadcast = |msg: Msg| msg.relayed(RELAY, Ipv4Addr::BROADCAST);
    let mut asked = broadcast(client(1).discover());
    asked.port = 1;
    let offer = world.send(asked).offer();
    assert_eq!(offer.server_id(), ip("172.16.0.1"));
    assert_eq!(offer.destination.source, ip("172.16.0.1"));
}

#[test]
fn c011_a_configured_option_54_is_sent_and_accepted() {
    let mut setup = Setup::default();
    setup.home_subnet().server_id = Some(ip("192.0.2.1"));
    let mut world = setup.world();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.server_id(), ip("192.0.2.1"));
    assert_eq!(offer.destination.source, SERVER);
    assert_eq!(
        world.send(client(1).select(&offer)).ack().server_id(),
        ip("192.0.2.1")
    );
}

#[test]
fn c145_what_is_sent_to_a_second_address_is_answered_from_it() {
    let setup = Setup {
        links: vec![link(0, (0, 0), &["10.0.0.1/24", "10.0.0.2/24"])],
        ..Setup::default()
    };
    let mut world = setup.world();
    let lease = world.lease(&client(1));
    world.pass(1800);
    let second = ip("10.0.0.2");
    let renew = client(1).request().ciaddr(lease.yiaddr()).unicast(second);
    let ack = world.send(renew).ack();
    assert_eq!((ack.destination.source, ack.server_id()), (second, second));
}

#[test]
fn c152_a_unicast_about_an_address_of_no_network_is_not_answered() {
    let setup = Setup {
        links: vec![link(0, (0, 0), &["10.0.0.1/24", "10.77.0.1/24"])],
        ..Setup::default()
    };
    let mut world = setup.world();
    // On the link, but in no network of ours.
    let renew = client(1)
        .request()
        .ciaddr(ip("10.77.0.9"))
        .unicast(ip("10.0.0.1"));
    assert_eq!(world.send(renew).silence(), Silence::ForeignCiaddr);
}
