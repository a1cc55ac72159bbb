//! A restart beside a wall clock that jumped (C195): `design.md` §3.

use crate::client::{SERVER, client};
use crate::world::{START, Setup, World, pool, state};
use dhcp_proto::address::AddressState;
use dhcp_proto::restart::{Hold, Noted, time_record};
use dhcp_proto::server::Silence;
use dhcp_proto::time::{INFINITE, Instant, Wall};
use std::net::Ipv4Addr;

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
const HOUR: u64 = 3600;

fn held(world: &World) -> u64 {
    world.clock_held().len() as u64
}

fn hold(world: &World) -> Option<Hold> {
    world.start.unwrap().hold
}

/// Ends the server, steps the clock, and starts the server again.
fn restart_after_step(world: &mut World, step: i64) {
    world.wall += step;
    world.restart();
}

/// The server is down for so long.
fn down_for(world: &mut World, seconds: i64) {
    world.now = Instant(world.now.0 + seconds.unsigned_abs() * 1000);
    world.restart();
}

/// A server with the leases of clients 1 to `clients` whose clock jumped a year ahead.
fn jumped(clients: u8) -> (World, Vec<Ipv4Addr>) {
    let mut world = Setup::default().world();
    let lease = |n| world.lease(&client(n)).yiaddr();
    let leases = (1..=clients).map(lease).collect();
    world.pass(60);
    restart_after_step(&mut world, YEAR);
    (world, leases)
}

#[test]
fn c195_a_clock_that_is_ahead_by_more_than_the_longest_lease_expires_nobody() {
    let (mut world, leases) = jumped(3);
    let now = world.wall_now();
    assert_eq!(
        hold(&world),
        Some(Hold {
            trusted: START + 60,
            until: now + HOUR
        })
    );
    assert_eq!(held(&world), 3);
    world.pass(HOUR - 10);
    for addr in &leases {
        assert_eq!(state(&world, *addr), AddressState::Bound);
        let wish = client(9).discover().requested(*addr);
        assert_ne!(world.send(wish).offer().yiaddr(), *addr);
    }
}

#[test]
fn c195_a_lease_that_the_clock_holds_ends_after_a_default_lease_and_its_grace() {
    let (mut world, leases) = jumped(1);
    world.pass(HOUR + 20);
    assert_eq!(held(&world), 0);
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
    world.pass(20);
    assert_eq!(state(&world, leases[0]), AddressState::Remembered);
}

#[test]
fn c195_a_restart_keeps_what_was_leased_before_a_jump_of_the_running_server() {
    for noticed in [true, false] {
        let mut world = Setup::default().world();
        let before = world.lease(&client(1)).yiaddr();
        world.pass(600);
        let (year, day) = (YEAR.unsigned_abs(), DAY.unsigned_abs());
        let trusted = world.wall_now();
        world.wall += YEAR;
        for shard in &mut world.shards {
            shard.set_wall(Wall { ahead: world.wall });
        }
        // What the server writes when it notices: store/commit/time.rs.
        let until = trusted + year + day;
        world.noted.hold = noticed.then_some(Hold { trusted, until });
        world.pass(60);
        let after = world.lease(&client(2)).yiaddr();
        world.restart();
        let kept = if noticed {
            AddressState::Bound
        } else {
            AddressState::Remembered
        };
        assert_eq!(state(&world, before), kept);
        assert_eq!(state(&world, after), AddressState::Bound);
        // The clock is set right, and the server started again: both go on.
        if noticed {
            restart_after_step(&mut world, -YEAR);
            world.send(client(1).renew(before)).ack();
            world.send(client(2).renew(after)).ack();
        }
    }
}

#[test]
fn c171_the_grace_of_a_lease_that_the_clock_held_goes_on_over_a_restart() {
    let (mut world, leases) = jumped(1);
    let home = world.setup.home_subnet();
    home.pools = vec![pool("10.0.0.10", "10.0.0.10")];
    assert_eq!(leases, [Ipv4Addr::new(10, 0, 0, 10)]);
    world.restart();
    world.pass(HOUR + 5);
    assert_eq!(held(&world), 0);
    world.restart();
    world.pass(5);
    let other = client(2).discover();
    assert_eq!(world.send(other.clone()).silence(), Silence::NoAddress);
    world.pass(25);
    assert_eq!(world.send(other).offer().yiaddr(), leases[0]);
}

#[test]
fn c195_a_client_that_renews_is_not_held_any_more_and_is_left_alone_when_the_clock_is_accepted() {
    let (mut world, leases) = jumped(3);
    let renewed = world.send(client(1).renew(leases[0])).ack();
    assert_eq!(renewed.lease(), Some(3600));
    let last = world.log.last().unwrap();
    assert_eq!(last.expiry, world.wall_now() + HOUR + 1);
    assert_eq!(held(&world), 2);
    assert_eq!(world.accept_clock(), 2);
    world.pass(3);
    assert_eq!(held(&world), 0);
    world.send(client(2).renew(leases[1])).ack();
    world.pass(60);
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
    assert_eq!(state(&world, leases[1]), AddressState::Bound);
    assert_eq!(state(&world, leases[2]), AddressState::Remembered);
}

