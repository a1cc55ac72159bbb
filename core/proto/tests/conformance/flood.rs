//! Floods of DISCOVERs from hardware addresses that do not exist: nobody loses what he has.

use crate::client::{Msg, SERVER, client};
use crate::reserved::kept;
use crate::world::{Answer, KEY, Setup, World, pool};
use dhcp_proto::config::PoolSpec;
use dhcp_proto::identity::shard_of;
use dhcp_proto::server::Silence;
use std::net::Ipv4Addr;

const KEPT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 250);

/// A client that nobody has seen before and that answers no offer.
fn stranger(n: u16) -> Msg {
    let [high, low] = n.to_be_bytes();
    let mut spoofed = client(low);
    spoofed.chaddr[1..6].copy_from_slice(&[0xff, 0, 0, high, low]);
    spoofed.discover()
}

/// A home with a pool of `addresses`, and a table of `bindings` a shard.
fn home(addresses: u8, bindings: usize) -> Setup {
    let mut setup = Setup::default();
    let first = Ipv4Addr::new(10, 0, 0, 2);
    let last = Ipv4Addr::new(10, 0, 0, 1 + addresses);
    setup.home_subnet().pools = vec![PoolSpec { first, last }];
    setup.home().reservations.push(kept(200, KEPT));
    setup.bindings = bindings;
    setup
}

/// Clients 1 to `count` have had a lease and given it back, oldest first.
fn remembered(world: &mut World, count: u8) -> Vec<(u8, Ipv4Addr)> {
    let lease = |n| (n, world.lease(&client(n)).yiaddr());
    let known: Vec<_> = (1..=count).map(lease).collect();
    for (n, addr) in &known {
        let release = client(*n).release().ciaddr(*addr).unicast(SERVER);
        assert_eq!(world.send(release).silence(), Silence::Released);
    }
    known
}

/// How many of `strangers` are offered an address; the others are refused for `why`.
fn offered(world: &mut World, strangers: core::ops::Range<u16>, why: Silence) -> usize {
    let mut offers = 0;
    for n in strangers {
        match world.send(stranger(n)) {
            Answer::Reply(_) => offers += 1,
            refused => assert_eq!(refused.silence(), why),
        }
    }
    offers
}

#[test]
fn a_flood_of_offers_costs_no_remembered_client_its_address() {
    let mut world = home(100, 4096).world();
    let known = remembered(&mut world, 60);
    for wave in 0..4 {
        let strangers = 1000 * wave..1000 * wave + 500;
        let offers = offered(&mut world, strangers, Silence::NoAddress);
        assert_eq!(offers, 40, "as many as are free: {wave}");
        world.pass(5);
    }
    for (n, addr) in known {
        assert_eq!(world.lease(&client(n)).yiaddr(), addr);
    }
    assert_eq!(world.lease(&client(200)).yiaddr(), KEPT);
}

#[test]
fn a_newcomer_gets_what_is_remembered_for_the_client_longest_gone() {
    let mut world = home(10, 4096).world();
    let known = remembered(&mut world, 10);
    // Each answers before the next one asks, as clients do.
    for (n, (_, oldest)) in (100..105).zip(&known) {
        assert_eq!(world.lease(&client(n)).yiaddr(), *oldest);
    }
}

#[test]
fn offers_have_their_share_of_the_table_and_known_clients_the_rest() {
    let mut world = home(250, 400).world();
    world.shards[0].set_max_offers(100);
    let known = remembered(&mut world, 20);
    let offers = offered(&mut world, 0..100, Silence::OffersFull);
    assert_eq!(offers, 40);
    assert_eq!(world.shards[0].counts().strangers, 40);
    // Who repeats itself has its offer.
    world.send(stranger(3)).offer();
    for (n, addr) in &known {
        let offer = world.send(client(*n).discover()).offer();
        assert_eq!(offer.yiaddr(), *addr);
    }
    world.send(client(200).discover()).offer();
    assert_eq!(
        world.shards[0].counts().strangers,
        40,
        "known clients are none"
    );
    // From 2 s on the oldest offer makes way.
    world.pass(3);
    world.send(stranger(101)).offer();
    assert_eq!(world.shards[0].counts().holds_cut, 1);
    world.pass(70);
    assert_eq!(world.shards[0].counts().strangers, 0);
}

