//! RFC 2131 §4.3.3, §4.3.4: DECLINE and RELEASE.

use crate::client::{Msg, SERVER, client};
use crate::world::{START, Setup, World, ip, link, pool};
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::{NoticeKind, Silence};
use dhcp_wire::dhcp::code;
use std::net::Ipv4Addr;

const DAY: u64 = 86_400;

fn decline(n: u8, addr: Ipv4Addr) -> Msg {
    client(n).decline().requested(addr).server(SERVER)
}

fn release(n: u8, addr: Ipv4Addr) -> Msg {
    let msg = client(n).release().ciaddr(addr).server(SERVER);
    msg.unicast(SERVER)
}

/// What client `n` is offered if it wishes `addr`.
#[track_caller]
fn wish(world: &mut World, n: u8, addr: Ipv4Addr) -> Ipv4Addr {
    let wish = client(n).discover().requested(addr);
    world.send(wish).offer().yiaddr()
}

fn one_address() -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    setup
}

#[test]
fn c060_a_declined_address_is_unavailable_for_the_probation_time() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(world.send(decline(1, addr)).silence(), Silence::Declined);
    let record = world.log.last().unwrap();
    assert_eq!((record.kind, record.addr), (RecordKind::Declined, addr));
    assert!(record.expiry >= START + DAY);
    assert_ne!(wish(&mut world, 1, addr), addr);
    assert_ne!(wish(&mut world, 2, addr), addr);
    world.pass(DAY - 60);
    assert_ne!(wish(&mut world, 3, addr), addr);
    world.pass(120);
    assert_eq!(wish(&mut world, 4, addr), addr);
    let record = world.log.last().unwrap();
    assert_eq!(
        (record.kind, record.addr),
        (RecordKind::ProbationEnded, addr)
    );
}

#[test]
fn c060_the_operator_is_told_of_a_decline() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert!(world.notices.is_empty());
    world.send(decline(1, addr)).silence();
    let notice = world.notices.last().unwrap();
    assert_eq!((notice.kind, notice.addr), (NoticeKind::Declined, addr));
    assert_eq!(notice.chaddr, [2, 0, 0, 0, 0, 1]);
}

#[test]
fn c061_a_decline_by_a_stranger_or_of_an_expired_lease_is_ignored() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(world.send(decline(2, addr)).silence(), Silence::NotHolder);
    let offer = world.send(client(3).discover()).offer();
    let not_yet = decline(3, offer.yiaddr());
    assert_eq!(world.send(not_yet).silence(), Silence::NotHolder);
    world.send(client(1).renew(addr)).ack();
    world.pass(3602);
    assert_eq!(world.send(decline(1, addr)).silence(), Silence::NotHolder);
    assert_eq!(world.log.len(), 1);
    assert!(world.notices.is_empty());
}

#[test]
fn c062_a_decline_without_50_or_for_another_server_is_dropped() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let bare = client(1).decline().server(SERVER);
    assert_eq!(world.send(bare).silence(), Silence::Incomplete);
    let foreign = client(1).decline().requested(addr).server(ip("10.0.0.2"));
    assert_eq!(world.send(foreign).silence(), Silence::OtherServer);
    world.send(client(1).renew(addr)).ack();
    let without_54 = client(1).decline().requested(addr);
    assert_eq!(world.send(without_54).silence(), Silence::Declined);
}

#[test]
fn c062_c065_strict_table_5_drops_a_decline_or_release_without_54() {
    let mut setup = Setup::default();
    setup.home().rules.strict_table5 = true;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    for msg in [
        client(1).decline().requested(addr),
        client(1).release().ciaddr(addr).unicast(SERVER),
    ] {
        assert_eq!(world.send(msg).silence(), Silence::Incomplete);
    }
    assert_eq!(world.send(release(1, addr)).silence(), Silence::Released);
}

#[test]
fn c063_decline_and_release_are_never_answered() {
    let mut world = Setup::default().world();
    for n in 1..=3 {
        let addr = world.lease(&client(n)).yiaddr();
        let (mut relayed, flagged) = (decline(n, addr).far(), release(n, addr).broadcast_flag());
        relayed.ciaddr = addr;
        for msg in [relayed, decline(9, addr), flagged, release(n, addr)] {
            world.send(msg).silence();
        }
    }
}

#[test]
fn c064_a_released_address_is_free_and_kept_for_its_client_while_others_are() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(world.send(release(1, addr)).silence(), Silence::Released);
    assert_eq!(world.log.last().unwrap().kind, RecordKind::Released);
    assert_ne!(wish(&mut world, 2, addr), addr);
    world.pass(7200);
    assert_eq!(world.lease(&client(1)).yiaddr(), addr);
}

#[test]
fn c064_a_released_address_goes_to_another_when_no_other_is_left() {
    let mut world = one_address().world();
    let addr = world.lease(&client(1)).yiaddr();
    let full = world.send(client(2).discover()).silence();
    assert_eq!(full, Silence::NoAddress);
    world.send(release(1, addr)).silence();
    assert_eq!(world.lease(&client(2)).yiaddr(), addr);
}

#[test]
fn c064_a_release_without_ciaddr_is_dropped() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let mut msg = client(1).release().requested(addr).server(SERVER);
    msg.ip_src = addr;
    assert_eq!(world.send(msg).silence(), Silence::Incomplete);
    world.send(client(1).renew(addr)).ack();
}

