//! The server ended and started again from its journal, and the wall clock beside it.

use crate::client::{SERVER, client};
use crate::world::{Owned, START, Setup, World, ip, pool, state};
use dhcp_proto::address::AddressState;
use dhcp_proto::record::RecordKind;
use dhcp_proto::server::{NoticeKind, Silence};
use dhcp_proto::time::{Instant, Wall};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const DAY: u64 = 86_400;
const YEAR: i64 = 365 * 86_400;

fn one_address() -> Setup {
    let mut setup = Setup::default();
    setup.home_subnet().pools = vec![pool("10.0.0.10", "10.0.0.10")];
    setup
}

fn release(world: &mut World, n: u8, addr: Ipv4Addr) {
    let msg = client(n).release().ciaddr(addr).unicast(SERVER);
    assert_eq!(world.send(msg).silence(), Silence::Released);
}

fn decline(world: &mut World, n: u8, addr: Ipv4Addr) {
    let msg = client(n).decline().requested(addr).server(SERVER);
    assert_eq!(world.send(msg).silence(), Silence::Declined);
}

fn wish(world: &mut World, n: u8, addr: Ipv4Addr) -> Ipv4Addr {
    let wish = client(n).discover().requested(addr);
    world.send(wish).offer().yiaddr()
}

/// The operator, or NTP, sets the clock.
fn step_wall(world: &mut World, ahead: i64) {
    world.wall = ahead;
    for shard in &mut world.shards {
        shard.set_wall(Wall { ahead });
    }
}

#[test]
fn c195_a_step_of_the_wall_clock_neither_expires_nor_prolongs_a_lease() {
    for step in [YEAR, -(YEAR / 40), 3600, -3600] {
        let mut world = one_address().world();
        let addr = world.lease(&client(1)).yiaddr();
        step_wall(&mut world, step);
        world.pass(3590);
        let other = world.send(client(2).discover()).silence();
        assert_eq!(other, Silence::NoAddress);
        assert_eq!(world.shards[0].counts().active, 1);
        world.pass(60);
        assert_eq!(world.send(client(2).discover()).offer().yiaddr(), addr);
    }
}

#[test]
fn c195_records_speak_wall_time() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    assert_eq!(world.log[0].time, START);
    for step in [YEAR, -(YEAR / 40)] {
        step_wall(&mut world, step);
        world.pass(600);
        world.send(client(1).renew(addr)).ack();
        let (now, record) = (world.wall_now(), world.log.last().unwrap());
        assert_eq!(record.time, now);
        assert_eq!(record.expiry, now + 3601);
    }
}

#[test]
fn c195_after_a_restart_a_lease_ends_at_its_wall_time_wherever_the_inner_clock_begins() {
    for inner in [2_000, 500_000, 3_000_000_000] {
        let mut world = one_address().world();
        let addr = world.lease(&client(1)).yiaddr();
        world.pass(1800);
        let wall = i64::try_from(world.wall_now()).unwrap();
        world.now = Instant(inner * 1000);
        world.wall = wall - i64::try_from(inner).unwrap();
        world.restart();
        world.pass(1780);
        let other = world.send(client(2).discover()).silence();
        assert_eq!(other, Silence::NoAddress);
        world.pass(60);
        assert_eq!(world.send(client(2).discover()).offer().yiaddr(), addr);
    }
}

#[test]
fn a_lease_is_its_clients_after_a_restart() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(1800);
    world.restart();
    assert_eq!(state(&world, addr), AddressState::Bound);
    assert_ne!(wish(&mut world, 2, addr), addr);
    world.send(client(2).renew(addr)).nak();
    assert_eq!(wish(&mut world, 1, Ipv4Addr::UNSPECIFIED), addr);
    world.send(client(1).reboot(addr)).ack();
    world.send(client(1).renew(addr)).ack();
}

