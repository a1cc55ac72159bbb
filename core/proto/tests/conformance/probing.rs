//! RFC 2131 §2.2, §3.1 step 2, §4.4.1: an address is probed before it is offered.

use crate::client::{Msg, client};
use crate::world::{START, Setup, World, ip, pool, state};
use dhcp_proto::address::AddressState;
use dhcp_proto::config::{ProbeBy, ProbeRules, Reservation};
use dhcp_proto::identity::shard_of;
use dhcp_proto::record::RecordKind;
use dhcp_proto::rule::Rule;
use dhcp_proto::server::{Found, NoticeKind, Probe, Silence};
use dhcp_wire::ethernet::Mac;
use std::net::Ipv4Addr;

const DAY: u64 = 86_400;
const SQUATTER: Mac = Mac([2, 0xbb, 0, 0, 0, 1]);
const IN_USE: Found = Found::Station(Some(SQUATTER));

fn probing() -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().probe.by = ProbeBy::Auto;
    setup
}

/// A home of the addresses from 10.0.0.10 on.
fn probing_of(count: u8) -> Setup {
    let mut setup = probing();
    let last = Ipv4Addr::new(10, 0, 0, 9 + count);
    setup.home_subnet().pools = vec![pool("10.0.0.10", &last.to_string())];
    setup
}

fn discover(n: u8) -> Msg {
    client(n).discover()
}

/// The same probe, as a repeated DISCOVER comes to it: the address is on offer already.
fn again(probe: Probe) -> Probe {
    let rule = Rule::OfferStands;
    Probe { rule, ..probe }
}

/// A lease whose address was probed and found free.
#[track_caller]
fn lease(world: &mut World, n: u8) -> Ipv4Addr {
    let probe = world.send(discover(n)).probe();
    let offer = world.probed(discover(n), probe, Found::Nobody).offer();
    let (addr, server) = (offer.yiaddr(), offer.server_id());
    let request = client(n).request().requested(addr).server(server);
    world.send(request).ack();
    addr
}

/// Has every address of a pool of `count` set aside, in order.
fn exhausted(world: &mut World, count: u8) -> Vec<Ipv4Addr> {
    let mut aside = Vec::new();
    let mut answer = world.send(discover(1));
    for _ in 0..count {
        let probe = answer.probe();
        assert!(!probe.aside);
        aside.push(probe.addr);
        answer = world.probed(discover(1), probe, IN_USE);
        world.pass(1);
    }
    assert_eq!(answer.silence(), Silence::NoAddress);
    world.pass(60);
    aside
}

#[test]
fn c179_a_new_address_is_probed_before_its_offer_and_held_meanwhile() {
    let mut setup = probing();
    setup.home_subnet().probe.wait = 250;
    let mut world = setup.world();
    let probe = world.send(discover(1)).probe();
    let Probe { by, wait, .. } = probe;
    assert_eq!((by, wait, probe.aside), (ProbeBy::Auto, 250, false));
    assert_eq!(probe.relay, Ipv4Addr::UNSPECIFIED);
    assert_eq!(state(&world, probe.addr), AddressState::Held);
    assert!(world.log.is_empty(), "an OFFER writes nothing");
    let other = discover(2).requested(probe.addr);
    assert_ne!(world.send(other).probe().addr, probe.addr);
    let offer = world.probed(discover(1), probe, Found::Nobody).offer();
    assert_eq!(offer.yiaddr(), probe.addr);
    world.pass(50);
    assert_eq!(
        state(&world, probe.addr),
        AddressState::Held,
        "a whole hold"
    );
}

