//! RFC 2131 §4.3.1: which address a DISCOVER is offered, and with what.

use crate::client::{SERVER, client};
use crate::reserved::kept;
use crate::world::{Setup, World, ip, net, pool, subnet};
use dhcp_proto::server::{NoticeKind, Silence};
use dhcp_wire::dhcp::code;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;
/// More than the hold of an offer.
const HOLD_OVER: u64 = 62;

/// A network with a pool of `first` to `last` in 10.0.0.0/24.
fn small(first: &str, last: &str) -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool(first, last)];
    setup
}

fn offered(world: &mut World, n: u8) -> Ipv4Addr {
    world.send(client(n).discover()).offer().yiaddr()
}

fn offered_for(world: &mut World, n: u8, wish: Ipv4Addr) -> Ipv4Addr {
    let discover = client(n).discover().requested(wish);
    world.send(discover).offer().yiaddr()
}

#[test]
fn c030_a_client_with_a_lease_is_offered_its_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(100);
    assert_eq!(offered(&mut world, 1), addr);
    assert_eq!(offered_for(&mut world, 1, ip("10.0.0.20")), addr);
    // The lease stands whatever becomes of the offer.
    world.pass(HOLD_OVER);
    world.send(client(1).renew(addr)).ack();
}

#[test]
fn c030_a_lease_that_is_reserved_for_another_is_not_offered() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let reservation = kept(2, addr);
    world.setup.home().reservations.push(reservation);
    world.restart();
    assert_ne!(offered(&mut world, 1), addr);
}

#[test]
fn c030_a_lease_that_is_excluded_or_in_no_pool_any_more_is_not_offered() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.setup.home_subnet().excluded = vec![(addr, addr)];
    world.restart();
    assert_ne!(offered(&mut world, 1), addr);
    world.setup.home_subnet().excluded.clear();
    world.setup.home_subnet().pools = vec![pool("10.0.0.30", "10.0.0.40")];
    world.restart();
    assert!(offered(&mut world, 1) >= ip("10.0.0.30"));
}

#[test]
fn c030_a_client_with_a_lease_and_a_reservation_elsewhere_is_offered_the_reservation() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world
        .setup
        .home()
        .reservations
        .push(kept(1, ip("10.0.0.200")));
    world.restart();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.yiaddr(), ip("10.0.0.200"));
    // The lease stands until the client takes the offer.
    world.send(client(1).renew(addr)).ack();
    let ack = world.send(client(1).select(&offer)).ack();
    assert_eq!(ack.yiaddr(), ip("10.0.0.200"));
    assert_eq!(offered_for(&mut world, 2, addr), addr);
}

#[test]
fn c030_a_lease_in_another_network_is_not_offered_here() {
    let mut world = Setup::default().world();
    let home = world.lease(&client(1)).yiaddr();
    let far = world.send(client(1).discover().far()).offer().yiaddr();
    assert!(home != far && far >= ip("10.9.0.10"));
}

#[test]
fn c031_a_client_is_offered_its_expired_address() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.lease(&client(2));
    world.pass(LONG_OVER);
    assert_eq!(world.shards[0].counts().active, 0);
    assert_eq!(offered_for(&mut world, 1, ip("10.0.0.20")), addr);
}

#[test]
fn c031_a_client_is_offered_the_address_it_released() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let release = client(1).release().ciaddr(addr).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    for n in 2..9 {
        assert_ne!(offered(&mut world, n), addr);
    }
    assert_eq!(offered(&mut world, 1), addr);
}

#[test]
fn c031_a_client_is_offered_its_previous_address_after_an_offer_it_did_not_take() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    assert_eq!(offered(&mut world, 1), addr);
    world.pass(HOLD_OVER);
    assert_eq!(world.shards[0].counts().offered, 0);
    assert_eq!(offered(&mut world, 1), addr);
}

#[test]
fn c032_the_address_of_option_50_is_offered_if_it_is_free() {
    let mut world = Setup::default().world();
    assert_eq!(offered_for(&mut world, 1, ip("10.0.0.17")), ip("10.0.0.17"));
}

