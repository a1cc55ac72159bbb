//! Lease times: endless ones, renewals that write nothing, memories that end, and servers that wait.

use crate::client::{Msg, SERVER, client};
use crate::world::{Setup, World, pool, state};
use dhcp_proto::address::{AddressState, Space};
use dhcp_proto::config::LeaseTimes;
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::Silence;
use dhcp_proto::time::INFINITE;
use std::net::Ipv4Addr;

const YEAR: u64 = 365 * 86_400;

fn endless() -> World {
    let mut setup = Setup::default();
    setup.home_subnet().lease.max = INFINITE;
    setup.world()
}

#[test]
fn c184_an_endless_lease_survives_restarts_and_a_release_ends_it() {
    let mut world = endless();
    let addr = world.lease(&client(1).lease(INFINITE)).yiaddr();
    for _ in 0..3 {
        world.pass(YEAR);
        world.restart();
        assert_eq!(state(&world, addr), AddressState::Bound);
        let renewal = client(1).renew(addr).lease(INFINITE);
        let ack = world.send(renewal).ack();
        assert_eq!((ack.lease(), ack.u32(58)), (Some(INFINITE), None));
        assert_eq!(world.log.last().unwrap().expiry, u64::MAX);
    }
    let release = client(1).release().ciaddr(addr).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    assert_eq!(world.log.last().unwrap().kind, RecordKind::Released);
    world.restart();
    assert_eq!(state(&world, addr), AddressState::Remembered);
}

#[test]
fn c184_a_wish_for_ever_is_bounded_by_the_longest_lease() {
    let mut world = Setup::default().world();
    let ack = world.lease(&client(1).lease(INFINITE));
    assert_eq!(ack.lease(), Some(LeaseTimes::default().max));
    assert_ne!(world.log[0].expiry, u64::MAX);
    // An endless lease that is no longer granted runs on at the server (C59).
    let mut world = endless();
    let addr = world.lease(&client(1).lease(INFINITE)).yiaddr();
    world.setup.home_subnet().lease.max = 86_400;
    world.restart();
    let ack = world.send(client(1).renew(addr).lease(INFINITE)).ack();
    assert_eq!(ack.lease(), Some(86_400));
    world.pass(YEAR);
    assert_eq!(state(&world, addr), AddressState::Bound);
}

/// A network of leases of an hour that are cached for the first 900 s.
fn caching() -> World {
    let mut setup = Setup::default();
    for net in &mut setup.networks {
        net.rules.cache_threshold = 250;
    }
    setup.world()
}

#[test]
fn a_renewal_within_the_threshold_states_the_time_left_and_writes_nothing() {
    let mut world = caching();
    let ack = world.lease(&client(1));
    let addr = ack.yiaddr();
    for msg in [
        client(1).renew(addr),
        client(1).rebind(addr),
        client(1).reboot(addr),
    ] {
        world.pass(300);
        let left = 3600 - u32::try_from(u64::from(world.now.secs()) - crate::world::START).unwrap();
        let cached = world.send(msg).ack();
        assert_eq!((cached.yiaddr(), cached.lease()), (addr, Some(left)));
        assert_eq!(cached.u32(58), Some(left / 2));
        // It waits for the record it rests on.
        assert_eq!(
            cached.parked.unwrap().sequence,
            ack.parked.unwrap().sequence
        );
    }
    assert_eq!(world.log.len(), 1);
    world.pass(1);
    assert_eq!(world.send(client(1).renew(addr)).ack().lease(), Some(3600));
    assert_eq!(world.log.len(), 2);
    // What the client was told last is no longer than what is on disk, over a restart too.
    world.pass(800);
    assert_eq!(world.send(client(1).renew(addr)).ack().lease(), Some(2800));
    world.restart();
    world.pass(2799);
    assert_eq!(state(&world, addr), AddressState::Bound);
    assert_eq!(world.log.len(), 2);
}

#[test]
fn a_renewal_that_says_something_new_is_not_cached() {
    let mut world = caching();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(300);
    let longer = world.send(client(1).renew(addr).lease(7200)).ack();
    assert_eq!((longer.lease(), world.log.len()), (Some(7200), 2));
    let msg = |id: &[u8]| client(2).circuit(id).far();
    let offer = world.send(msg(b"a").discover()).offer();
    world.send(msg(b"a").select(&offer)).ack();
    world.pass(300);
    let moved = msg(b"b").request().ciaddr(offer.yiaddr());
    assert_eq!(world.send(moved).ack().lease(), Some(3600));
    assert_eq!(world.log.last().unwrap().agent_info, [1, 1, b'b']);
    // An OFFER promised a whole lease, and its ACK keeps that (C41).
    world.pass(300);
    let offer = world.send(client(2).circuit(b"b").far().discover()).offer();
    assert_eq!(offer.lease(), Some(3600));
    let ack = world
        .send(client(2).circuit(b"b").far().select(&offer))
        .ack();
    assert_eq!(ack.lease(), Some(3600));
}

#[test]
fn without_a_threshold_each_renewal_is_on_record() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    for n in 1..4 {
        world.pass(60);
        assert_eq!(world.send(client(1).renew(addr)).ack().lease(), Some(3600));
        assert_eq!(world.log.len(), 1 + n);
    }
}

