//! RFC 2131 §4.1: where replies go.

use crate::client::client;
use crate::world::{Setup, ip};
use dhcp_proto::server::NextHop;
use dhcp_wire::ethernet::Mac;

#[test]
fn c001_a_reply_to_a_relayed_message_goes_to_giaddr_port_67() {
    let mut world = Setup::default().world();
    let relay = ip("10.9.0.1");
    let at = |msg: crate::client::Msg| msg.relayed(relay, ip("10.0.0.1"));
    let offer = world.send(at(client(1).discover())).offer();
    assert_eq!(
        (offer.destination.addr, offer.destination.port),
        (relay, 67)
    );
    assert_eq!(offer.destination.next_hop, NextHop::Routed);
    let request = client(1)
        .request()
        .requested(offer.yiaddr())
        .server(offer.server_id());
    let ack = world.send(at(request)).ack();
    assert_eq!((ack.destination.addr, ack.destination.port), (relay, 67));
    let nak = world
        .send(at(client(2).request().requested(ip("10.5.5.5"))))
        .nak();
    assert_eq!((nak.destination.addr, nak.destination.port), (relay, 67));
}

#[test]
fn c002_the_ack_to_a_renewal_is_unicast_to_ciaddr_port_68() {
    let mut world = Setup::default().world();
    let lease = world.lease(&client(1));
    world.pass(1800);
    let renew = client(1)
        .request()
        .ciaddr(lease.yiaddr())
        .unicast(ip("10.0.0.1"));
    let ack = world.send(renew).ack();
    assert_eq!(
        (ack.destination.addr, ack.destination.port),
        (lease.yiaddr(), 68)
    );
    assert_eq!(
        ack.destination.next_hop,
        NextHop::Station(Mac([2, 0, 0, 0, 0, 1]))
    );
}