#[test]
fn c032_an_address_that_is_not_to_be_had_is_ignored() {
    let mut setup = Setup::default();
    setup.home_subnet().excluded = vec![(ip("10.0.0.18"), ip("10.0.0.20"))];
    setup.home().reservations.push(kept(9, ip("10.0.0.12")));
    let mut world = setup.world();
    let taken = world.lease(&client(1)).yiaddr();
    let held = offered(&mut world, 2);
    let wishes = [
        taken,
        held,
        ip("10.0.0.19"),
        ip("10.0.0.12"),
        ip("10.0.0.200"),
        ip("10.9.0.10"),
        ip("255.255.255.255"),
        ip("0.0.0.0"),
    ];
    for (n, wish) in (10..).zip(wishes) {
        let addr = offered_for(&mut world, n, wish);
        assert_ne!(addr, wish);
        assert!(addr >= ip("10.0.0.10") && addr < ip("10.0.0.18"), "{addr}");
        let other_server = client(n).reboot(addr).server(ip("10.0.0.99"));
        assert_eq!(world.send(other_server).silence(), Silence::OfferWithdrawn);
    }
}

#[test]
fn c032_an_address_remembered_for_another_is_not_free_while_never_used_ones_are_left() {
    let mut world = small("10.0.0.10", "10.0.0.11").world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    let other = offered_for(&mut world, 2, addr);
    assert_ne!(other, addr);
    assert_eq!(offered_for(&mut world, 3, addr), addr);
}

#[test]
fn c033_a_new_address_comes_from_the_subnet_of_giaddr_or_of_the_link() {
    let mut setup = Setup::default();
    setup.networks = vec![net(
        "shared",
        vec![
            subnet("10.0.0.0/24", "10.0.0.10", "10.0.0.11"),
            subnet("10.1.0.0/24", "10.1.0.10", "10.1.0.11"),
        ],
    )];
    let mut world = setup.world();
    assert_eq!(offered(&mut world, 1).octets()[1], 0);
    let relayed = client(2).discover().relayed(ip("10.1.0.1"), SERVER);
    assert_eq!(world.send(relayed).offer().yiaddr().octets()[1], 1);
    assert_eq!(offered(&mut world, 3).octets()[1], 0);
    // Its own subnet is full: another one of the network serves.
    assert_eq!(offered(&mut world, 4).octets()[1], 1);
}

#[test]
fn c034_without_an_address_there_is_no_reply_and_the_operator_is_told() {
    let mut world = small("10.0.0.10", "10.0.0.11").world();
    world.lease(&client(1));
    world.lease(&client(2));
    let answer = world.send(client(3).discover());
    assert_eq!(answer.silence(), Silence::NoAddress);
    let told: Vec<_> = world.notices.iter().map(|n| (n.kind, n.chaddr)).collect();
    assert_eq!(told, [(NoticeKind::Exhausted, [2, 0, 0, 0, 0, 3])]);
    // The client without an address takes no room either.
    assert_eq!(world.shards[0].fill().0, 2);
}

#[test]
fn c035_no_worker_offers_what_another_has_offered_until_the_hold_ends() {
    for shards in 1..=3 {
        let mut setup = Setup::default();
        setup.shards = shards;
        let mut world = setup.world();
        let addrs: BTreeSet<_> = (1..=11).map(|n| offered(&mut world, n)).collect();
        assert_eq!(addrs.len(), 11, "{shards} shards");
        for n in 12..20 {
            let answer = world.send(client(n).discover());
            assert_eq!(answer.silence(), Silence::NoAddress);
        }
        world.pass(HOLD_OVER);
        let again: BTreeSet<_> = (12..=22).map(|n| offered(&mut world, n)).collect();
        assert_eq!(again, addrs);
    }
}

#[test]
fn c035_a_hold_is_cut_when_addresses_run_low_but_never_under_two_seconds() {
    let mut world = small("10.0.0.10", "10.0.0.10").world();
    let offer = world.send(client(1).discover()).offer();
    // The clock counts whole seconds: 2 s on it may be little more than one.
    for _ in 0..3 {
        let answer = world.send(client(2).discover());
        assert_eq!(answer.silence(), Silence::NoAddress);
        world.pass(1);
    }
    assert_eq!(offered(&mut world, 2), offer.yiaddr());
    assert_eq!(world.shards[0].counts().holds_cut, 1);
    world.send(client(1).select(&offer)).nak();
}