#[test]
fn c179_an_address_in_use_is_set_aside_and_the_next_is_tried_for_the_same_discover() {
    let mut world = probing().world();
    let first = world.send(discover(1)).probe();
    let second = world.probed(discover(1), first, IN_USE).probe();
    assert_ne!(second.addr, first.addr);
    assert_eq!(state(&world, first.addr), AddressState::SetAside);
    let record = world.log.last().unwrap();
    assert_eq!(
        (record.kind, record.addr),
        (RecordKind::SetAside, first.addr)
    );
    assert!(record.expiry >= START + DAY);
    assert!(record.identity.is_empty(), "it is nobody's");
    assert_eq!((record.htype, &record.chaddr[..]), (1, &SQUATTER.0[..]));
    let notice = world.notices.last().unwrap();
    assert_eq!((notice.kind, notice.addr), (NoticeKind::Busy, first.addr));
    assert_eq!(notice.chaddr, SQUATTER.0);
    let offer = world.probed(discover(1), second, Found::Nobody).offer();
    assert_eq!(offer.yiaddr(), second.addr);
    let request = client(1).request().requested(second.addr);
    world.send(request.server(offer.server_id())).ack();
    world.pass(DAY - 60);
    assert_eq!(state(&world, first.addr), AddressState::SetAside);
    world.pass(120);
    assert_eq!(state(&world, first.addr), AddressState::Free);
}

#[test]
fn c179_what_a_probe_set_aside_stays_so_over_a_restart() {
    for shards in [1, 3] {
        let mut world = probing().world();
        let probe = world.send(discover(1)).probe();
        world.probed(discover(1), probe, IN_USE).probe();
        world.setup.shards = shards;
        world.restart();
        assert_eq!(state(&world, probe.addr), AddressState::SetAside);
        world.pass(DAY + 60);
        assert_eq!(state(&world, probe.addr), AddressState::Free);
    }
}

#[test]
fn c179_an_address_that_nobody_could_be_asked_for_is_offered() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    let offer = world.probed(discover(1), probe, Found::Nothing).offer();
    assert_eq!(offer.yiaddr(), probe.addr);
}

#[test]
fn c179_without_room_in_the_journal_nothing_changes() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    world.room = false;
    let answer = world.probed(discover(1), probe, IN_USE);
    assert_eq!(answer.silence(), Silence::JournalFull);
    assert_eq!(state(&world, probe.addr), AddressState::Held);
    world.room = true;
    assert_eq!(world.send(discover(1)).probe(), again(probe));
}

#[test]
fn c179_only_where_it_is_on_and_by_what_is_configured() {
    let mut world = probing().world();
    world.send(discover(1).far()).offer();
    let mut setup = Setup::default();
    let rules = ProbeRules {
        by: ProbeBy::Icmp,
        ..ProbeRules::default()
    };
    setup.far().subnets[0].probe = rules;
    let mut world = setup.world();
    world.send(discover(1)).offer();
    let msg = discover(2).far();
    let relay = msg.giaddr;
    let probe = world.send(msg).probe();
    assert_eq!(
        (probe.by, probe.wait, probe.relay),
        (ProbeBy::Icmp, 500, relay)
    );
}

#[test]
fn c180_a_current_binding_and_a_remembered_address_are_not_probed() {
    let mut world = probing().world();
    let addr = lease(&mut world, 1);
    assert_eq!(world.send(discover(1)).offer().yiaddr(), addr);
    world.pass(3600 + 31);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    assert_eq!(world.send(discover(1)).offer().yiaddr(), addr);
    world.pass(61);
    let release = client(1).reboot(addr);
    world.send(release).ack();
    let server = ip("10.0.0.1");
    world.send(
        client(1)
            .release()
            .ciaddr(addr)
            .server(server)
            .unicast(server),
    );
    assert_eq!(world.send(discover(1)).offer().yiaddr(), addr);
}

#[test]
fn c180_a_reservation_is_probed_only_if_asked() {
    for asked in [false, true] {
        let mut setup = probing();
        setup.home_subnet().probe.reservations = asked;
        let reserved = ip("10.0.0.5");
        setup.home().reservations = vec![Reservation::new(
            &[&[2, 1][..], &[2, 0, 0, 0, 0, 1]].concat(),
            reserved,
        )];
        let mut world = setup.world();
        let answer = world.send(discover(1));
        if asked {
            let probe = answer.probe();
            assert_eq!(probe.addr, reserved);
            // Its owner gets another one as long as somebody has it.
            let next = world.probed(discover(1), probe, IN_USE).probe();
            assert_ne!(next.addr, reserved);
        } else {
            assert_eq!(answer.offer().yiaddr(), reserved);
        }
    }
}

#[test]
fn c180_what_was_probed_and_is_on_offer_is_not_probed_again() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    world.probed(discover(1), probe, Found::Nobody).offer();
    world.pass(4);
    assert_eq!(world.send(discover(1)).offer().yiaddr(), probe.addr);
}