#[test]
fn a_lease_whose_grace_lasts_is_kept_after_a_restart() {
    let mut world = one_address().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(3610);
    world.restart();
    let other = world.send(client(2).discover()).silence();
    assert_eq!(other, Silence::NoAddress);
    world.send(client(1).renew(addr)).ack();
    world.pass(3610);
    world.restart();
    world.pass(30);
    assert_eq!(state(&world, addr), AddressState::Remembered);
    assert_eq!(wish(&mut world, 2, addr), addr);
}

#[test]
fn an_expired_or_released_lease_is_remembered_after_a_restart() {
    let mut world = Setup::default().world();
    let expired = world.lease(&client(1)).yiaddr();
    world.pass(3700);
    let released = world.lease(&client(2)).yiaddr();
    release(&mut world, 2, released);
    world.restart();
    for (n, addr) in [(1, expired), (2, released)] {
        assert_eq!(state(&world, addr), AddressState::Remembered);
        assert_ne!(wish(&mut world, n + 10, addr), addr);
        assert_eq!(world.lease(&client(n)).yiaddr(), addr);
    }
}

#[test]
fn a_remembered_address_may_be_taken_after_a_restart() {
    let mut world = one_address().world();
    let addr = world.lease(&client(1)).yiaddr();
    release(&mut world, 1, addr);
    world.restart();
    assert_eq!(world.lease(&client(2)).yiaddr(), addr);
    world.restart();
    world.send(client(1).renew(addr)).nak();
    world.send(client(2).renew(addr)).ack();
}

#[test]
fn a_declined_address_stays_set_aside_over_a_restart_until_its_time() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    decline(&mut world, 1, addr);
    world.pass(DAY / 2);
    world.restart();
    assert_eq!(state(&world, addr), AddressState::SetAside);
    assert_ne!(wish(&mut world, 1, addr), addr);
    world.pass(DAY / 2 - 60);
    assert_eq!(state(&world, addr), AddressState::SetAside);
    world.pass(120);
    assert_eq!(state(&world, addr), AddressState::Free);
    assert_eq!(world.log.last().unwrap().kind, RecordKind::ProbationEnded);
    world.restart();
    assert_eq!(wish(&mut world, 2, addr), addr);
}

#[test]
fn a_probation_that_ended_while_the_server_was_down_is_over() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    decline(&mut world, 1, addr);
    world.now = Instant(world.now.0 + 2 * DAY * 1000);
    world.restart();
    assert_eq!(wish(&mut world, 2, addr), addr);
}

#[test]
fn c170_declines_are_counted_over_a_restart() {
    let mut world = Setup::default().world();
    for _ in 0..5 {
        let addr = world.lease(&client(1)).yiaddr();
        decline(&mut world, 1, addr);
    }
    world.setup.shards = 2;
    world.restart();
    let addr = world.lease(&client(1)).yiaddr();
    decline(&mut world, 1, addr);
    let notice = world.notices.last().unwrap();
    assert_eq!(notice.kind, NoticeKind::TooManyDeclines);
    world.pass(DAY + 60);
    let addr = world.lease(&client(1)).yiaddr();
    decline(&mut world, 1, addr);
    assert_eq!(world.notices.last().unwrap().kind, NoticeKind::Declined);
}

#[test]
fn an_ended_binding_is_gone_after_a_restart() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let excluded = (addr, addr);
    world.setup.home_subnet().excluded = vec![excluded];
    world.restart();
    world.send(client(1).renew(addr)).nak();
    assert_eq!(world.log.last().unwrap().kind, RecordKind::Ended);
    world.setup.home_subnet().excluded.clear();
    world.restart();
    assert_eq!(state(&world, addr), AddressState::Free);
    let silence = world.send(client(1).reboot(addr)).silence();
    assert_eq!(silence, Silence::UnknownClient);
}

