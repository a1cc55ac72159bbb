//! RFC 3442: classless static routes, alone and beside what they replace.

use crate::client::client;
use crate::world::{Reply, Setup, World};
use dhcp_wire::dhcp::code::{
    CLASSLESS_ROUTES as ROUTES, CLASSLESS_ROUTES_MICROSOFT as OLD_ROUTES, DNS_SERVERS as DNS,
    ROUTERS, STATIC_ROUTES,
};

/// 0.0.0.0/0 and 10.5.0.0/16 by 10.0.0.1.
const SOME: &[u8] = &[0, 10, 0, 0, 1, 16, 10, 5, 10, 0, 0, 1];

/// A network with routes of both kinds.
fn routed(routes: &[u8]) -> World {
    let mut setup = Setup::default();
    let options = &mut setup.home_subnet().options;
    options.push((ROUTES, routes.to_vec(), false));
    options.push((STATIC_ROUTES, vec![10, 5, 0, 1, 10, 0, 0, 1], false));
    setup.world()
}

/// `n` routes of 9 octets each.
fn many(n: u8) -> Vec<u8> {
    let route = |i| [32, 10, 6, 0, i, 10, 0, 0, 1];
    (0..n).flat_map(route).collect()
}

fn ask(world: &mut World, codes: &[u8]) -> Reply {
    world.send(client(1).prl(codes).discover()).offer()
}

/// The codes of these that the reply has, in its order.
fn among(reply: &Reply, of: &[u8]) -> Vec<u8> {
    let codes = reply.codes().into_iter();
    codes.filter(|code| of.contains(code)).collect()
}

#[test]
fn c110_who_asks_for_121_and_gets_it_gets_neither_3_nor_33() {
    let mut world = routed(SOME);
    let all = [ROUTERS, STATIC_ROUTES, ROUTES, DNS];
    let asked = [
        &[ROUTES, ROUTERS, STATIC_ROUTES, DNS][..],
        &[ROUTERS, STATIC_ROUTES, DNS, ROUTES],
        &[STATIC_ROUTES, ROUTES, DNS],
        &[ROUTERS, DNS, ROUTES],
    ];
    for asked in asked {
        let mut sent = among(&ask(&mut world, asked), &all);
        sent.sort_unstable();
        assert_eq!(sent, [DNS, ROUTES], "{asked:?}");
    }
    let ack = world.lease(&client(2).prl(&[ROUTES, ROUTERS]));
    assert_eq!(among(&ack, &all), [ROUTES]);
}

#[test]
fn c110_without_121_asked_for_or_configured_3_and_33_are_sent() {
    let all = [ROUTERS, STATIC_ROUTES, ROUTES];
    let mut world = routed(SOME);
    let offer = ask(&mut world, &[ROUTERS, STATIC_ROUTES]);
    assert_eq!(among(&offer, &all), [ROUTERS, STATIC_ROUTES]);
    let everything = world.send(client(1).discover()).offer();
    assert_eq!(among(&everything, &all).len(), 3);
    let mut world = Setup::default().world();
    let offer = ask(&mut world, &[ROUTES, ROUTERS]);
    assert_eq!(among(&offer, &all), [ROUTERS]);
}

#[test]
fn c110_what_the_operator_always_sends_is_sent() {
    let mut world = routed(SOME);
    for option in &mut world.setup.home_subnet().options {
        option.2 |= option.0 == ROUTERS;
    }
    world.restart();
    let offer = ask(&mut world, &[ROUTES, ROUTERS, STATIC_ROUTES]);
    assert_eq!(
        among(&offer, &[ROUTERS, STATIC_ROUTES, ROUTES]),
        [ROUTES, ROUTERS]
    );
}

#[test]
fn c110_routes_without_room_leave_the_client_its_routers() {
    let mut world = routed(&many(60));
    for asked in [[ROUTES, ROUTERS], [ROUTERS, ROUTES]] {
        let offer = ask(&mut world, &asked);
        assert_eq!(among(&offer, &[ROUTERS, ROUTES]), [ROUTERS]);
        assert_eq!(offer.written.dropped, 1);
    }
}

#[test]
fn c111_routes_of_more_than_255_octets_are_split_and_come_out_whole() {
    for n in [28, 29, 57, 100] {
        let routes = many(n);
        let mut world = routed(&routes);
        let msg = client(1).prl(&[ROUTES]).option(57, &1500u16.to_be_bytes());
        let offer = world.send(msg.discover()).offer();
        assert_eq!(offer.option(ROUTES).as_deref(), Some(&routes[..]));
        let parts = among(&offer, &[ROUTES]).len();
        assert_eq!(parts, routes.len().div_ceil(255));
    }
}

#[test]
fn c183_249_is_121_under_another_number_if_it_is_asked_for() {
    let mut world = routed(SOME);
    let all = [ROUTERS, ROUTES, OLD_ROUTES];
    let old = ask(&mut world, &[OLD_ROUTES, DNS]);
    assert_eq!(old.option(OLD_ROUTES).as_deref(), Some(SOME));
    assert_eq!(among(&old, &all), [OLD_ROUTES]);
    let both = ask(&mut world, &[OLD_ROUTES, ROUTERS, ROUTES]);
    assert_eq!(among(&both, &all), [OLD_ROUTES, ROUTES]);
    assert_eq!(both.option(OLD_ROUTES), both.option(ROUTES));
    let neither = ask(&mut world, &[ROUTERS]);
    assert_eq!(among(&neither, &all), [ROUTERS]);
    // Who names no option gets it by its own number alone.
    let unasked = world.send(client(1).discover()).offer();
    assert_eq!(unasked.option(OLD_ROUTES), None);
    // Where the operator gives it a value of its own it has that.
    let own = vec![8, 10, 10, 0, 0, 1];
    let option = (OLD_ROUTES, own.clone(), false);
    world.setup.home_subnet().options.push(option);
    world.restart();
    let old = ask(&mut world, &[OLD_ROUTES]);
    assert_eq!(old.option(OLD_ROUTES), Some(own));
}