#[test]
fn c181_a_repeated_discover_starts_no_second_probe_and_one_offer_comes_out() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    assert_eq!(world.send(discover(1)).probe(), again(probe));
    let newer = discover(1).requested(ip("10.0.0.19"));
    assert_eq!(world.send(newer.clone()).probe(), again(probe));
    assert_eq!(world.shards[0].counts().offered, 1);
    let offer = world.probed(newer, probe, Found::Nobody).offer();
    assert_eq!(offer.yiaddr(), probe.addr);
    // The worker has one message that waits; a second end of the same probe offers nothing.
    let again = world.probed(discover(1), probe, Found::Nobody);
    assert_eq!(again.silence(), Silence::ProbeMoot);
}

#[test]
fn c181_the_end_of_a_probe_whose_client_has_gone_on_changes_nothing() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    let elsewhere = client(1).request().requested(ip("10.0.0.99"));
    let refused = world.send(elsewhere.server(ip("10.0.0.2")));
    assert_eq!(refused.silence(), Silence::OfferWithdrawn);
    for found in [Found::Nobody, IN_USE] {
        let late = world.probed(discover(1), probe, found);
        assert_eq!(late.silence(), Silence::ProbeMoot);
    }
    assert_eq!(state(&world, probe.addr), AddressState::Free);
    // The same address for another client is another probe.
    let other = world.send(discover(2).requested(probe.addr)).probe();
    assert_eq!(other.addr, probe.addr);
    assert_ne!(other.generation, probe.generation);
    let late = world.probed(discover(1), probe, IN_USE);
    assert_eq!(late.silence(), Silence::ProbeMoot);
    world.probed(discover(2), other, Found::Nobody).offer();
}

#[test]
fn c181_an_address_under_probe_is_not_acknowledged() {
    let mut world = probing().world();
    let probe = world.send(discover(1)).probe();
    let request = client(1).request().requested(probe.addr);
    let request = request.server(ip("10.0.0.1"));
    assert_eq!(world.send(request.clone()).silence(), Silence::Probing);
    let reboot = client(1).reboot(probe.addr);
    assert_eq!(world.send(reboot).silence(), Silence::Probing);
    world.probed(discover(1), probe, Found::Nobody).offer();
    world.send(request).ack();
}

#[test]
fn c177_in_an_empty_pool_the_address_longest_in_probation_is_probed_and_used() {
    let mut world = probing_of(3).world();
    let aside = exhausted(&mut world, 3);
    let probe = world.send(discover(2)).probe();
    assert_eq!((probe.addr, probe.aside), (aside[0], true));
    // Another client waits for another one, and each for its own.
    let other = world.send(discover(3)).probe();
    assert_eq!((other.addr, other.aside), (aside[1], true));
    assert_eq!(world.send(discover(2)).probe(), probe);
    assert_eq!(state(&world, probe.addr), AddressState::SetAside);
    let offer = world.probed(discover(2), probe, Found::Nobody).offer();
    assert_eq!(offer.yiaddr(), aside[0]);
    let record = world.log.last().unwrap();
    assert_eq!(
        (record.kind, record.addr),
        (RecordKind::ProbationEnded, aside[0])
    );
    let request = client(2).request().requested(aside[0]);
    world.send(request.server(offer.server_id())).ack();
    assert_eq!(state(&world, aside[0]), AddressState::Bound);
}

#[test]
fn c177_one_that_is_still_in_use_goes_behind_the_others_and_is_left_alone() {
    let mut world = probing_of(2).world();
    let aside = exhausted(&mut world, 2);
    let until = world.log[0].expiry;
    let first = world.send(discover(2)).probe();
    let second = world.probed(discover(2), first, IN_USE).probe();
    assert_eq!((first.addr, second.addr), (aside[0], aside[1]));
    let record = world.log.last().unwrap();
    assert_eq!((record.kind, record.addr), (RecordKind::SetAside, aside[0]));
    assert!(record.expiry > until, "its probation begins anew");
    let answer = world.probed(discover(2), second, IN_USE);
    assert_eq!(answer.silence(), Silence::NoAddress);
    assert_eq!(world.send(discover(3)).silence(), Silence::NoAddress);
    let records = world.log.len();
    world.pass(61);
    assert_eq!(world.send(discover(3)).probe().addr, aside[0]);
    assert_eq!(world.log.len(), records);
}