/// Client 1's lease of an hour is over, and its address remembered for another hour.
fn remembering() -> (World, Ipv4Addr) {
    let mut setup = Setup::default();
    setup.home().rules.affinity = 3600;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3640);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    (world, addr)
}

#[test]
fn an_address_is_its_clients_for_the_affinity_and_then_anybodys() {
    let (mut world, addr) = remembering();
    let wish = |n| client(n).discover().requested(addr);
    world.pass(3500);
    assert_ne!(world.send(wish(2)).offer().yiaddr(), addr);
    world.pass(120);
    assert_eq!(state(&world, addr), AddressState::Free);
    assert_eq!(world.shards[0].fill().0, 0);
    assert_eq!(world.send(wish(3)).offer().yiaddr(), addr);
    assert_ne!(world.send(client(1).discover()).offer().yiaddr(), addr);
}

#[test]
fn a_memory_is_shown_with_the_end_of_its_lease() {
    let (world, addr) = remembering();
    let view = world.shards[0].view(&world.config, Space(0), addr).unwrap();
    let ended = crate::world::START + 3601;
    assert!((ended..ended + 31).contains(&view.until), "{}", view.until);
}

#[test]
fn a_lease_that_is_regained_without_an_offer_is_as_long_as_its_client_was_told() {
    let mut setup = Setup::default();
    setup.home().rules.affinity = 24 * 3600;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3640);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    assert_eq!(world.send(client(1).reboot(addr)).ack().yiaddr(), addr);
    world.pass(3640);
    assert_eq!(state(&world, addr), AddressState::Remembered);
}

#[test]
fn within_the_affinity_a_client_gets_its_address_back_and_the_time_begins_anew() {
    let (mut world, addr) = remembering();
    world.pass(3500);
    assert_eq!(world.lease(&client(1)).yiaddr(), addr);
    let release = client(1).release().ciaddr(addr).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    world.pass(3590);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    world.pass(20);
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn the_affinity_goes_on_over_a_restart_and_is_over_after_a_long_one() {
    let (mut world, addr) = remembering();
    world.pass(1000);
    world.restart();
    assert_eq!(state(&world, addr), AddressState::Remembered);
    world.pass(2700);
    assert_eq!(state(&world, addr), AddressState::Free);
    world.restart();
    world.pass(2);
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn an_affinity_does_not_keep_an_address_from_a_client_when_there_is_no_other() {
    let mut setup = Setup::default();
    setup.home().rules.affinity = 3600;
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3640);
    assert_eq!(world.lease(&client(2)).yiaddr(), addr);
    // The memory's time is over while another client has the address: nothing of that one ends.
    world.pass(3500);
    world.send(client(2).renew(addr)).ack();
    world.pass(200);
    assert_eq!(state(&world, addr), AddressState::Bound);
}

fn waited(secs: u16) -> Msg {
    let mut msg = client(1);
    msg.secs = secs;
    msg
}

#[test]
fn c187_a_discover_with_too_few_secs_is_left_to_another_server() {
    let mut setup = Setup::default();
    setup.home().rules.min_secs = 4;
    let mut world = setup.world();
    for secs in [0, 1, 3] {
        let answer = world.send(waited(secs).discover()).silence();
        assert_eq!(answer, Silence::TooSoon);
    }
    for secs in [4, 5, 255, 300, u16::MAX] {
        world.send(waited(secs).discover()).offer();
    }
    // Everything else is answered whatever it says.
    let addr = world.lease(&waited(4)).yiaddr();
    world.send(waited(0).renew(addr)).ack();
    world.send(waited(0).reboot(addr)).ack();
    world.send(waited(0).inform().ciaddr(addr)).ack();
    // The knob is the network's.
    world.send(waited(0).discover().far()).offer();
}

#[test]
fn c187_secs_with_its_octets_swapped_is_read_as_it_was_meant() {
    let mut setup = Setup::default();
    setup.home().rules.min_secs = 4;
    let mut world = setup.world();
    for secs in 0..4u16 {
        let answer = world.send(waited(secs.swap_bytes()).discover()).silence();
        assert_eq!(answer, Silence::TooSoon);
    }
    for secs in [4u16, 100, 255] {
        world.send(waited(secs.swap_bytes()).discover()).offer();
    }
}

#[test]
fn an_offered_lease_that_runs_out_is_held_like_any_other_offer() {
    // Before it runs out, and in its grace.
    for asked in [3595, 3604] {
        let mut setup = Setup::default();
        setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
        let mut world = setup.world();
        let addr = world.lease(&client(1)).yiaddr();
        world.pass(asked);
        let offer = world.send(client(1).discover()).offer();
        assert_eq!(offer.yiaddr(), addr);
        world.pass(3650 - asked);
        let other = world.send(client(2).discover()).silence();
        assert_eq!(other, Silence::NoAddress);
        assert_eq!(world.send(client(1).select(&offer)).ack().yiaddr(), addr);
        // Nobody takes this one.
        world.pass(asked);
        world.send(client(1).discover()).offer();
        world.pass(3700 - asked);
        assert_eq!(world.send(client(2).discover()).offer().yiaddr(), addr);
    }
}