#[test]
fn c195_what_an_accepted_clock_ended_stays_ended_after_a_restart() {
    let (mut world, leases) = jumped(2);
    world.send(client(1).renew(leases[0])).ack();
    world.accept_clock();
    world.pass(2);
    world.restart();
    assert_eq!(hold(&world), None);
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
    assert_eq!(state(&world, leases[1]), AddressState::Remembered);
}

#[test]
fn c195_accepting_the_clock_expires_what_is_held_in_bounded_steps() {
    let mut setup = Setup::default();
    setup.bindings = 1000;
    setup.home_subnet().pools = vec![pool("10.0.0.2", "10.0.0.250")];
    let mut world = setup.world();
    for n in 1..=200 {
        world.lease(&client(n));
    }
    restart_after_step(&mut world, YEAR);
    assert_eq!(world.accept_clock(), 200);
    let mut turns = 0;
    while held(&world) > 0 {
        let before = held(&world);
        world.housekeep();
        assert!(before - held(&world) <= 64);
        turns += 1;
    }
    assert!((4..=10).contains(&turns), "{turns}");
    world.pass(40);
    assert_eq!(world.shards[0].counts().active, 0);
}

#[test]
fn c195_a_clock_that_is_ahead_by_less_than_the_longest_lease_expires_as_usual() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    world.pass(60);
    restart_after_step(&mut world, DAY - 1);
    assert_eq!((hold(&world), held(&world)), (None, 0));
    assert_eq!(state(&world, addr), AddressState::Remembered);
}

#[test]
fn c195_the_longest_lease_is_that_of_any_subnet() {
    let mut setup = Setup::default();
    setup.far().subnets[0].lease.max = 30 * 86_400;
    let mut world = setup.world();
    world.lease(&client(1));
    restart_after_step(&mut world, 29 * DAY);
    assert_eq!(hold(&world), None);
    restart_after_step(&mut world, 31 * DAY);
    assert!(hold(&world).is_some());
}

#[test]
fn c195_a_server_that_was_down_for_long_cannot_tell_and_holds() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    down_for(&mut world, 3 * DAY);
    assert_eq!(held(&world), 1);
    world.send(client(1).renew(addr)).ack();
    assert_eq!(held(&world), 0);
}

#[test]
fn c195_what_had_expired_before_the_clock_jumped_is_not_leased_again() {
    let mut world = Setup::default().world();
    let old = world.lease(&client(1)).yiaddr();
    world.pass(3700);
    let recent = world.lease(&client(2)).yiaddr();
    restart_after_step(&mut world, YEAR);
    assert_eq!(state(&world, old), AddressState::Remembered);
    assert_eq!(state(&world, recent), AddressState::Bound);
    assert_eq!(held(&world), 1);
}

#[test]
fn c195_an_endless_lease_is_untouched_by_hold_and_acceptance() {
    let mut setup = Setup::default();
    setup.home_subnet().lease.default = INFINITE;
    setup.home_subnet().lease.max = INFINITE;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    restart_after_step(&mut world, YEAR);
    assert!(hold(&world).is_some());
    assert_eq!((held(&world), world.accept_clock()), (0, 0));
    world.pass(4000);
    assert_eq!(state(&world, addr), AddressState::Bound);
}

#[test]
fn c195_a_hold_survives_a_restart_and_ends_when_it_was_to_end() {
    let (mut world, leases) = jumped(2);
    let first = hold(&world);
    world.pass(1800);
    world.restart();
    assert_eq!((hold(&world), held(&world)), (first, 2));
    world.pass(1790);
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
    world.pass(60);
    assert_eq!(state(&world, leases[0]), AddressState::Remembered);
    world.restart();
    assert_eq!((hold(&world), held(&world)), (None, 0));
}

#[test]
fn c195_a_clock_that_jumps_again_while_it_is_held_expires_nobody_either() {
    let (mut world, leases) = jumped(2);
    world.pass(60);
    restart_after_step(&mut world, YEAR);
    assert_eq!(hold(&world).unwrap().trusted, START + 60);
    assert_eq!(held(&world), 2);
    world.send(client(1).renew(leases[0])).ack();
}

#[test]
fn c195_a_held_clock_that_is_set_right_counts_from_before_it_jumped() {
    let (mut world, leases) = jumped(2);
    world.send(client(1).renew(leases[0])).ack();
    world.pass(600);
    restart_after_step(&mut world, -YEAR);
    assert_eq!((hold(&world), held(&world)), (None, 0));
    assert_eq!(world.start.unwrap().behind(), 0);
    // Its record says a year more; the lease is an hour.
    world.pass(2900);
    assert_eq!(state(&world, leases[1]), AddressState::Bound);
    world.pass(200);
    assert_eq!(state(&world, leases[1]), AddressState::Remembered);
    world.pass(600);
    assert_eq!(state(&world, leases[0]), AddressState::Remembered);
}

