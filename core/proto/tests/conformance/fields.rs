//! RFC 2131 table 3: the fields and options of replies.

use crate::client::{RELAY, SERVER, UNSPECIFIED, client};
use crate::world::{Reply, Setup, World, ip};
use dhcp_proto::server::ReplyKind;
use dhcp_wire::dhcp::code;

/// An OFFER, an ACK to SELECTING, an ACK to RENEWING, an ACK to INFORM and a NAK.
fn every_reply(world: &mut World) -> [Reply; 5] {
    let ask = || client(1).prl(&[1, 50, 3, 51, 53, 54, 55, 57, 6]);
    let ask = || ask().option(code::MAX_MESSAGE_SIZE, &[5, 0]);
    let offer = world.send(ask().discover()).offer();
    let ack = world.send(ask().select(&offer)).ack();
    world.pass(100);
    let renewed = world.send(ask().renew(ack.yiaddr())).ack();
    let inform = ask().inform().ciaddr(ip("10.0.0.77")).unicast(SERVER);
    let informed = world.send(inform).ack();
    let nak = world.send(ask().reboot(ip("10.9.0.10"))).nak();
    [offer, ack, renewed, informed, nak]
}

fn replies() -> [Reply; 5] {
    every_reply(&mut Setup::default().world())
}

#[test]
fn c017_op_is_2_and_htype_hlen_and_chaddr_are_echoed() {
    let mut world = Setup::default().world();
    let mut odd = client(1);
    // What stands behind hlen octets is the client's too.
    odd.chaddr[6..].copy_from_slice(b"0123456789");
    let offer = world.send(odd.clone().discover()).offer();
    let nak = world.send(odd.clone().reboot(ip("10.9.0.10"))).nak();
    for reply in [offer, nak].iter().chain(&replies()) {
        let message = reply.message();
        assert_eq!(
            (message.op(), message.htype(), message.hlen()),
            (2, 1, 6),
            "{:?}",
            reply.kind
        );
        assert_eq!(message.chaddr(), [2, 0, 0, 0, 0, 1]);
    }
    let offer = world.send(odd.clone().discover()).offer();
    assert_eq!(offer.message().chaddr_field(), &odd.chaddr);
}

#[test]
fn c018_hops_is_0_unless_it_is_to_be_echoed() {
    for (echo, hops) in [(false, 0), (true, 3)] {
        let mut setup = Setup::default();
        setup.far().rules.echo_hops = echo;
        let mut world = setup.world();
        let mut discover = client(1).discover().far();
        discover.hops = 3;
        let offer = world.send(discover).offer();
        assert_eq!(offer.message().hops(), hops);
        let mut request = client(1).select(&offer).far();
        request.hops = 3;
        assert_eq!(world.send(request).ack().message().hops(), hops);
        let mut wrong = client(2).reboot(ip("10.5.5.5")).far();
        wrong.hops = 3;
        assert_eq!(world.send(wrong).nak().message().hops(), hops);
    }
}

#[test]
fn c019_secs_is_0() {
    let mut world = Setup::default().world();
    let mut late = client(1);
    late.secs = 77;
    let offer = world.send(late.clone().discover()).offer();
    assert_eq!(offer.message().secs(), 0);
    let ack = world.send(late.clone().select(&offer)).ack();
    assert_eq!(ack.message().secs(), 0);
    let nak = world.send(late.reboot(ip("10.9.0.10"))).nak();
    assert_eq!(nak.message().secs(), 0);
}

#[test]
fn c020_ciaddr_is_0_in_offer_and_nak_and_the_requests_in_an_ack() {
    let [offer, ack, renewed, informed, _] = replies();
    assert_eq!(offer.message().ciaddr(), UNSPECIFIED);
    assert_eq!(ack.message().ciaddr(), UNSPECIFIED);
    assert_eq!(renewed.message().ciaddr(), ack.yiaddr());
    assert_eq!(informed.message().ciaddr(), ip("10.0.0.77"));
    let mut world = Setup::default().world();
    let nak = world.send(client(1).rebind(ip("10.9.0.10"))).nak();
    assert_eq!(nak.message().ciaddr(), UNSPECIFIED);
    let discover = client(1).discover().ciaddr(ip("10.0.0.15"));
    let offer = world.send(discover).offer();
    assert_eq!(offer.message().ciaddr(), UNSPECIFIED);
}