#[test]
fn c035_a_hold_is_not_cut_while_there_are_other_addresses() {
    let mut world = small("10.0.0.10", "10.0.0.11").world();
    let first = offered(&mut world, 1);
    world.pass(10);
    assert_ne!(offered_for(&mut world, 2, first), first);
    assert_eq!(world.shards[0].counts().holds_cut, 0);
}

#[test]
fn c036_the_lease_offered_is_the_configured_one_also_to_a_client_with_a_lease() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.lease(), Some(3600));
    world.send(client(1).select(&offer)).ack();
    world.pass(1000);
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.lease(), Some(3600));
}

#[test]
fn c036_a_wish_is_bounded_and_one_of_zero_or_of_a_wrong_length_is_none() {
    let mut world = Setup::default().world();
    for (wish, granted) in [(7200, 7200), (1, 60), (u32::MAX, 86_400), (0, 3600)] {
        let offer = world.send(client(1).discover().lease(wish)).offer();
        assert_eq!(offer.lease(), Some(granted));
    }
    for wrong in [&[0, 0, 28][..], &[0, 0, 28, 32, 0], &[]] {
        let discover = client(1).discover().option(code::LEASE_TIME, wrong);
        assert_eq!(world.send(discover).offer().lease(), Some(3600));
    }
}

#[test]
fn c036_discover_keeps_expiry_offers_the_time_left() {
    let mut setup = Setup::default();
    setup.home().rules.discover_keeps_expiry = true;
    let mut world = setup.world();
    world.lease(&client(1));
    world.pass(1000);
    for wish in [0, 7200] {
        let offer = world.send(client(1).discover().lease(wish)).offer();
        assert_eq!(offer.lease(), Some(2600));
    }
    let new = world.send(client(2).discover()).offer();
    assert_eq!(new.lease(), Some(3600));
}

#[test]
fn c037_what_is_asked_for_and_configured_is_returned_once_and_nothing_else() {
    let mut world = Setup::default().world();
    let asked = [6, 42, 6, 200, 15, 6];
    let offer = world.send(client(1).discover().prl(&asked)).offer();
    let ack = world.send(client(1).select(&offer).prl(&asked)).ack();
    for reply in [offer, ack] {
        let codes = reply.codes();
        let own = [53, 54, 51, 58, 59, 1];
        let rest: Vec<_> = codes.into_iter().filter(|c| !own.contains(c)).collect();
        assert_eq!(rest, [6, 42, 15]);
        assert_eq!(
            reply.option(code::DNS_SERVERS).unwrap(),
            [10, 0, 0, 53, 10, 0, 0, 54]
        );
        assert_eq!(reply.option(code::NTP_SERVERS).unwrap(), [10, 0, 0, 123]);
        assert_eq!(reply.option(code::DOMAIN_NAME).unwrap(), b"example.net");
    }
}

#[test]
fn c039_repeated_discover_gets_the_same_address() {
    let mut world = Setup::default().world();
    let first = offered(&mut world, 1);
    for (seconds, xid) in [(0, 1), (4, 1), (8, 2), (16, 3), (32, 3)] {
        world.pass(seconds);
        let plain = client(1).discover().xid(xid);
        assert_eq!(world.send(plain.clone()).offer().yiaddr(), first);
        let other = plain.requested(ip("10.0.0.19"));
        assert_eq!(world.send(other).offer().yiaddr(), first);
        assert_eq!(offered_for(&mut world, 1, first), first);
    }
    assert_eq!(world.shards[0].counts().offered, 1);
}

#[test]
fn c040_a_discover_with_another_servers_option_54_is_dropped() {
    let mut world = Setup::default().world();
    let theirs = client(1).discover().server(ip("10.0.0.99"));
    assert_eq!(world.send(theirs).silence(), Silence::OtherServer);
    assert_eq!(world.shards[0].fill().0, 0);
    world.send(client(1).discover().server(SERVER)).offer();
}
