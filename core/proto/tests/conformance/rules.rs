//! Which rule each reply names, for whoever asks why.

use crate::client::{Msg, SERVER, client};
use crate::reserved::kept;
use crate::world::{Reply, Setup, World, ip, pool};
use dhcp_proto::config::{ProbeBy, ReservationMoves};
use dhcp_proto::rule::Rule;
use dhcp_proto::server::{Found, Silence};
use std::collections::HashSet;
use std::net::Ipv4Addr;

/// Lease, grace and a little more.
const LONG_OVER: u64 = 3700;

fn rule(reply: &Reply) -> Rule {
    reply.plan.rule
}

fn offered(world: &mut World, msg: &Msg) -> (Rule, Ipv4Addr) {
    let offer = world.send(msg.clone().discover()).offer();
    (rule(&offer), offer.yiaddr())
}

/// A home of the addresses from `first` to `last`.
fn home(first: &str, last: &str) -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool(first, last)];
    setup
}

#[test]
fn each_reason_has_a_name_of_its_own_and_a_sentence() {
    let rules = Rule::ALL.iter().map(|rule| (rule.name(), rule.text()));
    let silences = Silence::ALL.iter().map(|why| (why.name(), why.text()));
    for all in [rules.collect::<Vec<_>>(), silences.collect()] {
        let names: HashSet<_> = all.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), all.len());
        for (name, text) in &all {
            assert!(text.ends_with('.') && !text.starts_with(' '), "{name}");
            assert!(!text.contains("  ") && !text.contains('\n'), "{name}");
        }
    }
    assert_eq!(Silence::NoAddress.text(), "No address is left (C34).");
}

#[test]
fn an_offer_says_which_step_of_the_allocation_chose_its_address() {
    let mut world = home("10.0.0.10", "10.0.0.12").world();
    let (why, addr) = offered(&mut world, &client(1));
    assert_eq!(why, Rule::New);
    assert_eq!(offered(&mut world, &client(1)), (Rule::OfferStands, addr));
    assert_eq!(world.lease(&client(1)).yiaddr(), addr);
    assert_eq!(offered(&mut world, &client(1)), (Rule::Lease, addr));
    let wish = ["10.0.0.11", "10.0.0.12"].map(ip);
    let wish = wish.into_iter().find(|wish| *wish != addr).unwrap();
    let wished = client(2).requested(wish);
    assert_eq!(offered(&mut world, &wished), (Rule::Requested, wish));
    world.pass(LONG_OVER);
    assert_eq!(offered(&mut world, &client(1)), (Rule::Previous, addr));
    // Those that are free first, then the one that is remembered, then one on offer.
    let mut world = home("10.0.0.10", "10.0.0.11").world();
    let gone = world.lease(&client(1)).yiaddr();
    world.pass(LONG_OVER);
    assert_eq!(offered(&mut world, &client(2)).0, Rule::New);
    assert_eq!(offered(&mut world, &client(3)), (Rule::OfAnother, gone));
    world.pass(4);
    assert_eq!(offered(&mut world, &client(4)).0, Rule::OfferCut);
}

#[test]
fn a_reservation_is_named_and_so_is_a_lease_that_stays_because_of_its_use() {
    let mut setup = Setup::default();
    setup.home().reservations.push(kept(1, ip("10.0.0.200")));
    let mut world = setup.world();
    let reserved = (Rule::Reserved, ip("10.0.0.200"));
    assert_eq!(offered(&mut world, &client(1)), reserved);
    world.lease(&client(1));
    world.pass(LONG_OVER);
    assert_eq!(offered(&mut world, &client(1)), reserved, "as its memory");
    let mut world = {
        let mut setup = Setup::default();
        setup.home().reservations.push(kept(1, ip("10.0.0.200")));
        setup.world()
    };
    let reboot = world.send(client(1).reboot(ip("10.0.0.200"))).ack();
    assert_eq!(rule(&reboot), Rule::ReservedOnRecord);
}

#[test]
fn an_ack_says_what_it_goes_by() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover()).offer();
    let select = client(1).select(&offer);
    let addr = offer.yiaddr();
    assert_eq!(rule(&world.send(select.clone()).ack()), Rule::OfferTaken);
    assert_eq!(rule(&world.send(select).ack()), Rule::Repeated);
    world.pass(600);
    let mut why = |msg: Msg| rule(&world.send(msg).ack());
    assert_eq!(why(client(1).renew(addr)), Rule::Extended);
    assert_eq!(why(client(1).inform().ciaddr(addr)), Rule::Informed);
    let free = client(2).request().requested(ip("10.0.0.17"));
    assert_eq!(why(free.server(SERVER)), Rule::NoOffer);
    world.pass(LONG_OVER);
    let reboot = world.send(client(1).reboot(addr)).ack();
    assert_eq!(rule(&reboot), Rule::Former);
}

