//! What a relay directs by its sub-options: RFC 5107, RFC 5010 and RFC 8357.

use crate::client::{Msg, RELAY, SERVER, client};
use crate::world::{Answer, Reply, Setup, World, ip};
use dhcp_proto::server::{ReplyKind, Silence};
use dhcp_wire::dhcp::code;
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

/// What the relay has its clients take for their server.
const OVERRIDE: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);
const ROUTER: Mac = Mac([2, 0xff, 0, 0, 0, 1]);

/// Through the relay, which overrides the server identifier with `id`.
fn by(msg: Msg, id: Ipv4Addr) -> Msg {
    msg.agent_info(&[(1, b"port 7"), (11, &id.octets())]).far()
}

/// A whole exchange through the relay that overrides.
#[track_caller]
fn lease(world: &mut World, n: u8) -> Reply {
    let offer = world.send(by(client(n).discover(), OVERRIDE)).offer();
    assert_eq!(offer.server_id(), OVERRIDE);
    world.send(by(client(n).select(&offer), OVERRIDE)).ack()
}

/// Client `n` renews past the relay: without option 82.
fn renewal(n: u8, addr: Ipv4Addr) -> Msg {
    client(n).request().ciaddr(addr).routed(SERVER, ROUTER)
}

#[test]
fn c116_option_54_of_every_reply_is_what_82_11_says() {
    let mut setup = Setup::default();
    setup.far().subnets[0].server_id = Some(SERVER);
    let mut world = setup.world();
    let ack = lease(&mut world, 1);
    assert_eq!(ack.server_id(), OVERRIDE);
    let elsewhere = by(client(1).reboot(ip("192.0.2.1")), OVERRIDE);
    assert_eq!(world.send(elsewhere).nak().server_id(), OVERRIDE);
    let inform = by(client(1).inform().ciaddr(ack.yiaddr()), OVERRIDE);
    assert_eq!(world.send(inform).ack().server_id(), OVERRIDE);
    // Another relay address, from this message on.
    let moved = by(client(1).request().ciaddr(ack.yiaddr()), ip("10.9.0.3"));
    assert_eq!(world.send(moved).ack().server_id(), ip("10.9.0.3"));
    // Without 82/11 in what comes by the relay it is over.
    let plain = client(1).request().ciaddr(ack.yiaddr()).circuit(b"port 7");
    assert_eq!(world.send(plain.far()).ack().server_id(), SERVER);
    assert_eq!(
        world.send(renewal(1, ack.yiaddr())).ack().server_id(),
        SERVER
    );
}

#[test]
fn c116_an_override_that_no_client_can_send_to_and_one_that_is_not_trusted_say_nothing() {
    let mut world = Setup::default().world();
    let parts: [&[(u8, &[u8])]; 5] = [
        &[(11, &[0; 4])],
        &[(11, &[255; 4])],
        &[(11, &[224, 0, 0, 1])],
        &[(11, &[10, 9, 0])],
        // The first instance counts.
        &[(11, &[]), (11, &[10, 9, 0, 2])],
    ];
    for parts in parts {
        let msg = client(1).agent_info(parts).discover().far();
        assert_eq!(world.send(msg).offer().server_id(), SERVER, "{parts:?}");
    }
    let direct = client(2).agent_info(&[(11, &OVERRIDE.octets())]);
    let offer = world.send(direct.clone().discover()).offer();
    assert_eq!(offer.server_id(), SERVER);
    let request = direct.request().requested(offer.yiaddr()).server(OVERRIDE);
    assert_eq!(world.send(request).silence(), Silence::OfferWithdrawn);
}

#[test]
fn c117_a_remembered_override_names_us_and_is_told_again_where_82_is_missing() {
    let mut setup = Setup::default();
    setup.shards = 3;
    let mut world = setup.world();
    let addr = lease(&mut world, 1).yiaddr();
    for restart in [false, true] {
        if restart {
            world.setup.shards = 2;
            world.restart();
        }
        world.pass(600);
        let ack = world.send(renewal(1, addr).server(OVERRIDE)).ack();
        assert_eq!((ack.yiaddr(), ack.server_id()), (addr, OVERRIDE));
        let ack = world.send(renewal(1, addr)).ack();
        assert_eq!(ack.server_id(), OVERRIDE);
    }
    let foreign = renewal(1, addr).server(ip("10.9.0.99"));
    assert_eq!(world.send(foreign).silence(), Silence::OtherServer);
    // A NAK would be ignored if it came from somebody else.
    world.setup.far().subnets[0].excluded = vec![(addr, addr)];
    world.restart();
    assert_eq!(world.send(renewal(1, addr)).nak().server_id(), OVERRIDE);
}