#[test]
fn c177_nobody_gets_an_address_in_probation_that_could_not_be_probed() {
    let mut world = probing_of(1).world();
    let aside = exhausted(&mut world, 1);
    let probe = world.send(discover(2)).probe();
    let answer = world.probed(discover(2), probe, Found::Nothing);
    assert_eq!(answer.silence(), Silence::NoAddress);
    assert_eq!(state(&world, aside[0]), AddressState::SetAside);
    assert_eq!(world.notices.last().unwrap().kind, NoticeKind::Exhausted);
    assert_eq!(world.send(discover(2)).probe(), probe);
    world.room = false;
    let answer = world.probed(discover(2), probe, Found::Nobody);
    assert_eq!(answer.silence(), Silence::JournalFull);
    assert_eq!(state(&world, aside[0]), AddressState::SetAside);
}

#[test]
fn c177_without_a_probe_an_address_in_probation_is_given_to_nobody() {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.send(client(1).decline().requested(addr).server(ip("10.0.0.1")));
    world.pass(100);
    assert_eq!(world.send(discover(2)).silence(), Silence::NoAddress);
}

#[test]
fn c177_a_probation_that_ends_under_probe_leaves_an_ordinary_address() {
    let mut world = probing_of(1).world();
    world.setup.home().rules.probation = core::time::Duration::from_secs(100);
    world.restart();
    exhausted(&mut world, 1);
    let probe = world.send(discover(2)).probe();
    world.pass(60);
    assert_eq!(state(&world, probe.addr), AddressState::Free);
    let next = world.probed(discover(2), probe, IN_USE).probe();
    assert_eq!((next.addr, next.aside), (probe.addr, false));
}

/// Clients of two shards.
fn of_two_shards() -> [u8; 2] {
    let shard = |n: &u8| shard_of(crate::world::KEY.hash(&[2, 1, 2, 0, 0, 0, 0, *n]), 2);
    [0, 1].map(|wanted| (1..=u8::MAX).find(|n| shard(n) == wanted).unwrap())
}

#[test]
fn c177_what_another_worker_has_set_aside_is_probed_there_and_then_found() {
    let [one, two] = of_two_shards();
    let mut setup = probing_of(1);
    setup.shards = 2;
    let mut world = setup.world();
    let probe = world.send(discover(one)).probe();
    let answer = world.probed(discover(one), probe, IN_USE);
    assert_eq!(answer.silence(), Silence::NoAddress);
    world.pass(60);
    world.sought.clear();
    assert_eq!(world.send(discover(two)).silence(), Silence::NoAddress);
    let [(shard, sought)] = world.sought[..] else {
        panic!("{:?}", world.sought)
    };
    assert_eq!((shard, sought.addr, sought.aside), (0, probe.addr, true));
    assert_eq!(world.send(discover(two)).silence(), Silence::NoAddress);
    assert_eq!(world.sought.len(), 1, "it is asked once in a while");
    world.settle((shard, sought), Found::Nobody);
    let record = world.log.last().unwrap();
    assert_eq!(record.kind, RecordKind::ProbationEnded);
    let probe = world.send(discover(two)).probe();
    assert_eq!((probe.addr, probe.aside), (sought.addr, false));
    world.probed(discover(two), probe, Found::Nobody).offer();
}

#[test]
fn c177_what_another_worker_finds_in_use_stays_set_aside() {
    let [one, two] = of_two_shards();
    for found in [IN_USE, Found::Nothing] {
        let mut setup = probing_of(1);
        setup.shards = 2;
        let mut world = setup.world();
        let probe = world.send(discover(one)).probe();
        world.probed(discover(one), probe, IN_USE).silence();
        world.pass(60);
        world.send(discover(two)).silence();
        let (sought, records) = (world.sought[0], world.log.len());
        world.settle(sought, found);
        assert_eq!(state(&world, probe.addr), AddressState::SetAside);
        let written = usize::from(found == IN_USE);
        assert_eq!(world.log.len(), records + written);
        world.pass(61);
        world.send(discover(two)).silence();
        assert_eq!(world.sought.len(), 2, "it is asked again");
    }
}