#[test]
fn an_ack_by_the_network_s_own_rules_names_them() {
    let mut setup = Setup::default();
    setup.home().rules.cache_threshold = 250;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(100);
    let early = world.send(client(1).renew(addr)).ack();
    assert_eq!(rule(&early), Rule::Cached);
    world.setup.home().rules.cache_threshold = 0;
    world.setup.home().rules.extend = false;
    world.setup.home().rules.adopt = true;
    world.restart();
    world.pass(1000);
    let late = world.send(client(1).renew(addr)).ack();
    assert_eq!(rule(&late), Rule::RunsOut);
    let stranger = world.send(client(2).renew(ip("10.0.0.15"))).ack();
    assert_eq!(rule(&stranger), Rule::Adopted);
    let mut world = Setup::default().world();
    let by = |circuit: &[u8]| client(1).circuit(circuit);
    let offer = world.send(by(b"7").discover().far()).offer();
    let addr = world.send(by(b"7").select(&offer).far()).ack().yiaddr();
    world.pass(600);
    let moved = world.send(by(b"8").rebind(addr).far()).ack();
    assert_eq!(rule(&moved), Rule::Moved);
}

#[test]
fn a_nak_says_what_is_wrong_with_the_address() {
    let mut setup = Setup::default();
    setup.home().rules.nak_unknown = true;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    let other = world.lease(&client(2)).yiaddr();
    let mut why = |msg: Msg| rule(&world.send(msg).nak());
    assert_eq!(why(client(1).reboot(ip("10.9.0.10"))), Rule::WrongNetwork);
    assert_eq!(why(client(1).rebind(ip("10.9.0.10"))), Rule::WrongNetwork);
    assert_eq!(why(client(1).reboot(other)), Rule::OtherOnRecord);
    assert_eq!(why(client(3).reboot(addr)), Rule::NoRecord);
    assert_eq!(why(client(3).renew(addr)), Rule::InUse);
    let taken = client(3).request().requested(addr).server(SERVER);
    assert_eq!(why(taken), Rule::Unavailable);
    let offer = world.send(client(4).discover()).offer();
    world
        .setup
        .home()
        .reservations
        .push(kept(5, offer.yiaddr()));
    world.setup.home().reservations.push(kept(6, addr));
    world.reload();
    let void = world.send(client(4).select(&offer)).nak();
    assert_eq!(rule(&void), Rule::OfferVoid);
    let void = world.send(client(1).renew(addr)).nak();
    assert_eq!(rule(&void), Rule::LeaseVoid);
}

#[test]
fn a_client_that_has_to_go_to_its_reservation_is_told_so() {
    let mut setup = Setup::default();
    setup.home().rules.reservation_moves = ReservationMoves::Nak;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world
        .setup
        .home()
        .reservations
        .push(kept(1, ip("10.0.0.200")));
    world.restart();
    let nak = world.send(client(1).renew(addr)).nak();
    assert_eq!(rule(&nak), Rule::ToReservation);
}

#[test]
fn an_offer_that_waited_for_a_probe_keeps_the_rule_that_chose_its_address() {
    let mut setup = home("10.0.0.10", "10.0.0.10");
    setup.home_subnet().probe.by = ProbeBy::Auto;
    let mut world = setup.world();
    let discover = client(1).discover();
    let probe = world.send(discover.clone()).probe();
    assert_eq!(probe.rule, Rule::New);
    let offer = world.probed(discover, probe, Found::Nobody).offer();
    assert_eq!(rule(&offer), Rule::New);
    let mut world = {
        let mut setup = home("10.0.0.10", "10.0.0.10");
        setup.home_subnet().probe.by = ProbeBy::Auto;
        setup.world()
    };
    let discover = client(1).discover();
    let probe = world.send(discover.clone()).probe();
    let answer = world.probed(discover.clone(), probe, Found::Station(None));
    assert_eq!(answer.silence(), Silence::NoAddress);
    world.pass(120);
    let probe = world.send(discover.clone()).probe();
    assert_eq!(probe.rule, Rule::Probation);
    let offer = world.probed(discover, probe, Found::Nobody).offer();
    assert_eq!(rule(&offer), Rule::Probation);
}