#[test]
fn c117_release_and_decline_may_name_the_override() {
    let mut world = Setup::default().world();
    let addr = lease(&mut world, 1).yiaddr();
    let release = client(1).release().ciaddr(addr).server(OVERRIDE);
    let release = release.routed(SERVER, ROUTER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    let addr = lease(&mut world, 2).yiaddr();
    let decline = client(2).decline().requested(addr).server(OVERRIDE);
    let answer = world.send(by(decline, OVERRIDE)).silence();
    assert_eq!(answer, Silence::Declined);
}

#[test]
fn c172_ours_by_the_override_alone_and_nothing_given_is_another_servers() {
    let mut setup = Setup::default();
    setup.far().rules.adopt = true;
    setup.far().rules.nak_unknown = true;
    let mut world = setup.world();
    let addr = ip("10.9.0.15");
    let selecting = client(1).request().requested(addr).server(OVERRIDE);
    let renewing = client(1).request().ciaddr(addr).server(OVERRIDE);
    for msg in [selecting.clone(), renewing.clone()] {
        let answer = world.send(by(msg, OVERRIDE)).silence();
        assert_eq!(answer, Silence::OverrideUnknown);
    }
    // Its offer was of another address, so it took another server's; ours is withdrawn.
    let offered = world.send(by(client(1).discover(), OVERRIDE)).offer();
    assert_ne!(offered.yiaddr(), addr);
    let answer = world.send(by(selecting.clone(), OVERRIDE)).silence();
    assert_eq!(answer, Silence::OfferWithdrawn);
    // A lease of another address is left as it is.
    let lease = lease(&mut world, 1).yiaddr();
    for msg in [selecting, renewing] {
        let answer = world.send(by(msg, OVERRIDE)).silence();
        assert_eq!(answer, Silence::OverrideUnknown);
    }
    let renewed = client(1).request().ciaddr(lease).server(OVERRIDE);
    assert_eq!(world.send(by(renewed, OVERRIDE)).ack().yiaddr(), lease);
    // By an address of our own it is ours, whatever the relay says.
    let ours = client(2).request().requested(addr).server(SERVER);
    assert_eq!(world.send(by(ours, OVERRIDE)).ack().yiaddr(), addr);
}

#[test]
fn c172_an_offer_that_the_server_has_lost_is_left_to_the_others() {
    let mut world = Setup::default().world();
    let offer = world.send(by(client(1).discover(), OVERRIDE)).offer();
    world.restart();
    let select = by(client(1).select(&offer), OVERRIDE);
    assert_eq!(world.send(select).silence(), Silence::OverrideUnknown);
    assert!(world.log.is_empty());
}

/// A REQUEST with the ciaddr of another network than giaddr's, and these flags of RFC 5010.
fn flagged(world: &mut World, addr: Ipv4Addr, flags: &[u8]) -> Answer {
    let msg = client(1).request().ciaddr(addr);
    world.send(msg.agent_info(&[(1, b"p"), (10, flags)]).far())
}

#[test]
fn c121_the_flags_tell_renewing_from_rebinding() {
    let mut world = Setup::default().world();
    let home = world.lease(&client(1)).yiaddr();
    // RENEWING: ciaddr says the network. REBINDING: giaddr does, and the client is elsewhere.
    for unicast in [0x80, 0xff] {
        let ack = flagged(&mut world, home, &[unicast]);
        let Answer::Reply(ack) = ack else {
            panic!("{ack:?}")
        };
        assert_eq!((ack.kind, ack.yiaddr()), (ReplyKind::Ack, home));
        assert_eq!(ack.destination.addr, RELAY);
        assert_eq!(
            ack.option(code::AGENT_INFO).unwrap(),
            [1, 1, b'p', 10, 1, unicast]
        );
    }
    for broadcast in [&[0][..], &[0x7f], &[], &[0x80, 0]] {
        flagged(&mut world, home, broadcast).nak();
    }
    let nowhere = flagged(&mut world, ip("192.0.2.9"), &[0x80]).silence();
    assert_eq!(nowhere, Silence::ForeignCiaddr);
    flagged(&mut world, ip("192.0.2.9"), &[0]).nak();
}

#[test]
fn c121_the_flags_of_a_client_that_discovers_decide_nothing() {
    let mut world = Setup::default().world();
    let msg = client(1).agent_info(&[(10, &[0x80])]).discover();
    let offer = world.send(msg.ciaddr(ip("10.0.0.15")).far()).offer();
    assert!(
        world.setup.networks[1].subnets[0]
            .prefix
            .contains(offer.yiaddr())
    );
}

#[test]
fn c185_the_reply_goes_to_the_port_that_the_relay_sent_from_if_82_19_says_so() {
    let mut world = Setup::default().world();
    let from = |msg: Msg, parts: &[(u8, &[u8])], port| {
        let mut msg = msg.agent_info(parts).far();
        msg.src_port = port;
        msg
    };
    let with: &[(u8, &[u8])] = &[(1, b"port 7"), (19, b"")];
    let without: &[(u8, &[u8])] = &[(1, b"port 7")];
    let offer = world.send(from(client(1).discover(), with, 4067)).offer();
    assert_eq!(
        (offer.destination.addr, offer.destination.port),
        (RELAY, 4067)
    );
    let echoed = offer.option(code::AGENT_INFO).unwrap();
    assert_eq!(echoed, b"\x01\x06port 7\x13\x00");
    let ack = world.send(from(client(1).select(&offer), with, 4068)).ack();
    assert_eq!(ack.destination.port, 4068);
    let nak = world.send(from(client(2).reboot(ip("192.0.2.1")), with, 4069));
    assert_eq!(nak.nak().destination.port, 4069);
    let absent = world
        .send(from(client(1).discover(), without, 4067))
        .offer();
    assert_eq!(absent.destination.port, 67);
    // Nobody listens on port 0.
    let zero = world.send(from(client(1).discover(), with, 0)).offer();
    assert_eq!(zero.destination.port, 67);
}

#[test]
fn c185_a_direct_client_is_answered_on_port_68_whatever_it_says() {
    let mut world = Setup::default().world();
    world.setup.links[0].trust_option82 = true;
    world.restart();
    let mut msg = client(1).agent_info(&[(19, b"")]).discover();
    msg.src_port = 4067;
    assert_eq!(world.send(msg).offer().destination.port, 68);
}