#[test]
fn of_two_addresses_of_one_client_the_newer_record_is_its_lease() {
    let mut world = Setup::default().world();
    let older = world.lease(&client(1)).yiaddr();
    let newer = ip("10.0.0.19");
    let second = Owned {
        addr: newer,
        generation: 1,
        ..world.log[0].clone()
    };
    world.log.push(second);
    world.restart();
    world.send(client(1).renew(newer)).ack();
    // The client was told of the other one, too: it is no one's until it is over.
    assert_eq!(world.shards[0].counts().active, 2);
    world.send(client(1).renew(older)).nak();
    assert_ne!(wish(&mut world, 2, older), older);
    world.pass(1800);
    world.send(client(1).renew(newer)).ack();
    world.pass(1900);
    assert_eq!(state(&world, older), AddressState::Free);
    assert_eq!(state(&world, newer), AddressState::Bound);
    assert_eq!(wish(&mut world, 2, older), older);
}

#[test]
fn of_two_records_of_one_address_the_higher_generation_is_true() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    // Another worker's record of the same address reached the log first.
    let mut winner = world.log[0].clone();
    winner.generation += 5;
    let name = client(2).client_id(b"\x00winner");
    winner.identity = b"\x01\x00winner".to_vec();
    winner.chaddr = vec![2, 0, 0, 0, 0, 2];
    world.log.insert(0, winner);
    world.restart();
    world.send(client(1).renew(addr)).nak();
    world.send(name.renew(addr)).ack();
    assert!(world.log.last().unwrap().generation >= world.log[0].generation);
}

#[test]
fn leases_find_their_clients_with_any_other_number_of_workers() {
    let mut world = Setup::default().world();
    let mut leases = BTreeMap::new();
    for n in 1..=8 {
        leases.insert(n, world.lease(&client(n)).yiaddr());
    }
    release(&mut world, 8, leases[&8]);
    let declined = leases.remove(&7).unwrap();
    decline(&mut world, 7, declined);
    for shards in [3, 2, 5, 1, 4] {
        world.setup.shards = shards;
        world.restart();
        world.pass(100);
        for (n, addr) in &leases {
            let ack = world.send(client(*n).reboot(*addr)).ack();
            assert_eq!(ack.yiaddr(), *addr);
        }
        assert_eq!(state(&world, declined), AddressState::SetAside);
        let active: u64 = world.shards.iter().map(|s| s.counts().active).sum();
        assert_eq!(active, 7);
    }
}

#[test]
fn records_of_addresses_outside_the_configuration_harm_nobody_and_count_again_later() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().far()).offer();
    let far = world.send(client(1).select(&offer).far()).ack().yiaddr();
    let home = world.lease(&client(1)).yiaddr();
    let network = world.setup.networks.pop().unwrap();
    world.restart();
    let silence = world.send(client(1).discover().far()).silence();
    assert_eq!(silence, Silence::UnknownGiaddr);
    world.send(client(1).renew(home)).ack();
    world.setup.networks.push(network);
    world.restart();
    let other = client(2).discover().requested(far).far();
    assert_ne!(world.send(other).offer().yiaddr(), far);
    let reboot = world.send(client(1).reboot(far).far()).ack();
    assert_eq!(reboot.yiaddr(), far);
}

#[test]
fn an_address_that_no_network_had_at_the_start_is_given_to_nobody_by_a_reload() {
    let mut world = Setup::default().world();
    let offer = world.send(client(1).discover().far()).offer();
    let far = world.send(client(1).select(&offer).far()).ack().yiaddr();
    let network = world.setup.networks.pop().unwrap();
    world.restart();
    world.setup.networks.push(network);
    world.reload();
    // The store was read before there was a network to put its lease into.
    assert_eq!(state(&world, far), AddressState::Bound);
    let other = client(2).discover().requested(far).far();
    assert_ne!(world.send(other).offer().yiaddr(), far);
    world.restart();
    let reboot = world.send(client(1).reboot(far).far()).ack();
    assert_eq!(reboot.yiaddr(), far);
}

#[test]
fn offers_do_not_survive_a_restart_and_lock_no_address() {
    let mut world = one_address().world();
    world.send(client(1).discover()).offer();
    world.restart();
    world.send(client(2).discover()).offer();
}