#[test]
fn c021_yiaddr_is_set_in_an_offer_and_the_ack_to_a_request_alone() {
    let [offer, ack, renewed, informed, nak] = replies();
    assert_ne!(offer.yiaddr(), UNSPECIFIED);
    assert_eq!(ack.yiaddr(), offer.yiaddr());
    assert_eq!(renewed.yiaddr(), offer.yiaddr());
    assert_eq!(informed.yiaddr(), UNSPECIFIED);
    assert_eq!(nak.yiaddr(), UNSPECIFIED);
}

fn with_boot() -> Setup {
    let mut setup = Setup::default();
    let boot = &mut setup.home_subnet().boot;
    boot.next_server = ip("10.0.0.99");
    boot.server_name = (*b"boot.example.net").into();
    boot.boot_file = (*b"pxelinux.0").into();
    setup
}

#[test]
fn c022_siaddr_is_the_next_server_and_0_in_a_nak() {
    for reply in every_reply(&mut with_boot().world()) {
        let siaddr = reply.message().siaddr();
        if reply.kind == ReplyKind::Nak {
            assert_eq!(siaddr, UNSPECIFIED);
        } else {
            assert_eq!(siaddr, ip("10.0.0.99"));
        }
    }
    for reply in replies() {
        assert_eq!(reply.message().siaddr(), UNSPECIFIED);
    }
}

#[test]
fn c023_flags_and_giaddr_are_copied() {
    let mut world = Setup::default().world();
    for flags in [0, 0x8000, 0x8001] {
        let mut discover = client(1).discover().far();
        discover.flags = flags;
        let offer = world.send(discover).offer();
        assert_eq!(offer.message().flags(), flags);
        assert_eq!(offer.message().giaddr(), RELAY);
    }
    let direct = world.send(client(2).discover()).offer();
    assert_eq!(direct.message().giaddr(), UNSPECIFIED);
    assert_eq!(direct.message().flags(), 0);
}

#[test]
fn c024_sname_and_file_are_unused_in_a_nak() {
    let [offer, .., nak] = every_reply(&mut with_boot().world());
    assert!(offer.message().sname().starts_with(b"boot.example.net\0"));
    assert!(offer.message().file().starts_with(b"pxelinux.0\0"));
    assert_eq!(nak.message().sname(), &[0; 64]);
    assert_eq!(nak.message().file(), &[0; 128]);
}

#[test]
fn c025_option_50_is_never_in_a_reply() {
    for reply in replies() {
        assert!(!reply.codes().contains(&code::REQUESTED_ADDRESS));
    }
}

#[test]
fn c026_the_lease_time_is_in_an_offer_and_the_ack_to_a_request_alone() {
    let [offer, ack, renewed, informed, nak] = replies();
    assert_eq!(offer.lease(), Some(3600));
    assert_eq!(ack.lease(), Some(3600));
    assert_eq!(renewed.lease(), Some(3600));
    assert!(!informed.codes().contains(&code::LEASE_TIME));
    assert!(!nak.codes().contains(&code::LEASE_TIME));
}

#[test]
fn c027_options_55_and_57_are_never_in_a_reply() {
    for reply in replies() {
        let codes = reply.codes();
        assert!(!codes.contains(&code::PARAMETER_REQUEST_LIST));
        assert!(!codes.contains(&code::MAX_MESSAGE_SIZE));
    }
}

#[test]
fn c028_options_53_and_54_are_in_every_reply() {
    for reply in replies() {
        let kind = match reply.kind {
            ReplyKind::Offer => 2,
            ReplyKind::Ack => 5,
            ReplyKind::Nak => 6,
        };
        assert_eq!(reply.option(code::MESSAGE_TYPE), Some(vec![kind]));
        assert_eq!(reply.server_id(), SERVER);
    }
}

#[test]
fn c029_a_nak_carries_53_54_61_and_82_and_nothing_else() {
    let mut setup = with_boot();
    setup.networks[1].subnets[0].options[0].2 = true;
    let mut world = setup.world();
    let wrong = client(1)
        .client_id(b"\0one")
        .prl(&[1, 3, 6, 51])
        .circuit(b"7");
    let nak = world.send(wrong.reboot(ip("10.5.5.5")).far()).nak();
    let expected = [
        code::MESSAGE_TYPE,
        code::SERVER_ID,
        code::CLIENT_ID,
        code::AGENT_INFO,
    ];
    assert_eq!(nak.codes(), expected);
}