#[test]
fn a_table_full_of_memories_gives_few_of_them_up_for_offers() {
    let mut world = home(250, 160).world();
    world.shards[0].set_max_offers(1000);
    let known = remembered(&mut world, 160);
    let offers = offered(&mut world, 0..500, Silence::OffersFull);
    assert_eq!(offers, 160 / 16);
    for (n, addr) in &known[10..] {
        let offer = world.send(client(*n).discover()).offer();
        assert_eq!(offer.yiaddr(), *addr);
    }
}

#[test]
fn a_full_table_has_a_slot_for_a_reservation_when_an_offer_is_old_enough() {
    let mut world = home(250, 64).world();
    world.shards[0].set_max_offers(1000);
    for n in 1..=40 {
        world.lease(&client(n));
    }
    assert_eq!(offered(&mut world, 0..100, Silence::OffersFull), 24);
    assert_eq!(
        world.send(client(200).discover()).silence(),
        Silence::TableFull
    );
    world.pass(3);
    assert_eq!(world.lease(&client(200)).yiaddr(), KEPT);
}

/// Strangers that `shard` of two owns.
fn of_shard(shard: u16) -> impl Iterator<Item = u16> {
    (0..u16::MAX).filter(move |n| {
        let identity = [&[2, 1], &stranger(*n).chaddr[..6]].concat();
        shard_of(KEY.hash(&identity), 2) == shard
    })
}

#[test]
fn c035_every_worker_cuts_its_oldest_holds_when_another_one_has_refused_a_client() {
    let mut setup = home(8, 4096);
    setup.shards = 2;
    let mut world = setup.world();
    for n in of_shard(0).take(8) {
        world.send(stranger(n)).offer();
    }
    let late = of_shard(1).next().unwrap();
    for _ in 0..2 {
        let refused = world.send(stranger(late)).silence();
        assert_eq!(refused, Silence::NoAddress);
        world.pass(1);
    }
    assert_eq!(world.shards[0].counts().holds_cut, 0, "they are too young");
    world.pass(2);
    // One client was refused twice.
    assert_eq!(world.shards[0].counts().holds_cut, 2);
    world.send(stranger(late)).offer();
    world.pass(30);
    assert_eq!(world.shards[0].counts().holds_cut, 2, "nobody wants more");
    assert_eq!(world.shards[0].counts().offered, 6);
}

#[test]
fn c035_offers_of_what_is_the_clients_own_are_not_cut() {
    let mut setup = home(2, 4096);
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let known = remembered(&mut world, 1);
    world.send(client(200).discover()).offer();
    let offer = world.send(client(1).discover()).offer();
    assert_eq!(offer.yiaddr(), known[0].1);
    world.pass(10);
    assert_eq!(offered(&mut world, 0..20, Silence::NoAddress), 0);
    world.pass(10);
    assert_eq!(world.shards[0].counts().holds_cut, 0);
    world.send(client(1).select(&offer)).ack();
}

#[test]
fn a_message_ranks_by_what_its_client_has_to_lose() {
    let mut world = home(20, 4096).world();
    let known = remembered(&mut world, 1);
    let addr = world.lease(&client(2)).yiaddr();
    let waits = |secs| Msg {
        secs,
        ..stranger(1)
    };
    let rank = |world: &World, msg: Msg| world.rank(&msg).number();
    for (secs, expected) in [(0, 0), (3, 0), (4, 1), (16, 2), (65535, 2)] {
        assert_eq!(rank(&world, waits(secs)), expected, "{secs} s");
    }
    assert_eq!(rank(&world, client(3).inform()), 0);
    for known in [known[0].0, 2, 200] {
        assert_eq!(rank(&world, client(known).discover()), 3, "client {known}");
    }
    // An offer makes nobody known, unless it is of the client's own address.
    world.send(stranger(1)).offer();
    assert_eq!(rank(&world, stranger(1)), 0);
    world.send(client(1).discover()).offer();
    assert_eq!(rank(&world, client(1).discover()), 3);
    for request in [
        client(3).reboot(addr),
        client(2).reboot(addr),
        client(2).release().ciaddr(addr).unicast(SERVER),
        client(2).decline().requested(addr),
        // It renews, and has no lease, or not of this address.
        client(3).renew(addr),
        client(2).rebind(known[0].1),
    ] {
        assert_eq!(rank(&world, request), 4);
    }
    for (passed, expected) in [(0, 5), (10, 6), (3000, 7), (560, 8), (20, 8)] {
        world.pass(passed);
        assert_eq!(rank(&world, client(2).renew(addr)), expected, "{passed} s");
        assert_eq!(rank(&world, client(2).rebind(addr)), 9);
    }
    world.pass(60);
    assert_eq!(rank(&world, client(2).renew(addr)), 4, "its lease is over");
}