#[test]
fn c065_a_release_without_54_is_taken_if_identity_and_ciaddr_match() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let bare = |n, addr| client(n).release().ciaddr(addr).unicast(SERVER);
    for msg in [bare(2, addr), bare(1, ip("10.0.0.19"))] {
        assert_eq!(world.send(msg).silence(), Silence::NotHolder);
    }
    let foreign = bare(1, addr).server(ip("10.0.0.2"));
    assert_eq!(world.send(foreign).silence(), Silence::OtherServer);
    assert_eq!(world.send(bare(1, addr)).silence(), Silence::Released);
}

#[test]
fn c066_a_release_with_another_circuit_is_refused() {
    let mut world = Setup::default().world();
    let msg = || client(1).circuit(b"port 7");
    let offer = world.send(msg().discover().far()).offer();
    let addr = world.send(msg().select(&offer).far()).ack().yiaddr();
    let release = |m: Msg| m.release().ciaddr(addr).server(SERVER).far();
    let foreign = release(client(1).circuit(b"port 8"));
    assert_eq!(world.send(foreign).silence(), Silence::Elsewhere);
    assert_eq!(world.send(release(msg())).silence(), Silence::Released);
}

#[test]
fn c066_a_release_behind_option_82_too_long_to_be_stored_is_taken() {
    let mut world = Setup::default().world();
    let msg = || {
        let long = client(1).option(57, &1500u16.to_be_bytes());
        long.option(code::AGENT_INFO, &[9; 520])
    };
    let offer = world.send(msg().discover().far()).offer();
    let addr = world.send(msg().select(&offer).far()).ack().yiaddr();
    assert_eq!(world.shards[0].counts().not_stored, 1);
    let release = msg().release().ciaddr(addr).server(SERVER).far();
    assert_eq!(world.send(release).silence(), Silence::Released);
}

#[test]
fn c066_a_release_on_another_port_or_vlan_is_refused_unless_the_operator_allows_it() {
    let mut setup = Setup::default();
    setup.links.push(link(1, (0, 0), &["10.0.0.2/24"]));
    setup.links.push(link(0, (7, 0), &["10.0.0.3/24"]));
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    let mut port = release(1, addr);
    port.port = 1;
    let mut vlan = release(1, addr);
    vlan.vids = (7, 0);
    assert_eq!(world.send(port.clone()).silence(), Silence::Elsewhere);
    assert_eq!(world.send(vlan).silence(), Silence::Elsewhere);
    world.setup.home().rules.release_from_elsewhere = true;
    world.restart();
    assert_eq!(world.send(port).silence(), Silence::Released);
}

#[test]
fn c066_a_release_from_another_source_is_dropped_if_the_source_is_strict() {
    for strict in [false, true] {
        let mut setup = Setup::default();
        setup.home().rules.strict_source = strict;
        let mut world = setup.world();
        let addr = world.lease(&client(1)).yiaddr();
        let mut msg = release(1, addr);
        msg.ip_src = ip("10.0.0.99");
        let expected = if strict {
            Silence::SourceMismatch
        } else {
            Silence::Released
        };
        assert_eq!(world.send(msg).silence(), expected);
    }
}

#[test]
fn c072_extra_options_of_a_decline_or_release_are_ignored() {
    let mut world = Setup::default().world();
    let extra = |m: Msg| {
        let m = m.lease(7).prl(&[1, 3, 6]).option(57, &[5, 220]);
        m.option(60, b"class").option(12, b"host").option(224, &[])
    };
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(
        world.send(extra(decline(1, addr))).silence(),
        Silence::Declined
    );
    let addr = world.lease(&client(2)).yiaddr();
    assert_eq!(
        world.send(extra(release(2, addr))).silence(),
        Silence::Released
    );
}

#[test]
fn c153_a_decline_or_release_under_another_client_id_is_ignored() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1).client_id(b"\x00mine")).yiaddr();
    for id in [&b"\x00yours"[..], b""] {
        let name = |m: Msg| if id.is_empty() { m } else { m.client_id(id) };
        for msg in [decline(1, addr), release(1, addr)] {
            assert_eq!(world.send(name(msg)).silence(), Silence::NotHolder);
        }
    }
    world
        .send(client(1).client_id(b"\x00mine").renew(addr))
        .ack();
    let plain = world.lease(&client(2)).yiaddr();
    let named = release(2, plain).client_id(b"\x00mine");
    assert_eq!(world.send(named).silence(), Silence::NotHolder);
}

#[test]
fn c170_a_client_has_at_most_so_many_addresses_in_probation() {
    let mut world = Setup::default().world();
    for _ in 0..5 {
        let addr = world.lease(&client(1)).yiaddr();
        world.send(decline(1, addr)).silence();
        assert_eq!(world.notices.last().unwrap().kind, NoticeKind::Declined);
    }
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(world.send(decline(1, addr)).silence(), Silence::Declined);
    let notice = world.notices.last().unwrap();
    assert_eq!(notice.kind, NoticeKind::TooManyDeclines);
    assert_eq!(world.log.last().unwrap().kind, RecordKind::Ended);
    assert_eq!(world.shards[0].counts().set_aside, 5);
    assert_eq!(wish(&mut world, 2, addr), addr);
}

#[test]
fn c170_probations_that_are_over_no_longer_count() {
    let mut world = Setup::default().world();
    for _ in 0..6 {
        let addr = world.lease(&client(1)).yiaddr();
        world.send(decline(1, addr)).silence();
    }
    world.pass(DAY + 60);
    assert_eq!(world.shards[0].counts().set_aside, 0);
    let addr = world.lease(&client(1)).yiaddr();
    world.send(decline(1, addr)).silence();
    assert_eq!(world.notices.last().unwrap().kind, NoticeKind::Declined);
}