#[test]
fn c195_a_clock_that_went_back_neither_expires_nor_prolongs_a_lease() {
    for back in [HOUR.cast_signed(), DAY, 11 * DAY] {
        let mut world = Setup::default().world();
        let addr = world.lease(&client(1)).yiaddr();
        world.pass(1800);
        restart_after_step(&mut world, -back);
        assert_eq!(world.start.unwrap().behind(), back.unsigned_abs());
        assert_eq!(world.start.unwrap().now, START + 1800);
        world.pass(1790);
        assert_eq!(state(&world, addr), AddressState::Bound);
        world.pass(60);
        assert_eq!(state(&world, addr), AddressState::Remembered);
    }
}

#[test]
fn c195_a_lease_lasts_no_longer_than_it_was_granted_however_often_the_clock_is_behind() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    restart_after_step(&mut world, -10 * DAY);
    // The records of the time say the clock that is behind, and nobody is behind them.
    world.pass(60);
    world.restart();
    assert_eq!(world.start.unwrap().behind(), 0);
    world.pass(HOUR + 40);
    assert_eq!(state(&world, addr), AddressState::Remembered);
}

#[test]
fn c195_new_records_say_the_wall_clock_although_it_is_behind() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    restart_after_step(&mut world, -DAY);
    world.send(client(1).renew(addr)).ack();
    let (now, last) = (world.wall_now(), world.log.last().unwrap());
    assert_eq!((last.time, last.expiry), (now, now + HOUR + 1));
    world.restart();
    world.pass(HOUR - 10);
    assert_eq!(state(&world, addr), AddressState::Bound);
}

#[test]
fn c195_a_lease_that_is_not_extended_is_told_and_recorded_as_long_as_it_is_held() {
    let mut setup = Setup::default();
    setup.home().rules.extend = false;
    let mut world = setup.world();
    let addr = world.lease(&client(1)).yiaddr();
    restart_after_step(&mut world, YEAR);
    let told = world.send(client(1).renew(addr)).ack().lease().unwrap();
    assert!((3590..=3600).contains(&told), "{told}");
    assert_eq!(held(&world), 0);
    let last = world.log.last().unwrap();
    assert!(last.expiry >= world.wall_now() + u64::from(told));
}

#[test]
fn c195_a_held_lease_may_be_released_declined_or_offered_again() {
    let (mut world, leases) = jumped(3);
    let release = client(1).release().ciaddr(leases[0]).unicast(SERVER);
    assert_eq!(world.send(release).silence(), Silence::Released);
    assert_eq!(held(&world), 2);
    let decline = client(2).decline().requested(leases[1]).server(SERVER);
    assert_eq!(world.send(decline).silence(), Silence::Declined);
    assert_eq!(held(&world), 1);
    assert_eq!(world.lease(&client(3)).yiaddr(), leases[2]);
    assert_eq!(held(&world), 0);
}

#[test]
fn c195_an_address_set_aside_is_not_held() {
    let mut world = Setup::default().world();
    let addr = world.lease(&client(1)).yiaddr();
    let decline = client(1).decline().requested(addr).server(SERVER);
    assert_eq!(world.send(decline).silence(), Silence::Declined);
    restart_after_step(&mut world, YEAR);
    assert_eq!(held(&world), 0);
    assert_eq!(state(&world, addr), AddressState::Free);
}

#[test]
fn c195_a_new_store_holds_nobody() {
    let mut world = Setup::default().world();
    world.restart();
    assert_eq!((hold(&world), world.start.unwrap().newest), (None, None));
}

#[test]
fn c195_the_wall_clock_of_a_held_server_may_be_set_right() {
    let (mut world, leases) = jumped(1);
    world.wall -= YEAR;
    for shard in &mut world.shards {
        shard.set_wall(Wall { ahead: world.wall });
    }
    world.pass(60);
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
    world.restart();
    assert_eq!((hold(&world), held(&world)), (None, 0));
    assert_eq!(state(&world, leases[0]), AddressState::Bound);
}

#[test]
fn a_record_of_the_time_says_what_is_held() {
    let hold = Hold {
        trusted: 1_000,
        until: 5_000_000,
    };
    for hold in [None, Some(hold)] {
        let record = time_record(4_999_000, hold);
        assert_eq!(Noted::hold_of(record.expiry, record.lease), hold);
    }
    // A span that it cannot tell: everything is held.
    let hold = Hold {
        trusted: 1,
        until: 1 << 40,
    };
    let record = time_record(5, Some(hold));
    let read = Noted::hold_of(record.expiry, record.lease).unwrap();
    assert_eq!((read.trusted, read.until), (0, 1 << 40));
}
